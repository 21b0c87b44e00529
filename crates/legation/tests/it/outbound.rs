//! By what way a server's own calls leave.

use crate::user::{Serving, run, text};
use crate::web::Web;

/// An endpoint that answers in one piece.
fn endpoint() -> Web {
    Web::start(|_, _, _| (200, r#"{"text":"from the endpoint"}"#.into()))
}

fn configuration(outbound: &str, url: &str) -> String {
    format!(
        "auth: none\noutbound: {outbound}\nagents:\n  far:\n    role: Far\n    goal: Be far\n    \
         runtime: {{ type: http, url: '{url}', stream: false }}\n"
    )
}

#[test]
fn calls_leave_by_the_proxy_and_into_networks_that_are_allowed() {
    let (near, proxy) = (endpoint(), endpoint());
    let here = &near.base;
    let by_proxy = format!("{{ proxy: '{}' }}", proxy.base.replace("//", "//user:s3cret@"));
    // The way, the endpoint, the exit code, and whether the endpoint and the proxy were asked.
    let cases = [
        ("{}", here.as_str(), 1, [0, 0]),
        ("{ allow_networks: [10.0.0.0/8] }", here, 1, [0, 0]),
        ("{ allow_networks: [127.0.0.1] }", here, 0, [1, 0]),
        (&by_proxy, "http://far.example/x", 0, [0, 1]),
        (&by_proxy, here, 1, [0, 0]),
        (&by_proxy, "http://far.internal/x", 1, [0, 0]),
    ];
    for (outbound, url, code, asked) in cases {
        let home = tempfile::tempdir().expect("a home");
        let file = home.path().join("legation.yaml");
        std::fs::write(&file, configuration(outbound, url)).expect("writable");
        let count = |web: &Web| web.heads.lock().expect("not poisoned").len();
        let before = [count(&near), count(&proxy)];
        let serving = Serving::start(home.path(), &[file.to_str().expect("a path in UTF-8")]);
        let output = run(home.path(), &["send", &serving.url, "x"]);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{outbound} {url}: {said}");
        let after = [count(&near) - before[0], count(&proxy) - before[1]];
        assert_eq!(after, asked, "{outbound} {url}: {said}");
    }
    let heads = proxy.heads.lock().expect("not poisoned");
    assert!(heads[0].starts_with("POST http://far.example/x "), "{}", heads[0]);
    // `user:s3cret` in base64.
    assert!(heads[0].contains("Basic dXNlcjpzM2NyZXQ="), "{}", heads[0]);
}

#[test]
fn a_way_that_is_none_is_told_without_its_password() {
    let home = tempfile::tempdir().expect("a home");
    let cases = [
        (
            "{ proxy: 'socks5://user:s3cret@p' }",
            "`outbound.proxy`: the address of a proxy begins with",
        ),
        (
            "{ proxy: 'http://p', no_proxy: ['*'] }",
            "`outbound.proxy`: `*` is neither a name nor a network",
        ),
        (
            "{ allow_networks: [10.1.2.3/8] }",
            "`outbound.allow_networks[0]`: expected an address or a network",
        ),
        ("{ allow: true }", "`outbound.allow`: there is no such key"),
    ];
    for (outbound, expected) in cases {
        let file = home.path().join("legation.yaml");
        std::fs::write(&file, configuration(outbound, "https://a.example")).expect("writable");
        let output = run(home.path(), &["check", file.to_str().expect("a path in UTF-8")]);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains(expected) && !said.contains("s3cret"), "{outbound}: {said}");
    }
}
