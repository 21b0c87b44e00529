//! `legation init`, `check`, `config`, `schema`, and serving what a file says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::user::{PATIENCE, Serving, legation, lines_of, run, text};

/// A file with this name of the agent and these further lines.
fn file_of(home: &Path, name: &str, more: &str) -> PathBuf {
    let path = home.join("legation.yaml");
    let agent = format!("runtime: {{type: analyst}}, a2a: {{server: {{name: {name}}}}}");
    let text = format!("{more}agents:\n  data-analyst: {{role: Analyst, {agent}}}\n");
    fs::write(&path, text).expect("writable");
    path
}

fn words<'w>(words: &[&'w str], file: &'w Path) -> Vec<&'w str> {
    [words, &[file.to_str().expect("a path in UTF-8")]].concat()
}

#[test]
fn what_init_writes_is_good_and_is_served() {
    let home = tempfile::tempdir().expect("a home");
    let file = home.path().join("legation.yaml");
    let init = ["init", "--role", "Sales Analyst", "--goal", "Find trends", "--yes"];
    let written = run(home.path(), &words(&init, &file));
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let again = run(home.path(), &words(&init, &file));
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    let checked = run(home.path(), &words(&["check"], &file));
    assert!(text(&checked.stdout).contains("is good: it serves sales-analyst"));
    let serving = Serving::start(home.path(), &words(&[], &file));
    assert!(serving.greeting.starts_with("Sales Analyst is served at "), "{}", serving.greeting);
    let sent = run(home.path(), &["send", &serving.url, "describe 1, 2, 3, 4"]);
    assert!(text(&sent.stdout).contains("mean 2.5"), "{}", text(&sent.stdout));
}

#[test]
fn a_bad_file_is_told_in_lines_and_serves_nothing() {
    let home = tempfile::tempdir().expect("a home");
    let file = file_of(home.path(), "A", "limits: {runs: many}\nsever: {}\n");
    let name = file.display();
    let expected = format!(
        "{name}:1:16: `limits.runs`: expected a whole number from 1, not `many`\n\
         {name}:2:1: `sever`: there is no such key here; did you mean `server`?\n"
    );
    for command in [&["check"][..], &["serve"], &["config", "explain"]] {
        let output = run(home.path(), &words(command, &file));
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert_eq!(text(&output.stderr), expected, "{command:?}");
    }
    let missing = run(home.path(), &["check", "nowhere.yaml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).starts_with("legation: cannot read `nowhere.yaml`: "));
}

#[test]
fn a_configuration_is_explained_without_its_secrets() {
    let home = tempfile::tempdir().expect("a home");
    let secret = "4f1a9c0d7be2836655aa0e1d9c3b7f42";
    let more = "auth: {schemes: [{type: simple_token, token: '${SECRET}'}]}\n";
    let file = file_of(home.path(), "A", more);
    let explain = ["config", "explain", "--json", "--listen", "127.0.0.1:9", "--data-dir", "d"];
    let output = legation(home.path(), &words(&explain, &file)).env("SECRET", secret).output();
    let said = text(&output.expect("it starts").stdout);
    assert!(!said.contains(secret), "{said}");
    let values: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let find = |key: &str| {
        let values = values.as_array().expect("a list").iter();
        let value = values.clone().find(|value| value["key"] == key).expect("explained");
        (value["value"].clone(), value["origin"].clone())
    };
    assert_eq!(find("server.listen"), ("127.0.0.1:9".into(), "flag".into()));
    assert_eq!(find("store.path"), ("d".into(), "flag".into()));
    assert_eq!(find("agents.data-analyst.role"), ("Analyst".into(), "file".into()));
    assert_eq!(find("limits.runs"), (10_000.into(), "default".into()));
    assert_eq!(find("auth.schemes[0].token").1, "file");
    let schema = run(home.path(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    assert!(schema["properties"]["agents"].is_object());
}

#[test]
fn agents_change_while_a_stream_is_open_and_a_bad_file_changes_nothing() {
    let home = tempfile::tempdir().expect("a home");
    let file = file_of(home.path(), "First", "");
    let log = home.path().join("log");
    let serve = words(&["serve", "--listen", "127.0.0.1:0"], &file);
    let mut command = legation(home.path(), &serve);
    command.stderr(File::create(&log).expect("writable"));
    let serving = Serving::of(&mut command);
    let url = serving.url.as_str();

    let asked = run(home.path(), &["send", url, "analyze my sales"]);
    let said = text(&asked.stdout) + &text(&asked.stderr);
    let mut task = said.split_whitespace().skip_while(|word| *word != "--task");
    let task = task.nth(1).expect("a line to go on with");
    let mut watch = legation(home.path(), &["task", "watch", url, task, "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("it starts");
    let events = lines_of(watch.stdout.take().expect("piped"));
    let opening = events.recv_timeout(PATIENCE).expect("the task as it is");
    assert!(opening.contains("INPUT_REQUIRED"), "{opening}");

    let hang_up = || {
        let pid = serving.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    let logged =
        |words: &str| until(|| fs::read_to_string(&log).is_ok_and(|log| log.contains(words)));
    let shown = |name: &str| {
        let card = run(home.path(), &["card", url]);
        text(&card.stdout).contains(name)
    };
    file_of(home.path(), "Second", "");
    hang_up();
    assert!(logged("the configuration was read again") && shown("Second"));

    file_of(home.path(), "Third", "limits: {runs: many}\n");
    hang_up();
    assert!(logged("all stays as it was") && logged("1:16: `limits.runs`: expected"));
    file_of(home.path(), "Third", "limits: {runs: 5}\n");
    hang_up();
    assert!(logged("1:16: `limits.runs`: a change of this needs a restart"));
    assert!(shown("Second"));

    // Without a signal as well.
    file_of(home.path(), "Fourth", "");
    assert!(until(|| shown("Fourth")));

    let answered = run(home.path(), &["send", url, "1, 2, 3, 4", "--task", task]);
    assert_eq!(answered.status.code(), Some(0), "{}", text(&answered.stderr));
    let rest: Vec<String> = events.iter().collect();
    assert!(rest.iter().any(|event| event.contains("COMPLETED")), "{rest:?}");
    assert!(watch.wait().expect("it ends").success());
}

/// Waits until something is so.
fn until(is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn the_file_for_replicas_is_good() {
    let home = tempfile::tempdir().expect("a home");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/legation.yaml");
    let mut check = legation(home.path(), &["check", file]);
    check.env("PUBLIC_URL", "https://agents.example.com");
    check.env("AUTH_TOKEN", "a-token-of-the-tests-that-nobody-guesses");
    check.env("LEGATION_STORE", "postgres://legation:p@database/legation");
    let checked = check.output().expect("it starts");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}
