//! The services beside A2A's: reflection in both its versions, and health, which is readiness.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use legation_core::Service;
use legation_wire::grpc::{self as codec, Package};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::Service as Call;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::answer::Answer;
use crate::body::Body;
use crate::settings::Grpc;

/// Bytes of a request to these services: names of services and of types.
const LONGEST: usize = 64 << 10;

/// How often readiness is looked at for those who watch it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The services that are served beside A2A's, by name.
pub(crate) struct Services {
    served: Vec<(&'static str, Handler)>,
    drain: CancellationToken,
    heartbeat: Duration,
}

type Handler =
    Box<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<tonic::body::Body>> + Send + Sync>;

impl Services {
    /// Those that are switched on.
    pub(crate) fn new(
        grpc: &Grpc,
        service: &Arc<Service>,
        drain: CancellationToken,
        heartbeat: Duration,
    ) -> Self {
        let mut served = Vec::new();
        if grpc.health {
            let health = HealthServer::new(Readiness(service.clone()));
            served.push(handler(health.max_decoding_message_size(LONGEST)));
        }
        if grpc.reflection {
            let described = "the descriptors are this program's own";
            let v1 = reflection(grpc).build_v1().expect(described);
            let v1alpha = reflection(grpc).build_v1alpha().expect(described);
            served.push(handler(v1.max_decoding_message_size(LONGEST)));
            served.push(handler(v1alpha.max_decoding_message_size(LONGEST)));
        }
        Self { served, drain, heartbeat }
    }

    /// Answers a request to the service of a name; `None` when there is none.
    pub(super) async fn call(&self, name: &str, request: Request<Incoming>) -> Option<Answer> {
        let (_, handler) = self.served.iter().find(|(known, _)| *known == name)?;
        let response = handler(request).await;
        Some(response.map(|body| {
            Body::foreign(Foreign {
                body,
                drain: Some(Box::pin(self.drain.clone().cancelled_owned())),
                heartbeat: self.heartbeat,
                timer: Box::pin(sleep(self.heartbeat)),
            })
        }))
    }
}

fn reflection(grpc: &Grpc) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .include_reflection_service(false)
        .register_encoded_file_descriptor_set(codec::descriptor_set())
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
    match grpc.health {
        true => builder.register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
        false => builder,
    }
}

fn handler<S>(service: S) -> (&'static str, Handler)
where
    S: Call<Request<Incoming>, Response = Response<tonic::body::Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let handler: Handler = Box::new(move |request| {
        let answered = service.clone().call(request);
        Box::pin(async move { answered.await.unwrap_or_else(|never| match never {}) })
    });
    (S::NAME, handler)
}

/// Whether new work is taken, as gRPC's health.
struct Readiness(Arc<Service>);

fn status(service: &Service, name: &str) -> Option<ServingStatus> {
    let is_served = name.is_empty() || Package::of_service(name).is_some();
    let ready = || match service.ready() {
        Ok(()) => ServingStatus::Serving,
        Err(_) => ServingStatus::NotServing,
    };
    is_served.then(ready)
}

#[tonic::async_trait]
impl Health for Readiness {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let status = status(&self.0, &request.get_ref().service);
        let status = status.ok_or_else(|| Status::not_found("there is no such service"))?;
        Ok(tonic::Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        let (service, name) = (self.0.clone(), request.into_inner().service);
        let changes = stream::unfold(None, move |told| {
            let (service, name) = (service.clone(), name.clone());
            async move {
                loop {
                    let now = status(&service, &name).unwrap_or(ServingStatus::ServiceUnknown);
                    if told != Some(now) {
                        return Some((Ok(HealthCheckResponse { status: now.into() }), Some(now)));
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
        });
        Ok(tonic::Response::new(changes.boxed()))
    }
}

/// The body of an answer of these services. It ends when the server stops.
pub(crate) struct Foreign {
    body: tonic::body::Body,
    /// Nothing behind the end.
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    heartbeat: Duration,
    /// Asks for more now and then, by which a reader shows that it is not stuck.
    timer: Pin<Box<Sleep>>,
}

impl Foreign {
    pub(crate) fn is_end_stream(&self) -> bool {
        self.drain.is_none() || self.body.is_end_stream()
    }

    /// What goes out next; `None` at the end.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let Some(drain) = &mut self.drain else { return Poll::Ready(None) };
        let ended = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(frame)),
            Poll::Ready(Some(Err(status))) => Some(status),
            Poll::Ready(None) => None,
            Poll::Pending => match drain.as_mut().poll(cx) {
                Poll::Ready(()) => Some(Status::new(Code::Unavailable, "the server is stopping")),
                Poll::Pending => {
                    while self.timer.as_mut().poll(cx).is_ready() {
                        self.timer.set(sleep(self.heartbeat));
                    }
                    return Poll::Pending;
                }
            },
        };
        self.drain = None;
        Poll::Ready(ended.map(trailers).map(Frame::trailers))
    }
}

fn trailers(status: Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Refused only for a text that is no header, and this one is gRPC's encoding of it.
    let _ = status.add_header(&mut trailers);
    trailers
}
