//! Follows a task through broken connections: the same events in the same order, none twice, none
//! left out, and never a cut stream that looks like an end.
//!
//! Agents that number their events (SSE `id:`, consecutive per task) are asked to go on behind the
//! last one seen: they answer with a header, the task without a number, and then exactly what
//! follows. Other agents answer with the task as it is, which stands for what was missed, or do not even
//! that, so that the task is looked at when it has settled. One that the agent does not let be followed
//! is looked at instead, as one is whose updates come by polling or by webhook.

use std::time::Duration;

use legation_model::{Message, StreamResponse, Task, TaskId, TaskState};
use tokio::time::Instant;

use crate::exchange::Call;
use crate::feed::{Feed, Numbered};
use crate::patience::Tries;
use crate::updates::{Look, Looking, Pace};
use crate::{Client, Error};

/// A connection that lived this long was no failed try.
const HEALTHY: Duration = Duration::from_secs(5);

/// The events of a task as they happen.
#[derive(Debug)]
pub struct Events {
    client: Client,
    /// What was said, while the task is not known and where saying it again does no harm.
    message: Option<Box<Call>>,
    /// Known from the first item at the latest.
    task: Option<TaskId>,
    /// The number of the last event seen.
    last: Option<u64>,
    /// What the agent last said about where the task stands.
    state: Option<TaskState>,
    link: Link,
    tries: Tries,
    /// Somebody wants to see what follows, also while the task waits.
    subscribed: bool,
    /// Events may have been missed or seen twice: agents that do not number their events let one follow a
    /// task from what it holds, and then with some of that again, or with what happens next.
    patchy: bool,
    /// The last connection ended before it said anything.
    fruitless: bool,
}

/// How a stream begins.
#[derive(Debug)]
pub(crate) enum Opening {
    /// With a message.
    Message(Call),
    /// With a task that exists.
    Task { id: TaskId, after: Option<u64> },
}

#[derive(Debug)]
enum Link {
    Live(Live),
    /// Nobody is there; the next try is at this moment.
    Down(Instant),
    /// The task is looked at instead. What the agent answered the message with stands for the first
    /// look.
    Looking(Box<Looking>, Option<Task>),
    /// The agent has said this, and no more.
    Said(Box<Message>),
    Done,
}

/// One connection.
#[derive(Debug)]
struct Live {
    feed: Feed,
    /// Behind which number the agent was asked to go on.
    cursor: Option<u64>,
    /// The stream answers a message, so its first item may still show the state from before it.
    answers_message: bool,
    /// Nothing has come yet.
    untouched: bool,
    /// A numbered event has come.
    numbered: bool,
}

impl Live {
    fn new(feed: Feed, cursor: Option<u64>, answers_message: bool) -> Self {
        Self { feed, cursor, answers_message, untouched: true, numbered: false }
    }
}

impl Events {
    pub(crate) fn new(client: Client, feed: Feed, opening: Opening) -> Self {
        let (message, task, last) = match opening {
            Opening::Message(call) => (call.is_repeatable().then(|| Box::new(call)), None, None),
            Opening::Task { id, after } => (None, Some(id), after),
        };
        let subscribed = task.is_some();
        let link = Link::Live(Live::new(feed, last, !subscribed));
        // The task that a subscription begins with may hold some of what follows it.
        let patchy = subscribed;
        Self { message, last, patchy, ..Self::of(client, task, link, subscribed) }
    }

    /// A task that is looked at, as the agent answered a message with it.
    pub(crate) fn looking(client: Client, answer: Task, looking: Looking) -> Self {
        let id = answer.id.clone();
        let link = Link::Looking(Box::new(looking), Some(answer));
        Self::of(client, Some(id), link, false)
    }

    /// A task that is looked at until it ends.
    pub(crate) fn watching(client: Client, id: TaskId, looking: Looking) -> Self {
        let link = Link::Looking(Box::new(looking), None);
        Self::of(client, Some(id), link, true)
    }

    /// An answer without a task.
    pub(crate) fn said(client: Client, message: Message) -> Self {
        Self::of(client, None, Link::Said(Box::new(message)), false)
    }

    fn of(client: Client, task: Option<TaskId>, link: Link, subscribed: bool) -> Self {
        let tries = Tries::new(client.options().patience);
        let (message, last, state, patchy, fruitless) = (None, None, None, false, false);
        Self { client, message, task, last, state, link, tries, subscribed, patchy, fruitless }
    }

    /// The task, once it is known.
    pub fn task(&self) -> Option<&TaskId> {
        self.task.as_ref()
    }

    /// Where the task stands by what the agent last said; `None` when it has not said it, or only
    /// said how the task stood before the message that this stream answers.
    pub fn state(&self) -> Option<TaskState> {
        self.state
    }

    /// Whether the agent has said that the task ended or waits for the caller, and nothing follows that
    /// stands for what was missed.
    pub fn is_settled(&self) -> bool {
        self.has_settled() && (!self.patchy || matches!(self.link, Link::Done))
    }

    fn has_settled(&self) -> bool {
        self.state.is_some_and(TaskState::is_settled)
    }

