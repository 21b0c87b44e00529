//! `legation audit`, and streams whose credentials are taken back.

use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::user::{PATIENCE, Serving, legation, lines_of, run, text};

const REFUSED: i32 = 5;

/// An agent that begins to work and never ends.
const PROGRAM: &str = "echo '{\"type\":\"ready\"}'\nread -r line\nsleep 600\n";

/// Writes a configuration with an agent that answers, one that does not, and another of this role.
fn configure(home: &Path, role: &str) -> String {
    let file = home.join("legation.yaml");
    let config = format!(
        "auth: {{ schemes: [{{ type: integration_token }}] }}\n\
         limits: {{ recheck: 200ms }}\n\
         agents:\n  a: {{ role: A, runtime: {{ type: analyst }} }}\n  \
         slow: {{ role: S, runtime: {{ type: exec, command: sh program.sh }} }}\n  \
         b: {{ role: {role}, runtime: {{ type: analyst }} }}\n"
    );
    std::fs::write(home.join("program.sh"), PROGRAM).expect("writable");
    std::fs::write(&file, config).expect("writable");
    file.to_str().expect("UTF-8").to_owned()
}

fn token(home: &Path, words: &[&str]) -> String {
    let output = run(home, &[&["keys", "create", "--name"], words].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn audit(home: &Path, words: &[&str]) -> Vec<Value> {
    let output = run(home, &[&["audit", "--json"], words].concat());
    let said = text(&output.stdout);
    let listed: Value =
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}: {}", text(&output.stderr)));
    listed["entries"].as_array().expect("a list").clone()
}

/// The entry that is there sooner or later.
fn entry(home: &Path, words: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        if let Some(entry) = audit(home, words).pop() {
            return entry;
        }
        assert!(began.elapsed() < PATIENCE, "no entry {words:?}: {:?}", audit(home, &[]));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_was_refused_and_changed_is_listed_while_the_server_works() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    assert!(
        audit(home, &[]).is_empty() && !home.join("legation").exists(),
        "looking makes nothing"
    );
    let file = configure(home, "B");
    let serving = Serving::start(home, &[&file]);
    let url = &*serving.url;
    let key = token(home, &["ci", "--scopes", "read,send,erase", "--agents", "a"]);

    let started = entry(home, &["--action", "server.start"]);
    assert_eq!(
        (&started["subject"], &started["detail"]),
        (&"operator".into(), &"a, slow, b".into())
    );
    let made = entry(home, &["--action", "key.create"]);
    assert_eq!((&made["subject"], &made["outcome"]), (&"operator".into(), &"done".into()));

    let send = |url: &str, token: &str| {
        let words = ["send", url, "mean of 1, 2", "--token", token, "--context", "c"];
        run(home, &words).status.code()
    };
    assert_eq!(send(url, &key), Some(0));
    assert_eq!(send(url, &format!("{key}x")), Some(REFUSED));
    let refused = entry(home, &["--action", "authenticate"]);
    assert_eq!(
        (&refused["outcome"], &refused["address"]),
        (&"refused".into(), &"127.0.0.1".into())
    );
    assert!(refused.get("subject").is_none());

    assert_eq!(send(&format!("{url}/a2a/b"), &key), Some(REFUSED));
    let denied = entry(home, &["--action", "call", "--tenant", "default", "--subject", "key:ci"]);
    assert_eq!((&denied["outcome"], &denied["target"]), (&"refused".into(), &"b".into()));
    assert_eq!(
        (&denied["scheme"], &denied["address"]),
        (&"integration".into(), &"127.0.0.1".into())
    );

    let agent = format!("{url}/a2a/a");
    let erased = run(home, &["context", "erase", &agent, "c", "--yes", "--token", &key]);
    assert!(erased.status.success(), "{}", text(&erased.stderr));
    let erased = audit(home, &["--action", "context.erase"]);
    assert_eq!((erased.len(), &erased[0]["target"]), (1, &"c".into()), "before it was answered");

    configure(home, "Bee");
    let reloaded = entry(home, &["--action", "config.reload"]);
    assert_eq!(reloaded["detail"], "changed b");
    assert!(reloaded["target"].as_str().is_some_and(|file| file.ends_with("legation.yaml")));

    let shown = text(&run(home, &["audit", "--since", "1h", "--limit", "3"]).stdout);
    assert!(shown.contains("config.reload") && !shown.contains("server.start"), "{shown}");
    assert!(audit(home, &["--since", "2100-01-01T00:00:00Z"]).is_empty());
    drop(serving);
    let secret = &key[21..];
    let all = audit(home, &["--limit", "1000"]);
    assert!(!Value::from(all).to_string().contains(secret), "no secret is told");
}

#[test]
fn a_stream_ends_when_its_key_is_revoked() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let file = configure(home, "B");
    let serving = Serving::start(home, &[&file]);
    let key = token(home, &["ci"]);
    let agent = format!("{}/a2a/slow", serving.url);
    let mut command = legation(home, &["stream", &agent, "hello", "--token", &key, "--json"]);
    let mut stream =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = lines_of(stream.stdout.take().expect("piped"));
    lines.recv_timeout(PATIENCE).expect("the task");
    assert!(run(home, &["keys", "revoke", "ci"]).status.success());
    // Its output ends with it.
    let last = std::iter::repeat_with(|| lines.recv_timeout(PATIENCE)).find_map(Result::err);
    assert_eq!(last, Some(RecvTimeoutError::Disconnected), "the stream goes on");
    let ended = stream.wait_with_output().expect("it has ended");
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(REFUSED), "{said}");
    let entry = entry(home, &["--action", "stream"]);
    assert_eq!((&entry["subject"], &entry["outcome"]), (&"key:ci".into(), &"refused".into()));
}
