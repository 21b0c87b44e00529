//! When tokens were last used, held back so that a busy token costs a write a minute.

use std::collections::HashMap;
use std::sync::Arc;

use legation_model::Timestamp;
use parking_lot::Mutex;

/// How long after a write of a token's use the next one is, in milliseconds.
const APART: i64 = 60_000;

/// Uses of tokens. Only tokens that exist get here, so there are no more than those.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<Arc<str>, Use>>);

struct Use {
    last: Timestamp,
    written: Option<Timestamp>,
}

impl Uses {
    pub(crate) fn note(&self, id: &Arc<str>, at: Timestamp) {
        let mut uses = self.0.lock();
        match uses.get_mut(id) {
            Some(known) => known.last = known.last.max(at),
            None => drop(uses.insert(id.clone(), Use { last: at, written: None })),
        }
    }

    /// The uses that are to be written now: the first of a token at once, later ones when the
    /// last write is long enough ago, or all of them.
    pub(crate) fn due(&self, now: Timestamp, all: bool) -> Vec<(Arc<str>, Timestamp)> {
        let is_due = |known: &Use| match known.written {
            None => true,
            Some(written) if written >= known.last => false,
            Some(written) => all || now.as_millis() - written.as_millis() >= APART,
        };
        let uses = self.0.lock();
        let due = uses.iter().filter(|(_, known)| is_due(known));
        due.map(|(id, known)| (id.clone(), known.last)).collect()
    }

    /// Notes that these were written.
    pub(crate) fn written(&self, written: &[(Arc<str>, Timestamp)]) {
        let mut uses = self.0.lock();
        for (id, at) in written {
            if let Some(known) = uses.get_mut(id) {
                known.written = Some(*at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_at_once_and_later_ones_once_a_minute() {
        let (uses, id) = (Uses::default(), Arc::from("a"));
        let at = |millis| Timestamp::from_millis(millis).expect("in range");
        let due = |now, all| uses.due(at(now), all).iter().map(|(_, at)| at.as_millis()).collect();
        uses.note(&id, at(1_000));
        assert_eq!(due(1_000, false), [1_000]);
        uses.written(&uses.due(at(1_000), false));
        uses.note(&id, at(2_000));
        uses.note(&id, at(1_500));
        let cases =
            [(3_000, false, vec![]), (3_000, true, vec![2_000]), (61_000, false, vec![2_000])];
        for (now, all, expected) in cases {
            let due: Vec<i64> = due(now, all);
            assert_eq!(due, expected, "{now} {all}");
        }
        uses.written(&uses.due(at(61_000), false));
        assert_eq!(due(200_000, true), [0; 0], "nothing new");
    }
}
