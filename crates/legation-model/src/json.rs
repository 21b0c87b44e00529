//! Free-form JSON kept as text: validated once, never a tree until somebody asks.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep free-form JSON may nest. Readers elsewhere stop at 128 for a whole document.
pub const MAX_DEPTH: usize = 100;

/// Any JSON value as its text: valid, at most [`MAX_DEPTH`] deep, without raw line breaks.
///
/// The absence of line breaks is what lets a stored value stand on one `data:` line of a stream.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

/// Says why a text is not acceptable as free-form JSON.
#[derive(Debug, thiserror::Error)]
pub enum BadJson {
    /// It is not JSON.
    #[error("not JSON")]
    Syntax(#[from] serde_json::Error),
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

impl Json {
    /// Takes JSON text from outside.
    ///
    /// # Errors
    /// When the text is not JSON, holds a lone surrogate or nests deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Self, BadJson> {
        Self::from_raw(serde_json::from_str(text)?)
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// When the value cannot be said in JSON, such as a map whose keys are not texts.
    pub fn from_value(value: &impl Serialize) -> Result<Self, BadJson> {
        Self::from_raw(serde_json::value::to_raw_value(value)?)
    }

    /// Reads the text into a type.
    ///
    /// # Errors
    /// When the value has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    fn from_raw(raw: Box<RawValue>) -> Result<Self, BadJson> {
        let scan = Scan::of(raw.get());
        if scan.depth > MAX_DEPTH {
            return Err(BadJson::Depth);
        }
        if scan.surrogates {
            // The tree is only looked at, because its numbers are not those of the text.
            serde_json::from_str::<serde_json::Value>(raw.get())?;
        }
        if scan.line_breaks {
            // Within texts there are none, so they are but space.
            let line = raw.get().replace(['\n', '\r'], " ");
            return Ok(Self(RawValue::from_string(line)?.into()));
        }
        Ok(Self(raw.into()))
    }
}

/// What one pass over valid JSON text finds.
struct Scan {
    depth: usize,
    line_breaks: bool,
    surrogates: bool,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self { depth: 0, line_breaks: false, surrogates: false };
        let (mut open, mut in_string, mut escaped) = (0_usize, false, false);
        for byte in text.bytes() {
            if in_string {
                // `\u` may spell a lone surrogate, which raw text validation lets through.
                scan.surrogates |= escaped && byte == b'u';
                (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'[' | b'{' => {
                    open += 1;
                    scan.depth = scan.depth.max(open);
                }
                b']' | b'}' => open = open.saturating_sub(1),
                b'\n' | b'\r' => scan.line_breaks = true,
                _ => {}
            }
        }
        scan
    }
}

impl PartialEq for Json {
    /// Compares the texts, not the values: `1.0` differs from `1`.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Box::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Json {
    /// Reads a member whose `null` is a value, not absence (a part's `data`).
    pub(crate) fn present<'de, D>(deserializer: D) -> Result<Option<Self>, D::Error>
    where
        D: Deserializer<'de>,
    {
        Self::deserialize(deserializer).map(Some)
    }
}

/// A JSON object of free form, as `metadata` is.
#[derive(Clone, PartialEq)]
pub struct Metadata(Json);

impl Metadata {
    /// Takes a value that is a JSON object; `None` when it is anything else.
    pub fn new(json: Json) -> Option<Self> {
        json.as_str().starts_with('{').then_some(Self(json))
    }

    /// Makes an object with one member.
    ///
    /// # Errors
    /// When the value cannot be said in JSON.
    pub fn single(key: &str, value: &impl Serialize) -> Result<Self, BadJson> {
        let map = std::collections::BTreeMap::from([(key, value)]);
        Json::from_value(&map).map(Self)
    }

    /// The object with one more member, which takes the place of one with the same name.
    ///
    /// # Errors
    /// [`BadJson::Depth`] when the value would nest too deeply there.
    pub fn with(metadata: Option<&Self>, key: &str, value: Json) -> Result<Self, BadJson> {
        let text = metadata.map_or("{}", Self::as_str);
        let mut members: std::collections::BTreeMap<String, Json> = serde_json::from_str(text)?;
        members.insert(key.to_owned(), value);
        Json::from_value(&members).map(Self)
    }

    /// The object without a member; `None` when nothing is left.
    pub fn without(&self, key: &str) -> Option<Self> {
        let mut members: std::collections::BTreeMap<String, Json> =
            serde_json::from_str(self.as_str()).ok()?;
        members.remove(key);
        let left = Json::from_value(&members).ok().filter(|_| !members.is_empty());
        left.map(Self)
    }

    /// The members of another object with these, which take the places of those with their names.
    #[must_use]
    pub fn over(&self, other: Option<&Self>) -> Self {
        type Members = std::collections::BTreeMap<String, Json>;
        let read = |metadata: &Self| serde_json::from_str::<Members>(metadata.as_str());
        let joined = other.map(|other| {
            let mut members = read(other)?;
            members.extend(read(self)?);
            Json::from_value(&members)
        });
        joined.map_or_else(
            || self.clone(),
            |joined| Self(joined.expect("the members of two objects are those of one")),
        )
    }

    /// Reads one member; `None` when it is not there.
    pub fn get(&self, key: &str) -> Option<Json> {
        let members: std::collections::HashMap<std::borrow::Cow<'_, str>, Json> =
            serde_json::from_str(self.0.as_str()).ok()?;
        members.get(key).cloned()
    }

    /// The JSON text of the object.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Json::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("expected a JSON object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_form_json_is_valid_shallow_and_on_one_line() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let cases = [
            ("{\"a\": 1}", Some("{\"a\": 1}")),
            ("{\"a\":\n1}", Some("{\"a\": 1}")),
            (r#""\ud83d\ude00""#, Some(r#""\ud83d\ude00""#)),
            (
                "[\"\\u0041\",\r\n0.10000000000000000001]",
                Some("[\"\\u0041\",  0.10000000000000000001]"),
            ),
            ("[\"\\u0041\", 123456789012345678901]", Some("[\"\\u0041\", 123456789012345678901]")),
            (r#""\ud83d""#, None),
            (r#"{"a":"\\ud83d"}"#, Some(r#"{"a":"\\ud83d"}"#)),
            ("1e400", Some("1e400")),
            ("{", None),
            (&deep(MAX_DEPTH), Some(&deep(MAX_DEPTH))),
            (&deep(MAX_DEPTH + 1), None),
            (&deep(100_000), None),
        ];
        for (text, expected) in cases {
            let got = Json::parse(text).ok();
            assert_eq!(got.as_ref().map(Json::as_str), expected, "{:.40}", text);
        }
    }

    #[test]
    fn metadata_is_an_object() {
        assert!(serde_json::from_str::<Metadata>(r#"{"k":5}"#).is_ok());
        assert!(serde_json::from_str::<Metadata>("[1]").is_err());
        let single = Metadata::single("k", &5).expect("numbers are JSON");
        assert_eq!(single.get("k").expect("just set").as_str(), "5");
        assert_eq!(single.without("k"), None);
        assert_eq!(single.without("j"), Some(single));
    }
}
