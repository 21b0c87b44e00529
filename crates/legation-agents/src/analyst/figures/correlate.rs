//! How two columns go together.

use super::sample::{count_f64, finite, squares, sum};
use super::{Figure, Undefined};
use crate::analyst::frame::Numbers;

/// Pearson's correlation of two columns, over the rows that have both values.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// What the first column is called.
    pub first: String,
    /// What the second is called.
    pub second: String,
    /// From -1 to 1.
    pub r: Figure,
    /// How many rows have both values.
    pub count: usize,
}

/// Pearson's r and the number of pairs behind it.
pub(crate) fn pearson(first: &Numbers, second: &Numbers) -> (Figure, usize) {
    const LEAST: usize = 3;
    let pairs = first.iter().zip(second.iter()).filter_map(|(x, y)| Some((x?, y?)));
    let (xs, ys): (Vec<f64>, Vec<f64>) = pairs.unzip();
    if xs.len() < LEAST {
        return (Err(Undefined::TooFewValues { needed: LEAST }), xs.len());
    }
    (of_pairs(scaled(&xs), scaled(&ys)), xs.len())
}

fn of_pairs(xs: Vec<f64>, ys: Vec<f64>) -> Figure {
    let n = count_f64(xs.len());
    let (mean_x, mean_y) = (sum(xs.iter().copied()) / n, sum(ys.iter().copied()) / n);
    let product = squares(&xs, mean_x).sqrt() * squares(&ys, mean_y).sqrt();
    let is_constant = |values: &[f64]| values.windows(2).all(|pair| pair[0] == pair[1]);
    if is_constant(&xs) || is_constant(&ys) || product == 0.0 {
        return Err(Undefined::AllEqual);
    }
    let together = sum(xs.iter().zip(&ys).map(|(x, y)| (x - mean_x) * (y - mean_y)));
    finite(together / product).map(|r| r.clamp(-1.0, 1.0))
}

/// Values of a size whose squares are safe; r does not depend on the scale.
fn scaled(values: &[f64]) -> Vec<f64> {
    let greatest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let scale = if greatest == 0.0 { 1.0 } else { greatest };
    values.iter().map(|value| value / scale).collect()
}
