//! How agents are found, which of their interfaces is called, and what of other people's servers is
//! taken as it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_client::{
    Binding, Client, Credential, Error, KeySet, Options, Signatures, Version, examine_card,
    fetch_card,
};
use legation_model::{
    AgentCard, DeleteTaskPushNotificationConfigRequest, ErrorKind, GetTaskRequest, Message, Part,
    Role, SendMessageRequest, SendMessageResponse, StreamResponse, TaskId, TaskState,
};
use legation_wire::signature::{Algorithm, Signer, publish};

use crate::server::{Answer, Asked, End, Server, card, hasty};

const TASK: &str = r#"{"kind":"task","id":"t","contextId":"c","status":{"state":"completed"}}"#;

fn rpc(result: &str) -> Answer {
    Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
}

fn refusal(code: i32) -> Answer {
    let error = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"no"}}}}"#);
    Answer::json(200, error)
}

/// A card of 0.3 with its main interface at this path, and what else is said.
fn older(base: &str, transport: &str, more: &str) -> Answer {
    let text = format!(
        r#"{{"name":"Old","description":"d","version":"1","protocolVersion":"0.3.0","url":"{base}/old",
        "preferredTransport":"{transport}","capabilities":{{}},"defaultInputModes":["text/plain"],
        "defaultOutputModes":["text/plain"],"skills":[]{more}}}"#
    );
    Answer::json(200, text)
}

fn get() -> GetTaskRequest {
    GetTaskRequest { tenant: None, id: id(), history_length: None }
}

fn id() -> TaskId {
    TaskId::parse("t").expect("an id")
}

fn send() -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text("go")]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

fn paths(server: &Server) -> Vec<String> {
    server.asked.lock().iter().map(|asked| asked.path.clone()).collect()
}

#[tokio::test]
async fn a_card_is_looked_for_where_any_version_has_it() {
    for (place, expected) in [
        ("/x/.well-known/agent-card.json", 1),
        ("/x/.well-known/agent.json", 2),
        ("/x", 3),
        ("/x/elsewhere", 0),
    ] {
        let script = move |asked: &Asked| match asked.path == place {
            true => older(&asked.base(), "JSONRPC", ""),
            false => Answer::json(404, "no such page"),
        };
        let server = Server::bare(script).await;
        let found = Client::discover(&format!("{}/x", server.url()), Options::default()).await;
        match found {
            Ok(client) => {
                assert_eq!((client.version(), client.binding()), (Version::V0_3, Binding::JsonRpc));
                assert_eq!(paths(&server).len(), expected, "{place}");
            }
            Err(error) => {
                assert_eq!(expected, 0, "{place}: {error}");
                assert!(
                    error.to_string().contains("/x/.well-known/agent-card.json: HTTP status 404")
                );
            }
        }
    }
}

#[tokio::test]
async fn a_card_is_kept_for_as_long_as_its_server_says() {
    let script = |asked: &Asked| {
        if asked.header("if-none-match") == Some("\"v1\"") {
            return Answer { headers: Vec::new(), ..Answer::json(304, "") };
        }
        let fresh = if asked.path.starts_with("/fresh") { "max-age=600" } else { "max-age=0" };
        let mut answer = Answer::json(200, card(&asked.base()));
        answer.headers.push(("cache-control", fresh.to_owned()));
        answer.headers.push(("etag", "\"v1\"".to_owned()));
        answer
    };
    let server = Server::bare(script).await;
    let options = Options::default();
    for (path, expected) in [("/fresh", 1), ("/stale", 3)] {
        let before = paths(&server).len();
        for _ in 0..3 {
            let url = format!("{}{path}", server.url());
            let card = fetch_card(&url, &options).await.expect("a card");
            assert_eq!(card.name, "Scripted");
        }
        assert_eq!(paths(&server).len() - before, expected, "{path}");
    }
    // What is read with a credential is another card.
    let known = Options { credentials: Credential::bearer("secret").into(), ..options };
    fetch_card(&format!("{}/fresh", server.url()), &known).await.expect("a card");
    assert_eq!(paths(&server).len(), 5);
    let conditional =
        server.asked.lock().iter().filter(|asked| asked.header("if-none-match").is_some()).count();
    assert_eq!(conditional, 2);
}

