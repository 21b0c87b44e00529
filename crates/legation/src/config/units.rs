//! Sizes and times as people write them.

use std::time::Duration;

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `64KiB`.
pub(crate) fn read_size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A number of bytes as it is written.
pub(crate) fn size(bytes: u64) -> String {
    let binary =
        SIZES[..4].iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    let (name, factor) = binary.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / factor)
}

/// Reads `1h30m`.
pub(crate) fn read_time(text: &str) -> Option<u64> {
    let (mut millis, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit())?);
        let end = behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let (_, factor) = TIMES.iter().find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(millis)
}

/// A time as it is written.
pub(crate) fn duration(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let unit = TIMES.iter().find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
    let (name, factor) = unit.copied().unwrap_or(("s", 1_000));
    format!("{}{name}", millis / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_written_as_people_do() {
        let sizes = [
            ("1MiB", Some(1 << 20)),
            ("64 KiB", Some(64 << 10)),
            ("2GB", Some(2_000_000_000)),
            ("12B", Some(12)),
            ("1mib", None),
            ("MiB", None),
            ("1.5MiB", None),
            ("99999999999999999999TiB", None),
            ("99999999TiB", None),
            ("", None),
            ("é", None),
        ];
        for (text, expected) in sizes {
            assert_eq!(read_size(text), expected, "{text}");
        }
        let times = [
            ("30s", Some(30_000)),
            ("250ms", Some(250)),
            ("1h30m", Some(5_400_000)),
            ("30d", Some(30 * 86_400_000)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("1 h", None),
            ("99999999999999999999h", None),
            ("", None),
            ("1é", None),
        ];
        for (text, expected) in times {
            assert_eq!(read_time(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in [1, 1023, 1024, 1500, 3 << 20, 1 << 40] {
            assert_eq!(read_size(&size(bytes)), Some(bytes));
        }
        for millis in [0, 1, 999, 1_000, 90_000, 3_600_000, 30 * 86_400_000] {
            assert_eq!(read_time(&duration(Duration::from_millis(millis))), Some(millis));
        }
    }
}
