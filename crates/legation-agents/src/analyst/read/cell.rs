//! One written number: what counts as a number, as a missing value, or as neither.
//!
//! Accepted around the digits: a sign, one currency sign before or after, a percent sign after
//! (`5 %` is 5, not 0.05), accounting parentheses for negatives, and an exponent. Words that
//! programs write for "nothing" are missing values. Infinity is never a number here.

/// What a cell turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// A finite number.
    Number(f64),
    /// Nothing, or a word for nothing.
    Missing,
    /// Infinity, or digits beyond what a 64-bit float can hold.
    NotFinite,
    /// Anything else.
    Word,
}

/// What a comma inside a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// `1,200.5`: commas group thousands, the point starts the decimals.
    Thousands,
    /// `1.200,5`: the other way round, as in much of Europe.
    Decimal,
}

const MISSING: [&str; 9] = ["", "-", "–", "na", "n/a", "#n/a", "nan", "null", "none"];
const INFINITE: [&str; 3] = ["inf", "infinity", "∞"];
const SIGNS: [char; 3] = ['-', '−', '+'];
const CURRENCY: [char; 5] = ['$', '€', '£', '¥', '₹'];

/// Reads one cell.
pub(crate) fn read_cell(text: &str, commas: Commas) -> Cell {
    let text = text.trim();
    if let Some(value) = plain(text, commas) {
        return Cell::Number(value);
    }
    if is_one_of(text, &MISSING) {
        return Cell::Missing;
    }
    let (negative, digits) = strip_signs(text);
    if is_one_of(digits, &INFINITE) {
        return Cell::NotFinite;
    }
    match unsigned(digits, commas) {
        // Adding zero turns the negative zero into the plain one, which prints without a sign.
        Some(value) if value.is_finite() => {
            Cell::Number(if negative { -value } else { value } + 0.0)
        }
        Some(_) => Cell::NotFinite,
        None => Cell::Word,
    }
}

/// The value of digits as programs write them, which most cells of large tables hold.
fn plain(text: &str, commas: Commas) -> Option<f64> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if text.is_empty() || !text.bytes().all(is_plain) {
        return None;
    }
    // With decimal commas a point may group thousands.
    if commas == Commas::Decimal && text.contains('.') {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(|value| value + 0.0)
}

impl Commas {
    /// Decides for a whole table: one cell that only a decimal comma explains decides for all.
    pub(crate) fn of<'a>(mut cells: impl Iterator<Item = &'a str>) -> Self {
        let decimal = cells.any(|cell| {
            let (_, digits) = strip_signs(cell.trim());
            digits.matches(',').count() == 1
                && unsigned(digits, Self::Thousands).is_none()
                && unsigned(digits, Self::Decimal).is_some()
        });
        if decimal { Self::Decimal } else { Self::Thousands }
    }
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Takes off sign, currency, percent and accounting parentheses; says whether it is negative.
fn strip_signs(text: &str) -> (bool, &str) {
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return (true, strip_currency(inner.trim()));
    }
    // The sign stands before the currency (`-$5`) or after it (`$-5`).
    let bare = text.strip_prefix(CURRENCY).unwrap_or(text).trim_start();
    match bare.strip_prefix(SIGNS) {
        Some(rest) => (!bare.starts_with('+'), strip_currency(rest)),
        None => (false, strip_currency(bare)),
    }
}

fn strip_currency(text: &str) -> &str {
    let text = text.strip_prefix(CURRENCY).unwrap_or(text);
    let text = text.strip_suffix(CURRENCY).or_else(|| text.strip_suffix('%')).unwrap_or(text);
    text.trim()
}

/// Reads digits with grouping, decimals and exponent; infinite when they are too large.
fn unsigned(text: &str, commas: Commas) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if !is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) {
        return None;
    }
    let plain = match commas {
        Commas::Thousands => ungrouped(mantissa, ',', '.'),
        // A table with decimal commas may still hold `3.5` in another column.
        Commas::Decimal => ungrouped(mantissa, '.', ',').or_else(|| ungrouped(mantissa, ',', '.')),
    }?;
    format!("{plain}e{exponent}").parse().ok()
}

/// Rewrites `1,200.5` as digits and one point, when the groups are right.
fn ungrouped(text: &str, group: char, point: char) -> Option<String> {
    let (whole, fraction) = text.split_once(point).unwrap_or((text, ""));
    let grouped = whole.contains(group);
    let well_formed = if grouped { are_groups(whole, group) } else { all_digits(whole) };
    if !well_formed || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    Some(format!("0{}.{fraction}0", whole.replace(group, "")))
}

/// Whether this is one to three digits and then groups of exactly three: `1,200`, not `0,5`.
fn are_groups(whole: &str, group: char) -> bool {
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    is_digits(first)
        && first.len() <= 3
        && !first.starts_with('0')
        && groups.all(|digits| digits.len() == 3 && is_digits(digits))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && all_digits(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let cases = [
            ("5", 5.0),
            (" -5.25 ", -5.25),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("−3", -3.0),
            ("-0", 0.0),
            ("1e3", 1000.0),
            ("2.5E-1", 0.25),
            ("1,200", 1200.0),
            ("1,234,567.5", 1_234_567.5),
            ("$1,200", 1200.0),
            ("-$5", -5.0),
            ("$-5", -5.0),
            ("5 €", 5.0),
            ("12.5%", 12.5),
            ("(1,200)", -1200.0),
            ("($5)", -5.0),
            ("1e-999", 0.0),
        ];
        for (text, value) in cases {
            assert_eq!(read_cell(text, Commas::Thousands), Cell::Number(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_says_why() {
        let cases = [
            ("", Cell::Missing),
            ("N/A", Cell::Missing),
            ("NaN", Cell::Missing),
            ("-", Cell::Missing),
            ("inf", Cell::NotFinite),
            ("-Infinity", Cell::NotFinite),
            ("1e999", Cell::NotFinite),
            ("abc", Cell::Word),
            ("1,20", Cell::Word),
            ("0,123", Cell::Word),
            ("1,2000", Cell::Word),
            ("1.2.3", Cell::Word),
            ("2024-01-05", Cell::Word),
            ("12:30", Cell::Word),
            ("Q1", Cell::Word),
            ("--5", Cell::Word),
            ("e5", Cell::Word),
            ("5e", Cell::Word),
            (".", Cell::Word),
            ("$", Cell::Word),
            ("٣", Cell::Word),
        ];
        for (text, cell) in cases {
            assert_eq!(read_cell(text, Commas::Thousands), cell, "{text}");
        }
    }

    #[test]
    fn a_decimal_comma_is_recognised_and_read() {
        assert_eq!(Commas::of(["a", "1,200", "1,5"].into_iter()), Commas::Decimal);
        assert_eq!(Commas::of(["0,125"].into_iter()), Commas::Decimal);
        assert_eq!(Commas::of(["1,200", "3.5", "x,5"].into_iter()), Commas::Thousands);
        for (text, value) in [("1,5", 1.5), ("1.200,5", 1200.5), ("1.200", 1200.0), ("3.5", 3.5)] {
            assert_eq!(read_cell(text, Commas::Decimal), Cell::Number(value), "{text}");
        }
    }
}
