//! Reading a task's log as it grows: the one way for every kind of reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use legation_model::{
    A2aError, ErrorKind, Event, StreamResponse, SubscribeToTaskRequest, TaskState, Update,
};

use crate::call::{Call, Reply};
use crate::live::{Frames, Live, Registration};
use crate::service::{Core, StreamGuard};
use crate::store::{Seq, StoreError};
use crate::{Document, Scope, page};

/// How much of the log a reader that is behind takes at once, in bytes.
const READ_BYTES: usize = 64 << 10;

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
    fn closes(self, state: TaskState) -> bool {
        match self {
            // A credential that arrives out of band lets the run go on, so the stream stays.
            Self::Settled => state.is_terminal() || state == TaskState::InputRequired,
            Self::Ended => state.is_terminal(),
        }
    }
}

/// A reader of one task's log: every event after a number, in order, without gap or repetition.
///
/// It ends when the task has settled or ended, or when the server stops; [`Follow::cursor`] then
/// says from where another one goes on. A slow reader holds a bounded piece of the log.
pub struct Follow {
    core: Arc<Core>,
    live: Arc<Live>,
    until: Until,
    cursor: Seq,
    opening: Option<Item>,
    ready: VecDeque<(Seq, Bytes)>,
    registration: Registration,
    reading: Option<Reading>,
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
        Ok(Self {
            core: core.clone(),
            live,
            until,
            cursor: after,
            opening,
            ready: VecDeque::new(),
            registration: Registration::default(),
            reading: None,
            _guard: guard,
        })
    }

    /// Follows a task from its present state on, which is the opening item.
    pub(crate) async fn from_now(
        core: &Arc<Core>,
        scope: &Scope,
        live: Arc<Live>,
        history: Option<i32>,
        until: Until,
    ) -> Result<Self, A2aError> {
        let stored = core.store.load(scope, &live.id).await?;
        let stored = stored.ok_or_else(|| A2aError::task_not_found(live.id.as_str()))?;
        let task = page::trim(page::document(&stored)?, history)?;
        let opening = Item { seq: Some(stored.seq), json: page::as_stream_response(&task) };
        Self::new(core, live, Some(opening), stored.seq, until)
    }

    /// Follows a task from an event that the caller has seen. A header with the task as it was then
    /// comes first, because a stream has to begin with a task; it has no artifacts and no history,
    /// so that nothing the caller already has is told twice.
    async fn from_event(core: &Arc<Core>, live: Arc<Live>, after: Seq) -> Result<Self, A2aError> {
        let (last, _) = live.committed();
        if after > last {
            let text = format!("event {after} is not yet: the task's last is {last}");
            return Err(A2aError::invalid("Last-Event-ID", text));
        }
        let header = header(core, &live, after).await?;
        let opening = Item { seq: None, json: header };
        Self::new(core, live, Some(opening), after, Until::Ended)
    }

    /// The number of the last event handed out or covered by the opening item.
    pub fn cursor(&self) -> Option<Seq> {
        (self.cursor > 0).then_some(self.cursor)
    }

    fn hand_out(&mut self, seq: Seq, json: Bytes) -> Result<Item, A2aError> {
        if seq != self.cursor + 1 {
            let gap = StoreError::damaged(format!("event {seq} follows event {}", self.cursor));
            return Err(gap.into());
        }
        self.cursor = seq;
        Ok(Item { seq: Some(seq), json: frame(json)? })
    }

    fn read_log(&self) -> Reading {
        let (core, live, after) = (self.core.clone(), self.live.clone(), self.cursor);
        Box::pin(async move { core.store.entries(&live.scope, live.key, after, READ_BYTES).await })
    }
}

/// Follows a task, from now on or from an event the caller has seen (Spec 3.1.6).
pub(crate) async fn subscribe(
    core: &Arc<Core>,
    call: &Call,
    request: &SubscribeToTaskRequest,
) -> Result<Reply, A2aError> {
    let scope = core.scope(call);
    let live = core.live(&scope, &request.id).await?;
    if let Some(after) = call.last_event {
        return Follow::from_event(core, live, after).await.map(Reply::Stream);
    }
    let (_, state) = live.committed();
    if state.is_terminal() {
        let text = format!("task `{}` has ended as {}; get it instead", live.id, state.name());
        let error = A2aError::new(ErrorKind::UnsupportedOperation, text);
        return Err(error.with("taskId", live.id.as_str()));
    }
    Follow::from_now(core, &scope, live, None, Until::Ended).await.map(Reply::Stream)
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

/// The task as of an event, without artifacts and history.
async fn header(core: &Core, live: &Live, at: Seq) -> Result<Document, A2aError> {
    let mut task = live.task();
    task.artifacts.clear();
    task.history.clear();
    // The status in force then is that of the last status event up to there.
    let mut seen = 0;
    while seen < at {
        let entries = core.store.entries(&live.scope, live.key, seen, READ_BYTES).await?;
        let Some((last, _)) = entries.last() else { break };
        let reached = *last;
        for (_, entry) in entries.into_iter().take_while(|(seq, _)| *seq <= at) {
            let event: Event = Document::from_stored(entry).read()?;
            match event.update {
                Update::Task(first) => task.status = first.status,
                Update::StatusUpdate(update) => task.status = update.status,
                Update::ArtifactUpdate(_) => {}
            }
        }
        seen = reached;
    }
    Ok(Document::write(&StreamResponse::Task(task)))
}

impl Stream for Follow {
    type Item = Result<Item, A2aError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(opening) = this.opening.take() {
            return Poll::Ready(Some(Ok(opening)));
        }
        loop {
            if let Some((seq, json)) = this.ready.pop_front() {
                return Poll::Ready(Some(this.hand_out(seq, json)));
            }
            if let Some(reading) = &mut this.reading {
                let Poll::Ready(read) = reading.as_mut().poll(cx) else { return Poll::Pending };
                this.reading = None;
                match read {
                    Ok(entries) if entries.is_empty() => return Poll::Ready(None),
                    Ok(entries) => this.ready.extend(entries),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
                continue;
            }
            if this.core.closing.is_cancelled() {
                return Poll::Ready(None);
            }
            let until = this.until;
            let found = this.live.poll_frames(
                cx,
                &mut this.registration,
                this.cursor,
                |state| until.closes(state),
                &mut this.ready,
            );
            match found {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Frames::Ready)) => {}
                Poll::Ready(Ok(Frames::Behind)) => this.reading = Some(this.read_log()),
                Poll::Ready(Ok(Frames::End)) => return Poll::Ready(None),
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.live.remove_reader();
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (task, cursor) = (&self.live.id, self.cursor);
        f.debug_struct("Follow")
            .field("task", task)
            .field("cursor", &cursor)
            .finish_non_exhaustive()
    }
}
