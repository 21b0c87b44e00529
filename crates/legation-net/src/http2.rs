//! Connections over which HTTP/2 alone is spoken: one for each origin, shared by all calls of it.
//!
//! It is for gRPC, which calls often and briefly: what a general client does around a call (layers, a
//! pool, a task for each call) costs more than the call itself. A connection is made when it is needed
//! first, through the same resolver and guard and with the same TLS as all others, and is closed when
//! nobody has used it for a while. This knows no proxies and no redirects.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Request;
use http_body::Frame;
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;
use url::{Host, Position, Url};

use crate::error::Cause;
use crate::names::Resolver;
use crate::{CONNECT, Error, KEEP, MAX_HEADERS};

/// How often a connection in use is asked whether it still stands. gRPC's streams say nothing by
/// themselves when there is nothing to say, and its servers cut off callers that ask more often than
/// every five minutes.
pub(crate) const PING: Duration = Duration::from_secs(330);
/// How long the answer to that may take.
pub(crate) const PONG: Duration = Duration::from_secs(20);
/// How much a server may send ahead of whoever reads, on a stream and in all.
const STREAM_WINDOW: u32 = 2 << 20;
const WINDOW: u32 = 5 << 20;
/// How often a request goes out at most, of which all but the last were not looked at.
const TRIES: usize = 3;

/// Places by their origin.
type Places = HashMap<String, Arc<OnceCell<Arc<Kept>>>>;

/// The connections.
pub(crate) struct Http2 {
    connector: HttpConnector<Resolver>,
    tls: TlsConnector,
    places: Mutex<Places>,
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Absent when the connection has ended or takes no more requests.
    sender: Mutex<Option<SendRequest<Bytes>>>,
    /// Whether it was used since somebody looked.
    is_used: AtomicBool,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Body {
    stream: RecvStream,
    /// What has a reader is in use.
    _kept: Arc<Kept>,
}

impl Http2 {
    pub(crate) fn new(resolver: Resolver, tls: ClientConfig) -> Self {
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        // A peer that vanished is noticed as soon as with other connections.
        connector.set_keepalive(Some(Duration::from_secs(15)));
        connector.set_keepalive_interval(Some(Duration::from_secs(15)));
        connector.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(Duration::from_secs(30)));
        let tls = TlsConnector::from(Arc::new(tls));
        Self { connector, tls, places: Mutex::default() }
    }

    /// Sends a request to a place that was judged, and waits for the head of the answer. What a server
    /// says that it did not look at is sent again, and so is what found a connection that had ended.
    pub(crate) async fn send(
        &self,
        url: &Url,
        head: Request<()>,
        body: Bytes,
    ) -> Result<http::Response<Body>, Error> {
        let mut tries = 1..=TRIES;
        loop {
            let is_last = tries.next() == Some(TRIES);
            let kept = self.kept(url).await?;
            match kept.ask(head.clone(), body.clone()).await {
                Ok(answer) => {
                    return Ok(answer.map(|stream| Body { stream, _kept: kept }));
                }
                Err(Unanswered::Unseen(_)) if !is_last => {}
                Err(Unanswered::Unseen(fault) | Unanswered::Broken(fault)) => {
                    return Err(Error::Broken(fault));
                }
            }
        }
    }

    /// The connection to a place: the one that stands, or else a new one.
    async fn kept(&self, url: &Url) -> Result<Arc<Kept>, Error> {
        let origin = &url[..Position::BeforePath];
        let place = {
            let mut places = self.places.lock();
            match places.get(origin).filter(|place| !place.get().is_some_and(|it| it.has_ended())) {
                Some(place) => Arc::clone(place),
                None => {
                    // Those that somebody else connects to at this moment stay.
                    let stays = |place: &Arc<OnceCell<Arc<Kept>>>| match place.get() {
                        Some(kept) => !kept.has_ended(),
                        None => Arc::strong_count(place) > 1,
                    };
                    places.retain(|_, place| stays(place));
                    Arc::clone(places.entry(origin.to_owned()).or_default())
                }
            }
        };
        if let Some(kept) = place.get() {
            return Ok(Arc::clone(kept));
        }
        // Boxed, because room for it would be moved about with every call.
        let connecting = place.get_or_try_init(|| Box::pin(self.connect(url)));
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(connected) => connected.cloned().map_err(Error::from_connect),
            Err(late) => Err(Error::late_connect(late.into())),
        }
    }

    async fn connect(&self, url: &Url) -> Result<Arc<Kept>, Cause> {
        let address = url[..Position::BeforePath].parse()?;
        let tcp = self.connector.clone().call(address).await?.into_inner();
        let name = match url.host() {
            _ if url.scheme() != "https" => return Kept::over(tcp).await,
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned())?,
            Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::V6(address)),
            None => return Err("the address has no host".into()),
        };
        Kept::over(self.tls.connect(name, tcp).await?).await
    }
}

