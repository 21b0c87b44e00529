//! What callers bring about, held back so that a flood of it costs a bounded number of rows.

use std::collections::HashMap;

use legation_core::{Actor, AuditAction, AuditEntry, AuditEvent, AuditOutcome};
use legation_model::Timestamp;
use parking_lot::Mutex;

/// How long after an entry the next one of the same is, in milliseconds.
const APART: i64 = 60_000;

/// How long requests without credentials are counted before they are an entry, in milliseconds. They
/// are noise where everybody can call, and no attempt at anything.
const NOISE: i64 = 600_000;

/// Events that wait to be written, and those of the last minute.
pub(crate) struct Noted {
    /// How many are told apart.
    most: usize,
    seen: Mutex<HashMap<AuditEvent, Seen>>,
}

struct Seen {
    /// When those that are not written yet began.
    since: Timestamp,
    /// How many are not written yet.
    count: u64,
    written: Option<Timestamp>,
}

impl Noted {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, seen: Mutex::default() }
    }

    /// Notes an event. Where there are too many different ones it is only counted; those of nobody
    /// known have half of the places, so that they do not drive out what known callers do.
    pub(crate) fn note(&self, mut event: AuditEvent, at: Timestamp) {
        let places = match (event.outcome, event.actor.subject.is_empty()) {
            (AuditOutcome::Missing, _) => self.most / 4,
            (_, true) => self.most / 2,
            (_, false) => self.most,
        };
        let mut seen = self.seen.lock();
        let mut is_kept = seen.len() < places || seen.contains_key(&event);
        if !is_kept && is_noise(&event) {
            // What is left to tell apart then is the agent, of which there are few.
            event.actor.address = None;
            is_kept = seen.len() < self.most / 2 || seen.contains_key(&event);
        }
        add(&mut seen, if is_kept { event } else { lost() }, at, 1);
    }

    /// Takes what is to be written now: the first of an event at once, later ones when the last
    /// entry is long enough ago, noise when it was counted for long enough, or all of them. What did
    /// not go on is forgotten.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> Vec<AuditEntry> {
        let is_over = |written: Timestamp| all || now.as_millis() - written.as_millis() >= APART;
        let mut entries = Vec::new();
        self.seen.lock().retain(|event, seen| {
            if is_noise(event) {
                let is_due = all || now.as_millis() - seen.since.as_millis() >= NOISE;
                if is_due {
                    let (at, event, count) = (seen.since, event.clone(), seen.count);
                    entries.push(AuditEntry { at, event, count });
                }
                return !is_due;
            }
            let is_due = seen.written.is_none_or(is_over);
            if is_due && seen.count > 0 {
                let (event, count) = (event.clone(), std::mem::take(&mut seen.count));
                entries.push(AuditEntry { at: seen.since, event, count });
                seen.written = Some(now);
                return true;
            }
            !is_due
        });
        entries.sort_by_key(|entry| entry.at.as_millis());
        entries
    }

    /// Puts back what could not be written.
    pub(crate) fn put_back(&self, entries: Vec<AuditEntry>) {
        let mut seen = self.seen.lock();
        for AuditEntry { at, event, count } in entries {
            add(&mut seen, event.clone(), at, count);
            if let Some(seen) = seen.get_mut(&event) {
                (seen.since, seen.written) = (at, None);
            }
        }
    }
}

fn add(seen: &mut HashMap<AuditEvent, Seen>, event: AuditEvent, at: Timestamp, count: u64) {
    let seen = seen.entry(event).or_insert(Seen { since: at, count: 0, written: None });
    if seen.count == 0 {
        seen.since = at;
    }
    seen.count += count;
}

fn is_noise(event: &AuditEvent) -> bool {
    event.outcome == AuditOutcome::Missing
}

