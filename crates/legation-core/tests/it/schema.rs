//! Structured output: schemas that callers ask for, and answers that satisfy them; and files.

use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Profile, Reply, Service, Turn};
use legation_model::{
    Artifact, ArtifactId, Base64, Content, ErrorKind, Json, Message, Part, Request, Role,
    SendMessageRequest, Task,
};

use crate::bench::{Bench, further, message, state};

/// Says its words one after the other, until one is taken as the answer: `{..}` as text, `data:{..}`
/// as data. Other words are what else an agent can do.
struct Parrot;

#[async_trait]
impl Agent for Parrot {
    async fn reply(&self, message: &Message) -> Option<Message> {
        let text = message.text();
        let direct = text.strip_prefix("direct ")?;
        Some(Message::new(Role::Agent, vec![said(direct)]))
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let mut unfit = None;
        for word in turn.message().text().split_whitespace() {
            match word {
                "ask" => return turn.ask("which?").await,
                "schema" => {
                    let schema = turn.schema().map_or("none", Json::as_str).to_owned();
                    turn.working(Some(&schema)).await?;
                }
                "return" => return Ok(()),
                "file" => return hand_back(turn).await,
                chunk if chunk.starts_with('+') => {
                    let id = ArtifactId::parse("chunks").expect("a valid identifier");
                    turn.chunk(Artifact::new(id, vec![Part::text(&chunk[1..])]), false).await?;
                }
                word => match turn.answer(said(word)).await {
                    Err(AgentError::Unfit(reason)) => unfit = Some(AgentError::Unfit(reason)),
                    done => return done,
                },
            }
        }
        unfit.map_or(Ok(()), Err)
    }
}

fn said(word: &str) -> Part {
    match word.strip_prefix("data:") {
        Some(data) => Part::data(Json::parse(data).expect("JSON")),
        None => Part::text(word),
    }
}

/// Gives the files of the message back as an artifact, bytes reversed.
async fn hand_back(turn: &mut Turn) -> Result<(), AgentError> {
    let files = turn.message().parts.iter().filter(|part| part.as_text().is_none());
    let files = files.cloned().map(|mut part| {
        if let Content::Raw(raw) = &mut part.content {
            let mut bytes = raw.decode();
            bytes.reverse();
            *raw = Base64::encode(&bytes);
        }
        part
    });
    let id = ArtifactId::parse("file").expect("a valid identifier");
    let artifact = Artifact::new(id, files.collect());
    turn.artifact(artifact).await
}

fn bench() -> Bench {
    let bench = Bench::new();
    let mut profile = Profile::new("parrot", "Parrot", "Says what it is told");
    profile.input_modes = vec!["*/*".into()];
    let service = Service::builder(bench.store.clone()).agent(profile, Parrot);
    Bench { service: service.build().expect("one agent with a good slug"), ..bench }
}

const MEAN: &str =
    r#"{"type":"object","properties":{"mean":{"type":"number"}},"required":["mean"]}"#;

