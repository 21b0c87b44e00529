//! A walk through JSON text that was written by a serializer.
//!
//! It takes whatever such text says, and stops at what cannot be JSON. It is not a validator: of
//! text that is not JSON it may accept some.

use std::borrow::Cow;

use memchr::memchr2;

use super::fault::Fault;
use crate::json::behind_string;

/// A place in a text.
pub(super) struct Cursor<'j> {
    rest: &'j str,
}

impl<'j> Cursor<'j> {
    pub(super) fn new(text: &'j str) -> Self {
        Self { rest: text }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The first byte of what comes next.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let first = self.rest.as_bytes().first().copied();
        if first.is_none_or(|byte| byte > b' ') {
            return first;
        }
        self.rest = self.rest.trim_ascii_start();
        self.rest.as_bytes().first().copied()
    }

    /// Takes a byte that must come next.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.takes(byte) { Ok(()) } else { Err(not_json()) }
    }

    /// Whether another element of the list or the object comes, which ends with this byte.
    pub(super) fn more(&mut self, first: &mut bool, end: u8) -> Result<bool, Fault> {
        if self.takes(end) {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Takes the name of a member if it is this one, written with its quotes and colon.
    pub(super) fn takes_name(&mut self, quoted: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(quoted) else { return false };
        self.rest = rest;
        true
    }

    /// Takes the name of a member.
    pub(super) fn name(&mut self) -> Result<Cow<'j, str>, Fault> {
        let name = self.text()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Result<Cow<'j, str>, Fault> {
        self.expect(b'"')?;
        let special = memchr2(b'"', b'\\', self.rest.as_bytes()).ok_or_else(not_json)?;
        let (plain, rest) = self.rest.split_at(special);
        if let Some(rest) = rest.strip_prefix('"') {
            self.rest = rest;
            return Ok(Cow::Borrowed(plain));
        }
        let length = self.rest.len() - behind_string(rest.as_bytes()).len();
        let (inside, rest) = self.rest.split_at_checked(length).ok_or_else(not_json)?;
        self.rest = rest;
        let text = serde_json::from_str(&["\"", inside].concat());
        text.map(Cow::Owned).map_err(|_| not_json())
    }

    /// Takes a number, `true`, `false` or `null`, as it is spelled.
    pub(super) fn word(&mut self) -> Result<&'j str, Fault> {
        self.peek();
        let end = self.rest.find([',', ']', '}', ' ', '\n', '\r', '\t']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if word.is_empty() { Err(not_json()) } else { Ok(word) }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut open = 0_usize;
        loop {
            match self.peek().ok_or_else(not_json)? {
                b'"' => drop(self.text()?),
                b'{' | b'[' => {
                    self.rest = &self.rest[1..];
                    open += 1;
                }
                b'}' | b']' if open > 0 => {
                    self.rest = &self.rest[1..];
                    open -= 1;
                }
                b',' | b':' if open > 0 => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                _ => drop(self.word()?),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Checks that nothing comes any more.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err(not_json()) }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        if comes {
            // It is ASCII.
            self.rest = &self.rest[1..];
        }
        comes
    }
}

fn not_json() -> Fault {
    Fault::malformed("not JSON")
}
