//! Sending: a message begins a task or goes on with one; and cancelling, which ends one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use legation_model::{
    A2aError, CancelTaskRequest, ContextId, ErrorKind, Message, Metadata, SendMessageConfiguration,
    SendMessageRequest, Task, TaskId, TaskState, TaskStatus, Timestamp,
};

use crate::call::{Call, Reply};
use crate::follow::{Follow, Item, Until};
use crate::idempotency::{Before, Claim, Turnout};
use crate::live::{Live, Refusal, Waiting};
use crate::replicas::{Act, Answer, Further, Owner, Wish};
use crate::run::{self, Job};
use crate::schema::Schema;
use crate::service::{Core, TRY_AGAIN};
use crate::spread::Carried;
use crate::store::{Birth, Idempotency, Seq, StoreError};
use crate::turn::{Ask, Asked};
use crate::{Caller, Document, Exposed, Scope, idempotency, page, quota, recover, subscribe};

/// How long a cancellation waits beyond an agent's grace before it answers with the task as it is.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// How often something is tried that meets what other replicas do to the same task.
const TRIES: usize = 6;

/// How long after it has met them it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The member of the metadata that names the agent a message to the crew is for.
const TARGET_AGENT: &str = "target_agent";

/// What a message has led to.
enum Begun {
    /// A new task is at work on it.
    Created(Arc<Live>),
    /// A task that was there goes on with it: with the message's event it was like this.
    Continued(Arc<Live>, Seq, Task),
    /// Another replica is at work on the task that goes on with it, from this event on.
    Elsewhere(Arc<Live>, Seq),
    /// The same message came before; its task, this one, has it with this event or an earlier one.
    Before(Arc<Live>, Seq),
    /// The agent answered at once.
    Message(Document),
    /// The same message came before; its task was removed since, and this is its result.
    Result(Document),
}

impl From<Before> for Begun {
    fn from(before: Before) -> Self {
        match before {
            Before::Task(live, seq) => Self::Before(live, seq),
            Before::Message(message) => Self::Message(message),
            Before::Result(task) => Self::Result(task),
        }
    }
}

/// Sends a message and waits until the task settles (Spec 3.1.1, 3.2.2).
pub(crate) async fn send(
    core: &Arc<Core>,
    call: &Call,
    request: Box<SendMessageRequest>,
) -> Result<Reply, A2aError> {
    let history = request.configuration.history_length;
    let at_once = request.configuration.return_immediately;
    // A repetition does not know after which event its task has settled on the message.
    let (live, seq, first) = match begin(core, call, request).await? {
        Begun::Message(message) => return Ok(Reply::SentMessage(message)),
        Begun::Result(task) => return page::trim(task, history).map(Reply::SentTask),
        Begun::Before(live, seq) => (live, seq, false),
        Begun::Created(live) => (live, 1, true),
        Begun::Continued(live, seq, _) | Begun::Elsewhere(live, seq) => (live, seq, true),
    };
    // What is known without asking the store again, if anything.
    let settled = async {
        if at_once {
            live.durable_to(seq).await.map(|()| None)
        } else if first {
            live.settled_after(seq).await.map(Some)
        } else {
            live.settled().await.map(|()| None)
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
            live.durable_to(seq).await?;
            page::read(core, &live.scope, &live.id, history).await.map(Reply::SentTask)
        }
    }
}

