//! One connection: which HTTP it speaks, and serving it until it ends or has to.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::Watch;
use crate::bounds::Bounds;
use crate::call::Peer;
use crate::pace::{Paced, Phase, Phases};
use crate::readers::Readers;
use crate::server::Shared;

/// How an HTTP/2 connection begins (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Where the tasks of connections belong, and what ends them.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) tasks: TaskTracker,
    /// Cancelled when connections shall end without waiting.
    pub(crate) stop: CancellationToken,
}

/// Runs the tasks of HTTP/2 requests.
impl<F> Executor<F> for Owner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! { () = task => {}, () = stop.cancelled() => {} }
        });
    }
}

/// Serves a connection until its peer leaves, is too slow, or the server stops.
pub(crate) async fn serve(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>, owner: Owner) {
    let bounds = shared.bounds.clone();
    let first_byte = tokio::time::timeout(bounds.first_byte, protocol_of(&stream));
    let first_byte = tokio::select! {
        protocol = first_byte => protocol,
        () = shared.drain.cancelled() => return,
    };
    let Ok(Some(protocol)) = first_byte else { return };
    // A frame is worth sending at once; failing to say so only costs time.
    let _ = stream.set_nodelay(true);
    let drain = shared.drain.clone();
    let peer = Peer { address: peer, certificates: None };
    match protocol {
        Protocol::Http1 => {
            let phases = Phases::begin(Phase::Head);
            let io = TokioIo::new(Paced::new(stream, phases.clone(), bounds.clone()));
            let service = service_fn(move |request| {
                let (shared, phases) = (shared.clone(), phases.clone());
                let peer = peer.clone();
                // Boxed, because hyper keeps the room of a future for as long as the connection
                // lives, and that of a call takes several kilobytes, also under an idle stream.
                Box::pin(async move {
                    let mut response = shared.answer(&peer, request, &phases).await;
                    response.body_mut().watched_by(Watch::Transport(phases));
                    Ok::<_, Infallible>(response)
                })
            });
            let connection = http1(&bounds).serve_connection(io, service);
            drive(connection, &drain, &owner.stop, std::future::pending()).await;
        }
        Protocol::Http2 => {
            // Its requests overlap, so there are no phases; pings watch over the peer.
            let io = Paced::new(stream, Phases::begin(Phase::Response), bounds.clone());
            let readers = Readers::default();
            let watch = readers.clone();
            let service = service_fn(move |request| {
                let (shared, watch, peer) = (shared.clone(), watch.clone(), peer.clone());
                async move {
                    let mut response =
                        shared.answer(&peer, request, &Phases::begin(Phase::Response)).await;
                    response.body_mut().watched_by(Watch::Readers(watch.add()));
                    Ok::<_, Infallible>(response)
                }
            });
            let connection =
                http2(&bounds, owner.clone()).serve_connection(TokioIo::new(io), service);
            // A reader in good order shows itself at every heartbeat.
            let stuck = readers.stuck(bounds.write_stall.max(bounds.heartbeat * 2));
            // Boxed, so that its room does not count for every HTTP/1.1 connection.
            Box::pin(drive(connection, &drain, &owner.stop, stuck)).await;
        }
    }
}

fn http1(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Times are kept by `Paced`, which needs no timer per request.
    builder.header_read_timeout(None).max_headers(bounds.headers).max_buf_size(bounds.buffer);
    builder
}

fn http2(bounds: &Bounds, owner: Owner) -> http2::Builder<Owner> {
    let mut builder = http2::Builder::new(owner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.h2_streams)
        .max_header_list_size(bounds.h2_header_list)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(bounds.h2_ping)
        .keep_alive_timeout(bounds.h2_ping_timeout);
    builder
}

/// Tells by the first bytes what a peer speaks, without taking them; `None` when it left.
async fn protocol_of(stream: &TcpStream) -> Option<Protocol> {
    let mut buffer = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        if !PREFACE.starts_with(&buffer[..count]) {
            return Some(Protocol::Http1);
        }
        if count == PREFACE.len() {
            return Some(Protocol::Http2);
        }
        // A preface in pieces is rare, and peeking again would not wait for the next piece.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Serves until the connection ends, is stuck, or the server stops.
async fn drive<C>(
    connection: C,
    drain: &CancellationToken,
    stop: &CancellationToken,
    stuck: impl Future<Output = ()>,
) where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let (mut connection, mut stuck) = (pin!(connection), pin!(stuck));
    let mut draining = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stuck.as_mut() => return,
            () = stop.cancelled() => return,
            () = drain.cancelled(), if !draining => {}
        }
        draining = true;
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = ended {
        // Peers leave and dawdle as they like; that is no fault of ours.
        tracing::debug!(%error, "connection ended");
    }
}
