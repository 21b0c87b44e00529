//! One connection: which HTTP it speaks, and serving it until it ends or has to.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use legation_core::CertificateChain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::Watch;
use crate::bounds::Bounds;
use crate::call::Peer;
use crate::cork::corked;
use crate::frames::{Metered, PREFACE};
use crate::pace::{Paced, Phase, Phases, within};
use crate::readers::{Here, Readers};
use crate::server::Shared;
use crate::tls::{self, Tls};

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

/// Serves a connection until its peer leaves, is too slow, or the server stops.
pub(crate) async fn serve(stream: TcpStream, address: IpAddr, shared: Arc<Shared>, owner: Owner) {
    let bounds = shared.bounds.clone();
    // A frame is worth sending at once; failing to say so only costs time.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &shared.tls else {
        let first_byte = within(bounds.first_byte, protocol_of(&stream));
        let protocol = unless_drained(&shared, first_byte).await;
        let Some(Some(Some(protocol))) = protocol else { return };
        let peer = Peer { address, certificates: None };
        return speak(stream, protocol, peer, shared, owner).await;
    };
    let changes = tls.changes();
    // Boxed, because a handshake needs much room that the connection does without later.
    let handshake = Box::pin(shake_hands(stream, tls, &bounds));
    let Some(Some(stream)) = unless_drained(&shared, handshake).await else { return };
    let (_, session) = stream.get_ref();
    let is_http2 = session.alpn_protocol() == Some(tls::H2);
    let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
    let chain = session.peer_certificates();
    let certificates = chain.map(|chain| chain.iter().map(|one| one.to_vec()).collect());
    let watched: Option<(_, CertificateChain)> = changes.zip(certificates.clone());
    let peer = Peer { address, certificates };
    let Some((mut changes, chain)) = watched else {
        return speak(stream, protocol, peer, shared, owner).await;
    };
    let tls = tls.clone();
    tokio::select! {
        () = speak(stream, protocol, peer, shared, owner) => {}
        // Cut, with whatever it was at: its peer is nobody any more.
        () = tls.disbelief(&mut changes, &chain) => {
            tracing::info!(%address, "a connection is cut: its certificate is no longer good");
        }
    }
}

/// What comes of this, unless the server stops before.
async fn unless_drained<T>(shared: &Shared, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = work => Some(result),
        () = shared.drain.cancelled() => None,
    }
}

/// Begins TLS; `None` when the peer does not, or not in time.
async fn shake_hands(
    stream: TcpStream,
    tls: &Tls,
    bounds: &Bounds,
) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    let first_byte = within(bounds.first_byte, stream.peek(&mut first)).await;
    if !matches!(first_byte, Some(Ok(count)) if count > 0) {
        return None;
    }
    let accept = TlsAcceptor::from(tls.config()).accept(stream);
    match within(bounds.handshake, accept).await? {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::debug!(%error, "no TLS with this peer");
            None
        }
    }
}

/// Serves a connection in one protocol.
async fn speak<S>(stream: S, protocol: Protocol, peer: Peer, shared: Arc<Shared>, owner: Owner)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match protocol {
        Protocol::Http1 => speak_http1(stream, peer, shared, owner).await,
        // Boxed, so that its room does not count for every HTTP/1.1 connection.
        Protocol::Http2 => Box::pin(speak_http2(stream, peer, shared, owner)).await,
    }
}

async fn speak_http1<S>(stream: S, peer: Peer, shared: Arc<Shared>, owner: Owner)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (bounds, drain) = (shared.bounds.clone(), shared.drain.clone());
    let phases = Phases::begin(Phase::Head);
    let io = TokioIo::new(Paced::new(stream, phases.clone(), bounds.clone()));
    let service = service_fn(move |request| {
        let (shared, phases, peer) = (shared.clone(), phases.clone(), peer.clone());
        // Boxed, because hyper keeps the room of a future for as long as the connection lives, and
        // that of a call takes several kilobytes, also under an idle stream.
        Box::pin(async move {
            let mut response = shared.answer(&peer, request, &phases).await;
            response.body_mut().watched_by(Watch::Transport(phases));
            Ok::<_, Infallible>(response)
        })
    });
    let connection = http1(&bounds).serve_connection(io, service);
    let never = std::future::pending;
    let nothing_waits = |_: &mut Context<'_>| Poll::Ready(Ok(()));
    drive(connection, (None, nothing_waits), &drain, &owner.stop, (never(), never())).await;
}

