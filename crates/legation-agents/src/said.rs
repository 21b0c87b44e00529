//! The words between an agent and what does its work elsewhere, whatever carries them: lines of a
//! program (`docs/exec.md`) or HTTP (`docs/http-agents.md`).

use std::collections::BTreeMap;

use legation_core::{Authorization, Entrusted, Grant, Scopes, Turn};
use legation_model::{Artifact, ArtifactId, Json, Message, Metadata, Part, Task};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One message with all that belongs to it.
#[derive(Serialize)]
#[serde(tag = "type", rename = "message", rename_all = "camelCase")]
pub(crate) struct Work<'t> {
    /// What tells the runs of one program apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
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
    caller: Who<'t>,
    /// Headers of the caller's request that the operator lets through.
    #[serde(skip_serializing_if = "Entrusted::is_empty", serialize_with = "as_object")]
    credentials: &'t Entrusted,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<Granted<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfit: Option<&'t Unfit>,
}

/// What came of an authorization that was asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Granted<'t> {
    redirect_uri: &'t str,
    parameters: &'t BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'t Json>,
}

impl<'t> Granted<'t> {
    fn of(grant: &'t Grant) -> Self {
        let Grant { redirect_uri, parameters, kept } = grant;
        Self { redirect_uri, parameters, kept: kept.as_ref() }
    }
}

/// An answer that was refused, for another try.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Unfit {
    /// What is wrong with it.
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) answer: Vec<Part>,
}

/// Whose task it is.
#[derive(Serialize)]
struct Who<'t> {
    tenant: &'t str,
    subject: &'t str,
    /// What the caller's credentials are good for, unless that is everything or nobody calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'t str>>,
}

impl<'t> Who<'t> {
    fn of(turn: &'t Turn) -> Self {
        let scopes = turn.caller().and_then(|caller| match &caller.scopes {
            Scopes::All => None,
            Scopes::Only(names) => Some(names.iter().map(|name| &**name).collect()),
        });
        Self { tenant: turn.tenant(), subject: turn.subject(), scopes }
    }
}

fn as_object<S: Serializer>(entrusted: &Entrusted, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entrusted.iter())
}

impl<'t> Work<'t> {
    /// The message of a turn on a task, with what was said before it.
    pub(crate) fn of(
        run: Option<u64>,
        turn: &'t Turn,
        task: &'t Task,
        history: &'t [Message],
        unfit: Option<&'t Unfit>,
    ) -> Self {
        let message = turn.message();
        Self {
            run,
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
            caller: Who::of(turn),
            credentials: turn.entrusted(),
            granted: turn.granted().map(Granted::of),
            unfit,
        }
    }
}

/// What is said back.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
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
    /// Somebody has to authorize something; at an address where the server hears of it, or
    /// elsewhere.
    Auth(Vec<Part>, Option<Authorization>),
    Reject(Vec<Part>),
    Failure(String),
}

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A program's greeting, which is about no run.
    Ready,
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

/// All members that some kind has; others are ignored. A flat structure, because a tagged enum
/// would be read by way of a tree.
#[derive(Debug, Deserialize)]
pub(crate) struct Members {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) run: Option<u64>,
    pub(crate) protocol: Option<u32>,
    pub(crate) concurrency: Option<usize>,
    #[serde(default)]
    pub(crate) unfit: bool,
    text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    data: Option<Json>,
    parts: Option<Vec<Part>>,
    artifact: Option<String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    last: bool,
    url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    keep: Option<Json>,
}

/// Reads a member whose `null` is a value, not absence.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

#[cfg(unix)]
impl Said {
    /// Whether the run says no more after this.
    pub(crate) fn is_last(&self) -> bool {
        match self {
            Self::Question(_)
            | Self::Auth(..)
            | Self::Complete(_)
            | Self::Failure(_)
            | Self::Reject(_) => true,
            Self::Status(_)
            | Self::Chunk { .. }
            | Self::Artifact(_)
            | Self::Usage(_)
            | Self::Log(_) => false,
        }
    }
}

impl Members {
    /// What the members say.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub(crate) fn said(mut self) -> Result<Said, String> {
        Ok(match self.kind {
            Kind::Ready => return Err("a `ready`, which only programs say".into()),
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
            Kind::Auth => {
                let at = self.authorization()?;
                Said::Auth(self.some_content("an `auth`")?, at)
            }
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

    fn authorization(&mut self) -> Result<Option<Authorization>, String> {
        let Some(url) = self.url.take() else { return Ok(None) };
        let at = Authorization::at(&url).map_err(|error| format!("an `auth`: {error}"))?;
        Ok(Some(match self.keep.take() {
            Some(kept) => at.keep(kept),
            None => at,
        }))
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
pub(crate) fn content(
    text: Option<String>,
    data: Option<Json>,
    parts: Option<Vec<Part>>,
) -> Vec<Part> {
    let data = data.map(|data| Part::data(data).with_media_type("application/json"));
    text.map(Part::text).into_iter().chain(data).chain(parts.unwrap_or_default()).collect()
}
