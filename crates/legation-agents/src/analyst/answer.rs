//! From data and a plan to a report, or to the question that is left.

use super::bad_data::BadData;
use super::draw::draw;
use super::figures::{Aggregate, Correlation, Group, Grouping, pearson, split};
use super::frame::{Column, Frame, Numbers};
use super::limits::{MAX_CORRELATED, MAX_GROUPS, MAX_STEPS};
use super::listing::{arrange, ranking};
use super::plan::{Grouped, Plan, choices};
use super::report::{Report, SeriesReport};
use super::rows::{filter, unknown};
use super::series::{Series, check_series, names, series};
use super::watch::Watch;

/// Why there is no report.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something has to be asked first.
    Ask(String),
    /// The data cannot be used.
    Bad(BadData),
}

impl From<BadData> for Stop {
    fn from(bad: BadData) -> Self {
        Self::Bad(bad)
    }
}

impl From<String> for Stop {
    fn from(question: String) -> Self {
        Self::Ask(question)
    }
}

/// Carries out a plan.
pub(crate) fn carry_out(
    mut frames: Vec<Frame>,
    mut plan: Plan,
    mut notes: Vec<String>,
    watch: &Watch,
) -> Result<Report, Stop> {
    notes.extend(filter(&mut frames, &plan.filter)?);
    check_columns(&plan, &frames)?;
    if plan.forecast.is_some_and(|steps| steps == 0 || steps > MAX_STEPS) {
        return Err(format!("How many steps shall I look ahead? I take 1 to {MAX_STEPS}.").into());
    }
    if plan.says_nothing() {
        plan.operations = super::request::ALL.to_vec();
    }
    let mut report = Report { notes, ..Report::default() };
    if let Some(grouped) = &plan.group {
        report.groups = group(&frames, grouped)?;
    }
    if let Some(order) = &plan.order {
        if report.groups.is_empty() {
            report.ranking = Some(ranking(&frames, &plan, order, &mut report.notes)?);
        }
        for found in &mut report.groups {
            arrange(found, order, &mut report.notes);
        }
    }
    if let Some(columns) = &plan.correlate {
        report.correlations = correlate(&frames, columns)?;
    }
    let mut all: Vec<Series> = Vec::new();
    for frame in &frames {
        all.extend(series(frame, &plan.columns, &mut report.notes));
    }
    if !plan.operations.is_empty() || plan.forecast.is_some() {
        let source = frames.first().map_or("the data", |frame| &frame.source);
        check_series(source, all.len())?;
        for (at, (series, name)) in all.iter().zip(names(&all)).enumerate() {
            watch.go_on(source)?;
            if all.len() > 1 && series.values.len() > 100_000 {
                watch.note(|| format!("calculating column {} of {}: {name}", at + 1, all.len()));
            }
            report.series.extend(SeriesReport::new(series, name, &plan));
        }
    }
    if let Some(drawing) = &plan.chart {
        report.chart = Some(draw(&frames, &plan, drawing, &report.groups, &mut report.notes)?);
    }
    if !plan.beyond.is_empty() {
        report.notes.push(format!("I do not {}.", plan.beyond.join(", nor ")));
    }
    Ok(report)
}

/// Asks about the first column that is named and not there.
fn check_columns(plan: &Plan, frames: &[Frame]) -> Result<(), String> {
    let mut named: Vec<&String> = plan.columns.iter().collect();
    named.extend(plan.order.iter().flat_map(|it| &it.by));
    named.extend(plan.correlate.iter().flatten());
    named.extend(plan.group.iter().flat_map(|it| it.measures.iter().chain([&it.by])));
    named.extend(plan.chart.iter().flat_map(|it| it.y.iter().chain(&it.x)));
    match named.iter().find(|name| frames.iter().all(|frame| frame.column(name).is_none())) {
        Some(missing) => Err(unknown(missing, frames)),
        None => Ok(()),
    }
}