async fn speak_http2<S>(stream: S, peer: Peer, shared: Arc<Shared>, owner: Owner)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (bounds, drain) = (shared.bounds.clone(), shared.drain.clone());
    // The preface is a head, and so is that of each request. Else requests overlap, so there are no
    // phases: pings watch over the peer, each request over its body, `Readers` over the responses.
    let phases = Phases::begin(Phase::Head);
    let paced = Paced::new(stream, phases.clone(), bounds.clone());
    let (corked, mut uncork) = corked(paced);
    let io = TokioIo::new(Metered::new(corked, phases, bounds.h2_control_frames));
    let (readers, at_work) = Readers::new(owner.tasks.clone());
    let watch = readers.clone();
    // One thing to share, because every request does.
    let here = Arc::new((shared, peer, Phases::begin(Phase::Response)));
    let service = service_fn(move |request| {
        let (here, reader) = (here.clone(), watch.add());
        // Boxed for the same reason, and because the task that it becomes is moved about.
        Box::pin(async move {
            let (shared, peer, unwatched) = &*here;
            let mut response = shared.answer(peer, request, unwatched).await;
            reader.takes();
            response.body_mut().watched_by(Watch::Readers(reader));
            Ok::<_, Infallible>(response)
        })
    });
    let connection = http2(&bounds, readers.clone()).serve_connection(io, service);
    // A reader in good order shows itself at every heartbeat.
    let stuck = readers.reset_stuck(bounds.write_stall.max(bounds.heartbeat * 2));
    // Ended when it is quiet, and cut when the end takes too long: what was left of an answer when
    // its body was through may wait for a peer that never takes it, which is no request at work.
    let (quiet, never_ends) = (readers.quiet(bounds.idle), bounds.idle + bounds.write_stall);
    let cut = async {
        tokio::select! { () = stuck => {}, () = readers.quiet(never_ends) => {} }
    };
    let send = |cx: &mut Context<'_>| uncork.poll(cx);
    drive(connection, (Some(at_work), send), &drain, &owner.stop, (cut, quiet)).await;
}

fn http1(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Times are kept by `Paced`, which needs no timer per request.
    builder.header_read_timeout(None).max_headers(bounds.headers).max_buf_size(bounds.buffer);
    builder
}

fn http2(bounds: &Bounds, readers: Readers) -> http2::Builder<Readers> {
    let mut builder = http2::Builder::new(readers);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.h2_streams)
        .max_header_list_size(bounds.h2_header_list)
        .max_frame_size(bounds.h2_frame)
        .initial_stream_window_size(bounds.h2_stream_window)
        .initial_connection_window_size(bounds.h2_window)
        .max_send_buf_size(bounds.h2_send_buffer)
        .max_pending_accept_reset_streams(bounds.h2_pending_resets)
        .max_local_error_reset_streams(bounds.h2_errors)
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

/// Serves until the connection ends, has to be cut, or the server stops. One that is quiet is ended
/// as when the server stops: its peer is told. What waits to be sent is, whenever it had its turn. The work of
/// a request that it does itself comes before, so that what that says goes out in the same turn: the next is
/// behind everybody who works meanwhile. For the same reason it has another when work that began then says
/// something already.
async fn drive<C>(
    connection: C,
    (work, mut send): (Option<Here>, impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>),
    drain: &CancellationToken,
    stop: &CancellationToken,
    (cut, quiet): (impl Future<Output = ()>, impl Future<Output = ()>),
) where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let (mut connection, mut cut, mut quiet) = (pin!(connection), pin!(cut), pin!(quiet));
    let mut ending = false;
    let ended = loop {
        let turn = poll_fn(|cx| {
            if let Some(work) = &work {
                work.go_on(cx);
            }
            let mut ended = connection.as_mut().poll(cx);
            while ended.is_pending() && work.as_ref().is_some_and(|work| work.begin(cx)) {
                ended = connection.as_mut().poll(cx);
            }
            match send(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => ended.map(Ok),
            }
        });
        tokio::select! {
            ended = turn => break ended,
            () = cut.as_mut() => return,
            () = stop.cancelled() => return,
            () = quiet.as_mut(), if !ending => {}
            () = drain.cancelled(), if !ending => {}
        }
        ending = true;
        connection.as_mut().graceful_shutdown();
    };
    // Peers leave and dawdle as they like; that is no fault of ours.
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection ended"),
        Err(error) => return tracing::debug!(%error, "connection ended"),
    }
    // The reason that the peer is told.
    tokio::select! {
        sent = poll_fn(send) => drop(sent),
        () = stop.cancelled() => {}
    }
}
