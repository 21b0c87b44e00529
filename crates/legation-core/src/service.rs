//! The service: what every binding calls, and the one gate that every call passes.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use legation_model::{
    A2aError, AgentExtension, ContextId, ErrorKind, Json, Message, Metadata, Request, TaskId,
};
use metrics::Gauge;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authorization::{self, Authorizations};
use crate::call::{Call, Reply};
use crate::erase::What;
use crate::extension::{Contexts, Cursor, Extension, Extensions, Idempotency};
use crate::idempotency::InFlight;
use crate::live::{Home, Live};
use crate::places::Places;
use crate::queue::Queues;
use crate::quota::Coming;
use crate::rates::{Asked, Rates};
use crate::registry::Registry;
use crate::replicas::Replicas;
use crate::slug::{self, BadSlug};
use crate::store::{MOST_KEY_BYTES, MOST_NAME_BYTES, StoreError, Stored, Swept};
use crate::{
    Agent, AuditEvent, AuditLog, Bell, Caller, ContextEvent, ContextWatch, Exposed, Limits,
    Profile, Retention, Scope, TaskStore, When, access, erase, gate, lifecycle, metric, page,
    recover, replicas, send, subscribe,
};

/// How long callers are told to wait when the server is full.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The name of a deployment that was given none.
pub const DEPLOYMENT: &str = "default";

/// One deployment: its agents, its store, its live tasks.
pub struct Service {
    core: Arc<Core>,
}

/// What the service shares with its runs and readers.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn TaskStore>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) deployment: Arc<str>,
    /// Held only to take or to put the list, never while one of them is asked something.
    agents: RwLock<Arc<[Exposed]>>,
    pub(crate) extensions: Extensions,
    /// Where refusals and acts are kept, if anywhere.
    pub(crate) audit: Option<Arc<dyn AuditLog>>,
    pub(crate) registry: Arc<Registry>,
    /// The other replicas, where the store is shared.
    pub(crate) replicas: Option<Replicas>,
    pub(crate) runs: TaskTracker,
    /// Stops the runs that are still at work when the grace of a stop is over.
    pub(crate) halt: CancellationToken,
    /// Ends the streams.
    pub(crate) closing: CancellationToken,
    pub(crate) in_flight: InFlight,
    pub(crate) queues: Queues,
    pub(crate) authorizations: Authorizations,
    pub(crate) rates: Rates,
    pub(crate) places: Places,
    pub(crate) coming: Coming,
    draining: AtomicBool,
    streams: Arc<AtomicUsize>,
    open_streams: Gauge,
}

/// Builds a [`Service`].
pub struct Builder {
    store: Arc<dyn TaskStore>,
    limits: Limits,
    deployment: Arc<str>,
    agents: Vec<Exposed>,
    extensions: Extensions,
    audit: Option<Arc<dyn AuditLog>>,
    bell: Option<Arc<dyn Bell>>,
    context_hook: Option<ContextWatch>,
}

impl Builder {
    /// Adds an agent; the first is the one that calls without a target reach.
    #[must_use]
    pub fn agent(self, profile: Profile, agent: impl Agent) -> Self {
        self.expose(Exposed { profile: Arc::new(profile), agent: Arc::new(agent) })
    }

    /// Adds an agent that has its profile already.
    #[must_use]
    pub fn expose(mut self, exposed: Exposed) -> Self {
        self.agents.push(exposed);
        self
    }

    /// Adds an extension of the protocol, for calls to every agent.
    #[must_use]
    pub fn extension(mut self, extension: Arc<dyn Extension>) -> Self {
        self.extensions.add(extension);
        self
    }

    /// Keeps refusals and administrative acts in this log.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn AuditLog>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Shares the store with other replicas, which hear each other by this bell. Without it the service
    /// takes the store for its own.
    #[must_use]
    pub fn bell(mut self, bell: Arc<dyn Bell>) -> Self {
        self.bell = Some(bell);
        self
    }

