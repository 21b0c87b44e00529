//! However a caller learns what becomes of a task, it is the truth, and it comes to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method};
use legation_client::{
    Binding, Client, Error, Events, Extension, Limits, Options, Pace, Push, Receiver, Response,
    Trace, TraceContext, Updates, receiver,
};
use legation_model::{
    Message, Metadata, Part, Request, Role, SendMessageRequest, StreamResponse, TaskId,
};
use legation_net::Http;

use crate::server::{Answer, Asked, End, Server, hasty};

const QUICK: Pace = Pace { first: Duration::from_millis(1), longest: Duration::from_millis(20) };

fn task(state: &str, said: &str) -> String {
    let message =
        format!(r#"{{"messageId":"m","role":"ROLE_AGENT","parts":[{{"text":"{said}"}}]}}"#);
    let status = format!(r#"{{"state":"TASK_STATE_{state}","message":{message}}}"#);
    format!(r#"{{"id":"t","contextId":"c","status":{status}}}"#)
}

fn answered(result: &str) -> Answer {
    Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
}

fn refused(code: i32) -> Answer {
    let error = format!(r#"{{"code":{code},"message":"no"}}"#);
    Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#))
}

fn event(item: &str) -> String {
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{item}}}\n\n")
}

/// A card of an agent that has these capabilities.
fn card(asked: &Asked, capabilities: &str) -> Answer {
    let base = asked.base();
    Answer::json(
        200,
        format!(
            r#"{{"name":"Scripted","description":"d","version":"1","capabilities":{{{capabilities}}},
            "defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[],
            "supportedInterfaces":[{{"url":"{base}/rpc","protocolBinding":"JSONRPC",
            "protocolVersion":"1.0"}}]}}"#
        ),
    )
}

/// An agent with these capabilities, which answers messages with `sent` and looks at its task with
/// one after the other of `looks`, the last of them for ever.
async fn agent(
    capabilities: &'static str,
    sent: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    looks: &'static [(&'static str, &'static str)],
) -> Server {
    let looked = AtomicUsize::new(0);
    Server::bare(move |asked| {
        if asked.path.ends_with("agent-card.json") {
            return card(asked, capabilities);
        }
        if !asked.is("GetTask", "/never") {
            return sent(asked);
        }
        let at = looked.fetch_add(1, Ordering::Relaxed).min(looks.len() - 1);
        answered(&task(looks[at].0, looks[at].1))
    })
    .await
}

fn request(task: Option<&str>) -> SendMessageRequest {
    let mut message = Message::new(Role::User, vec![Part::text("go")]);
    message.task_id = task.map(|id| TaskId::parse(id).expect("an id"));
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

/// What is told, and how it ends.
async fn told(events: Result<Events, Error>) -> String {
    let mut events = match events {
        Ok(events) => events,
        Err(error) => return format!("refused: {error}"),
    };
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(match event {
            Ok((_, StreamResponse::Task(task))) => {
                let said = task.status.message.map(|said| said.text()).unwrap_or_default();
                format!("{}:{said}", &task.status.state.name()["TASK_STATE_".len()..])
            }
            Ok((_, StreamResponse::Message(message))) => message.text(),
            Ok((_, StreamResponse::StatusUpdate(update))) => {
                update.status.state.name()["TASK_STATE_".len()..].to_owned()
            }
            Ok((_, StreamResponse::ArtifactUpdate(_))) => "chunk".to_owned(),
            Err(error) => format!("error: {error}"),
        });
    }
    told.push(if events.is_settled() { "settled" } else { "open" }.to_owned());
    told.join(" ")
}

fn polling() -> Options {
    Options { updates: Updates::Polling(QUICK), ..hasty() }
}

