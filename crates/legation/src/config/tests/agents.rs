//! Agents, their cards and skills, and the rates of their callers.

use super::*;

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