    /// Calls this with whatever becomes of contexts, once it is durable: that they are created, idle,
    /// resumed, expired or pruned. It is called on the store's thread, so it has to be short, such as by
    /// putting the event into a channel. Of what several replicas have together each hears what it has
    /// brought about.
    #[must_use]
    pub fn context_hook(mut self, hook: impl Fn(&ContextEvent) + Send + Sync + 'static) -> Self {
        self.context_hook = Some(Arc::new(hook));
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Names the deployment; several in one store never see each other.
    #[must_use]
    pub fn deployment(mut self, deployment: &str) -> Self {
        self.deployment = deployment.into();
        self
    }

    /// The service, which serves calls from now on.
    ///
    /// # Errors
    /// When the agents cannot be served together.
    pub fn build(self) -> Result<Arc<Service>, BuildError> {
        check_agents(&self.agents)?;
        self.store.watch_contexts(lifecycle::herald(self.context_hook));
        let shared = self.bell.filter(|_| self.store.sharing().is_some());
        let replicas = shared.map(|bell| Replicas::new(self.store.clone(), bell));
        let registry = if replicas.is_some() { Registry::shared() } else { Registry::default() };
        let core = Core {
            rates: Rates::new(&self.limits.rates),
            places: Places::default(),
            coming: Coming::default(),
            store: self.store,
            limits: Arc::new(self.limits),
            deployment: self.deployment,
            agents: RwLock::new(self.agents.into()),
            extensions: self.extensions,
            audit: self.audit,
            registry: Arc::new(registry),
            replicas,
            runs: TaskTracker::new(),
            halt: CancellationToken::new(),
            closing: CancellationToken::new(),
            in_flight: InFlight::default(),
            queues: Queues::default(),
            authorizations: Authorizations::default(),
            draining: AtomicBool::new(false),
            streams: Arc::default(),
            open_streams: metric::STREAMS.level(&[]),
        };
        Ok(Arc::new(Service { core: Arc::new(core) }))
    }
}

/// Why agents cannot be served together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is no agent.
    #[error("a service needs at least one agent")]
    NoAgent,
    /// An agent cannot have its address.
    #[error("the agent `{name}` cannot be served as `{slug}`: {reason}")]
    Slug {
        /// The agent's name.
        name: String,
        /// Its slug.
        slug: Arc<str>,
        /// What is wrong with it.
        reason: BadSlug,
    },
    /// Two agents would have the same address.
    #[error("the agents `{first}` and `{second}` cannot both be served as `{slug}`")]
    SameSlug {
        /// The name of the earlier agent.
        first: String,
        /// The name of the later one.
        second: String,
        /// The slug of both.
        slug: Arc<str>,
    },
}

fn check_agents(agents: &[Exposed]) -> Result<(), BuildError> {
    if agents.is_empty() {
        return Err(BuildError::NoAgent);
    }
    for (index, Exposed { profile, .. }) in agents.iter().enumerate() {
        let (name, slug) = (profile.name.clone(), profile.slug.clone());
        if let Err(reason) = slug::check(&slug) {
            return Err(BuildError::Slug { name, slug, reason });
        }
        if let Some(first) = agents[..index].iter().find(|earlier| earlier.profile.slug == slug) {
            let first = first.profile.name.clone();
            return Err(BuildError::SameSlug { first, second: name, slug });
        }
    }
    Ok(())
}

impl Service {
    /// Begins a service on a store.
    pub fn builder(store: Arc<dyn TaskStore>) -> Builder {
        let (limits, deployment) = (Limits::default(), DEPLOYMENT.into());
        let mut extensions = Extensions::default();
        extensions.add(Arc::new(Cursor));
        extensions.add(Arc::new(Contexts));
        extensions.add(Arc::new(Idempotency));
        let (agents, audit, bell, context_hook) = (Vec::new(), None, None, None);
        Builder { store, limits, deployment, agents, extensions, audit, bell, context_hook }
    }

    /// Does what a caller asks: the only way in, for every binding and version.
    ///
    /// A call that is dropped leaves the work it began at work. The request goes in a box: a future
    /// for each step from here to the agent would have room for it, and be moved with it.
    ///
    /// # Errors
    /// By the meanings of [`ErrorKind`].
    pub fn call(
        &self,
        call: &Call,
        request: impl Into<Box<Request>>,
    ) -> impl Future<Output = Result<Reply, A2aError>> + Send {
        let request = request.into();
        async move {
            let answer = self.answer(call, request).await;
            answer.inspect_err(|error| self.core.note_refusal(&call.caller, mount(call), error))
        }
    }

