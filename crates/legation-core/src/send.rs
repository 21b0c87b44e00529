//! Sending: a message begins a task or goes on with one; and cancelling, which ends one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use legation_model::{
    A2aError, CancelTaskRequest, ContextId, ErrorKind, Message, SendMessageRequest, Task, TaskId,
    TaskState, TaskStatus, Timestamp,
};

use crate::call::{Call, Reply};
use crate::follow::{Follow, Item, Until};
use crate::idempotency::Turnout;
use crate::live::{Live, Refusal};
use crate::run::{self, Job};
use crate::service::Core;
use crate::store::{Birth, Idempotency, Seq};
use crate::turn::Ask;
use crate::{Document, Exposed, Scope, idempotency, page};

/// How long a cancellation waits beyond an agent's grace before it answers with the task as it is.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// What a message has led to.
enum Begun {
    /// A new task is at work on it.
    Created(Arc<Live>),
    /// A task that was there goes on with it: with the message's event it was like this.
    Continued(Arc<Live>, Seq, Task),
    /// The same message came before; its task is this one.
    Before(Arc<Live>),
    /// The agent answered at once.
    Message(Document),
}

/// Sends a message and waits until the task settles (Spec 3.1.1, 3.2.2).
pub(crate) async fn send(
    core: &Arc<Core>,
    call: &Call,
    request: SendMessageRequest,
) -> Result<Reply, A2aError> {
    let history = request.configuration.history_length;
    let at_once = request.configuration.return_immediately;
    let scope = core.scope(call);
    let (live, seq) = match begin(core, call, request).await? {
        Begun::Message(message) => return Ok(Reply::SentMessage(message)),
        Begun::Before(live) => (live, None),
        Begun::Created(live) => (live, Some(1)),
        Begun::Continued(live, seq, _) => (live, Some(seq)),
    };
    // What is known without asking the store again, if anything.
    let settled = async {
        match seq {
            _ if at_once => live.durable_to(seq.unwrap_or(1)).await.map(|()| None),
            Some(seq) => live.settled_after(seq).await.map(Some),
            None => live.settled().await.map(|()| None),
        }
    };
    let document = tokio::select! {
        biased;
        settled = settled => settled?,
        () = core.closing.cancelled() => None,
        () = tokio::time::sleep(core.limits.blocking_wait) => None,
    };
    match document {
        Some(document) => page::trim(document, history).map(Reply::SentTask),
        None => {
            live.durable_to(seq.unwrap_or(1)).await?;
            page::read(core, &scope, &live.id, history).await.map(Reply::SentTask)
        }
    }
}

/// Sends a message and follows what happens (Spec 3.1.2).
pub(crate) async fn stream(
    core: &Arc<Core>,
    call: &Call,
    request: SendMessageRequest,
) -> Result<Reply, A2aError> {
    let history = request.configuration.history_length;
    let (live, seq, task) = match begin(core, call, request).await? {
        Begun::Message(message) => {
            let json = page::as_stream_response("message", &message);
            return Ok(Reply::Stream(Follow::only(json)));
        }
        Begun::Before(live) | Begun::Created(live) => (live, 1, None),
        Begun::Continued(live, seq, task) => (live, seq, Some(task)),
    };
    // Before the answer begins, so that a store that refuses is an error and not a cut stream.
    live.durable_to(seq).await?;
    let Some(task) = task else {
        // The log begins with the task itself, which is what a stream has to begin with.
        return Follow::new(core, live, None, 0, Until::Settled).map(Reply::Stream);
    };
    let task = page::trim(Document::write(&task), history)?;
    let opening = Item { seq: Some(seq), json: page::as_stream_response("task", &task) };
    Follow::new(core, live, Some(opening), seq, Until::Settled).map(Reply::Stream)
}

/// Cancels a task and gives it as it is then (Spec 3.1.5).
pub(crate) async fn cancel(
    core: &Arc<Core>,
    call: &Call,
    request: &CancelTaskRequest,
) -> Result<Reply, A2aError> {
    let scope = core.scope(call);
    let live = core.live(&scope, &request.id).await?;
    let state = live.current_state();
    if state.is_terminal() {
        live.all_durable().await?;
        return Err(not_cancelable(&live, state));
    }
    if live.cancel_run() {
        let grace = core
            .agent(live.scope.agent.as_deref())
            .map_or(Duration::ZERO, |exposed| exposed.agent.stop_grace());
        // When the agent holds on longer, the answer is the task as it is.
        if let Ok(ended) = tokio::time::timeout(grace + CANCEL_WAIT, live.idle()).await {
            ended?;
        }
    }
    if !live.current_state().is_terminal() {
        // Nobody was at work, or the run ended in a question meanwhile.
        live.emit(&live.status(TaskState::Canceled, None)).map_err(|refusal| match refusal {
            Refusal::Ended(state) => not_cancelable(&live, state),
            Refusal::Bound(_) | Refusal::Store(_) => refused(&live, refusal),
        })?;
        live.flush();
    }
    live.all_durable().await?;
    let (_, state) = live.committed();
    if state.is_terminal() && state != TaskState::Canceled {
        return Err(not_cancelable(&live, state));
    }
    page::read(core, &scope, &live.id, None).await.map(Reply::Task)
}

