//! `legation send`, `stream`, `task` and `card` against real servers.

use std::process::Stdio;

use legation::{DataDir, OnRestart, Profile, Running, Server};
use legation_testkit::agents::Counter;

use crate::user::{PATIENCE, Serving, free_address, legation, lines_of, run, text};

#[test]
fn every_outcome_has_its_exit_code_and_its_words() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let url = serving.url.as_str();
    let csv = home.path().join("bad.csv");
    std::fs::write(&csv, "month,sales\njan,100\nfeb,abc\nmar,3\n").expect("writable");
    let csv = csv.to_str().expect("a path in UTF-8");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["send", url, "describe 1, 2, 3, 4"], 0, "mean 2.5"),
        (&["stream", url, "trend of 1, 2, 3, 4"], 0, "rise by 1 per step"),
        (&["send", url, "describe", "--file", csv], 1, "line 3, column `sales`"),
        (&["send", url, "hello"], 3, "--task"),
        (&["card", url], 0, "Data Analyst"),
        (&["task", "get", url, "unknown"], 6, "task list"),
        (&["send", url, "x", "--token", "not the right one"], 5, "--token"),
        (&["send", "http://127.0.0.1:9", "x"], 4, "legation serve"),
        (&["send", url], 2, "Usage"),
    ];
    for (words, code, expected) in cases {
        let output = run(home.path(), words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_binding_and_a_version_can_be_pinned() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let url = serving.url.as_str();
    for binding in ["JSONRPC", "HTTP+JSON", "grpc"] {
        for version in ["1.0", "0.3"] {
            let pins = ["--binding", binding, "--protocol-version", version];
            for command in ["send", "stream"] {
                let words = [&[command, url, "trend of 1, 2, 3, 4"], &pins[..]].concat();
                let output = run(home.path(), &words);
                let said = text(&output.stdout) + &text(&output.stderr);
                assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
                assert!(said.contains("rise by 1 per step"), "{words:?}: {said}");
            }
        }
    }
    let cases: [(&[&str], i32, &str); 4] = [
        (&["send", url, "hello", "--protocol-version", "0.3"], 3, "--protocol-version 0.3"),
        (&["task", "list", url, "--protocol-version", "0.3"], 1, "Try without --binding and"),
        (&["send", url, "x", "--protocol-version", "0.1"], 6, "offers no JSONRPC or HTTP+JSON or"),
        (&["send", url, "x", "--protocol-version", "7"], 2, "possible values: 1.0, 0.3, 0.2, 0.1"),
    ];
    for (words, code, expected) in cases {
        let output = run(home.path(), words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_question_is_answered_with_the_line_it_came_with() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let asked = run(home.path(), &["send", &serving.url, "analyze my sales"]);
    let said = text(&asked.stdout) + &text(&asked.stderr);
    let words: Vec<&str> = said.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "--task").expect("a line to go on with");
    let answered = run(home.path(), &["send", &serving.url, "1, 2, 3, 4", "--task", words[at + 1]]);
    assert_eq!(answered.status.code(), Some(0), "{}", text(&answered.stderr));
    assert!(text(&answered.stdout).contains("mean 2.5"));
}

async fn counter(data: &DataDir, address: &str) -> Running {
    let profile = Profile::new("counter", "Counter", "Counts aloud");
    let agent = Counter { on_restart: OnRestart::Resume };
    let server = Server::builder().agent(profile, agent).data_dir(data.clone()).without_auth();
    server.stop_grace(std::time::Duration::ZERO).start(address).await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_when_the_server_comes_back() {
    let home = tempfile::tempdir().expect("a home");
    let data = DataDir::new(home.path().join("data"));
    let address = free_address();
    let url = format!("http://{address}");
    let running = counter(&data, &address).await;

    let words = ["stream", url.as_str(), "count 60 every 20", "--json"];
    let mut watch = legation(home.path(), &words);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = lines_of(watch.stdout.take().expect("piped"));
    let mut seen = Vec::new();
    while seen.len() < 20 {
        seen.extend(number_of(&lines.recv_timeout(PATIENCE).expect("numbers come")));
    }
    running.stop().await;
    let running = counter(&data, &address).await;
    assert_eq!(running.recovered(), 1);
    let status = tokio::task::spawn_blocking(move || watch.wait()).await.expect("no panic");
    assert_eq!(status.expect("it ends").code(), Some(0));
    seen.extend(lines.iter().filter_map(|line| number_of(&line)));
    assert_eq!(seen, (1..=60).collect::<Vec<u32>>(), "nothing lost, nothing twice");
    running.stop().await;
}

/// The number that an event's line adds to the count.
fn number_of(line: &str) -> Option<u32> {
    let event: serde_json::Value = serde_json::from_str(line).expect("a line is one event");
    event["artifactUpdate"]["artifact"]["parts"][0]["text"].as_str()?.parse().ok()
}
