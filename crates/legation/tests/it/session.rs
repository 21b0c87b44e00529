//! The terminal sessions in the README and the tutorial are what the command does: they are recorded
//! here, with addresses, identifiers and times made the same each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::user::{Serving, text};

const BEGIN: &str = "<!-- session: made by a test of legation -->\n";
const END: &str = "<!-- end of session -->\n";
/// The address in the pages.
const SHOWN: &str = "http://127.0.0.1:8080";

/// What the README's commands find.
const FILES: [(&str, &str); 2] = [
    (
        "mean.json",
        "{\"type\": \"object\", \"required\": [\"mean\"], \"properties\": {\"mean\": {\"type\": \"number\"}}}\n",
    ),
    ("sales.csv", "month,sales\njan,100\nfeb,12O\nmar,95\n"),
];

/// Set `UPDATE_DOCS=1` to record it anew.
#[test]
fn the_readme_shows_what_happens() {
    check("README.md", &FILES);
}

/// Set `UPDATE_DOCS=1` to record it anew.
#[test]
fn the_tutorial_shows_what_happens() {
    check("docs/tutorial.md", &[]);
}

/// Runs the commands of a page's sessions, one after the other in one place, and compares what comes
/// out with what the page shows.
fn check(page: &str, files: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let shown = fs::read_to_string(&path).expect("the page");
    let home = tempfile::tempdir().expect("a home");
    for (name, text) in files {
        fs::write(home.path().join(name), text).expect("writable");
    }
    let serving = Serving::start(home.path(), &[]);
    let mut pieces = shown.split(BEGIN);
    let mut happened = pieces.next().expect("a page has a beginning").to_owned();
    let mut known = Vec::new();
    for piece in pieces {
        let (session, after) = piece.split_once(END).expect("the end of the session");
        let commands = session.lines().filter_map(|line| line.strip_prefix("$ "));
        let recorded = record(commands, &serving, home.path());
        let recorded = same_each_time(&recorded, &mut known);
        happened += &[BEGIN, "```console\n", &recorded, "```\n", END, after].concat();
    }
    assert!(happened.contains(BEGIN), "a page without a session");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &happened).expect("a writable page");
        return;
    }
    assert_eq!(shown, happened, "run this test with UPDATE_DOCS=1");
}

fn record<'c>(commands: impl Iterator<Item = &'c str>, serving: &Serving, home: &Path) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_legation")).parent().expect("it is in a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut session = String::new();
    for line in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; {}", line.replace(SHOWN, &serving.url))]);
        shell.env_clear().env("PATH", &path).env("HOME", home).env("XDG_DATA_HOME", home);
        let output = shell.current_dir(home).output().expect("a shell");
        session += &format!("$ {line}\n{}", text(&output.stdout));
    }
    // A card of gRPC has the address without a scheme.
    let bare = |url: &str| url.trim_start_matches("http://").to_owned();
    session.replace(&bare(&serving.url), &bare(SHOWN))
}

/// The text with identifiers and times replaced, the same identifier by the same.
fn same_each_time(text: &str, known: &mut Vec<String>) -> String {
    const ID: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";
    const TIME: &str = "dddd-dd-ddTdd:dd:dd";
    let (mut same, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        if let Some((id, behind)) = take(rest, ID) {
            let at = known.iter().position(|known| *known == id).unwrap_or_else(|| {
                known.push(id.to_owned());
                known.len() - 1
            });
            same += &format!("01k800ddg0{:026}", at + 1);
            rest = behind;
        } else if let Some((_, behind)) = take(rest, TIME) {
            same += "2026-11-21T09:00:00Z";
            rest = behind.trim_start_matches(|digit: char| digit == '.' || digit.is_ascii_digit());
            rest = rest.strip_prefix('Z').unwrap_or(rest);
        } else {
            same.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    same
}

/// What a text begins with, when that is of a form: `v` is a letter of ids, `d` a digit.
fn take<'t>(text: &'t str, form: &str) -> Option<(&'t str, &'t str)> {
    let fits = |(byte, form): (u8, u8)| match form {
        b'v' => matches!(byte, b'0'..=b'9' | b'a'..=b'v'),
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    let begins = text.len() >= form.len() && text.bytes().zip(form.bytes()).all(fits);
    begins.then(|| text.split_at(form.len()))
}
