//! Programs that speak the protocol, one process per task.

use serde_json::json;

use super::house::{House, artifacts, ended, shell};

/// A script that greets, reads the message and goes on with it in `$line`.
pub(super) fn speaking(rest: &str) -> legation_agents::exec::Settings {
    shell(&format!("echo '{{\"type\":\"ready\"}}'; read -r line || exit 0; {rest}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_can_be_said_arrives() {
    let house = House::new(speaking(
        r#"
        echo '{"type":"status","text":"thinking"}'
        echo '{"type":"chunk","text":"one "}'
        echo '{"type":"chunk","text":"two"}'
        echo '{"type":"chunk","artifact":"notes","text":"a note","last":true}'
        echo '{"type":"artifact","artifact":"file","name":"f","parts":[{"raw":"aGk=","filename":"hi.txt"}]}'
        echo '{"type":"data","artifact":"d","data":{"n":1}}'
        echo '{"type":"usage","data":{"tokens":3}}'
        echo '{"type":"log","text":"to the log"}'
        echo '{"type":"complete"}'
        "#,
    ));
    let task = house.send("go").await;
    assert_eq!(ended(&task), ("completed".into(), "one two".into()));
    let all: Vec<_> = artifacts(&task).into_iter().collect();
    let all: Vec<_> = all.iter().map(|(id, text)| (&**id, &**text)).collect();
    let expected =
        [("answer", "one two"), ("d", "{\"n\":1}"), ("file", "aGk="), ("notes", "a note")];
    assert_eq!(all, expected);
    let said: Vec<String> = task.history.iter().map(|message| message.text()).collect();
    assert!(said.contains(&"thinking".to_owned()), "{said:?}");
    house.left(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_is_the_tasks_end() {
    let cases = [
        (r#"{"type":"complete","text":"yes"}"#, "completed", "yes"),
        (r#"{"type":"question","text":"Which city?"}"#, "input_required", "Which city?"),
        (r#"{"type":"auth","text":"Sign in"}"#, "auth_required", "Sign in"),
        (r#"{"type":"reject","text":"Not me"}"#, "rejected", "Not me"),
        (r#"{"type":"failure","text":"out of paper"}"#, "failed", "out of paper."),
    ];
    for (line, state, said) in cases {
        let house = House::new(speaking(&format!("echo '{line}'")));
        let task = ended(&house.send("go").await);
        assert_eq!(task.0, state, "{line}");
        assert!(task.1.starts_with(said), "{line}: {}", task.1);
        house.left(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_line_may_lack_its_end() {
    let house = House::new(speaking(r#"printf '{"type":"complete","text":"done"}'"#));
    assert_eq!(ended(&house.send("go").await), ("completed".into(), "done".into()));
    // Half a line is none.
    let house = House::new(speaking(r#"printf '{"type":"complete","te'"#));
    let (state, reason) = ended(&house.send("go").await);
    assert_eq!(state, "failed");
    assert!(reason.contains("before it completed the task"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_everything() {
    // It gives back what it got, as data.
    let house = House::new(speaking(r#"printf '{"type":"complete","data":%s}\n' "$line""#));
    let schema = json!({"type": "object"});
    let message = json!({
        "parts": [{"text": "hello"}, {"raw": "aGk=", "filename": "hi.txt"}],
        "metadata": {"schema": schema},
        "contextId": "c-1",
    });
    let asked = json!({"acceptedOutputModes": ["application/json"]});
    let task = house.send_with(message, asked).await;
    let told: serde_json::Value =
        serde_json::from_str(&artifacts(&task)["answer"]).expect("what it was told");
    assert_eq!(told["type"], "message");
    assert_eq!(told["task"], task.id.as_str());
    assert_eq!(told["context"], "c-1");
    assert_eq!((&told["attempt"], &told["text"]), (&json!(1), &json!("hello")));
    assert_eq!(told["message"]["parts"][1]["filename"], "hi.txt");
    assert_eq!(told["schema"], schema);
    assert_eq!(told["outputModes"], json!(["application/json"]));
    assert_eq!(told.get("history"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_question_comes_with_what_was_said_before() {
    let house = House::new(speaking(
        r#"case $line in
            *'"history":'*) printf '{"type":"complete","data":%s}\n' "$line";;
            *) echo '{"type":"question","text":"Which city?"}';;
        esac"#,
    ));
    let task = house.send("weather").await;
    assert_eq!(ended(&task).0, "input_required");
    let reply = json!({"parts": [{"text": "Bern"}], "taskId": task.id});
    let task = house.send_with(reply, json!({})).await;
    assert_eq!(ended(&task).0, "completed");
    let told: serde_json::Value =
        serde_json::from_str(&artifacts(&task)["answer"]).expect("what it was told");
    let said = |at: usize| told["history"][at]["parts"][0]["text"].clone();
    assert_eq!((said(0), said(1)), (json!("weather"), json!("Which city?")));
    assert_eq!(told["text"], "Bern");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_hears_what_comes_while_it_works() {
    let house = House::new(speaking(
        r#"echo '{"type":"status","text":"begun"}'
        read -r more
        case $more in
            *'"type":"further"'*'"text":"stop at two"'*) echo '{"type":"complete","text":"heard"}';;
        esac"#,
    ));
    let task = house.begin("count").await;
    house.until(&task, |task| task.history.len() > 1).await;
    let further = json!({"parts": [{"text": "stop at two"}], "taskId": task.id});
    let task = house.send_with(further, json!({})).await;
    assert_eq!(ended(&task), ("completed".into(), "heard".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_hears_that_its_task_was_cancelled() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = speaking(
        r#"trap '' TERM; echo '{"type":"status","text":"begun"}'; read -r more
        echo "$more" > heard; sleep 1000"#,
    );
    settings.cwd = Some(dir.path().into());
    let house = House::new(settings);
    let task = house.begin("count").await;
    house.until(&task, |task| task.history.len() > 1).await;
    assert_eq!(ended(&house.cancel(&task).await).0, "canceled");
    house.left(0).await;
    let heard = std::fs::read_to_string(dir.path().join("heard")).expect("it heard something");
    assert!(heard.starts_with(r#"{"type":"cancel","run":"#), "{heard}");
}
