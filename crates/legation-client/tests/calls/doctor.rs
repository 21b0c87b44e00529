//! The examination of agents: our own, with which nothing is wrong, and a scripted one that is good but
//! for one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use legation_client::Options;
use legation_client::doctor::{CHECKS, Checked, Outcome, Plan, Reader, Report, Works, examine};
use legation_model::AgentCard;
use legation_wire::signature::{Algorithm, Signer, publish};

use crate::real::Real;
use crate::server::{Answer, Asked, End, Server};

const TASK: &str = r#"{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED",
    "message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"done"}]}},
    "artifacts":[{"artifactId":"a","parts":[{"text":"result"}]}]}"#;
const OLD_TASK: &str = r#"{"kind":"task","id":"t","contextId":"c","status":{"state":"completed",
    "message":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}},
    "artifacts":[{"artifactId":"a","parts":[{"kind":"text","text":"result"}]}]}"#;
const PAGE: &str = "https://page.example";

fn result(result: &str) -> Answer {
    Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
}

fn refusal(code: i32) -> Answer {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"no"}}}}"#);
    Answer::json(200, body)
}

fn event(result: &str) -> String {
    let one_line = result.replace('\n', " ");
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{one_line}}}\n\n")
}

fn card(base: &str) -> String {
    format!(
        r#"{{"name":"Scripted","description":"d","version":"1","protocolVersion":"0.3.0",
        "url":"{base}/old","preferredTransport":"JSONRPC","capabilities":{{"streaming":true}},
        "defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],
        "skills":[{{"id":"s","name":"S","description":"d","tags":["t"]}}],
        "supportedInterfaces":[{{"url":"{base}/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}},
        {{"url":"{base}/old","protocolBinding":"JSONRPC","protocolVersion":"0.3"}}]}}"#
    )
}

/// An agent of 1.0 and 0.3 with which nothing is wrong.
fn good(asked: &Asked) -> Answer {
    let mut answer = match (asked.method.as_str(), asked.path.as_str()) {
        ("OPTIONS", _) => Answer::json(204, ""),
        (
            "GET",
            "/.well-known/agent-card.json" | "/agent/.well-known/agent-card.json" | "/agent",
        ) => {
            if asked.header("if-none-match").is_some() {
                return Answer { headers: Vec::new(), ..Answer::json(304, "") };
            }
            Answer::json(200, card(&asked.base()))
        }
        ("POST", "/rpc") if asked.header("a2a-version") == Some("9.9") => refusal(-32009),
        ("POST", "/rpc") => current(asked),
        ("POST", "/old") => older(asked),
        _ => Answer {
            headers: vec![("content-type", "text/html".into())],
            ..Answer::json(404, "<p>")
        },
    };
    let page = [
        ("cache-control", "max-age=60"),
        ("etag", "\"1\""),
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-headers", "Content-Type, A2A-Version, Authorization"),
    ];
    answer.headers.extend(page.map(|(name, value)| (name, value.to_owned())));
    answer
}

fn current(asked: &Asked) -> Answer {
    let is = |method| asked.is(method, "/nowhere");
    if is("SendMessage") {
        return result(&format!(r#"{{"task":{TASK}}}"#));
    }
    if is("SendStreamingMessage") {
        let first =
            r#"{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}"#;
        let artifact = r#"{"artifactUpdate":{"taskId":"t","contextId":"c",
            "artifact":{"artifactId":"a","parts":[{"text":"result"}]}}}"#;
        let last = r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#;
        return Answer::stream([first, artifact, last].map(event).to_vec(), End::Proper);
    }
    if is("GetTask") && asked.body.contains(r#""id":"t""#) {
        return result(TASK);
    }
    let page = format!(r#"{{"tasks":[{TASK}],"nextPageToken":"","pageSize":50,"totalSize":1}}"#);
    let known = [
        ("GetTask", refusal(-32001)),
        ("ListTasks", result(&page)),
        ("SubscribeToTask", refusal(-32004)),
        ("CancelTask", refusal(-32002)),
        ("ListTaskPushNotificationConfigs", refusal(-32003)),
        ("GetExtendedAgentCard", refusal(-32004)),
    ];
    known.into_iter().find(|(method, _)| is(method)).map_or_else(|| refusal(-32601), |(_, it)| it)
}

fn older(asked: &Asked) -> Answer {
    let is = |method| asked.is(method, "/nowhere");
    if is("message/send") {
        return result(OLD_TASK);
    }
    if is("message/stream") {
        let first = r#"{"kind":"task","id":"t","contextId":"c","status":{"state":"working"}}"#;
        let working = r#"{"kind":"status-update","taskId":"t","contextId":"c","final":false,"status":{"state":"working"}}"#;
        let last = r#"{"kind":"status-update","taskId":"t","contextId":"c","final":true,"status":{"state":"completed",
            "message":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}}"#;
        return Answer::stream([first, working, last].map(event).to_vec(), End::Proper);
    }
    if is("tasks/get") && asked.body.contains(r#""id":"t""#) {
        return result(OLD_TASK);
    }
    let known = [
        ("tasks/get", refusal(-32001)),
        ("tasks/resubscribe", refusal(-32602)),
        ("tasks/cancel", refusal(-32002)),
        ("tasks/pushNotificationConfig/list", refusal(-32003)),
        ("agent/getAuthenticatedExtendedCard", refusal(-32007)),
    ];
    known.into_iter().find(|(method, _)| is(method)).map_or_else(|| refusal(-32601), |(_, it)| it)
}