    /// Refuses a request of a known caller that a binding cannot make a call of, or not answer. It
    /// counts as a call of no operation, so whoever sends too many is told that instead.
    pub fn refuse(&self, caller: &Caller, agent: Option<&str>, error: A2aError) -> A2aError {
        let counted = self.core.rates.check(Asked { caller, operation: None, agent });
        let error = counted.err().unwrap_or(error);
        self.core.note_refusal(caller, agent, &error);
        error
    }

    /// Notes what a binding refuses a caller that made a call, if it is for the caller's rights.
    pub fn note_refusal(&self, call: &Call, error: &A2aError) {
        self.core.note_refusal(&call.caller, mount(call), error);
    }

    async fn answer(&self, call: &Call, mut request: Box<Request>) -> Result<Reply, A2aError> {
        let core = &self.core;
        // What is refused counts like what is done.
        let call = core.counted(call, Some(&request), check(core, call, &request))?;
        core.check_required(&call)?;
        let active = core.extensions.active(&call);
        if active.is_empty() {
            return Ok(self.perform(&call, request).await?.until(core, &call.caller));
        }
        let mut call = call.into_owned();
        active.on_request(&mut call, &mut request)?;
        let reply = self.perform(&call, request).await?.until(core, &call.caller);
        active.on_reply(call, reply)
    }

    /// Answers a method of an extension that the call asks for; `None` when none has it.
    pub async fn call_extension(
        &self,
        call: &Call,
        method: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        let confined = gate::confine(&self.core, call, None);
        let checked = self.core.counted(call, None, confined).and_then(|call| {
            self.core.check_required(&call)?;
            Ok(call)
        });
        let answer = match checked {
            Ok(call) => {
                self.core.extensions.active(&call).method(self, &call, method, params).await
            }
            Err(error) => Some(Err(error)),
        };
        answer.map(|answer| answer.inspect_err(|error| self.note_refusal(call, error)))
    }

    async fn perform(&self, call: &Call, request: Box<Request>) -> Result<Reply, A2aError> {
        let core = &self.core;
        match *request {
            Request::SendMessage(request) => send::send(core, call, request.into()).await,
            Request::SendStreamingMessage(request) => {
                send::stream(core, call, request.into()).await
            }
            Request::GetTask(request) => page::get(core, call, &request).await.map(Reply::Task),
            Request::ListTasks(request) => page::list(core, call, &request).await.map(Reply::Tasks),
            Request::CancelTask(request) => send::cancel(core, call, &request).await,
            Request::SubscribeToTask(request) => subscribe::subscribe(core, call, &request).await,
            Request::CreateTaskPushNotificationConfig(_)
            | Request::GetTaskPushNotificationConfig(_)
            | Request::ListTaskPushNotificationConfigs(_)
            | Request::DeleteTaskPushNotificationConfig(_) => Err(no_push()),
            Request::GetExtendedAgentCard(_) => Ok(Reply::ExtendedCard(gate::usable(core, call))),
        }
    }

    /// The agents as they are now, the default one first.
    pub fn agents(&self) -> Arc<[Exposed]> {
        self.core.agents()
    }

    /// Serves these agents from now on, the default one first. Runs at work go on with the agent
    /// that began them, and so do the messages that came while one was at work.
    ///
    /// # Errors
    /// When they cannot be served together; then those of before stay.
    pub fn replace_agents(&self, agents: Vec<Exposed>) -> Result<(), BuildError> {
        check_agents(&agents)?;
        *self.core.agents.write() = agents.into();
        Ok(())
    }

    /// The extensions, as cards declare them.
    pub fn extensions(&self) -> impl Iterator<Item = &AgentExtension> {
        self.core.extensions.declarations()
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.core.limits
    }

