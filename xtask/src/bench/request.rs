//! Requests as bytes made in advance; only the message id changes from one to the next.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use super::cases::Payload;
use crate::contract::{CARD_PATH, RPC_PATH};

/// Digits of the number in a message id; fixed, so that the length never changes.
const DIGITS: usize = 16;

const TEXT_SIZE: usize = 256;

/// A request that is sent again and again, each time with a new message id.
#[derive(Clone)]
pub(super) struct Message {
    bytes: Vec<u8>,
    number: Range<usize>,
}

impl Message {
    /// A request of `method` with one part, written as JSON.
    pub(super) fn new(token: &str, method: &str, part: &str) -> Self {
        const BEFORE: &str = r#"{"message":{"messageId":"m-"#;
        let (_, role) = spoken(method);
        let params = format!(r#"{BEFORE}{:0DIGITS$}","role":"{role}","parts":[{part}]}}}}"#, 0);
        let bytes = call(token, method, &params);
        // The parameters end one byte before the request does.
        let start = bytes.len() - 1 - params.len() + BEFORE.len();
        Self { bytes, number: start..start + DIGITS }
    }

    /// Returns the request with an id that no request of this process had.
    pub(super) fn renew(&mut self) -> &[u8] {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
        for digit in self.bytes[self.number.clone()].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        &self.bytes
    }

    /// Returns the digits of the present message id.
    pub(super) fn number(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.number.clone()]).expect("renew writes digits")
    }
}

/// Returns the version whose method this is, and its name of the caller's role.
fn spoken(method: &str) -> (&'static str, &'static str) {
    if method.contains('/') { ("0.3", "user") } else { ("1.0", "ROLE_USER") }
}

/// Returns a JSON-RPC request as HTTP.
pub(super) fn call(token: &str, method: &str, params: &str) -> Vec<u8> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let (version, _) = spoken(method);
    format!(
        "POST {RPC_PATH} HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         Content-Type: application/json\r\n\
         A2A-Version: {version}\r\n\
         Authorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Returns the request for the card.
pub(super) fn card() -> Vec<u8> {
    format!("GET {CARD_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

impl Payload {
    /// Returns the part as JSON, in the form every faithful server writes it: compact,
    /// nothing to escape, keys in order.
    pub(super) fn part(self) -> String {
        format!("{{{}}}", self.content())
    }

    /// Returns the method that sends it.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Text | Self::Data(_) => "SendMessage",
            Self::OlderText => "message/send",
        }
    }

    /// Returns what has to be in the reply's artifact: the part without its braces,
    /// because a server may add to it.
    pub(super) fn content(self) -> String {
        match self {
            Self::Text => format!(r#""text":"{}""#, text()),
            Self::OlderText => format!(r#""kind":"text","text":"{}""#, text()),
            Self::Data(size) => format!(r#""data":{}"#, data(size)),
        }
    }
}

/// Returns the part of a text as JSON.
pub(super) fn text_part(text: &str) -> String {
    format!(r#"{{"text":"{text}"}}"#)
}

/// The text of the usual message.
pub(super) fn text() -> String {
    "Please say this sentence again, word for word. ".chars().cycle().take(TEXT_SIZE).collect()
}

fn data(size: usize) -> String {
    let mut rows = String::with_capacity(size + 100);
    for number in 0.. {
        if rows.len() >= size {
            break;
        }
        rows += if rows.is_empty() { "[" } else { "," };
        let score = number * 37 % 1000;
        rows += &format!(
            r#"{{"id":{number},"name":"record {number}","score":{score},"tags":["north","open"]}}"#
        );
    }
    rows + "]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_message_id_changes() {
        let mut message = Message::new("token", "SendMessage", &Payload::Text.part());
        let first = String::from_utf8(message.renew().to_vec()).unwrap();
        let number = message.number().to_owned();
        let second = String::from_utf8(message.renew().to_vec()).unwrap();
        assert_ne!(number, message.number());
        assert!(first.contains(&format!(r#""messageId":"m-{number}""#)), "{first}");
        assert_eq!(first, second.replace(message.number(), &number));
    }

    #[test]
    fn a_request_is_json_of_the_stated_length() {
        let mut message = Message::new("token", "SendMessage", &Payload::Data(1000).part());
        let bytes = String::from_utf8(message.renew().to_vec()).unwrap();
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["params"]["message"]["parts"][0]["data"].is_array());
    }
}