#[tokio::test]
async fn the_next_interface_is_called_when_one_is_away_or_refuses_the_version() {
    let two = |first: &str, base: &str| {
        let text = card(base)
            .replace(r#""supportedInterfaces":["#, &format!(r#""supportedInterfaces":[{first},"#));
        Answer::json(200, text)
    };
    // Nobody listens at the first; the caller trusts it all the same.
    let script = move |asked: &Asked| match asked.path.contains("well-known") {
        true => two(
            r#"{"url":"http://127.0.0.1:1/","protocolBinding":"JSONRPC","protocolVersion":"1.0"}"#,
            &asked.base(),
        ),
        false => rpc(r#"{"id":"t","status":{"state":"TASK_STATE_WORKING"}}"#),
    };
    let server = Server::bare(script).await;
    let trusted_origins = vec!["http://127.0.0.1:1".parse().expect("a URL")];
    let client = server.client(Options { trusted_origins, ..hasty() }).await;
    assert_eq!(client.url().port(), Some(1));
    client.get_task(get()).await.expect("a task of the second");
    assert_eq!(client.url().path(), "/rpc");

    // The first one's version is not served, so the next is asked.
    let script = move |asked: &Asked| {
        if asked.path.contains("well-known") {
            return older(
                &asked.base(),
                "JSONRPC",
                &format!(
                    r#","supportedInterfaces":[{{"url":"{}/new","protocolBinding":"JSONRPC","protocolVersion":"1.0","tenant":"acme"}}]"#,
                    asked.base()
                ),
            );
        }
        match asked.path.as_str() {
            "/new" => refusal(-32009),
            _ => rpc(TASK),
        }
    };
    let server = Server::bare(script).await;
    let client = server.client(hasty()).await;
    assert_eq!(client.version(), Version::V1_0);
    client.get_task(get()).await.expect("a task of 0.3");
    assert_eq!(client.version(), Version::V0_3);
    let asked = server.asked.lock().clone();
    assert!(asked[1].body.contains(r#""tenant":"acme""#) && !asked[2].body.contains("tenant"));
    // Whoever pins a version gets no other.
    let pinned = Options { version: Some(Version::V1_0), ..hasty() };
    let error = server.client(pinned).await.get_task(get()).await.expect_err("refused");
    assert_eq!(error.kind(), Some(ErrorKind::VersionNotSupported));
}

/// A server as the tutorials of early 2025 have it: a card that says no version, a path for each
/// method, bare events with a status and an artifact in one, and a text where a message should be.
#[tokio::test]
async fn the_agents_of_the_first_tutorials_are_called() {
    let script = |asked: &Asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/.well-known/agent.json") => Answer::json(
            200,
            format!(
                r#"{{"name":"Tutorial","description":"d","url":"{}","version":"1.0.0","skills":[{{"id":"s","name":"S"}}],
                "authentication":{{"schemes":["Bearer"]}},"capabilities":{{"streaming":true}}}}"#,
                asked.base()
            ),
        ),
        ("POST", "/tasks/send") => Answer::json(
            200,
            r#"{"id":"t","status":{"state":"completed","timestamp":"2026-01-02T03:04:05.678901"},"artifacts":[{"parts":[{"type":"text","text":"42"}],"name":"response"}]}"#,
        ),
        ("POST", "/tasks/sendSubscribe") => {
            let events = [
                r#"{"id":"t","status":{"state":"working","message":"Analyzing data..."}}"#,
                r#"{"id":"t","artifact":{"parts":[{"type":"text","text":"half"}],"name":"progress","append":true}}"#,
                r#"{"id":"t","status":{"state":"completed"},"artifact":{"parts":[{"type":"text","text":"done"}],"name":"result","lastChunk":true}}"#,
            ];
            let pieces = events.map(|event| format!("data: {event}\n\n"));
            Answer::stream(pieces.into(), End::Proper)
        }
        _ => Answer::json(404, r#"{"detail":"Not Found"}"#),
    };
    let server = Server::bare(script).await;
    let client = server.client(hasty()).await;
    let Ok(SendMessageResponse::Task(task)) = client.send(send()).await else { panic!("a task") };
    assert_eq!((client.version(), client.binding()), (Version::V0_1, Binding::HttpJson));
    assert_eq!(task.artifacts[0].parts[0].as_text(), Some("42"));
    let mut events = client.stream(send()).await.expect("a stream");
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(match event.expect("a good event").1 {
            StreamResponse::StatusUpdate(update) => {
                let said = update.status.message.map(|message| message.text());
                format!("{:?} {}", update.status.state, said.unwrap_or_default())
            }
            StreamResponse::ArtifactUpdate(update) => {
                update.artifact.parts[0].as_text().unwrap_or_default().to_owned()
            }
            StreamResponse::Task(_) | StreamResponse::Message(_) => "another item".to_owned(),
        });
    }
    assert_eq!(told, ["Working Analyzing data...", "half", "done", "Completed "]);
    assert_eq!(events.state(), Some(TaskState::Completed));
}

