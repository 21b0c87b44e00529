//! What a chart shows: from the data and what was said about it to something to draw.

use std::rc::Rc;

use super::answer::{Stop, numbers};
use super::bad_data::excerpt;
use super::chart::{Chart, DRAWABLE, Data, Labels, Line, MAX_LINES, SIDES};
use super::figures::{Aggregate, Grouping, Sample, forecast, split};
use super::frame::{Cells, Column, Frame, Numbers, Words};
use super::plan::{Drawing, Kind, Plan, choices};
use super::rows::unknown;
use super::series::{Series, labels, names, series};

/// A chart as the report carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// What stands above it.
    pub title: String,
    /// The whole SVG document.
    pub svg: String,
}

/// The sides when none are said: two thirds of a page, and legible on a slide.
const WIDTH: u32 = 800;
const HEIGHT: u32 = 480;
/// More bars than this are no longer told apart.
const MAX_BARS: usize = 120;
/// More slices than this are taken together as the rest.
const MAX_SLICES: usize = 8;
/// More dots than this only make the file large.
const MAX_DOTS: usize = 5_000;
/// Up to this many named positions are drawn as bars when nothing is said.
const FEW: usize = 12;

/// Draws what a plan asks for.
pub(crate) fn draw(
    frames: &[Frame],
    plan: &Plan,
    drawing: &Drawing,
    groups: &[Grouping],
    notes: &mut Vec<String>,
) -> Result<Picture, Stop> {
    let (width, height) = (drawing.width.unwrap_or(WIDTH), drawing.height.unwrap_or(HEIGHT));
    if !SIDES.contains(&width) || !SIDES.contains(&height) {
        let (least, most) = (SIDES.start(), SIDES.end());
        return Err(Stop::Ask(format!(
            "How large shall the chart be? Its sides are {least} to {most} pixels."
        )));
    }
    let Subject { title, x, y, data } = subject(frames, plan, drawing, groups, notes)?;
    let title = drawing.title.clone().unwrap_or(title);
    let chart = Chart { title: title.clone(), x, y, width, height, data };
    Ok(Picture { title, svg: chart.to_svg() })
}

/// What a chart is about.
struct Subject {
    title: String,
    x: String,
    y: String,
    data: Data,
}

fn subject(
    frames: &[Frame],
    plan: &Plan,
    drawing: &Drawing,
    groups: &[Grouping],
    notes: &mut Vec<String>,
) -> Result<Subject, Stop> {
    let scatter = drawing.kind == Some(Kind::Scatter);
    if scatter
        || (drawing.kind.is_none() && plan.correlate.as_ref().is_some_and(|it| it.len() == 2))
    {
        return scatter_of(frames, plan, drawing, notes);
    }
    let picked = if drawing.y.is_empty() { &plan.columns } else { &drawing.y };
    if drawing.kind == Some(Kind::Histogram) {
        return histogram_of(frames, picked);
    }
    let mut table = match groups {
        [] => of_series(frames, plan, drawing, picked, notes)?,
        groups => of_groups(groups),
    };
    check_lines(table.lines.iter().map(|line| line.name.as_str()))?;
    if !are_drawable(table.lines.iter().flat_map(|line| line.values.iter().flatten())) {
        return Err(too_extreme());
    }
    let count = table.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let kind = drawing.kind.unwrap_or(match () {
        () if !groups.is_empty() => Kind::Bar,
        () if plan.forecast.is_some() || table.in_time || count > FEW => Kind::Line,
        () if table.labels.0.is_some() => Kind::Bar,
        () => Kind::Line,
    });
    let title = table.title();
    let names: Vec<&str> = table.lines.iter().map(|line| line.name.as_str()).collect();
    let y = if names.len() == 1 { names[0].to_owned() } else { String::new() };
    let x = table.x.clone();
    let data = match kind {
        Kind::Pie => Data::Slices(slices(&table)?),
        Kind::Bar => {
            if count > MAX_BARS {
                notes.push(format!("The chart shows the first {MAX_BARS} of {count} bars."));
                table.lines.iter_mut().for_each(|line| line.values.truncate(MAX_BARS));
            }
            Data::Bars { labels: table.labels, lines: table.lines }
        }
        Kind::Line | Kind::Scatter | Kind::Histogram => {
            Data::Lines { labels: table.labels, lines: table.lines }
        }
    };
    Ok(Subject { title, x, y, data })
}

