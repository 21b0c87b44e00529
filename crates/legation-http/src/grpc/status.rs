//! How a gRPC call ends: its status, in trailers, or in the headers of an answer without messages.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use legation_model::A2aError;
use legation_wire::error::ErrorProfile;
use legation_wire::fault;
use legation_wire::grpc::Package;

use crate::answer::{Answer, Refusal};
use crate::body::Body;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

pub(crate) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Bytes of a status's text and of its details: callers bound the headers that they take, most of
/// them at 8 KiB.
const MOST_TEXT: usize = 1 << 10;
const MOST_DETAILS: usize = 3 << 10;

/// Violations that are told when all of them are too much.
const SOME_VIOLATIONS: usize = 4;

/// In whose words a status is told: those of the package that is called, 1.0's in an edition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tongue {
    pub(crate) package: Package,
    pub(crate) profile: ErrorProfile,
}

impl Tongue {
    /// The trailers of a call that failed.
    pub(crate) fn failed(self, error: &A2aError) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(8);
        self.write(error, &mut trailers);
        trailers
    }

    /// The answer to a call that is refused: its status and nothing else.
    pub(crate) fn refuse(self, refusal: Refusal) -> Answer {
        let mut answer = Answer::new(Body::full(Bytes::new()));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, GRPC);
        self.write(&refusal.error, headers);
        refusal.mark(&mut answer);
        answer
    }

    fn write(self, error: &A2aError, headers: &mut HeaderMap) {
        let mut status = fault::write_grpc(error, self.package.version(), self.profile);
        if status.details.len() > MOST_DETAILS {
            let mut short = error.clone();
            short.violations.truncate(SOME_VIOLATIONS);
            for violation in &mut short.violations {
                cut(&mut violation.field);
                cut(&mut violation.description);
            }
            cut(&mut short.message);
            status = fault::write_grpc(&short, self.package.version(), self.profile);
        }
        headers.insert(STATUS, HeaderValue::from(u16::from(status.code)));
        headers.insert(MESSAGE, percent_encoded(&status.message));
        if status.details.len() <= MOST_DETAILS * 2 {
            let details = BASE64_STANDARD_NO_PAD.encode(&status.details);
            let details = HeaderValue::from_str(&details).expect("base64 is printable");
            headers.insert(DETAILS, details);
        }
    }
}

/// The trailers of a call that went well.
pub(crate) fn went_well() -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(MOST_TEXT / 4));
}

/// A text as `grpc-message` carries it: what is not printable ASCII is encoded, and so is `%`.
fn percent_encoded(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if encoded.len() >= MOST_TEXT {
            break;
        }
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::from_str(&encoded).expect("what is left is printable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use legation_model::ErrorKind;

    const TONGUE: Tongue = Tongue { package: Package::V1_0, profile: ErrorProfile::V1_0_1 };

    #[test]
    fn texts_are_percent_encoded() {
        assert_eq!(percent_encoded("100% für\nalle"), "100%25 f%C3%BCr%0Aalle");
        assert!(percent_encoded(&"ü".repeat(5_000)).len() <= MOST_TEXT + 2);
    }

    #[test]
    fn trailers_stay_within_what_callers_take() {
        let mut error = A2aError::new(ErrorKind::InvalidParams, "x".repeat(10_000));
        for number in 0..1_000 {
            let more = A2aError::invalid(format!("parts[{number}]"), "y".repeat(1_000));
            error.violations.extend(more.violations);
        }
        let trailers = TONGUE.failed(&error);
        let size: usize =
            trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        assert!(size < 8 << 10, "{size}");
        assert!(trailers.contains_key(DETAILS));
        assert_eq!(trailers[STATUS], "3");
    }
}
