//! Signed cards: made by the server, checked by the command, shown to be changed by whoever changes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::user::{Serving, run, text};

/// Makes a key; gives the pin that the command prints.
fn make_key(home: &Path, file: &str, algorithm: &str, name: &str) -> String {
    let path = home.join(file);
    let path = path.to_str().expect("a path in UTF-8");
    let words = ["keys", "signing", "--key", path, "--algorithm", algorithm, "--key-id", name];
    let made = run(home, &words);
    let said = text(&made.stdout);
    assert!(made.status.success(), "{said}{}", text(&made.stderr));
    let mode = fs::metadata(path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run(home, &words).status.code(), Some(2), "it writes over nothing");
    let pin = said.split_whitespace().skip_while(|word| *word != "--pin").nth(1);
    pin.expect("a pin").trim_matches('\'').to_owned()
}

#[test]
fn a_card_is_verified_by_pin_or_by_trusted_keys_and_by_nothing_else() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let old = make_key(home, "old.pem", "ES256", "old");
    let new = make_key(home, "new.pem", "EdDSA", "new");
    let other = make_key(home, "other.pem", "EdDSA", "old");
    let signing = "server: {signing: [{key: old.pem, key_id: old}, {key: new.pem, key_id: new, algorithm: EdDSA}]}";
    let file = home.join("legation.yaml");
    let agents = "agents: {a: {runtime: {type: analyst}}}";
    fs::write(&file, format!("{signing}\n{agents}\n")).expect("writable");
    let file = file.to_str().expect("a path in UTF-8");
    let serving = Serving::start(home, &[file]);
    let url = serving.url.as_str();
    let jwks = format!("{url}/.well-known/jwks.json");
    let (gone, plain) = (format!("{url}/gone.json"), "http://agents.example.com/jwks.json");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["card", url], 0, "yes, but unverified"),
        (&["card", url, "--verify", "--pin", &old], 0, "verified: key old (ES256)"),
        (&["card", url, "--verify", "--pin", &new], 0, "verified: key new (EdDSA)"),
        (&["card", url, "--verify", "--trust", &jwks], 0, "verified: key"),
        (&["card", url, "--verify", "--pin", &other], 1, "keys that are not trusted: old, new"),
        (&["card", url, "--verify", "--trust", &gone], 6, "cannot read keys"),
        (&["card", url, "--verify", "--trust", plain], 2, "keys come by https"),
        (&["card", url, "--verify"], 2, "--trust"),
        (&["card", url, "--pin", &old], 2, "--verify"),
    ];
    for (words, code, expected) in cases {
        let output = run(home, words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_key_that_cannot_sign_keeps_the_server_from_starting() {
    let home = tempfile::tempdir().expect("a home");
    make_key(home.path(), "key.pem", "ES256", "k");
    fs::write(home.path().join("none.pem"), "none").expect("writable");
    let cases = [
        ("{key: key.pem, algorithm: EdDSA}", "is not for EdDSA"),
        ("{key: none.pem}", "no private key in PEM"),
        ("{key: gone.pem}", "cannot read"),
    ];
    for (key, expected) in cases {
        let file = home.path().join("legation.yaml");
        let config = format!(
            "server: {{signing: [{key}]}}\nagents: {{a: {{runtime: {{type: analyst}}}}}}\n"
        );
        fs::write(&file, config).expect("writable");
        let file = file.to_str().expect("a path in UTF-8");
        let output = run(home.path(), &["serve", "--listen", "127.0.0.1:0", file]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{key}: {said}");
        assert!(said.contains(expected), "{key}: {said}");
    }
}
