//! Writes an encoded message as JSON text, by the rules of ProtoJSON.

use std::collections::HashMap;
use std::ops::Range;

use super::fault::Fault;
use super::fields::{Fields, Payload};
use super::known;
use super::occurrences::{Members, Occurrences};
use super::schema::{Field, Kind, Label, Message, Shape};
use super::text::Text;
use crate::json::JsonBounds;

/// What becomes of a field that is zero, false or empty, where that is the same as not being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is left out, so that whoever reads the text sees what was not said.
    Omitted,
    /// It is written, also when it is not there.
    Written,
}

/// Writes a message as JSON text.
///
/// # Errors
/// When the bytes are not such a message, or exceed the bounds.
pub(super) fn to_json(
    message: &'static Message,
    bytes: &[u8],
    absent: Absent,
    bounds: JsonBounds,
) -> Result<String, Fault> {
    let mut writer = Writer::new(bytes.len() + bytes.len() / 2 + 64, absent, bounds);
    writer.message(message, &[bytes])?;
    writer.json.into_string()
}

pub(super) struct Writer<'m> {
    pub(super) json: Text,
    absent: Absent,
    pub(super) found: Occurrences<'m>,
}

impl<'m> Writer<'m> {
    pub(super) fn new(capacity: usize, absent: Absent, bounds: JsonBounds) -> Self {
        let found = Occurrences::at_most(bounds.items);
        Self { json: Text::new(capacity, bounds), absent, found }
    }

    /// Writes a field behind what is written; gives its text.
    pub(super) fn text_of(
        &mut self,
        field: &'static Field,
        group: Range<usize>,
    ) -> Result<&[u8], Fault> {
        let start = self.json.as_bytes().len();
        self.field(field, group)?;
        self.json.check()?;
        Ok(&self.json.as_bytes()[start..])
    }

