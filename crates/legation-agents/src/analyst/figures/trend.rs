//! The line through the values, and how they grew.
//!
//! Positions are the horizontal axis, one step apart; a missing value leaves a gap there.

use super::growth::{Step, greatest_step, growth_percent};
use super::sample::{Sample, count_f64, finite, squares, sum};
use super::{Figure, Point, Undefined};

/// From this share of explained variance on, a fit is called strong.
pub const STRONG_FIT: f64 = 0.75;

/// Below this share of explained variance, a fit is called weak and no direction is claimed.
pub const WEAK_FIT: f64 = 0.3;

/// The trend of a series of two or more values.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// Where the series is heading.
    pub direction: Direction,
    /// How well the line explains the values.
    pub fit: Fit,
    /// What the least-squares line gains with each step.
    pub slope: Figure,
    /// Where the line is at position 1.
    pub intercept: Figure,
    /// The share of the variance that the line explains, from 0 to 1.
    pub r_squared: Figure,
    /// Where the line is one step after the last position; a continuation, not a promise.
    pub next: Figure,
    /// The first value that is not missing.
    pub first: Point,
    /// The last value that is not missing.
    pub last: Point,
    /// The last value less the first.
    pub growth: Figure,
    /// The growth in percent of the first value's magnitude.
    pub growth_percent: Figure,
    /// The greatest rise from one value to the next.
    pub greatest_rise: Result<Step, Undefined>,
    /// The greatest fall from one value to the next.
    pub greatest_fall: Result<Step, Undefined>,
}

/// Where a series is heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Upwards.
    Rising,
    /// Downwards.
    Falling,
    /// Nowhere: all values are equal.
    Flat,
    /// The line explains too little of the values to say.
    Unclear,
}

/// How well a line explains the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// r² of at least [`STRONG_FIT`].
    Strong,
    /// In between.
    Moderate,
    /// r² below [`WEAK_FIT`].
    Weak,
    /// There are fewer than three values, or they are all equal.
    Unknown,
}

/// Finds the trend of a sample.
///
/// # Errors
///
/// Fewer than two values have no trend.
pub(crate) fn trend(sample: &Sample<'_>) -> Result<Trend, Undefined> {
    if sample.count() < 2 {
        return Err(Undefined::TooFewValues { needed: 2 });
    }
    let line = Line::through(sample);
    let r_squared = r_squared(sample, &line);
    let fit = match r_squared {
        Err(_) => Fit::Unknown,
        Ok(share) if share >= STRONG_FIT => Fit::Strong,
        Ok(share) if share < WEAK_FIT => Fit::Weak,
        Ok(_) => Fit::Moderate,
    };
    let (first, last) = (sample.point(0), sample.point(sample.count() - 1));
    Ok(Trend {
        direction: direction(sample, &line, fit),
        fit,
        slope: sample.figure(line.slope),
        intercept: sample.figure(line.at(0.0)),
        r_squared,
        next: sample.figure(line.at(count_f64(sample.positions()))),
        growth: finite(last.value - first.value),
        growth_percent: growth_percent(first.value, last.value),
        greatest_rise: greatest_step(sample, 1.0).unwrap_or(Err(Undefined::NoRise)),
        greatest_fall: greatest_step(sample, -1.0).unwrap_or(Err(Undefined::NoFall)),
        first,
        last,
    })
}

/// The least-squares line, in scaled units.
pub(crate) struct Line {
    slope: f64,
    pub(crate) mean_x: f64,
    mean_y: f64,
    pub(crate) squares_x: f64,
    squares_y: f64,
}

impl Line {
    pub(crate) fn through(sample: &Sample<'_>) -> Self {
        let xs: Vec<f64> = sample.indexes().iter().map(|index| count_f64(*index)).collect();
        let ys = sample.scaled();
        let mean_x = sum(xs.iter().copied()) / count_f64(xs.len());
        let mean_y = sample.scaled_mean();
        let products = sum(xs.iter().zip(ys).map(|(x, y)| (x - mean_x) * (y - mean_y)));
        let squares_x = squares(&xs, mean_x);
        let (slope, squares_y) = if sample.is_constant() {
            (0.0, 0.0)
        } else {
            (products / squares_x, squares(ys, mean_y))
        };
        Self { slope, mean_x, mean_y, squares_x, squares_y }
    }

