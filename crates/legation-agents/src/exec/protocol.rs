//! The lines of the protocol, as `docs/exec.md` describes them.

use legation_core::Turn;
use legation_model::{Artifact, ArtifactId, Json, Message, Metadata, Part, TaskId};
use serde::{Deserialize, Deserializer, Serialize};

/// What the program is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told<'a> {
    /// A run begins.
    Message(Box<Work<'a>>),
    /// The caller said more while the run is at work.
    Further { run: u64, text: String, message: &'a Message },
    /// Nobody waits for the run any more.
    Cancel { run: u64 },
}

/// What a run is about.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Work<'a> {
    run: u64,
    task: &'a TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    attempt: u32,
    text: String,
    message: &'a Message,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    history: &'a [Message],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    artifacts: &'a [Artifact],
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    output_modes: &'a [String],
}

/// Writes the line with which a run begins.
pub(super) fn begin(run: u64, turn: &Turn, out: &mut Vec<u8>) {
    let (mut task, message) = (turn.task(), turn.message());
    task.history.retain(|earlier| earlier.message_id != message.message_id);
    let work = Work {
        run,
        task: &task.id,
        context: task.context_id.as_ref().map(|id| id.as_str()),
        attempt: turn.attempt(),
        text: message.text(),
        message,
        history: &task.history,
        artifacts: &task.artifacts,
        schema: turn.schema(),
        metadata: turn.metadata(),
        output_modes: turn.accepted_output_modes(),
    };
    Told::Message(Box::new(work)).write(out);
}

impl Told<'_> {
    /// Adds the line to others.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self).expect("texts and maps with text keys are JSON");
        out.push(b'\n');
    }
}

/// What the program says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Status(Option<String>),
    Chunk {
        artifact: Option<ArtifactId>,
        text: String,
        last: bool,
    },
    Artifact(Artifact),
    Question(Vec<Part>),
    Auth(Vec<Part>),
    Usage(Json),
    Log(String),
    Complete(Vec<Part>),
    Failure(String),
    Reject(Vec<Part>),
    /// What it said makes no sense, for this reason.
    Broken(String),
}

impl Said {
    /// Whether the run says no more after this.
    pub(super) fn is_last(&self) -> bool {
        match self {
            Self::Question(_)
            | Self::Auth(_)
            | Self::Complete(_)
            | Self::Failure(_)
            | Self::Reject(_) => true,
            Self::Status(_)
            | Self::Chunk { .. }
            | Self::Artifact(_)
            | Self::Usage(_)
            | Self::Log(_)
            | Self::Broken(_) => false,
        }
    }
}

/// One line of the program.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// It speaks the protocol and waits for work, so much of it at once.
    Ready { concurrency: Option<usize> },
    /// Something about a run; one that is not named is the only one.
    Of(Option<u64>, Said),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Ready,
    Status,
    Chunk,
    Artifact,
    Data,
    Question,
    Auth,
    Usage,
    Log,
    Complete,
    Failure,
    Reject,
}

/// All members that some kind of line has. A flat structure, because a tagged enum would be read
/// by way of a tree.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(rename = "type")]
    kind: Kind,
    run: Option<u64>,
    protocol: Option<u32>,
    concurrency: Option<usize>,
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

/// The version of the protocol that is spoken here.
pub(super) const PROTOCOL: u32 = 1;

/// Reads a member whose `null` is a value, not absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Reads a line; an error says what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Line, String> {
    let members: Members = serde_json::from_slice(line).map_err(|error| {
        let kind = if error.is_data() { "is not of the protocol" } else { "is not JSON" };
        format!("wrote a line that {kind}: {error}")
    })?;
    if let Kind::Ready = members.kind {
        return match members.protocol {
            None | Some(PROTOCOL) => Ok(Line::Ready { concurrency: members.concurrency }),
            Some(other) => Err(format!("speaks version {other} of the protocol, not {PROTOCOL}")),
        };
    }
    let run = members.run;
    let said = members.said().unwrap_or_else(|fault| Said::Broken(format!("wrote {fault}")));
    Ok(Line::Of(run, said))
}

