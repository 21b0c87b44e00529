//! Scatter charts: one value against another.

use super::axes::{Bottom, draw as axes, marks_along, marks_up};
use super::layout::{Area, nothing};
use super::scale::{Scale, Zero};
use super::svg::Svg;
use super::{Chart, PALETTE};

/// Draws a dot per pair; where many lie over each other they get darker.
pub(crate) fn draw(svg: &mut Svg, chart: &Chart, area: Area, points: &[(f64, f64)]) {
    if points.is_empty() {
        return nothing(svg, area);
    }
    let up = Scale::around(points.iter().map(|point| point.1), Zero::Never, marks_up(area));
    let along = Scale::around(points.iter().map(|point| point.0), Zero::Never, marks_along(area));
    let inner = axes(svg, chart, area, &up, &Bottom::Numbers(&along));
    let crowded = points.len() > 300;
    let radius = if crowded { area.font / 6.0 } else { area.font / 3.5 }.max(1.5);
    let solid = if crowded { "0.35" } else { "0.75" };
    let style = format!("fill=\"{}\" fill-opacity=\"{solid}\"", PALETTE[0]);
    for (x, y) in points {
        let at = (along.place(*x, inner.left, inner.right), up.place(*y, inner.bottom, inner.top));
        svg.circle(at, radius, &style);
    }
}
