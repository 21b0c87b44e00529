//! Encodes JSON text as a message, by the rules of ProtoJSON.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Numbers;
use super::cursor::Cursor;
use super::fault::Fault;
use super::fields::put_varint;
use super::known;
use super::lengths::{Lengths, bytes_of};
use super::schema::{Field, Kind, Label, Message, Shape};

/// How deep messages may nest, so that whatever the model holds is carried: a level of free-form JSON
/// is up to three messages, the object, its entry and the value in that, and a few are around it.
const MAX_DEPTH: usize = 3 * legation_model::MAX_DEPTH + 16;

/// Encodes a message.
///
/// # Errors
/// When the text is not the JSON of such a message, or holds a number that it cannot carry.
pub(super) fn from_json(
    message: &'static Message,
    json: &str,
    numbers: Numbers,
) -> Result<Vec<u8>, Fault> {
    let mut encoder = Encoder::new(json, numbers, Vec::new());
    encoder.message(message)?;
    encoder.end()
}

/// Encodes a message of which one field is there, with the JSON of its value.
///
/// # Errors
/// As [`from_json`].
pub(super) fn field_from_json(
    field: &'static Field,
    json: &str,
    numbers: Numbers,
) -> Result<Vec<u8>, Fault> {
    let mut encoder = Encoder::new(json, numbers, Vec::new());
    encoder.field(field).map_err(|fault| fault.in_field(field.name))?;
    encoder.end()
}

/// Encodes a message, in the room of what is not needed any more. Gives also where the content of a part is,
/// the last that is a text and stands in the JSON as it is.
///
/// # Errors
/// As [`from_json`].
pub(super) fn from_json_with_spot(
    message: &'static Message,
    json: &str,
    numbers: Numbers,
    room: Vec<u8>,
) -> Result<(Vec<u8>, Option<Spot>), Fault> {
    let mut encoder = Encoder::new(json, numbers, room);
    encoder.marks = true;
    encoder.message(message)?;
    let spot = encoder.marked.take().map(|spot| spot.moved(&encoder.lengths));
    Ok((encoder.end()?, spot))
}

/// Where a text is.
#[derive(Debug)]
pub(super) struct Spot {
    /// How many bytes of JSON are behind it.
    pub(super) behind: usize,
    /// Its bytes in the message.
    pub(super) text: Range<usize>,
    /// Where the lengths are in the message that count it, the outermost first.
    pub(super) lengths: Vec<usize>,
}

impl Spot {
    /// The same when the lengths are put in.
    fn moved(mut self, lengths: &Lengths) -> Self {
        self.text = lengths.moved(self.text.start)..lengths.moved(self.text.end);
        self.lengths.iter_mut().for_each(|at| *at = lengths.moved(*at));
        self
    }
}

struct Encoder<'j> {
    json: Cursor<'j>,
    out: Vec<u8>,
    lengths: Lengths,
    numbers: Numbers,
    depth: usize,
    /// Whether texts are marked, and the last that was.
    marks: bool,
    marked: Option<Spot>,
}

/// The wire type of what has a length before it.
const LENGTH: u32 = 2;

impl<'j> Encoder<'j> {
    fn new(json: &'j str, numbers: Numbers, mut out: Vec<u8>) -> Self {
        out.clear();
        out.reserve(json.len());
        let (json, lengths) = (Cursor::new(json), Lengths::default());
        Self { json, out, lengths, numbers, depth: 0, marks: false, marked: None }
    }

    fn end(self) -> Result<Vec<u8>, Fault> {
        self.json.end()?;
        Ok(self.lengths.put_into(self.out))
    }

    fn message(&mut self, message: &'static Message) -> Result<(), Fault> {
        match message.shape {
            Shape::Plain => {
                self.json.expect(b'{')?;
                self.members(message, true)
            }
            Shape::Json => match message.fields {
                [field] => self.field(field),
                fields => self.free(fields),
            },
            Shape::Timestamp => self.time(message, known::read_timestamp),
            Shape::Duration => self.time(message, known::read_duration),
            Shape::Any => self.any(message),
        }
    }

