//! The codec of the gRPC binding, in the packages of 1.0 and of 0.3.
//!
//! The JSON of the protocol is the JSON of its protobuf messages, and codecs for it are there: that
//! of 1.0 is the model's own, and 0.3 has [`Form::Proto`]. So nothing here knows a message. Tables
//! that the build makes of the schemas say how a message becomes JSON text and JSON text a message;
//! both ways are one pass, without trees and without a second set of types. What a request says
//! is then read by the codecs of the other bindings, and what they write is what is sent. What the model
//! reads is read without the text, by the same tables.

mod alike;
mod cursor;
mod direct;
mod fault;
mod fields;
pub mod frame;
mod from_json;
mod known;
mod lengths;
mod names;
mod occurrences;
pub(crate) mod schema;
mod text;
mod to_json;

use std::borrow::Cow;
use std::sync::LazyLock;

use legation_model::{A2aError, ErrorKind, Request};
use serde::de::DeserializeOwned;

use crate::answer::Answer;
use crate::card;
use crate::json::JsonBounds;
use crate::operation::{self, Operation};
use crate::v0_3::{self, Form};
use crate::v1;
use crate::version::Version;
use alike::Alike;
use fault::Fault;
use from_json::{field_from_json, from_json};
use schema::{Message, Method};
use to_json::{Absent, to_json};

/// The package of a gRPC service, which says the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Package {
    /// `lf.a2a.v1`, of 1.0.
    V1_0,
    /// `a2a.v1`, of 0.3 and 0.2.
    V0_3,
}

impl Package {
    /// Every package, newest first.
    pub const ALL: [Self; 2] = [Self::V1_0, Self::V0_3];

    /// The full name of the service.
    pub const fn service(self) -> &'static str {
        match self {
            Self::V1_0 => "lf.a2a.v1.A2AService",
            Self::V0_3 => "a2a.v1.A2AService",
        }
    }

    /// The package whose service has this full name.
    pub fn of_service(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.service() == name)
    }

    /// The version that the package is of.
    pub const fn version(self) -> Version {
        match self {
            Self::V1_0 => Version::V1_0,
            Self::V0_3 => Version::V0_3,
        }
    }
}

/// The schemas of both packages with all that they import, an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const fn descriptor_set() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"))
}

/// What becomes of a number in free-form JSON that a double cannot hold: a whole number beyond
/// 2^53, or one that is too large altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// The answer is refused, with the place of the number.
    #[default]
    Refuse,
    /// It goes as a text.
    Text,
}

/// Reads the message of a request.
///
/// # Errors
/// As [`read_measured`].
pub fn read(
    package: Package,
    operation: Operation,
    message: &[u8],
    bounds: JsonBounds,
) -> Result<Request, A2aError> {
    read_measured(package, operation, message, bounds).map(|(request, _)| request)
}

/// Reads the message of a request. Gives also how many bytes of JSON were made of it, which may be more
/// than it has: a control character takes six.
///
/// # Errors
/// `Parse` when it is not such a message, `TooLarge` when it is too much JSON, and `InvalidParams`
/// with a violation that names the field by its path in the schema.
pub fn read_measured(
    package: Package,
    operation: Operation,
    message: &[u8],
    bounds: JsonBounds,
) -> Result<(Request, usize), A2aError> {
    let input = method(package, operation)?.input;
    if package == Package::V1_0 {
        let source = direct::Source::new(input, message, bounds);
        if let Ok(request) = v1::request(&source, operation) {
            return Ok((request, source.text()));
        }
    }
    let params = to_json(input, message, Absent::Omitted, bounds).map_err(Fault::of_message)?;
    let read = match package {
        Package::V1_0 => v1::read_params(operation, Some(&params)),
        Package::V0_3 => {
            let asked = v0_3::read_params(operation, Form::Proto, Some(&params));
            asked.map(|asked| asked.request)
        }
    };
    let request = read.map_err(|error| names::in_schema(input, error))?;
    Ok((request, params.len()))
}

/// Writes a 1.0 document as the message of an answer, or of an item of one.
///
/// # Errors
/// `UnsupportedOperation` when it holds a number that protobuf cannot carry, with the place; and an
/// internal error when the document has not the shape that it is said to have, which only a
/// damaged store brings about.
pub fn write(
    package: Package,
    answer: Answer,
    document: &[u8],
    numbers: Numbers,
) -> Result<Vec<u8>, A2aError> {
    let output = output(package, answer)?;
    let document = in_package(package, answer, document)?;
    let json = text(&document)?;
    let member = match (package, answer) {
        (Package::V1_0, Answer::SentTask) => Some("task"),
        (Package::V1_0, Answer::SentMessage) => Some("message"),
        (Package::V1_0 | Package::V0_3, _) => None,
    };
    let written = match member {
        Some(member) => {
            let field = output.field_of_json(member).expect("a send answers with either");
            field_from_json(field, json, numbers)
        }
        None => from_json(output, json, numbers),
    };
    written.map_err(Fault::of_document)
}

/// Writes the items of a stream as messages. It knows the one before: most differ in one text.
#[derive(Debug)]
pub struct Items {
    package: Package,
    numbers: Numbers,
    last: Alike,
}

impl Items {
    /// The items of a stream in this package.
    pub fn new(package: Package, numbers: Numbers) -> Self {
        Self { package, numbers, last: Alike::default() }
    }

