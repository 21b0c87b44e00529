//! Exchanges that HTTP/2 alone carries: connections are shared, kept and made anew, and nothing is sent
//! twice that a server may have looked at.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Method, Response};
use legation_net::{Error, Http, Limits, Request};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use url::Url;

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Answers with so many bytes, and with trailers that tell how many came.
    Answer(usize),
    /// Refuses it with this reason.
    Reset(Reason),
    /// Cuts the connection.
    Cut,
    /// Answers with nothing, and takes no more requests on the connection.
    Leave,
    /// Says that it leaves and looked at nothing.
    LeaveUnseen,
    /// Begins an answer and does not go on.
    Stall,
}

/// A server that acts by a script: one after the other, and then the last for ever.
#[derive(Default)]
struct Peer {
    script: Mutex<VecDeque<Act>>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// Rung when a connection has ended, or a caller took a request back.
    end: Notify,
}

impl Peer {
    async fn start(script: &[Act]) -> (Arc<Self>, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let script = Mutex::new(script.iter().copied().collect());
        let peer = Arc::new(Self { script, ..Self::default() });
        let this = Arc::clone(&peer);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                this.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(&this).serve(socket));
            }
        });
        (peer, Url::parse(&format!("http://{address}/x?y")).expect("a URL"))
    }

    fn next(&self) -> Act {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut script = self.script.lock();
        let is_last = script.len() == 1;
        let next = if is_last { script.front().copied() } else { script.pop_front() };
        next.expect("the last one stays")
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        if self.script.lock().front() == Some(&Act::LeaveUnseen) {
            self.next();
            return leave_unseen(socket).await;
        }
        let builder = h2::server::Builder::new();
        let mut connection = builder.handshake::<_, Bytes>(socket).await.expect("a handshake");
        while let Some(Ok((request, answer))) = connection.accept().await {
            match self.next() {
                Act::Cut => break,
                Act::Leave => {
                    tokio::spawn(Arc::clone(&self).answer(request.into_body(), answer, Some(0)));
                    connection.graceful_shutdown();
                }
                Act::Reset(reason) => {
                    let mut answer = answer;
                    answer.send_reset(reason);
                }
                Act::Answer(size) => {
                    tokio::spawn(Arc::clone(&self).answer(request.into_body(), answer, Some(size)));
                }
                Act::Stall => {
                    tokio::spawn(Arc::clone(&self).answer(request.into_body(), answer, None));
                }
                Act::LeaveUnseen => unreachable!("it is for a connection as a whole"),
            }
        }
        self.end.notify_one();
    }

    async fn answer(
        self: Arc<Self>,
        mut body: RecvStream,
        mut answer: SendResponse<Bytes>,
        size: Option<usize>,
    ) {
        let mut came = 0_usize;
        while let Some(Ok(piece)) = body.data().await {
            came += piece.len();
            let _ = body.flow_control().release_capacity(piece.len());
        }
        let mut stream = answer.send_response(Response::new(()), false).expect("a caller");
        let Some(size) = size else {
            std::future::poll_fn(|cx| stream.poll_reset(cx)).await.expect("it is taken back");
            return self.end.notify_one();
        };
        stream.send_data(Bytes::from(vec![b'x'; size]), false).expect("a caller");
        let trailers = [(http::HeaderName::from_static("came"), HeaderValue::from(came))];
        let _ = stream.send_trailers(trailers.into_iter().collect());
    }

    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
    }

    async fn ended(&self) {
        let soon = Duration::from_secs(10);
        tokio::time::timeout(soon, self.end.notified()).await.expect("it ends");
    }
}

