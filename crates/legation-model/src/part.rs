//! A part: one piece of content in a message or an artifact (Spec 4.1.6).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rules;
use crate::{Json, Metadata};

/// One piece of content with its description.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What the part carries.
    pub content: Content,
    /// Free-form data about the part.
    pub metadata: Option<Metadata>,
    /// The name of the file, such as `report.csv`.
    pub filename: Option<String>,
    /// The media type of the content, such as `text/csv`.
    pub media_type: Option<String>,
}

/// What a part carries: exactly one of four.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Bytes of a file.
    Raw(Base64),
    /// Where a file can be fetched.
    Url(String),
    /// Any JSON value, `null` included.
    Data(Json),
}

impl Part {
    /// A part of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Content::Text(text.into()).into()
    }

    /// A part of structured data.
    pub fn data(data: Json) -> Self {
        Content::Data(data).into()
    }

    /// The part with a media type.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// The part with a file name.
    #[must_use]
    pub fn with_filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// The text, when this is a text part.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Raw(_) | Content::Url(_) | Content::Data(_) => None,
        }
    }
}

impl From<Content> for Part {
    fn from(content: Content) -> Self {
        Self { content, metadata: None, filename: None, media_type: None }
    }
}

/// Bytes as standard, padded base64 text: what the wire carries and what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(String);

/// The text is not base64 in any of the accepted spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct BadBase64;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STRICT: GeneralPurpose = base64::engine::general_purpose::STANDARD;

impl Base64 {
    /// Encodes bytes.
    pub fn encode(bytes: &[u8]) -> Self {
        Self(STRICT.encode(bytes))
    }

    /// Takes standard or URL-safe base64, padded or not, as ProtoJSON readers must.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Self, BadBase64> {
        let bytes = ANY_PADDING.decode(text).or_else(|_| URL_SAFE.decode(text));
        bytes.map(|bytes| Self::encode(&bytes)).map_err(|_| BadBase64)
    }

    /// The bytes.
    pub fn decode(&self) -> Vec<u8> {
        STRICT.decode(&self.0).expect("checked when it was made")
    }

    /// The standard, padded base64 text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part as its JSON members, before it is known that exactly one content is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default, deserialize_with = "Json::present")]
    data: Option<Json>,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "rules::text")]
    filename: Option<String>,
    #[serde(default, alias = "media_type", deserialize_with = "rules::text")]
    media_type: Option<String>,
}

impl TryFrom<Members> for Part {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        const ONE: &str = "a part needs exactly one of `text`, `raw`, `url`, `data`";
        let Members { text, raw, url, data, metadata, filename, media_type } = members;
        let content = match (text, raw, url, data) {
            (Some(text), None, None, None) => Content::Text(text),
            (None, Some(raw), None, None) => {
                Content::Raw(Base64::parse(&raw).map_err(|_| "`raw` is not base64")?)
            }
            (None, None, Some(url), None) => Content::Url(url),
            (None, None, None, Some(data)) => Content::Data(data),
            // `null` beside another content is the absence of data, as for every member.
            (text, raw, url, Some(data)) if data.as_str() == "null" => {
                let rest = Members { text, raw, url, data: None, metadata, filename, media_type };
                return Self::try_from(rest);
            }
            _ => return Err(ONE),
        };
        Ok(Self { content, metadata, filename, media_type })
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members: Members = rules::object(deserializer)?;
        Self::try_from(members).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("Part", 4)?;
        match &self.content {
            Content::Text(text) => part.serialize_field("text", text)?,
            Content::Raw(raw) => part.serialize_field("raw", raw.as_str())?,
            Content::Url(url) => part.serialize_field("url", url)?,
            Content::Data(data) => part.serialize_field("data", data)?,
        }
        if let Some(metadata) = &self.metadata {
            part.serialize_field("metadata", metadata)?;
        }
        if let Some(filename) = &self.filename {
            part.serialize_field("filename", filename)?;
        }
        if let Some(media_type) = &self.media_type {
            part.serialize_field("mediaType", media_type)?;
        }
        part.end()
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_exactly_one_content() {
        let cases = [
            (r#"{"text":"hi"}"#, Some(r#"{"text":"hi"}"#)),
            (r#"{"text":""}"#, Some(r#"{"text":""}"#)),
            (r#"{"data":null}"#, Some(r#"{"data":null}"#)),
            (
                r#"{"data":{"n":5},"mediaType":"a/b"}"#,
                Some(r#"{"data":{"n":5},"mediaType":"a/b"}"#),
            ),
            (r#"{"raw":"-_8","media_type":"a/b"}"#, Some(r#"{"raw":"+/8=","mediaType":"a/b"}"#)),
            (r#"{"text":"x","data":null}"#, Some(r#"{"text":"x"}"#)),
            (r#"{"url":"https://a/b","filename":"","new":1}"#, Some(r#"{"url":"https://a/b"}"#)),
            (r#"{"raw":"!!"}"#, None),
            (r#"{"text":"a","url":"b"}"#, None),
            (r#"{"text":null}"#, None),
            ("{}", None),
            (r#"["x"]"#, None),
        ];
        for (text, expected) in cases {
            let got = serde_json::from_str::<Part>(text).ok();
            let got = got.map(|part| serde_json::to_string(&part).expect("a part is JSON"));
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
