//! The codec of the gRPC binding, in the packages of 1.0 and of 0.3.
//!
//! The JSON of the protocol is the JSON of its protobuf messages, and codecs for it are there: that
//! of 1.0 is the model's own, and 0.3 has [`Form::Proto`]. So nothing here knows a message. Tables
//! that the build makes of the schemas say how a message becomes JSON text and JSON text a message;
//! both ways are one pass, without trees and without a second set of types. What a request says
//! is then read by the codecs of the other bindings, and what they write is what is sent.

mod schema;

use legation_model::{A2aError, ErrorKind, Request};

use crate::answer::Answer;
use crate::json::JsonBounds;
use crate::operation::Operation;
use crate::version::Version;
use schema::Method;

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
/// `Parse` when it is not such a message, and `InvalidParams` with a violation that names the field
/// by its path in the schema.
pub fn read(
    package: Package,
    operation: Operation,
    message: &[u8],
    bounds: JsonBounds,
) -> Result<Request, A2aError> {
    let _ = (message, bounds, method(package, operation)?.input);
    Err(A2aError::new(ErrorKind::Unavailable, "the codec is not there yet"))
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
    let _ = (package, answer, document, numbers);
    Err(A2aError::new(ErrorKind::Unavailable, "the codec is not there yet"))
}

/// The method of an operation.
fn method(package: Package, operation: Operation) -> Result<&'static Method, A2aError> {
    let mut rows = crate::operation::rows(package.version()).iter();
    let row = rows.find(|row| row.operation == operation && !row.grpc.is_empty());
    let method = row.and_then(|row| Method::of(package.service(), row.grpc));
    method.ok_or_else(|| {
        let text = format!("`{}` has no method for this", package.service());
        A2aError::new(ErrorKind::MethodNotFound, text)
    })
}
