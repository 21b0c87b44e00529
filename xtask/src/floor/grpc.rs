//! The echo on bare tonic: decode into types, encode from types, nothing stored.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::Context as _;
use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream};
use tokio::net::TcpListener;
use tonic::{
    Request, Response,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
    transport::server::TcpIncoming,
};
use tonic_prost::ProstCodec;

use super::reply::new_ids;
use crate::{
    contract::{chunk_text, chunks_wanted},
    pb::{
        Artifact, ArtifactUpdate, COMPLETED, Message, Part, SendMessageRequest,
        SendMessageResponse, Status, StatusUpdate, StreamResponse, Task, WORKING, path,
    },
};

/// Serves until the process ends.
pub(super) async fn listen(listener: TcpListener) -> anyhow::Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tonic::transport::Server::builder().add_service(Echo);
    server.serve_with_incoming(incoming).await.context("cannot serve")
}

/// The service, as the code that tonic generates has it.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "lf.a2a.v1.A2AService";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let streams = request.uri().path() == path("SendStreamingMessage");
        async move {
            Ok(match streams {
                false => Grpc::new(ProstCodec::default()).unary(Send, request).await,
                true => Grpc::new(ProstCodec::default()).server_streaming(Follow, request).await,
            })
        }
        .boxed()
    }
}

type Answered<T> = Ready<Result<Response<T>, tonic::Status>>;

struct Send;

impl UnaryService<SendMessageRequest> for Send {
    type Response = SendMessageResponse;
    type Future = Answered<SendMessageResponse>;

    fn call(&mut self, request: Request<SendMessageRequest>) -> Self::Future {
        ready(message_of(request).map(|message| {
            let parts = message.parts.clone();
            let task = task_of(message, COMPLETED, vec![artifact(parts)]);
            Response::new(SendMessageResponse { task: Some(task) })
        }))
    }
}

struct Follow;

type Items = Pin<Box<dyn Stream<Item = Result<StreamResponse, tonic::Status>> + std::marker::Send>>;

impl ServerStreamingService<SendMessageRequest> for Follow {
    type Response = StreamResponse;
    type ResponseStream = Items;
    type Future = Answered<Items>;

    fn call(&mut self, request: Request<SendMessageRequest>) -> Self::Future {
        ready(message_of(request).map(|message| Response::new(items(message))))
    }
}

fn message_of(request: Request<SendMessageRequest>) -> Result<Message, tonic::Status> {
    let message = request.into_inner().message;
    message.ok_or_else(|| tonic::Status::invalid_argument("message: missing"))
}

fn task_of(message: Message, state: i32, artifacts: Vec<Artifact>) -> Task {
    let (id, context_id) = new_ids();
    let history = vec![Message { context_id: context_id.clone(), task_id: id.clone(), ..message }];
    Task { id, context_id, status: Some(Status { state }), artifacts, history }
}

fn artifact(parts: Vec<Part>) -> Artifact {
    Artifact { artifact_id: "echo".into(), parts }
}

fn items(message: Message) -> Items {
    let text = message.parts.first().and_then(|part| part.text.clone()).unwrap_or_default();
    let wanted = chunks_wanted(&text);
    let task = task_of(message, WORKING, Vec::new());
    let (id, context) = (task.id.clone(), task.context_id.clone());
    let count = wanted.unwrap_or(1);
    let chunk = {
        let (id, context) = (id.clone(), context.clone());
        move |index: u64| {
            let text = wanted.map_or_else(|| text.clone(), |_| chunk_text(index));
            StreamResponse {
                artifact_update: Some(ArtifactUpdate {
                    task_id: id.clone(),
                    context_id: context.clone(),
                    artifact: Some(artifact(vec![Part::of_text(&text)])),
                    append: index > 0,
                    last_chunk: index + 1 == count,
                }),
                ..StreamResponse::default()
            }
        }
    };
    let first = StreamResponse { task: Some(task), ..StreamResponse::default() };
    let status = Some(Status { state: COMPLETED });
    let last = StreamResponse {
        status_update: Some(StatusUpdate { task_id: id, context_id: context, status }),
        ..StreamResponse::default()
    };
    let items = std::iter::once(first).chain((0..count).map(chunk)).chain([last]);
    stream::iter(items.map(Ok)).boxed()
}
