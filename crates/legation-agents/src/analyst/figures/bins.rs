//! How many values lie between round numbers.

use super::sample::count_f64;

/// How many bins there are at most.
const MOST: f64 = 40.0;

/// The edges of bins of one round width and how many values each holds. A bin holds its lower edge,
/// the last its upper edge, too.
pub(crate) fn bins(values: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.is_empty() {
        return (Vec::new(), Vec::new());
    }
    // Rice's rule: more values carry finer bins.
    let wanted = (2.0 * count_f64(values.len()).cbrt()).ceil().clamp(1.0, MOST);
    let magnitude = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
    let least = ((high - low) / wanted).max(magnitude * 1e-9);
    let width = round(if high > low { least } else { magnitude.max(1.0) * 0.1 });
    let first = (low / width).floor();
    let count = ((high / width).floor() - first + 1.0).clamp(1.0, 2.0 * MOST + 2.0) as usize;
    // A greatest value on the very last edge needs no bin of its own.
    let count = if count > 1 && (high / width).fract() == 0.0 { count - 1 } else { count };
    let edges: Vec<f64> = (0..=count).map(|n| (first + count_f64(n)) * width).collect();
    let mut counts = vec![0; count];
    for value in values {
        let at = edges.partition_point(|edge| edge <= value).saturating_sub(1);
        counts[at.min(count - 1)] += 1;
    }
    (edges, counts)
}

fn round(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|it| it * power)
        .into_iter()
        .find(|it| *it >= least * (1.0 - 1e-9))
        .unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bin_between_round_edges() {
        let cases: [(&[f64], &[f64], &[usize]); 5] = [
            (&[1.0, 2.0, 2.0, 3.0, 9.0], &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0], &[1, 3, 0, 0, 1]),
            (&[0.0, 10.0], &[0.0, 5.0, 10.0], &[1, 1]),
            (&[5.0], &[5.0, 5.5], &[1]),
            (&[-1.0, 1.0], &[-1.0, 0.0, 1.0], &[1, 1]),
            (&[], &[], &[]),
        ];
        for (values, edges, counts) in cases {
            assert_eq!(bins(values), (edges.to_vec(), counts.to_vec()), "{values:?}");
        }
    }
}