    /// Whether new work would be taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), A2aError> {
        self.core.admit()
    }

    /// Takes up what an earlier process left unfinished; gives how many tasks that were.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        recover::recover(&self.core).await
    }

    /// Takes up tasks whose run was lost because the store gave up for a while. Call it regularly.
    pub async fn mend(&self) {
        recover::mend(&self.core).await;
    }

    /// Hears what other replicas have to tell, where the store is shared, until the service stops. Without
    /// somebody who does this, what happens elsewhere is not seen here.
    pub async fn attend(&self) {
        replicas::attend(self.core.clone()).await;
    }

    /// Takes contexts on in their lives and removes what is over, unless another replica is at it or no
    /// sweep is due; gives what was done.
    ///
    /// # Errors
    /// When the store cannot do it, or not all of it.
    ///
    /// # Cancel safety
    /// Dropped midway, it has done some of it, and for a while no other replica goes on with it.
    pub async fn sweep(
        &self,
        retention: &Retention,
        when: When,
    ) -> Result<Option<Swept>, StoreError> {
        let Core { store, deployment, .. } = &*self.core;
        let every = match when {
            When::Due => Some(retention.every),
            When::Now => None,
        };
        let Some(now) = store.begin_sweep(deployment, every).await? else { return Ok(None) };
        let swept = store.sweep(deployment, &retention.cutoffs(now)).await;
        store.end_sweep(deployment, swept.as_ref().ok().copied()).await?;
        if swept.as_ref().is_ok_and(|swept| swept.tasks > 0) {
            self.core.end_removed().await?;
        }
        swept.map(Some)
    }

    /// Erases what the caller has of a context, through its mount: tasks with all that was said and
    /// made, and the keys and answers of idempotent sends. What the caller does not have counts as
    /// nothing.
    ///
    /// # Errors
    /// `UnsupportedOperation` when a task of the context is at work; nothing or some of the others
    /// may have been erased then.
    pub async fn erase_context(&self, call: &Call, id: &ContextId) -> Result<Swept, A2aError> {
        self.erase(call, What::Context(id.clone())).await
    }

    /// Erases all that a subject of the caller's tenant has, through the caller's mount; what
    /// [`Service::erase_context`] erases, of all contexts. What a subject does not have counts as
    /// nothing.
    ///
    /// # Errors
    /// `PermissionDenied` when the subject is another than the caller, whose credentials do not name the
    /// scope for that; `UnsupportedOperation` when a task of the subject is at work.
    pub async fn erase_subject(&self, call: &Call, subject: &Arc<str>) -> Result<Swept, A2aError> {
        self.erase(call, What::Subject(subject.clone())).await
    }

    async fn erase(&self, call: &Call, what: What) -> Result<Swept, A2aError> {
        let (core, call) = (self.core.clone(), call.clone());
        // Not in the caller's future: what is begun is finished and recorded, whoever goes away.
        let erased = self.core.runs.spawn(async move { erase::erase(&core, &call, &what).await });
        let stopped = |_| Err(A2aError::unavailable("the server is stopping", TRY_AGAIN));
        erased.await.unwrap_or_else(stopped)
    }

    /// Says where the answers to [authorizations](crate::Authorization) arrive, for a binding that
    /// hands them to [`Service::authorized`].
    pub fn authorizations_arrive_at(&self, address: &str) {
        self.core.authorizations.arrive_at(address);
    }

    /// Takes the answer to an authorization, which goes to the agent that asked for it; the task
    /// goes on. The parameter `state` says which, and who knows it may answer.
    ///
    /// # Errors
    /// `InvalidParams` when nothing waits for it, and `Unavailable` while no work is taken.
    pub async fn authorized(
        &self,
        answer: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), A2aError> {
        authorization::arrive(&self.core, answer).await
    }

    /// Refuses new work from now on; what runs goes on.
    pub fn drain(&self) {
        self.core.draining.store(true, Ordering::Relaxed);
    }

    /// Stops: refuses new work, lets runs finish for a while, then halts the rest, which the next
    /// start takes up, and ends the streams, each with a cursor to resume from.
    pub async fn stop(&self, grace: Duration) {
        self.drain();
        let core = &self.core;
        core.runs.close();
        if tokio::time::timeout(grace, core.runs.wait()).await.is_err() {
            core.halt.cancel();
            // Bounded as well: an agent may hold its thread.
            let _ = tokio::time::timeout(core.limits.stop_grace, core.runs.wait()).await;
        }
        // What the runs have said is durable before those who wait for it are sent away.
        let live = core.registry.all();
        let durable = futures::future::join_all(live.iter().map(|live| live.all_durable()));
        let _ = tokio::time::timeout(core.limits.stop_grace, durable).await;
        core.closing.cancel();
        live.iter().for_each(|live| live.wake());
        let agents = core.agents();
        let agents = agents.iter().map(|exposed| &exposed.agent);
        let grace = agents.clone().map(|agent| agent.stop_grace()).max().unwrap_or_default();
        let closed = futures::future::join_all(agents.map(|agent| agent.close()));
        let _ = tokio::time::timeout(grace.max(core.limits.stop_grace), closed).await;
    }
}