    /// Writes the 1.0 document of the next item.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn write(&mut self, document: &[u8]) -> Result<&[u8], A2aError> {
        let output = output(self.package, Answer::Item)?;
        let document = in_package(self.package, Answer::Item, document)?;
        let written = self.last.encode(output, text(&document)?, self.numbers);
        written.map_err(Fault::of_document)
    }

    /// Gives the message of the last item away.
    pub fn take(&mut self) -> Vec<u8> {
        self.last.take()
    }
}

/// The message of an answer, or of an item of one.
fn output(package: Package, answer: Answer) -> Result<&'static Message, A2aError> {
    let operation = match answer {
        Answer::SentTask | Answer::SentMessage => Operation::SendMessage,
        Answer::Task => Operation::GetTask,
        Answer::Tasks => Operation::ListTasks,
        Answer::Card => Operation::GetExtendedAgentCard,
        Answer::Item => Operation::SendStreamingMessage,
    };
    Ok(method(package, operation)?.output)
}

/// A 1.0 document in the JSON of a package.
fn in_package(
    package: Package,
    answer: Answer,
    document: &[u8],
) -> Result<Cow<'_, [u8]>, A2aError> {
    let written = match (package, answer) {
        (Package::V1_0, _) => return Ok(Cow::Borrowed(document)),
        (Package::V0_3, Answer::Card) => card::rewrite_proto(document),
        (Package::V0_3, _) => v0_3::write(Form::Proto, answer, document),
    };
    written.map(Cow::Owned).map_err(|_| damaged())
}

fn text(document: &[u8]) -> Result<&str, A2aError> {
    str::from_utf8(document).map_err(|_| damaged())
}

fn damaged() -> A2aError {
    A2aError::new(ErrorKind::Internal, "internal error")
}

/// Writes the message of an answer from its JSON in the version of the package: what its HTTP+JSON
/// binding answers. An empty answer is an object without members.
///
/// # Errors
/// As [`write()`].
pub fn write_answer(
    package: Package,
    operation: Operation,
    json: &str,
    numbers: Numbers,
) -> Result<Vec<u8>, A2aError> {
    let output = method(package, operation)?.output;
    from_json(output, json, numbers).map_err(Fault::of_document)
}

/// Writes a request from its JSON in the version of the package, as a client does.
///
/// # Errors
/// `InvalidParams` when it holds a number that protobuf cannot carry, with the place, and when it is
/// not the JSON of such a request.
pub fn write_request(
    package: Package,
    operation: Operation,
    params: &str,
    numbers: Numbers,
) -> Result<Vec<u8>, A2aError> {
    let input = method(package, operation)?.input;
    from_json(input, params, numbers).map_err(Fault::of_message)
}

/// Reads the message of an answer, or of an item of one, as its JSON in the version of the package:
/// what its HTTP+JSON binding answers. What the message leaves out because it is zero, false or
/// empty is there.
///
/// # Errors
/// `Parse` and `InvalidParams` when it is not such a message, and `TooLarge` when it is too much JSON.
pub fn read_answer(
    package: Package,
    operation: Operation,
    message: &[u8],
    bounds: JsonBounds,
) -> Result<String, A2aError> {
    let output = method(package, operation)?.output;
    to_json(output, message, Absent::Written, bounds).map_err(Fault::of_message)
}

/// Reads the message of an answer of 1.0, or of an item of one, into what its JSON would be read into.
/// None when it cannot be read like that; [`read_answer`] says why, or has something that can.
pub(crate) fn read_directly<T: DeserializeOwned>(
    operation: Operation,
    message: &[u8],
    bounds: JsonBounds,
) -> Option<T> {
    let output = method(Package::V1_0, operation).ok()?.output;
    let (read, _) = direct::read(output, message, Absent::Written, bounds).ok()?;
    Some(read)
}

/// How a number of free-form JSON is spelled when it comes back; none when it cannot go.
pub(crate) fn number(text: &str) -> Option<String> {
    known::double(text).map(known::spelled)
}

/// Writes the JSON of a `google.rpc.Status`.
pub(crate) fn write_status(json: &str) -> Vec<u8> {
    from_json(status(), json, Numbers::Refuse).expect("the JSON of a status")
}

/// Reads a `google.rpc.Status` as its JSON; none when it is not one.
pub(crate) fn read_status(message: &[u8]) -> Option<String> {
    to_json(status(), message, Absent::Omitted, JsonBounds::default()).ok()
}

fn status() -> &'static Message {
    Message::of_name("google.rpc.Status").expect("it is among the schemas")
}

/// The methods by package and operation, which every message needs.
static METHODS: LazyLock<[[Option<&Method>; operation::TABLE.len()]; Package::ALL.len()]> =
    LazyLock::new(|| {
        Package::ALL.map(|package| {
            let rows = operation::rows(package.version());
            operation::TABLE.each_ref().map(|known| {
                let mut of_it = rows.iter().filter(|row| row.operation == known.operation);
                of_it.find_map(|row| Method::of(package.service(), row.grpc))
            })
        })
    });

/// The method of an operation.
fn method(package: Package, operation: Operation) -> Result<&'static Method, A2aError> {
    METHODS[package as usize][operation as usize].ok_or_else(|| {
        let text = format!("`{}` has no method for this", package.service());
        A2aError::new(ErrorKind::MethodNotFound, text)
    })
}
