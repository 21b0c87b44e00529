//! Bars: values side by side, and histograms.

use super::axes::{Bottom, draw as axes, marks_along, marks_up};
use super::layout::{Area, nothing};
use super::scale::{Scale, Zero};
use super::svg::Svg;
use super::{Chart, Labels, Line, PALETTE};

/// Draws a bar per position and series, from zero up or down.
pub(crate) fn draw(svg: &mut Svg, chart: &Chart, area: Area, labels: &Labels, lines: &[Line]) {
    let count = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let values = lines.iter().flat_map(|line| line.values.iter().flatten()).copied();
    if values.clone().next().is_none() {
        return nothing(svg, area);
    }
    let scale = Scale::around(values, Zero::Always, marks_up(area));
    let inner = axes(svg, chart, area, &scale, &Bottom::Slots { labels, count, may_turn: true });
    let slot = inner.width() / count.max(1) as f64;
    // Few bars would be as wide as doors.
    let wide = (slot * 0.76 / lines.len() as f64).min(inner.font * 8.0 / lines.len() as f64);
    let zero = scale.place(0.0, inner.bottom, inner.top);
    for (at, line) in lines.iter().enumerate() {
        let style = format!("fill=\"{}\"", PALETTE[at % PALETTE.len()]);
        let offset = slot / 2.0 + wide * (at as f64 - lines.len() as f64 / 2.0);
        for (position, value) in line.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let y = scale.place(*value, inner.bottom, inner.top);
            let x = inner.left + position as f64 * slot + offset;
            let gap = if wide > 6.0 { 1.0 } else { 0.0 };
            svg.rect((x, y.min(zero)), ((wide - gap).max(0.3), (y - zero).abs()), &style);
        }
    }
}

/// Draws how many values lie between the edges.
pub(crate) fn histogram(svg: &mut Svg, chart: &Chart, area: Area, edges: &[f64], counts: &[usize]) {
    if counts.is_empty() {
        return nothing(svg, area);
    }
    let up = Scale::around(counts.iter().map(|count| *count as f64), Zero::Always, marks_up(area));
    let along = Scale::around(edges.iter().copied(), Zero::Never, marks_along(area));
    let inner = axes(svg, chart, area, &up, &Bottom::Numbers(&along));
    let style = format!("fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"1\"", PALETTE[0]);
    for (pair, count) in edges.windows(2).zip(counts) {
        let from = along.place(pair[0], inner.left, inner.right);
        let to = along.place(pair[1], inner.left, inner.right);
        let y = up.place(*count as f64, inner.bottom, inner.top);
        svg.rect((from, y), (to - from, inner.bottom - y), &style);
    }
}
