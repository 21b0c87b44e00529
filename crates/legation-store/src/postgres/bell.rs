//! The bell of replicas that share a database: notifications over a connection of its own.
//!
//! What is rung is gathered for a moment, so a task that grows fast is told of now and then with its last
//! event. Nothing of this is in the writers' transactions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use legation_core::bell::{Bell, News};
use legation_core::store::{Replica, Seq, TaskKey};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::connect::Connector;
use super::failure::Failure;
use super::schema::Schema;
use super::session::Session;

/// The longest text of a notification: a little less than the 8,000 bytes that the server takes.
const LONGEST: usize = 7_900;

/// Tasks that are waited for to be told of. Beyond, all are told that they missed something.
const MOST: usize = 65_536;

/// How long after a lost connection the next one is tried.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a connection is tried over which nothing is said.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// A [`Bell`] that rings by `NOTIFY`, over the channel that has the name of the schema.
pub struct PostgresBell {
    rung: Arc<Pile>,
    heard: Arc<Pile>,
    ringing: AbortHandle,
}

impl PostgresBell {
    pub(super) fn hang(
        connector: Connector,
        schema: &Schema,
        replica: Replica,
        every: Duration,
    ) -> Arc<Self> {
        let (rung, heard) = (Arc::<Pile>::default(), Arc::<Pile>::default());
        let runtime = connector.runtime.clone();
        let channel = schema.name.clone();
        let (for_rung, for_heard) = (rung.clone(), heard.clone());
        let ringer =
            Ringer { connector, channel, replica, every, rung: for_rung, heard: for_heard };
        let ringing = runtime.spawn(ringer.work()).abort_handle();
        Arc::new(Self { rung, heard, ringing })
    }
}

#[async_trait]
impl Bell for PostgresBell {
    fn ring(&self, news: News) {
        self.rung.add([news]);
    }

    async fn heard(&self) -> News {
        loop {
            let next = self.heard.news.lock().next();
            match next {
                Some(news) => return news,
                None => self.heard.filled.notified().await,
            }
        }
    }
}

impl Drop for PostgresBell {
    fn drop(&mut self) {
        self.ringing.abort();
    }
}

/// News that wait for whoever takes them.
#[derive(Default)]
struct Pile {
    news: Mutex<Gathered>,
    filled: Notify,
}

impl Pile {
    fn add(&self, news: impl IntoIterator<Item = News>) {
        let mut gathered = self.news.lock();
        news.into_iter().for_each(|news| gathered.add(news));
        drop(gathered);
        self.filled.notify_one();
    }
}

/// News, those of a task as one.
#[derive(Default)]
struct Gathered {
    missed: bool,
    gone: bool,
    letters: BTreeSet<Replica>,
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

async fn notify(session: &Session, channel: &str, texts: &[String]) -> Result<(), Failure> {
    let notify = "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS n (text)";
    session.execute(notify, &[&channel.trim_matches('"'), &texts]).await?;
    Ok(())
}

/// Tells the others that a replica has gone.
pub(super) async fn tell_gone(
    session: &Session,
    schema: &Schema,
    replica: Replica,
) -> Result<(), Failure> {
    let mut gathered = Gathered { gone: true, ..Gathered::default() };
    notify(session, &schema.name, &write(replica, &mut gathered)).await
}

/// What a text tells, unless this replica wrote it. What cannot be read is passed over: it may be of a
/// later release.
fn read(replica: Replica, text: &str) -> Vec<News> {
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
        None => Some(News::Letter(Replica(number(word.strip_prefix('@')?)?))),
    };
    words.filter_map(word).collect()
}

/// Who rings, and hears.
struct Ringer {
    connector: Connector,
    channel: String,
    replica: Replica,
    every: Duration,
    rung: Arc<Pile>,
    heard: Arc<Pile>,
}

impl Ringer {
    /// Works for as long as it is let.
    async fn work(self) {
        loop {
            let Err(failure) = self.connect_and_work().await;
            tracing::warn!(error = &failure as &dyn std::error::Error, "the bell does not ring");
            // What was on its way may not have been heard.
            self.rung.add([News::Missed]);
            sleep(PAUSE).await;
        }
    }

    async fn connect_and_work(&self) -> Result<std::convert::Infallible, Failure> {
        let (connected, lost) = oneshot::channel::<()>();
        let (replica, heard) = (self.replica, self.heard.clone());
        let hear = move |notification: tokio_postgres::Notification| {
            // It goes with the connection.
            let _ = &connected;
            heard.add(read(replica, notification.payload()));
        };
        let session = self.connector.connect_and_hear(hear).await?;
        // What is rung need not outlive the server, so no disk has to be waited for.
        let listen = format!("SET synchronous_commit = off; LISTEN {}", self.channel);
        self.bounded(session.run(&listen)).await?;
        // Nobody knows what there was before.
        self.heard.add([News::Missed]);
        tokio::select! {
            failure = self.ring(&session) => failure,
            _ = lost => Err(Failure::Closed),
        }
    }

    async fn ring(&self, session: &Session) -> Result<std::convert::Infallible, Failure> {
        loop {
            if timeout(LOOK_AFTER, self.rung.filled.notified()).await.is_err() {
                self.bounded(session.run("")).await?;
                continue;
            }
            let mut gathered = std::mem::take(&mut *self.rung.news.lock());
            let texts = write(self.replica, &mut gathered);
            if !texts.is_empty() {
                self.bounded(notify(session, &self.channel, &texts)).await?;
                sleep(self.every).await;
            }
        }
    }

    async fn bounded<T>(
        &self,
        said: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(self.connector.patience, said).await.unwrap_or(Err(Failure::Late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let news: Vec<_> =
            [News::Missed, News::Gone, News::Letter(other)].into_iter().chain(tasks).collect();
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