/// As CrewAI sends it.
fn asking(text: &str, schema: &str) -> SendMessageRequest {
    let mut request = message(text);
    let metadata = format!(r#"{{"mimeType":"application/json","schema":{schema}}}"#);
    request.message.parts[0].metadata = serde_json::from_str(&metadata).expect("an object");
    request.configuration.accepted_output_modes = vec!["application/json".into()];
    request
}

/// How a task ended, in short: its state, and the data or else the text of its last words.
fn ended(task: &Task) -> String {
    let said = task.status.message.as_ref().map_or_else(String::new, |message| {
        let data = message.parts.iter().find_map(|part| match &part.content {
            Content::Data(data) => Some(data.as_str().to_owned()),
            Content::Text(_) | Content::Raw(_) | Content::Url(_) => None,
        });
        data.unwrap_or_else(|| format!("({})", message.text()))
    });
    format!("{} {said}", state(task.status.state)).trim_end().to_owned()
}

#[tokio::test]
async fn an_answer_is_the_data_that_was_asked_for() {
    let bench = bench();
    let required = "(the answer does not satisfy the schema that was asked for: \"mean\" is a \
                    required property.";
    let cases = [
        ("data:{\"mean\":5}", "COMPLETED {\"mean\":5}"),
        ("{\"mean\":5}", "COMPLETED {\"mean\":5}"),
        // The agent is told, and answers again.
        ("five {\"mean\":\"5\"} {\"mean\":5}", "COMPLETED {\"mean\":5}"),
        // It gives up.
        ("data:{}", &format!("FAILED {required}")),
        // It completes with what it made meanwhile.
        ("+{\"mean\": +5} return", "COMPLETED {\"mean\":5}"),
        (
            "+nothing return",
            "FAILED (the answer does not satisfy the schema that was asked for: it",
        ),
        (
            "return",
            "FAILED (the answer does not satisfy the schema that was asked for: it holds no",
        ),
        // A question is no answer.
        ("ask", "INPUT_REQUIRED (which?)"),
    ];
    for (script, expected) in cases {
        let task = bench.send(asking(script, MEAN)).await;
        let got = ended(&task);
        assert!(got.starts_with(expected), "{script}: {got}");
        let text = task.artifacts.last().filter(|artifact| artifact.parts[0].as_text().is_some());
        assert!(text.is_none() || script.starts_with('+'), "{script}: {text:?}");
    }
    let free = bench.say("five").await;
    assert_eq!(ended(&free), "COMPLETED (five)", "who asks for nothing gets anything");
}

#[tokio::test]
async fn the_agent_sees_the_schema() {
    let bench = bench();
    let task = bench.send(asking("schema data:{\"mean\":5}", MEAN)).await;
    assert!(task.history.iter().any(|message| message.text() == MEAN), "{task:?}");
}

#[tokio::test]
async fn a_schema_holds_until_another_is_asked_for() {
    let bench = bench();
    let asked = bench.send(asking("ask", MEAN)).await;
    let done = bench.send(further(&asked, "five {\"mean\":5}")).await;
    assert_eq!(ended(&done), "COMPLETED {\"mean\":5}");

    // Also one that stood beside the message.
    let mut beside = message("ask");
    beside.metadata = serde_json::from_str(&format!(r#"{{"schema":{MEAN}}}"#)).expect("an object");
    let asked = bench.send(beside).await;
    let done = bench.send(further(&asked, "five {\"mean\":5}")).await;
    assert_eq!(ended(&done), "COMPLETED {\"mean\":5}");

    let asked = bench.send(asking("ask", MEAN)).await;
    let mut again = asking("5 {\"mean\":5}", r#"{"type":"integer"}"#);
    again.message.task_id = Some(asked.id);
    assert_eq!(ended(&bench.send(again).await), "COMPLETED 5");
}

#[tokio::test]
async fn a_direct_answer_is_checked_too() {
    let bench = bench();
    let good = bench.call(Request::SendMessage(asking("direct {\"mean\":5}", MEAN))).await;
    let Ok(Reply::SentMessage(answer)) = good else { panic!("not a message: {good:?}") };
    let answer: Message = answer.read().expect("a message");
    assert!(matches!(&answer.parts[0].content, Content::Data(data) if data.as_str().contains("5")));
    let bad = bench.call(Request::SendMessage(asking("direct five", MEAN))).await;
    assert_eq!(bad.expect_err("not the mean").kind, ErrorKind::InvalidAgentResponse);
}

#[tokio::test]
async fn a_schema_that_is_not_taken_is_refused_before_a_task_begins() {
    let bench = bench();
    // Twice as many ways at every link, sixty links long.
    let links = (0..60).map(|at| {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, at + 1);
        format!(r#""d{at}":{{"anyOf":[{next},{next}]}},"#)
    });
    let links: String = links.collect();
    let bomb = format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{links}"d60":false}}}}"##);
    let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(1 << 20));
    let cases = [
        "[1]",
        r#"{"$ref":"http://127.0.0.1:9/schema.json"}"#,
        r#"{"pattern":"^(a|a)*(?=b)$"}"#,
        r#"{"pattern":"((a{100}){100}){100}"}"#,
        r##"{"$ref":"#"}"##,
        &bomb,
        &large,
    ];
    for schema in cases {
        let request = Request::SendMessage(asking("data:5", schema));
        // A hang must fail the test.
        let refused = tokio::time::timeout(Duration::from_secs(30), bench.call(request)).await;
        let error = refused.expect("bounded work").expect_err("not taken");
        let fields: Vec<&str> = error.violations.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(error.kind, ErrorKind::InvalidParams, "{schema:.80}");
        assert_eq!(fields, ["message.parts[0].metadata.schema"], "{schema:.80}");
    }
}

#[tokio::test]
async fn output_modes_are_a_wish() {
    let bench = bench();
    let mut request = message("five");
    request.configuration.accepted_output_modes = vec!["application/json".into()];
    assert_eq!(ended(&bench.send(request).await), "COMPLETED (five)");
}

#[tokio::test]
async fn files_reach_the_agent_and_come_back() {
    let bench = bench();
    let raw = |bytes: &[u8]| {
        let part = Part::from(Content::Raw(Base64::encode(bytes)));
        part.with_filename("numbers.bin").with_media_type("application/octet-stream")
    };
    let url = Part::from(Content::Url("https://example.com/a.png".into()));
    let url = url.with_filename("a.png").with_media_type("image/png");
    let mut request = message("file");
    request.message.parts.extend([raw(&[0, 1, 0xff]), url.clone()]);
    let sent = request.message.parts.clone();
    let task = bench.send(request).await;
    assert_eq!(task.history[0].parts, sent);
    assert_eq!(task.artifacts[0].parts, [raw(&[0xff, 1, 0]), url]);
    assert_eq!(bench.get(&task.id).await, task);
}
