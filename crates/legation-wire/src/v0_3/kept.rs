//! What the older versions have no member for in a part, kept in the part's metadata: written
//! there, and taken from there when it comes back.

use std::borrow::Cow;
use std::fmt;

use legation_model::{Content, Json, Metadata, Part};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// Where the media type of a text or of data is kept.
pub const MEDIA_TYPE: &str = "urn:legation:a2a:mediaType";
/// Where the file name of a text or of data is kept.
pub const FILENAME: &str = "urn:legation:a2a:filename";
/// Says that data is the member `value` of the object that was sent, because the older versions
/// take objects only. The key is that of the official SDKs.
pub const DATA_PART_COMPAT: &str = "data_part_compat";

const KEYS: [&str; 3] = [MEDIA_TYPE, FILENAME, DATA_PART_COMPAT];

/// The metadata of a part as the older versions write it.
pub(super) fn metadata_of(part: &Part) -> Option<Cow<'_, Metadata>> {
    let (named, wrapped) = match &part.content {
        Content::Text(_) => (true, false),
        Content::Data(data) => (true, !is_object(data)),
        Content::Raw(_) | Content::Url(_) => (false, false),
    };
    let text = |text: &Option<String>| text.as_ref().filter(|_| named).map(to_json);
    let values = [text(&part.media_type), text(&part.filename), wrapped.then(|| to_json(&true))];
    if values.iter().all(Option::is_none) {
        return part.metadata.as_ref().map(Cow::Borrowed);
    }
    let members = part.metadata.as_ref().map(Members::of).unwrap_or_default();
    let kept = KEYS.into_iter().zip(&values);
    let kept = kept.filter_map(|(key, value)| Some((Cow::Borrowed(key), value.as_deref()?)));
    let kept: Vec<_> = kept.collect();
    let own = members.0.into_iter().filter(|(key, _)| !kept.iter().any(|(name, _)| name == key));
    Members(own.chain(kept.iter().cloned()).collect()).into_metadata().map(Cow::Owned)
}

/// Takes what was kept out of a part that came as it is in 1.0.
pub(crate) fn restore(part: &mut Part) {
    let data = match &part.content {
        Content::Text(_) => None,
        Content::Data(data) => Some(data),
        Content::Raw(_) | Content::Url(_) => return,
    };
    let kept = take(&mut part.metadata, data.is_some());
    let value = data.filter(|_| kept.wrapped).and_then(|data| member(data.as_str(), "value"));
    if let Some(value) = value.and_then(|value| Json::parse(value.get()).ok()) {
        part.content = Content::Data(value);
    }
    part.media_type = part.media_type.take().or(kept.media_type);
    part.filename = part.filename.take().or(kept.filename);
}

/// Drops metadata that holds nothing, where something is kept in it.
pub(crate) fn drop_empty(part: &mut Part) {
    let written = metadata_of(part).map(Cow::into_owned);
    let empty = part.metadata.as_ref().is_some_and(|metadata| Members::of(metadata).0.is_empty());
    if empty && written != part.metadata {
        part.metadata = None;
    }
}

/// Whether data is an object, which alone the older versions take.
pub(super) fn is_object(data: &Json) -> bool {
    data.as_str().starts_with('{')
}

/// What was kept in the metadata of a text or of data.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) media_type: Option<String>,
    pub(super) filename: Option<String>,
    /// Whether the data is the member `value` of what was sent.
    pub(super) wrapped: bool,
}

/// Takes what was kept out of the metadata of a text or of data.
pub(super) fn take(metadata: &mut Option<Metadata>, data: bool) -> Kept {
    let mut kept = Kept::default();
    let Some(found) = metadata.as_ref().filter(|found| may_hold_a_key(found)) else { return kept };
    let mut members = Members::of(found);
    members.0.retain(|(key, value)| {
        let slot = match &**key {
            MEDIA_TYPE => &mut kept.media_type,
            FILENAME => &mut kept.filename,
            DATA_PART_COMPAT if data && value.get() == "true" => {
                kept.wrapped = true;
                return false;
            }
            _ => return true,
        };
        let text = serde_json::from_str(value.get()).ok().filter(|text: &String| !text.is_empty());
        // What is not a text was not kept by us.
        let Some(text) = text else { return true };
        *slot = Some(text);
        false
    });
    *metadata = if members.0.is_empty() { None } else { members.into_metadata() };
    kept
}

fn may_hold_a_key(metadata: &Metadata) -> bool {
    KEYS.iter().any(|key| metadata.as_str().contains(key))
}

/// A member of an object, when the text is an object that has it.
pub(super) fn member<'o>(object: &'o str, name: &str) -> Option<&'o RawValue> {
    let Members(members) = serde_json::from_str(object).ok()?;
    members.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn to_json(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("texts and truth values are JSON")
}

/// The members of an object in their order.
#[derive(Default)]
struct Members<'m>(Vec<(Cow<'m, str>, &'m RawValue)>);

impl<'m> Members<'m> {
    fn of(metadata: &'m Metadata) -> Self {
        serde_json::from_str(metadata.as_str()).expect("metadata is an object")
    }

    fn into_metadata(self) -> Option<Metadata> {
        Json::from_value(&self).ok().and_then(Metadata::new)
    }
}

impl<'de: 'm, 'm> Deserialize<'de> for Members<'m> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = object.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
