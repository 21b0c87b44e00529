//! Identifiers as types, so that a task id is never taken for a context id.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Timestamp, rules};

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
    // Nearly all are ASCII, which is looked at sooner byte by byte.
    let control = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    };
    if control { Err(BadId::Control) } else { Ok(()) }
}

/// The letters of made identifiers. They sort like the numbers that they stand for.
const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// How many letters a made identifier has.
const MADE: usize = 36;

/// How many of them are the time, in milliseconds since 1970.
const TIME: usize = 10;

fn make(at: Timestamp, random: Uuid) -> [u8; MADE] {
    let mut made = [0; MADE];
    let (time, rest) = made.split_at_mut(TIME);
    write(u128::from(at.as_millis().unsigned_abs()), time);
    write(random.as_u128(), rest);
    made
}

/// Writes a number with five bits to a letter.
fn write(mut number: u128, letters: &mut [u8]) {
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS[(number % 32) as usize];
        number /= 32;
    }
}

fn looks_made(text: &[u8]) -> bool {
    // The first releases made UUIDs of version 7.
    let is_uuid = || text[8] == b'-' && text[14] == b'7';
    text.len() == MADE && (text.iter().all(|byte| LETTERS.contains(byte)) || is_uuid())
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

            /// Makes a new one: the time first, so that index pages which hold it are dense, and 122
            /// random bits, so that nobody guesses it. It is as long as a UUID and is none.
            pub fn generate() -> Self {
                let made = make(Timestamp::now(), Uuid::new_v4());
                Self(std::str::from_utf8(&made).expect("letters are ASCII").into())
            }

            /// Whether it looks like one that is made here, by this release or an earlier one.
            pub fn looks_made(&self) -> bool {
                looks_made(self.0.as_bytes())
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
                rules::parsed(deserializer, Self::parse)
            }
        }

        impl $name {
            /// Reads an optional identifier, where the empty text means none (proto3).
            #[allow(dead_code, reason = "not every kind is optional somewhere")]
            pub(crate) fn optional<'de, D>(deserializer: D) -> Result<Option<Self>, D::Error>
            where
                D: Deserializer<'de>,
            {
                rules::parsed_if_any(deserializer, Self::parse)
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
    fn a_made_one_sorts_by_time_and_has_all_that_is_random() {
        let at = |millis| Timestamp::from_millis(millis).expect("in range");
        let text = |millis, random| {
            String::from_utf8(make(at(millis), Uuid::from_u128(random)).into()).expect("ASCII")
        };
        assert_eq!(text(0, 0), "0".repeat(36));
        assert_eq!(text(0, u128::MAX), format!("{}7{}", "0".repeat(10), "v".repeat(25)));
        assert_eq!(text(33, 32), format!("{}11{}10", "0".repeat(8), "0".repeat(24)));
        for pair in [0, 1, 31, 32, 1_790_000_000_000, 4_102_444_800_000].windows(2) {
            assert!(text(pair[0], u128::MAX) < text(pair[1], 0), "{pair:?}");
        }
        let one = TaskId::generate();
        assert!(one.looks_made() && one != TaskId::generate());
        let looks = |text| TaskId::parse(text).expect("a valid id").looks_made();
        assert!(looks("0190f3a0-0000-7000-8000-000000000000"), "of an earlier release");
        for other in ["t", "0190f3a0-0000-4000-8000-000000000000", &"w".repeat(36)] {
            assert!(!looks(other), "{other}");
        }
    }

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
            ("ключ\u{85}", Some(BadId::Control)),
        ];
        for (text, fault) in cases {
            assert_eq!(TaskId::parse(text).err(), fault, "{text:?}");
        }
    }

    #[test]
    fn generated_identifiers_differ_and_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| TaskId::generate()).collect();
        let times = ids.iter().map(|id| &id.as_str()[..TIME]);
        assert!(times.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
