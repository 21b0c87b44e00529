//! Streams that send their first event and then stay open, on bare hyper: what a
//! connection costs when nothing is kept for it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::anyhow;
use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    model::{Event, Request, State, Status, Task},
    reply::{in_task, new_ids},
    stream::write_event,
};

/// A body of one frame that does not end; the connection notices a client that left.
struct Open(Option<Bytes>);

impl Body for Open {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Poll::Pending,
        }
    }
}

/// Serves open streams until the process ends.
pub(super) async fn listen(listener: TcpListener) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(open));
        connections.spawn(connection);
        while connections.try_join_next().is_some() {}
    }
}

async fn open(request: hyper::Request<Incoming>) -> anyhow::Result<Response<Open>> {
    let body = collect(request.into_body()).await?;
    let mut response = Response::new(Open(Some(first_event(&body)?)));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse()?);
    Ok(response)
}

async fn collect(mut body: Incoming) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = futures::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        bytes.extend_from_slice(&frame?.into_data().map_err(|_| anyhow!("trailers"))?);
    }
    Ok(bytes)
}

fn first_event(body: &[u8]) -> anyhow::Result<Bytes> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let (task_id, context_id) = new_ids();
    let message = in_task(request.params.message, &task_id, &context_id)?;
    let event = Event::Task(Task {
        id: &task_id,
        context_id: &context_id,
        status: Status::of(State::Working),
        artifacts: &[],
        history: std::slice::from_ref(&message),
    });
    let mut frame = Vec::with_capacity(1024);
    write_event(&mut frame, request.id.get(), 0, &event)?;
    Ok(frame.into())
}
