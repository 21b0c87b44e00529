//! Messages as gRPC frames them: a flag, a length, and the bytes, which may be compressed.

use std::io::{Read as _, Write as _};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use legation_model::{A2aError, ErrorKind};

pub(super) const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
pub(super) const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// The flag and the length before a message.
pub(crate) const PREFIX: usize = 5;

/// Messages below this size gain nothing by compression.
const WORTH_COMPRESSING: usize = 1 << 10;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// How messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// How the messages of a request are compressed.
    ///
    /// # Errors
    /// `MethodNotAllowed`, which gRPC calls unimplemented, when it is not taken here.
    pub(super) fn of_request(headers: &HeaderMap, takes_gzip: bool) -> Result<Self, A2aError> {
        match headers.get(ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Self::Identity),
            Some(b"gzip") if takes_gzip => Ok(Self::Gzip),
            Some(_) => {
                let text = "requests are not compressed like that here; see grpc-accept-encoding";
                Err(A2aError::new(ErrorKind::MethodNotAllowed, text))
            }
        }
    }

    /// How the messages of an answer are compressed: only when the caller asks for it.
    pub(super) fn of_answer(headers: &HeaderMap, gives_gzip: bool) -> Self {
        let mut lines =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let asks = lines.any(|line| line.split(',').any(|name| name.trim() == "gzip"));
        if gives_gzip && asks { Self::Gzip } else { Self::Identity }
    }

    /// Says in the headers of an answer how its messages are compressed.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        if self == Self::Gzip {
            headers.insert(ENCODING, GZIP);
        }
    }
}

/// What requests may be compressed with, as answers tell it.
pub(super) fn accepted(takes_gzip: bool) -> HeaderValue {
    if takes_gzip { HeaderValue::from_static("identity,gzip") } else { IDENTITY }
}

/// Takes the one message out of a request's body.
///
/// # Errors
/// `InvalidRequest` when there is not exactly one, and `TooLarge` when it unfolds to more than the
/// bound in bytes.
pub(super) fn unframe(
    mut body: Bytes,
    encoding: Encoding,
    bound: usize,
) -> Result<Bytes, A2aError> {
    if body.len() < PREFIX {
        return Err(broken("the request holds no message"));
    }
    let (flag, length) = (body.get_u8(), body.get_u32() as usize);
    if length != body.len() {
        return Err(broken("the request has to hold one message, whole and nothing behind it"));
    }
    match (flag, encoding) {
        (0, _) => Ok(body),
        (1, Encoding::Gzip) => inflate(&body, bound),
        (1, Encoding::Identity) => Err(broken("a compressed message needs a grpc-encoding")),
        _ => Err(broken("the message's flag is neither 0 nor 1")),
    }
}

fn inflate(packed: &[u8], bound: usize) -> Result<Bytes, A2aError> {
    let mut plain = Vec::new();
    // One byte more than is taken tells what is too large from what just fits.
    let read = GzDecoder::new(packed).take(bound as u64 + 1).read_to_end(&mut plain);
    read.map_err(|_| broken("the message is not gzip"))?;
    if plain.len() > bound {
        let text = format!("the message unfolds to more than {bound} bytes");
        return Err(A2aError::new(ErrorKind::TooLarge, text));
    }
    Ok(plain.into())
}

fn broken(text: &str) -> A2aError {
    A2aError::new(ErrorKind::InvalidRequest, text)
}

/// How the messages of an answer go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    pub(crate) encoding: Encoding,
    /// Bytes of a message, before it is compressed.
    pub(crate) bound: usize,
}

impl Outgoing {
    /// What stands before a message, and the message.
    ///
    /// # Errors
    /// `TooLarge` when it exceeds the bound.
    pub(crate) fn frame(self, message: Bytes) -> Result<([u8; PREFIX], Bytes), A2aError> {
        let mut prefix = self.prefix(message.len())?;
        if !self.packs(message.len()) {
            return Ok((prefix, message));
        }
        let message = deflate(&message);
        prefix[0] = 1;
        // It fits: what is packed is not larger than before by more than a few bytes.
        (&mut prefix[1..]).put_u32(message.len() as u32);
        Ok((prefix, message))
    }

    /// Whether a message of this length is packed.
    pub(crate) fn packs(self, length: usize) -> bool {
        self.encoding == Encoding::Gzip && length >= WORTH_COMPRESSING
    }

