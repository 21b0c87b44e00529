//! The terminal session in the README is what the command does: it is recorded here, with addresses,
//! identifiers and times made the same each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::user::{Serving, text};

const BEGIN: &str = "<!-- session: made by a test of legation -->\n";
const END: &str = "<!-- end of session -->\n";
/// The address in the README.
const SHOWN: &str = "http://127.0.0.1:8080";

const MEAN: &str = r#"{"type": "object", "required": ["mean"], "properties": {"mean": {"type": "number"}}}
"#;
const SALES: &str = "month,sales\njan,100\nfeb,12O\nmar,95\n";

const SESSION: [&str; 6] = [
    r"printf 'analyze my sales\n100, 120, 95, 140, 160\n' | legation chat http://127.0.0.1:8080",
    "cat mean.json",
    "legation send http://127.0.0.1:8080 'mean of 3, 5' --schema mean.json",
    "legation send http://127.0.0.1:8080 'describe' --file sales.csv; echo \"exit code $?\"",
    "legation send http://127.0.0.1:8080 'hello'",
    "legation context list http://127.0.0.1:8080",
];

/// Set `UPDATE_DOCS=1` to record it anew.
#[test]
fn the_readme_shows_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the place of the session");
    let (_, after) = rest.split_once(END).expect("the end of the session");
    let expected = [before, BEGIN, "```console\n", &record(), "```\n", END, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).expect("a writable README");
        return;
    }
    assert_eq!(readme, expected, "run this test with UPDATE_DOCS=1");
}

fn record() -> String {
    let home = tempfile::tempdir().expect("a home");
    fs::write(home.path().join("mean.json"), MEAN).expect("writable");
    fs::write(home.path().join("sales.csv"), SALES).expect("writable");
    let serving = Serving::start(home.path(), &[]);
    let bin = Path::new(env!("CARGO_BIN_EXE_legation")).parent().expect("it is in a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut session = String::new();
    for line in SESSION {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; {}", line.replace(SHOWN, &serving.url))]);
        shell.env_clear().env("PATH", &path).env("XDG_DATA_HOME", home.path());
        let output = shell.current_dir(home.path()).output().expect("a shell");
        session += &format!("$ {line}\n{}", text(&output.stdout));
    }
    same_each_time(&session.replace(&serving.url, SHOWN))
}

/// The text with identifiers and times replaced, the same identifier by the same.
fn same_each_time(text: &str) -> String {
    const ID: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";
    const TIME: &str = "dddd-dd-ddTdd:dd:dd";
    let mut known: Vec<&str> = Vec::new();
    let (mut same, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        if let Some((id, behind)) = take(rest, ID) {
            let at = known.iter().position(|known| *known == id).unwrap_or_else(|| {
                known.push(id);
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
