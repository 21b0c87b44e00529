//! `legation keys` and the server that takes its tokens.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::user::{Serving, run, text};

/// As soon has a server to refuse what was revoked.
const SOON: Duration = Duration::from_secs(5);

const REFUSED: i32 = 5;

fn serve(home: &Path) -> Serving {
    let file = home.join("legation.yaml");
    let config = "auth: { schemes: [{ type: integration_token }] }\n\
                  agents: { a: { role: A, runtime: { type: analyst } }, b: { role: B, runtime: { type: analyst } } }\n";
    std::fs::write(&file, config).expect("writable");
    Serving::start(home, &[file.to_str().expect("UTF-8")])
}

fn keys(home: &Path, words: &[&str]) -> Output {
    run(home, &[&["keys"], words].concat())
}

/// Makes or rotates a key; gives the token.
fn token(home: &Path, words: &[&str]) -> String {
    let output = keys(home, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    let token = text(&output.stdout).trim().to_owned();
    assert!(token.starts_with("lgk_") && !token.contains(char::is_whitespace), "{token}");
    assert!(!text(&output.stderr).contains(&token), "said once");
    token
}

fn listed(home: &Path) -> Vec<Value> {
    let output = keys(home, &["list", "--json"]);
    let said = text(&output.stdout);
    let listed: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    listed["keys"].as_array().expect("a list").clone()
}

/// The exit code of a call.
fn call(home: &Path, url: &str, token: &str) -> i32 {
    let sent = run(home, &["send", url, "mean of 1, 2, 3", "--token", token]);
    sent.status.code().expect("it ended by itself")
}

/// Waits until calls end so.
fn wait_for(expected: i32, within: Duration, call: impl Fn() -> i32) {
    let began = Instant::now();
    loop {
        // The look counts that began in time.
        let asked = began.elapsed();
        let got = call();
        if got == expected {
            return;
        }
        assert!(asked < within, "still {got} after {asked:?}, not {expected}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_key_is_made_used_rotated_and_revoked_while_the_server_works() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let serving = serve(home);
    let url = &*serving.url;
    let words = ["create", "--name", "ci", "--scopes", "read,send", "--agents", "a"];
    let first = token(home, &[&words[..], &["--expires", "90d"]].concat());
    assert_eq!(call(home, url, &first), 0, "as soon as it is made");
    assert_eq!(call(home, &format!("{url}/a2a/a"), &first), 0);
    assert_eq!(call(home, &format!("{url}/a2a/b"), &first), REFUSED, "for another agent");
    let again = keys(home, &words);
    let said = text(&again.stderr);
    assert!(again.status.code() == Some(1) && said.contains("`ci` already"), "{said}");

    wait_for(1, SOON, || i32::from(listed(home)[0].get("lastUsedAt").is_some()));
    let list = listed(home);
    let key = &list[0];
    assert_eq!(
        (list.len(), &key["state"], &key["subject"]),
        (1, &"active".into(), &"key:ci".into())
    );
    assert_eq!((&key["scopes"][1], &key["agents"][0]), (&"send".into(), &"a".into()));
    let shown = text(&keys(home, &["list"]).stdout);
    assert!(shown.contains("last used 2") && shown.contains("expires 2"), "{shown}");

    let second = token(home, &["rotate", "ci", "--grace", "1h"]);
    assert_ne!(first, second);
    assert_eq!((call(home, url, &first), call(home, url, &second)), (0, 0), "both count");
    let third = token(home, &["rotate", key["id"].as_str().expect("an id")]);
    assert_eq!(call(home, url, &third), 0);
    wait_for(REFUSED, SOON, || call(home, url, &second));
    wait_for(REFUSED, SOON, || call(home, url, &first));

    assert!(keys(home, &["revoke", "ci"]).status.success());
    wait_for(REFUSED, SOON, || call(home, url, &third));
    assert_eq!(listed(home)[0]["state"], "revoked");
    for words in [["revoke", "ci"], ["rotate", "ci"], ["revoke", "nobody"]] {
        assert_eq!(keys(home, &words).status.code(), Some(1), "{words:?}");
    }

    let short = token(home, &["create", "--name", "ci", "--expires", "2s"]);
    assert_eq!(call(home, url, &short), 0);
    wait_for(REFUSED, SOON, || call(home, url, &short));
    assert_eq!(listed(home)[1]["state"], "expired");

    let card = run(home, &["card", url, "--json"]);
    let card = text(&card.stdout);
    assert!(card.contains("integration") && card.contains("Bearer"), "{card}");
    drop(serving);
    for token in [first, second, third, short] {
        for file in std::fs::read_dir(home.join("legation")).expect("the data directory") {
            let file = file.expect("readable").path();
            let kept = text(&std::fs::read(&file).expect("readable"));
            // Behind the prefix and the id.
            let secret = &token[21..];
            assert!(!kept.contains(secret), "{} holds a token", file.display());
        }
    }
}

#[test]
fn a_key_is_good_for_its_deployment_only() {
    let [home, other] = [(), ()].map(|()| tempfile::tempdir().expect("a home"));
    // Before there is any server or directory.
    assert!(listed(home.path()).is_empty());
    assert!(!home.path().join("legation").exists(), "looking makes nothing");
    let token_here = token(home.path(), &["create", "--name", "ci"]);
    let token_there = token(other.path(), &["create", "--name", "ci"]);
    let serving = serve(home.path());
    assert_eq!(call(home.path(), &serving.url, &token_here), 0);
    assert_eq!(call(home.path(), &serving.url, &token_there), REFUSED);
}
