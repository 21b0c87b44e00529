//! The frame of a chart: the scale up the side with its grid, and what runs along the bottom.

use super::layout::Area;
use super::scale::{Scale, round_step};
use super::svg::{Anchor, Svg, Text};
use super::text::{shortened, squeezed, width};
use super::{Chart, Labels};

const GRID: &str = "stroke=\"#dddddd\" stroke-width=\"1\"";
const AXIS: &str = "stroke=\"#666666\" stroke-width=\"1\"";

/// The degrees by which labels are turned that do not fit side by side.
const TURN: f64 = -40.0;

/// How many labels are measured.
const MOST_LABELS: usize = 400;

/// What runs along the bottom.
pub(crate) enum Bottom<'b> {
    /// Positions in slots of one width, which may be left unnamed where there are too many.
    Slots { labels: &'b Labels, count: usize, may_turn: bool },
    /// Numbers.
    Numbers(&'b Scale),
}

/// How many marks suit a length of this many pixels.
pub(crate) fn marks_up(area: Area) -> f64 {
    (area.height() / (area.font * 3.5)).clamp(2.0, 8.0)
}

/// How many marks suit the bottom.
pub(crate) fn marks_along(area: Area) -> f64 {
    (area.width() / (area.font * 7.0)).clamp(2.0, 10.0)
}

/// Draws both axes with their names; returns the area that is left for the values.
pub(crate) fn draw(
    svg: &mut Svg,
    chart: &Chart,
    area: Area,
    up: &Scale,
    bottom: &Bottom<'_>,
) -> Area {
    let font = area.font;
    let mut inner = area;
    let names = up.names();
    let widest = names.iter().map(|name| width(name, font)).fold(0.0, f64::max);
    if !chart.y.is_empty() {
        inner.left += font * 1.5;
    }
    inner.left += widest + font * 0.6;
    if !chart.x.is_empty() {
        inner.bottom -= font * 1.4;
    }
    // Half of the first and of the last label reach over the ends, and of the topmost mark.
    inner.right -= font * 0.5;
    inner.top += font * 0.7;
    let plan = Named::plan(bottom, inner);
    inner.bottom -= plan.height;
    inner.left = inner.left.max(area.left + plan.reach);

    for (mark, name) in up.marks().into_iter().zip(&names) {
        let y = up.place(mark, inner.bottom, inner.top);
        svg.line((inner.left, y), (inner.right, y), GRID);
        let text = Text::new(name, font, Anchor::End);
        svg.text((inner.left - font * 0.5, y + font * 0.35), text);
    }
    plan.draw(svg, inner);
    let zero = up.place(0.0_f64.clamp(up.low, up.high), inner.bottom, inner.top);
    svg.line((inner.left, zero), (inner.right, zero), AXIS);
    axis_names(svg, chart, area, inner);
    inner
}

fn axis_names(svg: &mut Svg, chart: &Chart, area: Area, inner: Area) {
    let font = area.font;
    if !chart.x.is_empty() {
        let name = shortened(&chart.x, font, inner.width());
        let at = (f64::midpoint(inner.left, inner.right), area.bottom - font * 0.1);
        svg.text(at, Text::new(&name, font, Anchor::Middle));
    }
    if !chart.y.is_empty() {
        let name = shortened(&chart.y, font, inner.height());
        let at = (area.left + font * 0.8, f64::midpoint(inner.top, inner.bottom));
        svg.text(at, Text { turn: -90.0, ..Text::new(&name, font, Anchor::Middle) });
    }
}

/// The labels along the bottom: which of them, how long, and level or turned.
struct Named {
    /// Where along the bottom, as a share of its length, and what.
    names: Vec<(f64, String)>,
    turned: bool,
    height: f64,
    /// How far turned labels reach to the left of the first slot.
    reach: f64,
}

impl Named {
    fn plan(bottom: &Bottom<'_>, area: Area) -> Self {
        let font = area.font;
        let level = |names| Self { names, turned: false, height: font * 1.6, reach: 0.0 };
        match bottom {
            Bottom::Numbers(scale) => {
                let places = scale.marks().into_iter().map(|mark| scale.place(mark, 0.0, 1.0));
                level(places.zip(scale.names()).collect())
            }
            Bottom::Slots { labels, count, may_turn } => {
                let count = (*count).max(1);
                let slot = area.width() / count as f64;
                // Labels of a table of a million rows are not all looked at.
                let stride = count.div_ceil(MOST_LABELS);
                let seen = (0..count).step_by(stride).chain([count - 1]);
                let all: Vec<String> = seen.take(count).map(|at| labels.get(at)).collect();
                let widest = all.iter().map(|name| width(name, font)).fold(0.0, f64::max);
                let place = |at: usize| (at as f64 + 0.5) / count as f64;
                if stride == 1 && widest + font * 0.6 <= slot {
                    return level(
                        all.into_iter().enumerate().map(|(at, it)| (place(at), it)).collect(),
                    );
                }
                if *may_turn && slot >= font * 1.5 {
                    return Self::turned(all, place, widest, area);
                }
                let room = (widest + font).min(font * 12.0);
                let every = (room / slot).ceil().max(1.0);
                let name =
                    |at: usize| (place(at), squeezed(&labels.get(at), font, room - font * 0.5));
                if labels.0.is_some() {
                    return level((0..count).step_by(every as usize).map(name).collect());
                }
                // Positions count from 1, and round ones are easier to find.
                let every = round_step(every).max(1.0) as usize;
                level((every - 1..count).step_by(every).map(name).collect())
            }
        }
    }

    fn turned(all: Vec<String>, place: impl Fn(usize) -> f64, widest: f64, area: Area) -> Self {
        let (sin, cos) = TURN.abs().to_radians().sin_cos();
        let room = widest.min(area.height() * 0.35 / sin).min(area.font * 14.0);
        let names: Vec<String> = all.iter().map(|name| squeezed(name, area.font, room)).collect();
        let first = names.first().map_or(0.0, |name| width(name, area.font));
        let height = room * sin + area.font * 1.8;
        let reach = (first * cos - place(0) * area.width()).max(0.0);
        let names = names.into_iter().enumerate().map(|(at, name)| (place(at), name)).collect();
        Self { names, turned: true, height, reach }
    }

    fn draw(&self, svg: &mut Svg, area: Area) {
        let font = area.font;
        for (share, name) in &self.names {
            let x = area.left + share * area.width();
            svg.line((x, area.bottom), (x, area.bottom + font * 0.3), AXIS);
            if self.turned {
                let text = Text { turn: TURN, ..Text::new(name, font, Anchor::End) };
                svg.text((x + font * 0.3, area.bottom + font), text);
                continue;
            }
            // A label at either end stays on the paper.
            let half = width(name, font) / 2.0;
            let x = x.clamp(half + 1.0, (area.right + font * 1.4 - half).max(half + 1.0));
            svg.text((x, area.bottom + font * 1.3), Text::new(name, font, Anchor::Middle));
        }
    }
}
