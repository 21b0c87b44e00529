//! Reads an encoded message into what its JSON would be read into, without the text between: what serde
//! asks for is answered from the fields.
//!
//! Only what is free-form becomes text, because that is what the model keeps of it. A failure says
//! nothing of its place: it is worth a second, slower look by way of the text.

use std::cell::Cell;
use std::iter;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use legation_model::A2aError;
use serde::de::value::{BorrowedStrDeserializer, Error, MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::fields::Payload;
use super::occurrences::Members;
use super::schema::{Field, Kind, Label, Message, Shape};
use super::text::LONGEST_ESCAPE;
use super::to_json::{Absent, Writer};
use crate::json::JsonBounds;
use crate::read::Read;

/// By which serde_json's `RawValue` asks for its text: an object with one member of this name. Should
/// that change, messages with free-form JSON are read the slower way, and a test fails.
const RAW: &str = "$serde_json::private::RawValue";

/// Reads a message; gives also how many bytes of text its free-form JSON takes.
pub(super) fn read<T: DeserializeOwned>(
    message: &'static Message,
    bytes: &[u8],
    absent: Absent,
    bounds: JsonBounds,
) -> Result<(T, usize), Error> {
    // What may be too much JSON is for the text to say.
    if bytes.len().saturating_mul(LONGEST_ESCAPE) > bounds.text {
        return Err(Error::custom("a large message"));
    }
    let mut writer = Writer::new(0, absent, bounds);
    let read = T::deserialize(One { writer: &mut writer, message, pieces: &[bytes] })?;
    Ok((read, writer.json.as_bytes().len()))
}

/// A message that a request is read from.
pub(super) struct Source<'de> {
    message: &'static Message,
    bytes: &'de [u8],
    bounds: JsonBounds,
    text: Cell<usize>,
}

impl<'de> Source<'de> {
    pub(super) fn new(message: &'static Message, bytes: &'de [u8], bounds: JsonBounds) -> Self {
        Self { message, bytes, bounds, text: Cell::new(0) }
    }

    /// How many bytes of text its free-form JSON takes, once it is read.
    pub(super) fn text(&self) -> usize {
        self.text.get()
    }
}

impl Read for Source<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, A2aError> {
        let read = read(self.message, self.bytes, Absent::Omitted, self.bounds);
        let (read, text) = read.map_err(|fault| A2aError::invalid("", fault.to_string()))?;
        self.text.set(text);
        Ok(read)
    }
}

/// A message, which may come in pieces.
struct One<'r, 'de> {
    writer: &'r mut Writer<'de>,
    message: &'static Message,
    pieces: &'r [&'de [u8]],
}

impl<'de> Deserializer<'de> for One<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { writer, message, pieces } = self;
        writer.json.enter().map_err(unreadable)?;
        let members = writer.found.gather(message, pieces).map_err(unreadable)?;
        let fields = InOne { writer, message, members: &members, next: 0, group: 0..0 };
        let read = visitor.visit_map(fields);
        writer.found.forget(&members);
        writer.json.leave();
        read
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of a message as members of an object.
struct InOne<'r, 'de> {
    writer: &'r mut Writer<'de>,
    message: &'static Message,
    members: &'r Members,
    next: usize,
    /// The occurrences of the field whose name was told last.
    group: Range<usize>,
}

impl<'de> MapAccess<'de> for InOne<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let said = self.writer.next_said(self.message, self.members, self.next);
        let Some((index, group)) = said else { return Ok(None) };
        (self.next, self.group) = (index + 1, group);
        seed.deserialize(BorrowedStrDeserializer::new(self.message.fields[index].json)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        field(self.writer, &self.message.fields[self.next - 1], self.group.clone(), seed)
    }
}

/// Reads a field that occurs some number of times.
fn field<'de, V: DeserializeSeed<'de>>(
    writer: &mut Writer<'de>,
    field: &'static Field,
    group: Range<usize>,
    seed: V,
) -> Result<V::Value, Error> {
    let shape = field.kind.message().map_or(Shape::Plain, |message| message.shape);
    if field.label == Label::Map || shape != Shape::Plain {
        let text = writer.text_of(field, group).map_err(unreadable)?;
        if matches!(shape, Shape::Timestamp | Shape::Duration) {
            let text = str::from_utf8(text).map_err(unreadable)?.trim_matches('"').to_owned();
            return seed.deserialize(Value::String(text)).map_err(Error::custom);
        }
        return seed.deserialize(Free(text));
    }
    if field.label == Label::Repeated {
        writer.json.enter().map_err(unreadable)?;
        let read = seed.deserialize(InList { writer, kind: field.kind, group });
        writer.json.leave();
        return read;
    }
    match (field.kind, group.len()) {
        (Kind::Message(message), 1) => {
            let piece = piece(writer, group.start)?;
            seed.deserialize(One { writer, message, pieces: &[piece] })
        }
        (Kind::Message(message), _) => {
            let pieces: Vec<_> = group.map(|at| piece(writer, at)).collect::<Result<_, _>>()?;
            seed.deserialize(One { writer, message, pieces: &pieces })
        }
        (kind, _) => {
            let last = group.last().map(|at| writer.found.payload(at));
            seed.deserialize(Scalar(kind, last.unwrap_or(nothing(kind))))
        }
    }
}

