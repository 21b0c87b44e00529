//! What is said to an endpoint, and how its answers are read: `docs/http-agents.md`.

use legation_core::Turn;
use legation_model::{Json, Message, Part};
use serde::Deserialize;

use crate::said::{Kind, Members, Said, Work, content, present};

/// The message of a turn as JSON, with what was said before it.
pub(super) fn tell(turn: &Turn, history: &[Message]) -> Vec<u8> {
    serde_json::to_vec(&Work::of(None, turn, &turn.task(), history, None))
        .expect("a message is JSON")
}

/// An answer without a type: its content and what it took, and no other member.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {
    text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    data: Option<Json>,
    parts: Option<Vec<Part>>,
    usage: Option<Json>,
}

/// An event of a stream.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Said, String> {
    let members: Members = serde_json::from_str(text).map_err(|error| error.to_string())?;
    members.said()
}

/// A whole answer, as the events that say the same. JSON that is neither an event nor bare content
/// is an answer all the same: its data. So an endpoint that never heard of all this can be an agent.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn read_whole(text: &str) -> Result<Vec<Said>, String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: Kind,
    }
    let json = Json::parse(text.trim()).map_err(|error| error.to_string())?;
    if json.read::<Typed>().is_ok_and(|typed| typed.kind != Kind::Ready) {
        return Ok(vec![read(text)?]);
    }
    let Ok(bare) = json.read::<Bare>() else {
        return Ok(vec![Said::Complete(content(None, Some(json), None))]);
    };
    let parts = content(bare.text, bare.data, bare.parts);
    if parts.is_empty() {
        return Ok(vec![Said::Complete(content(None, Some(json), None))]);
    }
    let usage = bare.usage.map(Said::Usage);
    Ok(usage.into_iter().chain([Said::Complete(parts)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_an_event_or_content_or_data() {
        let cases = [
            (r#"{"text":"hi"}"#, r#"Complete([Part { content: Text("hi")"#),
            (r#"{"text":"hi","usage":{"n":1}}"#, r#"[Usage({"n":1}), Complete("#),
            (r#"{"type":"question","text":"hi"}"#, "[Question("),
            (r#"{"type":"question"}"#, "a `question` without `text`, `data` or `parts`"),
            (r#"{"type":"circle","text":"hi"}"#, r#"Data({"type":"circle","text":"hi"})"#),
            (r#"{"text":"hi","mean":1}"#, r#"Data({"text":"hi","mean":1})"#),
            (r#"{"text":5}"#, r#"Data({"text":5})"#),
            ("{}", "Data({})"),
            ("[1, 2]", "Data([1, 2])"),
            ("null", "Data(null)"),
            ("<html>", "not JSON"),
        ];
        for (text, expected) in cases {
            let got = read_whole(text);
            let got = got.map_or_else(|reason| reason, |said| format!("{said:?}"));
            assert!(got.contains(expected), "{text}: {got}");
        }
    }

    #[test]
    fn a_slip_in_a_stream_is_named() {
        let cases = [
            (r#"{"type":"chnk","text":"a"}"#, "unknown variant `chnk`"),
            (r#"{"text":"a"}"#, "missing field `type`"),
            (r#"{"type":"chunk"}"#, "a `chunk` without `text`"),
            (r#"{"type":"chunk","text":"a","artifact":""}"#, "an id of an artifact that must not"),
        ];
        for (text, expected) in cases {
            let reason = read(text).expect_err("a slip");
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }
}
