//! Agents by name, credentials by name, and the login of a person, as the command has them.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::user::{PATIENCE, lines_of, text};
use crate::web::Web;

/// An agent whose card has this scheme, and that answers whoever comes with this line in the head.
fn agent(scheme: &'static str, line: &'static str) -> Web {
    Web::start(move |base, head, _| {
        if head.contains("agent-card.json") {
            return (200, card(base, scheme));
        }
        if !head.to_ascii_lowercase().contains(&line.to_ascii_lowercase()) {
            return (401, "{}".into());
        }
        let message =
            r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hello you"}]}}"#;
        (200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{message}}}"#))
    })
}

fn card(base: &str, scheme: &str) -> String {
    format!(
        r#"{{"name":"n","description":"d","version":"1","capabilities":{{}},"skills":[],
        "defaultInputModes":[],"defaultOutputModes":[],
        "supportedInterfaces":[{{"url":"{base}/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}}],
        "securitySchemes":{{"s":{scheme}}},"securityRequirements":[{{"schemes":{{"s":{{"list":[]}}}}}}]}}"#
    )
}

fn legation(home: &Path, words: &[&str]) -> Command {
    let mut command = crate::user::legation(home, words);
    command.env("XDG_CONFIG_HOME", home).env("XDG_STATE_HOME", home.join("state"));
    command
}

fn write(home: &Path, profiles: &str) {
    std::fs::create_dir_all(home.join("legation")).expect("a directory");
    std::fs::write(home.join("legation/config.yaml"), profiles).expect("writable");
}

#[test]
fn a_name_stands_for_an_address_and_what_is_known_there() {
    const BEARER: &str = r#"{"httpAuthSecurityScheme":{"scheme":"bearer"}}"#;
    const KEY: &str = r#"{"apiKeySecurityScheme":{"location":"header","name":"X-Key"}}"#;
    const BASIC: &str = r#"{"httpAuthSecurityScheme":{"scheme":"basic"}}"#;
    let home = tempfile::tempdir().expect("a home");
    let (bearer, key) =
        (agent(BEARER, "Bearer from-the-file"), agent(KEY, "x-key: from a command"));
    // `user:from-a-variable` in base64.
    let basic = agent(BASIC, "Basic dXNlcjpmcm9tLWEtdmFyaWFibGU=");
    let profiles = format!(
        "agents:\n  bearer: {{ url: {}, credentials: [token] }}\n  key: {{ url: {}, credentials: [token, key] }}\n  \
         basic: {{ url: {}, credentials: [password], binding: JSONRPC }}\n  wrong: {{ url: {}, credentials: [token] }}\n\
         credentials:\n  token: {{ type: bearer, token: {{ file: token.txt }} }}\n  \
         key: {{ type: api_key, key: {{ command: 'echo from a command' }} }}\n  \
         password: {{ type: basic, user: user, password: {{ variable: THE_PASSWORD }} }}\n",
        bearer.base, key.base, basic.base, basic.base
    );
    write(home.path(), &profiles);
    std::fs::write(home.path().join("legation/token.txt"), "from-the-file\n").expect("writable");
    let cases = [
        ("bearer", 0, "hello you"),
        ("key", 0, "hello you"),
        ("basic", 0, "hello you"),
        ("wrong", 5, "a user name and a password (`s`)"),
        ("unknown", 2, "a name in your profiles"),
    ];
    for (name, code, expected) in cases {
        let mut command = legation(home.path(), &["send", name, "x"]);
        let output =
            command.env("THE_PASSWORD", "from-a-variable").env("PATH", "/usr/bin:/bin").output();
        let output = output.expect("the command starts");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!said.contains("from-"), "{name}: {said}");
    }
    let output =
        legation(home.path(), &["send", "basic", "x"]).output().expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is nothing in the variable THE_PASSWORD"));
    write(home.path(), "agents: { a: { url: nowhere } }");
    let output = legation(home.path(), &["send", "a", "x"]).output().expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("config.yaml:1:"), "{}", text(&output.stderr));
}

#[test]
fn a_person_logs_in_once_and_out_again() {
    const OIDC: &str =
        r#"{"openIdConnectSecurityScheme":{"openIdConnectUrl":"https://elsewhere.example"}}"#;
    let home = tempfile::tempdir().expect("a home");
    let agent = agent(OIDC, "Bearer the-token");
    let issuer = Web::start(|base, head, body| match head.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => (
            200,
            format!(
                r#"{{"issuer":"{base}","token_endpoint":"{base}/token","authorization_endpoint":"{base}/auth"}}"#
            ),
        ),
        Some("/token") if body.contains("code=the-code") && body.contains("code_verifier=") => {
            (200, r#"{"access_token":"the-token","token_type":"Bearer","expires_in":3600}"#.into())
        }
        _ => (404, "{}".into()),
    });
    let profiles = format!(
        "agents: {{ a: {{ url: '{}', credentials: [o] }} }}\ncredentials:\n  \
         o: {{ type: oauth, issuer: '{}', client_id: people, scopes: [openid] }}\n",
        agent.base, issuer.base
    );
    write(home.path(), &profiles);
    let send = || {
        let output =
            legation(home.path(), &["send", "a", "x"]).output().expect("the command starts");
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = send();
    assert!(code == Some(5) && said.contains("login a` does that"), "{code:?} {said}");

    let mut login = legation(home.path(), &["login", "a", "--no-browser"]);
    let mut login = login.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = lines_of(login.stderr.take().expect("piped"));
    let url = loop {
        let line = lines.recv_timeout(PATIENCE).expect("an address");
        if let Some(url) = line.trim().strip_prefix("http://") {
            break format!("http://{url}");
        }
    };
    let url = url::Url::parse(&url).expect("a URL");
    let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let back = url::Url::parse(&asked["redirect_uri"]).expect("a URL");
    let mut socket =
        TcpStream::connect(back.socket_addrs(|| None).expect("a number")[0]).expect("it listens");
    write!(socket, "GET /callback?code=the-code&state={} HTTP/1.1\r\n\r\n", asked["state"])
        .expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("You are logged in"), "{answer}");
    assert!(login.wait().expect("it ends").success());

    for _ in 0..2 {
        let (code, said) = send();
        assert!(code == Some(0) && said.contains("hello you"), "{code:?} {said}");
    }
    let tokens = home.path().join("state/legation/tokens");
    for file in tokens.read_dir().expect("a directory").flatten() {
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
    let asked = issuer
        .heads
        .lock()
        .expect("not poisoned")
        .iter()
        .filter(|it| it.contains("/token"))
        .count();
    assert_eq!(asked, 1);
    let output = legation(home.path(), &["logout", "a"]).output().expect("the command starts");
    assert!(text(&output.stdout).contains("forgot the tokens for a"), "{}", text(&output.stderr));
    assert_eq!(send().0, Some(5));
}
