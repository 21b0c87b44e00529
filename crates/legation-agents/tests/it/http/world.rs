//! A server behind an agent, and the service before it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use legation_core::{Agent, Call, Caller, Profile, Reply, Service};
use legation_model::{Content, Request, SendMessageRequest, StreamResponse, Task};
use legation_store::sqlite::{Options, SqliteStore};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use url::Url;

/// What the server was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

type Script = Box<dyn FnMut(&Asked) -> Response + Send>;

/// A server that answers by a script and remembers what it was asked.
#[derive(Clone)]
pub(super) struct Behind {
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Behind {
    /// Starts it, and gives its address.
    pub(super) async fn start(
        script: impl FnMut(&Asked) -> Response + Send + 'static,
    ) -> (Self, Url) {
        let script: Script = Box::new(script);
        let behind = Self { script: Arc::new(Mutex::new(script)), asked: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().fallback(answer).with_state(behind.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (behind, Url::parse(&format!("http://{address}/v1")).expect("a URL"))
    }

    /// What it was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn answer(State(behind): State<Behind>, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).expect("JSON");
    let asked = Asked { headers, body };
    behind.asked.lock().expect("no panic").push(asked.clone());
    (behind.script.lock().expect("no panic"))(&asked)
}

/// An answer of a media type.
pub(super) fn body(media_type: &'static str, text: impl Into<Body>) -> Response {
    ([("content-type", media_type)], text.into()).into_response()
}

/// An answer that comes in pieces as they are sent, and ends when the sender is gone.
pub(super) fn pieces(media_type: &'static str) -> (mpsc::UnboundedSender<&'static str>, Response) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let stream = futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|piece| piece.map(Ok::<_, Infallible>))
    });
    (sender, body(media_type, Body::from_stream(stream)))
}

/// The service with one agent.
pub(super) struct Before {
    pub(super) service: Arc<Service>,
    /// How it is called.
    pub(super) by: Call,
    _dir: tempfile::TempDir,
}

impl Before {
    pub(super) fn of(agent: impl Agent) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(dir.path(), Options::default()).expect("an empty directory");
        let profile = Profile::new("behind", "Behind", "Is elsewhere");
        let service = Service::builder(store).agent(profile, agent).build();
        let service = service.expect("one agent with a good slug");
        Self { service, by: Call::by(Caller::anonymous()), _dir: dir }
    }

    /// Says something and gives the task as it settled.
    pub(super) async fn say(&self, message: Value) -> Task {
        let reply = self.call(Request::SendMessage(request(message))).await;
        let Reply::SentTask(task) = reply else { panic!("not a task: {reply:?}") };
        task.read().expect("a task")
    }

    /// Says something and gives what happens as it happens.
    pub(super) async fn stream(
        &self,
        message: Value,
    ) -> impl futures::Stream<Item = StreamResponse> + Unpin {
        let reply = self.call(Request::SendStreamingMessage(request(message))).await;
        let Reply::Stream(follow) = reply else { panic!("not a stream: {reply:?}") };
        follow.map(|item| item.expect("an item").json.read().expect("an item")).boxed()
    }

    pub(super) async fn call(&self, request: Request) -> Reply {
        let called = self.service.call(&self.by, request);
        let called = tokio::time::timeout(Duration::from_secs(20), called).await;
        called.expect("in time").expect("an answer")
    }
}

fn request(parts_or_message: Value) -> SendMessageRequest {
    let mut message = match parts_or_message.as_str() {
        Some(text) => json!({"parts": [{"text": text}]}),
        None => parts_or_message,
    };
    let id = legation_model::MessageId::generate();
    message["messageId"] = json!(id.as_str());
    message["role"] = json!("ROLE_USER");
    serde_json::from_value(json!({"message": message})).expect("a request")
}

/// A task in short: its state, what was said last, and its artifacts.
pub(super) fn short(task: &Task) -> String {
    let state = task.status.state.name().trim_start_matches("TASK_STATE_").to_lowercase();
    let said = task.status.message.as_ref().map(|message| message.text()).unwrap_or_default();
    // What the service adds to every reason.
    let said = said.split(". A new task in context").next().unwrap_or_default();
    let artifacts = task.artifacts.iter().map(|artifact| {
        let parts = artifact.parts.iter().map(|part| match &part.content {
            Content::Text(text) => text.clone(),
            Content::Data(data) => data.as_str().to_owned(),
            Content::Raw(raw) => raw.as_str().to_owned(),
            Content::Url(url) => url.clone(),
        });
        format!(" | {}={}", artifact.artifact_id, parts.collect::<String>())
    });
    format!("{state}: {said}{}", artifacts.collect::<String>())
}
