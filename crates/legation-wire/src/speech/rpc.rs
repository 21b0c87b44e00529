//! The envelope of JSON-RPC from the caller's side (Spec 9).

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::NoResult;
use crate::fault;
use crate::version::Version;

pub(super) const MEDIA_TYPE: &str = "application/json";

/// Writes a call. Each call has its own connection or stream, so its id has nothing to tell apart.
pub fn envelope(method: &str, params: &[u8]) -> Vec<u8> {
    let before = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":"#);
    [before.as_bytes(), params, b"}"].concat()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Reads a member that is there, also when it is `null`: that is the result of what has none.
fn present<'de: 'a, 'a, D>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error>
where
    D: Deserializer<'de>,
{
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether the call was carried out, of a call that has no result. Some frameworks leave the member out
/// when it is `null`.
pub(super) fn done(version: Version, body: &str) -> Result<(), NoResult> {
    let answer: Answer<'_> = serde_json::from_str(body).map_err(NoResult::nonsense)?;
    match answer.error {
        Some(error) => Err(NoResult::Error(fault::read_rpc(version, error.get()))),
        None => Ok(()),
    }
}

/// The result of an answer.
pub(super) fn result(version: Version, body: &str) -> Result<&[u8], NoResult> {
    let answer: Answer<'_> = serde_json::from_str(body).map_err(NoResult::nonsense)?;
    match (answer.result, answer.error) {
        (_, Some(error)) => Err(NoResult::Error(fault::read_rpc(version, error.get()))),
        (Some(result), None) => Ok(result.get().as_bytes()),
        (None, None) => Err(NoResult::Nonsense("needs exactly one of `result`, `error`".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_result_needs_none() {
        let told = |body: &str| format!("{:?}", done(Version::V0_3, body));
        assert_eq!(told(r#"{"jsonrpc":"2.0","id":1}"#), "Ok(())");
        assert_eq!(told(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), "Ok(())");
        assert!(told(r#"{"id":1,"error":{"code":-32001,"message":"m"}}"#).contains("TaskNotFound"));
        assert!(told("<html>").contains("expected value"));
    }

    #[test]
    fn an_answer_has_a_result_or_an_error() {
        let cases = [
            (r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#, r#"{"a":1}"#),
            (r#"{"result":null,"id":1}"#, "null"),
            (r#"{"result":5,"error":null}"#, "5"),
            (r#"{"result":null,"error":{"code":-32001,"message":"m"}}"#, "TaskNotFound"),
            (r#"{"id":1}"#, "needs exactly one"),
            ("<html>", "expected value"),
        ];
        for (body, expected) in cases {
            let got = match result(Version::V1_0, body) {
                Ok(result) => String::from_utf8_lossy(result).into_owned(),
                Err(fault) => format!("{fault:?}"),
            };
            assert!(got.contains(expected), "{body}: {got}");
        }
    }
}