fn plan() -> Plan {
    Plan { origin: Some(PAGE.into()), timeout: Duration::from_secs(10), ..Plan::default() }
}

/// What is not as it should be.
fn troubles(report: &Report) -> Vec<String> {
    let is_wrong = |outcome| matches!(outcome, Outcome::Fail | Outcome::Warn);
    let wrong = report.checks.iter().filter(|checked| is_wrong(checked.outcome));
    wrong.map(|it| format!("{} {} {:?} {}", it.id, it.outcome.name(), it.at, it.seen)).collect()
}

fn works(report: &Report, reader: Reader) -> Works {
    let verdict = report.readers.iter().find(|verdict| verdict.reader == reader);
    verdict.expect("each has one").works
}

#[tokio::test]
async fn nothing_is_wrong_with_our_own_server() {
    let real = Real::start().await;
    let plan = Plan { origin: None, ..plan() };
    let report = examine(&real.url(), &Options::default(), &plan).await.expect("an address");
    assert_eq!(troubles(&report), [""; 0]);
    for reader in [Reader::V1_0, Reader::V0_3, Reader::CrewAi] {
        assert_eq!(works(&report, reader), Works::Yes, "{:?}", report.readers);
    }
    assert_eq!(works(&report, Reader::Browser), Works::Unknown);
    for id in ["interface.answers", "message.send", "stream.ends", "task.cancel"] {
        let passed = report.checks.iter().filter(|it| it.id == id && it.outcome == Outcome::Pass);
        assert!(passed.count() >= 3, "{id} for every reader: {:?}", report.checks);
    }
    real.stop().await;
}

#[tokio::test]
async fn a_task_at_work_is_followed_and_cancelled() {
    let real = Real::start().await;
    let plan = Plan { text: "wait".into(), only: "task".into(), ..plan() };
    let report = examine(&real.url(), &Options::default(), &plan).await.expect("an address");
    assert_eq!(troubles(&report), [""; 0]);
    for seen in ["a stream came", "it is canceled"] {
        assert!(report.checks.iter().any(|it| it.seen == seen), "{seen}: {:?}", report.checks);
    }
    real.stop().await;
}

#[tokio::test]
async fn a_passive_examination_says_nothing() {
    let server = Server::bare(good).await;
    let plan = Plan { is_passive: true, ..plan() };
    let report = examine(&server.url(), &Options::default(), &plan).await.expect("an address");
    assert_eq!(troubles(&report), [""; 0]);
    for method in ["SendMessage", "SendStreamingMessage", "CancelTask", "message/send"] {
        assert_eq!(server.count(method, "/nowhere"), 0, "{method}");
    }
    assert_eq!(works(&report, Reader::V1_0), Works::Yes);
}

#[tokio::test]
async fn who_is_not_there_is_told_how_to_mend_it() {
    for (url, word, remedy) in [
        ("http://127.0.0.1:1/", "refused", "start the server"),
        ("http://agent.invalid/", "", "DNS"),
    ] {
        let report = examine(url, &Options::default(), &plan()).await.expect("an address");
        let failed =
            report.checks.iter().find(|it| it.id == "reach.connect").expect("it was tried");
        assert!(failed.seen.contains(word), "{failed:?}");
        assert!(failed.remedy.as_deref().is_some_and(|it| it.contains(remedy)), "{failed:?}");
        assert!(Reader::ALL.iter().all(|reader| works(&report, *reader) == Works::No));
    }
    assert!(examine("localhost:1", &Options::default(), &plan()).await.is_err(), "no address");
}

