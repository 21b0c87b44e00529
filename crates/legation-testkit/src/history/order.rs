//! Every stream tells the events of its task in their order, and all tell the same ones.

use std::collections::HashMap;

use super::index::{Index, Stream};
use super::{About, Kind, Report};

pub(super) fn check_order(index: &Index<'_>, report: &mut Report<'_>) {
    for (number, stream) in &index.streams {
        if let Err(text) = in_order(stream) {
            let task = stream.events.first().map(|event| event.task.as_str());
            report(task, format!("stream {number}: {text}"));
        }
    }
}

fn in_order(stream: &Stream<'_>) -> Result<(), String> {
    let mut events = stream.events.iter();
    let Some(first) = events.next() else { return Ok(()) };
    if !matches!(first.kind, Kind::Task { .. }) {
        return Err("does not begin with the task".into());
    }
    let begin = match (stream.about, stream.after, first.seq) {
        (About::Send(_), _, Some(1)) => 1,
        (About::Send(_), _, seq) => return Err(format!("begins with event {seq:?}, not 1")),
        (About::Task(_), Some(after), None) => after,
        (About::Task(_), Some(after), Some(seq)) => {
            return Err(format!("resumes after {after} with event {seq} in place of a header"));
        }
        (About::Task(_), None, Some(seq)) => seq,
        (About::Task(_), None, None) => return Err("begins without a number".into()),
    };
    for (last, event) in (begin..).zip(events) {
        if event.task != first.task {
            return Err(format!("tells of task {} too", event.task));
        }
        if event.seq != Some(last + 1) {
            return Err(format!("event {:?} follows event {last}", event.seq));
        }
    }
    Ok(())
}

pub(super) fn check_agreement(index: &Index<'_>, report: &mut Report<'_>) {
    check_openings(index, report);
    for (number, stream) in &index.streams {
        let opening = usize::from(stream.after.is_none());
        for event in stream.events.iter().skip(opening) {
            let Some(seq) = event.seq else { continue };
            let first = index.tasks.get(event.task.as_str()).and_then(|task| task.log.get(&seq));
            if let Some(first) = first.filter(|first| first.hash != event.hash) {
                let text = format!(
                    "stream {number} tells event {seq} as {:?}, another one as {:?}",
                    event.kind, first.kind
                );
                report(Some(&event.task), text);
            }
        }
    }
}

/// A stream opens with the task as it was after the event from which on it tells.
fn check_openings(index: &Index<'_>, report: &mut Report<'_>) {
    let mut moments = HashMap::new();
    for (number, stream) in &index.streams {
        let Some(first) = stream.events.first() else { continue };
        // Before the first event there is no task: a whole replay opens with its creation.
        let Some(seq) = first.seq.or(stream.after).map(|seq| seq.max(1)) else { continue };
        let id = first.task.as_str();
        let moments = moments
            .entry(id)
            .or_insert_with(|| index.tasks.get(id).and_then(|task| task.moments()));
        let moment = moments.as_ref().and_then(|moments| moments.moments.get(seq as usize - 1));
        if let (Some(moment), Some(state)) = (moment, first.state())
            && moment.state != state
        {
            let (shown, was) = (state.name(), moment.state.name());
            let text =
                format!("stream {number} opens with {shown}, after event {seq} it was {was}");
            report(Some(id), text);
        }
    }
}
