//! How a caller learns what becomes of a task: by a stream, by looking at it again and again, or by
//! being told (Spec 3.1.6, 3.2.2, 4.3).

use std::time::Duration;

use legation_model::{Task, TaskId, TaskPushNotificationConfig, TaskState, TaskStatus};
use tokio::time::Instant;

use crate::patience::jitter;
use crate::receiver::{Receiver, Registration};

/// How a caller learns what becomes of a task. Whichever it is, [`Events`](crate::Events) says it.
#[derive(Clone, Debug, Default)]
pub enum Updates {
    /// By a stream: everything, at once. Of an agent that has no streams by looking at the task.
    #[default]
    Streaming,
    /// By looking at the task: what it has become, each time it has changed. For where connections do
    /// not last.
    Polling(Pace),
    /// By webhook: the agent says that there is news, and the task is looked at. For tasks that take
    /// hours, and for callers that a gateway separates from the agent.
    Push(Push),
}

/// How often a task is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause after news.
    pub first: Duration,
    /// The longest pause. Pauses double for as long as there is no news.
    pub longest: Duration,
}

impl Default for Pace {
    /// Between a quarter of a second and ten seconds.
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

/// How a caller is told.
#[derive(Clone, Debug)]
pub struct Push {
    /// Who listens.
    pub receiver: Receiver,
    /// How often the task is looked at although nobody said that there is news: a notification may be
    /// lost.
    pub check: Duration,
}

impl Push {
    /// By this receiver, with a look at the task every minute.
    pub const fn by(receiver: Receiver) -> Self {
        Self { receiver, check: Duration::from_secs(60) }
    }
}

/// A task that is looked at.
#[derive(Debug)]
pub(crate) struct Looking {
    pace: Pace,
    pause: Duration,
    /// When to look next, unless there is news before.
    at: Instant,
    news: Option<Registration>,
    /// How the task was when it was last looked at.
    seen: Option<Task>,
    /// How the task stood before the message that is answered: it says nothing of the answer.
    before: Option<TaskStatus>,
}

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) is_news: bool,
    /// Where the task stands; `None` when it stands where it stood before the message.
    pub(crate) state: Option<TaskState>,
}

impl Looking {
    /// Looks at this pace, at once.
    pub(crate) fn at_pace(pace: Pace) -> Self {
        let at = Instant::now();
        Self { pace, pause: pace.first, at, news: None, seen: None, before: None }
    }

    /// Looks when there is news, and at once.
    pub(crate) fn when_told(news: Registration, check: Duration) -> Self {
        let pace = Pace { first: check, longest: check };
        Self { news: Some(news), ..Self::at_pace(pace) }
    }

    /// What the agent has to know to tell of the task; `None` where nobody is to be told.
    pub(crate) fn config(&mut self, task: Option<&TaskId>) -> Option<TaskPushNotificationConfig> {
        let news = self.news.as_mut()?;
        if let Some(task) = task {
            news.is_of(task);
        }
        Some(news.config())
    }

    /// Takes how a task stood for how it stood before a message.
    pub(crate) fn after(self, before: Option<TaskStatus>) -> Self {
        Self { before, ..self }
    }

    /// Waits for the next look.
    ///
    /// # Cancel safety
    /// Safe: what there was to be told is not lost.
    pub(crate) async fn due(&mut self) {
        match &mut self.news {
            None => tokio::time::sleep_until(self.at).await,
            Some(news) => tokio::select! {
                () = tokio::time::sleep_until(self.at) => {}
                () = news.rung() => self.at = Instant::now(),
            },
        }
    }

    /// Puts the next look off.
    pub(crate) fn put_off(&mut self, wait: Duration) {
        self.at = Instant::now() + wait;
    }

    /// Notes how the task is now, and plans the next look.
    pub(crate) fn saw(&mut self, task: &Task) -> Look {
        let is_news = self.seen.as_ref() != Some(task);
        if is_news {
            self.seen = Some(task.clone());
        }
        if self.before.as_ref() != Some(&task.status) {
            self.before = None;
        }
        let doubled = self.pause.saturating_mul(2).min(self.pace.longest);
        self.pause = if is_news { self.pace.first } else { doubled };
        self.put_off(jitter(self.pause));
        if let Some(news) = &mut self.news {
            news.is_of(&task.id);
        }
        Look { is_news, state: self.before.is_none().then_some(task.status.state) }
    }
}
