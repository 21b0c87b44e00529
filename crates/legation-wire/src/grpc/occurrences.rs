//! The fields that occur in messages, gathered by field: they may come in any order, and more than
//! once.

use std::ops::Range;

use super::fault::Fault;
use super::fields::{Fields, Payload};
use super::schema::{Label, Message};

/// The occurrences in all messages that are being read, those of the innermost last.
pub(super) struct Occurrences<'m> {
    all: Vec<Occurrence<'m>>,
    /// How many more there may be.
    left: usize,
}

#[derive(Clone, Copy)]
struct Occurrence<'m> {
    /// The field's place in the table.
    field: usize,
    /// Its place among all, as it came.
    at: usize,
    payload: Payload<'m>,
}

/// The occurrences in one message, ordered by its table.
pub(super) struct Members {
    range: Range<usize>,
    /// The member of the oneof that was said last, and since when.
    chosen: Option<(usize, usize)>,
}

impl<'m> Occurrences<'m> {
    /// Nothing yet, and at most this much.
    pub(super) fn at_most(left: usize) -> Self {
        Self { all: Vec::with_capacity(16), left }
    }

    /// Gathers the fields of a message. It may come in pieces, which are one message as if they
    /// stood behind each other.
    pub(super) fn gather(
        &mut self,
        message: &'static Message,
        pieces: &[&'m [u8]],
    ) -> Result<Members, Fault> {
        let (start, mut chosen) = (self.all.len(), None);
        for piece in pieces {
            self.add(message, piece, &mut chosen)?;
        }
        let range = start..self.all.len();
        // Nearly always they are in order.
        self.all[range.clone()].sort_by_key(|occurrence| occurrence.field);
        Ok(Members { range, chosen })
    }

    fn add(
        &mut self,
        message: &'static Message,
        piece: &'m [u8],
        chosen: &mut Option<(usize, usize)>,
    ) -> Result<(), Fault> {
        let mut fields = Fields::of(piece);
        while let Some((number, payload)) = fields.next()? {
            let Some((field, known)) = message.field_of_number(number) else { continue };
            let at = self.all.len();
            if known.label == Label::OneOf && chosen.is_none_or(|(chosen, _)| chosen != field) {
                *chosen = Some((field, at));
            }
            let left = self.left.checked_sub(1);
            self.left = left.ok_or_else(|| Fault::malformed("too many fields and elements"))?;
            self.all.push(Occurrence { field, at, payload });
        }
        Ok(())
    }

    /// Forgets the innermost message.
    pub(super) fn forget(&mut self, members: &Members) {
        self.all.truncate(members.range.start);
    }

    /// Where the occurrences of a field are that count. Of a oneof only the last member does, since
    /// it was said: what was said before another one is gone.
    pub(super) fn of_field(&self, members: &Members, field: usize, label: Label) -> Range<usize> {
        // One by one: hardly any message has so many that a search by halves would find them sooner.
        let all = &self.all[members.range.clone()];
        let start = all.iter().take_while(|occurrence| occurrence.field < field).count();
        let of_it = all[start..].iter().take_while(|occurrence| occurrence.field == field);
        let count = of_it.count();
        let (group, start) = (&all[start..start + count], members.range.start + start);
        let gone = match members.chosen {
            Some((chosen, since)) if label == Label::OneOf && chosen == field => {
                group.partition_point(|occurrence| occurrence.at < since)
            }
            Some(_) if label == Label::OneOf => count,
            Some(_) | None => 0,
        };
        start + gone..start + count
    }

    /// The member of the oneof that counts.
    pub(super) fn chosen(members: &Members) -> Option<usize> {
        members.chosen.map(|(field, _)| field)
    }

    pub(super) fn payload(&self, at: usize) -> Payload<'m> {
        self.all[at].payload
    }

    /// The number in a field, or zero.
    pub(super) fn varint(&self, members: &Members, field: usize) -> u64 {
        let last = self.of_field(members, field, Label::Implicit).last();
        match last.map(|at| self.payload(at)) {
            Some(Payload::Varint(value)) => value,
            Some(Payload::Fixed64(_) | Payload::Bytes(_) | Payload::Other) | None => 0,
        }
    }

    /// The bytes in a field, or none.
    pub(super) fn bytes(&self, members: &Members, field: usize) -> &'m [u8] {
        let last = self.of_field(members, field, Label::Implicit).last();
        match last.map(|at| self.payload(at)) {
            Some(Payload::Bytes(bytes)) => bytes,
            Some(Payload::Fixed64(_) | Payload::Varint(_) | Payload::Other) | None => &[],
        }
    }
}
