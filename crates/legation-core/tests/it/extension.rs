//! Extensions: asked for, required, seeing requests and replies, with methods of their own.

use std::sync::Arc;

use async_trait::async_trait;
use legation_core::{CURSOR_EXTENSION, Call, Extension, OnRestart, Profile, Reply, Service};
use legation_model::{
    A2aError, AgentExtension, ErrorKind, Json, Part, Request, StreamResponse, Task,
};

use crate::bench::{Bench, Scripted, by, items, message};

const LOUD: &str = "urn:test:loud:1";

/// Makes messages upper case and says how long they are.
struct Loud {
    required: bool,
}

#[async_trait]
impl Extension for Loud {
    fn declaration(&self) -> AgentExtension {
        AgentExtension { uri: LOUD.into(), required: self.required, ..AgentExtension::default() }
    }

    fn on_request(&self, _: &mut Call, request: &mut Request) -> Result<(), A2aError> {
        let Request::SendMessage(request) = request else { return Ok(()) };
        if request.message.text().is_empty() {
            return Err(A2aError::invalid("message", "is too quiet"));
        }
        request.message.parts.push(Part::text("1"));
        Ok(())
    }

    fn on_response(&self, _: &Call, response: &StreamResponse, _: Option<u64>) -> Option<Json> {
        let StreamResponse::Task(task) = response else { return None };
        Json::from_value(&task.history.len()).ok()
    }

    async fn method(
        &self,
        _: &Service,
        _: &Call,
        method: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        let missing = || A2aError::invalid("params", "are missing");
        (method == "loud/echo").then(|| params.cloned().ok_or_else(missing))
    }
}

fn service(bench: &Bench, required: bool, lenient: bool) -> Arc<Service> {
    let mut profile = Profile::new("scripted", "Scripted", "Does what it is told");
    profile.lenient_extensions = lenient;
    let agent = Scripted {
        on_restart: OnRestart::Fail,
        gate: bench.gate.clone(),
        replies: bench.replies.clone(),
    };
    let service = Service::builder(bench.store.clone()).agent(profile, agent);
    service.extension(Arc::new(Loud { required })).build().expect("one agent with a good slug")
}

fn asking(uris: &[&str]) -> Call {
    Call { extensions: uris.iter().map(|uri| (*uri).to_owned()).collect(), ..by("ann") }
}

async fn sent(service: &Service, call: &Call, text: &str) -> Result<Task, A2aError> {
    match service.call(call, Request::SendMessage(message(text))).await? {
        Reply::SentTask(task) => task.read(),
        other => panic!("not a task: {other:?}"),
    }
}

#[tokio::test]
async fn only_calls_that_ask_are_seen() {
    let bench = Bench::new();
    let service = service(&bench, false, false);
    let plain = sent(&service, &by("ann"), "answer").await.expect("a task");
    assert_eq!((plain.history[0].parts.len(), plain.metadata), (1, None));
    let seen = sent(&service, &asking(&["urn:other", LOUD]), "answer").await.expect("a task");
    assert_eq!(seen.history[0].parts.len(), 2);
    let data = seen.metadata.as_ref().and_then(|metadata| metadata.get(LOUD));
    assert_eq!(data.map(|data| data.as_str().to_owned()).as_deref(), Some("2"));
    let error = sent(&service, &asking(&[LOUD]), "").await.expect_err("a refusal");
    assert_eq!(error.message, "message: is too quiet");
}

#[tokio::test]
async fn a_required_extension_is_asked_of_every_call_but_where_the_agent_is_lenient() {
    let bench = Bench::new();
    let strict = service(&bench, true, false);
    let error = sent(&strict, &by("ann"), "answer").await.expect_err("a refusal");
    assert_eq!(error.kind, ErrorKind::ExtensionSupportRequired);
    assert!(sent(&strict, &asking(&[LOUD]), "answer").await.is_ok());
    assert!(sent(&service(&bench, true, true), &by("ann"), "answer").await.is_ok());
}

#[tokio::test]
async fn an_extension_has_methods_of_its_own() {
    let bench = Bench::new();
    let service = service(&bench, false, false);
    let params = Json::parse("[1]").expect("JSON");
    let call = |uris: &'static [&'static str], method: &'static str| {
        let (service, params) = (&service, &params);
        async move { service.call_extension(&asking(uris), method, Some(params)).await }
    };
    let answer = call(&[LOUD], "loud/echo").await.expect("such a method").expect("an answer");
    assert_eq!(answer.as_str(), "[1]");
    assert!(call(&[LOUD], "loud/other").await.is_none());
    assert!(call(&[], "loud/echo").await.is_none());
}

#[tokio::test]
async fn the_cursor_tells_the_number_of_each_update_and_takes_one_to_go_on_from() {
    let bench = Bench::new();
    let call = asking(&[CURSOR_EXTENSION]);
    let reply = bench.service.call(&call, Request::SendStreamingMessage(message("2 answer"))).await;
    let Ok(Reply::Stream(follow)) = reply else { panic!("not a stream: {reply:?}") };
    for (seq, item) in items(follow).await {
        let metadata = match item {
            StreamResponse::Task(task) => task.metadata,
            StreamResponse::Message(message) => message.metadata,
            StreamResponse::StatusUpdate(update) => update.metadata,
            StreamResponse::ArtifactUpdate(update) => update.metadata,
        };
        let data = metadata.and_then(|metadata| metadata.get(CURSOR_EXTENSION)).expect("a cursor");
        assert_eq!(data.as_str(), format!(r#"{{"seq":{}}}"#, seq.expect("a numbered event")));
    }
}
