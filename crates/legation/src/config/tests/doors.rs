//! The listener, and who is let in.

use super::*;

#[test]
fn stores_and_doors() {
    let other = "f.yaml:1:8: `store`: expected `sqlite:` with the path of a directory, `postgres://` \
                 with a database, or `memory`";
    check("store: postgres:/u:secret@h/db\n", other);
    check("store: 'sqlite:'\n", other);
    let (_, resolved) = good(&format!("store: memory\n{AGENT}"));
    assert_eq!(resolved.state(), "memory: all is gone when the server ends");
    check(
        "store: {memory: true, postgres: {url: 'postgres://h/d'}}\n",
        "f.yaml:1:17: `store.memory`: tasks are in memory or in `postgres`, not in both",
    );
    check(
        "store: {postgres: {schema: s}}\n",
        "f.yaml:1:19: `store.postgres.url`: missing: The address of the database",
    );
    check(
        "store: {postgres: {url: 'postgres://h/d', nats: {servers: ['http://u:secret@h']}}}\n",
        "f.yaml:1:60: `store.postgres.nats.servers[0]`: expected a server such as `nats://host:4222` or `tls://host:4222`",
    );
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
    let shown = format!(
        "{given:?} {:?}",
        door::door(&given.config.auth, &Default::default()).expect("a door")
    );
    for secret in ["hush", "7c1b9e0a", "4f1a9c0d"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
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
