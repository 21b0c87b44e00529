//! Identifiers as types, so that a task id is never taken for a context id.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The longest identifier taken from outside, in bytes.
const MAX_BYTES: usize = 256;

/// Says why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// It has no characters.
    #[error("must not be empty")]
    Empty,
    /// It is longer than 256 bytes.
    #[error("must not be longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It holds a control character, such as NUL or a line break.
    #[error("must not hold control characters")]
    Control,
}

fn check(text: &str) -> Result<(), BadId> {
    if text.is_empty() {
        return Err(BadId::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(BadId::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(BadId::Control);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an identifier that came from outside.
            ///
            /// # Errors
            /// When it is empty, longer than 256 bytes or holds a control character.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// Makes a new one: a version 7 UUID. Its random 74 bits make it unguessable, and its
            /// leading time keeps index pages that hold it dense.
            pub fn generate() -> Self {
                let mut buffer = Uuid::encode_buffer();
                Self((&*Uuid::now_v7().hyphenated().encode_lower(&mut buffer)).into())
            }

            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl $name {
            /// Reads an optional identifier, where the empty text means none (proto3).
            #[allow(dead_code, reason = "not every kind is optional somewhere")]
            pub(crate) fn optional<'de, D>(deserializer: D) -> Result<Option<Self>, D::Error>
            where
                D: Deserializer<'de>,
            {
                let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.filter(|text| !text.is_empty())
                    .map(|text| Self::parse(&text).map_err(serde::de::Error::custom))
                    .transpose()
            }
        }
    };
}

id!(
    /// Names a task. Made by the server, and unique, but for those that callers of A2A 0.1 name
    /// themselves, each within what is its own (Spec 3.4.2).
    TaskId
);
id!(
    /// Names a context, the conversation that tasks share (Spec 3.4.1).
    ContextId
);
id!(
    /// Names a message; made by its sender.
    MessageId
);
id!(
    /// Names an artifact within its task.
    ArtifactId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_bounded_and_printable() {
        let long = "x".repeat(MAX_BYTES + 1);
        let cases = [
            ("", Some(BadId::Empty)),
            ("a\0b", Some(BadId::Control)),
            ("a\nb", Some(BadId::Control)),
            (&long, Some(BadId::TooLong)),
            (&long[1..], None),
            ("ключ/1:2", None),
        ];
        for (text, fault) in cases {
            assert_eq!(TaskId::parse(text).err(), fault, "{text:?}");
        }
    }

    #[test]
    fn generated_identifiers_differ_and_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| TaskId::generate()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