/// Reads frames up to the first HEADERS, and says that stream 0 is the last that was looked at.
async fn leave_unseen(mut socket: TcpStream) {
    socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await.expect("SETTINGS of nothing");
    socket.read_exact(&mut [0; 24]).await.expect("the preface");
    let mut head = [0; 9];
    while head[3] != 1 {
        socket.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        socket.read_exact(&mut vec![0; length]).await.expect("what is in it");
    }
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    socket.write_all(goaway).await.expect("the caller reads");
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

fn post(url: &Url, size: usize) -> Request {
    let mut request = Request::new(Method::POST, url.clone());
    request.headers.insert("te", HeaderValue::from_static("trailers"));
    request.body = Bytes::from(vec![b'y'; size]);
    request.http2 = true;
    request
}

/// How many bytes came back, and how many had come.
async fn call(http: &Http, request: Request) -> Result<(usize, Option<HeaderMap>), Error> {
    let mut answer = http.send(request).await?;
    let body = answer.take().await?;
    Ok((body.len(), answer.trailers().cloned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_share_a_connection_and_bodies_of_any_size_go_both_ways() {
    let (peer, url) = Peer::start(&[Act::Answer(9 << 20), Act::Answer(0), Act::Answer(3)]).await;
    let http = Http::new().expect("a client");
    for (size, expected) in [(0, 9 << 20), (5 << 20, 0), (7, 3)] {
        let (length, trailers) = call(&http, post(&url, size)).await.expect("an answer");
        let came = trailers.and_then(|trailers| trailers.get("came").cloned());
        assert_eq!((length, came), (expected, Some(HeaderValue::from(size))));
    }
    assert_eq!(peer.seen(), (1, 3));
    // All at once, and before there is a connection.
    let http = Http::new().expect("a client");
    let calls = (0..200).map(|_| {
        let (http, request) = (http.clone(), post(&url, 1));
        tokio::spawn(async move { call(&http, request).await.expect("an answer").0 })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("no panic"), 3);
    }
    assert_eq!(peer.seen(), (2, 203));
}

#[tokio::test]
async fn what_was_not_looked_at_is_sent_again_and_nothing_else_is() {
    const OK: Act = Act::Answer(1);
    const BUSY: Act = Act::Reset(Reason::REFUSED_STREAM);
    // What the server does, what two calls come to, and the connections and requests that this takes.
    let cases = [
        (&[OK][..], [true, true], (1, 2)),
        (&[BUSY, BUSY, OK][..], [true, true], (1, 4)),
        (&[BUSY, BUSY, BUSY, OK][..], [false, true], (1, 4)),
        (&[Act::LeaveUnseen, OK][..], [true, true], (2, 3)),
        (&[Act::Leave, OK][..], [true, true], (2, 2)),
        (&[Act::Cut, OK][..], [false, true], (2, 2)),
        (&[Act::Reset(Reason::INTERNAL_ERROR), OK][..], [false, true], (1, 2)),
        (&[Act::Reset(Reason::CANCEL), OK][..], [false, true], (1, 2)),
    ];
    for (script, expected, seen) in cases {
        let (peer, url) = Peer::start(script).await;
        let http = Http::new().expect("a client");
        for (at, expected) in expected.into_iter().enumerate() {
            let got = call(&http, post(&url, 1)).await;
            assert_eq!(got.is_ok(), expected, "{script:?}: {got:?}");
            let is_broken = matches!(got, Err(Error::Broken(_)));
            assert!(got.is_ok() || is_broken, "{script:?}: it may have been looked at");
            if script.get(at) == Some(&Act::Leave) {
                peer.ended().await;
            }
        }
        assert_eq!(peer.seen(), seen, "{script:?}");
    }
}

#[tokio::test]
async fn answers_keep_to_their_limits_and_who_goes_away_takes_the_request_back() {
    let short = Duration::from_millis(300);
    let wide = Limits::SHORT;
    let cases = [
        (Act::Answer(11), Limits { max_bytes: 10, ..wide }, "larger than 10 bytes"),
        (Act::Stall, Limits { idle: short, ..wide }, "no answer for 0.3 s"),
        (Act::Stall, Limits { total: Some(short), ..wide }, "no answer for 0.3 s"),
    ];
    for (act, limits, expected) in cases {
        let (peer, url) = Peer::start(&[act]).await;
        let http = Http::new().expect("a client");
        let told = call(&http, Request { limits, ..post(&url, 1) }).await.expect_err(expected);
        assert!(told.to_string().contains(expected), "{act:?}: {told}");
        if act == Act::Stall {
            peer.ended().await;
            assert_eq!(peer.seen().0, 1);
        }
    }
}

#[tokio::test]
async fn a_connection_is_closed_when_nobody_uses_it_or_can() {
    let (peer, url) = Peer::start(&[Act::Stall, Act::Answer(1)]).await;
    let http = Http::new().expect("a client");
    let reading = http.send(post(&url, 1)).await.expect("the head of an answer");
    call(&http, post(&url, 1)).await.expect("an answer");
    tokio::time::pause();
    // The one that has a reader stays, however little is said.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    call(&http, post(&url, 1)).await.expect("an answer");
    assert_eq!(peer.seen(), (1, 3));
    drop(reading);
    peer.ended().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    peer.ended().await;
    call(&http, post(&url, 1)).await.expect("an answer");
    assert_eq!(peer.seen(), (2, 4));
    drop(http);
    peer.ended().await;
}
