//! What a peer's card says.

use super::addresses::face;
use super::heads::moved;
use super::peer::Act::{Drip, Hush, Repeat};
use super::peer::{Act, Asked};
use super::variant::Ask::{Discover, DiscoverSigned, Get};
use super::variant::{Variant, check, rest, rpc};
use super::{card, http, json, say, task};

#[tokio::test]
async fn a_card_is_read_or_it_is_none() {
    check(CARDS).await;
}

#[tokio::test]
async fn a_card_is_looked_for_nowhere_within() {
    check(REDIRECTS).await;
}

#[tokio::test]
async fn a_card_may_have_as_many_interfaces_as_fit_into_it() {
    check(CROWDS).await;
}

#[tokio::test]
async fn what_a_card_demands_is_bounded() {
    check(DEMANDS).await;
}

pub(super) const NONE: &str = "Card: ";
/// It was taken; the address follows.
pub(super) const TAKEN: &str = "Scripted http://127.0.0.1:";

const CARDS: &[Variant] = &[
    rpc("a good one", Discover, |asked| vec![json(card(&asked.base))], TAKEN).times(1),
    rpc("no JSON", Discover, |_| body("<html>"), NONE),
    rpc("nothing", Discover, |_| body(""), NONE),
    rpc("null", Discover, |_| body("null"), NONE),
    rpc("a list", Discover, |asked| body(&format!("[{}]", card(&asked.base))), NONE),
    rpc("a text", Discover, |_| body("\"card\""), NONE),
    rpc("an object of nothing", Discover, |_| body("{}"), NONE),
    rpc("10,000 levels", Discover, |asked| body(&with(asked, "x", &nested(10_000))), NONE),
    rpc("a million brackets", Discover, |_| body(&"[".repeat(1_000_000)), NONE),
    rpc(
        "100 MB",
        Discover,
        |_| {
            vec![
                say("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n{"),
                Repeat(vec![b' '; 9_000]),
            ]
        },
        "Lost: ...larger than 1048576 bytes",
    ),
    rpc(
        "no end",
        Discover,
        |_| vec![say("HTTP/1.1 200 OK\r\n\r\n{\"name\":\""), Repeat(vec![b'x'; 9_000])],
        "Lost: ...larger than 1048576 bytes",
    ),
    rpc(
        "drips",
        Discover,
        |_| vec![say("HTTP/1.1 200 OK\r\n\r\n{"), Drip(vec![b' '; 999])],
        "Lost: ...no answer for",
    ),
    rpc("silence", Discover, |_| vec![Hush], "Lost: ...no answer for"),
    rpc(
        "silence behind the head",
        Discover,
        |_| vec![say("HTTP/1.1 200 OK\r\n\r\n{"), Hush],
        "Lost: ...no answer for",
    ),
    rpc(
        "a refusal in drips",
        Discover,
        |_| vec![say("HTTP/1.1 403 No\r\n\r\n"), Drip(vec![b'x'; 999])],
        "Lost: ...no answer for",
    ),
    rpc("half of it", Discover, |asked| body(&card(&asked.base)[..99]), NONE),
    rpc("members twice", Discover, |asked| body(&with(asked, "name", "\"Other\"")), TAKEN),
    rpc(
        "a byte order mark",
        Discover,
        |asked| body(&format!("\u{feff}{}", card(&asked.base))),
        NONE,
    ),
    rpc(
        "bytes that are no text",
        Discover,
        |asked| {
            vec![json(
                card(&asked.base)
                    .replace("\"d\"", "\"\u{fffd}\"")
                    .into_bytes()
                    .iter()
                    .map(|byte| if *byte == 0xef { 0xff } else { *byte })
                    .collect::<Vec<u8>>(),
            )]
        },
        NONE,
    ),
    rpc("half a surrogate", Discover, |asked| body(&with(asked, "x", "\"\\ud800\"")), NONE),
    rpc("wrong types everywhere", Discover, |asked| body(&odd(asked)), "7 http://127.0.0.1:"),
    rpc("304, unasked", Discover, |_| vec![say("HTTP/1.1 304 Not Modified\r\n\r\n")], NONE),
    rpc("204", Discover, |_| vec![say("HTTP/1.1 204 No Content\r\n\r\n")], NONE),
    rpc(
        "a page behind 502",
        Discover,
        |_| vec![http("502 Bad Gateway", "Content-Type: text/html\r\n", b"<html>")],
        "Agent Unavailable: ",
    ),
    rpc(
        "no signature",
        DiscoverSigned,
        |asked| body(&card(&asked.base)),
        "Unverified: ...not signed",
    ),
    rpc(
        "signatures of garbage",
        DiscoverSigned,
        |asked| body(&with(asked, "signatures", r#"[{"protected":"%%","signature":"%%"}]"#)),
        "Unverified: ",
    ),
    rpc(
        "signatures that are a number",
        DiscoverSigned,
        |asked| body(&with(asked, "signatures", "5")),
        "Unverified: ",
    ),
    rpc(
        "a signature by no algorithm",
        DiscoverSigned,
        |asked| {
            body(&with(
                asked,
                "signatures",
                r#"[{"protected":"eyJhbGciOiJub25lIn0","signature":""}]"#,
            ))
        },
        "Unverified: ",
    ),
    rpc(
        "a thousand signatures",
        DiscoverSigned,
        |asked| {
            body(&with(
                asked,
                "signatures",
                &format!(
                    "[{}]",
                    [r#"{"protected":"eyJhbGciOiJub25lIn0","signature":"AA"}"#; 1_000].join(",")
                ),
            ))
        },
        "Unverified: ",
    ),
    rpc(
        "a signature by a key elsewhere",
        DiscoverSigned,
        |asked| {
            body(&with(
                asked,
                "signatures",
                &format!(r#"[{{"protected":"{}","signature":"AA"}}]"#, by_key_at(&asked.elsewhere)),
            ))
        },
        "Unverified: ",
    ),
];

/// Nobody is asked there, for nothing was sent.
const LEFT: &str = "Unreachable: ...";

/// A public document may be elsewhere, but not where the caller alone can look.
const REDIRECTS: &[Variant] = &[
    rpc("elsewhere on this machine", Discover, |asked| moved(302, &asked.elsewhere), LEFT).times(1),
    rpc("metadata", Discover, |_| moved(307, "http://169.254.169.254/latest/"), LEFT).times(1),
    rpc("metadata as one number", Discover, |_| moved(301, "http://2852039166/"), LEFT).times(1),
    rpc("a port of another protocol", Discover, |_| moved(308, "http://8.8.8.8:22/"), LEFT)
        .times(1),
    rpc("a file", Discover, |_| moved(303, "file:///etc/passwd"), LEFT).times(1),
    rpc("a script", Discover, |_| moved(302, "javascript:alert(1)"), LEFT).times(1),
    rpc(
        "a name and a password",
        Discover,
        |asked| moved(302, &asked.base.replace("//", "//u:p@")),
        LEFT,
    )
    .times(1),
    rpc("itself for ever", Discover, |_| moved(302, "/.well-known/agent-card.json"), LEFT).times(4),
];

/// Reading them takes a while, which others would wait for.
const CROWDS: &[Variant] =
    &[rpc("18,000 interfaces", Discover, |asked| body(&crowd(asked)), "...")];

const DEMANDS: &[Variant] = &[
    rpc(
        "a scheme that is not there",
        Discover,
        |asked| body(&with(asked, "securityRequirements", r#"[{"schemes":{"x":{"list":[]}}}]"#)),
        "Unsatisfied: ",
    ),
    rpc(
        "10,000 schemes",
        Discover,
        |asked| {
            body(&with(
                asked,
                "securityRequirements",
                &format!("[{}]", [r#"{"schemes":{"x":{"list":[]}}}"#; 10_000].join(",")),
            ))
        },
        "Unsatisfied: ",
    ),
    rpc(
        "a key in the head of the request",
        Discover,
        |asked| {
            body(&secured(asked, r#"{"apiKeySecurityScheme":{"location":"header","name":"Host"}}"#))
        },
        "Unsatisfied: ",
    ),
    rpc(
        "tokens from elsewhere",
        Discover,
        |asked| {
            body(&secured(
                asked,
                &format!(
                    r#"{{"openIdConnectSecurityScheme":{{"openIdConnectUrl":"{}"}}}}"#,
                    asked.elsewhere
                ),
            ))
        },
        TAKEN,
    ),
    rpc(
        "an extension with a line break",
        Get,
        |asked| {
            otherwise(
                asked,
                r#"{"streaming":true}"#,
                r#"{"extensions":[{"uri":"urn:x\r\nX-Y: z","required":true}]}"#,
            )
        },
        "task t WORKING",
    )
    .with_card(),
    rest(
        "a tenant that leads up",
        Get,
        |asked| otherwise(asked, r#""protocolBinding""#, r#""tenant":"../../x","protocolBinding""#),
        "...",
    )
    .with_card(),
    rpc("a fuller card that is none", Discover, |asked| fuller(asked, json("[]")), TAKEN).times(2),
    rpc(
        "a fuller card without end",
        Discover,
        |asked| fuller(asked, Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())),
        TAKEN,
    )
    .times(2),
    rpc(
        "a fuller card with interfaces elsewhere",
        Discover,
        |asked| fuller(asked, super::result(&card(&asked.elsewhere))),
        TAKEN,
    )
    .times(2),
];

pub(super) fn body(text: &str) -> Vec<Act> {
    vec![json(text)]
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// The good card with one more member, before the others.
fn with(asked: &Asked, name: &str, value: &str) -> String {
    card(&asked.base).replacen('{', &format!("{{\"{name}\":{value},"), 1)
}

/// A card whose members are of other types, but for where to call.
fn odd(asked: &Asked) -> String {
    let interfaces = face(&asked.base, "JSONRPC", "1.0");
    format!(
        r#"{{"name":7,"description":[],"version":{{}},"capabilities":"all","skills":{{"a":1}},
        "defaultInputModes":5,"defaultOutputModes":[1,{{}}],"securitySchemes":[],"security":5,
        "securityRequirements":"x","signatures":true,"provider":1,"iconUrl":[],"documentationUrl":{{}},
        "supportsAuthenticatedExtendedCard":"yes","supportedInterfaces":{interfaces}}}"#
    )
}

/// A megabyte of interfaces, of this version and the one before.
fn crowd(asked: &Asked) -> String {
    let newer = (0..9_000).map(|number| format!(r#"{{"url":"{}/{number}"}}"#, asked.base));
    let older = (0..9_000).map(|number| format!(r#"{{"url":"x{number}","transport":"x"}}"#));
    let (newer, older) = (newer.collect::<Vec<_>>().join(","), older.collect::<Vec<_>>().join(","));
    format!(
        r#"{{"name":"Scripted","supportedInterfaces":[{newer}],"additionalInterfaces":[{older}]}}"#
    )
}

fn secured(asked: &Asked, scheme: &str) -> String {
    let members = r#""securityRequirements":[{"schemes":{"x":{"list":[]}}}],"x""#;
    with(asked, "securitySchemes", &format!("{{\"x\":{scheme}}}")).replacen(
        '{',
        &format!("{{{members}:1,"),
        1,
    )
}

/// The good card with these words in the place of those, and the task.
fn otherwise(asked: &Asked, those: &str, these: &str) -> Vec<Act> {
    if asked.is_for_card() {
        return body(&card(&asked.base).replace(those, these));
    }
    vec![if asked.text.starts_with("GET ") { json(super::TASK) } else { task() }]
}

/// A card that says there is a fuller one, and this for it.
fn fuller(asked: &Asked, answer: Act) -> Vec<Act> {
    if !asked.is_for_card() {
        return vec![answer];
    }
    body(&card(&asked.base).replace(r#"{"streaming":true}"#, r#"{"extendedAgentCard":true}"#))
}

/// The head of a signature by a key that is to be fetched.
fn by_key_at(address: &str) -> String {
    use base64::Engine as _;
    let head = format!(r#"{{"alg":"ES256","kid":"k","jku":"{address}/keys"}}"#);
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(head)
}
