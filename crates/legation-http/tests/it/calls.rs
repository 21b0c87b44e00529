//! Good requests: both bindings do the same.

use crate::client::{Reply, ask, rpc, say};
use crate::server::{self, Server};

async fn call(server: &Server, method: &str, params: &str) -> Reply {
    ask("POST", "/a2a").body(rpc(method, params)).to(server.address).await
}

async fn rest(server: &Server, method: &str, path: &str, body: &str) -> Reply {
    let ask = ask(method, path);
    let ask = if body.is_empty() { ask.without("content-type") } else { ask.body(body) };
    ask.to(server.address).await
}

/// The JSON with what differs from run to run made the same.
fn settled(reply: &Reply) -> String {
    let mut text = reply.body.clone();
    for (name, end) in [("\"id\":\"", '"'), ("Id\":\"", '"'), ("\"timestamp\":\"", '"')] {
        let mut from = 0;
        while let Some(at) = text[from..].find(name).map(|at| from + at + name.len()) {
            let length = text[at..].find(end).expect("a closing quote");
            text.replace_range(at..at + length, "~");
            from = at;
        }
    }
    text
}

#[tokio::test]
async fn a_send_gives_the_task_on_both_bindings() {
    let server = server::start().await;
    let rpc = call(&server, "SendMessage", &say("hi")).await;
    let rest = rest(&server, "POST", "/message:send", &say("hi")).await;
    insta::assert_snapshot!(settled(&rpc), @r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"id":"~","contextId":"~","status":{"state":"TASK_STATE_COMPLETED","timestamp":"~"},"artifacts":[{"artifactId":"~","parts":[{"text":"hi"}]}],"history":[{"messageId":"~","contextId":"~","taskId":"~","role":"ROLE_USER","parts":[{"text":"hi"}]}]}}}"#);
    let result = settled(&rpc).replace(r#"{"jsonrpc":"2.0","id":1,"result":"#, "");
    assert_eq!(format!("{}}}", settled(&rest)), result);
    for reply in [&rpc, &rest] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("a2a-version"), Some("1.0"));
    }
    server.stop().await;
}

