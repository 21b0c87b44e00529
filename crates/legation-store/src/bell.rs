//! What bells have in common: news wait in piles, those of a task as one, and go to the others in texts.
//!
//! What is rung is gathered for a moment, so a task that grows fast is told of now and then with its last
//! event. Who carries the texts is in `postgres` and in `nats`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use legation_core::bell::{Bell, News};
use legation_core::store::{Replica, Seq, TaskKey};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::metric::{Counted, HEARD, RUNG};

/// The longest text: a little less than the 8,000 bytes that a notification of PostgreSQL takes.
const LONGEST: usize = 7_900;

/// Tasks that are waited for to be told of. Beyond, all are told that they missed something.
const MOST: usize = 65_536;

/// How long after a lost connection the next one is tried.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// How long a reason is not told again.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// Reasons that are told within that time at most.
const REASONS: usize = 8;

/// Why a bell does not ring, as far as it was told: it is tried often, and fails in the same way.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(String, Instant)>>);

impl Told {
    /// Warns of an error, with what it came from.
    pub(crate) fn warn(&self, error: &(dyn Error + 'static)) {
        let errors = std::iter::successors(Some(error), |&error| error.source());
        self.warn_of(errors.map(ToString::to_string).collect::<Vec<_>>().join(": "));
    }

    /// Warns, unless it has done so a short while ago.
    pub(crate) fn warn_of(&self, reason: String) {
        if self.is_new(&reason, Instant::now()) {
            tracing::warn!(reason, "the bell does not ring: events are seen up to a second later");
        }
    }

    fn is_new(&self, reason: &str, now: Instant) -> bool {
        let mut told = self.0.lock();
        told.retain(|(_, at)| now - *at < TOLD_FOR);
        let is_new = told.len() < REASONS && !told.iter().any(|(it, _)| it == reason);
        if is_new {
            told.push((reason.to_owned(), now));
        }
        is_new
    }
}

/// A bell, with whoever carries its news.
pub(crate) struct Hung {
    piles: Piles,
    rung: Counted,
    heard: Counted,
    carrying: AbortHandle,
}

impl Hung {
    /// A bell whose news this task carries.
    pub(crate) fn new(piles: Piles, carrying: AbortHandle) -> Arc<Self> {
        Arc::new(Self { piles, rung: Counted::by(&RUNG), heard: Counted::by(&HEARD), carrying })
    }
}

#[async_trait]
impl Bell for Hung {
    fn ring(&self, news: News) {
        self.rung.count(news);
        self.piles.rung.add([news]);
    }

