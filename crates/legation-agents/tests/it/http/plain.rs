//! Any endpoint as an agent.

use std::time::Duration;

use axum::response::IntoResponse as _;
use futures::StreamExt as _;
use legation_agents::http::{Http, Settings};
use legation_model::{CancelTaskRequest, Request, StreamResponse};
use serde_json::json;
use url::Url;

use super::world::{Before, Behind, body, pieces, short};

fn settings(url: Url) -> Settings {
    let headers = [("x-api-key".to_owned(), "the-secret".into())].into();
    let timeout = Duration::from_secs(5);
    Settings { allow_private: true, headers, timeout, ..Settings::new(url) }
}

fn agent(url: Url) -> Http {
    Http::new(settings(url)).expect("good settings")
}

#[tokio::test]
async fn of_a_callers_headers_an_endpoint_sees_those_that_are_let_through() {
    let (behind, url) = Behind::start(|_| body("application/json", r#"{"text":"hi"}"#)).await;
    let settings = Settings { credentials: vec!["x-token".into()], ..settings(url) };
    let mut before = Before::of(Http::new(settings).expect("good settings"));
    let carried = [("x-token", "t"), ("authorization", "a")];
    before.by.entrusted =
        carried.map(|(name, value)| (name.into(), value.into())).into_iter().collect();
    before.say(json!("hi")).await;
    let asked = &behind.asked()[0];
    assert_eq!(asked.body["credentials"], json!({"x-token": "t"}));
    assert_eq!(asked.body["caller"], json!({"tenant": "default", "subject": "anonymous"}));
    assert_eq!(asked.headers.get("authorization"), None);
}

#[tokio::test]
async fn every_kind_of_answer_becomes_what_it_says() {
    const JSON: &str = "application/json";
    const SSE: &str = "text/event-stream; charset=utf-8";
    const LINES: &str = "application/x-ndjson";
    let cases = [
        (JSON, r#"{"text":"hi"}"#, "completed: hi | answer=hi"),
        (JSON, r#"{"text":"hi","data":{"n":1}}"#, r#"completed: hi | answer=hi{"n":1}"#),
        (JSON, r#"{"mean": 2}"#, r#"completed:  | answer={"mean": 2}"#),
        (JSON, r#"{"parts":[{"raw":"aGk=","filename":"a"}]}"#, "completed:  | answer=aGk="),
        (JSON, r#"{"type":"question","text":"which?"}"#, "input_required: which?"),
        (JSON, r#"{"type":"auth","text":"log in"}"#, "auth_required: log in"),
        (JSON, r#"{"type":"reject","text":"not mine"}"#, "rejected: not mine"),
        (JSON, r#"{"type":"failure","text":"no data"}"#, "failed: no data"),
        (JSON, r#"{"type":"artifact","artifact":"a","text":"x"}"#, "completed:  | a=x"),
        (
            JSON,
            "<html>",
            "failed: the program behind this agent gave an answer that cannot be read",
        ),
        (JSON, r#"{"type":"question"}"#, "cannot be read: a `question` without `text`"),
        ("text/plain", "été", "completed: été | answer=été"),
        ("text/plain", "", "completed: "),
        ("text/html", "<h1>Log in</h1>", "cannot be read: it is a web page"),
        (
            SSE,
            concat!(
                ": hi\n\ndata: {\"type\":\"status\",\"text\":\"looking\"}\n\n",
                "data: {\"type\":\"chunk\",\"text\":\"a\"}\n\n",
                "data: {\"type\":\"chunk\",\"text\":\"b\"}\n\ndata: [DONE]\n\n"
            ),
            "completed: ab | answer=ab",
        ),
        (
            LINES,
            "{\"type\":\"chunk\",\"text\":\"a\"}\r\n\n{\"type\":\"data\",\"artifact\":\"d\",\"data\":[1]}",
            "completed: a | answer=a | d=[1]",
        ),
        (
            LINES,
            "{\"type\":\"chunk\",\"text\":\"a\"}\n{\"type\":\"question\",\"text\":\"more?\"}\n",
            "input_required: more? | answer=a",
        ),
        (
            LINES,
            "{\"type\":\"chunk\",\"text\":\"a\"}\n{\"type\":\"failure\",\"text\":\"lost\"}\n",
            "failed: lost | answer=a",
        ),
        (
            LINES,
            "{\"type\":\"chunk\",\"text\":\"a\"}\n{\"type\":\"complete\",\"text\":\"b\"}\n",
            "completed: b | answer=b",
        ),
        (LINES, "{\"type\":\"chnk\"}\n", "event 1: unknown variant `chnk`"),
        (
            LINES,
            concat!(
                "{\"type\":\"chunk\",\"artifact\":\"a\",\"text\":\"x\"}\n",
                "{\"type\":\"chunk\",\"artifact\":\"a\",\"text\":\"y\",\"last\":true}\n"
            ),
            "completed:  | a=xy",
        ),
    ];
    for (media_type, text, expected) in cases {
        let (_, url) = Behind::start(move |_| body(media_type, text)).await;
        let task = Before::of(agent(url)).say(json!("hello")).await;
        assert!(short(&task).contains(expected), "{text}: {}", short(&task));
    }
}

#[tokio::test]
async fn the_endpoint_is_told_all_that_belongs_to_the_message() {
    let (behind, url) = Behind::start(|asked| {
        let first = asked.body["history"].is_null();
        body(
            "application/json",
            if first { r#"{"type":"question","text":"of what?"}"# } else { "{}" },
        )
    })
    .await;
    let before = Before::of(agent(url));
    let task = before.say(json!("mean")).await;
    let schema = json!({"type": "object"});
    let further = json!({
        "taskId": task.id.as_str(),
        "parts": [{"text": "of 1, 2", "metadata": {"schema": schema}}, {"data": [1, 2]}],
    });
    let task = before.say(further).await;
    assert_eq!(short(&task), "completed:  | answer={}");
    let asked = behind.asked().pop().expect("two");
    assert_eq!(asked.headers["x-api-key"], "the-secret");
    let said = asked.body;
    assert_eq!(said["text"], "of 1, 2");
    assert_eq!(said["task"], task.id.as_str());
    assert_eq!(said["attempt"], 1);
    assert_eq!(said["schema"], schema);
    assert_eq!(said["message"]["parts"][1]["data"], json!([1, 2]));
    let told = |index: usize| &said["history"][index]["parts"][0]["text"];
    assert_eq!((told(0), told(1)), (&json!("mean"), &json!("of what?")));
    assert_eq!(said["history"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn pieces_are_shown_as_they_come() {
    for (media_type, one, two) in [
        ("text/plain", "one ", "two"),
        (
            "application/x-ndjson",
            "{\"type\":\"chunk\",\"text\":\"one \"}\n",
            "{\"type\":\"chunk\",\"text\":\"two\"}\n",
        ),
        (
            "text/event-stream",
            "data: {\"type\":\"chunk\",\"text\":\"one \"}\n\n",
            "data: {\"type\":\"chunk\",\"text\":\"two\"}\n\n",
        ),
    ] {
        let (sender, response) = pieces(media_type);
        let mut response = Some(response);
        let (_, url) = Behind::start(move |_| response.take().expect("asked once")).await;
        let before = Before::of(agent(url));
        let mut items = before.stream(json!("go")).await;
        sender.send(one).expect("somebody reads");
        let mut seen = Vec::new();
        while seen.is_empty() {
            seen.extend(text(&items.next().await.expect("an item")));
        }
        assert_eq!(seen, ["one "], "before the second is sent");
        sender.send(two).expect("somebody reads");
        drop(sender);
        seen.extend(items.filter_map(async |item| text(&item)).collect::<Vec<_>>().await);
        assert_eq!(seen.concat(), "one two", "{media_type}");
    }
}

fn text(item: &StreamResponse) -> Option<String> {
    match item {
        StreamResponse::ArtifactUpdate(update) => {
            Some(update.artifact.parts.iter().filter_map(|part| part.as_text()).collect())
        }
        StreamResponse::Task(_) | StreamResponse::Message(_) | StreamResponse::StatusUpdate(_) => {
            None
        }
    }
}

#[tokio::test]
async fn a_cancelled_task_hangs_up() {
    let (sender, response) = pieces("text/plain");
    let mut response = Some(response);
    let (_, url) = Behind::start(move |_| response.take().expect("asked once")).await;
    let before = Before::of(agent(url));
    let mut items = before.stream(json!("go")).await;
    sender.send("a").expect("somebody reads");
    let Some(StreamResponse::Task(task)) = items.next().await else { panic!("not a task") };
    while text(&items.next().await.expect("an item")).is_none() {}
    let cancel = CancelTaskRequest { tenant: None, id: task.id, metadata: None };
    before.call(Request::CancelTask(cancel)).await;
    // The server learns of it when it writes.
    tokio::time::timeout(Duration::from_secs(5), async {
        while sender.send("b").is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the connection is closed");
}

#[tokio::test]
async fn failures_are_told_in_plain_words_and_without_what_is_internal() {
    let cases = [
        (500, None, "answered with an error (HTTP status 500)", 1),
        (404, None, "is not at its address", 1),
        (401, None, "refuses this agent's credential", 1),
        (307, Some(("location", "http://127.0.0.1:1/")), "redirects (HTTP status 307)", 1),
        (429, Some(("retry-after", "3600")), "try again in 3600 s", 1),
        (503, Some(("retry-after", "0")), "try again in 0 s", 3),
    ];
    for (status, header, expected, times) in cases {
        let (behind, url) = Behind::start(move |_| {
            let status = axum::http::StatusCode::from_u16(status).expect("a status");
            let headers = axum::response::AppendHeaders(header);
            (status, headers, "the-secret in a stack trace").into_response()
        })
        .await;
        let port = url.port().expect("not the default").to_string();
        let said = short(&Before::of(agent(url)).say(json!("hello")).await);
        assert!(said.starts_with("failed: ") && said.contains(expected), "{status}: {said}");
        assert!(!said.contains("the-secret") && !said.contains(&port), "{said}");
        assert_eq!(behind.asked().len(), times, "{status}");
    }
}

#[tokio::test]
async fn who_is_busy_for_a_moment_is_asked_again() {
    let mut busy = true;
    let (_, url) = Behind::start(move |_| {
        if std::mem::take(&mut busy) {
            let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
            return (status, [("retry-after", "0")], "").into_response();
        }
        body("application/json", r#"{"text":"now"}"#)
    })
    .await;
    assert_eq!(short(&Before::of(agent(url)).say(json!("x")).await), "completed: now | answer=now");
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let (sender, response) = pieces("text/plain");
    sender.send("a").expect("it reads later");
    let mut response = Some(response);
    let (_, url) = Behind::start(move |_| response.take().expect("asked once")).await;
    let timeout = Duration::from_secs(2);
    let slow = Http::new(Settings { timeout, ..settings(url) }).expect("good settings");
    let said = short(&Before::of(slow).say(json!("x")).await);
    assert!(said.contains("gave no whole answer within 2 s | answer=a"), "{said}");

    let flood = || "x".repeat(5 << 20);
    for (media_type, expected) in
        [("application/x-ndjson", "a line is larger"), ("text/event-stream", "is larger than")]
    {
        let (_, url) = Behind::start(move |_| body(media_type, flood())).await;
        let said = short(&Before::of(agent(url)).say(json!("x")).await);
        assert!(said.contains(expected), "{said}");
    }
    let (_, url) = Behind::start(|_| body("application/json", "1".repeat(40 << 20))).await;
    let said = short(&Before::of(agent(url)).say(json!("x")).await);
    assert!(said.contains("larger than 33554432 bytes"), "{said}");
}

#[tokio::test]
async fn private_addresses_are_not_called_unless_they_are_allowed() {
    let (behind, url) = Behind::start(|_| body("application/json", "{}")).await;
    let mut named = url.clone();
    named.set_host(Some("localhost")).expect("a host");
    for url in [url, named] {
        let guarded = Http::new(Settings { allow_private: false, ..settings(url) });
        let said = short(&Before::of(guarded.expect("good settings")).say(json!("x")).await);
        assert!(said.contains("its address is not one that this server calls"), "{said}");
    }
    assert_eq!(behind.asked().len(), 0);
}