    /// Writes a message, which may come in pieces.
    fn message(&mut self, message: &'static Message, pieces: &[&'m [u8]]) -> Result<(), Fault> {
        let members = self.found.gather(message, pieces)?;
        match message.shape {
            Shape::Plain => {
                self.json.open(b'{')?;
                self.members(message, &members, &mut true)?;
                self.json.close(b'}');
            }
            Shape::Json => self.free(message, &members)?,
            Shape::Timestamp => self.time(&members, known::timestamp, "is no point in time")?,
            Shape::Duration => self.time(&members, known::duration, "is no span of time")?,
            Shape::Any => self.any(&members)?,
        }
        self.found.forget(&members);
        Ok(())
    }

    /// Writes the fields as the members of an object.
    fn members(
        &mut self,
        message: &'static Message,
        members: &Members,
        first: &mut bool,
    ) -> Result<(), Fault> {
        let mut next = 0;
        while let Some((index, group)) = self.next_said(message, members, next) {
            next = index + 1;
            let field = &message.fields[index];
            self.json.name(field.json, first);
            self.field(field, group).map_err(|fault| fault.in_field(field.name))?;
        }
        Ok(())
    }

    /// The next field from this one on that is written, and where it occurs.
    pub(super) fn next_said(
        &self,
        message: &'static Message,
        members: &Members,
        from: usize,
    ) -> Option<(usize, Range<usize>)> {
        (from..message.fields.len()).find_map(|index| {
            let field = &message.fields[index];
            let group = self.found.of_field(members, index, field.label);
            let last = group.clone().last().map(|at| self.found.payload(at));
            let says_nothing = match self.absent {
                Absent::Omitted => last.is_none_or(|last| is_default(field, last)),
                Absent::Written => last.is_none() && !is_implied(field),
            };
            (!says_nothing).then_some((index, group))
        })
    }

    /// Writes a field that occurs some number of times.
    fn field(&mut self, field: &'static Field, group: Range<usize>) -> Result<(), Fault> {
        match field.label {
            Label::Map => self.map(field, group),
            Label::Repeated => {
                self.json.open(b'[')?;
                let mut first = true;
                for (index, at) in group.enumerate() {
                    self.json.comma(&mut first);
                    let payload = self.found.payload(at);
                    self.value(field.kind, payload).map_err(|fault| fault.at_index(index))?;
                }
                self.json.close(b']');
                Ok(())
            }
            Label::Implicit | Label::Explicit | Label::OneOf => self.single(field.kind, group),
        }
    }

    /// Writes a field that may be there once. The last occurrence counts; those of a message are
    /// pieces of one.
    fn single(&mut self, kind: Kind, group: Range<usize>) -> Result<(), Fault> {
        let Some(last) = group.clone().last() else {
            self.json.word(default(kind));
            return Ok(());
        };
        let message = match kind.message() {
            Some(message) if group.len() > 1 => message,
            Some(_) | None => return self.value(kind, self.found.payload(last)),
        };
        let pieces = group.map(|at| match self.found.payload(at) {
            Payload::Bytes(bytes) => Ok(bytes),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Other => Err(mismatch(kind)),
        });
        let pieces: Vec<_> = pieces.collect::<Result<_, _>>()?;
        self.message(message, &pieces)
    }

    /// Writes a map. Of entries with the same key the last counts.
    fn map(&mut self, field: &'static Field, group: Range<usize>) -> Result<(), Fault> {
        let Some(Message { fields: [_, value], .. }) = field.kind.message() else {
            return Err(mismatch(field.kind));
        };
        let mut entries: Vec<(&'m str, Option<Payload<'m>>)> = Vec::with_capacity(group.len());
        let mut places = HashMap::new();
        for at in group {
            let Payload::Bytes(bytes) = self.found.payload(at) else {
                return Err(mismatch(field.kind));
            };
            let (key, value) = entry(bytes)?;
            let place = *places.entry(key).or_insert(entries.len());
            match entries.get_mut(place) {
                Some(earlier) => earlier.1 = value,
                None => entries.push((key, value)),
            }
        }
        self.json.open(b'{')?;
        let mut first = true;
        for (key, payload) in entries {
            self.json.key(key, &mut first)?;
            self.map_value(value.kind, payload).map_err(|fault| fault.at_key(key))?;
        }
        self.json.close(b'}');
        Ok(())
    }

    fn map_value(&mut self, kind: Kind, payload: Option<Payload<'m>>) -> Result<(), Fault> {
        match (payload, kind.message()) {
            (Some(payload), _) => self.value(kind, payload),
            (None, Some(message)) => self.message(message, &[]),
            (None, None) => {
                self.json.word(default(kind));
                Ok(())
            }
        }
    }

    /// Writes free-form JSON: an object or a list, which may be empty, or the one value that is
    /// there.
    fn free(&mut self, message: &'static Message, members: &Members) -> Result<(), Fault> {
        let index = match message.fields {
            [_] => Some(0),
            _ => Occurrences::chosen(members),
        };
        let Some(index) = index else {
            self.json.word("null");
            return Ok(());
        };
        let field = &message.fields[index];
        self.field(field, self.found.of_field(members, index, field.label))
    }

    fn time(
        &mut self,
        members: &Members,
        text: fn(i64, i32) -> Option<String>,
        otherwise: &'static str,
    ) -> Result<(), Fault> {
        // What does not fit is cut, as protobuf has it.
        let [seconds, nanos] = [0, 1].map(|field| self.found.varint(members, field) as i64);
        let text = text(seconds, nanos as i32).ok_or_else(|| Fault::value(otherwise))?;
        self.json.string(&text)?;
        Ok(())
    }

    /// Writes a message that says itself which one it is. One that nobody here knows says no more
    /// than its name.
    fn any(&mut self, members: &Members) -> Result<(), Fault> {
        let [url, value] = [0, 1].map(|field| self.found.bytes(members, field));
        let url = utf8(url)?;
        self.json.open(b'{')?;
        let mut first = true;
        self.json.name("@type", &mut first);
        self.json.string(url)?;
        let message = url.rsplit_once('/').and_then(|(_, name)| Message::of_name(name));
        if let Some(message) = message.filter(|message| message.shape == Shape::Plain) {
            let members = self.found.gather(message, &[value])?;
            self.members(message, &members, &mut first)?;
        }
        self.json.close(b'}');
        Ok(())
    }

    fn value(&mut self, kind: Kind, payload: Payload<'m>) -> Result<(), Fault> {
        match (kind, payload) {
            (Kind::Text, Payload::Bytes(bytes)) => self.json.string(utf8(bytes)?)?,
            (Kind::Bytes, Payload::Bytes(bytes)) => self.json.base64(bytes)?,
            (Kind::Message(message), Payload::Bytes(bytes)) => self.message(message, &[bytes])?,
            (Kind::Bool, Payload::Varint(value)) => {
                self.json.word(if value == 0 { "false" } else { "true" });
            }
            (Kind::Null, Payload::Varint(_)) => self.json.word("null"),
            (Kind::Int32, Payload::Varint(value)) => self.json.number(value as i32),
            (Kind::Enum(values), Payload::Varint(value)) => {
                let number = value as i32;
                match values.iter().find(|(known, _)| *known == number) {
                    Some((_, name)) => self.json.string(name)?,
                    None => self.json.number(number),
                }
            }
            (Kind::Double, Payload::Fixed64(bits)) => {
                let finite = Some(f64::from_bits(bits)).filter(|value| value.is_finite());
                let value = finite.ok_or_else(|| Fault::value("must be a number that JSON has"))?;
                self.json.word(&known::spelled(value));
            }
            (kind, _) => return Err(mismatch(kind)),
        }
        Ok(())
    }
}