    async fn heard(&self) -> News {
        let heard = &self.piles.heard;
        loop {
            let next = heard.news.lock().next();
            match next {
                Some(news) => {
                    self.heard.count(news);
                    return news;
                }
                None => heard.filled.notified().await,
            }
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

/// What waits to go to others, and what came from them.
#[derive(Clone, Default)]
pub(crate) struct Piles {
    pub(crate) rung: Arc<Pile>,
    pub(crate) heard: Arc<Pile>,
}

/// News that wait for whoever takes them.
#[derive(Default)]
pub(crate) struct Pile {
    news: Mutex<Gathered>,
    pub(crate) filled: Notify,
}

impl Pile {
    pub(crate) fn add(&self, news: impl IntoIterator<Item = News>) {
        let mut gathered = self.news.lock();
        news.into_iter().for_each(|news| gathered.add(news));
        drop(gathered);
        self.filled.notify_one();
    }

    /// Takes all that waits, as texts for the others, each of which begins with who tells it.
    pub(crate) fn take(&self, replica: Replica) -> Vec<String> {
        write(replica, &mut std::mem::take(&mut *self.news.lock()))
    }
}

/// News, those of a task as one.
#[derive(Default)]
struct Gathered {
    missed: bool,
    gone: bool,
    letters: BTreeSet<Replica>,
    queued: BTreeSet<Replica>,
    grown: HashMap<TaskKey, Seq>,
    /// The same tasks in the order in which they came.
    order: VecDeque<TaskKey>,
}

impl Gathered {
    fn add(&mut self, news: News) {
        match news {
            News::Missed => self.missed = true,
            News::Gone => self.gone = true,
            News::Letter(to) => {
                self.letters.insert(to);
            }
            News::Queued(at) => {
                self.queued.insert(at);
            }
            News::Grown(key, reached) => {
                if let Some(known) = self.grown.get_mut(&key) {
                    *known = reached.max(*known);
                } else if self.order.len() < MOST {
                    self.grown.insert(key, reached);
                    self.order.push_back(key);
                } else {
                    // To look at everything includes them.
                    let gone = self.gone;
                    *self = Self { missed: true, gone, ..Self::default() };
                }
            }
        }
    }

    fn next(&mut self) -> Option<News> {
        if std::mem::take(&mut self.missed) {
            return Some(News::Missed);
        }
        if std::mem::take(&mut self.gone) {
            return Some(News::Gone);
        }
        if let Some(to) = self.letters.pop_first() {
            return Some(News::Letter(to));
        }
        if let Some(at) = self.queued.pop_first() {
            return Some(News::Queued(at));
        }
        let key = self.order.pop_front()?;
        Some(News::Grown(key, self.grown.remove(&key)?))
    }
}

/// The texts by which news are told to others, each beginning with who tells them.
fn write(replica: Replica, gathered: &mut Gathered) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    while let Some(news) = gathered.next() {
        let word = match news {
            News::Missed => " !".to_owned(),
            News::Gone => " -".to_owned(),
            News::Letter(to) => format!(" @{:x}", to.0),
            News::Queued(at) => format!(" +{:x}", at.0),
            News::Grown(key, reached) => format!(" {:x}:{reached:x}", key.0),
        };
        match texts.last_mut() {
            Some(text) if text.len() + word.len() <= LONGEST => text.push_str(&word),
            _ => {
                let mut text = String::new();
                let _ = write!(text, "{:x}{word}", replica.0);
                texts.push(text);
            }
        }
    }
    texts
}

/// The text by which a replica tells that it has gone.
pub(crate) fn gone(replica: Replica) -> Vec<String> {
    write(replica, &mut Gathered { gone: true, ..Gathered::default() })
}

/// What a text tells, unless this replica wrote it. What cannot be read is passed over: it may be of a
/// later release.
pub(crate) fn read(replica: Replica, text: &str) -> Vec<News> {
    let number = |text: &str| i64::from_str_radix(text, 16).ok();
    let mut words = text.split(' ');
    if words.next().and_then(number).is_none_or(|from| from == replica.0) {
        return Vec::new();
    }
    let word = |word: &str| match word.split_once(':') {
        Some((key, reached)) => {
            let reached = Seq::from_str_radix(reached, 16).ok()?;
            Some(News::Grown(TaskKey(number(key)?), reached))
        }
        None if word == "!" => Some(News::Missed),
        None if word == "-" => Some(News::Gone),
        None => {
            let at = word.strip_prefix('+').and_then(number).map(|at| News::Queued(Replica(at)));
            let to = word.strip_prefix('@').and_then(number).map(|to| News::Letter(Replica(to)));
            at.or(to)
        }
    };
    words.filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_in_a_while_and_another_one_at_once() {
        let (told, now) = (Told::default(), Instant::now());
        let after = |reason: &str, seconds| told.is_new(reason, now + Duration::from_secs(seconds));
        let refused = "client error: authorization violation";
        assert!(after(refused, 0));
        assert!(!after(refused, 1), "twice a second it was");
        assert!(after("disconnected", 1));
        assert!(!after(refused, 59) && !after("disconnected", 60), "in whatever order they come");
        assert!(after(refused, 60) && after("disconnected", 61));
        let others = (0..100).filter(|number| after(&number.to_string(), 62)).count();
        assert_eq!(others, REASONS - 2, "reasons that are never the same");
    }

    fn gathered(news: impl IntoIterator<Item = News>) -> Gathered {
        let mut gathered = Gathered::default();
        news.into_iter().for_each(|news| gathered.add(news));
        gathered
    }

    fn all(gathered: &mut Gathered) -> Vec<News> {
        std::iter::from_fn(|| gathered.next()).collect()
    }

    #[test]
    fn news_of_a_task_are_told_as_one() {
        let grown = |key, reached| News::Grown(TaskKey(key), reached);
        let letter = News::Letter(Replica(3));
        let rung = [grown(1, 1), grown(2, 5), letter, grown(1, 9), letter, grown(1, 4)];
        assert_eq!(all(&mut gathered(rung)), [letter, grown(1, 9), grown(2, 5)]);
    }

    #[test]
    fn others_read_what_is_written_and_the_writer_does_not() {
        let (one, other) = (Replica(0x1f), Replica(2));
        let tasks = (1..2000).map(|n| News::Grown(TaskKey(n << 40), n as Seq));
        let news: Vec<_> = [News::Missed, News::Gone, News::Letter(other), News::Queued(one)]
            .into_iter()
            .chain(tasks)
            .collect();
        let texts = write(one, &mut gathered(news.clone()));
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= LONGEST));
        let heard: Vec<_> = texts.iter().flat_map(|text| read(other, text)).collect();
        assert_eq!(heard, news);
        assert!(texts.iter().all(|text| read(one, text).is_empty()));
        for strange in ["", "x", "5 ?", "5 1:", "5 @", "5  "] {
            assert_eq!(read(one, strange), [], "{strange}");
        }
    }

    #[test]
    fn too_many_tasks_are_told_as_something_missed() {
        let tasks = (0..=MOST as i64).map(|n| News::Grown(TaskKey(n), 1));
        assert_eq!(all(&mut gathered(tasks)), [News::Missed]);
    }
}