#[tokio::test]
async fn tasks_are_got_listed_and_cancelled_on_both_bindings() {
    let server = server::start().await;
    let wait = say("wait").replace("]}}", r#"]},"configuration":{"returnImmediately":true}}"#);
    for binding in ["rpc", "rest"] {
        let sent = call(&server, "SendMessage", &wait).await;
        let id = sent.text_after(r#""task":{"id":""#);
        let of_task = format!(r#"{{"id":"{id}","history_length":0}}"#);
        let (got, listed, cancelled) = if binding == "rpc" {
            let got = call(&server, "GetTask", &of_task).await;
            let listed = call(&server, "ListTasks", r#"{"pageSize":1}"#).await;
            (got, listed, call(&server, "CancelTask", &of_task).await)
        } else {
            let got = rest(&server, "GET", &format!("/tasks/{id}?historyLength=0"), "").await;
            let listed = rest(&server, "GET", "/tasks?pageSize=1&contextId=", "").await;
            let path = format!("/tasks/{id}:cancel");
            (got, listed, rest(&server, "POST", &path, "").await)
        };
        assert!(got.body.contains(id) && !got.body.contains("history"), "{got:?}");
        assert!(listed.body.contains(id) && listed.body.contains(r#""pageSize":1"#), "{listed:?}");
        assert!(cancelled.body.contains("TASK_STATE_CANCELED"), "{cancelled:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_agents_mount_is_a_server_of_its_own() {
    let server = server::start().await;
    let mount = "/a2a/agents/counter";
    for path in [mount.to_owned(), format!("{mount}/")] {
        let body = rpc("SendMessage", &say("count 2 every 0"));
        let sent = ask("POST", &path).body(body).to(server.address).await;
        assert!(sent.body.contains(r#"{"text":"2","#), "{sent:?}");
    }
    let sent =
        rest(&server, "POST", &format!("{mount}/message:send"), &say("count 1 every 0")).await;
    let id = sent.text_after(r#""task":{"id":""#);
    let cases = [
        (format!("{mount}/tasks/{id}"), 200),
        (format!("/tasks/{id}"), 200),
        (format!("/a2a/agents/echo/tasks/{id}"), 404),
        ("/a2a/agents/nobody/tasks".to_owned(), 404),
    ];
    for (path, status) in cases {
        assert_eq!(rest(&server, "GET", &path, "").await.status, status, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_send_with_a_key_is_done_once() {
    let server = server::start().await;
    let send = ask("POST", "/message:send").and("idempotency-key", "k-1");
    let first = send.clone().body(say("hi")).to(server.address).await;
    let again = send.clone().body(say("hi")).to(server.address).await;
    let other = send.body(say("other")).to(server.address).await;
    let id = |reply: &Reply| reply.text_after(r#""task":{"id":""#).to_owned();
    assert_eq!(id(&first), id(&again));
    assert_eq!(other.status, 400);
    assert!(other.body.contains("Idempotency-Key"), "{other:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_send_without_ids_of_its_own_is_done_once_as_well() {
    let server = server::start().await;
    let body = r#"{"message":{"role":"user","parts":[{"type":"text","text":"hi"}]}}"#;
    for (path, body) in [("/tasks/send", body.to_owned()), ("/a2a", rpc("tasks/send", body))] {
        let send = ask("POST", path).without("a2a-version").and("idempotency-key", path);
        let ids = [send.clone(), send.clone()].map(|send| send.body(body.clone()));
        let [first, again] = [ids[0].to(server.address).await, ids[1].to(server.address).await];
        let id = |reply: &Reply| reply.text_after(r#""kind":"task","id":""#).to_owned();
        assert_eq!(id(&first), id(&again), "{path}");
        let other = send.body(body.replace("hi", "ho")).to(server.address).await;
        assert!(other.body.contains("Idempotency-Key"), "{other:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_further_message_with_a_key_is_received_once_on_both_bindings() {
    let server = server::start().await;
    let wait = say("wait").replace("]}}", r#"]},"configuration":{"returnImmediately":true}}"#);
    let sent = call(&server, "SendMessage", &wait).await;
    let id = sent.text_after(r#""task":{"id":""#);
    let further = format!(r#""taskId":"{id}","messageId":"m-2""#);
    let further = wait.replace(r#""messageId":"m-1""#, &further);
    let other = further.replace("wait", "other");
    let rpc_send = ask("POST", "/a2a").and("idempotency-key", "k-2");
    let rest_send = ask("POST", "/message:send").and("idempotency-key", "k-2");
    let replies = [
        rpc_send.body(rpc("SendMessage", &further)).to(server.address).await,
        rest_send.clone().body(further).to(server.address).await,
    ];
    for reply in replies {
        assert_eq!(reply.body.matches("m-2").count(), 1, "{reply:?}");
    }
    let other = rest_send.body(other).to(server.address).await;
    assert!(other.status == 400 && other.body.contains("Idempotency-Key"), "{other:?}");
    server.stop().await;
}

#[tokio::test]
async fn large_files_go_through_whole() {
    let server = server::start().await;
    let data = "A".repeat(4 << 20);
    let body = say("x").replace(r#"{"text":"x"}"#, &format!(r#"{{"raw":"{data}"}}"#));
    let sent = ask("POST", "/a2a/").body(rpc("SendMessage", &body)).to(server.address).await;
    assert_eq!(sent.status, 200);
    assert!(sent.body.matches(&data).count() >= 2, "in history and in the artifact");
    assert!(sent.body.ends_with("}}}"));
    server.stop().await;
}

#[tokio::test]
async fn rest_answers_in_the_type_that_was_asked_for() {
    let server = server::start().await;
    let cases = [
        (None, Some("application/a2a+json"), "application/a2a+json"),
        (None, Some("application/json; charset=utf-8"), "application/json"),
        (Some("application/json"), Some("application/a2a+json"), "application/json"),
        (Some("*/*"), Some("application/a2a+json"), "application/a2a+json"),
    ];
    for (accept, content_type, expected) in cases {
        let mut send = ask("POST", "/message:send").without("content-type");
        for (name, value) in [("accept", accept), ("content-type", content_type)] {
            send = value.into_iter().fold(send, |send, value| send.and(name, value));
        }
        let reply = send.body(say("hi")).to(server.address).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(expected)));
    }
    server.stop().await;
}

#[tokio::test]
async fn ids_are_echoed_as_they_came() {
    let server = server::start().await;
    for id in ["7", "\"a\\u0041\"", "null", "-1.50", "12345678901234567890123"] {
        let body = rpc("ListTasks", "{}").replace(r#""id":1"#, &format!(r#""id":{id}"#));
        let reply = ask("POST", "/").body(body).to(server.address).await;
        assert!(reply.body.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)));
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_are_not_kept_by_what_stands_between() {
    let server = server::start().await;
    let cases = [
        (rest(&server, "GET", "/tasks", "").await, 200),
        (rest(&server, "GET", "/tasks/x", "").await, 404),
        (rest(&server, "GET", "/nowhere", "").await, 404),
        (call(&server, "ListTasks", "{}").await, 200),
        (call(&server, "GetTask", r#"{"id":"x"}"#).await, 200),
    ];
    for (reply, status) in cases {
        assert_eq!((reply.status, reply.header("cache-control")), (status, Some("no-store")));
    }
    let card = rest(&server, "GET", "/.well-known/agent-card.json", "").await;
    assert!(card.header("cache-control").is_some_and(|said| said != "no-store"), "{card:?}");
    server.stop().await;
}