/// Asks which to draw when there are too many.
fn check_lines<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> Result<(), Stop> {
    if names.len() <= MAX_LINES {
        return Ok(());
    }
    let names = choices(names);
    Err(Stop::Ask(format!(
        "Which columns shall I draw? At most {MAX_LINES} can be told apart. {names}"
    )))
}

/// Lines or bars before it is known which.
struct Table {
    x: String,
    labels: Labels,
    lines: Vec<Line>,
    in_time: bool,
}

impl Table {
    fn title(&self) -> String {
        const MOST: usize = 3;
        let names: Vec<&str> = self.lines.iter().take(MOST).map(|it| it.name.as_str()).collect();
        let more = self.lines.len().saturating_sub(MOST);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = format!("{}{more}", names.join(", "));
        if self.x.is_empty() { what } else { format!("{what} by {}", self.x) }
    }
}

fn of_groups(groups: &[Grouping]) -> Table {
    let mut words = Words::default();
    for group in groups.first().map_or(&[][..], |grouping| &grouping.groups) {
        words.push(if group.name.is_empty() { "(none)" } else { &group.name });
    }
    let lines = groups.iter().map(|grouping| {
        let at = grouping.telling();
        let aggregate = grouping.aggregates[at].name();
        let name = grouping
            .measure
            .as_ref()
            .map_or(aggregate.to_owned(), |measure| format!("{aggregate} of {measure}"));
        let values = grouping.groups.iter().map(|group| group.figures[at].ok()).collect();
        Line { name, values, ahead: Vec::new() }
    });
    let x = groups.first().map_or(String::new(), |grouping| grouping.by.clone());
    Table { x, labels: Labels(Some(Rc::new(words))), lines: lines.collect(), in_time: false }
}

fn of_series(
    frames: &[Frame],
    plan: &Plan,
    drawing: &Drawing,
    picked: &[String],
    notes: &mut Vec<String>,
) -> Result<Table, Stop> {
    let along = match &drawing.x {
        Some(name) => {
            let found = frames.iter().find_map(|frame| Some((frame, frame.column(name)?)));
            Some(found.ok_or_else(|| unknown(name, frames))?)
        }
        None => None,
    };
    let mut all: Vec<Series> = Vec::new();
    for frame in frames {
        all.extend(series(frame, picked, &mut Vec::new()));
    }
    let names = names(&all);
    check_lines(names.iter().map(String::as_str))?;
    // Positions are named by the table that is drawn, when there is only one.
    let frame = frames.iter().filter(|frame| !series(frame, picked, &mut Vec::new()).is_empty());
    let frame: Vec<&Frame> = frame.collect();
    let column = match (along, &frame[..]) {
        (Some((_, column)), _) => Some(column),
        (None, [only]) => labels(only),
        (None, _) => None,
    };
    let words = column.map(|column| column.cells.to_words()).filter(|words| !words.is_free_text());
    let in_time = column.is_some_and(is_time);
    let x = column.and_then(|column| column.name.clone()).unwrap_or_default();
    let mut lines = Vec::new();
    for (series, name) in all.iter().zip(names) {
        if along.is_some_and(|(_, column)| column.name == series.name) {
            continue;
        }
        let ahead = match plan.forecast.zip(Sample::new(series)) {
            Some((steps, sample)) => ahead(&sample, steps),
            None => Vec::new(),
        };
        lines.push(Line { name, values: series.values.iter().collect(), ahead });
    }
    let table = Table { x, labels: Labels(words), lines, in_time };
    Ok(if along.is_some() { together(table, notes) } else { table })
}

/// Several rows of one name along the bottom become one: their sum.
fn together(table: Table, notes: &mut Vec<String>) -> Table {
    let rows = table.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let Some(words) = &table.labels.0 else { return table };
    if words.names().len() >= rows || rows == 0 {
        return table;
    }
    let note = format!("The chart shows the sums of the rows with the same `{}`.", table.x);
    notes.push(note);
    let lines = table.lines.into_iter().map(|line| {
        let numbers: Numbers = line.values.into_iter().collect();
        let values = split(words, rows, Some(&numbers));
        let sums = values.iter().take(words.names().len()).map(|it| Aggregate::Sum.of(it).ok());
        Line { name: line.name, values: sums.collect(), ahead: Vec::new() }
    });
    let mut named = Words::default();
    words.names().iter().for_each(|name| named.push(name));
    Table { lines: lines.collect(), labels: Labels(Some(Rc::new(named))), ..table }
}

