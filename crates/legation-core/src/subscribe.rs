//! Subscribing to a task: from now on, or from an event that the caller has seen.

use std::sync::Arc;

use legation_model::{
    A2aError, ErrorKind, Event, StreamResponse, SubscribeToTaskRequest, TaskStatus,
    TaskStatusUpdateEvent, Update,
};

use crate::call::{Call, Reply};
use crate::follow::{Follow, Item, READ_BYTES, Until};
use crate::live::Live;
use crate::service::Core;
use crate::store::{Seq, StoreError};
use crate::{Document, page};

/// Follows a task, from now on or from an event the caller has seen (Spec 3.1.6).
pub(crate) async fn subscribe(
    core: &Arc<Core>,
    call: &Call,
    request: &SubscribeToTaskRequest,
) -> Result<Reply, A2aError> {
    let live = core.live(&core.scope(call), &request.id).await?;
    let until = if call.manners.streams_end_at_rest { Until::Settled } else { Until::Ended };
    if let Some(after) = call.last_event {
        return from_event(core, live, after, until).await.map(Reply::Stream);
    }
    let (_, state) = live.committed();
    if state.is_terminal() && !call.manners.streams_end_at_rest {
        let text = format!("task `{}` has ended as {}; get it instead", live.id, state.name());
        let error = A2aError::new(ErrorKind::UnsupportedOperation, text);
        return Err(error.with("taskId", live.id.as_str()));
    }
    from_now(core, live, until).await.map(Reply::Stream)
}

/// Follows a task from its present state on, which is the opening item. Where the reader has seen
/// enough with that, the status comes once more, because readers wait for a status to end on.
pub(crate) async fn from_now(
    core: &Arc<Core>,
    live: Arc<Live>,
    until: Until,
) -> Result<Follow, A2aError> {
    let stored = core.store.load(&live.scope, &live.id).await?;
    let stored = stored.ok_or_else(|| A2aError::task_not_found(live.id.as_str()))?;
    let json = page::as_stream_response("task", &page::document(&stored)?);
    let opening = Item { seq: Some(stored.seq), json };
    if until == Until::Settled && until.closes(stored.state) {
        return Ok(Follow::only([opening, status_once_more(&live, stored.task()?.status)]));
    }
    Follow::new(core, live, Some(opening), stored.seq, until)
}

/// Follows a task from an event that the caller has seen. A header with the task as it was then
/// comes first, because a stream has to begin with a task; it has no artifacts and no history, so
/// that nothing the caller already has is told twice.
async fn from_event(
    core: &Arc<Core>,
    live: Arc<Live>,
    after: Seq,
    until: Until,
) -> Result<Follow, A2aError> {
    let (mut last, mut state) = live.committed();
    if after > last {
        // A reader of another replica may have been told more than this one has heard of.
        core.catch_up(&live, after).await?;
        (last, state) = live.committed();
    }
    if after > last {
        let text = format!("event {after} is not yet: the task's last is {last}");
        return Err(A2aError::invalid("Last-Event-ID", text));
    }
    let opening = Item { seq: None, json: header(core, &live, after).await? };
    if until == Until::Settled && after == last && until.closes(state) {
        let status = live.task().status;
        return Ok(Follow::only([opening, status_once_more(&live, status)]));
    }
    Follow::new(core, live, Some(opening), after, until)
}

/// The status that a task is in, as the last item of a stream that has nothing else to tell.
fn status_once_more(live: &Live, status: TaskStatus) -> Item {
    let status = StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
        task_id: live.id.clone(),
        context_id: live.context_id.clone(),
        status,
        metadata: None,
    });
    Item { seq: None, json: Document::write(&status) }
}

/// The task as of an event, without artifacts and history. Before the first event there is no task,
/// so the header of a whole replay is the task as it was created.
async fn header(core: &Core, live: &Live, at: Seq) -> Result<Document, A2aError> {
    let (mut task, status_since) = live.task_and_status_since();
    task.artifacts.clear();
    task.history.clear();
    // Most readers were cut off in the task's present status, for which nothing has to be read.
    if at < status_since {
        task.status = status_at(core, live, at.max(1)).await?;
    }
    Ok(Document::write(&StreamResponse::Task(task)))
}

/// The status in force at an event: that of the last status event up to there.
async fn status_at(core: &Core, live: &Live, at: Seq) -> Result<TaskStatus, A2aError> {
    let (mut seen, mut status) = (0, None);
    while seen < at {
        let entries = core.store.entries(&live.scope, live.key, seen, READ_BYTES).await?;
        let Some((last, _)) = entries.last() else { break };
        let reached = *last;
        let wanted = entries.into_iter().take_while(|(seq, _)| *seq <= at);
        // Chunks are most of a long log and say nothing of the status: they are not parsed.
        let told = wanted.filter(|(_, entry)| !entry.starts_with(b"{\"artifactUpdate\""));
        if let Some((_, entry)) = told.last() {
            let event: Event = Document::from_stored(entry).read()?;
            status = match event.update {
                Update::Task(first) => Some(first.status),
                Update::StatusUpdate(update) => Some(update.status),
                Update::ArtifactUpdate(_) => status,
            };
        }
        seen = reached;
    }
    let missing = || StoreError::damaged("a log that does not begin with the task");
    Ok(status.ok_or_else(missing)?)
}
