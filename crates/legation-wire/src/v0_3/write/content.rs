//! Writes messages, artifacts and their parts.

use legation_model::{Artifact, ArtifactId, Content, Json, Message, Part, TaskArtifactUpdateEvent};
use serde::{Serialize, Serializer};

use super::object::{Object, some};
use super::{Each, Form, In};
use crate::v0_3::kept;
use crate::v0_3::names::role_name;

/// The artifact of an event, which in 0.1 says itself how it joins what is there.
pub(super) struct Chunk<'m> {
    pub(super) form: Form,
    pub(super) update: &'m TaskArtifactUpdateEvent,
}

impl Serialize for Chunk<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = Object::plain(serializer)?;
        put_artifact(&mut object, self.form, &self.update.artifact)?;
        if self.form.says_0_1() {
            object.put_true("append", self.update.append)?;
            object.put_true("lastChunk", self.update.last_chunk)?;
        }
        object.end()
    }
}

impl Serialize for In<'_, Artifact> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = Object::plain(serializer)?;
        put_artifact(&mut object, self.0, self.1)?;
        object.end()
    }
}

fn put_artifact<S: Serializer>(
    object: &mut Object<S>,
    form: Form,
    artifact: &Artifact,
) -> Result<(), S::Error> {
    object.put("artifactId", &artifact.artifact_id)?;
    if form.says_0_1() {
        object.put("index", &index(&artifact.artifact_id))?;
    }
    object.put_some("name", artifact.name.as_ref())?;
    object.put_some("description", artifact.description.as_ref())?;
    object.put("parts", &Each(form, &artifact.parts))?;
    object.put_some("metadata", artifact.metadata.as_ref())?;
    object.put_some("extensions", some(&artifact.extensions))
}

/// The place of an artifact among those of its task, which is how 0.1 names it. One that we made
/// for a place bears its number; for others a number made of the id stands.
fn index(id: &ArtifactId) -> u32 {
    const LARGEST: u32 = i32::MAX.unsigned_abs();
    let number = id.as_str().strip_prefix("artifact-").and_then(|number| number.parse().ok());
    number.filter(|number| *number <= LARGEST).unwrap_or_else(|| {
        // FNV-1a, for its value must never change.
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        id.as_str().as_bytes().iter().fold(0x811c_9dc5, mix) & LARGEST
    })
}

impl Serialize for In<'_, Message> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, message) = self;
        let mut object = Object::begin(form, "message", serializer)?;
        object.put("messageId", &message.message_id)?;
        object.put_some("contextId", message.context_id.as_ref())?;
        object.put_some("taskId", message.task_id.as_ref())?;
        object.put("role", role_name(form, message.role))?;
        let parts = if form == Form::Proto { "content" } else { "parts" };
        object.put(parts, &Each(form, &message.parts))?;
        object.put_some("metadata", message.metadata.as_ref())?;
        object.put_some("extensions", some(&message.extensions))?;
        if form != Form::Proto {
            object.put_some("referenceTaskIds", some(&message.reference_task_ids))?;
        }
        object.end()
    }
}

impl Serialize for In<'_, Part> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, part) = self;
        let kind = match &part.content {
            Content::Text(_) => "text",
            Content::Raw(_) | Content::Url(_) => "file",
            Content::Data(_) => "data",
        };
        let mut object = Object::begin(form, kind, serializer)?;
        if form.says_0_1() {
            object.put("type", kind)?;
        }
        match &part.content {
            Content::Text(text) => object.put("text", text)?,
            Content::Raw(_) | Content::Url(_) => object.put("file", &File(form, part))?,
            Content::Data(data) if form == Form::Proto => {
                object.put("data", &One("data", Data(data)))?
            }
            Content::Data(data) => object.put("data", &Data(data))?,
        }
        object.put_some("metadata", kept::metadata_of(part))?;
        object.end()
    }
}

/// The file of a part.
struct File<'m>(Form, &'m Part);

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, part) = self;
        let mut object = Object::plain(serializer)?;
        match (&part.content, form) {
            (Content::Raw(bytes), Form::Proto) => object.put("fileWithBytes", bytes)?,
            (Content::Raw(bytes), _) => object.put("bytes", bytes)?,
            (Content::Url(url), Form::Proto) => object.put("fileWithUri", url)?,
            (Content::Url(url), _) => object.put("uri", url)?,
            (Content::Text(_) | Content::Data(_), _) => {}
        }
        object.put_some("mimeType", part.media_type.as_ref())?;
        object.put_some("name", part.filename.as_ref())?;
        object.end()
    }
}

/// Data, wrapped in an object where it is none.
struct Data<'m>(&'m Json);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(data) = *self;
        if kept::is_object(data) {
            data.serialize(serializer)
        } else {
            One("value", data).serialize(serializer)
        }
    }
}

/// An object with one member.
struct One<T>(&'static str, T);

impl<T: Serialize> Serialize for One<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}
