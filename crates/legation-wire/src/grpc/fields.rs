//! The fields of an encoded message, one after the other.

use super::fault::Fault;

/// What a field holds on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Payload<'m> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'m [u8]),
    /// Four bytes, or a group. No field of a schema of ours holds one.
    Other,
}

/// Reads fields until the message ends.
pub(super) struct Fields<'m> {
    rest: &'m [u8],
}

const ENDS: &str = "the message ends in the middle";

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field by its number.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Payload<'m>)>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let payload = match wire_type {
            3 => self.skip_group()?,
            wire_type => self.payload(wire_type)?,
        };
        Ok(Some((number, payload)))
    }

    fn tag(&mut self) -> Result<(u32, u8), Fault> {
        let tag = u32::try_from(self.varint()?);
        let tag = tag.ok().filter(|tag| tag >> 3 != 0);
        let tag = tag.ok_or_else(|| Fault::malformed("there is no such field number"))?;
        Ok((tag >> 3, (tag & 7) as u8))
    }

    fn payload(&mut self, wire_type: u8) -> Result<Payload<'m>, Fault> {
        Ok(match wire_type {
            0 => Payload::Varint(self.varint()?),
            1 => {
                let Some((bytes, rest)) = self.rest.split_first_chunk() else {
                    return Err(Fault::malformed(ENDS));
                };
                self.rest = rest;
                Payload::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Payload::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Payload::Other
            }
            _ => return Err(Fault::malformed("there is no such wire type")),
        })
    }

    /// Passes over a group, which holds fields until its end. Groups may hold groups, however deep.
    fn skip_group(&mut self) -> Result<Payload<'m>, Fault> {
        let mut open = 1_usize;
        while open > 0 {
            match self.tag()? {
                (_, 3) => open += 1,
                (_, 4) => open -= 1,
                (_, wire_type) => drop(self.payload(wire_type)?),
            }
        }
        Ok(Payload::Other)
    }

    fn take(&mut self, length: usize) -> Result<&'m [u8], Fault> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| Fault::malformed(ENDS))?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        // Nearly every tag, and the length of most texts.
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        let ended = self.rest.len() < 10;
        Err(Fault::malformed(if ended { ENDS } else { "a number has more than ten bytes" }))
    }
}

/// Writes a number in as few bytes as it takes.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, Payload<'_>)>, Fault> {
        let mut fields = Fields::of(message);
        std::iter::from_fn(|| fields.next().transpose()).collect()
    }

    #[test]
    fn fields_are_read_and_what_is_not_one_is_refused() {
        type Read<'m> = Option<&'m [(u32, Payload<'m>)]>;
        let cases: [(&[u8], Read<'_>); 14] = [
            (b"", Some(&[])),
            (b"\x08\x96\x01", Some(&[(1, Payload::Varint(150))])),
            (b"\x12\x02hi", Some(&[(2, Payload::Bytes(b"hi"))])),
            (b"\x09\x00\x00\x00\x00\x00\x00\x00\x01", Some(&[(1, Payload::Fixed64(1 << 56))])),
            (b"\x0d\x00\x00\x00\x01", Some(&[(1, Payload::Other)])),
            // A group with a group and a text in it.
            (
                b"\x0b\x13\x14\x12\x01\x0c\x0c\x08\x01",
                Some(&[(1, Payload::Other), (1, Payload::Varint(1))]),
            ),
            (b"\x0b\x13\x14", None),
            (b"\x0c", None),
            (b"\x0f", None),
            (b"\x00\x01", None),
            (b"\x08", None),
            (b"\x08\x80", None),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
        ];
        for (message, expected) in cases {
            let got = read(message);
            assert_eq!(got.as_deref().ok(), expected, "{message:02x?}");
        }
        let groups = [0x0b; 1_000_000];
        assert!(read(&groups).is_err());
    }

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut message = vec![0x08];
            put_varint(&mut message, value);
            assert_eq!(read(&message), Ok(vec![(1, Payload::Varint(value))]));
        }
    }
}
