//! The next steps of a series, as its line goes on, and how far off they may well be.

use super::sample::{Sample, count_f64, sum};
use super::student::two_sided;
use super::trend::Line;
use super::{Figure, Undefined};

/// How often a value of the same making lies within the interval.
pub const CONFIDENCE: f64 = 0.95;

/// One step ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// Its position, the first of the series being 1.
    pub position: usize,
    /// Where the line is there.
    pub value: Figure,
    /// Where the prediction interval begins.
    pub lower: Figure,
    /// Where it ends.
    pub upper: Figure,
}

/// The forecast of some steps ahead.
///
/// # Errors
///
/// Fewer than three values say nothing about how far off a line is.
pub(crate) fn forecast(sample: &Sample<'_>, steps: usize) -> Result<Vec<Ahead>, Undefined> {
    const LEAST: usize = 3;
    if sample.count() < LEAST {
        return Err(Undefined::TooFewValues { needed: LEAST });
    }
    let line = Line::through(sample);
    let (n, freedom) = (count_f64(sample.count()), count_f64(sample.count() - 2));
    let points = sample.indexes().iter().zip(sample.scaled());
    let off = sum(points.map(|(at, value)| (value - line.at(count_f64(*at))).powi(2)));
    let spread = two_sided(CONFIDENCE, freedom) * (off / freedom).sqrt();
    let ahead = (0..steps).map(|step| {
        let index = sample.positions() + step;
        let x = count_f64(index);
        let reach = spread * (1.0 + 1.0 / n + (x - line.mean_x).powi(2) / line.squares_x).sqrt();
        Ahead {
            position: index + 1,
            value: sample.figure(line.at(x)),
            lower: sample.figure(line.at(x) - reach),
            upper: sample.figure(line.at(x) + reach),
        }
    });
    Ok(ahead.collect())
}