fn no_push() -> A2aError {
    let text = "push notifications are not supported here; follow the task by stream or get it";
    A2aError::new(ErrorKind::PushNotificationNotSupported, text)
}

/// The agent whose mount was called.
fn mount(call: &Call) -> Option<&str> {
    call.agent.as_deref()
}

/// Checks a call by itself, before anything is looked up; gives it as far as its caller reaches.
fn check<'c>(core: &Core, call: &'c Call, request: &Request) -> Result<Cow<'c, Call>, A2aError> {
    gate::check_scope(&call.caller, request)?;
    request.check()?;
    check_names(call)?;
    check_tenant(call, request)?;
    gate::confine(core, call, Some(request))
}

/// Refuses names that not every store could keep: whoever made the credentials may have chosen any.
fn check_names(call: &Call) -> Result<(), A2aError> {
    let Call { caller, idempotency_key, .. } = call;
    let names = [
        ("tenant", &*caller.tenant, MOST_NAME_BYTES),
        ("subject", &*caller.subject, MOST_NAME_BYTES),
        ("Idempotency-Key", idempotency_key.as_deref().unwrap_or_default(), MOST_KEY_BYTES),
    ];
    names.into_iter().try_for_each(|(field, name, most)| {
        let is_good = name.len() <= most;
        let fault = || format!("must have at most {most} bytes, not {}", name.len());
        is_good.then_some(()).ok_or_else(|| A2aError::invalid(field, fault()))
    })
}

/// A caller belongs to one tenant; naming another finds nothing there.
fn check_tenant(call: &Call, request: &Request) -> Result<(), A2aError> {
    match request.tenant() {
        Some(tenant) if *tenant != *call.caller.tenant => {
            Err(A2aError::invalid("tenant", format!("tenant `{tenant}` not found")))
        }
        _ => Ok(()),
    }
}

impl Core {
    /// Whether the service is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether new work is taken: before anything is begun, so that refusing is cheap.
    pub(crate) fn admit(&self) -> Result<(), A2aError> {
        if self.is_draining() {
            return Err(A2aError::unavailable("the server is stopping", TRY_AGAIN));
        }
        if self.store.backlog() > self.limits.backlog_bytes {
            return Err(A2aError::unavailable("the server's store does not keep up", TRY_AGAIN));
        }
        if self.places.taken() >= self.limits.runs {
            let text = format!("the server is at its limit of {} runs", self.limits.runs);
            return Err(A2aError::unavailable(text, TRY_AGAIN));
        }
        Ok(self.store.ready()?)
    }

