//! Every fault with its exact words, and what good files become.

use std::path::Path;

use legation::{AnswerIn, Binding, Needs, OnRestart};
use proptest::prelude::*;
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
         `contexts`, `audit`, `limits`, `crew`, `agents`",
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
fn stores_and_doors() {
    let other = "expected `sqlite:` with the path of a directory (other stores are not available \
                 yet), not";
    check(
        "store: postgres://u@h/db\n",
        &format!("f.yaml:1:8: `store`: {other} `postgres://u@h/db`"),
    );
    check("store: 'sqlite:'\n", &format!("f.yaml:1:8: `store`: {other} `sqlite:`"));
    check("auth: nobody\n", "f.yaml:1:7: `auth`: expected `none`, not `nobody`");
    check("auth: {}\n", "f.yaml:1:7: `auth.schemes`: missing: The ways to authenticate");
    check(
        "auth: {schemes: []}\n",
        "f.yaml:1:17: `auth.schemes`: at least one is needed; `auth: none` lets everybody in",
    );
    check(
        "auth: {schemes: [{token: x}]}\n",
        "f.yaml:1:18: `auth.schemes[0].type`: missing: `simple_token`, `oidc`, `oauth2`, \
         `api_key`, `mtls`, `enterprise_token` or `integration_token`",
    );
    check(
        "auth: {schemes: [{type: simpletoken}]}\n",
        "f.yaml:1:25: `auth.schemes[0].type`: expected `simple_token`, `oidc`, `oauth2`, \
         `api_key`, `mtls`, `enterprise_token` or `integration_token`, not `simpletoken`; did you mean `simple_token`?",
    );
    check(
        "auth: {schemes: [{type: oidc, issuer: https://a}]}\n",
        "f.yaml:1:18: `auth.schemes[0].audience`: missing: Tokens for one of these are taken, and no others",
    );
    check(
        "auth: {schemes: [simple_token]}\n",
        "f.yaml:1:18: `auth.schemes[0]`: expected keys with their values, `type` among them, \
         not `simple_token`",
    );
    let token =
        "expected a token of 32 bytes or more in one word; `openssl rand -hex 32` makes one";
    for secret in ["secret", "1234", "[a]"] {
        check(
            &format!("auth: {{schemes: [{{type: simple_token, token: {secret}}}]}}\n"),
            &match secret {
                "[a]" => format!("f.yaml:1:46: `auth.schemes[0].token`: {token}, not a list"),
                _ => format!("f.yaml:1:46: `auth.schemes[0].token`: {token}"),
            },
        );
    }
    check(
        "auth: {schemes: [{type: simple_token}, {type: simple_token, token: '${TOKEN}'}]}\n",
        "f.yaml:1:17: `auth.schemes`: of several tokens each needs a `token` of its own",
    );
    check(
        "auth: none\nserver: {listen: '0.0.0.0:80'}\n",
        "f.yaml:1:7: `auth`: without authentication the server listens on loopback only, not on \
         `0.0.0.0:80`",
    );
}

#[test]
fn a_door_to_everybody_is_opened_in_words() {
    let plain = "f.yaml:1:18: `server.listen`: `0.0.0.0:80` is not loopback: without `tls` this \
        would be for everyone on the way to read and change; `plaintext: true` says that something \
        else sees to it";
    check("server: {listen: '0.0.0.0:80'}\n", plain);
    good(&format!("server: {{listen: '0.0.0.0:80', plaintext: true}}\n{AGENT}"));
    let tls = |more: &str| {
        format!("server: {{listen: '0.0.0.0:80', tls: {{certificate: c, key: k{more}}}}}\n")
    };
    good(&format!("{}{AGENT}", tls("")));
    good(&format!("{}{AGENT}", tls(", client_auth: optional, client_ca: a, client_crl: r")));
    check(
        &tls(", client_auth: required"),
        "f.yaml:1:37: `server.tls.client_ca`: missing: the authorities whose certificates callers \
         show",
    );
    check(
        &tls(", client_ca: a"),
        "f.yaml:1:73: `server.tls.client_ca`: without `client_auth` no certificates of callers are \
         asked for",
    );
    check(
        "server: {cors: {origins: ['*']}}\n",
        "f.yaml:1:27: `server.cors.origins[0]`: expected an origin such as \
         `https://console.example.com`, nothing behind it, not `*`",
    );
    good(&format!("server: {{cors: {{origins: ['http://localhost:3000']}}}}\n{AGENT}"));
}

