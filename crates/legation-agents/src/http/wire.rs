//! What is said to an endpoint, and what it says back: `docs/http-agents.md` in types.

use legation_core::Turn;
use legation_model::{Artifact, ArtifactId, Json, Message, Metadata, Part, Task};
use serde::{Deserialize, Deserializer, Serialize};

/// One message with all that belongs to it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "message", rename_all = "camelCase")]
struct Told<'t> {
    task: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'t str>,
    /// Which try at this message it is, the first being 1.
    attempt: u32,
    /// The text of the message, for those who need no more.
    text: String,
    message: &'t Message,
    /// What was said before, oldest first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    history: &'t [Message],
    /// What the task holds already.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    artifacts: &'t [Artifact],
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'t Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'t Metadata>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    output_modes: &'t [String],
}

/// The message of a turn as JSON, with what was said before it.
pub(super) fn tell(turn: &Turn, history: &[Message]) -> Vec<u8> {
    let (task, message): (Task, _) = (turn.task(), turn.message());
    let told = Told {
        task: task.id.as_str(),
        context: task.context_id.as_ref().map(|id| id.as_str()),
        attempt: turn.attempt(),
        text: message.text(),
        message,
        history,
        artifacts: &task.artifacts,
        schema: turn.schema(),
        metadata: turn.metadata(),
        output_modes: turn.accepted_output_modes(),
    };
    serde_json::to_vec(&told).expect("a message is JSON")
}

/// What an endpoint says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Status(Option<String>),
    Chunk {
        artifact: Option<ArtifactId>,
        text: String,
        last: bool,
    },
    Artifact(Artifact),
    Usage(Json),
    Log(String),
    /// The answer; without parts, what was given before is.
    Complete(Vec<Part>),
    Question(Vec<Part>),
    Auth(Vec<Part>),
    Reject(Vec<Part>),
    Failure(String),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Status,
    Chunk,
    Artifact,
    Data,
    Usage,
    Log,
    Complete,
    Question,
    Auth,
    Reject,
    Failure,
}

/// All members that some kind of event has. Others are ignored.
#[derive(Debug, Deserialize)]
struct Members {
    #[serde(rename = "type")]
    kind: Kind,
    text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    data: Option<Json>,
    parts: Option<Vec<Part>>,
    artifact: Option<String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    last: bool,
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

/// Reads a member whose `null` is a value, not absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Said {
    /// An event of a stream.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let members: Members = serde_json::from_str(text).map_err(|error| error.to_string())?;
        members.said()
    }

    /// A whole answer, as the events that say the same. JSON that is neither an event nor bare
    /// content is an answer all the same: its data. So an endpoint that never heard of all this can
    /// be an agent.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read_whole(text: &str) -> Result<Vec<Self>, String> {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(rename = "type")]
            _kind: Kind,
        }
        let json = Json::parse(text.trim()).map_err(|error| error.to_string())?;
        if json.read::<Typed>().is_ok() {
            return Ok(vec![Self::read(text)?]);
        }
        let Ok(bare) = json.read::<Bare>() else {
            return Ok(vec![Self::Complete(content(None, Some(json), None))]);
        };
        let parts = content(bare.text, bare.data, bare.parts);
        if parts.is_empty() {
            return Ok(vec![Self::Complete(content(None, Some(json), None))]);
        }
        let usage = bare.usage.map(Self::Usage);
        Ok(usage.into_iter().chain([Self::Complete(parts)]).collect())
    }
}

impl Members {
    fn said(mut self) -> Result<Said, String> {
        Ok(match self.kind {
            Kind::Status => Said::Status(self.text),
            Kind::Chunk => Said::Chunk {
                artifact: self.artifact_id()?,
                text: self.text.ok_or("a `chunk` without `text`")?,
                last: self.last,
            },
            Kind::Artifact => self.whole_artifact("an `artifact`")?,
            Kind::Data => self.whole_artifact("`data`")?,
            Kind::Usage => Said::Usage(self.data.ok_or("a `usage` without `data`")?),
            Kind::Log => Said::Log(self.text.unwrap_or_default()),
            Kind::Complete => Said::Complete(self.content()),
            Kind::Question => Said::Question(self.some_content("a `question`")?),
            Kind::Auth => Said::Auth(self.some_content("an `auth`")?),
            Kind::Reject => Said::Reject(self.some_content("a `reject`")?),
            Kind::Failure => Said::Failure(self.text.ok_or("a `failure` without `text`")?),
        })
    }

    fn whole_artifact(mut self, what: &str) -> Result<Said, String> {
        let parts = self.some_content(what)?;
        let id = self.artifact_id()?.unwrap_or_else(ArtifactId::generate);
        let (name, description) = (self.name, self.description);
        Ok(Said::Artifact(Artifact { name, description, ..Artifact::new(id, parts) }))
    }

    fn artifact_id(&self) -> Result<Option<ArtifactId>, String> {
        let id = self.artifact.as_deref().map(ArtifactId::parse).transpose();
        id.map_err(|error| format!("an id of an artifact that {error}"))
    }

    fn content(&mut self) -> Vec<Part> {
        content(self.text.take(), self.data.take(), self.parts.take())
    }

    fn some_content(&mut self, what: &str) -> Result<Vec<Part>, String> {
        let parts = self.content();
        if parts.is_empty() {
            return Err(format!("{what} without `text`, `data` or `parts`"));
        }
        Ok(parts)
    }
}

/// Text, data and parts in this order, as far as they are there.
fn content(text: Option<String>, data: Option<Json>, parts: Option<Vec<Part>>) -> Vec<Part> {
    let data = data.map(|data| Part::data(data).with_media_type("application/json"));
    text.map(Part::text).into_iter().chain(data).chain(parts.unwrap_or_default()).collect()
}

/// Notes on a part what the answer took.
pub(super) fn note_usage(part: &mut Part, usage: Json) {
    // Data that nests too deeply is left out rather than the answer.
    if let Ok(noted) = Metadata::with(part.metadata.as_ref(), "usage", usage) {
        part.metadata = Some(noted);
    }
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
            let got = Said::read_whole(text);
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
            let reason = Said::read(text).expect_err("a slip");
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }
}