/// One grouping per measure, in the first table that has the column to group by.
fn group(frames: &[Frame], grouped: &Grouped) -> Result<Vec<Grouping>, Stop> {
    let found = frames.iter().find_map(|frame| Some((frame, frame.column(&grouped.by)?)));
    let (frame, by) = found.ok_or_else(|| unknown(&grouped.by, frames))?;
    let keys = by.cells.to_words();
    if keys.is_free_text() || keys.names().len() > MAX_GROUPS {
        return Err(Stop::Ask(format!(
            "`{}` has more than {MAX_GROUPS} different values, too many groups to list. By which \
             other column shall I group?",
            grouped.by
        )));
    }
    let mut measures: Vec<Option<(&str, &Numbers)>> = Vec::new();
    for name in &grouped.measures {
        measures.push(Some((name, numbers(frame, name, frames)?)));
    }
    if measures.is_empty() {
        measures.push(None);
    }
    let groupings = measures.into_iter().map(|measure| {
        let usual = match measure {
            Some(_) => vec![Aggregate::Count, Aggregate::Sum, Aggregate::Mean],
            None => vec![Aggregate::Count],
        };
        let aggregates = match &grouped.aggregates[..] {
            [] => usual,
            _ if measure.is_none() => usual,
            asked => asked.to_vec(),
        };
        let values = split(&keys, frame.rows, measure.map(|(_, numbers)| numbers));
        let names = keys.names().iter().map(|name| name.to_string()).chain([String::new()]);
        let groups =
            names.zip(&values).filter(|(name, values)| !name.is_empty() || !values.is_empty());
        let group = |(name, values): (String, &Vec<f64>)| Group {
            name,
            figures: aggregates.iter().map(|aggregate| aggregate.of(values)).collect(),
        };
        let mut groups: Vec<Group> = groups.map(group).collect();
        // Time has an order of its own; other groups stay as the table has them.
        if keys.are_dates() {
            groups.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let measure = measure.map(|(name, _)| name.to_owned());
        Grouping { by: grouped.by.clone(), measure, aggregates, groups }
    });
    Ok(groupings.collect())
}

/// A column of numbers, or the question about it.
pub(crate) fn numbers<'f>(
    frame: &'f Frame,
    name: &str,
    frames: &[Frame],
) -> Result<&'f Numbers, String> {
    let column = frame.column(name).ok_or_else(|| unknown(name, frames))?;
    let numeric = frame.columns.iter().filter(|column| column.numbers().is_some());
    column.numbers().map(|numbers| &**numbers).ok_or_else(|| {
        let choices = choices(numeric.filter_map(|column| column.name.as_deref()));
        format!(
            "`{name}` holds {}, not numbers. Which column of numbers do you mean? {choices}",
            column.kind()
        )
    })
}

/// Every pair of the named columns, or of all that have a name.
fn correlate(frames: &[Frame], named: &[String]) -> Result<Vec<Correlation>, Stop> {
    let mut columns: Vec<(&str, &Numbers)> = Vec::new();
    for name in named {
        let frame = frames.iter().find(|frame| frame.column(name).is_some());
        let frame = frame.ok_or_else(|| unknown(name, frames))?;
        columns.push((name, numbers(frame, name, frames)?));
    }
    if named.is_empty() {
        let all = frames.iter().flat_map(|frame| &frame.columns);
        let named = |column| -> Option<(&str, &Numbers)> {
            let column: &Column = column;
            Some((column.name.as_deref()?, column.numbers()?))
        };
        columns.extend(all.filter_map(named));
    }
    if columns.len() < 2 || columns.len() > MAX_CORRELATED {
        let choices = choices(columns.iter().map(|(name, _)| *name));
        return Err(Stop::Ask(format!(
            "Which columns shall I correlate? I take 2 to {MAX_CORRELATED}. {choices}"
        )));
    }
    let mut found = Vec::new();
    for (at, (first, xs)) in columns.iter().enumerate() {
        for (second, ys) in &columns[at + 1..] {
            if xs.len() != ys.len() {
                return Err(Stop::Ask(format!(
                    "`{first}` has {} values and `{second}` has {}, so that I cannot tell which \
                     belong together. Send them as columns of one table.",
                    xs.len(),
                    ys.len()
                )));
            }
            let (r, count) = pearson(xs, ys);
            let (first, second) = ((*first).to_owned(), (*second).to_owned());
            found.push(Correlation { first, second, r, count });
        }
    }
    Ok(found)
}
