//! A model as an agent.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use legation_agents::http::OpenAi;
use legation_agents::http::openai::Settings;
use serde_json::{Value, json};
use url::Url;

use super::world::{Before, Behind, body, short};

const JSON: &str = "application/json";

fn settings(url: Url) -> Settings {
    Settings {
        api_key: Some("sk-secret-key".into()),
        system: Some("You are Clerk.".into()),
        temperature: Some(0.5),
        timeout: Duration::from_secs(5),
        allow_private: true,
        ..Settings::new(url, "small")
    }
}

fn agent(url: Url) -> OpenAi {
    OpenAi::new(settings(url)).expect("good settings")
}

fn whole(text: &str) -> String {
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    json!({
        "id": "chatcmpl-1", "object": "chat.completion",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text, "refusal": null},
        }],
        "usage": usage,
    })
    .to_string()
}

/// As OpenAI, vLLM and llama.cpp write it.
const STREAM: &str = concat!(
    r#"data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"1","choices":[{"index":0,"delta":{"content":"Good "},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"1","choices":[{"index":0,"delta":{"content":"day"},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"1","choices":[],"usage":{"total_tokens":5}}"#,
    "\n\ndata: [DONE]\n\n"
);

#[tokio::test]
async fn the_answer_is_streamed_and_says_what_it_took() {
    let (behind, url) = Behind::start(|_| body("text/event-stream", STREAM)).await;
    let task = Before::of(agent(url)).say(json!("hello")).await;
    assert_eq!(short(&task), "completed: Good day | answer=Good day");
    let usage = task.metadata.as_ref().and_then(|metadata| metadata.get(legation_core::USAGE));
    assert_eq!(usage.expect("usage").as_str(), r#"{"total_tokens":5}"#);
    let asked = behind.asked().pop().expect("one");
    assert_eq!(asked.headers["authorization"], "Bearer sk-secret-key");
    let expected = json!({
        "model": "small", "temperature": 0.5,
        "stream": true, "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "You are Clerk."},
            {"role": "user", "content": "hello"},
        ],
    });
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn tasks_that_the_message_refers_to_are_remembered() {
    let (behind, url) = Behind::start(|_| body("text/event-stream", STREAM)).await;
    let before = Before::of(agent(url));
    let file = json!({"raw": "aGk=", "filename": "a.txt"});
    let first = before.say(json!({"parts": [{"text": "hello"}, file]})).await;
    let ids = json!([first.id.as_str()]);
    let further = json!({
        "contextId": first.context_id.as_ref().map(|id| id.as_str()),
        "referenceTaskIds": ids, "parts": [{"text": "and now?"}],
    });
    before.say(further).await;
    let asked = behind.asked().pop().expect("two");
    let expected = json!([
        {"role": "system", "content": "You are Clerk."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Good day"},
        {"role": "user", "content": "and now?"},
    ]);
    assert_eq!(asked.body["messages"], expected);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_taken_whether_it_was_asked_for_or_not() {
    for stream in [false, true] {
        let (behind, url) = Behind::start(|_| body(JSON, whole("hi"))).await;
        let agent = OpenAi::new(Settings { stream, ..settings(url) }).expect("good settings");
        let task = Before::of(agent).say(json!("hello")).await;
        assert_eq!(short(&task), "completed: hi | answer=hi");
        assert_eq!(
            behind.asked()[0].body["stream"],
            if stream { json!(true) } else { Value::Null }
        );
    }
}

#[tokio::test]
async fn a_schema_is_asked_for_and_a_slip_is_mended_once() {
    let schema = json!({"type": "object", "required": ["mean"]});
    let message = json!({"parts": [{"text": "mean of 1, 3", "metadata": {"schema": schema}}]});
    let cases: [(&[&str], &str, usize); 3] = [
        (&[r#"{"mean":2}"#], r#"completed:  | answer={"mean":2}"#, 1),
        (&["It is 2.", r#"{"mean":2}"#], r#"completed:  | answer={"mean":2}"#, 2),
        (&["It is 2.", r#"{"median":2}"#], "does not satisfy the schema that was asked for", 2),
    ];
    for (answers, expected, times) in cases {
        let mut answers = answers.iter();
        let (behind, url) =
            Behind::start(move |_| body(JSON, whole(answers.next().expect("asked less")))).await;
        let said = short(&Before::of(agent(url)).say(message.clone()).await);
        assert!(said.contains(expected), "{said}");
        let asked = behind.asked();
        assert_eq!(asked.len(), times);
        assert_eq!(asked[0].body["response_format"]["json_schema"]["schema"], schema);
        if let Some(again) = asked.get(1) {
            assert_eq!(again.body["messages"][2]["content"], "It is 2.");
            let retort = again.body["messages"][3]["content"].as_str().expect("text");
            assert!(retort.contains("does not satisfy the schema"), "{retort}");
        }
    }
}

#[tokio::test]
async fn failures_are_told_in_plain_words() {
    let long = r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let key = r#"{"error":{"message":"Incorrect API key provided: sk-secret-key"}}"#;
    let cases: [(u16, &str, &str, &str); 7] = [
        (401, JSON, key, "the model refuses this agent's credential"),
        (429, JSON, "{}", "the model is asked too much; try again in 60 s"),
        (400, JSON, long, "longer than the model can take"),
        (500, JSON, "{}", "HTTP status 500"),
        (
            200,
            "text/event-stream",
            "data: {\"error\":{\"message\":\"sk-secret-key\"}}\n\n",
            "with an error",
        ),
        (
            200,
            "text/event-stream",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
            "it ends before its end",
        ),
        (
            200,
            "text/event-stream",
            "data: {\"choices\":[{\"delta\":{\"refusal\":\"I will not\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            "rejected: I will not",
        ),
    ];
    for (status, media_type, text, expected) in cases {
        let (_, url) = Behind::start(move |_| {
            let status = StatusCode::from_u16(status).expect("a status");
            let headers = [("content-type", media_type), ("retry-after", "60")];
            (status, headers, text).into_response()
        })
        .await;
        let said = short(&Before::of(agent(url)).say(json!("hello")).await);
        assert!(said.contains(expected) && !said.contains("sk-secret"), "{text}: {said}");
    }
}
