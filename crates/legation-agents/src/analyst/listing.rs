//! Groups and rows in the order that was asked for, and no more of them than that.

use super::answer::Stop;
use super::figures::{Group, Grouping, Ranked, Ranking, rank};
use super::frame::{Column, Frame};
use super::limits::MAX_GROUPS;
use super::plan::{Order, Plan, choices, measurable};
use super::series::{UNNAMED, labels};

/// Puts groups in order; a note says which were left out.
pub(crate) fn arrange(found: &mut Grouping, order: &Order, notes: &mut Vec<String>) {
    let at = found.telling();
    let by_name = order.by.as_ref() == Some(&found.by);
    let value = |group: &Group| group.figures[at].ok();
    found.groups.sort_by(|a, b| {
        let (a, b, absent) = match (by_name, value(a), value(b)) {
            (true, ..) => return turned(a.name.cmp(&b.name), order.ascending),
            (false, Some(a), Some(b)) => (a, b, None),
            // What cannot be calculated is last, whatever the order.
            (false, a, b) => (0.0, 0.0, Some(b.is_some().cmp(&a.is_some()))),
        };
        absent.unwrap_or_else(|| turned(a.total_cmp(&b), order.ascending))
    });
    let (all, most) = (found.groups.len(), order.most.unwrap_or(usize::MAX));
    if all > most {
        found.groups.truncate(most);
        let which = if order.ascending { "least" } else { "greatest" };
        let what = if by_name { &found.by } else { found.aggregates[at].name() };
        notes.push(format!("I listed {most} of {all} groups, those with the {which} {what}."));
    }
}

fn turned(order: std::cmp::Ordering, ascending: bool) -> std::cmp::Ordering {
    if ascending { order } else { order.reverse() }
}

/// The rows of the first table that has the column to go by.
pub(crate) fn ranking(
    frames: &[Frame],
    plan: &Plan,
    order: &Order,
    notes: &mut Vec<String>,
) -> Result<Ranking, Stop> {
    let (frame, column) = column(frames, plan, order)?;
    let Some(numbers) = column.numbers() else { return Err(which(frames).into()) };
    let mut rows = rank(numbers.iter(), order.ascending);
    let of = rows.len();
    let most = order.most.unwrap_or(MAX_GROUPS).min(MAX_GROUPS);
    if of > most && order.most.is_none_or(|wanted| wanted > most) {
        notes.push(format!("I listed the first {most} of {of} rows only."));
    }
    rows.truncate(most);
    let labels = labels(frame).map(|column| column.cells.to_words());
    let row = |(row, value)| {
        let label = labels.as_ref().and_then(|labels| labels.label(row));
        Ranked { position: row + 1, label, value }
    };
    let by = column.name.clone().unwrap_or_else(|| UNNAMED.to_owned());
    Ok(Ranking { by, ascending: order.ascending, of, rows: rows.into_iter().map(row).collect() })
}

/// The column to go by: the one that is said, the first that is named, or the only one there is.
fn column<'f>(
    frames: &'f [Frame],
    plan: &Plan,
    order: &Order,
) -> Result<(&'f Frame, &'f Column), String> {
    if let Some(name) = order.by.as_ref().or(plan.columns.first()) {
        let found = frames.iter().find_map(|frame| Some((frame, frame.column(name)?)));
        return found.ok_or_else(|| super::rows::unknown(name, frames));
    }
    let all = frames.iter().flat_map(|frame| frame.columns.iter().map(move |it| (frame, it)));
    let mut numbers = all.filter(|(_, column)| column.numbers().is_some());
    match (numbers.next(), numbers.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(which(frames)),
    }
}

fn which(frames: &[Frame]) -> String {
    format!("By which column of numbers shall I sort? {}", choices(measurable(frames)))
}