fn piece<'de>(writer: &Writer<'de>, at: usize) -> Result<&'de [u8], Error> {
    match writer.found.payload(at) {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::Varint(_) | Payload::Fixed64(_) | Payload::Other => Err(mismatch()),
    }
}

/// A field as JSON text. What is read must not hold on to it.
struct Free<'t>(&'t [u8]);

impl<'de> Deserializer<'de> for Free<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut json = serde_json::Deserializer::from_reader(self.0);
        json.deserialize_any(visitor).map_err(Error::custom)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    /// Text that is kept as it is needs no parser: it was written just now.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        let text = str::from_utf8(self.0).map_err(unreadable)?.to_owned();
        visitor.visit_map(MapDeserializer::new(iter::once((name, text))))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of a list.
struct InList<'r, 'de> {
    writer: &'r mut Writer<'de>,
    kind: Kind,
    group: Range<usize>,
}

impl<'de> Deserializer<'de> for InList<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for InList<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(at) = self.group.next() else { return Ok(None) };
        match self.kind.message() {
            Some(message) => {
                let piece = piece(self.writer, at)?;
                seed.deserialize(One { writer: self.writer, message, pieces: &[piece] })
            }
            None => seed.deserialize(Scalar(self.kind, self.writer.found.payload(at))),
        }
        .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.group.len())
    }
}