#[test]
fn schemes_that_cannot_be() {
    let good = "4f1a9c0d7be2836655aa0e1d9c3b7f42";
    let cases = [
        (
            "{type: simple_token, token: changeme-changeme-changeme-changeme}",
            "token`: the token is one of those that stand in examples",
        ),
        (
            "{type: api_key, api_key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
            "api_key`: a token is random text, and this one has hardly any different letters",
        ),
        ("{type: api_key}", "api_key`: missing: The key, of 32 bytes at least"),
        (
            "{type: oidc, issuer: 'http://a.example', audience: [us]}",
            "issuer`: needs `https`; on a private network say `private_network: true`",
        ),
        (
            "{type: oidc, issuer: 'https://a.example', audience: []}",
            "audience`: missing: whom the tokens have to be for",
        ),
        (
            "{type: oauth2, token_url: 'https://a.example', audience: [us]}",
            "issuer`: missing: signed tokens need it; or name an `introspection_url`",
        ),
        (
            "{type: oidc, issuer: 'https://a.example', audience: [us], algorithms: [HS256]}",
            "algorithms[0]`: expected `RS256`",
        ),
        (
            "{type: oauth2, token_url: 'https://a.example', audience: any}",
            "audience`: missing: whom the tokens have to be for",
        ),
        (
            "{type: oauth2, token_url: 'https://a.example', introspection_url: 'https://a.example', audience: []}",
            "audience`: missing: whom the tokens have to be for",
        ),
        (
            "{type: oauth2, token_url: 'https://a.example', introspection_url: 'https://a.example'}",
            "audience`: missing: Tokens for one of these",
        ),
        (
            "{type: enterprise_token, verify_url: 'https://a.example', audience: all}",
            "audience`: expected `any`",
        ),
        (
            "{type: integration_token, remember: 6s}",
            "remember`: at most `5s`, because a revoked token counts for as long",
        ),
        ("{type: mtls, proxies: [all]}", "proxies[0]`: expected an address or a network"),
    ];
    for (scheme, expected) in cases {
        let said = faults(&format!("auth: {{schemes: [{scheme}]}}\n{AGENT}"));
        assert!(said.contains(&format!("`auth.schemes[0].{expected}")), "{scheme}: {said}");
        assert!(!said.contains("aaaa") && !said.contains("changeme"), "{said}");
    }
    let twice = format!(
        "auth: {{schemes: [{{type: simple_token, token: {good}}}, {{type: api_key, api_key: {good}}}]}}\n{AGENT}"
    );
    let said = faults(&twice);
    assert!(said.contains("[1].api_key`: the same secret stands for somebody else"), "{said}");
    let one_person = format!(
        "auth: {{schemes: [{{type: simple_token, token: {good}}}, {{type: api_key, api_key: {good}x}}]}}\n{AGENT}"
    );
    let said = faults(&one_person);
    assert!(said.contains("[1].subject`: missing: its bearer would be the same person"), "{said}");
    let unknown = AGENT.replace("role: R", "role: R, a2a: {server: {auth: [oidk]}}");
    let said = faults(&format!(
        "auth: {{schemes: [{{type: oidc, issuer: 'https://a.example', audience: [us]}}]}}\n{unknown}"
    ));
    assert!(said.contains("there is no scheme `oidk`; did you mean `oidc`?"), "{said}");
}

#[test]
fn a_proxy_that_is_not_named_is_wondered_at() {
    let tls = "tls: {certificate: c.pem, key: k.pem}";
    let cases = [
        ("", None),
        ("public_url: 'https://a.example'", Some("server.public_url")),
        ("listen: '0.0.0.0:80', plaintext: true", Some("server.plaintext")),
        ("public_url: 'https://a.example', trusted_proxies: [10.0.0.0/8]", None),
        (&format!("public_url: 'https://a.example', {tls}"), None),
    ];
    for (server, expected) in cases {
        let text = format!("server: {{{server}}}\n{AGENT}");
        let (_, resolved) = read("f.yaml", &text, &environment, &Overrides::default())
            .unwrap_or_else(|faults| panic!("{faults}"));
        let doubts = resolved.doubts();
        assert_eq!(doubts.is_some(), expected.is_some(), "{server}: {doubts:?}");
        assert!(doubts.unwrap_or_default().contains(expected.unwrap_or_default()), "{server}");
    }
}

