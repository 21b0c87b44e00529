//! Values far outside the middle half, by Tukey's fences.

use super::sample::{Sample, quantile};
use super::{Figure, Point, Undefined};
use crate::analyst::limits::MAX_LISTED_OUTLIERS;

/// How many interquartile ranges beyond the quartiles the fences stand.
pub const FENCE: f64 = 1.5;

/// With fewer values the quartiles say nothing about what is usual.
const LEAST_VALUES: usize = 4;

/// The outliers of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// Values below this are outliers.
    pub lower_fence: Figure,
    /// Values above this are outliers.
    pub upper_fence: Figure,
    /// How many outliers there are.
    pub count: usize,
    /// The outliers in order, at most [`MAX_LISTED_OUTLIERS`] of them.
    pub points: Vec<Point>,
}

/// Finds the outliers of a sample.
///
/// # Errors
///
/// Fewer than four values have no outliers to speak of.
pub(crate) fn outliers(sample: &Sample<'_>) -> Result<Outliers, Undefined> {
    if sample.count() < LEAST_VALUES {
        return Err(Undefined::TooFewValues { needed: LEAST_VALUES });
    }
    let sorted = sample.sorted();
    let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
    let reach = FENCE * (high - low);
    let (lower, upper) = (low - reach, high + reach);
    let values = sample.scaled().iter();
    let outside: Vec<usize> = values
        .enumerate()
        .filter(|(_, value)| **value < lower || **value > upper)
        .map(|(at, _)| at)
        .collect();
    Ok(Outliers {
        lower_fence: sample.figure(lower),
        upper_fence: sample.figure(upper),
        count: outside.len(),
        points: outside.iter().take(MAX_LISTED_OUTLIERS).map(|at| sample.point(*at)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::figures::trend::tests::series;

    #[test]
    fn values_beyond_the_fences_are_outliers() {
        let cases: [(&[f64], f64, f64, &[usize]); 5] = [
            (&[100.0, 120.0, 95.0, 140.0, 160.0], 40.0, 200.0, &[]),
            (&[1.0, 2.0, 3.0, 4.0, 100.0], -1.0, 7.0, &[5]),
            (&[-50.0, 10.0, 11.0, 12.0, 13.0, 80.0], 6.5, 16.5, &[1, 6]),
            (&[5.0, 5.0, 5.0, 5.0], 5.0, 5.0, &[]),
            (&[5.0, 5.0, 5.0, 5.0, 6.0], 5.0, 5.0, &[5]),
        ];
        for (values, lower, upper, positions) in cases {
            let series = series(values);
            let found = outliers(&Sample::new(&series).unwrap()).unwrap();
            let at: Vec<usize> = found.points.iter().map(|point| point.position).collect();
            assert_eq!(
                (found.lower_fence, found.upper_fence),
                (Ok(lower), Ok(upper)),
                "{values:?}"
            );
            assert_eq!(at, positions, "{values:?}");
        }
    }

    #[test]
    fn three_values_are_too_few() {
        let series = series(&[1.0, 2.0, 300.0]);
        let found = outliers(&Sample::new(&series).unwrap());
        assert_eq!(found, Err(Undefined::TooFewValues { needed: 4 }));
    }

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut values = vec![0.0; 1000];
        values.extend([1.0; 150]);
        let series = series(&values);
        let found = outliers(&Sample::new(&series).unwrap()).unwrap();
        assert_eq!((found.count, found.points.len()), (150, MAX_LISTED_OUTLIERS));
    }

    #[test]
    fn fences_out_of_range_still_find_outliers() {
        let series = series(&[-1.7e308, 1.7e308, 0.0, 1.0, 2.0, 3.0, 1.6e308, -1.6e308]);
        let found = outliers(&Sample::new(&series).unwrap()).unwrap();
        assert_eq!(found.upper_fence.is_ok(), found.lower_fence.is_ok());
    }
}