impl Members {
    fn said(mut self) -> Result<Said, String> {
        Ok(match self.kind {
            Kind::Ready | Kind::Status => Said::Status(self.text),
            Kind::Chunk => Said::Chunk {
                artifact: self.artifact_id()?,
                text: self.text.ok_or("a `chunk` without `text`")?,
                last: self.last,
            },
            Kind::Artifact => self.artifact("an `artifact`")?,
            Kind::Data => self.artifact("`data`")?,
            Kind::Question => Said::Question(self.some_parts("a `question`")?),
            Kind::Auth => Said::Auth(self.some_parts("an `auth`")?),
            Kind::Usage => Said::Usage(self.data.ok_or("a `usage` without `data`")?),
            Kind::Log => Said::Log(self.text.unwrap_or_default()),
            Kind::Complete => Said::Complete(self.take_parts()),
            Kind::Failure => Said::Failure(self.text.ok_or("a `failure` without `text`")?),
            Kind::Reject => Said::Reject(self.some_parts("a `reject`")?),
        })
    }

    fn artifact(mut self, what: &str) -> Result<Said, String> {
        let parts = self.some_parts(what)?;
        let id = self.artifact_id()?.unwrap_or_else(ArtifactId::generate);
        let (name, description) = (self.name, self.description);
        Ok(Said::Artifact(Artifact { name, description, ..Artifact::new(id, parts) }))
    }

    fn artifact_id(&self) -> Result<Option<ArtifactId>, String> {
        let id = self.artifact.as_deref().map(ArtifactId::parse).transpose();
        id.map_err(|error| format!("an id of an artifact that {error}"))
    }

    /// Text, data and parts in this order, as far as they are there.
    fn take_parts(&mut self) -> Vec<Part> {
        let data = self.data.take().map(Part::data);
        let data = data.map(|data| data.with_media_type("application/json"));
        let mut parts: Vec<Part> = self.text.take().map(Part::text).into_iter().collect();
        parts.extend(data);
        parts.extend(self.parts.take().unwrap_or_default());
        parts
    }

    fn some_parts(&mut self, what: &str) -> Result<Vec<Part>, String> {
        let parts = self.take_parts();
        if parts.is_empty() {
            return Err(format!("{what} without `text`, `data` or `parts`"));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        match read(line.as_bytes()) {
            Ok(Line::Ready { concurrency }) => format!("ready {concurrency:?}"),
            Ok(Line::Of(run, Said::Broken(fault))) => format!("{run:?} broken: {fault}"),
            Ok(Line::Of(run, Said::Complete(parts))) => format!("{run:?} complete {}", parts.len()),
            Ok(Line::Of(run, said)) => format!("{run:?} {said:?}"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn every_line_is_read_or_refused_with_a_reason() {
        let cases = [
            (r#"{"type":"ready"}"#, "ready None"),
            (r#"{"type":"ready","protocol":1,"concurrency":8,"new":1}"#, "ready Some(8)"),
            (r#"{"type":"ready","protocol":2}"#, "speaks version 2 of the protocol, not 1"),
            (r#"{"type":"status","run":1}"#, "Some(1) Status(None)"),
            (
                r#"{"run":7,"type":"chunk","text":"a","last":true}"#,
                "Some(7) Chunk { artifact: None, text: \"a\", last: true }",
            ),
            (r#"{"type":"chunk"}"#, "None broken: wrote a `chunk` without `text`"),
            (
                r#"{"type":"chunk","artifact":"","text":"a"}"#,
                "None broken: wrote an id of an artifact that must not be empty",
            ),
            (
                r#"{"type":"artifact","run":1}"#,
                "Some(1) broken: wrote an `artifact` without `text`, `data` or `parts`",
            ),
            (
                r#"{"type":"complete","text":"a","data":null,"parts":[{"text":"b"}]}"#,
                "None complete 3",
            ),
            (r#"{"type":"failure","text":"no"}"#, "None Failure(\"no\")"),
            (r#"{"type":"usage","data":{"tokens":3}}"#, "None Usage({\"tokens\":3})"),
        ];
        for (line, expected) in cases {
            assert_eq!(said(line), expected, "{line}");
        }
        let broken = [
            (r#"{"type":"#, "wrote a line that is not JSON: "),
            ("hello", "wrote a line that is not JSON: "),
            (r#"{"type":"dance"}"#, "wrote a line that is not of the protocol: unknown variant"),
            (r#"{"run":1}"#, "wrote a line that is not of the protocol: missing field `type`"),
            (r#"{"type":"status","run":-1}"#, "wrote a line that is not of the protocol: "),
        ];
        for (line, expected) in broken {
            let got = said(line);
            assert!(got.starts_with(expected), "{line}: {got}");
        }
    }
}
