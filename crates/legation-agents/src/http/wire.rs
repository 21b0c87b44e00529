//! What is said to an endpoint, and what it says back: `docs/http-agents.md` in types.

use legation_core::Turn;
use legation_model::{Artifact, Json, Message, Metadata, Part};
use serde::{Deserialize, Serialize};

/// One message with all that belongs to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said<'t> {
    task_id: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<&'t str>,
    /// Which try at this message it is, the first being 1.
    attempt: u32,
    /// The text of the message, for those who need no more.
    text: String,
    message: &'t Message,
    /// What was said before, oldest first.
    history: &'t [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'t Json>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    accepted_output_modes: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'t Metadata>,
}

/// The message of a turn as JSON, with what was said before it.
pub(super) fn said(turn: &Turn, history: &[Message]) -> Vec<u8> {
    let (task, message) = (turn.task(), turn.message());
    let said = Said {
        task_id: task.id.as_str(),
        context_id: task.context_id.as_ref().map(|id| id.as_str()),
        attempt: turn.attempt(),
        text: message.text(),
        message,
        history,
        schema: turn.schema(),
        accepted_output_modes: turn.accepted_output_modes(),
        metadata: turn.metadata(),
    };
    serde_json::to_vec(&said).expect("a message is JSON")
}

/// What an endpoint says: the whole answer, or one event of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Event {
    /// What it is doing.
    pub(super) working: Option<String>,
    /// Text of the answer, or the next piece of it.
    pub(super) text: Option<String>,
    /// Data of the answer.
    pub(super) data: Option<Json>,
    /// Parts of the answer, such as files.
    pub(super) parts: Vec<Part>,
    /// An artifact beside the answer.
    pub(super) artifact: Option<Artifact>,
    /// Whether the artifact's parts go behind those that it has.
    pub(super) append: bool,
    /// What the work took, such as tokens.
    pub(super) usage: Option<Json>,
    /// A question for the caller.
    pub(super) ask: Option<String>,
    /// What the caller has to authorize.
    pub(super) authorize: Option<String>,
    /// Why it will not do it.
    pub(super) reject: Option<String>,
    /// Why it could not do it.
    pub(super) error: Option<String>,
}

const MEMBERS: [&str; 11] = [
    "working",
    "text",
    "data",
    "parts",
    "artifact",
    "append",
    "usage",
    "ask",
    "authorize",
    "reject",
    "error",
];

impl Event {
    /// An event of a stream.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// A whole answer. JSON that is not of this shape is an answer all the same: its data. So an
    /// endpoint that never heard of all this can be an agent.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn parse_whole(text: &str) -> Result<Self, String> {
        let json = Json::parse(text.trim()).map_err(|error| error.to_string())?;
        let keys = json.read::<serde_json::Map<String, serde_json::Value>>();
        let keys = keys.map(|members| members.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
        match keys {
            Ok(keys) if !keys.is_empty() && keys.iter().all(|key| MEMBERS.contains(&&**key)) => {
                Self::parse(text)
            }
            _ => Ok(Self { data: Some(json), ..Self::default() }),
        }
    }

    /// The parts of the answer in it.
    pub(super) fn answer(&mut self) -> Vec<Part> {
        let text = self.text.take().filter(|text| !text.is_empty()).map(Part::text);
        let data = self.data.take();
        let data = data.map(|data| Part::data(data).with_media_type("application/json"));
        let parts = std::mem::take(&mut self.parts);
        text.into_iter().chain(data).chain(parts).collect()
    }
}

/// Notes on a part what the answer took.
pub(super) fn note_usage(part: &mut Part, usage: Json) {
    // Data that nests too deeply is left out rather than the answer.
    part.metadata = Metadata::with(part.metadata.as_ref(), "usage", usage).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_of_this_shape_or_data() {
        let cases = [
            (r#"{"text":"hi"}"#, "text hi"),
            (r#"{"text":"hi","usage":{"tokens":1}}"#, "text hi"),
            (r#"{"text":"hi","mean":1}"#, r#"data {"text":"hi","mean":1}"#),
            ("{}", "data {}"),
            ("[1, 2]", "data [1, 2]"),
            ("5", "data 5"),
            (r#"{"parts":5}"#, "invalid type"),
            ("<html>", "not JSON"),
        ];
        for (text, expected) in cases {
            let got = match Event::parse_whole(text) {
                Ok(Event { text: Some(text), .. }) => format!("text {text}"),
                Ok(Event { data: Some(data), .. }) => format!("data {data:?}"),
                Ok(other) => format!("{other:?}"),
                Err(reason) => reason,
            };
            assert!(got.contains(expected), "{text}: {got}");
        }
    }

    #[test]
    fn the_page_for_endpoints_names_every_member() {
        let page = include_str!("../../../../docs/http-agents.md");
        for member in MEMBERS {
            assert!(page.contains(&format!("| `{member}` |")), "{member}");
        }
    }

    #[test]
    fn a_slip_in_a_stream_is_named() {
        let reason = Event::parse(r#"{"txt":"hi"}"#).expect_err("no such member");
        assert!(reason.contains("unknown field `txt`"), "{reason}");
    }
}
