//! A reader never sees a task as it was before what that reader saw already.

use std::collections::HashMap;

use super::index::{Index, Moments};
use super::{Event, Report, Seen, What};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    let mut readers = Readers { index, moments: HashMap::new(), seen: HashMap::new() };
    for record in index.records {
        let (task, found) = match &record.what {
            What::Answer { task, .. } | What::Read(task) => {
                (&task.task, readers.read(record.client, task))
            }
            What::Event { stream, event } => {
                (&event.task, readers.hear(record.client, *stream, event))
            }
            What::Send(_)
            | What::Listed { .. }
            | What::Open { .. }
            | What::End { .. }
            | What::Failed { .. }
            | What::Fault(_)
            | What::Final => continue,
        };
        if let Err(text) = found {
            report(Some(task), format!("client {} {text}", record.client));
        }
    }
}

struct Readers<'a> {
    index: &'a Index<'a>,
    moments: HashMap<&'a str, Option<Moments<'a>>>,
    /// The greatest number that a client knows of a task.
    seen: HashMap<(u32, &'a str), u64>,
}

impl<'a> Readers<'a> {
    /// A read has to show the task as it was after some event that is not before the last seen.
    fn read(&mut self, client: u32, shown: &'a Seen) -> Result<(), String> {
        let index = self.index;
        let id = shown.task.as_str();
        let moments = self
            .moments
            .entry(id)
            .or_insert_with(|| index.tasks.get(id).and_then(|task| task.moments()));
        // A log with a hole is reported by another rule, and an empty one was read by nobody.
        let Some(moments) = moments.as_ref().filter(|moments| !moments.moments.is_empty()) else {
            return Ok(());
        };
        let seen = self.seen.entry((client, id)).or_default();
        let not_before = (1..).zip(&moments.moments).skip(seen.saturating_sub(1) as usize);
        // The first that fits, because what looks alike later need not be meant.
        let found = { not_before }.find(|(_, moment)| moments.shows(moment, shown));
        if let Some((seq, _)) = found {
            *seen = seq;
            return Ok(());
        }
        let (state, count) = (shown.state.name(), shown.texts.len());
        Err(format!("reads {state} with {count} numbers after it knew event {seen}"))
    }

    fn hear(&mut self, client: u32, stream: u64, event: &'a Event) -> Result<(), String> {
        let Some(seq) = event.seq else { return Ok(()) };
        let seen = self.seen.entry((client, event.task.as_str())).or_default();
        let opened = self.index.streams.get(&stream);
        // A stream from now on begins with a read; one from an event on may tell old ones again.
        let read = opened.is_some_and(|stream| {
            let first = stream.events.first();
            stream.after.is_none() && first.is_some_and(|first| std::ptr::eq(*first, event))
        });
        let known = *seen;
        *seen = known.max(seq);
        if read && seq < known {
            return Err(format!("subscribes and finds event {seq} after it knew event {known}"));
        }
        Ok(())
    }
}
