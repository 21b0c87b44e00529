//! Where the values lie and how far they spread.

use super::sample::{Sample, count_f64, quantile, squares, sum};
use super::{Figure, Point, Undefined};

/// The descriptive statistics of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The sum of the values.
    pub sum: Figure,
    /// The arithmetic mean.
    pub mean: f64,
    /// The middle value, or the mean of the two middle ones.
    pub median: f64,
    /// The sample standard deviation, with n - 1 in the denominator.
    pub standard_deviation: Figure,
    /// The least value, where it first occurs.
    pub minimum: Point,
    /// The greatest value, where it first occurs.
    pub maximum: Point,
    /// The first quartile, by linear interpolation.
    pub lower_quartile: f64,
    /// The third quartile, by linear interpolation.
    pub upper_quartile: f64,
}

/// Describes a sample.
pub(crate) fn describe(sample: &Sample<'_>) -> Description {
    let sorted = sample.sorted();
    let mean = sample.scaled_mean();
    Description {
        sum: sample.figure(sum(sample.scaled().iter().copied())),
        mean: sample.within(mean),
        median: sample.within(quantile(&sorted, 0.5)),
        standard_deviation: standard_deviation(sample, mean),
        minimum: sample.point(first_of(sample, sorted.first())),
        maximum: sample.point(first_of(sample, sorted.last())),
        lower_quartile: sample.within(quantile(&sorted, 0.25)),
        upper_quartile: sample.within(quantile(&sorted, 0.75)),
    }
}

fn standard_deviation(sample: &Sample<'_>, mean: f64) -> Figure {
    if sample.count() < 2 {
        return Err(Undefined::TooFewValues { needed: 2 });
    }
    if sample.is_constant() {
        return Ok(0.0);
    }
    let variance = squares(sample.scaled(), mean) / count_f64(sample.count() - 1);
    sample.figure(variance.sqrt())
}

fn first_of(sample: &Sample<'_>, wanted: Option<&f64>) -> usize {
    sample.scaled().iter().position(|value| Some(value) == wanted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::figures::trend::tests::{close, series};

    /// A row: values, sum, mean, median, standard deviation, quartiles.
    type Row<'a> = (&'a [f64], f64, f64, f64, f64, (f64, f64));

    /// The expected values are from python3's `statistics` module, the quartiles from
    /// `quantiles(method="inclusive")`.
    #[test]
    fn statistics_agree_with_python() {
        let rows: [Row<'_>; 8] = [
            (
                &[100.0, 120.0, 95.0, 140.0, 160.0],
                615.0,
                123.0,
                120.0,
                27.294688127912362,
                (100.0, 140.0),
            ),
            (&[1.0, 2.0, 3.0, 4.0], 10.0, 2.5, 2.5, 1.2909944487358056, (1.75, 3.25)),
            (
                &[2.5, 3.1, -4.75, 0.0, 12.125, 7.3],
                20.275,
                3.3791666666666664,
                2.8,
                5.834646875918599,
                (0.625, 6.25),
            ),
            (
                &[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0],
                4e9 + 40.0,
                1e9 + 10.0,
                1e9 + 10.0,
                5.477225575051661,
                (1000000006.25, 1000000013.75),
            ),
            (
                &[-1.0, -2.0, -4.0, -8.0, -16.0, -32.0, -64.0],
                -127.0,
                -18.142857142857142,
                -8.0,
                22.93780410464038,
                (-24.0, -3.0),
            ),
            (
                &[0.001, 0.002, 0.0015, 0.0042],
                0.0087,
                0.002175,
                0.00175,
                0.0014103781998693352,
                (0.001375, 0.00255),
            ),
            (&[3.0, 3.0, 3.0, 4.0], 13.0, 3.25, 3.0, 0.5, (3.0, 3.25)),
            (
                &[1e-200, 2e-200, 4e-200],
                7e-200,
                2.3333333333333334e-200,
                2e-200,
                1.5275252316519466e-200,
                (1.5e-200, 3e-200),
            ),
        ];
        for (values, sum, mean, median, deviation, (lower, upper)) in rows {
            let series = series(values);
            let found = describe(&Sample::new(&series).unwrap());
            close(found.sum.unwrap(), sum, values);
            close(found.mean, mean, values);
            close(found.median, median, values);
            close(found.standard_deviation.unwrap(), deviation, values);
            close(found.lower_quartile, lower, values);
            close(found.upper_quartile, upper, values);
        }
    }

    #[test]
    fn the_first_extreme_counts() {
        let series = series(&[2.0, 1.0, 3.0, 1.0, 3.0]);
        let found = describe(&Sample::new(&series).unwrap());
        assert_eq!((found.minimum.position, found.maximum.position), (2, 3));
    }

    #[test]
    fn one_value_has_no_deviation() {
        let series = series(&[7.0]);
        let found = describe(&Sample::new(&series).unwrap());
        assert_eq!(found.standard_deviation, Err(Undefined::TooFewValues { needed: 2 }));
        assert_eq!((found.mean, found.median, found.lower_quartile), (7.0, 7.0, 7.0));
    }

    #[test]
    fn huge_values_have_a_mean_but_no_sum() {
        let series = series(&[1.5e308, 1.5e308, 0.9e308]);
        let found = describe(&Sample::new(&series).unwrap());
        assert_eq!(found.sum, Err(Undefined::TooLarge));
        close(found.mean, 1.3e308, &[]);
        close(found.standard_deviation.unwrap(), 3.464_101_615_137_754_6e307, &[]);
    }
}
