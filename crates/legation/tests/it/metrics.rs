//! What operators see at `/metrics`, and who else does not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::user::{PATIENCE, Serving, run, text};

/// Asks for a path; gives the status and the body.
fn get(address: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n")
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// The samples of a text, by their names with labels. Every line has to be one or a comment.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
    };
    lines.map(sample).collect()
}

fn metrics(address: &str) -> BTreeMap<String, f64> {
    let (status, text) = get(address, "/metrics", "");
    assert_eq!(status, 200, "{text}");
    samples(&text)
}

fn address(serving: &Serving) -> &str {
    serving.url.trim_start_matches("http://")
}

fn file(home: &Path, server: &str) -> String {
    let text = format!(
        "server: {server}\n\
         auth: {{schemes: [{{type: simple_token, token: a-token-of-the-tests-that-nobody-guesses}}]}}\n\
         agents: {{a: {{role: R, runtime: {{type: analyst}}}}}}\n"
    );
    let file = home.join("legation.yaml");
    std::fs::write(&file, text).expect("writable");
    file.display().to_string()
}

fn serve(home: &Path, server: &str) -> Serving {
    Serving::of(&mut crate::user::legation(home, &["serve", &file(home, server)]))
}

#[test]
fn what_happens_is_counted() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let address = address(&serving);
    let call = |operation: &str, outcome: &str| {
        let labels = format!("operation=\"{operation}\",binding=\"JSONRPC\",outcome=\"{outcome}\"");
        format!("legation_calls_total{{{labels}}}")
    };
    let before = metrics(address);
    assert!(!before.contains_key(&call("SendMessage", "OK")), "{before:?}");
    let sent = run(home.path(), &["send", &serving.url, "[1, 2, 3]"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    run(home.path(), &["send", &serving.url, "[1, 2, 3]", "--token", "a-wrong-one"]);
    run(home.path(), &["task", "get", &serving.url, "none"]);
    let after = metrics(address);
    let counted = |name: &str| after.get(name).copied();
    let sends = after.iter().filter(|(name, _)| {
        name.starts_with("legation_calls_total{operation=\"Send") && name.contains("\"OK\"")
    });
    assert_eq!(sends.map(|(_, value)| value).sum::<f64>(), 1.0, "{after:?}");
    assert_eq!(counted(&call("GetTask", "TASK_NOT_FOUND")), Some(1.0), "{after:?}");
    assert_eq!(counted(&call("none", "UNAUTHENTICATED")), Some(1.0), "{after:?}");
    let took = "legation_call_duration_seconds_count{operation=\"GetTask\",binding=\"JSONRPC\"}";
    // The sender looked at its task once more.
    assert_eq!(counted(&call("GetTask", "OK")), Some(1.0), "{after:?}");
    assert_eq!(counted(took), Some(2.0), "{after:?}");
    assert!(counted("legation_store_commit_duration_seconds_count") >= Some(1.0), "{after:?}");
    assert!(counted("legation_store_written_bytes_total") > Some(100.0), "{after:?}");
    assert_eq!(counted("legation_stale_writes_refused_total"), Some(0.0), "{after:?}");
    assert_eq!(counted("legation_streams_open"), Some(0.0), "{after:?}");

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("the page on metrics");
    let names = after.keys().map(|name| {
        let name = name.split('{').next().unwrap_or_default();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        base.unwrap_or(name)
    });
    for name in names.collect::<BTreeSet<_>>() {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in docs/metrics.md");
    }
}

#[test]
fn loopback_alone_shows_metrics_beside_the_bindings() {
    let home = tempfile::tempdir().expect("a home");
    let shown = |server: &str, headers: &str| {
        let serving = serve(home.path(), server);
        let port = serving.url.rsplit(':').next().expect("a port");
        let address = format!("127.0.0.1:{port}");
        get(&address, "/metrics", headers).0
    };
    assert_eq!(shown("{listen: '127.0.0.1:0'}", ""), 200);
    assert_eq!(shown("{listen: '127.0.0.1:0'}", "Host: evil.example\r\n"), 403);
    assert_eq!(shown("{listen: '127.0.0.1:0'}", "X-Forwarded-For: 10.0.0.1\r\n"), 404);
    assert_eq!(shown("{listen: '127.0.0.1:0', trusted_proxies: ['127.0.0.1']}", ""), 404);
    assert_eq!(shown("{listen: '127.0.0.1:0', admin: {metrics: false}}", ""), 404);
    assert_eq!(shown("{listen: '0.0.0.0:0', plaintext: true}", ""), 404);
}

#[test]
fn operators_have_an_address_of_their_own() {
    let home = tempfile::tempdir().expect("a home");
    let server = "{listen: '0.0.0.0:0', plaintext: true, admin: {listen: '127.0.0.1:0'}}";
    let serving = serve(home.path(), server);
    let admin =
        serving.greeting.lines().find_map(|line| line.trim().strip_prefix("admin  http://"));
    let admin = admin.expect("the greeting says where");
    assert!(metrics(admin).contains_key("legation_streams_open"));
    for (path, expected) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/a2a", 404),
        ("/.well-known/agent-card.json", 404),
        ("/tasks", 404),
    ] {
        assert_eq!(get(admin, path, "").0, expected, "{path}");
    }
    assert_eq!(get(admin, "/metrics", "Host: evil.example\r\n").0, 403);
    let taken =
        file(home.path(), &format!("{{listen: '127.0.0.1:0', admin: {{listen: '{admin}'}}}}"));
    let other = tempfile::tempdir().expect("a home");
    let output =
        run(other.path(), &["serve", &taken, "--data-dir", &other.path().display().to_string()]);
    let said = text(&output.stderr);
    assert!(said.contains("server.admin.listen"), "{said}");
}
