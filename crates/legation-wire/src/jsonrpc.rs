//! The JSON-RPC 2.0 envelope (Spec 9.3): taken apart without building trees.

use std::borrow::Cow;

use legation_model::{A2aError, ErrorKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The longest id that is echoed, in bytes; every event of a stream repeats it.
const MAX_ID: usize = 1_024;

/// The id of a request as raw JSON, echoed as it came.
pub type Id<'b> = &'b str;

/// The id of an answer to a request whose id could not be read.
pub const NO_ID: Id<'static> = "null";

/// A request as its envelope has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope<'b> {
    /// The id. Absent counts as `null`: no A2A method is a notification.
    pub id: Id<'b>,
    /// The method.
    pub method: Cow<'b, str>,
    /// The params, a JSON object.
    pub params: Option<&'b str>,
}

/// What is wrong with an envelope, and the id to answer under.
#[derive(Debug, PartialEq, Eq)]
pub struct BadEnvelope<'b> {
    /// The id, as far as it could be read.
    pub id: Id<'b>,
    /// `Parse`, `InvalidRequest` or `InvalidParams`.
    pub error: A2aError,
}

#[derive(Deserialize)]
struct Members<'b> {
    #[serde(borrow)]
    jsonrpc: Option<&'b RawValue>,
    #[serde(borrow)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    method: Option<&'b RawValue>,
    #[serde(borrow)]
    params: Option<&'b RawValue>,
}

/// Takes a request apart.
///
/// # Errors
/// `Parse` when it is not JSON, `InvalidRequest` when it is not one request, and `InvalidParams`
/// when `params` is not an object.
pub fn read(body: &str) -> Result<Envelope<'_>, BadEnvelope<'_>> {
    let members = read_members(body).map_err(|error| BadEnvelope { id: NO_ID, error })?;
    let id = match read_id(members.id) {
        Ok(id) => id,
        Err(error) => return Err(BadEnvelope { id: NO_ID, error }),
    };
    read_call(&members)
        .map(|(method, params)| Envelope { id, method, params })
        .map_err(|error| BadEnvelope { id, error })
}

fn read_members(body: &str) -> Result<Members<'_>, A2aError> {
    // Serde would read an array as the members in order, so the form is checked by hand.
    match body.trim_ascii_start().as_bytes().first() {
        Some(b'{') => serde_json::from_str(body).map_err(|error| bad_json(&error)),
        first => match serde_json::from_str::<IgnoredAny>(body) {
            Err(error) => Err(bad_json(&error)),
            Ok(_) if first == Some(&b'[') => Err(bad("batches are not supported")),
            Ok(_) => Err(bad("a request is a JSON object")),
        },
    }
}

fn read_id(id: Option<&RawValue>) -> Result<Id<'_>, A2aError> {
    let Some(id) = id.map(RawValue::get) else { return Ok(NO_ID) };
    if id.len() > MAX_ID {
        return Err(bad(format!("`id` is longer than {MAX_ID} bytes")));
    }
    match id.as_bytes().first() {
        Some(b'"') if text(id).is_none() => Err(bad("`id` is not valid text")),
        Some(b'"' | b'-' | b'0'..=b'9') => Ok(id),
        _ => Err(bad("`id` must be a string, a number or null")),
    }
}

fn read_call<'b>(members: &Members<'b>) -> Result<(Cow<'b, str>, Option<&'b str>), A2aError> {
    if members.jsonrpc.and_then(|raw| text(raw.get())).as_deref() != Some("2.0") {
        return Err(bad("`jsonrpc` must be \"2.0\""));
    }
    let method = members.method.and_then(|raw| text(raw.get())).filter(|name| !name.is_empty());
    let method = method.ok_or_else(|| bad("`method` must be a string"))?;
    match members.params.map(RawValue::get) {
        Some(params) if !params.starts_with('{') => {
            Err(A2aError::new(ErrorKind::InvalidParams, "`params` must be an object"))
        }
        params => Ok((method, params)),
    }
}