impl Kept {
    /// Speaks HTTP/2 over a connection that stands.
    async fn over<T>(io: T) -> Result<Arc<Self>, Cause>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new();
        builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
        builder.max_header_list_size(MAX_HEADERS).enable_push(false);
        let (sender, connection) = builder.handshake(io).await?;
        let kept = Self { sender: Mutex::new(Some(sender)), is_used: AtomicBool::new(true) };
        let kept = Arc::new(kept);
        // Nobody has to own it: it ends with the connection, which ends when nobody uses it.
        tokio::spawn(drive(connection, Arc::downgrade(&kept)));
        Ok(kept)
    }

    async fn ask(
        &self,
        head: Request<()>,
        body: Bytes,
    ) -> Result<http::Response<RecvStream>, Unanswered> {
        self.say(head, body)?.await.map_err(|fault| {
            // What is not of the one request is of the connection.
            if !fault.is_reset() {
                self.end();
            }
            Unanswered::of(fault)
        })
    }

    fn say(&self, head: Request<()>, body: Bytes) -> Result<ResponseFuture, Unanswered> {
        self.is_used.store(true, Ordering::Relaxed);
        let sender = self.sender.lock().clone();
        let mut sender = sender.ok_or_else(|| Unanswered::Unseen("it has ended".into()))?;
        match sender.send_request(head, body.is_empty()) {
            Ok((answer, mut stream)) => {
                if !body.is_empty() {
                    // It is all there, so that nothing is gained by waiting for the server's window.
                    // When the stream has broken meanwhile, the answer says why.
                    let _ = stream.send_data(body, true);
                }
                Ok(answer)
            }
            Err(fault) => {
                self.end();
                Err(Unanswered::Unseen(fault.into()))
            }
        }
    }

    /// Takes no more requests; the connection ends when those that it has are done.
    fn end(&self) {
        *self.sender.lock() = None;
    }

    fn has_ended(&self) -> bool {
        self.sender.lock().is_none()
    }
}

/// Why there is no answer.
enum Unanswered {
    /// The server has not looked at the request.
    Unseen(Cause),
    /// It may have.
    Broken(Cause),
}

impl Unanswered {
    fn of(fault: h2::Error) -> Self {
        // A server that goes says up to which request it has looked; what it is too busy for it
        // refuses unseen (RFC 9113 6.8 and 8.7).
        let is_unseen = match fault.reason() {
            Some(Reason::NO_ERROR) => fault.is_go_away(),
            Some(Reason::REFUSED_STREAM) => fault.is_reset(),
            _ => false,
        };
        let tell = if is_unseen && fault.is_remote() { Self::Unseen } else { Self::Broken };
        tell(fault.into())
    }
}

/// Moves what a connection carries until it has ended.
async fn drive<T>(mut connection: Connection<T>, kept: Weak<Kept>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let ping = connection.ping_pong().expect("it is taken once");
    tokio::select! {
        // Whoever waits for an answer is told how it ended.
        _ = connection => {}
        () = watch(&kept, ping) => {}
    }
    if let Some(kept) = kept.upgrade() {
        kept.end();
    }
}

/// Waits until a connection is not to go on: it has long been unused, or nobody is there.
async fn watch(kept: &Weak<Kept>, mut ping: PingPong) {
    let mut asked = Instant::now();
    loop {
        tokio::time::sleep(KEEP).await;
        let Some(kept) = kept.upgrade() else { break };
        // The place has it, and so has this; whoever else does waits for an answer or reads one.
        let is_used = kept.is_used.swap(false, Ordering::Relaxed) || Arc::strong_count(&kept) > 2;
        if !is_used {
            kept.end();
            break;
        }
        drop(kept);
        if asked.elapsed() >= PING {
            let pong = tokio::time::timeout(PONG, ping.ping(Ping::opaque())).await;
            if !matches!(pong, Ok(Ok(_))) {
                return;
            }
            asked = Instant::now();
        }
    }
    // It ends by itself, unless the server does not even take the farewell.
    tokio::time::sleep(KEEP).await;
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let stream = &mut self.get_mut().stream;
        let frame = match ready!(stream.poll_data(cx)) {
            Some(Ok(piece)) => {
                let released = stream.flow_control().release_capacity(piece.len());
                Some(released.map(|()| Frame::data(piece)))
            }
            Some(Err(fault)) => Some(Err(fault)),
            None => {
                let trailers = ready!(stream.poll_trailers(cx)).transpose();
                trailers.map(|trailers| trailers.map(Frame::trailers))
            }
        };
        // The server has said all, and does not want the rest of the request (RFC 9113 8.1).
        let is_end =
            |fault: &h2::Error| fault.is_reset() && fault.reason() == Some(Reason::NO_ERROR);
        Poll::Ready(frame.filter(|frame| !frame.as_ref().err().is_some_and(is_end)))
    }
}
