//! What stores remember of sweeps.

use std::time::Duration;

use legation_core::store::Swept;
use legation_model::Timestamp;

/// The row of a deployment, with times in milliseconds since 1970.
#[derive(Default)]
pub(crate) struct Told {
    /// When somebody asked for a sweep that has not begun since.
    pub(crate) asked_at: Option<i64>,
    pub(crate) began_at: Option<i64>,
    pub(crate) swept_at: Option<i64>,
    pub(crate) swept: Option<String>,
}

/// Whether a sweep is due: somebody asks for it, or there was none for a time.
pub(crate) fn is_due(told: Option<&Told>, every: Duration, now: Timestamp) -> bool {
    let Some(Told { asked_at, swept_at, .. }) = told else { return true };
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    let since = swept_at.map(|swept_at| now.as_millis().saturating_sub(swept_at));
    // One of the future is one of a clock that was wrong.
    asked_at.is_some() || since.is_none_or(|since| since >= every || since < 0)
}

/// What the sweep did that was asked for at a moment, if it is done.
pub(crate) fn read(told: &Told, asked: Timestamp) -> Option<Swept> {
    let Told { began_at: Some(began), swept_at: Some(swept_at), swept: Some(swept), .. } = told
    else {
        return None;
    };
    let is_done = *began >= asked.as_millis() && swept_at >= began;
    is_done.then(|| serde_json::from_str(swept).ok()).flatten()
}

/// What a sweep did, as a row has it.
pub(crate) fn written(swept: Swept) -> String {
    serde_json::to_string(&swept).expect("numbers are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_due_in_time_and_when_it_is_asked_for() {
        let now = Timestamp::from_millis(10_000).expect("in range");
        let (second, told) = (Duration::from_secs(1), |asked_at, swept_at| Told {
            asked_at,
            swept_at,
            ..Told::default()
        });
        assert!(is_due(None, second, now));
        for (asked_at, swept_at, expected) in [
            (None, None, true),
            (None, Some(9_001), false),
            (None, Some(9_000), true),
            (None, Some(10_001), true),
            (Some(9_500), Some(9_001), true),
        ] {
            assert_eq!(is_due(Some(&told(asked_at, swept_at)), second, now), expected);
        }
    }

    #[test]
    fn what_was_asked_for_is_done_once_a_sweep_began_later_and_ended() {
        let asked = Timestamp::from_millis(10).expect("in range");
        let swept = Swept { tasks: 3, ..Swept::default() };
        let told = |began, swept_at| Told {
            asked_at: None,
            began_at: Some(began),
            swept_at,
            swept: Some(written(swept)),
        };
        assert_eq!(read(&told(10, Some(12)), asked), Some(swept));
        // One that was at work before, and one that is at work now.
        for told in [told(9, Some(12)), told(11, Some(8)), told(11, None), Told::default()] {
            assert_eq!(read(&told, asked), None);
        }
    }
}