    /// Counts a call and then gives what came of the checks before: so it counts whatever that is.
    fn counted<'c>(
        &self,
        call: &Call,
        request: Option<&Request>,
        checked: Result<Cow<'c, Call>, A2aError>,
    ) -> Result<Cow<'c, Call>, A2aError> {
        self.check_rates(checked.as_deref().unwrap_or(call), request)?;
        checked
    }

    /// Counts a call, by its operation and its agent where a rule asks for that.
    fn check_rates(&self, call: &Call, request: Option<&Request>) -> Result<(), A2aError> {
        let target = match request {
            Some(Request::SendMessage(request) | Request::SendStreamingMessage(request))
                if self.rates.ask_for_agents() =>
            {
                // A call for an agent that is not there is one of none.
                send::target(self, call, request).ok().map(|agent| agent.profile.slug.clone())
            }
            _ => call.agent.clone(),
        };
        self.rates.check(Asked {
            caller: &call.caller,
            operation: request.and_then(gate::scope_of),
            agent: target.as_deref(),
        })
    }

    /// Notes that a call was refused, if it was for the caller's rights or rates.
    fn note_refusal(&self, caller: &Caller, agent: Option<&str>, error: &A2aError) {
        if let Some(audit) = &self.audit
            && let Some(event) = AuditEvent::of_refusal(caller, agent, error)
        {
            audit.note(event);
        }
    }

    /// Checks that a caller may use what a message to an agent is for, as [`access::check`] does. Who
    /// asks for a skill that is hidden from him learns nothing, and the operator does.
    pub(crate) fn check_access(
        &self,
        call: &Call,
        exposed: &Exposed,
        asked: (&Message, Option<&Metadata>),
        history: impl FnOnce() -> Vec<Message>,
    ) -> Result<(), A2aError> {
        access::check(&call.caller, exposed, asked, history).map_err(
            |access::Refused { error, hidden }| {
                if let (Some(audit), Some(skill)) = (&self.audit, hidden) {
                    audit.note(AuditEvent::of_hidden(&call.caller, &exposed.profile.slug, &skill));
                }
                error
            },
        )
    }

    /// Refuses a call that does not ask for a required extension, unless its agent lets that pass.
    fn check_required(&self, call: &Call) -> Result<(), A2aError> {
        match self.agent(call.agent.as_deref()) {
            Some(exposed) if exposed.profile.lenient_extensions => Ok(()),
            _ => self.extensions.check_required(call),
        }
    }

    /// What the caller may see.
    pub(crate) fn scope(&self, call: &Call) -> Scope {
        Scope {
            deployment: self.deployment.clone(),
            tenant: call.caller.tenant.clone(),
            owner: Some(call.caller.subject.clone()),
            agent: call.agent.clone(),
        }
    }

    /// The agents as they are now.
    pub(crate) fn agents(&self) -> Arc<[Exposed]> {
        self.agents.read().clone()
    }

    /// The agent a call is for.
    pub(crate) fn agent(&self, slug: Option<&str>) -> Option<Exposed> {
        let agents = self.agents.read();
        let agent = match slug {
            None => agents.first(),
            Some(slug) => agents.iter().find(|exposed| *exposed.profile.slug == *slug),
        };
        agent.cloned()
    }

    /// What a live task needs.
    pub(crate) fn home(&self) -> Home {
        Home {
            store: self.store.clone(),
            limits: self.limits.clone(),
            registry: Arc::downgrade(&self.registry),
            bell: self.replicas.as_ref().map(Replicas::bell),
        }
    }

    /// The live task of an id in a scope, loaded when nobody has it.
    pub(crate) async fn live(&self, scope: &Scope, id: &TaskId) -> Result<Arc<Live>, A2aError> {
        // A caller's agents may each have a task of that name, so without one the store has to say
        // which is meant: always the oldest. Those that it does not have yet are younger.
        let live = self.registry.get(scope, id);
        if scope.agent.is_some()
            && let Some(live) = live
        {
            return Ok(live);
        }
        match (self.store.load(scope, id).await?, live) {
            (Some(stored), Some(live)) if stored.key == live.key => Ok(live),
            (Some(stored), _) => Ok(self.load(stored).await?),
            (None, Some(live)) => Ok(live),
            (None, None) => Err(A2aError::task_not_found(id.as_str())),
        }
    }

    /// The live task of what is stored.
    pub(crate) async fn load(&self, stored: Stored) -> Result<Arc<Live>, StoreError> {
        let epoch = stored.epoch;
        let new = Arc::new(Live::load(self.home(), stored)?);
        let live = self.registry.insert(new.clone());
        if self.replicas.is_some() {
            // It may be one that somebody had before, or have grown before anybody would have said so.
            self.look_on(&live).await?;
            live.follow_epoch(epoch);
        }
        Ok(live)
    }

    /// Ends what is in memory of tasks at rest that were removed, for those who still wait for them.
    async fn end_removed(&self) -> Result<(), StoreError> {
        if self.replicas.is_some() {
            // Those who look on notice it by themselves.
            return Ok(());
        }
        for live in self.registry.all() {
            let (seq, state) = live.committed();
            let is_at_rest = seq > 0 && !state.is_terminal() && !live.is_at_work();
            if is_at_rest && self.store.load(&live.scope, &live.id).await?.is_none() {
                live.end(StoreError::Removed);
            }
        }
        Ok(())
    }

    /// Counts a stream while the guard lives.
    pub(crate) fn count_stream(&self) -> Result<StreamGuard, A2aError> {
        let count = Count(self.streams.clone());
        if self.streams.fetch_add(1, Ordering::Relaxed) >= self.limits.streams {
            let text = format!("the server is at its limit of {} streams", self.limits.streams);
            return Err(A2aError::unavailable(text, TRY_AGAIN));
        }
        let open = self.open_streams.clone();
        open.increment(1);
        Ok(StreamGuard { _count: count, open })
    }
}

/// One open stream.
pub(crate) struct StreamGuard {
    _count: Count,
    open: Gauge,
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.open.decrement(1);
    }
}

/// Counts one thing less when it is dropped.
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    /// Counts one thing more.
    pub(crate) fn up(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
