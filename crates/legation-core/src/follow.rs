//! Reading a task's log as it grows: the one way for every kind of reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use legation_model::{A2aError, Event, TaskState};

use crate::Document;
use crate::extension::Seen;
use crate::live::{Frames, Live, Registration};
use crate::service::{Core, StreamGuard};
use crate::standing::Watch;
use crate::store::{Seq, StoreError};

/// How much of the log a reader that is behind takes at once, in bytes.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// One item of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The number of the event, by which a reader resumes; `None` for a header before a replay.
    pub seq: Option<Seq>,
    /// A 1.0 stream response.
    pub json: Document,
}

/// When a reader has seen enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// At the end of the turn: the task ended or asks for input (Spec 11.7).
    Settled,
    /// At the end of the task (Spec 3.1.6).
    Ended,
}

impl Until {
    pub(crate) fn closes(self, state: TaskState) -> bool {
        match self {
            // A credential that arrives out of band lets the run go on, so the stream stays.
            Self::Settled => state.is_terminal() || state == TaskState::InputRequired,
            Self::Ended => state.is_terminal(),
        }
    }
}

/// A reader of one task's log: every event after a number, in order, without gap or repetition.
///
/// It ends when the task has settled or ended, or when the server stops; in that case
/// [`Follow::interrupted_at`] says from where another one goes on. A slow reader holds a bounded piece of the log.
pub struct Follow {
    opening: VecDeque<Item>,
    /// Nothing when the opening is all there is.
    log: Option<Log>,
    /// The extensions that see every item, if any.
    seen: Option<Box<Seen>>,
    /// The reader's credentials, if they may end.
    watch: Option<Box<Watch>>,
}

/// A place in the log of a live task.
struct Log {
    core: Arc<Core>,
    live: Arc<Live>,
    until: Until,
    cursor: Seq,
    ready: VecDeque<(Seq, Bytes)>,
    registration: Registration,
    reading: Option<Reading>,
    /// Whether it ended because the service stops.
    interrupted: bool,
    _guard: StreamGuard,
}

type Reading = BoxFuture<'static, Result<Vec<(Seq, Bytes)>, StoreError>>;

impl Follow {
    /// Follows a task from an event on, after an opening item.
    pub(crate) fn new(
        core: &Arc<Core>,
        live: Arc<Live>,
        opening: Option<Item>,
        after: Seq,
        until: Until,
    ) -> Result<Self, A2aError> {
        let guard = core.count_stream()?;
        live.add_reader();
        let log = Log {
            core: core.clone(),
            live,
            until,
            cursor: after,
            ready: VecDeque::new(),
            registration: Registration::default(),
            reading: None,
            interrupted: false,
            _guard: guard,
        };
        Ok(Self { opening: opening.into_iter().collect(), log: Some(log), seen: None, watch: None })
    }

    /// A stream of these items.
    pub(crate) fn only(items: impl IntoIterator<Item = Item>) -> Self {
        Self { opening: items.into_iter().collect(), log: None, seen: None, watch: None }
    }

    /// The same stream, each item of which extensions see first.
    pub(crate) fn seen_by(self, seen: Seen) -> Self {
        Self { seen: Some(Box::new(seen)), ..self }
    }

    /// The same stream, which ends with the credentials of its reader.
    pub(crate) fn watched(self, watch: Option<Watch>) -> Self {
        Self { watch: watch.map(Box::new), ..self }
    }

    /// The number of the last event handed out or covered by the opening item.
    pub fn cursor(&self) -> Option<Seq> {
        self.log.as_ref().map(|log| log.cursor).filter(|cursor| *cursor > 0)
    }

    /// The number behind which the items are that have numbers: they follow one by one. Nothing when
    /// there is no log to follow.
    pub fn begins_behind(&self) -> Option<Seq> {
        let log = self.log.as_ref()?;
        Some(log.cursor - self.opening.iter().filter_map(|item| item.seq).count() as Seq)
    }

    /// From where another one goes on, when this one ended because the service stops.
    pub fn interrupted_at(&self) -> Option<Seq> {
        self.log.as_ref().filter(|log| log.interrupted).map(|log| log.cursor)
    }
}

impl Log {
    fn hand_out(&mut self, seq: Seq, json: Bytes) -> Result<Item, A2aError> {
        if seq != self.cursor + 1 {
            let gap = StoreError::damaged(format!("event {seq} follows event {}", self.cursor));
            return Err(gap.into());
        }
        self.cursor = seq;
        Ok(Item { seq: Some(seq), json: frame(json)? })
    }

    fn read(&self) -> Reading {
        let (core, live, after) = (self.core.clone(), self.live.clone(), self.cursor);
        Box::pin(async move { core.store.entries(&live.scope, live.key, after, READ_BYTES).await })
    }
}

/// The stream response of a stored event: the event itself unless it carries an effect.
fn frame(json: Bytes) -> Result<Document, A2aError> {
    let document = Document::from_stored(json);
    if !document.bytes().starts_with(b"{\"effect\"") {
        return Ok(document);
    }
    let event: Event = document.read()?;
    Ok(Document::write(&event.update))
}

impl Stream for Follow {
    type Item = Result<Item, A2aError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let over = self.watch.as_mut().map(|watch| watch.poll_over(cx));
        if let Some(Poll::Ready(error)) = over {
            self.watch = None;
            self.opening.clear();
            let open = self.log.take().is_some();
            return Poll::Ready(open.then_some(Err(error)));
        }
        let item = match self.opening.pop_front() {
            Some(opening) => Some(Ok(opening)),
            None => match self.log.as_mut().map(|log| log.poll_next(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(item)) => item,
                None => None,
            },
        };
        let item = match &self.seen {
            Some(seen) => item.map(|item| item.and_then(|item| seen.item(item))),
            None => item,
        };
        if let Some(Err(_)) = item {
            // Nothing comes after an error.
            self.log = None;
        }
        Poll::Ready(item)
    }
}

impl Log {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Item, A2aError>>> {
        loop {
            if let Some((seq, json)) = self.ready.pop_front() {
                return Poll::Ready(Some(self.hand_out(seq, json)));
            }
            if let Some(reading) = &mut self.reading {
                let Poll::Ready(read) = reading.as_mut().poll(cx) else { return Poll::Pending };
                self.reading = None;
                match read {
                    Ok(entries) if entries.is_empty() => return Poll::Ready(None),
                    Ok(entries) => self.ready.extend(entries),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
                continue;
            }
            let until = self.until;
            let found = self.live.poll_frames(
                cx,
                &mut self.registration,
                self.cursor,
                |state| until.closes(state),
                &mut self.ready,
            );
            match found {
                // Only when there is nothing more to hand out, and after the waker is known: the
                // service wakes all readers once it is closing.
                Poll::Pending if self.core.closing.is_cancelled() => {
                    self.interrupted = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Frames::Ready)) => {}
                Poll::Ready(Ok(Frames::Behind)) => self.reading = Some(self.read()),
                Poll::Ready(Ok(Frames::End)) => return Poll::Ready(None),
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.live.remove_reader();
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let task = self.log.as_ref().map(|log| &log.live.id);
        let mut follow = f.debug_struct("Follow");
        follow.field("task", &task).field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}