fn not_cancelable(live: &Live, state: TaskState) -> A2aError {
    let text = format!("task `{}` has already ended as {}", live.id, state.name());
    A2aError::new(ErrorKind::TaskNotCancelable, text).with("taskId", live.id.as_str())
}

async fn begin(
    core: &Arc<Core>,
    call: &Call,
    request: SendMessageRequest,
) -> Result<Begun, A2aError> {
    core.admit()?;
    if request.configuration.task_push_notification_config.is_some() {
        let text = "this agent sends no push notifications; leave taskPushNotificationConfig out";
        return Err(A2aError::new(ErrorKind::PushNotificationNotSupported, text));
    }
    let parts = request.message.parts.len();
    if parts > core.limits.parts {
        let text = format!("must hold at most {} parts, not {parts}", core.limits.parts);
        return Err(A2aError::invalid("message.parts", text));
    }
    let references = request.message.reference_task_ids.len();
    if references > core.limits.references {
        let text = format!("must name at most {} tasks", core.limits.references);
        return Err(A2aError::invalid("message.referenceTaskIds", text));
    }
    match &request.message.task_id {
        Some(id) => {
            let live = core.live(&core.scope(call), id).await?;
            go_on(core, call, live, request).await
        }
        None => create(core, call, request).await,
    }
}

/// A message to a task that exists.
async fn go_on(
    core: &Arc<Core>,
    call: &Call,
    live: Arc<Live>,
    request: SendMessageRequest,
) -> Result<Begun, A2aError> {
    let SendMessageRequest { mut message, configuration, metadata, .. } = request;
    let exposed = core.agent(live.scope.agent.as_deref()).ok_or_else(|| gone(&live))?;
    check_modes(exposed, &message)?;
    if message.context_id.as_ref().is_some_and(|context| *context != live.context_id) {
        let text = format!("task `{}` belongs to context `{}`", live.id, live.context_id);
        return Err(A2aError::invalid("message.contextId", text));
    }
    references(core, call, &message, Some(&live.context_id)).await?;
    message.context_id = Some(live.context_id.clone());
    if call.idempotency_key.is_some() && live.task().history.contains(&message) {
        return Ok(Begun::Before(live));
    }
    let place = core.count_run();
    let (seq, task, waiting) = match live.receive(message, &core.halt) {
        Ok(received) => received,
        Err(refusal) => {
            // A refusal may tell of an end that is not durable yet.
            live.all_durable().await?;
            return Err(refused(&live, refusal));
        }
    };
    live.flush();
    if let Some(waiting) = waiting {
        let ask = Ask { accepted_output_modes: configuration.accepted_output_modes, metadata };
        let (message, stop) = (waiting.message, waiting.stop);
        let exposed = exposed.clone();
        let job = Job { stop, live: live.clone(), exposed, message, ask, attempt: 1 };
        run::start(core, job, place);
    }
    Ok(Begun::Continued(live, seq, task))
}

/// A message that begins a task.
async fn create(
    core: &Arc<Core>,
    call: &Call,
    request: SendMessageRequest,
) -> Result<Begun, A2aError> {
    let exposed = core.agent(call.agent.as_deref());
    let exposed = exposed
        .ok_or_else(|| A2aError::new(ErrorKind::MethodNotFound, "there is no such agent here"))?;
    check_modes(exposed, &request.message)?;
    let referenced = references(core, call, &request.message, None).await?;
    let id = TaskId::generate();
    let scope = Scope { agent: Some(exposed.profile.slug.clone()), ..core.scope(call) };
    let claim = match idempotency::of(call, &request) {
        None => None,
        Some(marked) => match idempotency::claim(core, &scope, marked).await? {
            Turnout::First(claim) => Some(claim),
            Turnout::Repeat(before) => return Ok(Begun::Before(before)),
        },
    };
    let SendMessageRequest { mut message, configuration, metadata, .. } = request;
    let context_id = message.context_id.clone().or(referenced).unwrap_or_else(ContextId::generate);
    message.context_id = Some(context_id.clone());
    let answer = AssertUnwindSafe(exposed.agent.reply(&message)).catch_unwind().await;
    let answer = answer.map_err(|_| {
        tracing::error!(agent = &*exposed.profile.slug, "agent panicked in its direct answer");
        A2aError::new(ErrorKind::InvalidAgentResponse, "the agent crashed")
    })?;
    if let Some(mut answer) = answer {
        answer.context_id = Some(context_id);
        return Ok(Begun::Message(Document::write(&answer)));
    }
    message.task_id = Some(id.clone());
    let idempotency = claim.as_ref().map(|claim| claim.idempotency.clone());
    let live = new_task(core, scope, id, context_id, message.clone(), idempotency);
    if let Some(claim) = claim {
        claim.settle(&live);
    }
    let ask = Ask { accepted_output_modes: configuration.accepted_output_modes, metadata };
    let stop = live.begin_run(&core.halt).expect("nobody else knows the task yet");
    let job = Job { stop, live: live.clone(), exposed: exposed.clone(), message, ask, attempt: 1 };
    run::start(core, job, core.count_run());
    Ok(Begun::Created(live))
}

