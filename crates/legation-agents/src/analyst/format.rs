//! Numbers as people read them: rounded, without noise and without trailing zeros.

/// From here on, and below [`TINY`], numbers are written with an exponent.
const HUGE: f64 = 1e15;
const TINY: f64 = 1e-6;

/// Significant digits of numbers from 1 on; whole digits are never rounded away.
const DIGITS: i32 = 6;
/// The most decimals of numbers from 1 on, and the significant digits of numbers below 1.
const DECIMALS: i32 = 4;

/// Writes a number: `123`, `27.2947`, `0.6577`, `1.5e20`.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(TINY..HUGE).contains(&magnitude) {
        return scientific(value);
    }
    let exponent = magnitude.log10().floor() as i32;
    let decimals = if exponent < 0 {
        DECIMALS - 1 - exponent
    } else {
        (DIGITS - 1 - exponent).clamp(0, DECIMALS)
    };
    rounded(value, decimals.unsigned_abs() as usize)
}

/// Writes a change with its sign: `+60`, `-2.5`, `0`.
pub(crate) fn signed(value: f64) -> String {
    with_sign(value, number(value))
}

/// Writes a change in percent: `+60 %`, `-33.3 %`.
pub(crate) fn percent(value: f64) -> String {
    let text =
        if value.abs() < 1.0 || value.abs() >= HUGE { number(value) } else { rounded(value, 1) };
    format!("{} %", with_sign(value, text))
}

/// Writes a share between 0 and 1: `0.66`.
pub(crate) fn share(value: f64) -> String {
    rounded(value, 2)
}

fn with_sign(value: f64, text: String) -> String {
    if value > 0.0 { format!("+{text}") } else { text }
}

fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { trimmed(&text).to_owned() }
}

fn scientific(value: f64) -> String {
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa)),
        None => text,
    }
}

/// Takes the zeros and the point off the end of decimals.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_no_noise() {
        let cases = [
            (0.0, "0"),
            (123.0, "123"),
            (14.000000001, "14"),
            (27.294688127912362, "27.2947"),
            (0.6577181208053692, "0.6577"),
            (-0.25, "-0.25"),
            (1234.5678, "1234.57"),
            (1234567.0, "1234567"),
            (1234567.8, "1234568"),
            (100.0, "100"),
            (0.000123456, "0.0001235"),
            (1e-7, "1e-7"),
            (1.5e20, "1.5e20"),
            (-1e308, "-1e308"),
            (5e-324, "4.941e-324"),
            (0.99999, "1"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn changes_carry_their_sign() {
        assert_eq!([signed(60.0), signed(-2.5), signed(0.0)], ["+60", "-2.5", "0"]);
        assert_eq!(percent(60.0), "+60 %");
        assert_eq!(percent(-33.333_333), "-33.3 %");
        assert_eq!(percent(0.051_23), "+0.05123 %");
        assert_eq!(share(0.657), "0.66");
    }
}
