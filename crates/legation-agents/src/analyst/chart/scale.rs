//! An axis of numbers: where it begins and ends, and at which round numbers it is marked.

/// When an axis begins at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    /// Always: lengths are compared.
    Always,
    /// When it is not far: heights are compared, but not above all.
    Near,
    /// Only by chance.
    Never,
}

/// A range and its marks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    step: f64,
}

impl Scale {
    /// A scale from one round number to another that holds all values, with about `most` marks.
    pub(crate) fn around(values: impl Iterator<Item = f64>, zero: Zero, most: f64) -> Self {
        let (mut low, mut high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // An axis from 0 tells the truth; one that would waste most of its length does not.
        let is_near = low > 0.0 && low < 0.5 * high || high < 0.0 && high > 0.5 * low;
        if zero == Zero::Always || (zero == Zero::Near && is_near) {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        // Differences that a float hardly holds are none to be seen.
        let magnitude = low.abs().max(high.abs());
        if high - low <= magnitude * 1e-12 {
            let around = if magnitude == 0.0 { 1.0 } else { magnitude * 0.1 };
            (low, high) = if low == 0.0 { (0.0, 1.0) } else { (low - around, high + around) };
        }
        let step = round_step((high - low) / most.max(1.0));
        let down = (low / step + 1e-9).floor() * step;
        let up = (high / step - 1e-9).ceil() * step;
        Self { low: down, high: up, step }
    }

    /// The marks, lowest first.
    pub(crate) fn marks(&self) -> Vec<f64> {
        let first = (self.low / self.step).round();
        let count = ((self.high - self.low) / self.step).round().clamp(0.0, 100.0) as usize;
        (0..=count).map(|n| (first + n as f64) * self.step + 0.0).collect()
    }

    /// Where a value is between two ends.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// What is written at the marks, all in one way.
    pub(crate) fn names(&self) -> Vec<String> {
        const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1.0, "")];
        let magnitude = self.low.abs().max(self.high.abs());
        if !(1e-4..1e15).contains(&magnitude) {
            let digits = magnitude.log10().floor() - self.step.log10().floor();
            let digits = digits.clamp(0.0, 15.0) as usize;
            return self.marks().into_iter().map(|mark| scientific(mark, digits)).collect();
        }
        const MOST_DECIMALS: usize = 3;
        let fits = |unit: f64| unit == 1.0 || decimals(self.step / unit) <= MOST_DECIMALS;
        let unit = UNITS.iter().find(|(unit, _)| magnitude >= *unit && fits(*unit));
        let (unit, letter) = unit.copied().unwrap_or((1.0, ""));
        let decimals = decimals(self.step / unit);
        let name = |mark: f64| {
            let letter = if mark == 0.0 { "" } else { letter };
            let decimals = if mark == 0.0 { 0 } else { decimals };
            format!("{}{letter}", grouped(&format!("{:.decimals$}", mark / unit)))
        };
        self.marks().into_iter().map(name).collect()
    }
}

/// 1, 2 or 5 times a power of ten, or 2.5 times for the eye, not below `least`.
pub(crate) fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let share = least / power;
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|round| share <= *round * (1.0 + 1e-9));
    round.unwrap_or(10.0) * power
}

/// How many decimals it takes to write a step.
fn decimals(step: f64) -> usize {
    let enough = |digits: &usize| {
        let shifted = step * 10_f64.powf(*digits as f64);
        (shifted - shifted.round()).abs() < 1e-6 * shifted.max(1e-300) && shifted >= 0.5
    };
    (0..18).find(enough).unwrap_or(17)
}

fn scientific(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.digits$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    format!("{mantissa}e{exponent}")
}

/// Puts commas between the thousands.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("−", digits));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    // Four digits are read as they are, and years must be.
    if whole.len() < 5 {
        return format!("{sign}{whole}{rest}");
    }
    let mut spaced = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    format!("{sign}{spaced}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_hold_the_values() {
        let cases: [(&[f64], bool, &str); 14] = [
            (&[95.0, 160.0], false, "80 100 120 140 160"),
            (&[3.0, 97.0], false, "0 20 40 60 80 100"),
            (&[95.0, 160.0], true, "0 50 100 150 200"),
            (&[-3.0, 7.0], true, "−4 −2 0 2 4 6 8"),
            (&[5.0], false, "4.4 4.6 4.8 5.0 5.2 5.4 5.6"),
            (&[0.0], false, "0 0.2 0.4 0.6 0.8 1.0"),
            (&[], false, "0 0.2 0.4 0.6 0.8 1.0"),
            (&[12_000.0, 48_000.0], false, "0 10,000 20,000 30,000 40,000 50,000"),
            (&[1.5e6, 9e6], true, "0 2M 4M 6M 8M 10M"),
            (&[1e9 + 4.0, 1e9 + 16.0], false, ""),
            (&[1e20, 3e20], false, "0 1e20 2e20 3e20"),
            (&[1e-7, 3e-7], true, "0 1e-7 2e-7 3e-7"),
            (&[2019.0, 2024.0], false, "2019 2020 2021 2022 2023 2024"),
            (&[0.1, 0.3], true, "0 0.1 0.2 0.3"),
        ];
        for (values, with_zero, expected) in cases {
            let zero = if with_zero { Zero::Always } else { Zero::Near };
            let scale = Scale::around(values.iter().copied(), zero, 5.0);
            let names = scale.names();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            assert!(values.iter().all(|it| (scale.low..=scale.high).contains(it)), "{values:?}");
            if !expected.is_empty() {
                assert_eq!(names.join(" "), expected, "{values:?}");
            }
        }
    }
}