/// The text of a JSON string; `None` when it is something else or spells a lone surrogate.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

fn bad_json(error: &serde_json::Error) -> A2aError {
    if error.is_data() {
        return bad(format!("not a JSON-RPC request: {error}"));
    }
    A2aError::new(ErrorKind::Parse, format!("not JSON: {error}"))
}

fn bad(message: impl Into<String>) -> A2aError {
    A2aError::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let got = match read(body) {
            Ok(Envelope { id, method, params }) => {
                format!("{id} {method} {}", params.unwrap_or("-"))
            }
            Err(BadEnvelope { id, error }) => format!("{id} {:?}: {}", error.kind, error.message),
        };
        assert_eq!(got, expected, "{body}");
    }

    #[test]
    fn requests_are_taken_apart() {
        let cases = [
            (r#"{"jsonrpc":"2.0","id":1,"method":"M","params":{"a":[1]}}"#, r#"1 M {"a":[1]}"#),
            (r#" {"method":"M","id":"x\n","jsonrpc":"2.0"} "#, r#""x\n" M -"#),
            (r#"{"jsonrpc":"2.0","method":"M"}"#, "null M -"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"M","params":null}"#, "null M -"),
            (r#"{"jsonrpc":"2.\u0030","id":-1.5e3,"method":"\u004d","extra":{}}"#, "-1.5e3 M -"),
            (
                r#"{"jsonrpc":"2.0","id":12345678901234567890123,"method":"M"}"#,
                "12345678901234567890123 M -",
            ),
        ];
        for (body, expected) in cases {
            check(body, expected);
        }
    }

    #[test]
    fn faults_of_the_envelope_are_told_apart() {
        let cases = [
            ("", "null Parse: not JSON: EOF while parsing a value at line 1 column 0"),
            ("{", "null Parse: not JSON: EOF while parsing an object at line 1 column 1"),
            ("[1,", "null Parse: not JSON: EOF while parsing a value at line 1 column 3"),
            ("{} x", "null Parse: not JSON: trailing characters at line 1 column 4"),
            ("[]", "null InvalidRequest: batches are not supported"),
            ("5", "null InvalidRequest: a request is a JSON object"),
            (r#"{"id":7}"#, r#"7 InvalidRequest: `jsonrpc` must be "2.0""#),
            (r#"{"id":7,"jsonrpc":2.0}"#, r#"7 InvalidRequest: `jsonrpc` must be "2.0""#),
            (r#"{"id":7,"jsonrpc":"2.0"}"#, "7 InvalidRequest: `method` must be a string"),
            (
                r#"{"id":7,"jsonrpc":"2.0","method":""}"#,
                "7 InvalidRequest: `method` must be a string",
            ),
            (
                r#"{"id":7,"jsonrpc":"2.0","method":"\ud800"}"#,
                "7 InvalidRequest: `method` must be a string",
            ),
            (
                r#"{"id":[1],"jsonrpc":"2.0","method":"M"}"#,
                "null InvalidRequest: `id` must be a string, a number or null",
            ),
            (
                r#"{"id":true,"jsonrpc":"2.0","method":"M"}"#,
                "null InvalidRequest: `id` must be a string, a number or null",
            ),
            (
                r#"{"id":"\ud800","jsonrpc":"2.0","method":"M"}"#,
                "null InvalidRequest: `id` is not valid text",
            ),
            (
                r#"{"id":7,"jsonrpc":"2.0","method":"M","params":[1]}"#,
                "7 InvalidParams: `params` must be an object",
            ),
            (
                r#"{"id":7,"id":8,"jsonrpc":"2.0","method":"M"}"#,
                "null InvalidRequest: not a JSON-RPC request: duplicate field `id` at line 1 column 12",
            ),
        ];
        for (body, expected) in cases {
            check(body, expected);
        }
        let long = format!(r#"{{"id":"{}","jsonrpc":"2.0","method":"M"}}"#, "x".repeat(MAX_ID));
        check(&long, "null InvalidRequest: `id` is longer than 1024 bytes");
    }
}