    pub(crate) fn at(&self, x: f64) -> f64 {
        self.mean_y + self.slope * (x - self.mean_x)
    }
}

fn r_squared(sample: &Sample<'_>, line: &Line) -> Figure {
    if sample.count() < 3 {
        return Err(Undefined::TooFewValues { needed: 3 });
    }
    if sample.is_constant() || line.squares_y == 0.0 {
        return Err(Undefined::AllEqual);
    }
    finite(line.slope * line.slope * line.squares_x / line.squares_y).map(|share| share.min(1.0))
}

fn direction(sample: &Sample<'_>, line: &Line, fit: Fit) -> Direction {
    if sample.is_constant() {
        return Direction::Flat;
    }
    match fit {
        Fit::Weak => Direction::Unclear,
        Fit::Strong | Fit::Moderate | Fit::Unknown if line.slope > 0.0 => Direction::Rising,
        Fit::Strong | Fit::Moderate | Fit::Unknown => Direction::Falling,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::analyst::series::Series;

    pub(crate) fn series(values: &[f64]) -> Series {
        let values = Rc::new(values.iter().map(|value| Some(*value)).collect());
        Series { name: None, values, labels: None }
    }

    pub(crate) fn close(found: f64, expected: f64, values: &[f64]) {
        let tolerance = 1e-12 * expected.abs().max(f64::MIN_POSITIVE);
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}: {values:?}");
    }

    pub(crate) fn of(values: &[f64]) -> Trend {
        trend(&Sample::new(&series(values)).unwrap()).unwrap()
    }

    /// The expected slope, intercept and r² are from python3's `statistics.linear_regression`
    /// and `correlation`.
    #[test]
    fn the_line_agrees_with_python() {
        let rows: [(&[f64], f64, f64, f64); 7] = [
            (&[100.0, 120.0, 95.0, 140.0, 160.0], 14.0, 95.0, 0.6577181208053692),
            (&[2.5, 3.1, -4.75, 0.0, 12.125, 7.3], 1.595, -0.6083333333333333, 0.2615533370989842),
            (&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0], 4.2, 1000000003.7, 0.98),
            (
                &[-1.0, -2.0, -4.0, -8.0, -16.0, -32.0, -64.0],
                -9.321428571428571,
                9.821428571428571,
                0.7706692913385826,
            ),
            (&[3.0, 3.0, 3.0, 4.0], 0.3, 2.8, 0.6),
            (&[1e-200, 2e-200, 4e-200], 1.5e-200, 8.333333333333333e-201, 0.9642857142857143),
            (
                &[12.0, 15.0, 11.0, 19.0, 22.0, 18.0, 25.0, 30.0, 28.0, 27.0, 33.0, 35.0],
                2.1083916083916083,
                11.320512820512821,
                0.8966922345316609,
            ),
        ];
        for (values, slope, intercept, r_squared) in rows {
            let found = of(values);
            close(found.slope.unwrap(), slope, values);
            close(found.intercept.unwrap(), intercept, values);
            close(found.r_squared.unwrap(), r_squared, values);
        }
    }

    #[test]
    fn direction_and_fit_are_honest() {
        let cases: [(&[f64], Direction, Fit); 7] = [
            (&[100.0, 120.0, 95.0, 140.0, 160.0], Direction::Rising, Fit::Moderate),
            (&[1.0, 2.0, 3.0], Direction::Rising, Fit::Strong),
            (&[3.0, 2.0, 0.5], Direction::Falling, Fit::Strong),
            (&[1.0, 5.0, 1.0, 5.0, 1.0], Direction::Unclear, Fit::Weak),
            (&[0.1, 0.1, 0.1], Direction::Flat, Fit::Unknown),
            (&[2.0, 1.0], Direction::Falling, Fit::Unknown),
            (&[5e-324, 0.0, 5e-324], Direction::Unclear, Fit::Weak),
        ];
        for (values, direction, fit) in cases {
            let found = of(values);
            assert_eq!((found.direction, found.fit), (direction, fit), "{values:?}");
        }
    }

    #[test]
    fn one_value_has_no_trend() {
        let one = series(&[1.0]);
        let found = trend(&Sample::new(&one).unwrap());
        assert_eq!(found, Err(Undefined::TooFewValues { needed: 2 }));
    }
}