    /// Encodes the members of an object that has begun.
    fn members(&mut self, message: &'static Message, mut first: bool) -> Result<(), Fault> {
        let mut following = message.fields;
        while self.json.more(&mut first, b'}')? {
            match self.name(message, &mut following)? {
                Some(field) if !self.is_absent(field) => {
                    self.field(field).map_err(|fault| fault.in_field(field.name))?;
                }
                Some(_) | None => self.json.skip()?,
            }
        }
        Ok(())
    }

    /// Takes the name of a member; gives its field, if there is one. Nearly always members are written
    /// in the order of the fields, so it is compared with those that follow before it is read.
    fn name(
        &mut self,
        message: &'static Message,
        following: &mut &'static [Field],
    ) -> Result<Option<&'static Field>, Fault> {
        if let Some(at) = following.iter().position(|field| self.json.takes_name(field.quoted)) {
            let field = &following[at];
            *following = &following[at + 1..];
            return Ok(Some(field));
        }
        let name = self.json.name()?;
        Ok(message.field_of_json(&name))
    }

    /// Whether the value of a field is `null`, which is absence unless the value may be any JSON.
    fn is_absent(&mut self, field: &Field) -> bool {
        let any = matches!(field.kind, Kind::Message(Message { shape: Shape::Json, fields, .. }) if fields.len() > 1);
        !any && self.json.peek() == Some(b'n')
    }

    fn field(&mut self, field: &'static Field) -> Result<(), Fault> {
        match field.label {
            Label::Implicit => self.value(field, true),
            Label::Explicit | Label::OneOf => self.value(field, false),
            Label::Repeated => {
                self.json.expect(b'[')?;
                let (mut first, mut index) = (true, 0);
                while self.json.more(&mut first, b']')? {
                    self.value(field, false).map_err(|fault| fault.at_index(index))?;
                    index += 1;
                }
                Ok(())
            }
            Label::Map => self.map(field),
        }
    }

    fn map(&mut self, field: &'static Field) -> Result<(), Fault> {
        let Kind::Message(Message { fields: [key, value], .. }) = field.kind else {
            return Err(Fault::malformed("no map"));
        };
        self.json.expect(b'{')?;
        let mut first = true;
        while self.json.more(&mut first, b'}')? {
            let name = self.json.name()?;
            self.nested(field.number, |encoder| {
                encoder.bytes(key.number, name.as_bytes());
                encoder.value(value, false).map_err(|fault| fault.at_key(&name))
            })?;
        }
        Ok(())
    }

    /// Encodes a value. One that means the same as its absence may be left out.
    fn value(&mut self, field: &'static Field, leave_default: bool) -> Result<(), Fault> {
        let number = field.number;
        match field.kind {
            Kind::Text => {
                let text = self.json.text()?;
                if !(leave_default && text.is_empty()) {
                    self.bytes(number, text.as_bytes());
                }
                if let (true, Label::OneOf, Cow::Borrowed(_)) = (self.marks, field.label, &text) {
                    self.mark(text.len());
                }
            }
            Kind::Bytes => {
                let text = self.json.text()?;
                self.base64(number, &text, leave_default)?;
            }
            Kind::Bool => {
                let value = match self.json.word()? {
                    "true" => 1,
                    "false" => 0,
                    _ => return Err(Fault::malformed("no truth value")),
                };
                self.varint(number, value, leave_default);
            }
            Kind::Int32 => {
                let value: Result<i32, _> = self.json.word()?.parse();
                let value = value.map_err(|_| Fault::malformed("no whole number"))?;
                self.varint(number, i64::from(value), leave_default);
            }
            Kind::Enum(values) => {
                let name = self.json.text()?;
                let value = values.iter().find(|(_, known)| *known == name);
                let (value, _) = value.ok_or_else(|| Fault::malformed("no such value"))?;
                self.varint(number, i64::from(*value), leave_default);
            }
            Kind::Message(message) => {
                return self.nested(number, |encoder| encoder.message(message));
            }
            // These are in times and in free-form JSON only.
            Kind::Int64 | Kind::Double | Kind::Null => {
                return Err(Fault::malformed("no such field"));
            }
        }
        Ok(())
    }

    /// Encodes free-form JSON: `null`, a number, a text, a truth value, an object or a list.
    fn free(&mut self, fields: &'static [Field]) -> Result<(), Fault> {
        let [null, number, text, truth, object, list] = fields else {
            return Err(Fault::malformed("no free-form JSON"));
        };
        match self.json.peek() {
            Some(b'"') => {
                let value = self.json.text()?;
                self.bytes(text.number, value.as_bytes());
                Ok(())
            }
            Some(b'{') => self.value(object, false),
            Some(b'[') => self.value(list, false),
            Some(b't' | b'f') => self.value(truth, false),
            Some(b'n') => {
                self.json.word()?;
                self.varint(null.number, 0, false);
                Ok(())
            }
            _ => self.double(number, text),
        }
    }

    fn double(&mut self, number: &Field, text: &Field) -> Result<(), Fault> {
        let spelled = self.json.word()?;
        match known::double(spelled) {
            Some(value) => {
                self.tag(number.number, 1);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            None if self.numbers == Numbers::Text => self.bytes(text.number, spelled.as_bytes()),
            None => return Err(Fault::number(spelled)),
        }
        Ok(())
    }

    fn time(
        &mut self,
        message: &'static Message,
        read: fn(&str) -> Option<(i64, i32)>,
    ) -> Result<(), Fault> {
        let text = self.json.text()?;
        let (seconds, nanos) = read(&text).ok_or_else(|| Fault::malformed("no time"))?;
        for (field, value) in message.fields.iter().zip([seconds, i64::from(nanos)]) {
            self.varint(field.number, value, true);
        }
        Ok(())
    }

    /// Encodes a message that says itself which one it is, in its first member.
    fn any(&mut self, any: &'static Message) -> Result<(), Fault> {
        let [url_field, value] = any.fields else { return Err(Fault::malformed("no `Any`")) };
        let first = |what: Cow<'_, str>| (what == "@type").then_some(());
        self.json.expect(b'{')?;
        first(self.json.name()?).ok_or_else(|| Fault::malformed("no `@type`"))?;
        let url = self.json.text()?;
        let message = url.rsplit_once('/').and_then(|(_, name)| Message::of_name(name));
        let message = message.ok_or_else(|| Fault::malformed("no such message"))?;
        self.bytes(url_field.number, url.as_bytes());
        self.nested(value.number, |encoder| encoder.members(message, false))
    }

    /// Encodes a message with its length before it.
    fn nested(
        &mut self,
        number: u32,
        encode: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::malformed("nested too deeply"));
        }
        self.tag(number, LENGTH);
        let begun = self.lengths.begin(&mut self.out);
        encode(self)?;
        self.lengths.end(begun, &mut self.out);
        self.depth -= 1;
        Ok(())
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, LENGTH);
        put_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Marks the text that was encoded just now.
    fn mark(&mut self, length: usize) {
        let text = self.out.len() - length..self.out.len();
        let its_own = text.start - bytes_of(length);
        let lengths = self.lengths.open().chain([its_own]).collect();
        // The quote is behind it as well.
        self.marked = Some(Spot { behind: self.json.left() + 1, text, lengths });
    }

    fn base64(&mut self, number: u32, text: &str, leave_default: bool) -> Result<(), Fault> {
        let bytes = STANDARD.decode(text).map_err(|_| Fault::malformed("not base64"))?;
        if !(leave_default && bytes.is_empty()) {
            self.bytes(number, &bytes);
        }
        Ok(())
    }

    /// Encodes a number; a negative one takes ten bytes, as protobuf has it.
    fn varint(&mut self, number: u32, value: i64, leave_default: bool) {
        if !(leave_default && value == 0) {
            self.tag(number, 0);
            put_varint(&mut self.out, value as u64);
        }
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire_type));
    }
}
