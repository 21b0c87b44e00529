//! Charts as SVG that can go into a report: the same data give the same bytes.
//!
//! No scripts, no styles sheets, no links, nothing loaded: shapes and text, with a title and a
//! description for those who cannot see it. All text in it comes from strangers and is escaped.

mod axes;
mod bars;
mod describe;
mod layout;
mod lines;
mod pie;
mod points;
mod scale;
mod svg;
mod text;

use std::rc::Rc;

use super::frame::Words;
use svg::Svg;

/// The smallest and the largest side of a chart, in pixels.
pub(crate) const SIDES: std::ops::RangeInclusive<u32> = 120..=4_000;

/// The most lines or kinds of bars that can be told apart.
pub(crate) const MAX_LINES: usize = 8;

/// Magnitudes that can be drawn: differences of them neither overflow nor vanish.
pub(crate) const DRAWABLE: std::ops::Range<f64> = 1e-290..1e290;

/// A chart that is ready to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What stands above it.
    pub(crate) title: String,
    /// What runs along the bottom; empty for nothing.
    pub(crate) x: String,
    /// What runs up the side.
    pub(crate) y: String,
    /// Pixels from left to right.
    pub(crate) width: u32,
    /// Pixels from top to bottom.
    pub(crate) height: u32,
    /// What is drawn.
    pub(crate) data: Data,
}

/// What a chart draws.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Values in order.
    Lines { labels: Labels, lines: Vec<Line> },
    /// Values side by side.
    Bars { labels: Labels, lines: Vec<Line> },
    /// Shares of a whole.
    Slices(Vec<(String, f64)>),
    /// One value against another.
    Points(Vec<(f64, f64)>),
    /// How many values lie between one edge and the next.
    Bins { edges: Vec<f64>, counts: Vec<usize> },
}

/// Values that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What they are called.
    pub(crate) name: String,
    /// One per position.
    pub(crate) values: Vec<Option<f64>>,
    /// What is expected behind them: a value and the interval around it.
    pub(crate) ahead: Vec<[f64; 3]>,
}

/// What the positions along the bottom are called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(pub(crate) Option<Rc<Words>>);

impl Labels {
    /// The label of a position, counted from 0; how far ahead it is, behind the last.
    pub(crate) fn get(&self, at: usize) -> String {
        match &self.0 {
            Some(words) if at >= words.rows() => format!("+{}", at + 1 - words.rows()),
            Some(words) => words.label(at).unwrap_or_default(),
            None => (at + 1).to_string(),
        }
    }
}

/// Colours that stay apart for colour-blind eyes (Okabe and Ito), on white, without its yellow.
pub(crate) const PALETTE: [&str; MAX_LINES] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#8B6F00"];

impl Chart {
    /// Draws it.
    pub(crate) fn to_svg(&self) -> String {
        let mut svg = Svg::new();
        let area = layout::head(&mut svg, self);
        match &self.data {
            Data::Lines { labels, lines } => lines::draw(&mut svg, self, area, labels, lines),
            Data::Bars { labels, lines } => bars::draw(&mut svg, self, area, labels, lines),
            Data::Slices(slices) => pie::draw(&mut svg, area, slices),
            Data::Points(points) => points::draw(&mut svg, self, area, points),
            Data::Bins { edges, counts } => bars::histogram(&mut svg, self, area, edges, counts),
        }
        svg.finish(self.width, self.height, &self.title, &describe::describe(self))
    }
}

#[cfg(test)]
mod tests;
