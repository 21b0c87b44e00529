//! Student's t distribution, of which a forecast needs the quantiles.

/// The value that a t-distributed figure stays within, on either side, with this probability.
///
/// Found by bisection on the tail: a forecast asks once per series, and there is nothing to tune.
pub(crate) fn two_sided(probability: f64, freedom: f64) -> f64 {
    let outside = 1.0 - probability;
    let (mut low, mut high) = (0.0, 1.0);
    while tail(high, freedom) > outside && high < 1e300 {
        high *= 2.0;
    }
    // Every turn halves the interval; a float has no more than this to give.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if tail(middle, freedom) > outside { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability of lying beyond `t` on either side.
fn tail(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The regularized incomplete beta function, by its continued fraction where that is quick.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    front.exp() * fraction(a, b, x) / a
}

/// Lentz's way through the continued fraction.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let bounded = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut d = 1.0 / bounded(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut result) = (1.0, d);
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / bounded(1.0 + term * d);
            c = bounded(1.0 + term / c);
            result *= d * c;
        }
        if (result - before).abs() <= f64::EPSILON * result.abs() {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function of a positive number: Stirling's series, after moving up
/// to where it is exact.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut moved) = (x, 0.0);
    while x < 15.0 {
        moved += x.ln();
        x += 1.0;
    }
    let (inverse, square) = (1.0 / x, 1.0 / (x * x));
    let series = square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0));
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0) + square * series);
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - moved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From scipy: `scipy.stats.t.ppf(0.975, n)`.
    #[test]
    fn quantiles_agree_with_scipy() {
        let cases = [
            (1.0, 12.706204736174694),
            (2.0, 4.302652729749462),
            (3.0, 3.1824463052837078),
            (10.0, 2.228138851986274),
            (100.0, 1.9839715185235518),
            (1e6, 1.959966356814107),
        ];
        for (freedom, expected) in cases {
            let found = two_sided(0.95, freedom);
            assert!((found / expected - 1.0).abs() < 1e-8, "{freedom}: {found}");
        }
    }
}
