//! How values grew: from the first to the last, and from one to the next.

use super::sample::{Sample, finite};
use super::{Figure, Undefined};

/// A change between two neighbouring values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The later value less the earlier.
    pub change: f64,
    /// The position of the earlier value.
    pub from: usize,
    /// The position of the later value.
    pub to: usize,
}

/// Returns the growth in percent of the first value's magnitude.
pub(crate) fn growth_percent(first: f64, last: f64) -> Figure {
    if first == 0.0 {
        return Err(Undefined::FirstIsZero);
    }
    // The magnitude of the first value, so that going from -50 to -25 is growth.
    let percent = (last - first) / first.abs() * 100.0;
    if percent.is_finite() {
        return Ok(percent + 0.0);
    }
    // The difference may overflow where the share does not.
    finite((last / first.abs() - first.signum()) * 100.0)
}

/// Finds the greatest step upwards (`sign` 1) or downwards (`sign` -1), if there is one.
pub(crate) fn greatest_step(sample: &Sample<'_>, sign: f64) -> Option<Result<Step, Undefined>> {
    let values = sample.scaled();
    let mut greatest = (0.0, None);
    for at in 1..values.len() {
        let change = (values[at] - values[at - 1]) * sign;
        if change > greatest.0 {
            greatest = (change, Some(at));
        }
    }
    let at = greatest.1?;
    let (from, to) = (sample.point(at - 1), sample.point(at));
    let step = |change| Step { change, from: from.position, to: to.position };
    Some(finite(to.value - from.value).map(step))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::analyst::figures::trend::tests::{close, of, series};
    use crate::analyst::figures::trend::trend;
    use crate::analyst::series::Series;

    #[test]
    fn growth_compares_last_with_first() {
        let cases: [(&[f64], Figure, Figure); 5] = [
            (&[100.0, 160.0], Ok(60.0), Ok(60.0)),
            (&[-50.0, -25.0], Ok(25.0), Ok(50.0)),
            (&[0.0, 5.0], Ok(5.0), Err(Undefined::FirstIsZero)),
            (&[-1e308, 1e308], Err(Undefined::TooLarge), Ok(200.0)),
            (&[1e-300, 1e308], Ok(1e308), Err(Undefined::TooLarge)),
        ];
        for (values, growth, percent) in cases {
            let found = of(values);
            assert_eq!(found.growth, growth, "{values:?}");
            match (found.growth_percent, percent) {
                (Ok(found), Ok(expected)) => close(found, expected, values),
                (found, expected) => assert_eq!(found, expected, "{values:?}"),
            }
        }
    }

    #[test]
    fn steps_span_missing_values() {
        let values = [Some(1.0), None, Some(4.0), Some(3.0)].into_iter().collect();
        let gap = Series { values: Rc::new(values), ..series(&[]) };
        let found = trend(&Sample::new(&gap).unwrap()).unwrap();
        assert_eq!(found.greatest_rise, Ok(Step { change: 3.0, from: 1, to: 3 }));
        assert_eq!(found.greatest_fall, Ok(Step { change: -1.0, from: 3, to: 4 }));
        assert_eq!(of(&[1.0, 2.0]).greatest_fall, Err(Undefined::NoFall));
        assert_eq!(of(&[2.0, 2.0]).greatest_rise, Err(Undefined::NoRise));
    }
}
