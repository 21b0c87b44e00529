//! Programs that speak the protocol, one process per task.

use legation_agents::exec::Mode;
use legation_agents::{History, HistoryOf};
use legation_core::{Scopes, USAGE};
use legation_model::Task;
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
async fn an_authorization_comes_back_with_the_message() {
    let house = House::new(speaking(
        r#"case $line in
            *'"granted":'*) printf '{"type":"complete","data":%s}\n' "$line";;
            *) echo '{"type":"auth","text":"May I?","url":"https://idp.example/a?x=1","keep":[7]}';;
        esac"#,
    ));
    house.service.authorizations_arrive_at("http://here/a2a/callback");
    let task = house.send("go").await;
    let (state, said) = ended(&task);
    assert_eq!(state, "auth_required");
    let (before, answer) = said.split_once("&state=").expect("an address");
    let uri = "http%3A%2F%2Fhere%2Fa2a%2Fcallback";
    assert_eq!(before, format!("May I?\nhttps://idp.example/a?x=1&redirect_uri={uri}"));
    let answer = [("code", "c"), ("state", answer)];
    let answer = answer.map(|(name, value)| (name.to_owned(), value.to_owned()));
    house.service.authorized(answer).await.expect("a task that waits");
    let task = house.until(&task, |task| task.status.state.is_terminal()).await;
    let told: serde_json::Value =
        serde_json::from_str(&artifacts(&task)["answer"]).expect("what it was told");
    let granted = json!({
        "redirectUri": "http://here/a2a/callback", "parameters": {"code": "c"}, "kept": [7],
    });
    assert_eq!((&told["granted"], &told["text"]), (&granted, &json!("go")));
    // What is no such address is the program's fault, and is told.
    let house = House::new(speaking(r#"echo '{"type":"auth","text":"May I?","url":"idp"}'"#));
    let (state, said) = ended(&house.send("go").await);
    assert_eq!(state, "failed");
    assert!(said.contains("the address is not a URL"), "{said}");
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
    assert_eq!(told["caller"], json!({"tenant": "default", "subject": "anonymous"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_callers_headers_a_program_sees_those_that_are_let_through() {
    let carried = [("authorization", "Bearer a"), ("x-key", "k")];
    let carried = || carried.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (allowed, expected) in [
        (&[][..], serde_json::Value::Null),
        (&["x-key", "x-other"], json!({"x-key": "k"})),
        (&["authorization", "x-key"], json!({"authorization": "Bearer a", "x-key": "k"})),
    ] {
        let mut settings = speaking(
            r#"case $line in
                *'"text":"ask","message"'*) echo '{"type":"question","text":"Which city?"}';;
                *) printf '{"type":"complete","data":%s}\n' "$line";;
            esac"#,
        );
        settings.credentials = allowed.iter().map(|name| (*name).to_owned()).collect();
        let mut house = House::new(settings);
        house.call.entrusted = carried().into_iter().collect();
        let credentials = |task: &legation_model::Task| {
            let told: serde_json::Value =
                serde_json::from_str(&artifacts(task)["answer"]).expect("what it was told");
            told["credentials"].clone()
        };
        assert_eq!(credentials(&house.send("go").await), expected);
        // Those of the reply go with the reply.
        let asked = house.send("ask").await;
        house.call.entrusted = [("x-key".to_owned(), "new".to_owned())].into_iter().collect();
        let reply = json!({"parts": [{"text": "Bern"}], "taskId": asked.id});
        let told = credentials(&house.send_with(reply, json!({})).await);
        let expected = if allowed.is_empty() { json!(null) } else { json!({"x-key": "new"}) };
        assert_eq!(told, expected);
    }
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

/// What a program was told, which gives it back as data.
fn told(task: &Task) -> serde_json::Value {
    serde_json::from_str(&artifacts(task)["answer"]).expect("what it was told")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_what_its_callers_credentials_are_good_for() {
    let mut house = House::new(speaking(r#"printf '{"type":"complete","data":%s}\n' "$line""#));
    house.call.caller.scopes = Scopes::Only(["send".into(), "read".into()].into());
    let expected = json!({"tenant": "default", "subject": "anonymous", "scopes": ["send", "read"]});
    assert_eq!(told(&house.send("go").await)["caller"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_be_told_what_was_said_in_the_context() {
    const GIVES_BACK: &str = r#"printf '{"type":"complete","data":%s}\n' "$line""#;
    let texts = |task: &Task| {
        let told = told(task)["history"].clone();
        let said = told.as_array().cloned().unwrap_or_default();
        let said = said.iter().filter(|message| message["role"] == "ROLE_USER");
        said.map(|message| message["parts"][0]["text"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    let history = |of, messages| History { of, messages, ..History::default() };
    for (history, expected) in [
        (history(HistoryOf::Task, 100), &[][..]),
        (history(HistoryOf::Context, 100), &["one", "two", "three"]),
        // A task has two messages here, its own and the answer.
        (history(HistoryOf::Context, 4), &["two", "three"]),
        (History { bytes: 1, ..history(HistoryOf::Context, 100) }, &[]),
    ] {
        let mut settings = speaking(GIVES_BACK);
        settings.history = history;
        let house = House::new(settings);
        let said = |text: &str, context: &str| {
            let message = json!({"parts": [{"text": text}], "contextId": context});
            house.send_with(message, json!({}))
        };
        said("one", "c").await;
        said("elsewhere", "d").await;
        said("two", "c").await;
        said("three", "c").await;
        assert_eq!(texts(&said("four", "c").await), expected, "{history:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_work_has_cost_is_found_with_the_task() {
    let used = |tokens| format!(r#"echo '{{"type":"usage","data":{{"tokens":{tokens}}}}}'"#);
    for last in ["complete", "question", "failure"] {
        let script = format!(r#"{}; {}; echo '{{"type":"{last}","text":"x"}}'"#, used(3), used(5));
        let house = House::new(speaking(&script));
        let task = house.send("go").await;
        let noted = task.metadata.as_ref().and_then(|metadata| metadata.get(USAGE));
        assert_eq!(noted.expect("what it has cost").as_str(), r#"{"tokens":5}"#, "{last}");
        // The store has it as well.
        assert_eq!(house.task(&task).await.metadata, task.metadata);
    }
}

/// Answers with what does not do until it was told so as often as the message says.
const TRIES: &str = r#"tries=0
    while :; do
        case $line in *'"unfit":{"reason":'*'"answer":[{"text":"no'*) tries=$((tries+1));; esac
        if [ $tries -ge "$WANTED" ]; then answer='{\\"n\\": 3}'; else answer=no; fi
        run=${line#*'"run":'}; run=${run%%,*}
        echo '{"type":"chunk","run":'$run',"text":"'"$answer"'"}'
        echo '{"type":"complete","run":'$run'}'
        read -r line || exit 0
    done"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_do_goes_back_to_a_program_that_takes_it() {
    let schema = json!({"type": "object", "required": ["n"]});
    let message = json!({"parts": [{"text": "go", "metadata": {"schema": schema}}]});
    for pool in [false, true] {
        for (greeting, wanted, attempts, expected) in [
            (r#"{"type":"ready","unfit":true}"#, "1", 2, "completed"),
            (r#"{"type":"ready","unfit":true}"#, "2", 2, "failed"),
            (r#"{"type":"ready","unfit":true}"#, "2", 3, "completed"),
            (r#"{"type":"ready","unfit":true}"#, "1", 1, "failed"),
            (r#"{"type":"ready"}"#, "1", 2, "failed"),
        ] {
            let mut settings =
                shell(&format!("echo '{greeting}'; read -r line || exit 0; {TRIES}"));
            settings.env_set.insert("WANTED".into(), wanted.into());
            settings.schema_attempts = attempts;
            if pool {
                settings.mode = Mode::Pool { workers: 1 };
            }
            let house = House::new(settings);
            let task = house.send_with(message.clone(), json!({})).await;
            let (state, said) = ended(&task);
            assert_eq!(state, expected, "{greeting} {wanted} {attempts}: {said}");
            if expected == "completed" {
                assert_eq!(told(&task), json!({"n": 3}));
            } else {
                assert!(said.contains("does not satisfy the schema"), "{said}");
            }
        }
    }
}