/// Servers of 0.3 whose REST is spelled as their JSON-RPC refuse the other spelling, and answer with
/// statuses of their own.
#[tokio::test]
async fn either_spelling_of_rest_and_any_good_status_will_do() {
    let script = |asked: &Asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, path) if path.contains("well-known") => older(&asked.base(), "HTTP+JSON", ""),
        ("POST", "/old/v1/message:send") if asked.body.contains("content") => {
            Answer::json(400, r#"{"code":-32602,"message":"parts is missing"}"#)
        }
        ("POST", "/old/v1/message:send") => Answer::json(201, TASK),
        ("POST", "/old/v1/tasks/t:cancel") => Answer::json(202, TASK),
        ("DELETE", _) => Answer::json(204, ""),
        _ => Answer {
            headers: vec![("retry-after", "Sat, 21 Nov 2099 12:00:07 GMT".into())],
            ..Answer::json(503, r#"{"type":"about:blank","title":"Busy","detail":"come later"}"#)
        },
    };
    let server = Server::bare(script).await;
    let mut options = hasty();
    options.patience.attempts = 0;
    let client = server.client(options).await;
    let Ok(SendMessageResponse::Task(task)) = client.send(send()).await else { panic!("a task") };
    assert_eq!(task.status.state, TaskState::Completed);
    let cancel = legation_model::CancelTaskRequest { tenant: None, id: id(), metadata: None };
    client.cancel_task(cancel).await.expect("a task");
    let delete =
        DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: id(), id: "w".into() };
    client.delete_push_config(delete).await.expect("gone");
    match client.get_task(get()).await {
        Err(Error::Agent { error, .. }) => {
            assert_eq!((error.kind, &*error.message), (ErrorKind::Unavailable, "come later"));
            assert!(error.retry_after.is_some_and(|wait| wait.as_secs() == 24 * 3_600));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_card_requires_goes_along_and_a_fuller_one_takes_its_place() {
    let asked_for_card = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked_for_card);
    let script = move |asked: &Asked| {
        if asked.path.contains("well-known") {
            let text = card(&asked.base()).replace(
                r#"{"streaming":true}"#,
                r#"{"streaming":true,"extendedAgentCard":true,"extensions":[{"uri":"urn:must","required":true},{"uri":"urn:may"}]}"#,
            );
            return Answer::json(200, text);
        }
        if asked.is("GetExtendedAgentCard", "/extendedAgentCard") {
            counted.fetch_add(1, Ordering::Relaxed);
            return rpc(&card(&asked.base()).replace("Scripted", "Fuller"));
        }
        rpc(r#"{"id":"t","status":{"state":"TASK_STATE_WORKING"}}"#)
    };
    let server = Server::bare(script).await;
    let stranger = server.client(hasty()).await;
    assert_eq!(stranger.card().name, "Scripted");
    assert_eq!(asked_for_card.load(Ordering::Relaxed), 0);
    stranger.get_task(get()).await.expect("a task");
    let last = server.asked.lock().last().cloned().expect("a call");
    assert_eq!(last.header("a2a-extensions"), Some("urn:must"));

    let extensions = vec!["urn:own".to_owned()];
    let known = Options { credentials: Credential::bearer("secret").into(), extensions, ..hasty() };
    let known = server.client(known).await;
    assert_eq!(known.card().name, "Fuller");

    let reading = examine_card(&server.url(), &hasty()).await.expect("a card");
    assert!(reading.findings.iter().any(|finding| finding.path == "skills"));
}

#[tokio::test]
async fn a_card_is_worth_what_its_signatures_are_worth() {
    let signer = || {
        let pem = Signer::generate(Algorithm::EdDsa);
        Arc::new(Signer::from_pem(pem.as_bytes(), None, None).expect("a key"))
    };
    let (known, unknown) = (signer(), signer());
    let keys = KeySet::read(publish([&*known]).to_string().as_bytes()).expect("keys");
    let signed_by = |signer: Option<Arc<Signer>>, name: &'static str| {
        move |asked: &Asked| {
            let text = card(&asked.base());
            let mut card: AgentCard = serde_json::from_str(&text).expect("a card");
            card.signatures.extend(signer.as_ref().map(|signer| signer.sign(&card)));
            card.name = name.into();
            Answer::json(200, serde_json::to_string(&card).expect("JSON"))
        }
    };
    // What becomes of it where signatures have to be good, and where there have to be some as well.
    let cases = [
        (Some(known.clone()), "Scripted", "ok", "ok"),
        (Some(known), "Forged", "did not sign", "did not sign"),
        (Some(unknown), "Scripted", "not trusted", "not trusted"),
        (None, "Scripted", "ok", "it is not signed"),
    ];
    for (signer, name, present, required) in cases {
        let server = Server::bare(signed_by(signer, name)).await;
        let policies = [
            (Signatures::Off, "ok"),
            (Signatures::IfPresent(keys.clone()), present),
            (Signatures::Required(keys.clone()), required),
        ];
        for (signatures, expected) in policies {
            let options = Options { signatures, ..hasty() };
            let told = match server.try_client(options).await {
                Ok(_) => "ok".to_owned(),
                Err(Error::Unverified { reason, .. }) => reason,
                Err(error) => panic!("{error}"),
            };
            assert!(told.contains(expected), "{name} {expected}: {told}");
        }
    }
}

#[tokio::test]
async fn redirects_lead_to_a_card_but_to_no_inner_place() {
    let elsewhere = Server::bare(|asked| older(&asked.base(), "JSONRPC", "")).await;
    let inner = format!("{}/card.json", elsewhere.url());
    let cases = [
        ("/moved/card.json", "3 questions"),
        ("/.well-known/agent-card.json", "redirects more than 3 times"),
        (&*inner, "not an address of the public internet"),
        ("file:///etc/passwd", "is not http or https"),
    ];
    for (target, expected) in cases {
        let to = target.to_owned();
        let script = move |asked: &Asked| match asked.path.as_str() {
            "/moved/card.json" => Answer {
                status: 307,
                headers: vec![("location", "../cards/1.json".to_owned())],
                ..Answer::json(307, "")
            },
            "/cards/1.json" => older(&asked.base(), "JSONRPC", ""),
            _ => Answer { headers: vec![("location", to.clone())], ..Answer::json(302, "") },
        };
        let server = Server::bare(script).await;
        let secret = Credential::bearer("secret").expect("a token");
        let options = Options { credentials: secret.into(), ..Options::default() };
        let got = match Client::discover(&server.url(), options).await {
            Ok(client) => {
                assert_eq!(client.url().as_str(), format!("{}/old", server.url()));
                format!("{} questions", paths(&server).len())
            }
            Err(error) => error.to_string(),
        };
        assert!(got.contains(expected), "{target}: {got}");
        assert!(elsewhere.asked.lock().is_empty(), "nobody asks there");
    }
}
