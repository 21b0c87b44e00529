//! JSON text in the making.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::Fault;

/// As deep as readers of JSON go: each level takes some of the stack.
const MAX_DEPTH: usize = 128;

/// JSON text of a bounded depth.
pub(super) struct Text {
    written: Vec<u8>,
    depth: usize,
    max_depth: usize,
}

impl Text {
    pub(super) fn new(capacity: usize, max_depth: usize) -> Self {
        let max_depth = max_depth.min(MAX_DEPTH);
        Self { written: Vec::with_capacity(capacity), depth: 0, max_depth }
    }

    pub(super) fn into_string(self) -> String {
        String::from_utf8(self.written).expect("made of texts")
    }

    /// Begins an object or a list.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > self.max_depth {
            let fault = format!("nested deeper than {} levels", self.max_depth);
            return Err(Fault::malformed(fault));
        }
        self.written.push(bracket);
        Ok(())
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
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
    pub(super) fn key(&mut self, key: &str, first: &mut bool) {
        self.comma(first);
        self.string(key);
        self.written.push(b':');
    }

    pub(super) fn string(&mut self, text: &str) {
        serde_json::to_writer(&mut self.written, text).expect("texts are JSON");
    }

    /// Writes a number or a word as it is.
    pub(super) fn word(&mut self, word: &str) {
        self.written.extend_from_slice(word.as_bytes());
    }

    pub(super) fn number(&mut self, number: i32) {
        serde_json::to_writer(&mut self.written, &number).expect("numbers are JSON");
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.written.push(b'"');
        let start = self.written.len();
        self.written.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let letters = &mut self.written[start..];
        STANDARD.encode_slice(bytes, letters).expect("four letters for three bytes");
        self.written.push(b'"');
    }
}
