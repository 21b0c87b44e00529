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

/// How many bytes a number takes.
const fn bytes_of(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}
