//! The lives of contexts, from the seats of who calls and of who operates.

use std::path::Path;

use legation_testkit::postgres;
use serde_json::{Value, json};

use crate::user::{Serving, run, text};

const TOKEN: &str = "a-token-of-the-tests-that-nobody-guesses";

/// What the command says when it ends like this.
fn said(home: &Path, code: i32, words: &[&str]) -> String {
    let output = run(home, words);
    let all = [text(&output.stdout), text(&output.stderr)].concat();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {all}");
    all
}

fn read(said: &str) -> Value {
    serde_json::from_str(said).expect("JSON")
}

/// A server that lets go of everything at once, but only when it is asked.
fn serve(home: &Path, store: &str) -> Serving {
    let file = home.join("legation.yaml");
    let config = format!(
        "store: {store}\n\
         auth: {{schemes: [{{type: simple_token, token: {TOKEN}}}]}}\n\
         contexts: {{keep: 1ms, keep_results: 1h, leeway: 0s, sweep_every: 30d}}\n\
         agents: {{a: {{role: R, runtime: {{type: analyst}}}}}}\n"
    );
    std::fs::write(&file, config).expect("writable");
    Serving::start(home, &[file.to_str().expect("UTF-8")])
}

/// The same in a store of either kind, which these words name on the command line.
fn contexts_live(home: &Path, store: &str, place: &[&str]) {
    let server = serve(home, store);
    let url = server.url.as_str();
    let sweep = |code, timeout| {
        let words = ["context", "sweep", "--json", "--timeout", timeout];
        said(home, code, &[&words, place].concat())
    };
    // From now on the server has nothing to do by itself, because it has just swept.
    sweep(0, "1m");
    let sent = read(&said(home, 0, &["send", url, "[1, 2]", "--token", TOKEN, "--json"]));
    let id = sent["task"]["id"].as_str().or(sent["id"].as_str()).expect("a task");
    let swept = read(&sweep(0, "1m"));
    let expected = json!({
        "idle": 0, "expired": 1, "kept": 1, "tasks": 1, "contexts": 1, "keys": 1, "results": 0,
    });
    assert_eq!(swept, expected);
    let plain = ["context", "sweep"];
    let again = said(home, 0, &[&plain, place].concat());
    assert!(again.contains("removed: 0 tasks, 0 contexts, 0 results"), "{again}");

    let listed = said(home, 0, &["context", "list", url, "--token", TOKEN]);
    assert!(listed.contains("no contexts"), "{listed}");
    let result = said(home, 0, &["task", "get", url, id, "--token", TOKEN]);
    assert!(result.contains("completed"), "{result}");
    let erase = ["context", "erase", url, "--all", "--yes", "--json", "--token", TOKEN];
    assert_eq!(read(&said(home, 0, &erase)), json!({"tasks": 0, "keys": 0, "results": 1}));
    let others = [&erase[..], &["--subject", "somebody"]].concat();
    let refused = said(home, 5, &others);
    assert!(refused.contains("`admin`"), "{refused}");
    let gone = said(home, 6, &["task", "get", url, id, "--token", TOKEN]);
    assert!(gone.contains("not found"), "{gone}");

    drop(server);
    let nobody = sweep(1, "0s");
    assert!(nobody.contains("does one work on it"), "{nobody}");
}

#[test]
fn contexts_live_in_a_directory() {
    let home = tempfile::tempdir().expect("a home");
    let directory = home.path().join("data").display().to_string();
    contexts_live(home.path(), &format!("'sqlite:{directory}'"), &["--data-dir", &directory]);
}

#[test]
fn contexts_live_in_postgres() {
    let Some(place) = postgres::place() else { return };
    let home = tempfile::tempdir().expect("a home");
    let store = format!("{{postgres: {{url: '{}', schema: {}}}}}", place.url, place.schema);
    let words = ["--store", place.url.as_str(), "--schema", place.schema.as_str()];
    contexts_live(home.path(), &store, &words);
}

#[test]
fn where_no_store_is_nothing_is_swept() {
    let home = tempfile::tempdir().expect("a home");
    let missing = home.path().join("none").display().to_string();
    let said = said(home.path(), 2, &["context", "sweep", "--data-dir", &missing]);
    assert!(said.contains("there is no store in"), "{said}");
    assert!(!home.path().join("none").exists());
}