fn new_task(
    core: &Core,
    scope: Scope,
    id: TaskId,
    context_id: ContextId,
    message: Message,
    idempotency: Option<Idempotency>,
) -> Arc<Live> {
    let created_at = Timestamp::now();
    let task = Task {
        id: id.clone(),
        context_id: Some(context_id.clone()),
        status: TaskStatus {
            state: TaskState::Submitted,
            message: None,
            timestamp: Some(created_at),
        },
        artifacts: Vec::new(),
        history: vec![message],
        metadata: None,
    };
    let birth = Box::new(Birth { scope, id, context_id, created_at, idempotency });
    let live = Live::create(core.home(), core.store.next_key(), birth, task);
    core.registry.insert(Arc::new(live))
}

/// Refuses parts of a media type that the agent does not take (Spec 3.3.2).
fn check_modes(exposed: &Exposed, message: &Message) -> Result<(), A2aError> {
    let modes = &exposed.profile.input_modes;
    for (at, part) in message.parts.iter().enumerate() {
        let Some(kind) = &part.media_type else { continue };
        if !modes.iter().any(|mode| takes(mode, kind)) {
            let text = format!(
                "message.parts[{at}].mediaType: `{kind}` is not taken here; send one of {}",
                modes.join(", ")
            );
            return Err(A2aError::new(ErrorKind::ContentTypeNotSupported, text));
        }
    }
    Ok(())
}

/// Whether a mode such as `text/*` covers a media type; parameters do not count.
fn takes(mode: &str, kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    match mode.strip_suffix("/*") {
        Some("*") => true,
        Some(family) => kind.split('/').next().is_some_and(|got| got.eq_ignore_ascii_case(family)),
        None => mode.eq_ignore_ascii_case(kind),
    }
}

/// Checks that referenced tasks are the caller's and of one context; gives that context.
async fn references(
    core: &Core,
    call: &Call,
    message: &Message,
    context: Option<&ContextId>,
) -> Result<Option<ContextId>, A2aError> {
    let mut shared = context.or(message.context_id.as_ref()).cloned();
    for (at, id) in message.reference_task_ids.iter().enumerate() {
        let field = || format!("message.referenceTaskIds[{at}]");
        let found = core.store.load(&core.scope(call), id).await?;
        let found =
            found.ok_or_else(|| A2aError::invalid(field(), format!("task `{id}` not found")))?;
        let theirs = found.task()?.context_id;
        if shared.is_some() && shared != theirs {
            let text = format!("task `{id}` belongs to another context");
            return Err(A2aError::invalid(field(), text));
        }
        shared = theirs;
    }
    Ok(shared)
}

fn refused(live: &Live, refusal: Refusal) -> A2aError {
    match refusal {
        Refusal::Ended(state) => {
            let text = format!(
                "task `{}` has ended as {}; begin a new task in context `{}`",
                live.id,
                state.name(),
                live.context_id
            );
            A2aError::new(ErrorKind::UnsupportedOperation, text).with("taskId", live.id.as_str())
        }
        Refusal::Bound(text) => A2aError::invalid("message", text),
        Refusal::Store(error) => error.into(),
    }
}

fn gone(live: &Live) -> A2aError {
    let text = format!("the agent of task `{}` is no longer served here", live.id);
    A2aError::new(ErrorKind::UnsupportedOperation, text).with("taskId", live.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_cover_media_types() {
        let cases = [
            ("text/plain", "text/plain", true),
            ("text/plain", "Text/Plain; charset=utf-8", true),
            ("text/*", "text/csv", true),
            ("*/*", "image/png", true),
            ("text/plain", "text/csv", false),
            ("text/*", "texts/csv", false),
        ];
        for (mode, kind, expected) in cases {
            assert_eq!(takes(mode, kind), expected, "{mode} {kind}");
        }
    }
}
