//! The lengths of messages within messages, which stand before them and are known behind them.

use super::fields::put_varint;

/// Lengths that are to be put in, in the order of their places.
///
/// There is room for one byte each. What takes more is put in at the end, in one go: making room
/// at once would move whatever is inside, for each level anew.
#[derive(Default)]
pub(super) struct Lengths {
    long: Vec<Long>,
    /// How many bytes all of them take beyond one each.
    extra: usize,
}

/// A length that may take more than one byte.
struct Long {
    /// Where its one byte is.
    at: usize,
    length: usize,
}

/// A message that has begun.
pub(super) struct Begun {
    index: usize,
    extra: usize,
}

impl Lengths {
    /// Leaves room for the length of the message that comes next.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) -> Begun {
        let begun = Begun { index: self.long.len(), extra: self.extra };
        self.long.push(Long { at: out.len(), length: 0 });
        out.push(0);
        begun
    }

    /// Notes the length of a message, which is all that was written since it began.
    pub(super) fn end(&mut self, begun: Begun, out: &mut [u8]) {
        let Some(long) = self.long.get_mut(begun.index) else { return };
        let length = out.len() - long.at - 1 + self.extra - begun.extra;
        match u8::try_from(length) {
            Ok(short @ ..0x80) => {
                out[long.at] = short;
                // What is in a short message is short, so this one is the last.
                self.long.truncate(begun.index);
            }
            Ok(_) | Err(_) => {
                long.length = length;
                self.extra += bytes_of(length) - 1;
            }
        }
    }

    /// The places of the messages that have not ended, the outermost first.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> {
        // What has ended and is here still is long.
        self.long.iter().filter(|long| long.length == 0).map(|long| long.at)
    }

    /// Where a place is when the lengths are put in.
    pub(super) fn moved(&self, at: usize) -> usize {
        let before = self.long.iter().take_while(|long| long.at < at);
        at + before.map(|long| bytes_of(long.length) - 1).sum::<usize>()
    }

    /// Puts the lengths in, from behind, so that everything moves once.
    pub(super) fn put_into(self, mut out: Vec<u8>) -> Vec<u8> {
        let (mut end, mut by) = (out.len(), self.extra);
        out.resize(end + by, 0);
        let mut prefix = Vec::with_capacity(10);
        for Long { at, length } in self.long.into_iter().rev() {
            out.copy_within(at + 1..end, at + 1 + by);
            prefix.clear();
            put_varint(&mut prefix, length as u64);
            by -= prefix.len() - 1;
            out[at + by..][..prefix.len()].copy_from_slice(&prefix);
            end = at;
        }
        out
    }
}

/// Adds to the length that bytes begin with; false when it would take another number of them.
pub(super) fn change(bytes: &mut [u8], by: usize) -> bool {
    let more = bytes.iter().take_while(|byte| **byte >= 0x80).count();
    let length = &mut bytes[..=more];
    let old = length.iter().rev().fold(0, |old, byte| old << 7 | usize::from(byte & 0x7f));
    let mut new = old.wrapping_add(by);
    if bytes_of(new) != length.len() {
        return false;
    }
    for byte in length {
        *byte = *byte & 0x80 | (new & 0x7f) as u8;
        new >>= 7;
    }
    true
}

/// How many bytes a number takes.
pub(super) const fn bytes_of(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}
