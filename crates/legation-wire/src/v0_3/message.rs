//! Messages, parts and files as any older version says them.

use std::borrow::Cow;

use legation_model::{
    Base64, Content, ContextId, Json, Message, MessageId, Metadata, Part, TaskId, rules,
};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use super::Form;
use super::kept;
use super::names::{self, List, given};

/// A message, and what its JSON shows of its author.
pub(super) struct Said {
    pub(super) message: Message,
    /// Whether the message lacks the id that its dialect demands. It was given a fresh one then.
    pub(super) lacks_id: bool,
    /// The dialect that it is written in.
    pub(super) form: Form,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members: MessageMembers = rules::object(deserializer)?;
        Self::try_from(members).map_err(D::Error::custom)
    }
}

#[derive(serde::Deserialize)]
enum MessageKind {
    #[serde(rename = "message")]
    Message,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageMembers {
    kind: Option<MessageKind>,
    #[serde(default, alias = "message_id", deserialize_with = "given")]
    message_id: Option<MessageId>,
    #[serde(default, alias = "context_id", deserialize_with = "given")]
    context_id: Option<ContextId>,
    #[serde(default, alias = "task_id", deserialize_with = "given")]
    task_id: Option<TaskId>,
    #[serde(deserialize_with = "names::role")]
    role: legation_model::Role,
    parts: Option<List<AnyPart<false>>>,
    content: Option<List<AnyPart<true>>>,
    metadata: Option<Metadata>,
    extensions: Option<List<String>>,
    #[serde(alias = "reference_task_ids")]
    reference_task_ids: Option<List<TaskId>>,
}

impl TryFrom<MessageMembers> for Said {
    type Error = &'static str;

    fn try_from(members: MessageMembers) -> Result<Self, Self::Error> {
        let (parts, form) = match (members.parts, members.content) {
            (None, Some(List(parts))) if parts.is_empty() => {
                return Err("`content` must hold at least one part");
            }
            (None, Some(List(parts))) => (AnyPart::all(parts), Form::Proto),
            (Some(List(parts)), None) => (AnyPart::all(parts), Form::Json),
            (Some(_), Some(_)) => return Err("`content` is there beside `parts`"),
            (None, None) => return Err("`parts` is missing"),
        };
        let message = Message {
            context_id: members.context_id,
            task_id: members.task_id,
            metadata: members.metadata,
            extensions: List::or_empty(members.extensions),
            reference_task_ids: List::or_empty(members.reference_task_ids),
            message_id: members.message_id.clone().unwrap_or_else(MessageId::generate),
            role: members.role,
            parts,
        };
        // Callers that write their JSON by hand know neither kinds nor ids.
        let by_hand = form == Form::Json && members.kind.is_none();
        Ok(Self { message, lacks_id: members.message_id.is_none() && !by_hand, form })
    }
}

/// A part. In protobuf JSON data is wrapped: `{"data":{"data":{}}}`.
pub(super) struct AnyPart<const PROTO: bool>(Part);

impl<const PROTO: bool> AnyPart<PROTO> {
    pub(super) fn all(parts: Vec<Self>) -> Vec<Part> {
        parts.into_iter().map(|Self(part)| part).collect()
    }
}

impl<'de, const PROTO: bool> Deserialize<'de> for AnyPart<PROTO> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members: PartMembers = rules::object(deserializer)?;
        members.into_part(PROTO).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum PartKind {
    Text,
    File,
    Data,
}

#[derive(serde::Deserialize)]
struct PartMembers {
    kind: Option<PartKind>,
    #[serde(rename = "type")]
    kind_of_0_1: Option<PartKind>,
    text: Option<String>,
    #[serde(default, deserialize_with = "rules::optional_object")]
    file: Option<File>,
    data: Option<Box<RawValue>>,
    metadata: Option<Metadata>,
}

impl PartMembers {
    fn into_part(self, proto: bool) -> Result<Part, Cow<'static, str>> {
        let said = self.kind.or(self.kind_of_0_1);
        let kind = said.map_or_else(|| self.kind_by_content(), Ok)?;
        let Self { text, file, data, metadata, .. } = self;
        match kind {
            PartKind::Text => Ok(text_part(text.ok_or("`text` is missing")?, metadata)),
            PartKind::File => Ok(file.ok_or("`file` is missing")?.into_part(metadata)),
            PartKind::Data => {
                let data = data.ok_or("`data` is missing")?;
                let wrapped = proto && said.is_none();
                let inner = if wrapped { kept::member(data.get(), "data") } else { None };
                data_part(inner.unwrap_or(&data), metadata)
            }
        }
    }

    /// What a part that does not say so is, as hand-written clients send it.
    fn kind_by_content(&self) -> Result<PartKind, &'static str> {
        match (&self.text, &self.file, &self.data) {
            (Some(_), None, None) => Ok(PartKind::Text),
            (None, Some(_), None) => Ok(PartKind::File),
            (None, None, Some(_)) => Ok(PartKind::Data),
            _ => Err("a part without `kind` needs exactly one of `text`, `file`, `data`"),
        }
    }
}

fn text_part(text: String, mut metadata: Option<Metadata>) -> Part {
    let kept = kept::take(&mut metadata, false);
    let (media_type, filename) = (kept.media_type, kept.filename);
    Part { content: Content::Text(text), metadata, filename, media_type }
}

fn data_part(data: &RawValue, mut metadata: Option<Metadata>) -> Result<Part, Cow<'static, str>> {
    let kept = kept::take(&mut metadata, true);
    let value = if kept.wrapped { kept::member(data.get(), "value") } else { None };
    let data = Json::parse(value.unwrap_or(data).get());
    let content = Content::Data(data.map_err(|fault| format!("`data` {fault}"))?);
    let (media_type, filename) = (kept.media_type, kept.filename);
    Ok(Part { content, metadata, filename, media_type })
}

/// A file: its bytes or where it is.
struct File {
    content: Content,
    media_type: Option<String>,
    name: Option<String>,
}

impl File {
    fn into_part(self, metadata: Option<Metadata>) -> Part {
        let Self { content, media_type, name } = self;
        Part { content, metadata, filename: name, media_type }
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileMembers {
    #[serde(alias = "fileWithBytes", alias = "file_with_bytes")]
    bytes: Option<String>,
    #[serde(alias = "fileWithUri", alias = "file_with_uri")]
    uri: Option<String>,
    #[serde(default, alias = "mime_type", deserialize_with = "rules::text")]
    mime_type: Option<String>,
    #[serde(default, deserialize_with = "rules::text")]
    name: Option<String>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let FileMembers { bytes, uri, mime_type, name } = rules::object(deserializer)?;
        let content = match (bytes, uri.as_deref()) {
            // The 0.3 kit sends an empty address beside the bytes.
            (Some(bytes), None | Some("")) => {
                let bytes = Base64::parse(&bytes);
                Content::Raw(bytes.map_err(|_| D::Error::custom("`bytes` is not base64"))?)
            }
            (None, Some(uri)) => Content::Url(uri.to_owned()),
            _ => return Err(D::Error::custom("needs exactly one of `bytes`, `uri`")),
        };
        Ok(Self { content, media_type: mime_type, name })
    }
}
