//! How a log lies in rows: the number of a row, and the entries in its body.

use std::ops::RangeInclusive;

use bytes::Bytes;
use legation_core::store::{Seq, TaskKey};

/// How bodies are written; see the migration that made the column.
pub(crate) const FORMAT: i64 = 1;

/// Bits of a row's number that hold the event's number: 16 million events to a task.
const SEQ_BITS: u32 = 24;

/// The greatest number of an event.
pub(crate) const MAX_SEQ: Seq = (1 << SEQ_BITS) - 1;

/// The number of the row whose last event is this one.
pub(crate) fn row_id(key: TaskKey, last: Seq) -> i64 {
    (key.0 << SEQ_BITS) | (last.min(MAX_SEQ) as i64)
}

/// The number of a row's last event.
pub(crate) fn last_of_row(id: i64) -> Seq {
    id as Seq & MAX_SEQ
}

/// The numbers of all rows of a task.
pub(crate) fn row_ids(key: TaskKey) -> RangeInclusive<i64> {
    row_id(key, 0)..=row_id(key, MAX_SEQ)
}

/// Writes entries into one body.
pub(crate) fn join(entries: &[Bytes], body: &mut Vec<u8>) {
    body.clear();
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            body.push(b'\n');
        }
        body.extend_from_slice(entry);
    }
}

/// Takes a body apart into its entries, which share its memory. The first has this number:
pub(crate) fn split(last: Seq, body: &Bytes) -> (Seq, impl Iterator<Item = Bytes>) {
    let lines = 1 + body.iter().filter(|byte| **byte == b'\n').count() as Seq;
    let entries = body.split(|byte| *byte == b'\n').map(|line| body.slice_ref(line));
    ((last + 1).saturating_sub(lines), entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gives_back_its_entries_with_their_numbers() {
        let cases: [(&[&'static str], Seq, Seq); 3] = [
            (&["a"], 1, 1),
            (&["a", "bb", "ccc"], 7, 5),
            (&["{\"x\":1}", "{}"], MAX_SEQ, MAX_SEQ - 1),
        ];
        for (entries, last, first) in cases {
            let entries: Vec<Bytes> = entries.iter().map(|entry| Bytes::from(*entry)).collect();
            let mut body = b"left over".to_vec();
            join(&entries, &mut body);
            let body = Bytes::from(body);
            let (number, split) = split(last, &body);
            assert_eq!((number, split.collect::<Vec<_>>()), (first, entries));
        }
    }

    #[test]
    fn rows_of_a_task_stand_together_in_the_order_of_its_events() {
        let ids =
            [(1, 1), (1, 2), (1, MAX_SEQ), (2, 1)].map(|(key, last)| row_id(TaskKey(key), last));
        assert!(ids.is_sorted());
        assert!(row_ids(TaskKey(1)).contains(&ids[2]) && !row_ids(TaskKey(1)).contains(&ids[3]));
        assert_eq!(last_of_row(ids[2]), MAX_SEQ);
    }
}