/// A value that is no message.
struct Scalar<'de>(Kind, Payload<'de>);

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.0, self.1) {
            (Kind::Text, Payload::Bytes(bytes)) => {
                visitor.visit_borrowed_str(str::from_utf8(bytes).map_err(unreadable)?)
            }
            (Kind::Bytes, Payload::Bytes(bytes)) => visitor.visit_string(STANDARD.encode(bytes)),
            (Kind::Bool, Payload::Varint(value)) => visitor.visit_bool(value != 0),
            // What does not fit is cut, as protobuf has it.
            (Kind::Int32, Payload::Varint(value)) => visitor.visit_i64(i64::from(value as i32)),
            (Kind::Enum(values), Payload::Varint(value)) => {
                let number = value as i32;
                match values.iter().find(|(known, _)| *known == number) {
                    Some((_, name)) => visitor.visit_borrowed_str(name),
                    None => visitor.visit_i64(i64::from(number)),
                }
            }
            (
                Kind::Text
                | Kind::Bytes
                | Kind::Bool
                | Kind::Int32
                | Kind::Int64
                | Kind::Double
                | Kind::Null
                | Kind::Enum(_)
                | Kind::Message(_),
                _,
            ) => Err(mismatch()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (Kind::Text, Payload::Bytes(text)) = (self.0, self.1) else { return Err(mismatch()) };
        let text = StrDeserializer::new(str::from_utf8(text).map_err(unreadable)?);
        text.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What an absent field holds.
const fn nothing(kind: Kind) -> Payload<'static> {
    match kind {
        Kind::Text | Kind::Bytes | Kind::Message(_) => Payload::Bytes(&[]),
        Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Null | Kind::Enum(_) => Payload::Varint(0),
        Kind::Double => Payload::Fixed64(0),
    }
}

fn unreadable<T>(_: T) -> Error {
    Error::custom("not such a message")
}

fn mismatch() -> Error {
    Error::custom("not such a field")
}

#[cfg(test)]
mod tests {
    use legation_model::Request;
    use proptest::prelude::*;

    use super::super::{Numbers, Package, method, write_answer, write_request};
    use super::*;
    use crate::grpc::to_json::to_json;
    use crate::operation::Operation;
    use crate::reply::Streamed;
    use crate::v1;

    const REQUESTS: [(Operation, &str); 4] = [
        (
            Operation::SendMessage,
            r#"{"tenant":"t","message":{"messageId":"m","contextId":"c","role":"ROLE_USER",
                "parts":[{"text":"a\u0001ä","metadata":{"n":[1,{"x":null}]}},{"raw":"AAE="},
                {"data":[1.5,"x"],"mediaType":"a/b"},{"data":null},{"url":"http://x","filename":"f"}],
                "extensions":["e"],"referenceTaskIds":["r"],"metadata":{}},
                "configuration":{"acceptedOutputModes":["text/plain"],"historyLength":0,
                "returnImmediately":true},"metadata":{"k":"v"}}"#,
        ),
        (Operation::GetTask, r#"{"id":"t","historyLength":7}"#),
        (
            Operation::ListTasks,
            r#"{"contextId":"c","status":"TASK_STATE_WORKING","pageSize":3,"pageToken":"p",
                "statusTimestampAfter":"2026-01-02T03:04:05.678Z","includeArtifacts":true}"#,
        ),
        (
            Operation::CreateTaskPushNotificationConfig,
            r#"{"taskId":"t","id":"i","url":"http://x","token":"s",
                "authentication":{"scheme":"Bearer","credentials":"c"}}"#,
        ),
    ];

    const ITEMS: [&str; 4] = [
        r#"{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING",
            "timestamp":"2026-01-02T03:04:05.678Z","message":{"messageId":"m","role":"ROLE_AGENT",
            "parts":[{"text":""}]}},"history":[{"messageId":"n","role":"ROLE_USER","parts":[]}],
            "artifacts":[{"artifactId":"a","name":"n","parts":[{"data":{"x":1}}]}],"metadata":{"a":1}}}"#,
        r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"raw":""}]}}"#,
        r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#,
        r#"{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a",
            "parts":[{"text":"x"}]},"append":true,"lastChunk":true,"metadata":{"seq":7}}}"#,
    ];

    /// What both ways make of a message of a request: neither may know more than the other.
    fn requests(operation: Operation, message: &[u8]) -> [Option<String>; 2] {
        let input = method(Package::V1_0, operation).expect("a method").input;
        let bounds = JsonBounds::default();
        let shown = |request: Request| format!("{request:?}");
        let by_text = to_json(input, message, Absent::Omitted, bounds).ok();
        let by_text = by_text.and_then(|text| v1::read_params(operation, Some(&text)).ok());
        let direct = v1::request(&Source::new(input, message, bounds), operation).ok();
        [by_text.map(shown), direct.map(shown)]
    }

    /// The same for an item of a stream.
    fn items(message: &[u8]) -> [Option<String>; 2] {
        let output =
            method(Package::V1_0, Operation::SendStreamingMessage).expect("a method").output;
        let bounds = JsonBounds::default();
        let shown = |item: Streamed| format!("{item:?}");
        let by_text = to_json(output, message, Absent::Written, bounds).ok();
        let by_text = by_text.and_then(|text| serde_json::from_str(&text).ok());
        let direct = read(output, message, Absent::Written, bounds).ok();
        [by_text.map(shown), direct.map(|(item, _)| shown(item))]
    }

    #[test]
    fn good_messages_are_read_without_text() {
        for (operation, params) in REQUESTS {
            let message = write_request(Package::V1_0, operation, params, Numbers::Refuse);
            let [by_text, direct] = requests(operation, &message.expect("a good request"));
            assert!(direct.is_some(), "{params}");
            assert_eq!(by_text, direct);
        }
        for item in ITEMS {
            let operation = Operation::SendStreamingMessage;
            let message = write_answer(Package::V1_0, operation, item, Numbers::Refuse);
            let [by_text, direct] = items(&message.expect("a good item"));
            assert!(direct.is_some(), "{item}");
            assert_eq!(by_text, direct);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_024))]

        /// Fields that come twice, in another order, in pieces, as something else, or cut off.
        #[test]
        fn damaged_messages_are_read_alike_both_ways(
            which in 0..REQUESTS.len() + ITEMS.len(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            twice in any::<bool>(),
            end in any::<prop::sample::Index>(),
        ) {
            let (operation, written) = match REQUESTS.get(which) {
                Some((operation, params)) => {
                    (Some(*operation), write_request(Package::V1_0, *operation, params, Numbers::Refuse))
                }
                None => {
                    let (operation, item) = (Operation::SendStreamingMessage, ITEMS[which - REQUESTS.len()]);
                    (None, write_answer(Package::V1_0, operation, item, Numbers::Refuse))
                }
            };
            let mut message = written.expect("good");
            for (at, byte) in changes {
                let at = at.index(message.len());
                message[at] = byte;
            }
            if twice {
                let end = end.index(message.len());
                message.extend_from_within(..end);
            }
            let [by_text, direct] = operation.map_or_else(|| items(&message), |operation| requests(operation, &message));
            prop_assert_eq!(by_text, direct, "{:02x?}", message);
        }
    }
}