fn ahead(sample: &Sample<'_>, steps: usize) -> Vec<[f64; 3]> {
    let ahead = forecast(sample, steps).unwrap_or_default().into_iter();
    // What is too large to calculate is too large to draw.
    ahead.map_while(|it| Some([it.value.ok()?, it.lower.ok()?, it.upper.ok()?])).collect()
}

fn is_time(column: &Column) -> bool {
    match &column.cells {
        Cells::Words(words) => words.are_dates(),
        Cells::Numbers(_) => true,
    }
}

fn slices(table: &Table) -> Result<Vec<(String, f64)>, Stop> {
    let [line] = &table.lines[..] else {
        let names = choices(table.lines.iter().map(|line| line.name.as_str()));
        return Err(Stop::Ask(format!("Of which column shall I draw the chart? {names}")));
    };
    let values = line.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    let mut slices: Vec<(String, f64)> =
        values.map(|(at, value)| (table.labels.get(at), value)).collect();
    let negative = slices.iter().any(|(_, value)| *value < 0.0);
    if negative || slices.iter().all(|(_, value)| *value == 0.0) {
        let (name, why) =
            (&line.name, if negative { "has negative values" } else { "adds up to 0" });
        return Err(Stop::Ask(format!(
            "`{name}` {why}, of which there are no shares. Shall I draw bars instead?"
        )));
    }
    slices.sort_by(|a, b| b.1.total_cmp(&a.1));
    if slices.len() > MAX_SLICES {
        let rest = slices.split_off(MAX_SLICES - 1);
        let sum = rest.iter().map(|(_, value)| value).sum();
        slices.push((format!("{} others", rest.len()), sum));
    }
    Ok(slices)
}

fn scatter_of(
    frames: &[Frame],
    plan: &Plan,
    drawing: &Drawing,
    notes: &mut Vec<String>,
) -> Result<Subject, Stop> {
    let mut named: Vec<String> = drawing.x.iter().chain(&drawing.y).cloned().collect();
    if named.len() != 2 {
        named = plan.correlate.clone().unwrap_or_default();
    }
    let [x, y] = &named[..] else {
        let columns = frames.iter().flat_map(|frame| &frame.columns);
        let columns = columns.filter(|column| column.numbers().is_some());
        let choices = choices(columns.filter_map(|column| column.name.as_deref()));
        return Err(Stop::Ask(format!(
            "Which two columns shall I draw against each other? {choices}"
        )));
    };
    let of = |name: &String| -> Result<&Numbers, Stop> {
        let frame = frames.iter().find(|frame| frame.column(name).is_some());
        Ok(numbers(frame.ok_or_else(|| unknown(name, frames))?, name, frames)?)
    };
    let (xs, ys) = (of(x)?, of(y)?);
    let pairs = xs.iter().zip(ys.iter()).filter_map(|(x, y)| Some((x?, y?)));
    let mut points: Vec<(f64, f64)> = pairs.collect();
    if !are_drawable(points.iter().flat_map(|(x, y)| [x, y])) {
        return Err(too_extreme());
    }
    if points.len() > MAX_DOTS {
        let (all, every) = (points.len(), points.len().div_ceil(MAX_DOTS));
        points = points.into_iter().step_by(every).collect();
        notes.push(format!("The chart shows {} of {all} points, evenly picked.", points.len()));
    }
    let title = format!("{y} against {x}");
    Ok(Subject { title, x: x.clone(), y: y.clone(), data: Data::Points(points) })
}

fn histogram_of(frames: &[Frame], picked: &[String]) -> Result<Subject, Stop> {
    let all: Vec<Series> =
        frames.iter().flat_map(|frame| series(frame, picked, &mut Vec::new())).collect();
    let names = names(&all);
    let ([only], [name]) = (&all[..], &names[..]) else {
        let names = choices(names.iter().map(String::as_str));
        return Err(Stop::Ask(format!("Of which column shall I draw the chart? {names}")));
    };
    let values: Vec<f64> = only.values.iter().flatten().collect();
    if !are_drawable(values.iter()) {
        return Err(too_extreme());
    }
    let (edges, counts) = super::figures::bins(&values);
    let title = format!("Distribution of {}", excerpt(name));
    Ok(Subject { title, x: name.clone(), y: "count".into(), data: Data::Bins { edges, counts } })
}

fn are_drawable<'v>(mut values: impl Iterator<Item = &'v f64>) -> bool {
    values.all(|value| *value == 0.0 || DRAWABLE.contains(&value.abs()))
}

fn too_extreme() -> Stop {
    let why = "The values are too large or too small to draw. Shall I draw other columns or rows?";
    Stop::Ask(why.into())
}
