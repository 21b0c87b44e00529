//! TLS as a user has it: a certificate for trying out, a server with it, calls that believe it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::user::{PATIENCE, Serving, legation, lines_of, run, text};

/// Makes a certificate in the home, in place of one that is there.
fn make(home: &Path) -> [String; 2] {
    let files = ["tls-cert.pem", "tls-key.pem"].map(|name| home.join(name).display().to_string());
    let [cert, key] = &files;
    let made = run(home, &["keys", "tls", "--cert", cert, "--key", key, "--force"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("--tls-cert"), "{}", text(&made.stdout));
    files
}

#[test]
fn a_certificate_for_trying_out_serves_those_who_believe_it() {
    let home = tempfile::tempdir().expect("a home");
    let [cert, key] = make(home.path());
    let mode = fs::metadata(&key).expect("just made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = run(home.path(), &["keys", "tls", "--cert", &cert, "--key", &key]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again.stderr));

    let same = format!("{}/./tls-cert.pem", home.path().display());
    let before = fs::read(&cert).expect("just made");
    let one = run(home.path(), &["keys", "tls", "--cert", &cert, "--key", &same, "--force"]);
    assert_eq!(one.status.code(), Some(2), "{}", text(&one.stderr));
    assert_eq!(fs::read(&cert).expect("still there"), before);

    let serving = Serving::start(home.path(), &["--tls-cert", &cert, "--tls-key", &key]);
    assert!(serving.url.starts_with("https://127.0.0.1:"), "{}", serving.greeting);
    let send = ["send", "--ca", &cert, &serving.url, "mean of 1, 2, 3, 4"];
    let believing = run(home.path(), &send);
    assert!(text(&believing.stdout).contains("2.5"), "{}", text(&believing.stderr));
    // gRPC, whose address on the card says no scheme.
    let stream = ["stream", "--binding", "grpc", "--ca", &cert, &serving.url, "mean of 5, 7"];
    let streamed = run(home.path(), &stream);
    assert!(text(&streamed.stdout).contains("6"), "{}", text(&streamed.stderr));
    assert_eq!(streamed.status.code(), Some(0), "{}", text(&streamed.stderr));
    let doubting = run(home.path(), &["send", &serving.url, "mean of 1, 2"]);
    assert_eq!(doubting.status.code(), Some(4), "{}", text(&doubting.stderr));
    for expected in ["certificate", "with --ca"] {
        assert!(text(&doubting.stderr).contains(expected), "{}", text(&doubting.stderr));
    }
    let unfit = run(home.path(), &["send", "--ca", &key, &serving.url, "mean of 1, 2"]);
    assert_eq!(unfit.status.code(), Some(2), "{}", text(&unfit.stderr));

    let pasted =
        serving.greeting.lines().find(|line| line.contains(" send ")).expect("a send line");
    let mut shell = Command::new("sh");
    let pasted = shell.args(["-c", pasted.trim()]).env("XDG_DATA_HOME", home.path()).output();
    let said = text(&pasted.expect("a shell").stdout);
    assert!(said.contains("rise by 14 per step"), "{said}");
}

#[test]
fn a_hangup_takes_a_new_certificate_up_and_keeps_the_old_one_from_a_bad_one() {
    let home = tempfile::tempdir().expect("a home");
    let [cert, key] = make(home.path());
    let words = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let mut command = legation(home.path(), &words);
    let mut serving = Serving::of(command.stderr(Stdio::piped()));
    let log = lines_of(serving.child.stderr.take().expect("piped"));
    let pid = serving.child.id().to_string();
    let hangup = |expected: &str| {
        let sent = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        while !log.recv_timeout(PATIENCE).expect("a word about it").contains(expected) {}
    };
    let old = home.path().join("old.pem");
    let old = old.to_str().expect("a path in UTF-8");
    fs::copy(&cert, old).expect("a copy");
    let calls = |ca: &str| run(home.path(), &["send", "--ca", ca, &serving.url, "mean of 1, 2"]);

    make(home.path());
    hangup("the certificate was read again");
    assert!(calls(&cert).status.success());
    assert_eq!(calls(old).status.code(), Some(4));

    fs::copy(&cert, home.path().join("new.pem")).expect("a copy");
    fs::copy(old, &cert).expect("a copy");
    hangup("those of before stay in force");
    let new = home.path().join("new.pem");
    assert!(calls(new.to_str().expect("a path in UTF-8")).status.success());
}
