//! The examples, the Python module and the schema of the lines. What is written in a language that
//! is not there is left out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use legation_agents::exec::{Mode, Settings};
use serde_json::{Value, json};

use super::house::{House, artifacts, ended, program};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn example(language: &str, file: &str, mode: Mode) -> Settings {
    let path = root().join("examples/exec").join(file);
    let mut settings = program(&[language, path.to_str().expect("a path of text")]);
    let module = root().join("sdk/python/src");
    settings.env_set.insert("PYTHONPATH".into(), module.to_str().expect("text").into());
    settings.idle_time = Duration::from_secs(30);
    settings.mode = mode;
    settings
}

const PER_TASK: Mode = Mode::PerTask { processes: 2 };
const POOL: Mode = Mode::Pool { workers: 1 };

#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs() {
    let cases = [
        ("sh", "upper.sh", PER_TASK, "hello", "HELLO"),
        ("sh", "countdown.sh", PER_TASK, "from 3", "3… 2… 1… done"),
        ("node", "echo.mjs", PER_TASK, "one two", "one two "),
        ("node", "echo.mjs", POOL, "one two", "one two "),
        ("python3", "words.py", PER_TASK, "a b a", "The most frequent words: a (2), b (1)"),
        ("python3", "words.py", POOL, "a b a", "The most frequent words: a (2), b (1)"),
    ];
    for (language, file, mode, text, expected) in cases {
        if language != "sh" && !is_there(language) {
            continue;
        }
        let house = House::new(example(language, file, mode));
        let said = ended(&house.send(text).await);
        assert_eq!(said, ("completed".into(), expected.into()), "{file}");
        house.close().is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_asks_and_goes_on() {
    let house = House::new(example("sh", "countdown.sh", PER_TASK));
    let task = house.send("please").await;
    assert_eq!(ended(&task), ("input_required".into(), "From which number?".into()));
    let reply = json!({"parts": [{"text": "2"}], "taskId": task.id});
    let task = house.send_with(reply, json!({})).await;
    assert_eq!(ended(&task).1, "2… 1… done");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_schema_and_data_reach_python_and_come_back() {
    if !is_there("python3") {
        return;
    }
    let house = House::new(example("python3", "words.py", POOL));
    let schema = json!({"type": "object", "required": ["words", "different"]});
    let message = json!({
        "parts": [{"text": "a b"}, {"raw": "YSBj", "filename": "more.txt"}],
        "metadata": {"schema": schema},
    });
    let task = house.send_with(message, json!({})).await;
    assert_eq!(ended(&task).0, "completed");
    let all = artifacts(&task);
    let data: Vec<&String> = all.values().filter(|text| text.starts_with('{')).collect();
    let data: Value = serde_json::from_str(data[0]).expect("data");
    assert_eq!(data, json!({"words": 4, "different": 3}));
}

#[test]
fn the_python_module_passes_its_own_tests() {
    if !is_there("python3") {
        return;
    }
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest", "discover", "-s", "tests"]);
    let output = python.current_dir(root().join("sdk/python")).output().expect("python3 is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_schema_describes_the_lines() {
    let schema = std::fs::read_to_string(root().join("docs/exec.schema.json"));
    let schema: Value = serde_json::from_str(&schema.expect("it is there")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]});
    let good = [
        json!({"type": "ready", "protocol": 1, "unfit": true}),
        json!({
            "type": "message", "run": 1, "task": "t", "attempt": 1, "text": "", "message": message,
            "caller": {"tenant": "t", "subject": "s"}, "credentials": {"x-key": "k"},
            "unfit": {"reason": "no number", "answer": [{"text": "none"}]},
        }),
        json!({"type": "cancel", "run": 1}),
        json!({"type": "chunk", "run": 1, "text": "a", "new": true}),
        json!({"type": "complete"}),
        json!({"type": "artifact", "data": null}),
        json!({"type": "question", "parts": [{"text": "?"}]}),
    ];
    for line in good {
        assert!(schema.is_valid(&line), "{line}");
    }
    let bad = [
        json!({"type": "dance"}),
        json!({"type": "chunk", "run": 1}),
        json!({"type": "failure"}),
        json!({"type": "artifact", "parts": []}),
        json!({"type": "status", "run": -1}),
        json!({"type": "ready", "protocol": 2}),
        json!({"type": "message", "run": 1, "task": "t", "attempt": 1, "text": "", "message": message}),
    ];
    for line in bad {
        assert!(!schema.is_valid(&line), "{line}");
    }
}
