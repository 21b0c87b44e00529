//! The frames of gRPC's messages as a caller writes and reads them: a flag, a length, and the bytes.
//!
//! Nothing is compressed: the caller asks for no compression, so none may come.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

/// The flag and the length before a message.
pub const PREFIX: usize = 5;

/// Puts a message into its frame; `None` when it is longer than a frame can say.
pub fn frame(message: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(message.len()).ok()?;
    Some([&[0], &length.to_be_bytes()[..], message].concat())
}

/// The message of a body that holds one and nothing else.
///
/// # Errors
/// When it is compressed, or says to be larger than the body.
pub fn only(body: &Bytes) -> Result<Option<Bytes>, BadFrame> {
    let message = first(body, body.len())?.filter(|it| PREFIX + it.len() == body.len());
    Ok(message.map(|message| body.slice_ref(message)))
}

/// The message that bytes begin with, if it is there whole.
fn first(bytes: &[u8], max_bytes: usize) -> Result<Option<&[u8]>, BadFrame> {
    let Some((&[flag, ref length @ ..], rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if flag != 0 {
        return Err(BadFrame::Compressed);
    }
    if length > max_bytes {
        return Err(BadFrame::TooLarge(max_bytes));
    }
    Ok(rest.get(..length))
}

/// Reads messages from bytes as they arrive.
#[derive(Debug)]
pub struct Reader {
    max_bytes: usize,
    arrived: BytesMut,
    /// How much of that was given out.
    given: usize,
}

/// What makes the rest of a stream of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFrame {
    /// A message is longer than this many bytes.
    TooLarge(usize),
    /// A message is compressed, which nobody asked for.
    Compressed,
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "a message is larger than {bytes} bytes"),
            Self::Compressed => f.write_str("a message is compressed, which nobody asked for"),
        }
    }
}

impl std::error::Error for BadFrame {}

impl Reader {
    /// A reader that takes messages of up to this many bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, arrived: BytesMut::new(), given: 0 }
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.forget_given();
        self.arrived.extend_from_slice(bytes);
    }

    /// The next message that is there whole.
    ///
    /// # Errors
    /// As soon as its frame says that it will not be taken.
    pub fn pop(&mut self) -> Result<Option<&[u8]>, BadFrame> {
        let message = first(&self.arrived[self.given..], self.max_bytes)?;
        self.given += message.map_or(0, |message| PREFIX + message.len());
        Ok(message)
    }

    /// Gives room back, once for all messages of a piece.
    fn forget_given(&mut self) {
        self.arrived.advance(std::mem::take(&mut self.given));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_wherever_they_are_split() {
        let messages = [&b"one"[..], b"", b"three"];
        let framed: Vec<u8> =
            messages.iter().flat_map(|message| frame(message).expect("short")).collect();
        for at in 0..=framed.len() {
            let (mut reader, mut got) = (Reader::new(5), Vec::new());
            for piece in [&framed[..at], &framed[at..]] {
                reader.push(piece);
                while let Some(message) = reader.pop().expect("good frames") {
                    got.push(message.to_vec());
                }
            }
            assert_eq!(got, messages, "{at}");
            assert_eq!(reader.pop(), Ok(None));
        }
        let mut reader = Reader::new(4);
        reader.push(&frame(b"three").expect("short")[..PREFIX]);
        assert_eq!(reader.pop(), Err(BadFrame::TooLarge(4)));
        let mut reader = Reader::new(4);
        reader.push(b"\x01\0\0\0\x01x");
        assert_eq!(reader.pop(), Err(BadFrame::Compressed));
        let one = Bytes::from(frame(b"one").expect("short"));
        assert_eq!(only(&one), Ok(Some(one.slice(PREFIX..))));
        for other in [one.slice(..7), Bytes::from(framed), Bytes::new()] {
            assert_eq!(only(&other), Ok(None), "{other:?}");
        }
    }
}