/// Every kind of scheme at once makes a door, and an agent may take some of them only.
#[test]
fn schemes_of_every_kind() {
    let text = "auth:
  schemes:
    - { type: oidc, issuer: 'https://i.example', audience: [us], scopes: { 'a2a.read': [read] } }
    - { type: mtls, proxies: [10.0.0.0/8] }
    - { type: oauth2, token_url: 'https://t.example/token', introspection_url: 'https://t.example/ask', audience: [us], client_id: me, client_secret: hush }
    - { type: oauth2, token_url: 'https://u.example/token', issuer: 'https://u.example', audience: [us] }
    - { type: enterprise_token, verify_url: 'https://v.example', audience: any, prefix: ent_ }
    - { type: integration_token, remember: 1s }
    - { type: simple_token, token: '${TOKEN}', subject: ann, tenant: acme, scopes: [read], agents: [a] }
    - { type: api_key, name: X-Key, api_key: 8d2f7c1b9e0a4635f1c2d3e4b5a69788, subject: eve }
    - { type: api_key, name: x-key, api_key: 9d2f7c1b9e0a4635f1c2d3e4b5a69788, subject: bob }
    - { type: api_key, name: key, location: query, api_key: 7d2f7c1b9e0a4635f1c2d3e4b5a69788 }
    - { type: api_key, name: Key, location: query, api_key: 6d2f7c1b9e0a4635f1c2d3e4b5a69788, tenant: acme }
agents: {a: {role: R, runtime: {type: analyst}, a2a: {server: {auth: [apiKey, oidc]}}}}
";
    let (given, resolved) = read("f.yaml", text, &environment, &Overrides::default())
        .unwrap_or_else(|faults| panic!("{faults}"));
    let names = door::names(&given.config.auth);
    let names: Vec<_> = names.iter().map(|name| &**name).collect();
    let expected = [
        "oidc",
        "mtls",
        "oauth2",
        "oauth2-2",
        "enterprise",
        "integration",
        "bearer",
        "apiKey",
        "apiKey",
        "apiKey-2",
        // Names of parameters have a case, those of headers have none.
        "apiKey-3",
    ];
    assert_eq!(names, expected);
    let schemes = resolved.agents[0].profile.schemes.clone().expect("some only");
    assert_eq!(&*schemes, ["apiKey".into(), "oidc".into()]);
    assert!(resolved.server().is_ok());
    let shown = format!("{given:?} {:?}", door::door(&given.config.auth).expect("a door"));
    for secret in ["hush", "7c1b9e0a", "4f1a9c0d"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
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
fn agents_that_cannot_be() {
    assert_eq!(
        faults(""),
        "f.yaml:1:1: `agents`: missing: The agents by their names in addresses, the default one first"
    );
    assert_eq!(faults("agents: {}\n"), "f.yaml:1:9: `agents`: at least one agent is needed");
    assert_eq!(
        faults("agents: [a]\n"),
        "f.yaml:1:9: `agents`: expected names with their values, not a list"
    );
    assert_eq!(
        faults("agents:\n  a: {exposed: false, runtime: {type: analyst}}\n"),
        "f.yaml:2:3: `agents`: none of the agents is exposed, so there is nothing to serve"
    );
    assert_eq!(
        faults("agents:\n  Data Analyst: {runtime: {type: analyst}}\n"),
        "f.yaml:2:3: `agents.Data Analyst`: `Data Analyst` cannot be an agent's name in addresses: \
         a slug has lower-case letters a-z, digits, and hyphens between them"
    );
    assert_eq!(
        faults("agents:\n  callback: {runtime: {type: analyst}}\n"),
        "f.yaml:2:3: `agents.callback`: `callback` cannot be an agent's name in addresses: the name is \
         reserved for a path of the server; give the agent another slug"
    );
    check_agent("    goal: G\n", "f.yaml:3:5: `agents.a.runtime`: missing: What does its work");
    check_agent(
        "    runtime: exec\n",
        "f.yaml:4:14: `agents.a.runtime`: expected keys with their values, `type` among them, not \
         `exec`",
    );
    check_agent(
        "    runtime: {type: exce, command: x}\n",
        "f.yaml:4:21: `agents.a.runtime.type`: expected `analyst`, `exec`, `http`, `openai` or \
         `remote`, not `exce`; did you mean `exec`?",
    );
    check_agent(
        "    runtime: {type: remote}\n",
        "f.yaml:4:21: `agents.a.runtime.type`: not available yet: agents elsewhere; leave it out",
    );
    check_agent(
        "    runtime: {type: exec}\n",
        "f.yaml:4:14: `agents.a.runtime.command`: missing: The program and its arguments: a \
         list, or a text that is split into words; no shell is involved",
    );
    check_agent(
        "    runtime: {type: exec, command: \"sh -c 'x\"}\n",
        "f.yaml:4:36: `agents.a.runtime.command`: expected a program with its arguments, such as \
         `python3 agent.py`, not `sh -c 'x`",
    );
    check_agent(
        "    runtime: {type: exec, command: []}\n",
        "f.yaml:4:36: `agents.a.runtime.command`: the program is missing",
    );
    check_agent(
        "    runtime: {type: exec, command: x, credentials: ['x key']}\n",
        "f.yaml:4:53: `agents.a.runtime.credentials[0]`: expected the name of a header such as \
         `Authorization`, not `x key`",
    );
    check_agent(
        "    runtime: {type: exec, command: x, line: 1GiB, schema_attempts: 0}\n",
        "f.yaml:4:45: `agents.a.runtime.line`: expected a size such as `1MiB`, from `4KiB` to \
         `64MiB`, not `1GiB`\n\
         f.yaml:4:68: `agents.a.runtime.schema_attempts`: expected a whole number from 1 to 10, \
         not `0`",
    );
    check_agent(
        "    runtime: {type: exec, command: x, history: {of: all}}\n",
        "f.yaml:4:53: `agents.a.runtime.history.of`: expected `task` or `context`, not `all`",
    );
    check_agent(
        "    runtime: {type: exec, command: x, workers: 2}\n",
        "f.yaml:4:48: `agents.a.runtime.workers`: only `mode: pool` has workers",
    );
    check_agent(
        "    runtime: {type: exec, command: x, env: {set: {a-b: c}, allow: [$HOME]}}\n",
        "f.yaml:4:51: `agents.a.runtime.env.set.a-b`: `a-b` is not the name of an environment \
         variable\nf.yaml:4:68: `agents.a.runtime.env.allow[0]`: expected the name of an \
         environment variable, not `$HOME`",
    );
    check_agent(
        "    runtime: {type: http, url: http://a, headers: {'a b': c}}\n",
        "f.yaml:4:52: `agents.a.runtime.headers.a b`: `a b` is not the name of a header",
    );
    check_agent(
        "    runtime: {type: openai, url: ftp://a, api_key: \"a\\nb\"}\n",
        "f.yaml:4:14: `agents.a.runtime.model`: missing: The name of the model\n\
         f.yaml:4:34: `agents.a.runtime.url`: expected an address such as \
         `https://agents.example.com`, without a password in it, not `ftp://a`\n\
         f.yaml:4:52: `agents.a.runtime.api_key`: expected printable text in one line",
    );
    assert_eq!(
        faults("agents:\n  a: {runtime: {type: exec, command: x}}\n"),
        "f.yaml:2:3: `agents.a.role`: missing: what the agent is"
    );
}

#[test]
fn cards_that_are_none() {
    let card =
        |keys: &str| format!("    runtime: {{type: analyst}}\n    a2a:\n      server:\n{keys}");
    check_agent(
        "    runtime: {type: analyst}\n    card:\n      skills:\n        - id: 1\n",
        "f.yaml:7:15: `agents.a.card.skills[0].id`: this makes the card none of A2A 1.0: invalid \
         type: integer `1`, expected a string",
    );
    check_agent(
        "    runtime: {type: analyst}\n    card: {preferredTransport: JSONRPC}\n",
        "f.yaml:5:32: `agents.a.card.preferredTransport`: this makes the card none of A2A 1.0: \
         there is no such member in A2A 1.0",
    );
    check_agent(
        &card(
            "        skills: [{id: a, name: A, description: D}, {id: a, name: B, description: D}]\n",
        ),
        "f.yaml:7:57: `agents.a.a2a.server.skills[1].id`: there is a skill `a` already",
    );
    check_agent(
        &card("        skills: [{id: a, name: A}]\n"),
        "f.yaml:7:18: `agents.a.a2a.server.skills[0].description`: missing: What it does",
    );
    check_agent(
        &card("        default_input_modes: [text]\n        default_output_modes: []\n"),
        "f.yaml:7:31: `agents.a.a2a.server.default_input_modes[0]`: expected a media type such as \
         `text/plain` or `image/*`, not `text`\nf.yaml:8:31: \
         `agents.a.a2a.server.default_output_modes`: at least one media type is needed",
    );
    check_agent(
        &card("        preferred_transport: JSONRPC\n        transport: {preferred: HTTP+JSON}\n"),
        "f.yaml:7:30: `agents.a.a2a.server.preferred_transport`: `transport.preferred` says \
         otherwise; leave this older word out",
    );
    check_agent(
        &card("        protocol_version: 0.9\n        provider: {organization: O}\n"),
        "f.yaml:7:27: `agents.a.a2a.server.protocol_version`: expected `1.0`, `0.3`, `0.2` or \
         `0.1`, not `0.9`\nf.yaml:8:19: `agents.a.a2a.server.provider.url`: missing: Their \
         site",
    );
}

#[test]
fn skills_may_be_for_some_callers() {
    let server = |keys: &str| {
        format!("agents:\n  a:\n    runtime: {{type: analyst}}\n    a2a:\n      server:\n{keys}")
    };
    let (_, resolved) = good(&server(
        "        skills:\n          - {id: x, name: X, description: d}\n          - {id: y, name: Y, \
         description: d, scopes: [pay, go], roles: [lead]}\n        extended_skills:\n          - \
         {id: z, name: Z, description: d, allow: caller.tenant == 'acme'}\n        without_skill: \
         {}\n",
    ));
    let access = &resolved.agents[0].profile.access;
    let needs: Vec<_> = access.needs.iter().map(|(id, needs)| format!("{id} {needs:?}")).collect();
    let expected = [
        r#"y Needs { scopes: ["pay", "go"], roles: ["lead"], allow: None }"#,
        r#"z Needs { scopes: [], roles: [], allow: Some(Expression("caller.tenant == 'acme'")) }"#,
    ];
    assert_eq!(needs, expected);
    assert_eq!(access.extended_skills[0].tags, ["a"]);
    assert!(access.extended_card, "which follows from there being such skills");
    assert_eq!(access.without_skill, Some(Needs::default()));
    let (_, resolved) = good(&server("        supports_authenticated_extended_card: true\n"));
    assert!(resolved.agents[0].profile.access.extended_card);
    let skill = |id: &str, more: &str| format!("{{id: {id}, name: X, description: d{more}}}");
    let extended = format!("        extended_skills: [{}]\n", skill("x", ""));
    let twice = format!("        skills: [{}]\n{extended}", skill("x", ""));
    let bad = format!("        skills: [{}]\n", skill("x", ", allow: caller.tenat == 'a'"));
    let cases = [
        (
            format!("        supports_authenticated_extended_card: false\n{extended}"),
            "f.yaml:6:47: `agents.a.a2a.server.supports_authenticated_extended_card`: there are \
             `extended_skills`, which stand on that card alone",
        ),
        (
            twice,
            "f.yaml:7:32: `agents.a.a2a.server.extended_skills[0].id`: there is a skill `x` already",
        ),
        (
            bad,
            "f.yaml:6:58: `agents.a.a2a.server.skills[0].allow`: no such condition: of a caller \
             there is `tenant`, `subject`, `scopes`, `roles`, `scheme`, `claims`, not `tenat`",
        ),
        (
            "        without_skill: {allow: 'true &&'}\n".into(),
            "f.yaml:6:32: `agents.a.a2a.server.without_skill.allow`: no such condition: ",
        ),
    ];
    for (keys, expected) in cases {
        let said = faults(&server(&keys));
        assert!(said.starts_with(expected), "{keys}: {said}");
    }
    check(
        "auth: none\nserver: {card_readers: {credentials: true}}\n",
        "f.yaml:2:38: `server.card_readers.credentials`: with `auth: none` nobody has credentials, \
         and everybody may read the cards",
    );
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
fn rates_are_rules_for_agents_that_there_are() {
    let rates = |text: &str| good(&format!("limits: {{{text}}}\n{AGENT}")).0.config.limits.rates;
    let usual = legation::Limits::default().rates;
    assert_eq!((rates("runs: 9"), rates("rates: []")), (usual, Vec::new()));
    let rule = "per: tenant, operations: [send, read], agents: [a], count: 5, within: 1d";
    let expected = legation::Rate {
        per: legation::Per::Tenant,
        operations: vec!["send", "read"],
        agents: vec!["a".into()],
        count: 5,
        within: std::time::Duration::from_secs(86_400),
        burst: None,
    };
    let burst = legation::Rate { count: 7, burst: Some(9), ..legation::Rate::default() };
    let both = rates(&format!("rates: [{{{rule}}}, {{count: 7, burst: 9}}]"));
    assert_eq!(both, [expected, burst]);
    for (rule, expected) in [
        ("count: 1, agents: [a, zed]", "`limits.rates[0].agents[1]`: there is no agent `zed`"),
        (
            "per: person, count: 1",
            "`limits.rates[0].per`: expected `caller`, `tenant`, `agent` or `server`, not `person`",
        ),
        ("count: 0", "`limits.rates[0].count`: expected a whole number from 1, not `0`"),
        ("within: 1s", "`limits.rates[0].count`: missing"),
    ] {
        let said = faults(&format!("limits: {{rates: [{{{rule}}}]}}\n{AGENT}"));
        assert!(said.contains(expected), "{said}");
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
fn grpc_is_switched_and_its_ports_suffice() {
    let with = |grpc: &str| format!("server: {{grpc: {grpc}}}\n{AGENT}");
    let (given, _) = good(&with("off"));
    assert_eq!(given.config.server.grpc.served, Served::No);
    let (given, _) = good(&with("{reflection: false, large_numbers: text, ports: 50051-50060}"));
    let grpc = &given.config.server.grpc;
    assert_eq!((grpc.served, grpc.keys.reflection, grpc.keys.health), (Served::Yes, false, true));
    assert_eq!(grpc.keys.numbers, legation::Numbers::Text);
    assert_eq!(grpc.ports, Some(50051..=50060));
    for (grpc, what) in [
        ("on", "expected `off`"),
        ("{ports: 9-5}", "expected ports such as"),
        ("{ports: 0-5}", "expected ports such as"),
        ("{ports: 70000-70001}", "expected ports such as"),
    ] {
        let said = faults(&with(grpc));
        assert!(said.contains(what), "{grpc}: {said}");
    }
    let agents = "agents: {a: {runtime: {type: analyst}}, b: {runtime: {type: analyst}}}";
    let said = faults(&format!("server: {{grpc: {{ports: 7000-7000}}}}\n{agents}\n"));
    assert!(said.ends_with("2 agents need a port each, and these are 1"), "{said}");
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

/// Set `UPDATE_DOCS=1` to write the tables.
#[test]
fn the_documentation_has_every_key() {
    const BEGIN: &str = "<!-- keys: made by a test of legation -->\n";
    const END: &str = "<!-- end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&path).expect("the page on configuration");
    let (before, rest) = text.split_once(BEGIN).expect("the place of the tables");
    let (_, after) = rest.split_once(END).expect("the end of the tables");
    let expected = [before, BEGIN, "\n", &document::tables(), END, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
        return;
    }
    assert!(text == expected, "run this test with UPDATE_DOCS=1");
}

/// A document of this repository.
fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a schema's reader sees of a file: variables are plain text to it.
fn as_json(text: &str) -> serde_json::Value {
    let tree = yaml::parse(&text.replace("${", "$${"), &mut Vec::new()).expect("YAML");
    let mut members = serde_json::Map::new();
    setting::free(&mut members).read(&tree, &mut Reader::new(&|_| None, Vec::new()));
    members.into()
}

#[test]
fn the_example_is_good() {
    let text = document("examples/legation.yaml");
    let (_, resolved) = read("f", &text, &|_| None, &Overrides::default())
        .unwrap_or_else(|faults| panic!("{faults}"));
    let slugs: Vec<_> = resolved.agents.iter().map(|agent| &*agent.profile.slug).collect();
    assert_eq!(slugs, ["data-analyst", "researcher", "translator"]);
}

#[test]
fn the_documentation_shows_what_is_said() {
    let page = document("docs/configuration.md");
    let block = |fence: &str| {
        let (_, rest) = page.split_once(fence).expect("a block");
        rest.split_once("```\n").expect("its end").0.to_owned()
    };
    good(&block("```yaml\n"));
    let (_, shown) =
        page.split_once("$ legation check legation.yaml\nlegation.yaml:").expect("faults");
    let shown = format!("legation.yaml:{}", shown.split_once("\n```").expect("its end").0);
    let text = "agents:\n  Data Analyst:\n    rolle: Data Analyst\n    runtime: { type: anlyst }\n";
    let said = read("legation.yaml", text, &environment, &Overrides::default()).err();
    assert_eq!(said.map(|faults| faults.to_string()), Some(shown));
}

#[test]
fn the_schema_agrees_with_the_check() {
    let schema = jsonschema::validator_for(&schema()).expect("a good schema");
    let example = document("examples/legation.yaml");
    for text in [&*example, AGENT] {
        let errors: Vec<_> = schema.iter_errors(&as_json(text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let bad = [
        "sever: {}\n",
        "server: {listen: 7}\n",
        "limits: {runs: many}\n",
        "limits: {runs: 0}\n",
        "contexts: {keep: 30}\n",
        "auth: nobody\n",
        "auth: {schemes: [{type: oidc}]}\n",
        "store: postgres:x\n",
    ];
    for text in bad {
        let text = format!("{text}{AGENT}");
        assert!(!schema.is_valid(&as_json(&text)), "{text}");
        assert_ne!(faults(&text), "");
    }
    for keys in ["llm: x", "rolle: x", "card: 7", "a2a: {server: {auth: x}}"] {
        let text = format!("agents: {{a: {{runtime: {{type: analyst}}, {keys}}}}}");
        assert!(!schema.is_valid(&as_json(&text)), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any text at all.
    #[test]
    fn no_text_makes_it_panic(text in "[ -~\n\u{e9}\u{85}]{0,200}") {
        let _ = load_text(&text);
    }

    /// Text made of what such files are made of.
    #[test]
    fn no_file_makes_it_panic(pieces in prop::collection::vec(piece(), 0..60)) {
        let _ = load_text(&pieces.concat());
    }

    /// Any value at any key.
    #[test]
    fn no_value_makes_it_panic(key in key(), value in value()) {
        if let Err(faults) = load_text(&format!("{key}: {value}\n{AGENT}")) {
            prop_assert!(faults.to_string().starts_with("f.yaml:"));
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "server", "agents", "a", "runtime", "type", "exec", "analyst", "card", "auth", "schemes",
        "store", ": ", ":\n", "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", ", ", "&x ", "*x",
        "${", "}", "${A:-1}", "$$", "'", "\"", "|\n", "#", "!t ", "---\n", "null", "1", "-", "?",
        "<<",
    ])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "server", "store", "auth", "contexts", "limits", "crew", "x", "'a.b'", "\"[0]\"", "1", "~",
    ])
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("sqlite:x".to_owned()),
        Just("99999999999999999999d".to_owned()),
        "[a-z0-9 ./:-]{1,12}".prop_map(|text| format!("'{text}'")),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    let keys = prop::sample::select(vec![
        "listen", "bounds", "idle", "schemes", "type", "token", "path", "card", "name", "keep",
    ]);
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::hash_map(keys.clone(), inner, 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}
