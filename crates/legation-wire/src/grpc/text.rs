//! JSON text in the making.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::Fault;
use crate::json::JsonBounds;

/// As deep as readers of JSON go: each level takes some of the stack.
const MAX_DEPTH: usize = 128;

/// The most bytes that a byte of a text takes: `\u0001`.
pub(super) const LONGEST_ESCAPE: usize = 6;

/// JSON text of a bounded depth and length.
pub(super) struct Text {
    written: Vec<u8>,
    depth: usize,
    max_depth: usize,
    max_length: usize,
}

impl Text {
    pub(super) fn new(capacity: usize, bounds: JsonBounds) -> Self {
        let (max_depth, max_length) = (bounds.depth.min(MAX_DEPTH), bounds.text);
        let written = Vec::with_capacity(capacity.min(max_length));
        Self { written, depth: 0, max_depth, max_length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.written
    }

    /// Checks the length. Names, numbers and words are only looked at here: they are short.
    pub(super) fn check(&self) -> Result<(), Fault> {
        self.has_room_for(0)
    }

    pub(super) fn into_string(self) -> Result<String, Fault> {
        self.check()?;
        Ok(String::from_utf8(self.written).expect("made of texts"))
    }

    /// Goes a level deeper.
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > self.max_depth {
            let fault = format!("nested deeper than {} levels", self.max_depth);
            return Err(Fault::malformed(fault));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Begins an object or a list.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.enter()?;
        self.written.push(bracket);
        Ok(())
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.leave();
        self.written.push(bracket);
    }

    /// Writes what stands before any element but the first.
    pub(super) fn comma(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.written.push(b',');
        }
    }

    /// Begins a member. Names in the schemas are letters.
    pub(super) fn name(&mut self, name: &str, first: &mut bool) {
        self.comma(first);
        self.written.push(b'"');
        self.written.extend_from_slice(name.as_bytes());
        self.written.extend_from_slice(b"\":");
    }

    /// Begins an entry of a map.
    pub(super) fn key(&mut self, key: &str, first: &mut bool) -> Result<(), Fault> {
        self.comma(first);
        self.string(key)?;
        self.written.push(b':');
        Ok(())
    }

    pub(super) fn string(&mut self, text: &str) -> Result<(), Fault> {
        // Counting takes a pass of its own, so it waits until the text may be too long.
        if self.has_room_for(text.len().saturating_mul(LONGEST_ESCAPE)).is_err() {
            self.has_room_for(text.bytes().map(length_of).sum())?;
        }
        serde_json::to_writer(&mut self.written, text).expect("texts are JSON");
        Ok(())
    }

    /// Writes a number or a word as it is.
    pub(super) fn word(&mut self, word: &str) {
        self.written.extend_from_slice(word.as_bytes());
    }

    pub(super) fn number(&mut self, number: i32) {
        serde_json::to_writer(&mut self.written, &number).expect("numbers are JSON");
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let length = bytes.len().div_ceil(3) * 4;
        self.has_room_for(length)?;
        self.written.push(b'"');
        let start = self.written.len();
        self.written.resize(start + length, 0);
        let letters = &mut self.written[start..];
        STANDARD.encode_slice(bytes, letters).expect("four letters for three bytes");
        self.written.push(b'"');
        Ok(())
    }

    fn has_room_for(&self, bytes: usize) -> Result<(), Fault> {
        if self.written.len().saturating_add(bytes) > self.max_length {
            return Err(Fault::large(self.max_length));
        }
        Ok(())
    }
}

/// How many bytes a byte of a text takes in JSON.
const fn length_of(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => LONGEST_ESCAPE,
        0x20.. => 1,
    }
}
