//! Until when a caller waits, as `grpc-timeout` says it.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use legation_model::{A2aError, ErrorKind};
use tokio::time::Instant;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Later moments are no deadlines: some clocks do not reach that far.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Reads until when the caller waits; `None` when it waits for as long as it takes.
///
/// # Errors
/// `InvalidParams` when the value is none of gRPC's.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<Instant>, A2aError> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let time = value.to_str().ok().and_then(parse);
    let fault = || A2aError::invalid(TIMEOUT.as_str(), "must be up to 8 digits and a unit of gRPC");
    let time = time.ok_or_else(fault)?;
    Ok((time < FAR).then(|| Instant::now() + time))
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = is_number.then(|| digits.parse().ok())??;
    Some(match text.as_bytes().last()? {
        b'H' => Duration::from_secs(number * 3_600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What a caller is told whose time is over.
pub(crate) fn exceeded() -> A2aError {
    let text = "the time that the call was given is over; what it began goes on";
    A2aError::new(ErrorKind::DeadlineExceeded, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_up_to_eight_digits_and_a_unit() {
        let cases = [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("5m", Some(Duration::from_millis(5))),
            ("0u", Some(Duration::ZERO)),
            ("7n", Some(Duration::from_nanos(7))),
            ("100000000S", None),
            ("S", None),
            ("", None),
            ("5", None),
            ("5s", None),
            ("+5S", None),
            ("-1S", None),
            ("1.5S", None),
            ("5é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
