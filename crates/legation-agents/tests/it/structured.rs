//! Structured output of the analyst, asked for as CrewAI does it.

use legation_agents::analyst::DataAnalyst;
use legation_core::{Call, Caller, Reply, Service};
use legation_model::{Content, Request, SendMessageRequest, Task};
use legation_store::sqlite::{Options, SqliteStore};
use serde_json::{Value, json};

/// Sends text with a schema and gives the task as it ended.
async fn ask(text: &str, schema: Value) -> Task {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(dir.path(), Options::default()).expect("an empty directory");
    let service = Service::builder(store).agent(DataAnalyst::profile(), DataAnalyst);
    let service = service.build().expect("one agent with a good slug");
    let request = json!({
        "message": {
            "messageId": "m", "role": "ROLE_USER",
            "parts": [{
                "text": text,
                "metadata": {"mimeType": "application/json", "schema": schema},
            }],
            "metadata": {"skill_id": "analyze_csv"},
        },
        "configuration": {"acceptedOutputModes": ["application/json"]},
    });
    let request: SendMessageRequest = serde_json::from_value(request).expect("a request");
    let call = Call::by(Caller::anonymous());
    match service.call(&call, Request::SendMessage(request)).await {
        Ok(Reply::SentTask(task)) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
}

fn data(task: &Task) -> Value {
    let parts = task.artifacts.iter().flat_map(|artifact| &artifact.parts);
    let mut data = parts.filter_map(|part| match &part.content {
        Content::Data(data) => data.read().ok(),
        Content::Text(_) | Content::Raw(_) | Content::Url(_) => None,
    });
    data.next().unwrap_or_default()
}

#[tokio::test]
async fn the_figures_come_in_the_shape_that_was_asked_for() {
    // As Pydantic writes `class Analysis(BaseModel)`.
    let number = json!({"title": "N", "type": "number"});
    let analysis = json!({
        "title": "Analysis", "type": "object", "required": ["mean", "growth_percent"],
        "properties": {
            "mean": number, "growth_percent": number,
            "maximum": {"anyOf": [number, {"type": "null"}], "default": null},
            "author": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
        },
        "additionalProperties": false,
    });
    let task = ask("Analyze sales: [100, 120, 95, 140, 160]", analysis).await;
    assert_eq!(data(&task), json!({"mean": 123, "growth_percent": 60, "maximum": 160}));

    let all = ask("trend of [1, 2, 3]", json!({"required": ["series"]})).await;
    assert_eq!(data(&all)["series"][0]["trend"]["slope"], 1);
}

#[tokio::test]
async fn what_it_has_no_figures_for_fails_with_a_reason() {
    let schema = json!({
        "type": "object", "required": ["mean", "colour"],
        "properties": {"mean": {"type": "number"}, "colour": {"type": "string"}},
    });
    let task = ask("mean of [1, 2, 3]", schema).await;
    assert_eq!(task.status.state.name(), "TASK_STATE_FAILED");
    let reason = task.status.message.expect("a reason").text();
    assert!(reason.contains("\"colour\" is a required property"), "{reason}");
    assert!(task.artifacts.is_empty());
}
