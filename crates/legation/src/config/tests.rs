//! Every fault with its exact words, and what good files become.

mod agents;
mod any;
mod doors;
mod written;

use std::path::Path;

use legation::{AnswerIn, Binding, Needs, OnRestart};
use serde_json::json;

use super::keys::Served;
use super::*;

const AGENT: &str = "agents: {a: {role: R, runtime: {type: analyst}}}\n";

fn environment(name: &str) -> Option<String> {
    let known = [("PORT", "8099"), ("EMPTY", ""), ("TOKEN", "4f1a9c0d7be2836655aa0e1d9c3b7f42")];
    known.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

fn load_text(text: &str) -> Result<(Given, Resolved), Faults> {
    read("f.yaml", text, &environment, &Overrides::default())
}

fn good(text: &str) -> (Given, Resolved) {
    load_text(text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

fn faults(text: &str) -> String {
    load_text(text).err().map(|faults| faults.to_string()).unwrap_or_default()
}

/// Checks what is said of a file that ends with a good agent.
#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(faults(&format!("{text}{AGENT}")), expected, "{text}");
}

/// Checks what is said of an agent with these keys, indented by four.
#[track_caller]
fn check_agent(keys: &str, expected: &str) {
    let text = format!("agents:\n  a:\n    role: R\n{keys}");
    assert_eq!(faults(&text), expected, "{text}");
}

#[test]
fn keys_that_are_not_there() {
    check("sever: {}\n", "f.yaml:1:1: `sever`: there is no such key here; did you mean `server`?");
    check(
        "quux: 1\n",
        "f.yaml:1:1: `quux`: there is no such key here; there are `server`, `store`, `auth`, \
         `contexts`, `audit`, `limits`, `outbound`, `crew`, `agents`",
    );
    check(
        "server:\n  publicURL: http://a\n",
        "f.yaml:2:3: `server.publicURL`: there is no such key here; did you mean `public_url`?",
    );
    check(
        "server:\n  bounds:\n    hearbeat: 5s\n",
        "f.yaml:3:5: `server.bounds.hearbeat`: there is no such key here; did you mean `heartbeat`?",
    );
    check_agent(
        "    golas: x\n    runtime: {type: analyst}\n",
        "f.yaml:4:5: `agents.a.golas`: there is no such key here; did you mean `goal`?",
    );
    check_agent(
        "    runtime: {type: analyst, model: x}\n",
        "f.yaml:4:30: `agents.a.runtime.model`: there is no such key here; there is none",
    );
}

#[test]
fn values_of_the_wrong_kind() {
    check("server: 7\n", "f.yaml:1:9: `server`: expected keys with their values, not `7`");
    check("server: [a]\n", "f.yaml:1:9: `server`: expected keys with their values, not a list");
    check(
        "server: {listen: localhost}\n",
        "f.yaml:1:18: `server.listen`: expected an address and a port such as `127.0.0.1:8080`, \
         not `localhost`",
    );
    check(
        "server: {listen: }\n",
        "f.yaml:1:16: `server.listen`: expected an address and a port such as `127.0.0.1:8080`, \
         but nothing is there",
    );
    check(
        "server: {public_url: 'https://user:secret@a.example'}\n",
        "f.yaml:1:22: `server.public_url`: expected an address such as \
         `https://agents.example.com`, without a password in it, \
         not `https://user:secret@a.example`",
    );
    check(
        "server: {trusted_proxies: 10.0.0.0/8}\n",
        "f.yaml:1:27: `server.trusted_proxies`: expected a list, not `10.0.0.0/8`",
    );
    check(
        "server:\n  trusted_proxies:\n    - 10.0.0.0/8\n    - 10.0.0.0/99\n",
        "f.yaml:4:7: `server.trusted_proxies[1]`: expected an address or a network such as \
         `10.0.0.0/8` or `fd00::/8`, not `10.0.0.0/99`",
    );
    check(
        "server: {hosts: ['a.example:80']}\n",
        "f.yaml:1:18: `server.hosts[0]`: expected a host name without a port, not `a.example:80`",
    );
    check(
        "server: {versions: {missing_header: infr}}\n",
        "f.yaml:1:37: `server.versions.missing_header`: expected `strict` or `infer`, not `infr`; \
         did you mean `infer`?",
    );
    check(
        "server: {errors: tck}\n",
        "f.yaml:1:18: `server.errors`: expected `1.0.1` or `tck-1.0.0`, not `tck`",
    );
    check(
        "server: {interfaces: [JSONRPC]}\n",
        "f.yaml:1:23: `server.interfaces[0]`: expected a binding and a version such as \
         `JSONRPC 1.0` or `HTTP+JSON 0.3`, not `JSONRPC`",
    );
    check(
        "server: {interfaces: []}\n",
        "f.yaml:1:22: `server.interfaces`: at least one interface is needed",
    );
    check(
        "server: {bounds: {idle: 75}}\n",
        "f.yaml:1:25: `server.bounds.idle`: expected a time such as `30s`, `5m`, `1h` or `30d`, \
         not `75`",
    );
    check(
        "server: {bounds: {idle: 0s}}\n",
        "f.yaml:1:25: `server.bounds.idle`: expected a time such as `30s`, `5m`, `1h` or `30d`, \
         not `0s`",
    );
    check(
        "server: {bounds: {buffer: 1KiB}}\n",
        "f.yaml:1:27: `server.bounds.buffer`: expected a size such as `64KiB`, at least `8KiB`, \
         not `1KiB`",
    );
    check(
        "server: {bounds: {h2_streams: 5000000000}}\n",
        "f.yaml:1:31: `server.bounds.h2_streams`: expected a whole number from 1, not `5000000000`",
    );
    check(
        "limits: {runs: many}\n",
        "f.yaml:1:16: `limits.runs`: expected a whole number from 1, not `many`",
    );
    check(
        "limits: {runs: \"5\"}\n",
        "f.yaml:1:16: `limits.runs`: expected a whole number from 1, not `5`",
    );
    check(
        "limits: {runs: {a: 1}}\n",
        "f.yaml:1:16: `limits.runs`: expected a whole number from 1, not a mapping",
    );
    check(
        "limits: {task_bytes: 12 MiBi}\n",
        "f.yaml:1:22: `limits.task_bytes`: expected a size such as `64KiB` or `1GiB`, not `12 MiBi`",
    );
    check(
        "contexts: {keep: forever}\n",
        "f.yaml:1:18: `contexts.keep`: expected a time such as `30s`, `5m`, `1h` or `30d`, \
         not `forever`",
    );
    check_agent(
        "    goal: 1.50\n    runtime: {type: analyst}\n",
        "f.yaml:4:11: `agents.a.goal`: expected text, not `1.50`; put it in quotes",
    );
    check_agent(
        "    exposed: yes\n    runtime: {type: analyst}\n",
        "f.yaml:4:14: `agents.a.exposed`: expected `true` or `false`, not `yes`",
    );
    check_agent(
        "    card: [1]\n    runtime: {type: analyst}\n",
        "f.yaml:4:11: `agents.a.card`: expected keys with their values, not a list",
    );
}

#[test]
fn variables_that_are_not_set() {
    check(
        "server: {listen: '127.0.0.1:${NO_PORT}'}\n",
        "f.yaml:1:18: `server.listen`: the variable `NO_PORT` is not set; set it, or write \
         `${NO_PORT:-default}`",
    );
    check(
        "crew: {name: '${a b}'}\n",
        "f.yaml:1:14: `crew.name`: a variable looks like `${NAME}` or `${NAME:-default}`; the text \
         `${` itself is `$${`",
    );
    // What a variable holds may be a secret, so it is not said.
    check(
        "limits: {runs: '${TOKEN}'}\n",
        "f.yaml:1:16: `limits.runs`: expected a whole number from 1, not `${TOKEN}`",
    );
    check("crew: {name: '${EMPTY}'}\n", "f.yaml:1:14: `crew.name`: expected text, not `${EMPTY}`");
}

#[test]
fn what_does_not_exist_yet_is_refused() {
    let later = [
        ("llm: gpt-4o", "models for agents"),
        ("a2a: {client: {endpoint: x}}", "agents that call other agents"),
        ("a2a: {server: {security: []}}", "requirements of its own for an agent"),
        ("a2a: {server: {security_schemes: {}}}", "schemes of its own for an agent"),
        (
            "a2a: {server: {signing_config: {key: x}}}",
            "keys of its own for an agent; those of `server.signing` sign all cards",
        ),
        (
            "a2a: {server: {signatures: []}}",
            "signatures made elsewhere; `server.signing` makes them",
        ),
        (
            "a2a: {server: {server_extensions: []}}",
            "extensions from a file (in Rust there is `Server::extension`)",
        ),
        ("a2a: {server: {push_notifications: {}}}", "push notifications"),
        ("a2a: {server: {transport: {grpc: {path: /x}}}}", "paths of its own for a binding"),
        ("a2a: {server: {transport: {jsonrpc: {path: /x}}}}", "paths of its own for a binding"),
    ];
    for (keys, what) in later {
        let said = faults(&format!("agents:\n  a:\n    {keys}\n    runtime: {{type: analyst}}\n"));
        let end = format!("`: not available yet: {what}; leave it out");
        assert!(said.starts_with("f.yaml:3:") && said.ends_with(&end), "{keys}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    let fixed = [
        ("capabilities: {push_notifications: true}", "expected `false`, because push"),
        ("capabilities: {streaming: false}", "expected `true`, because every agent is streamed"),
        (
            "transport: {http_json: {enabled: false}}",
            "expected `true`, because switching a binding",
        ),
        ("preferred_transport: CORBA", "expected `JSONRPC`, `HTTP+JSON` or `GRPC`, not `CORBA`"),
    ];
    for (keys, what) in fixed {
        let text =
            format!("agents: {{a: {{runtime: {{type: analyst}}, a2a: {{server: {{{keys}}}}}}}}}");
        let said = faults(&text);
        assert!(said.starts_with("f.yaml:1:") && said.contains(what), "{keys}: {said}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_in_one_go() {
    let text = "server:\n  lisen: 1\n  card: v7\nlimits:\n  runs: 0\n  runs: 1\nagents:\n  B: {}\n  c:\n    runtime: {type: exec, comand: x}\n";
    let said = faults(text);
    let lines: Vec<_> = said.lines().map(|line| line.split(": ").next()).collect();
    let places = [(2, 3), (3, 9), (5, 9), (6, 3), (8, 3), (8, 6), (9, 3), (10, 14), (10, 27)];
    let places = places.map(|(line, column)| format!("f.yaml:{line}:{column}"));
    assert_eq!(lines, places.each_ref().map(|place| Some(&**place)), "{said}");
}

#[test]
fn a_file_says_what_is_served() {
    let text = "
server:
  listen: 127.0.0.1:${PORT}
  public_url: ${URL:-https://agents.example.com}
store: sqlite:tasks
auth: {schemes: [{type: simple_token, token: '${TOKEN}'}]}
agents:
  second-to-none:
    role: Researcher
    goal: Find things
    backstory: Has read everything
    tools: [search, {name: CSV Search, description: Searches in tables}]
    on_restart: retry
    answer_in: artifact
    runtime:
      type: exec
      command: python3 'my agent.py'
      cwd: work
      env: {allow: [PATH], set: {A: b}}
    a2a:
      server:
        protocol_version: 0.3.0
        transport: {preferred: HTTP+JSON}
        additional_interfaces: [{url: 'a.example:443', transport: GRPC}]
        documentation_url: https://a.example/docs
        provider: {organization: O, url: https://o.example}
    card: {iconUrl: https://a.example/i.png}
  hidden: {exposed: false, role: H, runtime: {type: http, url: http://127.0.0.1:9}}
  data: {runtime: {type: analyst}}
";
    let (given, resolved) = good(text);
    assert_eq!(resolved.listen(), "127.0.0.1:8099");
    assert_eq!(resolved.public_url(), Some("https://agents.example.com"));
    assert_eq!(resolved.tokens().count(), 1);
    assert_eq!(given.token_variable().as_deref(), Some("TOKEN"));
    assert!(resolved.data_dir.path().is_absolute() && resolved.data_dir.path().ends_with("tasks"));
    let slugs: Vec<_> = resolved.agents.iter().map(|agent| &*agent.profile.slug).collect();
    assert_eq!(slugs, ["second-to-none", "data"]);
    let ResolvedAgent { profile, runtime, on_restart } = &resolved.agents[0];
    assert_eq!(profile.description, "Find things. Has read everything.");
    assert_eq!(
        profile.skills.iter().map(|skill| &*skill.id).collect::<Vec<_>>(),
        ["search", "csv-search"]
    );
    assert_eq!((profile.answer_in, *on_restart), (AnswerIn::Artifact, Some(OnRestart::Retry)));
    let listed = |at: usize| profile.card["supportedInterfaces"][at].clone();
    let http = Binding::HttpJson.name();
    assert_eq!(listed(0), json!({"url": "", "protocolBinding": http, "protocolVersion": "0.3"}));
    assert_eq!(
        listed(6),
        json!({"url": "a.example:443", "protocolBinding": "GRPC", "protocolVersion": "1.0"})
    );
    assert_eq!(profile.card["iconUrl"], "https://a.example/i.png");
    let Runtime::Exec(exec) = runtime else { panic!("{runtime:?}") };
    assert_eq!(exec.command, ["python3", "my agent.py"]);
    let cwd = exec.cwd.as_deref().map(Path::new).expect("resolved");
    assert!(cwd.is_absolute() && cwd.ends_with("work"));
    let analyst = &resolved.agents[1].profile;
    assert_eq!((&*analyst.name, &*analyst.skills[0].id), ("Data Analyst", "analyze_csv"));
}

#[test]
fn every_value_knows_its_origin_and_secrets_are_masked() {
    let text = format!(
        "server: {{listen: '127.0.0.1:${{PORT}}'}}\nstore: sqlite:t\nauth: {{schemes: [{{type: simple_token, token: '${{TOKEN}}'}}]}}\n{AGENT}"
    );
    let overrides = Overrides { public_url: Some("https://a".into()), ..Overrides::default() };
    let (given, _) = read("f.yaml", &text, &environment, &overrides).expect("good");
    let explained = explain(&given);
    let find = |key: &str| {
        let value = explained.iter().find(|value| value.key == key).expect("explained");
        let (text, source) = (value.text.clone(), value.source.clone().unwrap_or_default());
        format!("{text} {} {source} {}", value.origin, value.variables.join(","))
    };
    assert_eq!(find("server.listen"), "127.0.0.1:8099 file f.yaml:1 PORT");
    assert_eq!(find("server.public_url"), "https://a flag --public-url ");
    assert_eq!(find("server.card"), "hybrid default  ");
    assert_eq!(find("store.path"), "t file f.yaml:2 ");
    assert_eq!(find("auth.schemes[0].token"), "•••••• file f.yaml:3 TOKEN");
    assert_eq!(find("limits.task_bytes"), "256MiB default  ");
    assert_eq!(find("agents.a.role"), "R file f.yaml:4 ");
    let all = format!("{explained:?} {given:?}");
    assert!(!all.contains("4f1a9c0d"), "{all}");
}

#[test]
fn servers_of_nats_keep_their_passwords() {
    let nats = "{servers: ['nats://u:hidden@h', 'tls://h'], credentials: c.creds}";
    let text = format!("store: {{postgres: {{url: 'postgres://h/d', nats: {nats}}}}}\n{AGENT}");
    let (given, resolved) = good(&text);
    let all = format!("{:?} {given:?} {resolved:?}", explain(&given));
    assert!(all.contains("c.creds") && !all.contains("hidden"), "{all}");
}

#[test]
fn only_agents_change_without_a_restart() {
    let (old, _) = good(&format!("store: sqlite:t\n{AGENT}"));
    let with = |text: &str| {
        let (new, _) = good(text);
        old.needs_restart(&new).map(|faults| faults.to_string()).unwrap_or_default()
    };
    assert_eq!(with("store: sqlite:t\nagents: {b: {role: S, runtime: {type: analyst}}}\n"), "");
    assert_eq!(
        with(&format!("store: sqlite:u\nserver: {{listen: '127.0.0.1:9'}}\n{AGENT}")),
        "f.yaml:1:8: `store.path`: a change of this needs a restart of the server\n\
         f.yaml:2:18: `server.listen`: a change of this needs a restart of the server"
    );
    assert_eq!(
        with(&format!("store: sqlite:t\nauth: none\n{AGENT}")).lines().count(),
        10,
        "the door, and what it was"
    );
}
