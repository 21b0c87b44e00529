//! What an agent sees of the world during one run.

use std::sync::Arc;

use legation_model::{
    Artifact, ArtifactId, Effect, Event, Json, Message, Metadata, Part, Role, Task,
    TaskArtifactUpdateEvent, TaskId, TaskState, Update,
};
use tokio_util::sync::CancellationToken;

use crate::live::{Live, Refusal};
use crate::recover::restarted;
use crate::replicas::Replicas;
use crate::schema::Schema;
use crate::service::Core;
use crate::store::{Place, Query, StoreError};
use crate::{AgentError, AnswerIn, Authorization, Caller, Entrusted, Grant, Scope};

/// One run of an agent on one message: what was said, and where to put what comes of it.
///
/// Everything an agent emits is durable before any caller sees it. Emitting returns as soon as the
/// event is queued, unless too many are on their way already.
pub struct Turn {
    pub(crate) live: Arc<Live>,
    pub(crate) message: Message,
    pub(crate) ask: Ask,
    pub(crate) attempt: u32,
    pub(crate) stop: CancellationToken,
    pub(crate) core: Arc<Core>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) answer_in: AnswerIn,
    /// What the work has cost, as far as was said.
    pub(crate) usage: Option<Json>,
    /// Artifacts whose next chunk begins them anew.
    pub(crate) renewed: Vec<ArtifactId>,
}

/// How many tasks of a context are read at once.
const READ_AT_ONCE: usize = 20;

/// The member of metadata that holds what the work of a run has cost: of the status with which the
/// run ends, and of the task, where it is that of the last run which told.
pub const USAGE: &str = "urn:legation:a2a:usage";

/// What a caller asked for beside the message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) accepted_output_modes: Vec<String>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) schema: Asked,
    /// Who calls, unless nobody does: a run may be taken up long after its call.
    pub(crate) caller: Option<Caller>,
    /// Whether the call was for all agents, so that the tasks of each are in its sight.
    pub(crate) of_crew: bool,
    pub(crate) entrusted: Entrusted,
    /// Where the answer to an authorization arrives, as the caller sees the server; where the service
    /// was told when absent.
    pub(crate) callback: Option<Arc<str>>,
    /// What came of the authorization that an earlier run on the same message asked for.
    pub(crate) granted: Option<Arc<Grant>>,
}

/// The schema that the answer of a run shall satisfy.
#[derive(Clone, Debug, Default)]
pub(crate) enum Asked {
    /// Not looked for yet: what the caller said last in the task counts.
    #[default]
    Unknown,
    /// This one, or none.
    Known(Option<Schema>),
}

impl Asked {
    /// What a message to a task that exists asks for; without a schema of its own, the task's.
    pub(crate) fn further(schema: Option<Schema>) -> Self {
        schema.map_or(Self::Unknown, |schema| Self::Known(Some(schema)))
    }

    fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Unknown => None,
            Self::Known(schema) => schema.as_ref(),
        }
    }
}

impl Turn {
    /// The message to work on.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The task as it stands, with all earlier messages and artifacts.
    pub fn task(&self) -> Task {
        self.live.task()
    }

