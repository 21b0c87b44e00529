//! What each form looks like, for reviewers: one task with everything in it, and every event.

use legation_wire::answer::Answer;
use legation_wire::grpc::{self, Numbers, Package};
use legation_wire::v0_3::{Form, write};
use prost_reflect::DynamicMessage;

use super::grpc::{method, operation_of};

const TASK: &str = r#"{
    "id": "task-1",
    "contextId": "context-1",
    "status": {
        "state": "TASK_STATE_INPUT_REQUIRED",
        "message": {
            "messageId": "message-2",
            "contextId": "context-1",
            "taskId": "task-1",
            "role": "ROLE_AGENT",
            "parts": [{"text": "Which column?"}]
        },
        "timestamp": "2026-01-02T03:04:05.678Z"
    },
    "artifacts": [
        {
            "artifactId": "artifact-3",
            "name": "table",
            "description": "what was found",
            "parts": [
                {"raw": "YSxiCjEsMgo=", "filename": "table.csv", "mediaType": "text/csv"},
                {"url": "https://a.example/table.csv", "metadata": {"rows": 1}},
                {"data": {"a": 1, "b": [true, null]}}
            ],
            "metadata": {"k": "v"},
            "extensions": ["urn:example:x"]
        },
        {"artifactId": "answer", "parts": [{"text": "1 row"}]}
    ],
    "history": [
        {
            "messageId": "message-1",
            "contextId": "context-1",
            "taskId": "task-1",
            "role": "ROLE_USER",
            "parts": [
                {
                    "text": "**Sum** it up",
                    "metadata": {"k": 1},
                    "filename": "ask.md",
                    "mediaType": "text/markdown"
                },
                {"data": [1, 2, 3], "metadata": {"k": 2}},
                {"data": "x", "mediaType": "application/json"}
            ],
            "metadata": {"skillId": "sum"},
            "extensions": ["urn:example:x"],
            "referenceTaskIds": ["task-0"]
        }
    ],
    "metadata": {"k": {"deep": [1.50]}}
}"#;

const MESSAGE: &str = r#"{
    "messageId": "message-1",
    "contextId": "context-1",
    "role": "ROLE_AGENT",
    "parts": [{"text": "Direct answer"}]
}"#;

const STATUS: &str = r#"{
    "taskId": "task-1",
    "contextId": "context-1",
    "status": {"state": "TASK_STATE_WORKING", "timestamp": "2026-01-02T03:04:05.678Z"},
    "metadata": {"k": 1}
}"#;

const ARTIFACT: &str = r#"{
    "taskId": "task-1",
    "contextId": "context-1",
    "artifact": {"artifactId": "artifact-0", "parts": [{"text": "chunk"}]},
    "append": true,
    "lastChunk": true,
    "metadata": {"k": 1}
}"#;

fn written(form: Form, answer: Answer, document: &str) -> String {
    let written = write(form, answer, document.as_bytes()).expect("a good document");
    let written: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
    serde_json::to_string_pretty(&written).expect("JSON")
}

/// What an independent reader makes of the message.
fn sent(package: Package, answer: Answer, document: &str) -> String {
    let message = grpc::write(package, answer, document.as_bytes(), Numbers::Refuse);
    let descriptor = method(package, operation_of(answer)).output();
    let message = DynamicMessage::decode(descriptor, &*message.expect("a good document"));
    let read = serde_json::to_value(message.expect("a message")).expect("JSON");
    serde_json::to_string_pretty(&read).expect("JSON")
}

fn check(name: &str, medium: impl std::fmt::Debug, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{name}.{medium:?}"), text));
}

#[test]
fn a_task_with_everything() {
    for form in Form::ALL {
        check("task", form, &written(form, Answer::Task, TASK));
    }
    for package in Package::ALL {
        check("task.grpc", package, &sent(package, Answer::Task, TASK));
    }
}

#[test]
fn answers_of_sends_and_items_of_streams() {
    let item = |member: &str, value: &str| format!(r#"{{"{member}":{value}}}"#);
    let in_state = |state: &str| {
        item("statusUpdate", &STATUS.replace("TASK_STATE_WORKING", &format!("TASK_STATE_{state}")))
    };
    let short =
        r#"{"id":"task-1","contextId":"context-1","status":{"state":"TASK_STATE_REJECTED"}}"#;
    let cases = [
        ("a task that was sent", Answer::SentTask, short.to_owned()),
        ("a message that was sent", Answer::SentMessage, MESSAGE.to_owned()),
        ("a task", Answer::Item, item("task", short)),
        ("a message", Answer::Item, item("message", MESSAGE)),
        ("an artifact", Answer::Item, item("artifactUpdate", ARTIFACT)),
        ("at work", Answer::Item, in_state("WORKING")),
        ("waiting for input", Answer::Item, in_state("INPUT_REQUIRED")),
        ("waiting for a credential", Answer::Item, in_state("AUTH_REQUIRED")),
        ("canceled", Answer::Item, in_state("CANCELED")),
    ];
    let all = |text: &dyn Fn(Answer, &str) -> String| {
        let texts = cases.iter().map(|(name, answer, document)| {
            format!("## {answer:?}: {name}\n{}\n", text(*answer, document))
        });
        texts.collect::<Vec<_>>().join("\n")
    };
    for form in Form::ALL {
        check("answers", form, &all(&|answer, document| written(form, answer, document)));
    }
    for package in Package::ALL {
        check("answers.grpc", package, &all(&|answer, document| sent(package, answer, document)));
    }
}

#[test]
fn a_document_of_another_shape_is_refused() {
    for form in Form::ALL {
        for (answer, document) in [
            (Answer::Task, MESSAGE),
            (Answer::SentTask, "{"),
            (Answer::SentMessage, TASK),
            (Answer::Item, TASK),
            (Answer::Tasks, r#"{"tasks":[],"nextPageToken":"","pageSize":50,"totalSize":0}"#),
        ] {
            assert!(write(form, answer, document.as_bytes()).is_err(), "{form:?} {answer:?}");
        }
    }
}
