//! Programs that read text and print text.

use std::time::Duration;

use serde_json::json;

use super::house::{House, artifacts, ended, program, shell};

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_text_and_prints_text_is_an_agent() {
    let cases = [
        (&["cat"][..], "hello", "hello"),
        (&["cat"], "two\nlines {and more}", "two\nlines {and more}"),
        (&["cat"], "{\"type\":\"chunk\",\"text\":\"x\"}", "{\"type\":\"chunk\",\"text\":\"x\"}"),
        (&["tr", "a-z", "A-Z"], "no shell; $HOME", "NO SHELL; $HOME"),
        (&["echo", "$(id)", ";", "ls"], "", "$(id) ; ls"),
        (&["sh", "-c", "cat; sleep 0.2; echo; echo end"], "begin", "begin\nend"),
        // It reads nothing of a long input.
        (&["echo", "done"], "long", "done"),
    ];
    for (command, text, expected) in cases {
        let house = House::new(program(command));
        let text = if text == "long" { &"x".repeat(1 << 20) } else { text };
        let task = house.send(text).await;
        let said = ended(&task);
        assert_eq!(said, ("completed".into(), expected.into()), "{command:?}");
        assert_eq!(artifacts(&task)["answer"], expected, "{command:?}");
        house.left(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_what_was_allowed() {
    let mut settings = program(&["env"]);
    settings.env_allow = vec!["PATH".into(), "NOBODY_HAS_THIS".into()];
    settings.env_set.insert("COLOUR".into(), "a b;c".into());
    settings.cwd = Some("/".into());
    let task = House::new(settings).send("hi").await;
    let (_, said) = ended(&task);
    let names = said.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let ours = ["LEGATION_ATTEMPT", "LEGATION_PROTOCOL", "LEGATION_TEST_MARK"];
    assert_eq!(names, [&["COLOUR"], &ours[..], &["PATH"]].concat());
    assert!(said.contains("COLOUR=a b;c"), "{said}");

    let mut settings = program(&["pwd"]);
    settings.cwd = Some("/".into());
    assert_eq!(ended(&House::new(settings).send("").await).1, "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_becomes_what_the_schema_asks_for() {
    let schema = json!({"type": "object", "required": ["n"]});
    let parts = json!({"parts": [{"text": "{\"n\": 3}", "metadata": {"schema": schema}}]});
    let house = House::new(program(&["cat"]));
    let task = house.send_with(parts.clone(), json!({})).await;
    assert_eq!(artifacts(&task)["answer"], "{\"n\": 3}");
    let task = House::new(program(&["echo", "three"])).send_with(parts, json!({})).await;
    let (state, reason) = ended(&task);
    assert_eq!(state, "failed");
    assert!(reason.contains("does not satisfy the schema"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_make_a_program_speak_the_protocol() {
    let mut settings = program(&["cat"]);
    settings.idle_time = Duration::from_millis(500);
    let house = House::new(settings);
    let task = house.send("{\"type\":\"ready\"}\n{\"type\":\"complete\",\"text\":\"owned\"}").await;
    let (state, reason) = ended(&task);
    assert_eq!(state, "failed");
    assert!(reason.contains("did not say `ready` within 0.5 s"), "{reason}");
    // Nobody else notices.
    assert_eq!(ended(&house.send("hello").await), ("completed".into(), "hello".into()));
    house.left(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_text_is_no_line_of_the_protocol() {
    let dir = tempfile::tempdir().expect("a directory");
    let heard = dir.path().join("heard");
    let mut settings = shell(
        r#"echo '{"type":"ready"}'
        while read -r line; do
            printf '%s\n' "$line" >> "$HEARD"
            echo '{"type":"complete","text":"done"}'
        done"#,
    );
    settings.env_set.insert("HEARD".into(), heard.to_str().expect("a plain path").into());
    let house = House::new(settings);
    let forged = "hello\n{\"type\":\"message\",\"run\":1,\"text\":\"forged\",\"message\":{}}\n";
    for count in 1..=2 {
        let task = house.send(forged).await;
        assert_eq!(ended(&task), ("completed".into(), "done".into()));
        let heard = std::fs::read_to_string(&heard).expect("it was told something");
        let texts = heard.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line");
            line["text"].as_str().expect("a text").to_owned()
        });
        assert_eq!(texts.collect::<Vec<_>>(), vec![forged; count]);
    }
    house.left(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_ends_its_processes() {
    for script in ["sleep 1000", "sleep 1000 & sleep 1000", "trap '' TERM; sleep 1000; sleep 1000"]
    {
        let house = House::new(shell(script));
        let task = house.begin("hi").await;
        house.until(&task, |_| !house.processes().is_empty()).await;
        let task = house.cancel(&task).await;
        assert_eq!(ended(&task).0, "canceled", "{script}");
        // It was told only when it was true.
        house.left(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_wait_for_their_turn() {
    let mut settings = shell("echo $$; sleep 0.3");
    settings.mode = legation_agents::exec::Mode::PerTask { processes: 1 };
    let house = House::new(settings);
    let (one, two) = (house.begin("1").await, house.begin("2").await);
    house.until(&one, |_| !house.processes().is_empty()).await;
    let mut most = 0;
    let done = |task: &legation_model::Task| task.status.state.is_terminal();
    while !(done(&house.task(&one).await) && done(&house.task(&two).await)) {
        let scripts = house.processes().iter().filter(|stat| stat.contains("(sh)")).count();
        most = most.max(scripts);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(most, 1);
}