#[tokio::test]
async fn a_task_that_is_polled_is_told_as_often_as_it_changes() {
    const LOOKS: &[(&str, &str)] =
        &[("WORKING", "a"), ("WORKING", "a"), ("WORKING", "b"), ("COMPLETED", "done")];
    let sent = |_: &Asked| answered(&format!(r#"{{"task":{}}}"#, task("SUBMITTED", "")));
    let server = agent(r#""streaming":true"#, sent, LOOKS).await;
    let client = server.client(polling()).await;
    let heard = told(client.stream(request(None)).await).await;
    assert_eq!(heard, "SUBMITTED: WORKING:a WORKING:b COMPLETED:done settled");
    let asked = server.asked.lock();
    let sent: Vec<_> = asked.iter().filter(|asked| asked.body.contains("SendMessage")).collect();
    assert!(sent.len() == 1 && sent[0].body.contains(r#""returnImmediately":true"#), "{sent:?}");
    assert_eq!(asked.iter().filter(|asked| asked.body.contains("Streaming")).count(), 0);
}

#[tokio::test]
async fn how_a_task_stood_before_a_message_is_no_answer_to_it() {
    // The first look is before the message.
    const LOOKS: &[(&str, &str)] = &[
        ("INPUT_REQUIRED", "which?"),
        ("INPUT_REQUIRED", "which?"),
        ("WORKING", ""),
        ("INPUT_REQUIRED", "and then?"),
    ];
    let sent = |_: &Asked| answered(&format!(r#"{{"task":{}}}"#, task("INPUT_REQUIRED", "which?")));
    let server = agent(r#""streaming":true"#, sent, LOOKS).await;
    let client = server.client(polling()).await;
    let heard = told(client.stream(request(Some("t"))).await).await;
    let expected = "INPUT_REQUIRED:which? WORKING: INPUT_REQUIRED:and then? settled";
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn an_agent_without_streams_is_asked_for_none() {
    const LOOKS: &[(&str, &str)] = &[("WORKING", "a"), ("COMPLETED", "done")];
    // Whether it says so or only refuses.
    for (capabilities, streams) in [("", 0), (r#""streaming":true"#, 1)] {
        let sent = |asked: &Asked| match asked.body.contains(r#""method":"SendMessage""#) {
            true => answered(&format!(r#"{{"task":{}}}"#, task("WORKING", "a"))),
            false => refused(-32601),
        };
        let server = agent(capabilities, sent, LOOKS).await;
        let client = server.client(hasty()).await;
        let heard = told(client.stream(request(None)).await).await;
        assert_eq!(heard, "WORKING:a COMPLETED:done settled");
        assert_eq!(server.count("SendStreamingMessage", "-"), streams);
        assert_eq!(server.count("SendMessage", "-"), 1);
        let heard = told(client.subscribe(TaskId::parse("t").expect("an id"), None).await).await;
        assert_eq!(heard, "COMPLETED:done settled");
    }
    let message = r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hi"}]}}"#;
    let server = agent("", |_| answered(message), LOOKS).await;
    let client = server.client(hasty()).await;
    assert_eq!(told(client.stream(request(None)).await).await, "hi open");
}

#[tokio::test]
async fn a_question_that_an_agent_repeats_is_an_answer_that_was_waited_for() {
    const LOOKS: &[(&str, &str)] = &[("INPUT_REQUIRED", "which?")];
    for capabilities in ["", r#""streaming":true"#] {
        let sent = |asked: &Asked| match asked.body.contains("Streaming") {
            true => refused(-32601),
            false => answered(&format!(r#"{{"task":{}}}"#, task("INPUT_REQUIRED", "which?"))),
        };
        let server = agent(capabilities, sent, LOOKS).await;
        let once = Arc::new(Once::default());
        let options = Options { hooks: vec![once.clone()], ..hasty() };
        let client = server.client(options).await;
        let heard = told(client.stream(request(Some("t"))).await).await;
        assert_eq!(heard, "INPUT_REQUIRED:which? settled");
        assert_eq!(once.0.load(Ordering::Relaxed), 1, "a message goes out once");
    }
}

/// Counts the messages that go out.
#[derive(Debug, Default)]
struct Once(AtomicUsize);

impl Extension for Once {
    fn uri(&self) -> &'static str {
        "urn:test:once:1"
    }

    fn on_request(&self, _: &mut Request) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_followed_again_is_looked_at_to_its_end() {
    const LOOKS: &[(&str, &str)] = &[("WORKING", "a"), ("COMPLETED", "done")];
    // No such method; no such operation; nothing that it would be called for.
    for code in [-32601, -32004, -32602] {
        let sent = move |asked: &Asked| match asked.body.contains("SubscribeToTask") {
            true => refused(code),
            false => {
                let first = event(&format!(r#"{{"task":{}}}"#, task("WORKING", "")));
                Answer::stream(vec![first], End::Cut)
            }
        };
        let server = agent(r#""streaming":true"#, sent, LOOKS).await;
        let client = server.client(hasty()).await;
        let heard = told(client.stream(request(None)).await).await;
        assert_eq!(heard, "WORKING: WORKING:a COMPLETED:done settled", "{code}");
    }
}

#[tokio::test]
async fn a_message_is_repeated_where_the_agent_knows_repetitions() {
    const OFFERED: &str =
        r#""streaming":true,"extensions":[{"uri":"urn:legation:a2a:extension:idempotency:1"}]"#;
    for (capabilities, tries) in [(OFFERED, 3), (r#""streaming":true"#, 1)] {
        let count = AtomicUsize::new(0);
        let sent = move |asked: &Asked| {
            let streams = asked.body.contains("Streaming");
            match count.fetch_add(1, Ordering::Relaxed) {
                0 if streams => Answer::stream(Vec::new(), End::Cut),
                1 if streams => Answer::json(503, ""),
                0 | 1 => Answer { end: End::Cut, ..Answer::json(200, "{") },
                _ if streams => {
                    let last = event(&format!(r#"{{"task":{}}}"#, task("COMPLETED", "done")));
                    Answer::stream(vec![last], End::Proper)
                }
                _ => answered(&format!(r#"{{"task":{}}}"#, task("COMPLETED", "done"))),
            }
        };
        let server = agent(capabilities, sent, &[("COMPLETED", "done")]).await;
        let client = server.client(hasty()).await;
        let heard = told(client.stream(request(None)).await).await;
        let streamed = server.count("SendStreamingMessage", "-");
        assert_eq!((heard.contains("COMPLETED:done settled"), streamed), (tries == 3, tries));
        let keys = |server: &Server| -> Vec<_> {
            let asked = server.asked.lock();
            let keys = asked.iter().map(|asked| asked.header("idempotency-key").map(str::to_owned));
            keys.skip(1).collect()
        };
        let keys = keys(&server);
        assert!(
            keys.iter().all(|key| *key == keys[0] && key.is_some() == (tries == 3)),
            "{keys:?}"
        );
    }
    let lost = AtomicUsize::new(0);
    let sent = move |_: &Asked| match lost.fetch_add(1, Ordering::Relaxed) {
        0 => Answer { end: End::Cut, ..Answer::json(200, "{") },
        _ => answered(&format!(r#"{{"task":{}}}"#, task("COMPLETED", "done"))),
    };
    let server = agent(OFFERED, sent, &[("COMPLETED", "done")]).await;
    server.client(hasty()).await.send(request(None)).await.expect("repeated");
    assert_eq!(server.count("SendMessage", "-"), 2);
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_its_tries() {
    let server = agent("", |_| Answer::json(503, ""), &[("WORKING", "")]).await;
    let limits = Limits { total: Some(Duration::from_millis(300)), ..Limits::default() };
    let away = Options { limits, ..hasty() };
    let client = server.client(away.clone()).await;
    let id = TaskId::parse("t").expect("an id");
    let get = legation_model::GetTaskRequest { tenant: None, id, history_length: None };
    assert!(client.get_task(get).await.is_ok());
    let silent = agent("", |_| Answer::stream(Vec::new(), End::Silence), &[("WORKING", "")]).await;
    let error = silent.client(away).await.send(request(None)).await.expect_err("too late");
    assert!(matches!(error, Error::Late { .. }), "{error}");
}

#[derive(Debug)]
struct Stamp;

impl Extension for Stamp {
    fn uri(&self) -> &'static str {
        "urn:test:stamp:1"
    }

    fn on_request(&self, request: &mut Request) {
        if let Request::SendMessage(send) | Request::SendStreamingMessage(send) = request {
            send.metadata = Metadata::single(self.uri(), &"sealed").ok();
        }
    }

    fn on_response(&self, response: Response<'_>) {
        let said = match response {
            Response::Task(task) => &mut task.status.message,
            Response::StatusUpdate(update) => &mut update.status.message,
            Response::Message(_) | Response::ArtifactUpdate(_) => return,
        };
        *said = Some(Message::new(Role::Agent, vec![Part::text("opened")]));
    }
}

#[tokio::test]
async fn extensions_see_what_goes_out_and_what_comes_back() {
    const PLACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = |asked: &Asked| match asked.body.contains("Streaming") {
        true => {
            let last = event(&format!(r#"{{"task":{}}}"#, task("COMPLETED", "shut")));
            Answer::stream(vec![last], End::Proper)
        }
        false => answered(&format!(r#"{{"task":{}}}"#, task("COMPLETED", "shut"))),
    };
    let server = agent(r#""streaming":true"#, sent, &[("COMPLETED", "shut")]).await;
    let place = TraceContext::parse(PLACE, Some("a=1")).expect("a place");
    let options = Options { hooks: vec![Arc::new(Stamp)], trace: Trace::within(place), ..hasty() };
    let client = server.client(options).await;
    assert_eq!(told(client.stream(request(None)).await).await, "COMPLETED:opened settled");
    let answer = client.send(request(None)).await.expect("an answer");
    let legation_model::SendMessageResponse::Task(task) = answer else { panic!("{answer:?}") };
    assert_eq!(task.status.message.expect("it was set").text(), "opened");
    let asked = server.asked.lock();
    for asked in asked.iter().filter(|asked| asked.path == "/rpc") {
        assert_eq!(asked.header("a2a-extensions"), Some("urn:test:stamp:1"));
        assert_eq!(
            (asked.header("traceparent"), asked.header("tracestate")),
            (Some(PLACE), Some("a=1"))
        );
        assert!(asked.body.contains(r#""urn:test:stamp:1":"sealed""#), "{}", asked.body);
    }
}

/// Posts to a webhook as an agent does.
async fn post(config: &serde_json::Value, headers: &[(&'static str, &str)], body: &str) -> u16 {
    let url = config["url"].as_str().expect("an address").parse().expect("a URL");
    let mut request = legation_net::Request::new(Method::POST, url);
    for (name, value) in headers {
        request.headers.insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    request.body = body.to_owned().into();
    Http::new().expect("a client").send(request).await.expect("an answer").status().as_u16()
}

async fn receiver_of(secret: Option<&str>, limits: receiver::Limits) -> Receiver {
    let address = "127.0.0.1:0".parse().expect("an address");
    let secret = secret.map(Into::into);
    Receiver::listen(address, None, secret, limits).await.expect("a free port")
}

#[tokio::test]
async fn an_agent_that_posts_wakes_the_caller() {
    const LOOKS: &[(&str, &str)] = &[("COMPLETED", "done")];
    let sent = |_: &Asked| answered(&format!(r#"{{"task":{}}}"#, task("SUBMITTED", "")));
    let server = agent(r#""pushNotifications":true"#, sent, LOOKS).await;
    let receiver = receiver_of(None, receiver::Limits::default()).await;
    // Nothing but a notification makes it look in time.
    let push = Push { check: Duration::from_secs(3_600), ..Push::by(receiver) };
    let client = server.client(Options { updates: Updates::Push(push), ..hasty() }).await;
    let mut events = client.stream(request(None)).await.expect("sent");
    let body = server.asked.lock().last().expect("a message").body.clone();
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let config = body["params"]["configuration"]["taskPushNotificationConfig"].clone();
    let token = config["token"].as_str().expect("a token").to_owned();
    assert_eq!(config["authentication"]["credentials"], config["token"]);
    let mut next = async || events.next().await.map(|event| event.expect("an item").1);
    assert!(matches!(next().await, Some(StreamResponse::Task(_))), "the answer");
    let news = |state: &str| format!(r#"{{"task":{}}}"#, task(state, ""));
    assert_eq!(post(&config, &[], &news("WORKING")).await, 401);
    let known = [("x-a2a-notification-token", &*token)];
    assert_eq!(post(&config, &known, &news("COMPLETED")).await, 204);
    let Some(StreamResponse::Task(task)) = next().await else { panic!("no last look") };
    assert_eq!(task.status.state.name(), "TASK_STATE_COMPLETED");
    assert!(next().await.is_none());
    drop(events);
    assert_eq!(post(&config, &known, "{}").await, 404);
}

#[tokio::test]
async fn an_agent_that_does_not_post_is_not_waited_for() {
    let server = agent("", |_| answered("null"), &[("WORKING", "")]).await;
    let receiver = receiver_of(None, receiver::Limits::default()).await;
    let options = Options { updates: Updates::Push(Push::by(receiver)), ..hasty() };
    let client: Client = server.client(options).await;
    let refused = client.stream(request(None)).await.expect_err("nobody would be told");
    assert!(matches!(refused, Error::Unsayable { .. }), "{refused}");
    assert_eq!((client.binding(), server.count("SendMessage", "-")), (Binding::JsonRpc, 0));
}

#[tokio::test]
async fn what_is_posted_is_judged() {
    use legation_wire::webhook::sign;
    const BODY: &str = r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}"#;
    const OTHER: &str = r#"{"kind":"task","id":"u","contextId":"c","status":{"state":"working"}}"#;
    const CHUNK: &str = r#"{"artifactUpdate":{"taskId":"t","contextId":"c","append":true,"artifact":{"artifactId":"a","parts":[{"text":"x"}]}}}"#;
    let limits = receiver::Limits { bytes: 1_000, waiting: 4, ..Default::default() };
    let receiver = receiver_of(Some("secret"), limits).await;
    let mut registration = receiver.register();
    registration.is_of(&TaskId::parse("t").expect("an id"));
    let config = serde_json::to_value(registration.config()).expect("JSON");
    let token = config["token"].as_str().expect("a token");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let bearer = format!("bearer {token}");
    let long = format!("{BODY}{}", " ".repeat(1_000));
    let by = |name, value| vec![(name, value)];
    let own = || by("a2a-notification-token", token);
    type Case<'c> = (&'c str, Vec<(&'static str, &'c str)>, &'c str, &'c [u8], u64, u16, bool);
    let cases: Vec<Case<'_>> = vec![
        ("the other spelling", own(), BODY, b"secret", now, 204, true),
        ("the same again", own(), BODY, b"secret", now, 204, false),
        ("a chunk", by("x-a2a-notification-token", token), CHUNK, b"secret", now, 204, true),
        ("a chunk that is alike", by("authorization", &bearer), CHUNK, b"secret", now, 204, true),
        ("no token", Vec::new(), CHUNK, b"secret", now, 401, false),
        ("another token", by("a2a-notification-token", "x"), CHUNK, b"secret", now, 401, false),
        ("another secret", own(), CHUNK, b"Secret", now, 401, false),
        ("an old one", own(), CHUNK, b"secret", now - 400, 401, false),
        ("another task", own(), OTHER, b"secret", now, 400, false),
        ("no event", own(), "{}", b"secret", now, 400, false),
        ("a long one", own(), &long, b"secret", now, 413, false),
    ];
    for (name, mut headers, body, secret, time, status, is_told) in cases {
        let signature = sign(secret, time, body.as_bytes());
        let time = time.to_string();
        headers.extend([("x-a2a-signature", &*signature), ("x-a2a-signature-timestamp", &*time)]);
        assert_eq!(post(&config, &headers, body).await, status, "{name}");
        let told = tokio::time::timeout(
            Duration::from_millis(if is_told { 5_000 } else { 20 }),
            registration.next(),
        );
        assert_eq!(told.await.is_ok(), is_told, "{name}");
    }
    assert_eq!(post(&config, &own(), CHUNK).await, 401, "unsigned");
    let (signature, time) = (sign(b"secret", now, CHUNK.as_bytes()), now.to_string());
    let mut headers = own();
    headers.extend([("x-a2a-signature", &*signature), ("x-a2a-signature-timestamp", &*time)]);
    for _ in 0..4 {
        assert_eq!(post(&config, &headers, CHUNK).await, 204);
    }
    assert_eq!(post(&config, &headers, CHUNK).await, 503, "nobody takes them");
}
