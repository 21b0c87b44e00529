//! Calls with one answer, and who is called with what.

use std::time::Duration;

use legation_client::{Binding, Credential, Error, Options};
use legation_model::{
    CancelTaskRequest, ErrorKind, GetTaskRequest, ListTasksRequest, Message, Part, Role,
    SendMessageRequest, SendMessageResponse, TaskId, TaskState,
};

use crate::server::{Answer, Asked, BOTH, End, Server, card, hasty};

const TASK: &str = r#"{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}"#;

fn pinned(binding: Binding) -> Options {
    Options { binding: Some(binding), credentials: Credential::bearer("secret").into(), ..hasty() }
}

fn result(asked: &Asked, result: &str) -> Answer {
    match asked.path.starts_with("/rpc") {
        true => Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)),
        false => Answer::json(200, result),
    }
}

fn id() -> TaskId {
    TaskId::parse("t").expect("a valid id")
}

fn get() -> GetTaskRequest {
    GetTaskRequest { tenant: None, id: id(), history_length: None }
}

fn send() -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text("go")]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

#[tokio::test]
async fn every_operation_is_said_in_both_bindings() {
    let script = |asked: &Asked| {
        if asked.is("SendMessage", "/message:send") {
            return result(asked, &format!(r#"{{"task":{TASK}}}"#));
        }
        if asked.is("ListTasks", "/tasks?pageSize=2") {
            let page =
                format!(r#"{{"tasks":[{TASK}],"nextPageToken":"","pageSize":2,"totalSize":1}}"#);
            return result(asked, &page);
        }
        result(asked, TASK)
    };
    for binding in BOTH {
        let server = Server::start(script).await;
        let client = server.client(pinned(binding)).await;
        let sent = client.send(send()).await.expect("a task");
        assert!(matches!(sent, SendMessageResponse::Task(task) if task.id == id()));
        let task = client.get_task(get()).await.expect("a task");
        assert_eq!(task.status.state, TaskState::Completed);
        let list = ListTasksRequest { page_size: Some(2), ..Default::default() };
        assert_eq!(client.list_tasks(list).await.expect("a page").total_size, 1);
        let cancel = CancelTaskRequest { tenant: None, id: id(), metadata: None };
        client.cancel_task(cancel).await.expect("a task");
        for asked in server.asked.lock().iter() {
            assert_eq!(asked.header("a2a-version"), Some("1.0"), "{asked:?}");
            assert_eq!(asked.header("authorization"), Some("Bearer secret"), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_are_told_apart() {
    use ErrorKind::{PermissionDenied, RateLimited, TaskNotFound, Unauthenticated};
    let moved = || Answer {
        status: 307,
        headers: vec![("location", "http://127.0.0.1:1/".into())],
        pieces: Vec::new(),
        end: End::Proper,
    };
    let not_found =
        r#"{"error":{"code":-32001,"message":"m","details":[{"reason":"TASK_NOT_FOUND"}]}}"#;
    type Case = (fn(&str) -> Answer, Option<ErrorKind>, &'static str);
    let cases: [Case; 8] = [
        (|body| Answer::json(200, body), None, "not A2A"),
        (|_| Answer::json(200, "<html>"), None, "not A2A"),
        (|_| Answer::json(401, ""), Some(Unauthenticated), "401"),
        (|_| Answer::json(403, "{}"), Some(PermissionDenied), "403"),
        (|body| Answer::json(404, body), Some(TaskNotFound), "m"),
        (|_| Answer::json(429, ""), Some(RateLimited), "429"),
        (|_| Answer::json(204, ""), None, "not A2A"),
        (|_| Answer::json(418, ""), None, "HTTP status 418"),
    ];
    let options = |binding| {
        let mut options = pinned(binding);
        options.patience.attempts = 0;
        options
    };
    for binding in BOTH {
        for (index, (answer, kind, words)) in cases.iter().enumerate() {
            let (answer, body) = (*answer, if index == 0 { "{}" } else { not_found });
            let server = Server::start(move |_: &Asked| answer(body)).await;
            let error = server.client(options(binding)).await.get_task(get()).await;
            let error = error.expect_err("no task");
            assert_eq!(error.kind(), *kind, "{binding:?} {index}: {error}");
            assert!(error.to_string().contains(words), "{binding:?} {index}: {error}");
        }
        let server = Server::start(move |_: &Asked| moved()).await;
        let error = server.client(options(binding)).await.get_task(get()).await;
        let error = error.expect_err("no task").to_string();
        assert!(error.contains("redirects to http://127.0.0.1:1/"), "{error}");
    }
}

#[tokio::test]
async fn questions_are_repeated_and_messages_are_not() {
    for binding in BOTH {
        let server = Server::start(|_: &Asked| Answer::stream(Vec::new(), End::Cut)).await;
        let mut options = pinned(binding);
        options.patience.attempts = 2;
        let client = server.client(options).await;
        client.get_task(get()).await.expect_err("cut");
        assert_eq!(server.count("GetTask", "/tasks/t"), 3);
        let lost = client.send(send()).await.expect_err("cut");
        assert!(matches!(lost, Error::Lost { .. }), "{lost}");
        assert_eq!(server.count("SendMessage", "/message:send"), 1);
    }
}

#[tokio::test]
async fn a_message_to_a_server_that_restarts_is_sent_once_it_is_back() {
    let answer = |asked: &Asked| result(asked, &format!(r#"{{"task":{TASK}}}"#));
    let mut server = Server::start(answer).await;
    let client = server.client(pinned(Binding::JsonRpc)).await;
    // The connection of the discovery would still stand.
    let fresh = server.client(pinned(Binding::JsonRpc)).await;
    drop(client);
    let sending = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fresh.send(send()).await
    });
    server.restart(Duration::from_millis(200)).await;
    sending.await.expect("no panic").expect("a task");
    assert_eq!(server.count("SendMessage", "/message:send"), 1);
}

#[tokio::test]
async fn older_servers_are_met_halfway() {
    let script = |asked: &Asked| {
        if asked.header("content-type") == Some("application/a2a+json") {
            return Answer::json(415, "");
        }
        if asked.is("-", ":subscribe") && asked.method == "POST" {
            return Answer::json(405, "");
        }
        if asked.is("-", ":subscribe") {
            let ended = r#"data: {"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#;
            return Answer::stream(vec![format!("{ended}\n\n")], End::Proper);
        }
        result(asked, &format!(r#"{{"task":{TASK}}}"#))
    };
    let server = Server::start(script).await;
    let client = server.client(pinned(Binding::HttpJson)).await;
    client.send(send()).await.expect("a task");
    let mut events = client.subscribe(id(), None).await.expect("a stream");
    assert!(matches!(events.next().await, Some(Ok(_))));
    assert!(events.next().await.is_none() && events.is_settled());
}

#[tokio::test]
async fn nobody_there_is_said_at_once_and_no_card_is_said_in_words() {
    let gone = Server::start(|_: &Asked| Answer::json(200, "")).await;
    let here = |path: &str| format!("{}{path}", gone.url());
    let cases = [
        ("http://127.0.0.1:1".to_owned(), "cannot reach http://127.0.0.1:1: connection refused"),
        ("127.0.0.1:8080".to_owned(), "is not an address of an agent"),
        (here("/other.json"), "cannot read an agent card at"),
        (here("/other"), "/other/.well-known/agent-card.json: it is not JSON"),
        (here("/.well-known/agent-card.json"), "ok"),
        (gone.url(), "ok"),
    ];
    for (url, expected) in cases {
        let told = match legation_client::Client::discover(&url, Options::default()).await {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expected), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_credential_stays_with_its_origin() {
    let thief = Server::start(|_: &Asked| Answer::json(200, "{}")).await;
    let bait = card(&thief.url());
    let server = Server::start(move |_: &Asked| Answer::json(200, bait.clone())).await;
    let url = format!("{}/bait.json", server.url());
    let options = Options { credentials: Credential::bearer("secret").into(), ..hasty() };
    let error = legation_client::Client::discover(&url, options.clone()).await;
    assert!(
        matches!(error, Err(Error::ForeignInterface { interface, .. }) if interface == thief.url())
    );
    assert!(thief.asked.lock().is_empty());

    let trusted_origins = vec![thief.url().parse().expect("a URL")];
    let trusting = Options { trusted_origins, ..options };
    let client = legation_client::Client::discover(&url, trusting).await.expect("trusted");
    client.get_task(get()).await.expect_err("no task");
    assert_eq!(thief.asked.lock()[0].header("authorization"), Some("Bearer secret"));
}