    /// What stands before a message of this length that is not packed.
    ///
    /// # Errors
    /// As [`Outgoing::frame`].
    pub(crate) fn prefix(self, length: usize) -> Result<[u8; PREFIX], A2aError> {
        let said = u32::try_from(length).ok().filter(|_| length <= self.bound);
        let said = said.ok_or_else(|| {
            let text = format!(
                "the answer has {length} bytes and at most {} are sent; ask for less history, \
                 for no artifacts or for smaller pages",
                self.bound
            );
            A2aError::new(ErrorKind::TooLarge, text)
        })?;
        let mut prefix = [0; PREFIX];
        (&mut prefix[1..]).put_u32(said);
        Ok(prefix)
    }
}

fn deflate(message: &[u8]) -> Bytes {
    let room = BytesMut::with_capacity(message.len() / 2);
    let mut encoder = GzEncoder::new(room.writer(), Compression::fast());
    encoder.write_all(message).expect("memory takes everything");
    encoder.finish().expect("memory takes everything").into_inner().freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8], encoding: Encoding) -> Bytes {
        let outgoing = Outgoing { encoding, bound: 1 << 20 };
        let (prefix, message) = outgoing.frame(Bytes::copy_from_slice(message)).expect("it fits");
        [&prefix, &*message].concat().into()
    }

    #[test]
    fn what_is_framed_is_unframed() {
        for length in [0, 1, 1023, 1024, 100_000] {
            let message = vec![7; length];
            for encoding in [Encoding::Identity, Encoding::Gzip] {
                let framed = framed(&message, encoding);
                assert_eq!(unframe(framed, encoding, 100_000).as_deref(), Ok(&*message));
            }
        }
        assert!(framed(&[7; 100_000], Encoding::Gzip).len() < 1_000);
    }

    #[test]
    fn a_body_is_one_message() {
        let packed = framed(&[7; 2_000], Encoding::Gzip);
        let cases: [(&[u8], Encoding, ErrorKind); 8] = [
            (b"", Encoding::Identity, ErrorKind::InvalidRequest),
            (&[0, 0, 0, 0], Encoding::Identity, ErrorKind::InvalidRequest),
            (&[0, 0, 0, 0, 2, 1], Encoding::Identity, ErrorKind::InvalidRequest),
            (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Encoding::Identity, ErrorKind::InvalidRequest),
            (&[2, 0, 0, 0, 0], Encoding::Identity, ErrorKind::InvalidRequest),
            (&packed, Encoding::Identity, ErrorKind::InvalidRequest),
            (&[1, 0, 0, 0, 1, 9], Encoding::Gzip, ErrorKind::InvalidRequest),
            (&packed, Encoding::Gzip, ErrorKind::TooLarge),
        ];
        for (body, encoding, kind) in cases {
            let got = unframe(Bytes::copy_from_slice(body), encoding, 1_999);
            assert_eq!(got.map_err(|error| error.kind), Err(kind), "{body:?}");
        }
    }

    #[test]
    fn answers_have_a_bound() {
        let outgoing = Outgoing { encoding: Encoding::Identity, bound: 3 };
        assert!(outgoing.frame(Bytes::from_static(b"abc")).is_ok());
        let error = outgoing.frame(Bytes::from_static(b"abcd")).expect_err("too large");
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }

    #[test]
    fn compression_needs_both_sides() {
        let headers = |name: HeaderName, value: &'static str| {
            HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
        };
        let gzip = headers(ENCODING, "gzip");
        assert_eq!(Encoding::of_request(&gzip, true), Ok(Encoding::Gzip));
        assert!(Encoding::of_request(&gzip, false).is_err());
        assert!(Encoding::of_request(&headers(ENCODING, "zstd"), true).is_err());
        assert_eq!(Encoding::of_request(&HeaderMap::new(), false), Ok(Encoding::Identity));
        let asks = headers(ACCEPT_ENCODING, "identity, deflate, gzip");
        assert_eq!(Encoding::of_answer(&asks, true), Encoding::Gzip);
        assert_eq!(Encoding::of_answer(&asks, false), Encoding::Identity);
        assert_eq!(Encoding::of_answer(&HeaderMap::new(), true), Encoding::Identity);
    }
}