type Tamper = fn(&Asked, &mut Answer);

fn is_card(asked: &Asked) -> bool {
    asked.path == "/.well-known/agent-card.json" && asked.method == "GET"
}

fn swap(answer: &mut Answer, from: &str, to: &str) {
    for piece in &mut answer.pieces {
        *piece = piece.replace(from, to);
    }
}

fn in_card(asked: &Asked, answer: &mut Answer, from: &str, to: &str) {
    if is_card(asked) {
        swap(answer, from, to);
    }
}

fn refuse(asked: &Asked, answer: &mut Answer, methods: &[&str], code: i32) {
    if methods.iter().any(|method| asked.is(method, "/nowhere")) {
        *answer = refusal(code);
    }
}

fn in_stream(asked: &Asked, answer: &mut Answer, change: impl FnOnce(&mut Vec<String>)) {
    if asked.is("SendStreamingMessage", "/nowhere") || asked.is("message/stream", "/nowhere") {
        change(&mut answer.pieces);
    }
}

/// What is made wrong, which check says so, and how.
const FAULTS: &[(&str, Outcome, Tamper)] = &[
    ("reach.redirect", Outcome::Fail, |asked, answer| {
        if is_card(asked) {
            *answer = Answer::json(302, "");
            answer.headers.push(("location", "/agent".into()));
        }
    }),
    ("reach.well-known", Outcome::Fail, |asked, answer| {
        if is_card(asked) {
            *answer = Answer::json(401, "{}");
        }
    }),
    ("reach.well-known", Outcome::Fail, |asked, answer| match asked.path.as_str() {
        "/.well-known/agent.json" => *answer = Answer::json(200, card(&asked.base())),
        _ if is_card(asked) => *answer = Answer::json(404, "{}"),
        _ => {}
    }),
    ("reach.old-place", Outcome::Warn, |asked, answer| {
        in_card(asked, answer, r#""protocolVersion":"0.3""#, r#""protocolVersion":"0.2""#);
    }),
    ("reach.media-type", Outcome::Warn, |asked, answer| {
        if is_card(asked) {
            answer.headers[0].1 = "text/html".into();
        }
    }),
    ("reach.caching", Outcome::Warn, |_, answer| {
        answer.headers.retain(|(name, _)| *name != "cache-control");
    }),
    ("reach.caching", Outcome::Warn, |_, answer| {
        answer.headers.retain(|(name, _)| *name != "etag")
    }),
    ("reach.not-modified", Outcome::Warn, |asked, answer| {
        if is_card(asked) {
            answer.status = 200;
            answer.pieces = vec![card(&asked.base())];
        }
    }),
    ("card.read", Outcome::Fail, |asked, answer| {
        if is_card(asked) {
            answer.pieces = vec!["[]".into()];
        }
    }),
    ("card.members", Outcome::Fail, |asked, answer| {
        in_card(asked, answer, r#""name":"Scripted","#, "")
    }),
    ("card.members", Outcome::Warn, |asked, answer| in_card(asked, answer, r#"["t"]"#, "[]")),
    ("card.v1.0", Outcome::Warn, |asked, answer| {
        in_card(asked, answer, "supportedInterfaces", "interfaces");
    }),
    ("card.v0.3", Outcome::Fail, |asked, answer| {
        let url = format!(r#""url":"{}/old","preferred"#, asked.base());
        in_card(asked, answer, &url, r#""preferred"#);
    }),
    ("card.addresses", Outcome::Fail, |asked, answer| {
        in_card(asked, answer, &format!("{}/rpc", asked.base()), "/rpc");
    }),
    ("card.origin", Outcome::Warn, |asked, answer| {
        in_card(asked, answer, &format!("{}/rpc", asked.base()), "http://127.0.0.1:1/rpc");
    }),
    ("card.signature", Outcome::Warn, |asked, answer| {
        let signed = r#""signatures":[{"protected":"e30","signature":"eA"}],"skills""#;
        in_card(asked, answer, r#""skills""#, signed);
    }),
    ("crewai.security", Outcome::Fail, |asked, answer| {
        let security = r#""securitySchemes":{"o":{"type":"openIdConnect","openIdConnectUrl":"https://a"}},
            "security":[{"o":[]}],"skills""#;
        in_card(asked, answer, r#""skills""#, security);
    }),
    ("crewai.extensions", Outcome::Fail, |asked, answer| {
        let required = r#""streaming":true,"extensions":[{"uri":"urn:x","required":true}]"#;
        in_card(asked, answer, r#""streaming":true"#, required);
    }),
    ("crewai.answer", Outcome::Fail, |asked, answer| {
        if asked.is("message/send", "/nowhere") {
            swap(answer, "done", " ");
        }
    }),
    ("browser.card", Outcome::Fail, |_, answer| {
        answer.headers.retain(|(name, _)| *name != "access-control-allow-origin");
    }),
    ("browser.preflight", Outcome::Fail, |asked, answer| {
        if asked.method == "OPTIONS" {
            answer.status = 405;
        }
    }),
    ("browser.preflight", Outcome::Fail, |_, answer| {
        answer.headers.retain(|(name, _)| *name != "access-control-allow-headers");
    }),
    ("interface.known", Outcome::Warn, |asked, answer| {
        let soap = r#""protocolBinding":"SOAP","protocolVersion":"1.0""#;
        in_card(asked, answer, r#""protocolBinding":"JSONRPC","protocolVersion":"1.0""#, soap);
    }),
    ("interface.answers", Outcome::Fail, |asked, answer| {
        if asked.path == "/rpc" {
            *answer = Answer::json(404, "<p>not here</p>");
        }
    }),
    ("interface.answers", Outcome::Fail, |asked, answer| {
        refuse(asked, answer, &["GetTask"], -32601)
    }),
    ("interface.not-found", Outcome::Fail, |asked, answer| {
        refuse(asked, answer, &["GetTask", "tasks/get"], -32603);
    }),
    ("interface.method", Outcome::Fail, |asked, answer| {
        swap(answer, "-32601", if asked.path == "/rpc" { "-32600" } else { "-32601" })
    }),
    ("interface.version", Outcome::Fail, |_, answer| swap(answer, "-32009", "-32001")),
    ("interface.credentials", Outcome::Fail, |asked, answer| {
        if asked.path == "/rpc" {
            *answer = Answer::json(401, "{}");
        }
    }),
    ("interface.credentials", Outcome::Fail, |asked, answer| {
        let security = r#""securitySchemes":{"o":{"type":"http","scheme":"bearer"}},"security":[{"o":[]}],"skills""#;
        in_card(asked, answer, r#""skills""#, security);
    }),
    ("interface.push", Outcome::Warn, |_, answer| swap(answer, "-32003", "-32001")),
    ("interface.push", Outcome::Fail, |asked, answer| {
        in_card(
            asked,
            answer,
            r#""streaming":true"#,
            r#""streaming":true,"pushNotifications":true"#,
        );
    }),
    ("interface.extended-card", Outcome::Fail, |asked, answer| {
        in_card(
            asked,
            answer,
            r#""streaming":true"#,
            r#""streaming":true,"extendedAgentCard":true"#,
        );
    }),
    ("interface.extended-card", Outcome::Warn, |asked, answer| {
        if asked.is("GetExtendedAgentCard", "/nowhere") {
            *answer = result(&card(&asked.base()));
        }
    }),
    ("message.send", Outcome::Fail, |asked, answer| {
        refuse(asked, answer, &["SendMessage"], -32603)
    }),
    ("message.send", Outcome::Warn, |asked, answer| {
        if asked.is("SendMessage", "/nowhere") {
            swap(answer, "COMPLETED", "FAILED");
        }
    }),
    ("message.settled", Outcome::Warn, |asked, answer| {
        if asked.is("SendMessage", "/nowhere") {
            swap(answer, "COMPLETED", "WORKING");
        }
    }),
    ("message.context", Outcome::Fail, |asked, answer| {
        if asked.is("SendMessage", "/nowhere") {
            swap(answer, r#""contextId":"c","#, "");
        }
    }),
    ("message.answer", Outcome::Warn, |asked, answer| {
        if asked.is("SendMessage", "/nowhere") {
            swap(answer, r#"[{"text":"result"}]"#, r#"[{"text":""}]"#);
        }
    }),
    ("stream.declared", Outcome::Fail, |asked, answer| {
        refuse(asked, answer, &["SendStreamingMessage"], -32004);
    }),
    ("stream.declared", Outcome::Warn, |asked, answer| {
        in_card(asked, answer, r#""streaming":true"#, r#""streaming":false"#);
    }),
    ("stream.media-type", Outcome::Fail, |asked, answer| {
        if asked.is("SendStreamingMessage", "/nowhere") {
            *answer = result(&format!(r#"{{"task":{TASK}}}"#));
        }
    }),
    ("stream.first", Outcome::Fail, |asked, answer| {
        in_stream(asked, answer, |pieces| drop(pieces.remove(0)));
    }),
    ("stream.events", Outcome::Fail, |asked, answer| {
        in_stream(asked, answer, |pieces| pieces.insert(1, event(r#"{"surprise":{}}"#)));
    }),
    ("stream.events", Outcome::Fail, |asked, answer| {
        in_stream(asked, answer, |pieces| {
            pieces[1] = pieces[1].replace(",\"id\":1,", ",\ndata: \"id\":1,")
        });
    }),
    ("stream.ends", Outcome::Fail, |asked, answer| {
        in_stream(asked, answer, |pieces| drop(pieces.pop()));
    }),
    ("stream.ends", Outcome::Fail, |asked, answer| {
        if asked.is("SendStreamingMessage", "/nowhere") {
            answer.pieces.pop();
            answer.end = End::Cut;
        }
    }),
    ("stream.ends", Outcome::Fail, |asked, answer| {
        if asked.is("SendStreamingMessage", "/nowhere") {
            answer.end = End::Silence;
        }
    }),
    ("stream.final", Outcome::Fail, |_, answer| swap(answer, r#""final":false,"#, "")),
    ("stream.final", Outcome::Fail, |_, answer| {
        swap(answer, r#""final":true"#, r#""final":false"#)
    }),
    ("stream.one-task", Outcome::Fail, |asked, answer| {
        in_stream(asked, answer, |pieces| pieces.insert(1, pieces[0].clone()));
    }),
    ("stream.heartbeats", Outcome::Fail, |asked, answer| {
        if asked.is("SendStreamingMessage", "/nowhere") {
            answer.pieces.pop();
            answer.end = End::Silence;
        }
    }),
    ("task.get", Outcome::Fail, |asked, answer| refuse(asked, answer, &["GetTask"], -32001)),
    ("task.list", Outcome::Warn, |_, answer| swap(answer, &format!("[{TASK}]"), "[]")),
    ("task.subscribe", Outcome::Warn, |asked, answer| {
        refuse(asked, answer, &["SubscribeToTask"], -32603);
    }),
    ("task.cancel", Outcome::Warn, |_, answer| swap(answer, "-32002", "-32603")),
];

#[tokio::test]
async fn a_good_agent_works_for_everybody() {
    let server = Server::bare(good).await;
    for path in ["", "/agent", "/agent/.well-known/agent-card.json"] {
        let url = format!("{}{path}", server.url());
        let report = examine(&url, &Options::default(), &plan()).await.expect("an address");
        assert_eq!(troubles(&report), [""; 0], "{url}");
        for reader in [Reader::V1_0, Reader::V0_3, Reader::CrewAi, Reader::Browser] {
            assert_eq!(works(&report, reader), Works::Yes, "{url}: {:?}", report.readers);
        }
    }
}

#[tokio::test]
async fn a_card_that_is_not_at_the_address_is_none_for_crewai() {
    let script = |asked: &Asked| match asked.path.as_str() {
        "/agent" => Answer::json(405, "{}"),
        _ => good(asked),
    };
    let url = format!("{}/agent", Server::bare(script).await.url());
    let report = examine(&url, &Options::default(), &plan()).await.expect("an address");
    assert_eq!(works(&report, Reader::CrewAi), Works::No);
    assert_eq!(works(&report, Reader::V0_3), Works::Yes);
    assert_eq!(troubles(&report).len(), 1, "{:?}", troubles(&report));
}

#[tokio::test]
async fn a_signature_is_verified_by_the_keys_of_the_server() {
    let signer = || {
        let pem = Signer::generate(Algorithm::EdDsa);
        Arc::new(Signer::from_pem(pem.as_bytes(), None, None).expect("a key"))
    };
    let (own, other) = (signer(), signer());
    let cases = [
        (&own, "Scripted", Outcome::Pass),
        (&own, "Forged", Outcome::Fail),
        (&other, "Scripted", Outcome::Warn),
    ];
    for (signer, name, outcome) in cases {
        let (signer, own) = (Arc::clone(signer), Arc::clone(&own));
        let script = move |asked: &Asked| {
            if asked.path == "/.well-known/jwks.json" {
                return Answer::json(200, publish([&*own]).to_string());
            }
            let mut answer = good(asked);
            if is_card(asked) {
                let read = serde_json::from_str(&crate::server::card(&asked.base()));
                let mut card: AgentCard = read.expect("a card");
                card.signatures.push(signer.sign(&card));
                card.name = name.into();
                answer.pieces = vec![serde_json::to_string(&card).expect("JSON")];
            }
            answer
        };
        let server = Server::bare(script).await;
        let plan = Plan { only: "card.signature".into(), is_passive: true, ..plan() };
        let report = examine(&server.url(), &Options::default(), &plan).await.expect("an address");
        assert_eq!(report.checks[0].outcome, outcome, "{name}: {:?}", report.checks);
    }
}

#[tokio::test]
async fn a_redirect_is_told_and_the_rest_is_seen_all_the_same() {
    let script = |asked: &Asked| match is_card(asked) {
        true => Answer { headers: vec![("location", "/agent".into())], ..Answer::json(302, "") },
        false => good(asked),
    };
    let server = Server::bare(script).await;
    let report = examine(&server.url(), &Options::default(), &plan()).await.expect("an address");
    assert_eq!(troubles(&report).len(), 1, "{:?}", troubles(&report));
    assert!(troubles(&report)[0].starts_with("reach.redirect fail"), "{:?}", troubles(&report));
    assert!(report.agent.is_some_and(|agent| agent.card.ends_with("/agent")));
}

#[tokio::test]
async fn a_card_is_refused_by_those_who_refuse_it() {
    // As the official SDKs do, 0.3.26 and 1.3.0, in Python.
    for (from, to, v1_0, v0_3) in [
        (r#""name":"Scripted","#, "", Works::Yes, Works::No),
        (r#""name":"Scripted""#, r#""name":7"#, Works::No, Works::No),
        (r#","tags":["t"]"#, "", Works::Yes, Works::No),
        (r#"["t"]"#, "[]", Works::Yes, Works::Yes),
        (r#""preferredTransport":"JSONRPC","#, "", Works::Yes, Works::Yes),
    ] {
        let server = Server::bare(move |asked| {
            let mut answer = good(asked);
            in_card(asked, &mut answer, from, to);
            answer
        });
        let plan = Plan { is_passive: true, only: "card".into(), ..plan() };
        let report = examine(&server.await.url(), &Options::default(), &plan).await;
        let report = report.expect("an address");
        assert_eq!(works(&report, Reader::V1_0), v1_0, "{to}: {:?}", report.checks);
        assert_eq!(works(&report, Reader::V0_3), v0_3, "{to}: {:?}", report.checks);
        assert_eq!(works(&report, Reader::CrewAi), v0_3, "{to}: {:?}", report.checks);
    }
}

#[tokio::test]
async fn each_fault_is_told_by_its_check() {
    let mut missed = Vec::new();
    for (id, outcome, tamper) in FAULTS {
        let script = move |asked: &Asked| {
            let mut answer = good(asked);
            tamper(asked, &mut answer);
            answer
        };
        let server = Server::bare(script).await;
        let (silence, timeout) = (Duration::from_secs(1), Duration::from_secs(2));
        let plan = Plan { only: (*id).into(), silence, timeout, ..plan() };
        let report = examine(&server.url(), &Options::default(), &plan).await.expect("an address");
        let is_it = |it: &&Checked| it.id == *id && it.outcome == *outcome && !it.seen.is_empty();
        if report.checks.iter().find(is_it).is_none_or(|it| it.remedy.is_none()) {
            missed.push(format!("{id} {}: {:?}", outcome.name(), report.checks));
        }
    }
    assert_eq!(missed, [""; 0]);
}

/// The tests elsewhere are those of `doctor::reach` and `doctor::card`, and the two above.
#[test]
fn each_check_has_a_fault() {
    const ELSEWHERE: [&str; 5] =
        ["reach.network", "reach.connect", "reach.tls", "card.mixed-content", "crewai.place"];
    for check in CHECKS {
        let has_fault = FAULTS.iter().any(|(id, ..)| *id == check.id);
        assert!(has_fault != ELSEWHERE.contains(&check.id), "{}", check.id);
    }
}
