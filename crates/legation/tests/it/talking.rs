//! `legation chat`, `context` and the ways to say something.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use legation::{DataDir, OnRestart, Profile, Server};
use legation_testkit::agents::Counter;

use crate::user::{PATIENCE, Serving, legation, lines_of, run, text};

/// Runs the command with this on its standard input.
fn run_with_input(home: &Path, words: &[&str], input: &str) -> Output {
    let mut command = legation(home, words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_conversation_has_one_context_and_answers_go_to_the_task_that_asked() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let shelf = home.path().join("shelf");
    let words = ["chat", &serving.url, "--save", shelf.to_str().expect("UTF-8")];
    let talked = run_with_input(home.path(), &words, "analyze my sales\n\n2, 4\nmean of 5, 7\n");
    let said = text(&talked.stdout);
    assert_eq!(talked.status.code(), Some(0), "{said}{}", text(&talked.stderr));
    for expected in ["What shall I analyze?", "> 2, 4", "mean 3,", "average 6", "(and data, "] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let mut names: Vec<_> = fs::read_dir(&shelf)
        .expect("made by the command")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["answer-2.json", "answer-2.txt", "answer.json", "answer.txt"]);

    let listed = run(home.path(), &["context", "list", &serving.url]);
    let listed = text(&listed.stdout);
    assert!(listed.lines().count() == 1 && listed.contains("2 tasks, last completed"), "{listed}");
    let context = listed.split_whitespace().next().expect("an id");
    let shown = run(home.path(), &["context", "show", &serving.url, context]);
    let shown = text(&shown.stdout);
    let at = |word: &str| shown.find(word).unwrap_or_else(|| panic!("{word}: {shown}"));
    assert!(at("> analyze my sales") < at("> 2, 4") && at("> 2, 4") < at("> mean of 5, 7"));
}

#[test]
fn a_context_is_erased_when_that_is_meant() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let url = serving.url.as_str();
    let of = |words: &[&str]| {
        let output = run(home.path(), words);
        let said = text(&output.stdout) + &text(&output.stderr);
        (output.status.code(), said)
    };
    run(home.path(), &["send", url, "mean of 1, 2", "--context", "c"]);
    let cases: [(&[&str], i32, &str); 5] = [
        (&["context", "erase", url, "c"], 2, "is gone for good; say so with --yes"),
        (&["context", "erase", url, "c", "--yes", "--binding", "HTTP+JSON"], 2, "JSONRPC only"),
        (
            &["context", "erase", url, "c", "--yes"],
            0,
            "erased 1 task, 0 results and 1 idempotency key",
        ),
        (&["context", "erase", url, "c", "--yes"], 0, "you have nothing in this context"),
        (
            &["context", "erase", url, "c", "--yes", "--json"],
            0,
            r#"{"tasks":0,"keys":0,"results":0}"#,
        ),
    ];
    for (words, code, expected) in cases {
        let (got, said) = of(words);
        assert_eq!(got, Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert!(of(&["context", "list", url]).1.contains("no contexts"));
}

#[test]
fn the_end_of_a_conversation_has_its_exit_code() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let cases = [("mean of 1, 2\n", 0, ""), ("", 0, ""), ("analyze my sales\n", 3, "--task")];
    for (input, code, expected) in cases {
        let talked = run_with_input(home.path(), &["chat", &serving.url], input);
        assert_eq!(talked.status.code(), Some(code), "{input}: {}", text(&talked.stderr));
        assert!(text(&talked.stderr).contains(expected), "{input}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_the_task_and_the_conversation_goes_on() {
    let home = tempfile::tempdir().expect("a home");
    let agent = Counter { on_restart: OnRestart::Resume };
    let server = Server::builder().agent(Profile::new("counter", "Counter", "Counts"), agent);
    let server = server.data_dir(DataDir::new(home.path().join("data"))).without_auth();
    let running = server.stop_grace(Duration::ZERO).start("127.0.0.1:0").await.expect("it starts");
    let url = format!("http://{}", running.address());

    let mut chat = legation(home.path(), &["chat", &url, "--json"]);
    let chat = chat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut chat = chat.spawn().expect("it starts");
    let mut input = chat.stdin.take().expect("piped");
    let lines = lines_of(chat.stdout.take().expect("piped"));
    let until = |word: &str| {
        while !lines.recv_timeout(PATIENCE).expect("events come").contains(word) {}
    };
    tokio::task::block_in_place(|| {
        writeln!(input, "count 6000 every 20").expect("it reads");
        until("artifactUpdate");
        let pid = chat.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.is_ok_and(|status| status.success()));
        until("TASK_STATE_CANCELED");
        writeln!(input, "count 2 every 1").expect("it reads");
        until("TASK_STATE_COMPLETED");
        drop(input);
        assert_eq!(chat.wait().expect("it ends").code(), Some(0));
    });
    running.stop().await;
}

#[test]
fn words_come_from_standard_input_and_data_in_the_shape_that_is_asked_for() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).expect("writable");
        path.into_os_string().into_string().expect("UTF-8")
    };
    let schema = file(
        "mean.json",
        r#"{"type":"object","required":["mean"],"properties":{"mean":{"type":"number"}}}"#,
    );
    let (list, broken) = (file("list.json", "[1]"), file("broken.json", "{\n  \"a\": }"));
    let url = serving.url.as_str();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["send", url, "-", "--schema", &schema], 0, "{\n  \"mean\": 4\n}\n"),
        (&["send", url, "-", "--follow"], 0, "submitted  task "),
        (&["stream", url, "-"], 0, "average 4"),
        (&["send", url, "x", "--schema", &list], 2, "is not a JSON Schema, which is a JSON object"),
        (&["send", url, "x", "--schema", &broken], 2, "line 2 column 8"),
        (&["send", url, "x", "--schema", "/nowhere"], 2, "cannot read /nowhere"),
    ];
    for (words, code, expected) in cases {
        let output =
            run_with_input(home.path(), words, if code == 0 { "mean of 3, 5" } else { "" });
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn colours_are_there_when_they_are_wanted() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    for (color, painted) in [("always", true), ("auto", false), ("never", false)] {
        let output = run(home.path(), &["card", &serving.url, "--color", color]);
        assert_eq!(text(&output.stdout).contains('\x1b'), painted, "{color}");
    }
}
