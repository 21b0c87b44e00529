//! A server on a free port that answers as a script says, cuts included.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use legation_client::{Binding, Client, Error, Options, Patience};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

/// The bindings that a script speaks.
pub(crate) const BOTH: [Binding; 2] = [Binding::JsonRpc, Binding::HttpJson];

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address that was called, as far as its origin.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.header("host").expect("HTTP/1.1 has one"))
    }

    /// The operation in either binding.
    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.body.contains(&format!("\"method\":\"{method}\"")) || self.path.ends_with(path)
    }
}

/// What follows the last piece of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// The end in due form.
    Proper,
    /// The connection breaks.
    Cut,
    /// Nothing, for ever.
    Silence,
}

/// What the script answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) pieces: Vec<String>,
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, pieces: vec![body.into()], end: End::Proper }
    }

    pub(crate) fn stream(pieces: Vec<String>, end: End) -> Self {
        let headers = vec![("content-type", "text/event-stream; charset=utf-8".to_owned())];
        Self { status: 200, headers, pieces, end }
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    accepting: JoinHandle<()>,
    script: Arc<Script>,
}

impl Server {
    /// Serves a card for both bindings (under `/rpc` and `/rest`), and what the script says.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let with_card = move |asked: &Asked| match asked.path.as_str() {
            "/.well-known/agent-card.json" => Answer::json(200, card(&asked.base())),
            _ => script(asked),
        };
        Self::bare(with_card).await
    }

    /// Serves what the script says.
    pub(crate) async fn bare(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&script), Arc::clone(&asked)));
        Self { address, asked, accepting, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn client(&self, options: Options) -> Client {
        self.try_client(options).await.expect("the card is good")
    }

    pub(crate) async fn try_client(&self, options: Options) -> Result<Client, Error> {
        Client::discover(&self.url(), options).await
    }

    /// Refuses connections for this long; those that stand go on.
    pub(crate) async fn restart(&mut self, away: Duration) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        tokio::time::sleep(away).await;
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        let (script, asked) = (Arc::clone(&self.script), Arc::clone(&self.asked));
        self.accepting = tokio::spawn(accept(listener, script, asked));
    }

    /// The requests so far whose operation this is.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.asked.lock().iter().filter(|asked| asked.is(method, path)).count()
    }
}

/// Options that try often and fast.
pub(crate) fn hasty() -> Options {
    let patience = Patience {
        attempts: 20,
        total: Duration::from_secs(20),
        first: Duration::from_millis(2),
        longest: Duration::from_millis(50),
    };
    Options { patience, ..Options::default() }
}

async fn accept(listener: TcpListener, script: Arc<Script>, asked: Arc<Mutex<Vec<Asked>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        // Each piece leaves at once, or it would wait for the caller to confirm the one before.
        socket.set_nodelay(true).expect("a socket");
        let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
                async move { Ok::<_, Infallible>(serve(request, &script, &asked).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // It fails by design when the script cuts.
            let _ = connection.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn serve(
    request: Request<Incoming>,
    script: &Arc<Script>,
    log: &Mutex<Vec<Asked>>,
) -> Response<Pieces> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = head.uri.to_string();
    let asked = Asked { method: head.method, path, headers: head.headers, body };
    log.lock().push(asked.clone());
    let answer = script(&asked);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let pieces = answer.pieces.into_iter().map(Bytes::from).collect();
    response.body(Pieces { pieces, end: answer.end, pause: None }).expect("a response")
}

pub(crate) fn card(base: &str) -> String {
    let face = |path: &str, binding: &str| {
        format!(r#"{{"url":"{base}{path}","protocolBinding":"{binding}","protocolVersion":"1.0"}}"#)
    };
    let faces = [face("/rpc", "JSONRPC"), face("/rest", "HTTP+JSON")].join(",");
    format!(
        r#"{{"name":"Scripted","description":"d","version":"1","capabilities":{{"streaming":true}},
        "defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[],
        "supportedInterfaces":[{faces}]}}"#
    )
}

/// A body in pieces, each sent by itself.
struct Pieces {
    pieces: VecDeque<Bytes>,
    end: End,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        // What came before must have left, or a cut would swallow it.
        let pause = || Box::pin(tokio::time::sleep(Duration::from_millis(2)));
        ready!(self.pause.get_or_insert_with(pause).as_mut().poll(context));
        match self.end {
            End::Proper => Poll::Ready(None),
            End::Cut => Poll::Ready(Some(Err(std::io::Error::other("cut by the script")))),
            End::Silence => Poll::Pending,
        }
    }
}