/// Sends a message and follows what happens (Spec 3.1.2).
pub(crate) async fn stream(
    core: &Arc<Core>,
    call: &Call,
    request: Box<SendMessageRequest>,
) -> Result<Reply, A2aError> {
    let history = request.configuration.history_length;
    let (live, seq, task) = match begin(core, call, request).await? {
        Begun::Elsewhere(live, _) => {
            return subscribe::from_now(core, live, Until::Settled).await.map(Reply::Stream);
        }
        Begun::Message(message) => return Ok(only("message", &message)),
        Begun::Result(task) => return Ok(only("task", &page::trim(task, history)?)),
        Begun::Before(live, seq) => (live, seq, None),
        Begun::Created(live) => (live, 1, None),
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

/// A stream of one thing, behind which nothing comes.
fn only(kind: &'static str, document: &Document) -> Reply {
    let json = page::as_stream_response(kind, document);
    Reply::Stream(Follow::only([Item { seq: None, json }]))
}

/// Cancels a task and gives it as it is then (Spec 3.1.5).
pub(crate) async fn cancel(
    core: &Arc<Core>,
    call: &Call,
    request: &CancelTaskRequest,
) -> Result<Reply, A2aError> {
    let mut tries = TRIES;
    let live = loop {
        let live = core.live(&core.scope(call), &request.id).await?;
        match stop_anywhere(core, &live).await {
            Err(Undone::Moved(_)) if core.replicas.is_some() && tries > 0 => tries -= 1,
            stopped => break stopped.map(|()| live)?,
        }
        tokio::time::sleep(PAUSE).await;
    };
    page::read(core, &live.scope, &live.id, None).await.map(Reply::Task)
}

/// Stops a task's run, whichever replica has it, and ends the task.
async fn stop_anywhere(core: &Core, live: &Arc<Live>) -> Result<(), Undone> {
    let Owner::Other(owner, replicas) = core.owner(live).await? else {
        return stop(core, live).await;
    };
    let wish = Wish { scope: live.scope.clone(), id: live.id.clone(), act: Act::Cancel };
    match replicas.ask(owner, wish, grace(core, live) + CANCEL_WAIT).await? {
        Answer::Done(_) => Ok(core.look_on(live).await?),
        Answer::Ended(state) => Err(not_cancelable(live, state).into()),
        Answer::NotHere => Err(StoreError::Fenced.into()),
        Answer::Failed | Answer::Bound(_) => Err(moved(live).into()),
    }
}

fn grace(core: &Core, live: &Live) -> Duration {
    let exposed = core.agent(live.scope.agent.as_deref());
    exposed.map_or(Duration::ZERO, |exposed| exposed.agent.stop_grace())
}

/// Another replica was, or is, at work on the task.
fn moved(live: &Live) -> A2aError {
    let text = format!("task `{}` is changing its replica; try again", live.id);
    A2aError::unavailable(text, TRY_AGAIN)
}

/// Stops a task's run in this process, if there is one, and ends the task.
pub(crate) async fn stop(core: &Core, live: &Arc<Live>) -> Result<(), Undone> {
    let state = live.current_state();
    if state.is_terminal() {
        live.all_durable().await?;
        return Err(not_cancelable(live, state).into());
    }
    if live.cancel_run() {
        // When the agent holds on longer, the answer is the task as it is.
        let wait = grace(core, live) + CANCEL_WAIT;
        if let Ok(ended) = tokio::time::timeout(wait, live.idle()).await {
            ended?;
        }
    }
    if !live.current_state().is_terminal() {
        // Nobody was at work, or the run ended in a question meanwhile.
        live.emit(&live.status(TaskState::Canceled, None)).map_err(|refusal| match refusal {
            Refusal::Ended(state) => not_cancelable(live, state).into(),
            Refusal::Bound(_) | Refusal::Store(_) => refused(live, refusal),
        })?;
        live.flush();
    }
    live.all_durable().await?;
    let (_, state) = live.committed();
    if state.is_terminal() && state != TaskState::Canceled {
        return Err(not_cancelable(live, state).into());
    }
    Ok(())
}

fn not_cancelable(live: &Live, state: TaskState) -> A2aError {
    let text = format!("task `{}` has already ended as {}", live.id, state.name());
    A2aError::new(ErrorKind::TaskNotCancelable, text).with("taskId", live.id.as_str())
}

async fn begin(
    core: &Arc<Core>,
    call: &Call,
    mut request: Box<SendMessageRequest>,
) -> Result<Begun, A2aError> {
    core.admit()?;
    if request.configuration.task_push_notification_config.is_some() {
        let text = "push notifications are not supported here; leave their configuration out";
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
    let schema = Schema::read(&request, &core.limits).await?;
    Schema::keep_in_message(&mut request);
    let is_told_apart = request.message.task_id.is_some() || call.idempotency_key.is_some();
    let may_meet_others = core.replicas.is_some() && is_told_apart;
    if !may_meet_others && !call.manners.names_tasks {
        return Ok(try_begin(core, call, request, schema).await?);
    }
    // Not in the caller's future: what has begun here waits for the store before its run is started,
    // and that happens whoever goes away.
    let (for_task, call) = (core.clone(), call.clone());
    let begun = core.runs.spawn(async move {
        let mut tries = TRIES;
        loop {
            match try_begin(&for_task, &call, request.clone(), schema.clone()).await {
                // Another message was faster, so now there is a task of that name.
                Err(Undone::Named) => continue,
                Err(Undone::Moved(_)) if for_task.replicas.is_some() && tries > 0 => tries -= 1,
                begun => return begun,
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let stopped = |_| Err(A2aError::unavailable("the server is stopping", TRY_AGAIN).into());
    Ok(begun.await.unwrap_or_else(stopped)?)
}

async fn try_begin(
    core: &Arc<Core>,
    call: &Call,
    request: Box<SendMessageRequest>,
    schema: Option<Schema>,
) -> Result<Begun, Undone> {
    let names = call.manners.names_tasks;
    let Some(id) = &request.message.task_id else {
        return create(core, call, request, schema).await;
    };
    match core.live(&core.scope(call), id).await {
        // It was just being begun, and somebody else had the name first.
        Ok(live) if names && matches!(live.durable_to(1).await, Err(StoreError::Fenced)) => {
            Err(Undone::Named)
        }
        Ok(live) => go_on(core, call, live, request, schema).await,
        Err(error) if names && error.kind == ErrorKind::TaskNotFound => {
            create(core, call, request, schema).await
        }
        Err(error) if error.kind == ErrorKind::TaskNotFound => {
            let before = idempotency::to_removed(core, call, id, &request).await?;
            before.map(Begun::from).ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Why a message or a cancellation has come to nothing.
#[derive(Debug)]
pub(crate) enum Undone {
    /// Another message has begun a task of that name.
    Named,
    /// Another replica has done something to the task first, or has the same message.
    Moved(StoreError),
    Refused(A2aError),
}

impl From<A2aError> for Undone {
    fn from(error: A2aError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced | StoreError::Taken(_) => Self::Moved(error),
            StoreError::Full
            | StoreError::Unavailable(_)
            | StoreError::Removed
            | StoreError::Damaged(_) => Self::Refused(error.into()),
        }
    }
}

impl From<Undone> for A2aError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(error) => error,
            Undone::Moved(error) => error.into(),
            Undone::Named => Self::unavailable("the name is being given; try again", TRY_AGAIN),
        }
    }
}

/// A message to a task that exists.
async fn go_on(
    core: &Arc<Core>,
    call: &Call,
    live: Arc<Live>,
    request: Box<SendMessageRequest>,
    schema: Option<Schema>,
) -> Result<Begun, Undone> {
    let exposed = core.agent(live.scope.agent.as_deref()).ok_or_else(|| gone(&live))?;
    let message = &request.message;
    let asked = (message, request.metadata.as_ref());
    core.check_access(call, &exposed, asked, || live.task().history)?;
    check_modes(&exposed, message)?;
    if message.context_id.as_ref().is_some_and(|context| *context != live.context_id) {
        let text = format!("task `{}` belongs to context `{}`", live.id, live.context_id);
        return Err(A2aError::invalid("message.contextId", text).into());
    }
    references(core, call, message, Some(&live.context_id)).await?;
    let claim = match idempotency::claim(core, call, &live.scope, &request).await? {
        Turnout::First(claim) => claim,
        Turnout::Repeat(before) => return Ok(before.into()),
    };
    quota::go_on(core, call).await?;
    let SendMessageRequest { mut message, configuration, metadata, .. } = *request;
    message.context_id = Some(live.context_id.clone());
    let idempotency = claim.as_ref().map(|claim| claim.idempotency.clone());
    let owner = core.owner(&live).await?;
    if let Owner::Other(owner, replicas) = owner {
        let ask = ask(call, &exposed, configuration, metadata, Asked::Unknown);
        let further = Box::new(Further { message, idempotency, ask: Carried::of(&ask) });
        let (scope, id, act) = (live.scope.clone(), live.id.clone(), Act::Receive(further));
        let seq = match replicas.ask(owner, Wish { scope, id, act }, Duration::ZERO).await? {
            Answer::Done(seq) => seq,
            Answer::Ended(state) => return Err(refused(&live, Refusal::Ended(state))),
            Answer::Bound(text) => return Err(refused(&live, Refusal::Bound(text))),
            Answer::NotHere => return Err(StoreError::Fenced.into()),
            Answer::Failed => return Err(moved(&live).into()),
        };
        core.look_on(&live).await?;
        if let Some(claim) = claim {
            claim.settle(&live, seq);
        }
        return Ok(Begun::Elsewhere(live, seq));
    }
    if let Owner::Gone(stored) = owner {
        // The message comes to the run that was lost, not instead of it.
        recover::take_up(core, *stored).await;
        if !live.is_at_work() {
            // It went on elsewhere meanwhile, or is not to be taken up again.
            return Err(StoreError::Fenced.into());
        }
    }
    // A message that a run at work waits for needs no turn of its own.
    let place = if live.is_at_work() {
        core.places.take(&core.limits, &live.scope)
    } else {
        core.queues.admit(&exposed.profile, &core.limits)?;
        core.places.try_take(&core.limits, &live.scope)?
    };
    let ask = ask(call, &exposed, configuration, metadata, Asked::further(schema));
    let (seq, task, waiting) = match live.receive(message, ask, idempotency, &core.halt) {
        Ok(received) => received,
        Err(refusal) => {
            // A refusal may tell of an end that is not durable yet.
            live.all_durable().await?;
            return Err(refused(&live, refusal));
        }
    };
    live.flush();
    if core.replicas.is_some() {
        // Another one may have been faster, and only the store knows.
        durable_to(&live, seq, claim.as_ref()).await?;
    }
    if let Some(claim) = claim {
        claim.settle(&live, seq);
    }
    if let Some(waiting) = waiting {
        run::start(core, Job::new(&live, exposed, waiting), place);
    }
    Ok(Begun::Continued(live, seq, task))
}

/// A message that begins a task, under a new name unless it has one.
async fn create(
    core: &Arc<Core>,
    call: &Call,
    request: Box<SendMessageRequest>,
    schema: Option<Schema>,
) -> Result<Begun, Undone> {
    if request.message.task_id.as_ref().is_some_and(|id| id.as_str().contains('/')) {
        let text = "must not hold `/`, because it is part of addresses";
        return Err(A2aError::invalid("message.taskId", text).into());
    }
    let exposed = target(core, call, &request)?;
    let asked = (&request.message, request.metadata.as_ref());
    core.check_access(call, &exposed, asked, Vec::new)?;
    check_modes(&exposed, &request.message)?;
    let referenced = references(core, call, &request.message, None).await?;
    let scope = Scope { agent: Some(exposed.profile.slug.clone()), ..core.scope(call) };
    let claim = match idempotency::claim(core, call, &scope, &request).await? {
        Turnout::First(claim) => claim,
        Turnout::Repeat(before) => return Ok(before.into()),
    };
    core.queues.admit(&exposed.profile, &core.limits)?;
    let room = quota::begin(core, call).await?;
    let place = core.places.try_take(&core.limits, &scope)?;
    let SendMessageRequest { mut message, configuration, metadata, .. } = *request;
    let context_id = message.context_id.clone().or(referenced).unwrap_or_else(ContextId::generate);
    message.context_id = Some(context_id.clone());
    let answer = AssertUnwindSafe(exposed.agent.reply(&message)).catch_unwind().await;
    let answer = answer.map_err(|_| {
        tracing::error!(agent = &*exposed.profile.slug, "agent panicked in its direct answer");
        A2aError::new(ErrorKind::InvalidAgentResponse, "the agent crashed")
    })?;
    let mut answer =
        answer.map(|answer| Message { context_id: Some(context_id.clone()), ..answer });
    if let (Some(answer), Some(schema)) = (&mut answer, &schema) {
        schema.fulfil_directly(answer).await?;
    }
    let answer = match answer {
        Some(answer) if !call.manners.names_tasks => {
            let answer = Document::write(&answer);
            return match claim {
                None => Ok(Begun::Message(answer)),
                Some(claim) => Ok(claim.keep(answer).await.map(Begun::from)?),
            };
        }
        answer => answer,
    };
    let id = message.task_id.get_or_insert_with(TaskId::generate).clone();
    let idempotency = claim.as_ref().map(|claim| claim.idempotency.clone());
    let new = Arc::new(new_task(core, scope, id, context_id, message.clone(), idempotency));
    new.counts_as(room);
    let stop = new.begin_run(&core.halt).expect("nobody else knows the task yet");
    let live = core.registry.insert(new.clone());
    if !Arc::ptr_eq(&live, &new) {
        return Err(Undone::Named);
    }
    if call.manners.names_tasks || core.replicas.is_some() && claim.is_some() {
        // Only the store knows whether the name and the key were free, and nobody may be at work before
        // that.
        live.flush();
        match durable_to(&live, 1, claim.as_ref()).await {
            Err(StoreError::Fenced) => return Err(Undone::Named),
            durable => durable?,
        }
    }
    if let Some(claim) = claim {
        claim.settle(&live, 1);
    }
    if let Some(answer) = answer {
        let answer = Message { task_id: Some(live.id.clone()), ..answer };
        live.emit(&live.status(TaskState::Completed, Some(answer)))
            .map_err(|refusal| refused(&live, refusal))?;
        live.flush();
        live.end_run();
        return Ok(Begun::Created(live));
    }
    let ask = ask(call, &exposed, configuration, metadata, Asked::Known(schema));
    run::start(core, Job::new(&live, exposed, Waiting { message, ask, stop }), place);
    Ok(Begun::Created(live))
}

/// Waits until an event is durable with the key of its send.
async fn durable_to(live: &Live, seq: Seq, claim: Option<&Claim>) -> Result<(), StoreError> {
    let durable = live.durable_to(seq).await;
    durable.map_err(|error| match claim {
        Some(claim) => claim.fail(error),
        None => error,
    })
}

/// What a run is asked for beside its message.
fn ask(
    call: &Call,
    exposed: &Exposed,
    configuration: SendMessageConfiguration,
    metadata: Option<Metadata>,
    schema: Asked,
) -> Ask {
    Ask {
        accepted_output_modes: configuration.accepted_output_modes,
        metadata,
        schema,
        // Agents get no credentials but those that they are entrusted with.
        caller: Some(Caller { credentials: None, ..call.caller.clone() }),
        of_crew: call.agent.is_none(),
        entrusted: call.entrusted.only(exposed.agent.entrusted()),
        callback: call.callback.clone(),
        granted: None,
    }
}

/// The agent that a new task is for: that of the mount, else the one that the message or the
/// request names, else the first.
pub(crate) fn target(
    core: &Core,
    call: &Call,
    request: &SendMessageRequest,
) -> Result<Exposed, A2aError> {
    let named = |metadata: &Option<Metadata>| metadata.as_ref()?.get(TARGET_AGENT);
    let named = || {
        let message = named(&request.message.metadata).map(|agent| ("message.metadata", agent));
        message.or_else(|| named(&request.metadata).map(|agent| ("metadata", agent)))
    };
    let Some((place, target)) = named().filter(|_| call.agent.is_none()) else {
        let agent = core.agent(call.agent.as_deref());
        return agent.ok_or_else(|| {
            A2aError::new(ErrorKind::MethodNotFound, "there is no such agent here")
        });
    };
    let slug: Option<String> = target.read().ok();
    slug.and_then(|slug| core.agent(Some(&slug))).ok_or_else(|| {
        let agents = core.agents();
        let slugs: Vec<_> = agents.iter().map(|agent| &*agent.profile.slug).collect();
        let text = format!("must name one of the agents here: {}", slugs.join(", "));
        A2aError::invalid(format!("{place}.{TARGET_AGENT}"), text)
    })
}

fn new_task(
    core: &Core,
    scope: Scope,
    id: TaskId,
    context_id: ContextId,
    message: Message,
    idempotency: Option<Idempotency>,
) -> Live {
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
    let birth = Box::new(Birth { scope, id, context_id, created_at });
    Live::create(core.home(), core.store.next_key(), birth, idempotency, task)
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

fn refused(live: &Live, refusal: Refusal) -> Undone {
    let error = match refusal {
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
        Refusal::Store(error) => return error.into(),
    };
    error.into()
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
