//! The values of a series, ready for arithmetic that neither overflows nor underflows.

use super::{Figure, Point, Undefined};
use crate::analyst::series::Series;

/// Magnitudes outside this range are scaled; inside it, squares and their sums are safe.
const SAFE: std::ops::Range<f64> = 1e-100..1e100;

/// The values that are present, with their indexes, divided by `scale`.
pub(crate) struct Sample<'a> {
    series: &'a Series,
    indexes: Vec<usize>,
    scaled: Vec<f64>,
    scale: f64,
}

impl<'a> Sample<'a> {
    /// Takes the present values of a series; `None` when all are missing.
    pub(crate) fn new(series: &'a Series) -> Option<Self> {
        let present = || series.values.iter().enumerate().filter_map(|(at, v)| Some((at, v?)));
        let greatest = present().map(|(_, value)| value.abs()).reduce(f64::max)?;
        let scale = if greatest == 0.0 || SAFE.contains(&greatest) { 1.0 } else { greatest };
        let (indexes, scaled) = present().map(|(at, value)| (at, value / scale)).unzip();
        Some(Self { series, indexes, scaled, scale })
    }

    /// The number of values present; at least one.
    pub(crate) fn count(&self) -> usize {
        self.scaled.len()
    }

    /// The number of positions, missing values included.
    pub(crate) fn positions(&self) -> usize {
        self.series.values.len()
    }

    /// The scaled values.
    pub(crate) fn scaled(&self) -> &[f64] {
        &self.scaled
    }

    /// The index of each value in the series, counted from 0.
    pub(crate) fn indexes(&self) -> &[usize] {
        &self.indexes
    }

    /// Turns a result in scaled units into a figure.
    pub(crate) fn figure(&self, scaled: f64) -> Figure {
        finite(scaled * self.scale)
    }

    /// Turns a scaled result that lies between two values back; clamping undoes rounding.
    pub(crate) fn within(&self, scaled: f64) -> f64 {
        (scaled * self.scale).clamp(-f64::MAX, f64::MAX)
    }

    /// Returns the value at an index of this sample as it was given.
    pub(crate) fn point(&self, at: usize) -> Point {
        let index = self.indexes[at];
        Point {
            value: self.series.values.get(index).unwrap_or_default(),
            position: index + 1,
            label: self.series.labels.as_ref().and_then(|labels| labels.label(index)),
        }
    }

    /// Whether all values are the same.
    pub(crate) fn is_constant(&self) -> bool {
        self.scaled.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The mean of the scaled values, kept between the least and the greatest.
    pub(crate) fn scaled_mean(&self) -> f64 {
        let least = self.scaled.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (sum(self.scaled.iter().copied()) / count_f64(self.count())).clamp(least, greatest)
    }

    /// The scaled values in order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.scaled.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Refuses what is not finite.
pub(crate) fn finite(value: f64) -> Figure {
    // Adding zero turns the negative zero into the plain one.
    if value.is_finite() { Ok(value + 0.0) } else { Err(Undefined::TooLarge) }
}

/// Adds with Neumaier's compensation, so that small values next to large ones are not lost.
pub(crate) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0_f64;
    let mut lost = 0.0;
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// Returns the sum of squared distances from the mean, corrected for the rounding of the mean.
pub(crate) fn squares(values: &[f64], mean: f64) -> f64 {
    let squares = sum(values.iter().map(|value| (value - mean).powi(2)));
    let rounding = sum(values.iter().map(|value| value - mean));
    (squares - rounding * rounding / count_f64(values.len())).max(0.0)
}

/// Returns the quantile of sorted values by linear interpolation, as numpy does by default.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let [first, .., last] = sorted else { return sorted.first().copied().unwrap_or_default() };
    let place = share * count_f64(sorted.len() - 1);
    let below = place.floor();
    // The place is between 0 and the number of values, which the limits keep small.
    let at = below as usize;
    let (low, high) = (sorted.get(at).unwrap_or(first), sorted.get(at + 1).unwrap_or(last));
    low + (high - low) * (place - below)
}

/// Counts are at most [`MAX_VALUES`](crate::analyst::limits::MAX_VALUES), hence exact as floats.
pub(crate) fn count_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn sums_keep_small_values() {
        assert_eq!(sum([1e16, 1.0, -1e16].into_iter()), 1.0);
        assert_eq!(sum([0.1; 10].into_iter()), 1.0);
    }

    #[test]
    fn squares_survive_a_large_offset() {
        let values = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
        assert_eq!(squares(&values, 1e9 + 10.0), 90.0);
    }

    /// Expected values from numpy's definition, computed by hand.
    #[test]
    fn quantiles_interpolate() {
        let cases: [(&[f64], f64, f64); 6] = [
            (&[5.0], 0.25, 5.0),
            (&[1.0, 2.0], 0.25, 1.25),
            (&[1.0, 2.0, 3.0, 4.0], 0.25, 1.75),
            (&[1.0, 2.0, 3.0, 4.0], 0.75, 3.25),
            (&[95.0, 100.0, 120.0, 140.0, 160.0], 0.75, 140.0),
            (&[1.0, 2.0, 3.0], 1.0, 3.0),
        ];
        for (sorted, share, expected) in cases {
            assert_eq!(quantile(sorted, share), expected, "{sorted:?} {share}");
        }
    }

    #[test]
    fn a_sample_of_nothing_is_none() {
        let values = Rc::new([None, None].into_iter().collect());
        let series = Series { name: None, values, labels: None };
        assert!(Sample::new(&series).is_none());
    }
}
