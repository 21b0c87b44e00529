//! `legation doctor` against our own server.

use serde_json::Value;

use crate::user::{Serving, run, text};

#[test]
fn our_own_server_is_found_well_by_everybody() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let url = serving.url.as_str();
    let numbers = "trend of 1, 2, 3, 4";
    let output = run(home.path(), &["doctor", url, "--text", numbers]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in ["✓ 1.0 SDKs", "✓ 0.3 SDKs", "✓ CrewAI", "- browsers", "0 failed"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains(['✗', '\u{1b}']), "{said}");

    let output = run(home.path(), &["doctor", url, "--json", "--only", "interface"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let checks = report["checks"].as_array().expect("checks");
    let is_interface =
        |check: &Value| check["id"].as_str().is_some_and(|id| id.starts_with("interface."));
    assert!(!checks.is_empty() && checks.iter().all(is_interface), "{report}");
    assert_eq!(report["readers"][0]["works"], "yes", "{report}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let url = serving.url.as_str();
    let file = home.path().join("doctor.xml");
    let file = file.to_str().expect("a path in UTF-8");
    let page = ["--origin", "https://page.example"];
    let cases: [(&[&str], i32, &str); 8] = [
        (&["doctor", "http://127.0.0.1:9"], 1, "start the server"),
        // Our server lets no page call it unless it is told to.
        (&["doctor", url, "--passive", page[0], page[1]], 1, "Access-Control-Allow-Origin"),
        (&["doctor", url, "--passive", "--for", "browser", page[0], page[1]], 1, "will not work"),
        (&["doctor", url, "--passive", "--for", "v1.0", page[0], page[1]], 0, "1.0 SDKs"),
        (&["doctor", url, "--passive", "--for", "browser", "--junit", file], 0, "--origin"),
        (&["doctor", url, "--only", "nonsense"], 2, "no check begins with"),
        (&["doctor", url, "--json", "--junit", "-"], 2, "standard output"),
        (&["doctor", "nowhere"], 2, "http://"),
    ];
    for (words, code, expected) in cases {
        let output = run(home.path(), words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    let written = std::fs::read_to_string(file).expect("it was written");
    let printed = run(home.path(), &["doctor", url, "--passive", "--junit", "-", page[0], page[1]]);
    for xml in [written, text(&printed.stdout)] {
        assert!(xml.starts_with("<?xml") && xml.ends_with("</testsuites>\n"), "{xml}");
        let count = |tag: &str| xml.matches(tag).count();
        assert_eq!(count("<testcase "), count("</testcase>"), "{xml}");
        assert!(count("<testcase ") > 10, "{xml}");
    }
    assert!(text(&printed.stdout).contains("<failure message="));
}