    /// The next event with its number, where the agent gives one; `None` when there will be no
    /// more: the task ended, the answer was a direct message, or the agent closed the stream of a
    /// task that waits for the caller. A task among the events replaces what was known of it.
    ///
    /// # Errors
    /// The last thing it yields: what no further try would change, or [`Error::GaveUp`].
    ///
    /// # Cancel safety
    /// Safe: a dropped call loses no event. It loses the try to reconnect that was under way, so
    /// callers should not drop it more often than connecting takes.
    pub async fn next(&mut self) -> Option<Result<Numbered, Error>> {
        loop {
            let step = match &mut self.link {
                Link::Done => return None,
                Link::Live(live) => {
                    let received = live.feed.next().await;
                    self.receive(received)
                }
                Link::Down(until) => {
                    tokio::time::sleep_until(*until).await;
                    self.resume().await
                }
                Link::Looking(looking, answer) => match answer.take() {
                    Some(task) => self.saw(task),
                    None => {
                        looking.due().await;
                        self.look().await
                    }
                },
                Link::Said(message) => {
                    let item = StreamResponse::Message((**message).clone());
                    self.link = Link::Done;
                    Ok(Some((None, item)))
                }
            };
            match step {
                Ok(Some((number, item))) => {
                    return Some(Ok((number, self.client.extended(item))));
                }
                Ok(None) => {}
                Err(error) => {
                    self.link = Link::Done;
                    return Some(Err(error));
                }
            }
        }
    }