/// That an event was not kept.
fn lost() -> AuditEvent {
    AuditEvent::new(Actor::default(), AuditAction::Audit, AuditOutcome::Lost)
        .saying("too many different things happened at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).expect("in range")
    }

    fn by(subject: &str, target: u32) -> AuditEvent {
        let actor = Actor { subject: subject.into(), ..Actor::default() };
        AuditEvent::new(actor, AuditAction::Call, AuditOutcome::Refused).to(target.to_string())
    }

    #[test]
    fn what_goes_on_is_an_entry_at_once_and_one_a_minute() {
        let noted = Noted::new(10);
        let take = |millis, all| -> Vec<(i64, u64)> {
            let taken = noted.take(at(millis), all);
            taken.iter().map(|entry| (entry.at.as_millis(), entry.count)).collect()
        };
        noted.note(by("ann", 1), at(10));
        noted.note(by("ann", 1), at(20));
        assert_eq!(take(1_000, false), [(10, 2)]);
        (0..5_000).for_each(|_| noted.note(by("ann", 1), at(2_000)));
        assert_eq!(take(3_000, false), []);
        assert_eq!(take(61_000, false), [(2_000, 5_000)]);
        assert_eq!(take(121_000, false), []);
        assert!(noted.seen.lock().is_empty(), "forgotten");
        noted.note(by("ann", 1), at(130_000));
        let taken = noted.take(at(130_000), false);
        noted.note(by("ann", 1), at(131_000));
        noted.put_back(taken);
        assert_eq!(take(132_000, false), [(130_000, 2)], "nothing is lost that was not written");
        noted.note(by("ann", 1), at(133_000));
        assert_eq!(take(133_500, true), [(133_000, 1)], "nor at the end");
    }

    #[test]
    fn a_flood_is_bounded_counted_and_drives_nobody_out() {
        let noted = Noted::new(10);
        (0..1_000).for_each(|number| noted.note(by("", number), at(1)));
        (0..3).for_each(|number| noted.note(by("ann", number), at(2)));
        let taken = noted.take(at(3), false);
        let of = |is: fn(&AuditEvent) -> bool| -> Vec<u64> {
            taken.iter().filter(|entry| is(&entry.event)).map(|entry| entry.count).collect()
        };
        assert_eq!(of(|event| event.outcome == AuditOutcome::Lost), [995]);
        assert_eq!(of(|event| &*event.actor.subject == "ann"), [1, 1, 1]);
        assert_eq!(taken.len(), 9);
    }

    #[test]
    fn noise_is_counted_by_address_and_agent_and_drives_nobody_out() {
        let noted = Noted::new(40);
        let missing = |address: u32, agent: &str| {
            let actor = Actor::stranger("", Some(address.to_be_bytes().into()));
            AuditEvent::new(actor, AuditAction::Authenticate, AuditOutcome::Missing).to(agent)
        };
        (0..3).for_each(|_| noted.note(missing(1, "a"), at(10)));
        noted.note(missing(1, "b"), at(20));
        noted.note(missing(2, "a"), at(30));
        assert!(noted.take(at(600_009), false).is_empty(), "no entry each");
        let told = |entries: Vec<AuditEntry>| -> Vec<(String, bool, u64)> {
            let told = entries.into_iter().map(|AuditEntry { event, count, .. }| {
                (event.target, event.actor.address.is_some(), count)
            });
            told.collect()
        };
        let first = ("a".to_owned(), true, 3);
        assert_eq!(told(noted.take(at(600_010), false)), [first]);
        assert_eq!(noted.take(at(600_030), false).len(), 2);
        // Of very many addresses some are told apart, and the rest by agent.
        (0..1_000).for_each(|number| noted.note(missing(number, "a"), at(700_000)));
        noted.note(missing(2_000, "b"), at(700_000));
        noted.note(by("", 7), at(700_000));
        noted.note(by("ann", 7), at(700_000));
        let known = noted.take(at(700_001), false);
        assert_eq!(known.iter().map(|entry| entry.count).sum::<u64>(), 2, "{known:?}");
        let mut noise = told(noted.take(at(700_002), true));
        noise.retain(|(_, has_address, _)| !has_address);
        noise.sort();
        assert_eq!(noise, [("a".to_owned(), false, 990), ("b".to_owned(), false, 1)]);
        assert!(noted.seen.lock().values().all(|seen| seen.count == 0));
    }
}
