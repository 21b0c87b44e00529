//! The command with its tasks in PostgreSQL.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use legation_testkit::nats::Nats;
use legation_testkit::postgres::{self, Place};

use crate::user::{Serving, legation, lines_of, run, text};

const TOKEN: &str = "a-token-of-the-tests-that-nobody-guesses";

/// A configuration file for this place.
fn file(home: &Path, place: &Place) -> String {
    let Place { url, schema } = place;
    let text = format!(
        "store: {{postgres: {{url: '{url}', schema: {schema}}}}}\n\
         auth: {{schemes: [{{type: simple_token, token: {TOKEN}}}, {{type: integration_token}}]}}\n\
         agents: {{a: {{role: R, runtime: {{type: analyst}}}}}}\n"
    );
    let file = home.join("legation.yaml");
    std::fs::write(&file, text).expect("writable");
    file.display().to_string()
}

fn said(home: &Path, words: &[&str]) -> String {
    let output = run(home, words);
    let all = [text(&output.stdout), text(&output.stderr)].concat();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {all}");
    all
}

#[test]
fn what_one_server_has_done_another_one_knows() {
    let Some(place) = postgres::place() else { return };
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let file = file(home, &place);
    let [first, second] = [(); 2].map(|()| Serving::start(home, &[&file]));
    let schema = format!("schema {}", place.schema);
    assert!(first.greeting.contains(&schema), "{}", first.greeting);
    let sent = said(home, &["send", &first.url, "[1, 2, 3]", "--token", TOKEN, "--json"]);
    let sent: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
    let id = sent["task"]["id"].as_str().or(sent["id"].as_str()).expect("a task").to_owned();
    let seen = said(home, &["task", "get", &second.url, &id, "--token", TOKEN]);
    assert!(seen.contains("completed"), "{seen}");
    let place = ["--store", &place.url, "--schema", &place.schema];
    let words = |words: &[&str]| said(home, &[words, &place].concat());
    let key = words(&["keys", "create", "--name", "k"]);
    let key = key.lines().next().expect("a key");
    let listed = said(home, &["task", "list", &second.url, "--token", key]);
    assert!(!listed.contains(&id), "somebody else's: {listed}");
    assert!(words(&["keys", "list"]).contains("active"));
    words(&["keys", "revoke", "k"]);
    let audit = words(&["audit"]);
    assert!(audit.contains("key.revoke") && audit.contains("server.start"), "{audit}");
}

/// They are tried twice a second.
#[test]
fn wrong_credentials_of_nats_are_warned_of_once() {
    let (Some(Place { url, schema }), Some(nats)) =
        (postgres::place(), Nats::with(&["--user", "u", "--pass", "p"]))
    else {
        return;
    };
    let home = tempfile::tempdir().expect("a home");
    let wrong = nats.url().replace("nats://", "nats://u:wrong@");
    let config = format!(
        "store: {{postgres: {{url: '{url}', schema: {schema}, nats: {{servers: ['{wrong}']}}}}}}\n\
         agents: {{a: {{role: R, runtime: {{type: analyst}}}}}}\n"
    );
    let file = home.path().join("legation.yaml");
    std::fs::write(&file, config).expect("writable");
    let file = file.display().to_string();
    let mut command = legation(home.path(), &["serve", &file, "--listen", "127.0.0.1:0"]);
    let mut serving = Serving::of(command.stderr(Stdio::piped()));
    let log = lines_of(serving.child.stderr.take().expect("piped"));
    std::thread::sleep(Duration::from_secs(3));
    let said: Vec<String> = log.try_iter().collect();
    let [once] = &said[..] else { panic!("{said:#?}") };
    assert!(once.contains("authorization violation") && !once.contains("wrong"), "{once}");
}

#[test]
fn a_database_that_is_not_there_is_said_without_its_password() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    const URL: &str = "postgres://user:the-password@127.0.0.1:1/none";
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", URL];
    let keys = ["keys", "list", "--store", URL];
    for words in [&serve[..], &keys] {
        let output = run(home, words);
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot use the database"), "{said}");
        assert!(!said.contains("the-password"), "{said}");
    }
    let mut shown = legation(home, &["config", "explain"]);
    let shown = shown.env("LEGATION_STORE", URL).output().expect("it starts");
    let shown = [text(&shown.stdout), text(&shown.stderr)].concat();
    assert!(shown.contains("--store") && !shown.contains("the-password"), "{shown}");
    // An empty variable says nothing.
    let mut empty = legation(home, &["keys", "list"]);
    let empty = empty.env("LEGATION_STORE", "").output().expect("it starts");
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty.stderr));
}