    fn receive(
        &mut self,
        received: Result<Option<Numbered>, Error>,
    ) -> Result<Option<Numbered>, Error> {
        match received {
            Ok(Some(item)) => self.accept(item),
            Ok(None) => self.lose(None),
            Err(error) if error.may_pass() => self.lose(Some(error)),
            // Some refuse a subscription in the stream.
            Err(error) if error.may_mean_ended() && self.has_just_subscribed() => {
                self.look_instead();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether nothing has come of a subscription yet.
    fn has_just_subscribed(&self) -> bool {
        matches!(&self.link, Link::Live(live) if live.untouched && !live.answers_message)
    }

    /// From now on the task is looked at.
    fn look_instead(&mut self) {
        self.link = Link::Looking(Box::new(Looking::at_pace(Pace::default())), None);
    }

    fn accept(&mut self, (number, item): Numbered) -> Result<Option<Numbered>, Error> {
        let Link::Live(live) = &mut self.link else { return Ok(Some((number, item))) };
        let first = std::mem::take(&mut live.untouched);
        let opening = first && matches!(item, StreamResponse::Task(_));
        let snapshot = opening && live.cursor.is_some();
        if first && live.cursor.is_some() && number.is_none() {
            // The header: the task as of the cursor, which is known, unless the caller of a
            // subscription knows more than these events: a task that has ended says nothing more.
            // In 0.1, whose streams have no tasks in them, it is the status.
            if self.state.is_none() {
                self.note(&item, false)?;
            }
            return Ok(None);
        }
        // A snapshot with a number means that the agent does not go on behind cursors: it counts
        // anew from here.
        if let (Some(got), Some(last), false) = (number, self.last, snapshot) {
            if got <= last {
                return Ok(None);
            }
            if got > last + 1 {
                return self.miss(last + 1, got);
            }
        }
        live.numbered |= number.is_some();
        let stale = first && live.answers_message;
        self.patchy &= number.is_none();
        // Every new connection begins with the task, so that alone is no progress.
        if !opening {
            self.tries.progress();
        }
        self.note(&item, stale)?;
        let is_all = matches!(item, StreamResponse::Task(_));
        if self.patchy && !is_all && self.has_settled() && !self.goes_on() {
            self.look_instead();
        }
        self.last = number.or(self.last);
        Ok(Some((number, item)))
    }

    /// Keeps what an item says about which task it is and where it stands.
    fn note(&mut self, item: &StreamResponse, stale: bool) -> Result<(), Error> {
        let (id, state) = match item {
            StreamResponse::Message(_) => {
                self.link = Link::Done;
                return Ok(());
            }
            StreamResponse::Task(task) => (&task.id, Some(task.status.state)),
            StreamResponse::StatusUpdate(update) => (&update.task_id, Some(update.status.state)),
            StreamResponse::ArtifactUpdate(update) => (&update.task_id, self.state),
        };
        self.message = None;
        let known = self.task.get_or_insert_with(|| id.clone());
        if known != id {
            let reason = format!("the stream of task {known} speaks of task {id}");
            return Err(Error::bad("SubscribeToTask", self.client.url(), reason));
        }
        // A message to a task that waits is answered first with the task as it was waiting.
        self.state = state.filter(|state| !(stale && state.is_interrupted()));
        if state.is_some_and(TaskState::is_terminal) {
            self.link = Link::Done;
        }
        Ok(())
    }

    /// Whether a subscriber wants to see more of a task that waits.
    fn goes_on(&self) -> bool {
        self.subscribed && self.state.is_some_and(TaskState::is_interrupted)
    }

    /// The connection is gone, in due form when there is no error. That is the end when the task
    /// has settled, and an outage otherwise; to a subscriber a broken connection is always one.
    fn lose(&mut self, error: Option<Error>) -> Result<Option<Numbered>, Error> {
        if self.has_settled() && !(self.subscribed && error.is_some()) {
            self.link = Link::Done;
            if self.patchy && !self.goes_on() {
                self.look_instead();
            }
            return Ok(None);
        }
        let error = error.unwrap_or_else(|| match &self.task {
            Some(task) => Error::Cut { task: task.clone() },
            None => Error::Empty,
        });
        if self.task.is_none() && self.message.is_none() {
            return Err(error);
        }
        self.reconnect(error)
    }

    /// Plans the next try, unless there were enough.
    fn reconnect(&mut self, error: Error) -> Result<Option<Numbered>, Error> {
        if let Link::Live(live) = &self.link {
            // Numbered events can be had again, also those of a task that has ended.
            self.fruitless = live.untouched && self.last.is_none();
            if live.feed.since.elapsed() >= HEALTHY {
                self.tries.progress();
            }
        }
        self.link = Link::Down(Instant::now() + self.wait(error)?);
        Ok(None)
    }

    /// How long to wait before the next try, unless there were enough.
    fn wait(&mut self, error: Error) -> Result<Duration, Error> {
        if let Some(wait) = self.client.retry(&mut self.tries, &error) {
            return Ok(wait);
        }
        let Some(task) = self.task.clone() else { return Err(error) };
        let attempts = self.tries.made();
        Err(Error::GaveUp { task, attempts, last: Box::new(error) })
    }

    /// Events are missing. An agent that was just asked for them does not have them.
    fn miss(&mut self, expected: u64, got: u64) -> Result<Option<Numbered>, Error> {
        let task = self.task.clone().expect("a numbered event named the task before this one");
        let asked =
            matches!(&self.link, Link::Live(live) if live.cursor.is_some() && !live.numbered);
        let error = Error::Gap { task, expected, got };
        if asked { Err(error) } else { self.reconnect(error) }
    }

    async fn resume(&mut self) -> Result<Option<Numbered>, Error> {
        let Some(task) = self.task.clone() else { return self.say_again().await };
        // Some agents refuse to follow a task that has ended by breaking the stream off.
        if std::mem::take(&mut self.fruitless)
            && let Ok(looked) = self.client.look_at(&task).await
            && looked.status.state.is_terminal()
        {
            self.look_instead();
            return self.saw(looked);
        }
        match self.client.resubscribe(&task, self.last).await {
            Ok(feed) => {
                self.link = Link::Live(Live::new(feed, self.last, false));
                self.patchy |= self.last.is_none();
                Ok(None)
            }
            Err(error) if error.may_mean_ended() || error.means_no_streams() => {
                let looked = self.client.look_at(&task).await;
                self.conclude(looked)
            }
            Err(error) if error.may_pass() => self.lose(Some(error)),
            Err(error) => Err(error),
        }
    }

    /// Says the message again, which finds what came of the first time.
    async fn say_again(&mut self) -> Result<Option<Numbered>, Error> {
        let message = self.message.as_mut().expect("only what may be repeated is tried again");
        match self.client.open(self.client.endpoint(), message, None).await {
            Ok(feed) => {
                self.link = Link::Live(Live::new(feed, None, true));
                Ok(None)
            }
            Err(error) if error.may_pass() => self.lose(Some(error)),
            Err(error) => Err(error),
        }
    }

    /// The task's final state stands for the events that were missed. While there is none, the task
    /// is looked at further: its agent does not let it be followed.
    fn conclude(&mut self, looked: Result<Task, Error>) -> Result<Option<Numbered>, Error> {
        match looked {
            Ok(task) => {
                self.look_instead();
                self.saw(task)
            }
            Err(error) if error.may_pass() => self.lose(Some(error)),
            Err(error) => Err(error),
        }
    }

    async fn look(&mut self) -> Result<Option<Numbered>, Error> {
        let task = self.task.clone().expect("only a known task is looked at");
        match self.client.look_at(&task).await {
            Ok(task) => self.saw(task),
            Err(error) if error.may_pass() => {
                let wait = self.wait(error)?;
                if let Link::Looking(looking, _) = &mut self.link {
                    looking.put_off(wait);
                }
                Ok(None)
            }
            // How it ended has been told, and the agent keeps no more of it.
            Err(_) if self.state.is_some_and(TaskState::is_terminal) => {
                self.link = Link::Done;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes what a look has shown.
    fn saw(&mut self, task: Task) -> Result<Option<Numbered>, Error> {
        let Link::Looking(looking, _) = &mut self.link else { return Ok(None) };
        let Look { is_news, state } = looking.saw(&task);
        self.patchy = false;
        self.tries.progress();
        let item = StreamResponse::Task(task);
        self.note(&item, state.is_none())?;
        if state.is_some_and(TaskState::is_interrupted) && !self.subscribed {
            self.link = Link::Done;
        }
        Ok(is_news.then_some((None, item)))
    }
}
