//! Where a peer's card sends its callers.

use super::card;
use super::cards::{NONE, TAKEN, body};
use super::peer::{Act, Asked};
use super::variant::Ask::Discover;
use super::variant::{Variant, check, grpc, rpc};

#[tokio::test]
async fn a_card_sends_callers_nowhere_else() {
    check(ADDRESSES).await;
}

const FOREIGN: &str = "ForeignInterface: ";
const NOWHERE: &str = "NoInterface: ";

const ADDRESSES: &[Variant] = &[
    rpc("elsewhere", Discover, |asked| at(asked, &asked.elsewhere), FOREIGN),
    rpc("metadata", Discover, |asked| at(asked, "http://169.254.169.254/latest/"), FOREIGN),
    rpc("metadata as one number", Discover, |asked| at(asked, "http://2852039166/"), FOREIGN),
    rpc(
        "metadata in IPv6's clothes",
        Discover,
        |asked| at(asked, "http://[::ffff:a9fe:a9fe]/"),
        FOREIGN,
    ),
    rpc("a port beside", Discover, |asked| at(asked, "http://127.0.0.1:1/"), FOREIGN),
    rpc("TLS beside", Discover, |asked| at(asked, &asked.base.replace("http:", "https:")), FOREIGN),
    rpc("a file", Discover, |asked| at(asked, "file:///etc/passwd"), FOREIGN),
    rpc("FTP", Discover, |asked| at(asked, "ftp://127.0.0.1/"), FOREIGN),
    rpc("a script", Discover, |asked| at(asked, "javascript:alert(1)"), NOWHERE),
    rpc("data", Discover, |asked| at(asked, "data:application/json,{}"), NOWHERE),
    rpc("a path", Discover, |asked| at(asked, "/rpc"), NOWHERE),
    rpc("another host without a scheme", Discover, |asked| at(asked, "//a.example/rpc"), NOWHERE),
    rpc("no host", Discover, |asked| at(asked, "http://"), NOWHERE),
    rpc("nothing", Discover, |asked| at(asked, ""), NOWHERE),
    rpc(
        "a name and a password",
        Discover,
        |asked| at(asked, &asked.base.replace("//", "//u:p@")),
        NOWHERE,
    ),
    rpc(
        "a name that looks like the host",
        Discover,
        |asked| at(asked, &asked.elsewhere.replace("//", &format!("{}@", &asked.base[5..]))),
        NOWHERE,
    ),
    rpc(
        "a backslash for a slash",
        Discover,
        |asked| at(asked, &format!("http://a.example\\\\@{}", &asked.base[7..])),
        FOREIGN,
    ),
    rpc("a line break", Discover, |asked| at(asked, "http://a.example/\\r\\nHost: b"), FOREIGN),
    grpc("gRPC elsewhere", Discover, |asked| grpc_at(asked, &asked.elsewhere), FOREIGN),
    grpc("gRPC on metadata", Discover, |asked| grpc_at(asked, "169.254.169.254:80"), FOREIGN),
    grpc(
        "gRPC by a name server",
        Discover,
        |asked| grpc_at(asked, "dns://8.8.8.8/a.example:443"),
        "...",
    ),
    grpc(
        "gRPC on a socket of files",
        Discover,
        |asked| grpc_at(asked, "unix:///run/x.sock"),
        NOWHERE,
    ),
    rpc("no interfaces", Discover, |asked| faces(asked, "[]"), NOWHERE),
    rpc("interfaces that are null", Discover, |asked| faces(asked, "null"), NONE),
    rpc("interfaces that are a number", Discover, |asked| faces(asked, "5"), NOWHERE),
    rpc("interfaces of numbers", Discover, |asked| faces(asked, "[5,null,[]]"), NOWHERE),
    rpc("interfaces of nothing", Discover, |asked| faces(asked, "[{}]"), NOWHERE),
    rpc(
        "a version that is none",
        Discover,
        |asked| faces(asked, &face(&asked.base, "JSONRPC", "1.0.0.0.0-\u{202e}")),
        NOWHERE,
    ),
    rpc(
        "a version of many digits",
        Discover,
        |asked| faces(asked, &face(&asked.base, "JSONRPC", &"9".repeat(10_000))),
        NOWHERE,
    ),
    rpc(
        "a good one behind a bad one",
        Discover,
        |asked| {
            faces(
                asked,
                &format!(
                    "[{},{}]",
                    one(&asked.elsewhere, "JSONRPC", "1.0"),
                    one(&asked.base, "JSONRPC", "1.0")
                ),
            )
        },
        TAKEN,
    ),
];

/// The good card with other interfaces.
fn faces(asked: &Asked, interfaces: &str) -> Vec<Act> {
    let card = card(&asked.base);
    let (before, _) = card.split_once("\"supportedInterfaces\"").expect("it has them");
    body(&format!("{before}\"supportedInterfaces\":{interfaces}}}"))
}

fn one(url: &str, binding: &str, version: &str) -> String {
    format!(r#"{{"url":"{url}","protocolBinding":"{binding}","protocolVersion":"{version}"}}"#)
}

pub(super) fn face(url: &str, binding: &str, version: &str) -> String {
    format!("[{}]", one(url, binding, version))
}

fn at(asked: &Asked, url: &str) -> Vec<Act> {
    faces(asked, &face(url, "JSONRPC", "1.0"))
}

fn grpc_at(asked: &Asked, url: &str) -> Vec<Act> {
    faces(asked, &face(url, "GRPC", "1.0"))
}