/// The key and the value of an entry of a map.
fn entry(bytes: &[u8]) -> Result<(&str, Option<Payload<'_>>), Fault> {
    let (mut key, mut value) = ("", None);
    let mut fields = Fields::of(bytes);
    while let Some((number, payload)) = fields.next()? {
        match (number, payload) {
            (1, Payload::Bytes(bytes)) => key = utf8(bytes)?,
            (1, _) => return Err(mismatch(Kind::Text)),
            (2, payload) => value = Some(payload),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Whether a field that is there says the same as one that is not.
fn is_default(field: &Field, payload: Payload<'_>) -> bool {
    field.label == Label::Implicit
        && match (field.kind, payload) {
            (Kind::Bool, Payload::Varint(value)) => value == 0,
            (Kind::Int32 | Kind::Enum(_), Payload::Varint(value)) => value as i32 == 0,
            (Kind::Text | Kind::Bytes, Payload::Bytes(bytes)) => bytes.is_empty(),
            _ => false,
        }
}

/// Whether the absence of a field means a value.
fn is_implied(field: &Field) -> bool {
    match field.label {
        Label::Implicit | Label::Repeated | Label::Map => true,
        Label::Explicit | Label::OneOf => false,
    }
}

/// What an absent field means.
fn default(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Bytes => "\"\"",
        Kind::Bool => "false",
        Kind::Int32 | Kind::Int64 | Kind::Double | Kind::Enum(_) => "0",
        Kind::Null => "null",
        Kind::Message(_) => "{}",
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    str::from_utf8(bytes).map_err(|_| Fault::value("is not UTF-8"))
}

fn mismatch(kind: Kind) -> Fault {
    let name = match kind {
        Kind::Text => "a string",
        Kind::Bytes => "bytes",
        Kind::Bool => "a bool",
        Kind::Int32 => "an int32",
        Kind::Int64 => "an int64",
        Kind::Double => "a double",
        Kind::Enum(_) | Kind::Null => "an enum",
        Kind::Message(message) => return Fault::value(format!("must be a `{}`", message.name)),
    };
    Fault::value(format!("must be {name}"))
}
