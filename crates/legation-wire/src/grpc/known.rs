//! Points and spans of time, and the numbers that a double holds.

use std::time::Duration;

use legation_model::Timestamp;

/// The largest whole number up to which a double holds every one.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The spelling of a finite double. A whole number within 2^53 is written as one, because that is
/// what it was before it became a double.
pub(super) fn spelled(value: f64) -> String {
    let negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() <= MAX_WHOLE && !negative_zero {
        // The range was just checked, so the cast is exact.
        return (value as i64).to_string();
    }
    serde_json::to_string(&value).expect("numbers are JSON")
}

const NANOS_OF_MILLI: i32 = 1_000_000;

/// The text of a point in time; finer digits than milliseconds are cut off.
pub(super) fn timestamp(seconds: i64, nanos: i32) -> Option<String> {
    let nanos = (0..1_000_000_000).contains(&nanos).then_some(nanos)?;
    let millis = seconds.checked_mul(1_000)?.checked_add(i64::from(nanos / NANOS_OF_MILLI))?;
    Timestamp::from_millis(millis).map(|moment| moment.to_string())
}

/// The seconds and nanoseconds of a point in time.
pub(super) fn read_timestamp(text: &str) -> Option<(i64, i32)> {
    let millis = Timestamp::parse(text)?.as_millis();
    let nanos = i32::try_from(millis.rem_euclid(1_000)).ok()? * NANOS_OF_MILLI;
    Some((millis.div_euclid(1_000), nanos))
}

/// The text of a span of time, which here is never negative.
pub(super) fn duration(seconds: i64, nanos: i32) -> Option<String> {
    let (seconds, nanos) = (u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?);
    let nanos = (0..1_000_000_000).contains(&nanos).then_some(nanos)?;
    Some(format!("{}s", Duration::new(seconds, nanos).as_secs_f64()))
}

/// The seconds and nanoseconds of a span of time.
pub(super) fn read_duration(text: &str) -> Option<(i64, i32)> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let span = Duration::try_from_secs_f64(seconds).ok()?;
    Some((i64::try_from(span.as_secs()).ok()?, i32::try_from(span.subsec_nanos()).ok()?))
}

/// The double of a number in JSON, unless it is a whole number that the double does not hold, or one
/// that is too large altogether. Up to 2^53 a double holds every whole number, and beyond it nothing
/// else.
pub(super) fn double(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let exact = if text.contains(['.', 'e', 'E']) {
        value.abs() < MAX_WHOLE || is_same(text, value)
    } else {
        is_exact(text)
    };
    (value.is_finite() && exact).then_some(value)
}

/// Whether a whole number is within 2^53. Its double cannot say: just beyond, it is rounded to it.
fn is_exact(text: &str) -> bool {
    let number: Result<i64, _> = text.parse();
    number.is_ok_and(|number| number.unsigned_abs() <= 1 << 53)
}

/// Whether a number with a point or an exponent is what a writer makes of this double: in as few
/// digits as tell it from others, or in all of them.
fn is_same(text: &str, value: f64) -> bool {
    let number = decimal(text);
    [format!("{value:e}"), format!("{value:.0}")].iter().any(|same| decimal(same) == number)
}

/// The digits of a number that is not zero, without zeros at either end, and how many places are
/// behind or, negative, before its last digit. One number has but one spelling in this.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = [whole.trim_start_matches('-'), fraction].concat();
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let places = i64::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i64>().ok()?.checked_add(zeros - places)?;
    Some((significant.trim_start_matches('0').to_owned(), exponent))
}
