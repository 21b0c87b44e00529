//! The services beside A2A's: reflection in both its versions, and health, which is readiness.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use legation_core::Service;
use legation_model::A2aError;
use legation_wire::grpc::{self as codec, Package};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::Service as Call;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::answer::Answer;
use crate::body::Body;
use crate::bounds::Bounds;
use crate::intake::too_slow;
use crate::settings::Grpc;

use super::exceeded;

/// The call that has its one answer at once and takes nobody's place: whoever watches for readiness
/// by it takes a server that refuses it for a dead one.
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// How often readiness is looked at for those who watch it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The services that are served beside A2A's, by name.
pub(crate) struct Services {
    served: Vec<Served>,
    drain: CancellationToken,
    heartbeat: Duration,
    body_grace: Duration,
}

/// One of them. Each has a bound of its own, so that nobody keeps callers from health by way of
/// reflection.
struct Served {
    name: &'static str,
    handler: Handler,
    /// For how long an answer may say nothing while it goes on; `None` when saying nothing is its
    /// purpose.
    silence: Option<Duration>,
    watchers: Arc<Semaphore>,
}

type Handler =
    Box<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<tonic::body::Body>> + Send + Sync>;

impl Served {
    fn enter(&self) -> Result<OwnedSemaphorePermit, A2aError> {
        self.watchers.clone().try_acquire_owned().map_err(|_| {
            let text = format!("`{}` has too many callers at once; try later", self.name);
            A2aError::unavailable(text, Duration::from_secs(1))
        })
    }
}

impl Services {
    /// Those that are switched on.
    pub(crate) fn new(
        grpc: &Grpc,
        service: &Arc<Service>,
        drain: CancellationToken,
        bounds: &Bounds,
    ) -> Self {
        let (mut served, longest) = (Vec::new(), bounds.grpc_question);
        let mut serve = |(name, handler), silence| {
            let watchers = Arc::new(Semaphore::new(bounds.grpc_watchers));
            served.push(Served { name, handler, silence, watchers });
        };
        if grpc.health {
            let health = HealthServer::new(Readiness(service.clone()));
            serve(handler(health.max_decoding_message_size(longest)), None);
        }
        if grpc.reflection {
            let described = "the descriptors are this program's own";
            let v1 = reflection(grpc).build_v1().expect(described);
            let v1alpha = reflection(grpc).build_v1alpha().expect(described);
            serve(handler(v1.max_decoding_message_size(longest)), Some(bounds.idle));
            serve(handler(v1alpha.max_decoding_message_size(longest)), Some(bounds.idle));
        }
        let (heartbeat, body_grace) = (bounds.heartbeat, bounds.body_grace);
        Self { served, drain, heartbeat, body_grace }
    }

    /// Answers a request to the service of a name; `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the service has as many callers as it may, `DeadlineExceeded`, and
    /// `InvalidRequest` when the request takes too long to come.
    pub(super) async fn call(
        &self,
        name: &str,
        request: Request<Incoming>,
        deadline: Option<Instant>,
    ) -> Option<Result<Answer, A2aError>> {
        let served = self.served.iter().find(|served| served.name == name)?;
        Some(self.perform(served, request, deadline).await)
    }

    async fn perform(
        &self,
        served: &Served,
        request: Request<Incoming>,
        deadline: Option<Instant>,
    ) -> Result<Answer, A2aError> {
        let watcher = match request.uri().path() {
            CHECK => None,
            _ => Some(served.enter()?),
        };
        // Up to the answer's head there is nothing to wait for but the request itself.
        let late = Instant::now() + self.body_grace;
        let until = deadline.map_or(late, |deadline| deadline.min(late));
        let response = timeout_at(until, (served.handler)(request)).await;
        let response = response.map_err(|_| if until < late { exceeded() } else { too_slow() })?;
        Ok(response.map(|body| {
            Body::foreign(Foreign {
                body,
                drain: Some(Box::pin(self.drain.clone().cancelled_owned())),
                heartbeat: self.heartbeat,
                timer: Box::pin(sleep(self.heartbeat)),
                deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
                silence: served.silence,
                said: Instant::now(),
                _watcher: watcher,
            })
        }))
    }
}

/// The request as one for this path, which may have stood below a mount: libraries know their
/// services at the root alone.
pub(super) fn unmounted(mut request: Request<Incoming>, path: &str) -> Request<Incoming> {
    if request.uri().path() != path
        && let Ok(path) = PathAndQuery::try_from(path)
    {
        *request.uri_mut() = Uri::from(path);
    }
    request
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
    /// When the caller wants to hear no more.
    deadline: Option<Pin<Box<Sleep>>>,
    silence: Option<Duration>,
    /// When something was said last.
    said: Instant,
    _watcher: Option<OwnedSemaphorePermit>,
}

impl Foreign {
    pub(crate) fn is_end_stream(&self) -> bool {
        self.drain.is_none() || self.body.is_end_stream()
    }

    /// What goes out next; `None` at the end.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if self.drain.is_none() {
            return Poll::Ready(None);
        }
        let ended = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.said = Instant::now();
                return Poll::Ready(Some(frame));
            }
            Poll::Ready(Some(Err(status))) => Some(status),
            Poll::Ready(None) => None,
            Poll::Pending => Some(ready!(self.poll_over(cx))),
        };
        self.drain = None;
        Poll::Ready(ended.map(trailers).map(Frame::trailers))
    }

    /// Ready with why an answer ends that would go on.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if self.drain.as_mut().is_some_and(|drain| drain.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Status::new(Code::Unavailable, "the server is stopping"));
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            let text = "the time that the call was given is over";
            return Poll::Ready(Status::new(Code::DeadlineExceeded, text));
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.silence.is_some_and(|silence| self.said.elapsed() >= silence) {
                let text = "nothing was asked for long";
                return Poll::Ready(Status::new(Code::DeadlineExceeded, text));
            }
            self.timer.set(sleep(self.heartbeat));
        }
        Poll::Pending
    }
}

fn trailers(status: Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Refused only for a text that is no header, and this one is gRPC's encoding of it.
    let _ = status.add_header(&mut trailers);
    trailers
}