    /// Metadata of the request, beside the message's own.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.ask.metadata.as_ref()
    }

    /// Media types the caller said it can use; empty when it said nothing.
    pub fn accepted_output_modes(&self) -> &[String] {
        &self.ask.accepted_output_modes
    }

    /// The JSON Schema that the caller wants the answer to satisfy. What is given to
    /// [`Turn::answer`] is checked against it.
    pub fn schema(&self) -> Option<&Json> {
        self.ask.schema.schema().map(Schema::json)
    }

    /// Who sent the message; `None` for a run that was lost and taken up again, because there is no
    /// call then. [`Turn::tenant`] and [`Turn::subject`] are known even so.
    pub fn caller(&self) -> Option<&Caller> {
        self.ask.caller.as_ref()
    }

    /// The tenant that the task belongs to.
    pub fn tenant(&self) -> &str {
        &self.live.scope.tenant
    }

    /// The person or program within the tenant whom the task belongs to.
    pub fn subject(&self) -> &str {
        self.live.scope.owner.as_deref().unwrap_or_default()
    }

    /// What the request with the message carried that this agent is [let see](crate::Agent::entrusted).
    /// Nothing of it is stored, so a run that was lost and is taken up again has none.
    pub fn entrusted(&self) -> &Entrusted {
        &self.ask.entrusted
    }

    /// Which attempt at this message this is, the first being 1. Work that must not happen twice
    /// needs it: after a crash a run may begin again.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Where the answer is to be found, by the agent's profile.
    pub fn answer_in(&self) -> AnswerIn {
        self.answer_in
    }

    /// Another task that the call with the message may see, such as one the message refers to: a task
    /// of the same agent, and of any other when the call was for all of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn other_task(&self, id: &TaskId) -> Result<Option<Task>, AgentError> {
        let (own, store) = (&self.live.scope, &self.core.store);
        let every = Scope { agent: None, ..own.clone() };
        let found = match &self.ask.caller {
            Some(_) if self.ask.of_crew => store.load(&every, id).await,
            Some(_) => store.load(own, id).await,
            // Of a call that is long over nobody knows any more what it might see, but what its
            // messages refer to was held against that when they came.
            None => match store.load(own, id).await {
                Ok(None) if self.refers_to(id) => store.load(&every, id).await,
                found => found,
            },
        };
        found
            .and_then(|found| found.map(|stored| stored.task()).transpose())
            .map_err(|error| AgentError::failed(format!("cannot read task `{id}`: {error}")))
    }

    fn refers_to(&self, id: &TaskId) -> bool {
        self.task().history.iter().any(|message| message.reference_task_ids.contains(id))
    }

    /// Looks at the agent's tasks in the same context that were begun before this one, until `take`
    /// has enough or `most` were looked at: the one whose status is newest first. They are read as
    /// they are asked for, so what is kept of them is for `take` to bound.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn earlier_tasks(
        &self,
        most: usize,
        mut take: impl FnMut(Task) -> bool + Send,
    ) -> Result<(), AgentError> {
        let Live { context_id, scope, .. } = &*self.live;
        let fault = |error: StoreError| {
            AgentError::failed(format!("cannot read the context `{context_id}`: {error}"))
        };
        let (mut after, mut left) = (None, most);
        while left > 0 {
            // One more, which is this task itself.
            let limit = (left + 1).min(READ_AT_ONCE);
            let query =
                Query { context_id: Some(context_id.clone()), after, limit, ..Query::default() };
            let page = self.core.store.list(scope, &query).await.map_err(fault)?;
            let Some(last) = page.tasks.last() else { return Ok(()) };
            after = Some(Place { status_at: last.status_at, key: last.key });
            for stored in page.tasks.iter().filter(|stored| stored.key < self.live.key) {
                left -= 1;
                if !take(stored.task().map_err(fault)?) || left == 0 {
                    return Ok(());
                }
            }
            if !page.more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the task itself is durable, for work that must not begin before.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when it will never be.
    pub async fn accepted(&self) -> Result<(), AgentError> {
        self.live.durable_to(1).await.map_err(|_| AgentError::Stopped)
    }

    /// Completes when the task was cancelled or the server stops.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits for a further message that the caller sends while this run is at work.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when none can come any more.
    pub async fn next_message(&self) -> Result<Message, AgentError> {
        self.live.next_message().await.map_err(|_| AgentError::Stopped)
    }

    /// Begins the work on the message again, as a restart of the server would: for an agent whose
    /// work was lost elsewhere, such as in a process that crashed. [`Turn::attempt`] is one more
    /// from now on, and the artifacts named here are void.
    ///
    /// # Errors
    /// [`AgentError::Failed`] when there were too many attempts. [`AgentError::Stopped`] when the
    /// task takes no more events.
    pub async fn begin_again(&mut self, voided: Vec<ArtifactId>) -> Result<(), AgentError> {
        if self.attempt >= self.live.attempts() {
            return Err(AgentError::failed(format!("the run was lost {} times", self.attempt)));
        }
        self.emit(restarted(&self.live, self.attempt + 1, voided)).await?;
        self.attempt += 1;
        Ok(())
    }

    /// Reports that the work has begun or goes on. Say little: the answer belongs elsewhere.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn working(&mut self, note: Option<&str>) -> Result<(), AgentError> {
        self.status(TaskState::Working, note.map(|note| vec![Part::text(note)])).await
    }

    /// Notes what the work has cost, such as tokens; what is said last counts. Callers find it as
    /// [`USAGE`] in the metadata of the status with which the run ends, and of the task.
    pub fn usage(&mut self, usage: Json) {
        self.usage = Some(usage);
    }

    /// Adds an artifact, or replaces the one with the same id.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn artifact(&mut self, artifact: Artifact) -> Result<(), AgentError> {
        self.update(artifact, false, true).await
    }

    /// Adds parts behind those of an artifact, which begins with its first chunk.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn chunk(&mut self, chunk: Artifact, last: bool) -> Result<(), AgentError> {
        // The first chunk begins the artifact: only what was sent before can be appended to.
        let known = self.renewed.len();
        self.renewed.retain(|id| *id != chunk.artifact_id);
        let append = self.renewed.len() == known && self.live.has_artifact(&chunk.artifact_id);
        self.update(chunk, append, last).await
    }

    /// Begins these artifacts anew with their next chunk, for another try at an answer that did not
    /// do. Until then they stay as they are.
    pub fn renew(&mut self, artifacts: Vec<ArtifactId>) {
        self.renewed.extend(artifacts);
    }

    /// Gives the answer and completes the task. Unless the agent's profile says otherwise, the
    /// answer becomes an artifact, where the protocol wants it, and the final status message, where
    /// many callers look for it.
    ///
    /// When the caller asked for a [schema](Turn::schema), a part must be what it describes: a data
    /// part, or text that is such JSON, which becomes a data part.
    ///
    /// # Errors
    /// [`AgentError::Unfit`] when the answer is not what was asked for; another may follow.
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn answer(&mut self, answer: impl IntoParts) -> Result<(), AgentError> {
        let parts = self.fitting(answer.into_parts()).await?;
        let id = ArtifactId::parse("answer").expect("a valid identifier");
        let artifact = |parts| Artifact::new(id, parts);
        match self.answer_in {
            AnswerIn::Both => {
                self.artifact(artifact(parts.clone())).await?;
                self.status(TaskState::Completed, Some(parts)).await
            }
            AnswerIn::Artifact => {
                self.artifact(artifact(parts)).await?;
                self.status(TaskState::Completed, None).await
            }
            AnswerIn::Status => self.status(TaskState::Completed, Some(parts)).await,
        }
    }

    /// Completes the task without saying more: its artifacts are the answer. One whose text is what
    /// a [schema](Turn::schema) asks for is given once more, as data.
    ///
    /// # Errors
    /// As for [`Turn::answer`].
    pub async fn complete(&mut self) -> Result<(), AgentError> {
        if self.schema().is_none() {
            return self.status(TaskState::Completed, None).await;
        }
        let artifacts = self.task().artifacts;
        let given: Vec<Part> = artifacts.iter().rev().flat_map(whole).collect();
        let fitting = self.fitting(given.clone()).await?;
        match fitting.into_iter().zip(given).find(|(fitting, given)| fitting != given) {
            Some((data, _)) => self.answer(data).await,
            None => self.status(TaskState::Completed, None).await,
        }
    }

    /// Puts the task in a state, with what to say about it. What completes the task is its answer.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events; in the state of completion as for
    /// [`Turn::answer`].
    pub async fn settle(
        &mut self,
        state: TaskState,
        say: impl IntoParts,
    ) -> Result<(), AgentError> {
        let mut parts = say.into_parts();
        if state == TaskState::Completed {
            parts = self.fitting(parts).await?;
        }
        self.status(state, Some(parts)).await
    }

    /// Asks the caller for more. Return after this: the caller's reply begins another run.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn ask(&mut self, question: impl IntoParts) -> Result<(), AgentError> {
        self.status(TaskState::InputRequired, Some(question.into_parts())).await
    }

    /// Asks somebody to authorize what the work needs. What is said goes to the caller, with the
    /// address for the browser behind it, and the task is in `AUTH_REQUIRED`. Return after this:
    /// with the answer another run begins on the same message, which [`Turn::granted`] tells of.
    ///
    /// Whoever gets hold of the address can answer, and the caller may hand it to anybody. So an
    /// agent that acts for the one who answers has to see who that is.
    ///
    /// # Errors
    /// [`AgentError::Failed`] when there are too many such tasks, or the server has no address.
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn authorize(
        &mut self,
        authorization: Authorization,
        say: impl IntoParts,
    ) -> Result<(), AgentError> {
        let Core { authorizations, limits, replicas, .. } = &*self.core;
        let here = replicas.as_ref().map(Replicas::this);
        let work = (&self.message, &self.ask);
        let link = authorizations.begin(authorization, &self.live, work, (limits, here))?;
        let mut parts = say.into_parts();
        parts.push(Part::text(link));
        self.status(TaskState::AuthRequired, Some(parts)).await
    }

    /// What came of the [authorization](Turn::authorize) that an earlier run on this message asked
    /// for.
    pub fn granted(&self) -> Option<&Grant> {
        self.ask.granted.as_deref()
    }

    /// Refuses the work with a reason.
    ///
    /// # Errors
    /// [`AgentError::Stopped`] when the task takes no more events.
    pub async fn reject(&mut self, reason: impl IntoParts) -> Result<(), AgentError> {
        self.status(TaskState::Rejected, Some(reason.into_parts())).await
    }

    /// The parts as the caller's schema wants them.
    async fn fitting(&self, parts: Vec<Part>) -> Result<Vec<Part>, AgentError> {
        match self.ask.schema.schema() {
            Some(schema) => schema.fulfil(parts).await.map_err(AgentError::Unfit),
            None => Ok(parts),
        }
    }

    async fn status(&mut self, state: TaskState, say: Option<Vec<Part>>) -> Result<(), AgentError> {
        let message = say.map(|parts| Message::new(Role::Agent, parts));
        let event = self.status_event(state, message);
        self.emit(event).await
    }

    /// A status of the task as of now; one with which a run ends has what the work has cost.
    pub(crate) fn status_event(&mut self, state: TaskState, message: Option<Message>) -> Event {
        let mut event = self.live.status(state, message);
        let usage = self.usage.take_if(|_| state.is_settled());
        // Data that nests too deeply is left out rather than the status.
        let usage = usage.and_then(|usage| Metadata::with(None, USAGE, usage).ok());
        if let (Update::StatusUpdate(update), Some(usage)) = (&mut event.update, usage) {
            update.metadata = Some(usage);
            event.effect = Some(Effect::Noted);
        }
        event
    }

    async fn update(
        &mut self,
        artifact: Artifact,
        append: bool,
        last_chunk: bool,
    ) -> Result<(), AgentError> {
        if artifact.parts.is_empty() {
            return Err(AgentError::failed("an artifact needs at least one part"));
        }
        let update = TaskArtifactUpdateEvent {
            task_id: self.live.id.clone(),
            context_id: self.live.context_id.clone(),
            artifact,
            append,
            last_chunk,
            metadata: None,
        };
        self.emit(Update::ArtifactUpdate(update).into()).await
    }

    async fn emit(&mut self, event: Event) -> Result<(), AgentError> {
        self.live.room().await.map_err(|_| AgentError::Stopped)?;
        self.live.emit(&event).map_err(|refusal| {
            self.refusal.get_or_insert(refusal);
            AgentError::Stopped
        })?;
        Ok(())
    }
}

/// The parts of an artifact; text that came in chunks is one.
fn whole(artifact: &Artifact) -> Vec<Part> {
    let texts: Option<Vec<&str>> = artifact.parts.iter().map(Part::as_text).collect();
    texts.map_or_else(|| artifact.parts.clone(), |texts| vec![Part::text(texts.concat())])
}

/// What can be said: text, a part or several.
pub trait IntoParts {
    /// The parts.
    fn into_parts(self) -> Vec<Part>;
}

impl IntoParts for &str {
    fn into_parts(self) -> Vec<Part> {
        vec![Part::text(self)]
    }
}

impl IntoParts for String {
    fn into_parts(self) -> Vec<Part> {
        vec![Part::text(self)]
    }
}

impl IntoParts for Part {
    fn into_parts(self) -> Vec<Part> {
        vec![self]
    }
}

impl IntoParts for Vec<Part> {
    fn into_parts(self) -> Vec<Part> {
        self
    }
}
