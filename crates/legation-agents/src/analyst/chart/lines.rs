//! Line charts: one or more series in order, and what is expected behind them.

use super::axes::{Bottom, draw as axes, marks_up};
use super::layout::{Area, line_style, nothing};
use super::scale::{Scale, Zero};
use super::svg::{Svg, number, step};
use super::{Chart, Labels, Line, PALETTE};

/// Up to this many values get a dot each.
const MOST_DOTS: usize = 40;

/// Draws lines over their positions.
pub(crate) fn draw(svg: &mut Svg, chart: &Chart, area: Area, labels: &Labels, lines: &[Line]) {
    let given = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let ahead = lines.iter().map(|line| line.ahead.len()).max().unwrap_or(0);
    let drawn = lines.iter().flat_map(|line| line.values.iter().flatten());
    let drawn = drawn.chain(lines.iter().flat_map(|line| line.ahead.iter().flatten())).copied();
    if drawn.clone().next().is_none() {
        return nothing(svg, area);
    }
    let scale = Scale::around(drawn, Zero::Near, marks_up(area));
    let count = given + ahead;
    let bottom = Bottom::Slots { labels, count, may_turn: count <= 16 };
    let inner = axes(svg, chart, area, &scale, &bottom);
    let place = Place { inner, scale: &scale, count: count.max(1) as f64 };
    for (at, line) in lines.iter().enumerate() {
        expected(svg, &place, at, line);
        // Where many values share a pixel, the pen goes up and down all the time.
        let crowded = given as f64 > inner.width();
        let pen = if crowded { 0.0 } else { area.font };
        svg.path(&path(&place, &line.values), &line_style(at, pen, false));
        let radius = (area.font / 4.0).max(2.0);
        let style = format!("fill=\"{}\"", PALETTE[at % PALETTE.len()]);
        // A value between two missing ones has no line to be seen by.
        let alone = |n: usize| {
            let has = |n: Option<usize>| n.and_then(|n| line.values.get(n).copied().flatten());
            has(n.checked_sub(1)).is_none() && has(Some(n + 1)).is_none()
        };
        for (n, value) in line.values.iter().enumerate() {
            let Some(value) = value else { continue };
            if given <= MOST_DOTS || alone(n) {
                svg.circle(place.of(n, *value), radius, &style);
            }
        }
    }
}

struct Place<'p> {
    inner: Area,
    scale: &'p Scale,
    count: f64,
}

impl Place<'_> {
    fn of(&self, position: usize, value: f64) -> (f64, f64) {
        let x = self.inner.left + (position as f64 + 0.5) / self.count * self.inner.width();
        (x, self.scale.place(value, self.inner.bottom, self.inner.top))
    }
}

/// The path through the values, broken where one is missing.
fn path(place: &Place<'_>, values: &[Option<f64>]) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for at in seen(values, place.inner.width()) {
        match values[at] {
            Some(value) => {
                step(&mut path, if pen_down { 'L' } else { 'M' }, place.of(at, value));
                pen_down = true;
            }
            None => pen_down = false,
        }
    }
    path
}

/// The positions that can be seen at this width: all, or of each pixel the first, the least, the
/// greatest and the last, so that no spike is lost.
fn seen(values: &[Option<f64>], pixels: f64) -> Vec<usize> {
    let columns = pixels.max(1.0) as usize;
    if values.len() <= 4 * columns {
        return (0..values.len()).collect();
    }
    let mut seen = Vec::with_capacity(4 * columns);
    for column in 0..columns {
        let range = column * values.len() / columns..(column + 1) * values.len() / columns;
        let by_value = |a: &usize, b: &usize| values[*a].partial_cmp(&values[*b]).expect("finite");
        let has = || range.clone().filter(|at| values[*at].is_some());
        let mut kept: Vec<usize> = [
            Some(range.start),
            has().min_by(by_value),
            has().max_by(by_value),
            range.clone().last(),
        ]
        .into_iter()
        .flatten()
        .collect();
        kept.sort_unstable();
        kept.dedup();
        seen.extend(kept);
    }
    seen
}

/// What is expected: a dashed line and the band it lies in.
fn expected(svg: &mut Svg, place: &Place<'_>, at: usize, line: &Line) {
    if line.ahead.is_empty() {
        return;
    }
    let start = line.values.len();
    let at_step = |n: usize, which: usize| place.of(start + n, line.ahead[n][which]);
    let steps = line.ahead.len();
    let mut band = String::new();
    let last = line.values.iter().rposition(Option::is_some);
    let last = last.and_then(|at| Some(place.of(at, line.values[at]?)));
    let mut middle = String::new();
    let mut pen = 'M';
    if let Some(last) = last {
        step(&mut band, 'M', last);
        step(&mut middle, 'M', last);
        pen = 'L';
    }
    let mut band_pen = pen;
    for n in 0..steps {
        step(&mut band, std::mem::replace(&mut band_pen, 'L'), at_step(n, 2));
        step(&mut middle, std::mem::replace(&mut pen, 'L'), at_step(n, 0));
    }
    (0..steps).rev().for_each(|n| step(&mut band, 'L', at_step(n, 1)));
    band.push('Z');
    let colour = PALETTE[at % PALETTE.len()];
    svg.path(&band, &format!("fill=\"{colour}\" fill-opacity=\"{}\"", number(0.15)));
    svg.path(&middle, &line_style(at, place.inner.font, true));
}
