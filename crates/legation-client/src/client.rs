//! The client: one method per operation, over whichever binding and version the card offered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use legation_model::{
    AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, ErrorKind,
    GetExtendedAgentCardRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest,
    ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse,
    ListTasksRequest, ListTasksResponse, Request, SendMessageRequest, SendMessageResponse,
    SubscribeToTaskRequest, Task, TaskId, TaskPushNotificationConfig,
};
use legation_net::Http;
use legation_wire::reply::Sent;
use serde::de::IgnoredAny;
use url::Url;

use crate::credentials::{Access, Needs, Visit};
use crate::events::Opening;
use crate::feed::Feed;
use crate::origin::{origin, same_place};
use crate::patience::Tries;
use crate::receiver::Registration;
use crate::transport::Endpoint;
use crate::updates::{Looking, Pace, Push, Updates};
use crate::{Binding, Error, Events, Options, Retry, Version, card, interface};

/// Calls one agent. Cheap to clone; clones share their connections.
///
/// A server that refuses connections after it was discovered is being restarted, so every operation
/// waits for it as long as [`Options::patience`] says, unless the card names another address. What may
/// have been carried out is repeated only when that does no harm: questions are, messages and
/// cancellations are not.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    card: AgentCard,
    /// The ways to call it, the preferred one first.
    ways: Vec<Way>,
    /// Which of them is taken.
    at: AtomicUsize,
    pub(crate) options: Options,
}

/// A way to call an agent: one of its interfaces, the connections to it, and what the caller is known
/// by there.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) endpoint: Endpoint,
    pub(crate) http: Http,
    pub(crate) access: Access,
}

impl Way {
    /// The way to an interface of a card. Connections are shared with those before it where they lead
    /// to the same place; a certificate that is for the one is not shown to the other.
    fn to(
        endpoint: Endpoint,
        card: &AgentCard,
        options: &Options,
        before: &[Self],
    ) -> Result<Self, Error> {
        let url = &endpoint.url;
        let chosen = options.credentials.choose(card, url);
        let mut access = chosen.map_err(|needs| Error::unsatisfied(url, needs))?;
        if access.asks_issuers() {
            access = access.by(options.connections_to_issuers()?);
        }
        let same = before.iter().find(|way| same_place(&way.endpoint.url, url));
        let http = same.map_or_else(|| options.connections(url), |way| Ok(way.http.clone()))?;
        Ok(Self { endpoint, http, access })
    }
}

impl Client {
    /// Reads the card of the agent at this address, or at this card's own address, and chooses the
    /// interface to call. Where the card declares a fuller one for callers who are known, and there is
    /// a credential, that one takes its place.
    ///
    /// # Errors
    /// When the address is none, nobody is there (it is tried once), there is no card, it is not signed
    /// as [`Options::signatures`] demands, or it offers no interface that is spoken here and lies
    /// within the card's own origin or [`Options::trusted_origins`]; [`Error::Unsatisfied`] when the
    /// card asks for other credentials than those that were given.
    pub async fn discover(url: &str, options: Options) -> Result<Self, Error> {
        let found = card::find(url, &options).await?;
        let (mut ways, mut lacking) = (Vec::new(), None);
        for endpoint in interface::choose(&found.card, &found.url, &options)? {
            match Way::to(endpoint, &found.card, &options, &ways) {
                Ok(way) => ways.push(way),
                Err(error) => drop(lacking.get_or_insert(error)),
            }
        }
        let Some(first) = ways.first() else {
            return Err(lacking.expect("there is at least one interface"));
        };
        let fuller = found.card.capabilities.extended_agent_card == Some(true);
        let is_known = !first.access.is_empty();
        let at = AtomicUsize::new(0);
        let inner = Inner { card: found.card, ways, at, options };
        let mut client = Self { inner: Arc::new(inner) };
        // Without it the public card is still a card.
        if fuller
            && is_known
            && let Ok(card) = client.extended_card_once().await
        {
            Arc::get_mut(&mut client.inner).expect("nobody else has it yet").card = card;
        }
        Ok(client)
    }

    /// The agent's card as it was when the agent was discovered.
    pub fn card(&self) -> &AgentCard {
        &self.inner.card
    }

    /// The address that is called.
    pub fn url(&self) -> &Url {
        &self.endpoint().url
    }

    /// The binding that is spoken.
    pub fn binding(&self) -> Binding {
        self.endpoint().binding()
    }

    /// The version that is spoken.
    pub fn version(&self) -> Version {
        self.endpoint().version()
    }

    /// Says something and waits for the outcome (Spec 3.1.1): a direct answer, or the task when it
    /// ended or waits for the caller.
    ///
    /// # Errors
    /// [`Error::Lost`] when the message may have been received and nothing more is known.
    ///
    /// # Cancel safety
    /// Not safe: the message may have been received, and the task is not known.
    pub async fn send(&self, request: SendMessageRequest) -> Result<SendMessageResponse, Error> {
        let settled = self.inner.options.limits.settled;
        let sent = self.ask(Request::SendMessage(request), settled).await;
        sent.map(|Sent(response)| self.extended(response))
    }

    /// Says something and follows what happens (Spec 3.1.2), in the way of [`Options::updates`].
    ///
    /// # Errors
    /// As [`Client::send`]; [`Error::Unsayable`] when the caller wants to be told by webhook and the
    /// agent's card offers none.
    ///
    /// # Cancel safety
    /// As [`Client::send`]; once this has returned, [`Events`] knows the task from its first item.
    pub async fn stream(&self, mut request: SendMessageRequest) -> Result<Events, Error> {
        let (mut call, looking) = if self.streams() {
            let mut call = self.call(Request::SendStreamingMessage(request));
            match self.open_patiently(&mut call, None).await {
                Ok(feed) => return Ok(Events::new(self.clone(), feed, Opening::Message(call))),
                Err(error) if error.means_no_streams() => {
                    (call.without_stream(), Looking::at_pace(Pace::default()))
                }
                Err(error) => return Err(error),
            }
        } else {
            let mut looking = self.looking()?;
            let wanted = &mut request.configuration;
            wanted.return_immediately |= !matches!(self.inner.options.updates, Updates::Streaming);
            let told = looking.config(None).or(wanted.task_push_notification_config.take());
            wanted.task_push_notification_config = told;
            (self.call(Request::SendMessage(request)), looking)
        };
        // How a task stood that waits says nothing of what the message brings about.
        let before = match call.goes_on() {
            Some(id) => self.look_at(id).await.ok().map(|task| task.status),
            None => None,
        };
        let settled = self.inner.options.limits.settled;
        let Sent(answer) = self.make(&mut call, settled).await?;
        Ok(match answer {
            SendMessageResponse::Message(message) => Events::said(self.clone(), message),
            SendMessageResponse::Task(task) => {
                Events::looking(self.clone(), task, looking.after(before))
            }
        })
    }

    /// Looks at a task (Spec 3.1.3).
    ///
    /// # Errors
    /// As every call.
    pub async fn get_task(&self, request: GetTaskRequest) -> Result<Task, Error> {
        let id = request.id.clone();
        let task = self.question(Request::GetTask(request)).await?;
        self.same_task("GetTask", &id, task).map(|task| self.extended(task))
    }

    /// Pages through tasks (Spec 3.1.4).
    ///
    /// # Errors
    /// As every call; [`Error::Unsayable`] before 1.0, which alone has such a list.
    pub async fn list_tasks(&self, request: ListTasksRequest) -> Result<ListTasksResponse, Error> {
        let listed = self.question::<ListTasksResponse>(Request::ListTasks(request)).await;
        listed.map(|mut page| {
            page.tasks = page.tasks.into_iter().map(|task| self.extended(task)).collect();
            page
        })
    }

    /// Stops a task (Spec 3.1.5).
    ///
    /// # Errors
    /// As every call; [`legation_model::ErrorKind::TaskNotCancelable`] when the task has ended.
    pub async fn cancel_task(&self, request: CancelTaskRequest) -> Result<Task, Error> {
        let id = request.id.clone();
        let task = self.question(Request::CancelTask(request)).await?;
        self.same_task("CancelTask", &id, task).map(|task| self.extended(task))
    }

    /// Registers a webhook for a task (Spec 3.1.7).
    ///
    /// # Errors
    /// As every call; [`legation_model::ErrorKind::PushNotificationNotSupported`] where there are none.
    pub async fn create_push_config(
        &self,
        config: TaskPushNotificationConfig,
    ) -> Result<TaskPushNotificationConfig, Error> {
        self.question(Request::CreateTaskPushNotificationConfig(config)).await
    }

    /// Looks at a webhook (Spec 3.1.8).
    ///
    /// # Errors
    /// As [`Client::create_push_config`].
    pub async fn get_push_config(
        &self,
        request: GetTaskPushNotificationConfigRequest,
    ) -> Result<TaskPushNotificationConfig, Error> {
        self.question(Request::GetTaskPushNotificationConfig(request)).await
    }

    /// Pages through the webhooks of a task (Spec 3.1.9).
    ///
    /// # Errors
    /// As [`Client::create_push_config`]; [`Error::Unsayable`] in 0.1.
    pub async fn list_push_configs(
        &self,
        request: ListTaskPushNotificationConfigsRequest,
    ) -> Result<ListTaskPushNotificationConfigsResponse, Error> {
        self.question(Request::ListTaskPushNotificationConfigs(request)).await
    }

    /// Removes a webhook (Spec 3.1.10).
    ///
    /// # Errors
    /// As [`Client::list_push_configs`].
    pub async fn delete_push_config(
        &self,
        request: DeleteTaskPushNotificationConfigRequest,
    ) -> Result<(), Error> {
        let request = Request::DeleteTaskPushNotificationConfig(request);
        self.question::<IgnoredAny>(request).await.map(drop)
    }

    /// Reads the card that the agent has for this caller (Spec 3.1.11).
    ///
    /// # Errors
    /// As every call; [`legation_model::ErrorKind::UnsupportedOperation`] where there is none.
    pub async fn extended_card(&self) -> Result<AgentCard, Error> {
        self.question(Request::GetExtendedAgentCard(GetExtendedAgentCardRequest::default())).await
    }

    /// Calls a method of an extension (Spec 4.6), once; by JSON-RPC only, because nothing says where
    /// else such a method would be.
    ///
    /// # Errors
    /// As every call; [`Error::Address`] when the agent is called by another binding.
    pub async fn call_extension<T: serde::de::DeserializeOwned>(
        &self,
        uri: &str,
        method: &'static str,
        params: &impl serde::Serialize,
    ) -> Result<T, Error> {
        self.ask_extension(uri, method, params).await
    }

    /// Follows a task (Spec 3.1.6) in the way of [`Options::updates`]: from its present state, or from
    /// the event after this number on, where the agent streams and numbers its events.
    ///
    /// # Errors
    /// As every call; [`legation_model::ErrorKind::UnsupportedOperation`] when the agent streams and
    /// the task has ended; [`Error::Unsayable`] as with [`Client::stream`].
    pub async fn subscribe(&self, id: TaskId, after: Option<u64>) -> Result<Events, Error> {
        if self.streams() {
            let mut call = self.call(subscription(&id));
            match self.open_patiently(&mut call, after).await {
                Ok(feed) => {
                    return Ok(Events::new(self.clone(), feed, Opening::Task { id, after }));
                }
                Err(error) if error.means_no_streams() => {}
                Err(error) => return Err(error),
            }
        }
        let mut looking = self.looking()?;
        if let Some(config) = looking.config(Some(&id)) {
            self.create_push_config(config).await?;
        }
        Ok(Events::watching(self.clone(), id, looking))
    }

    /// Whether updates come by streams: the caller wants them so, and the agent says that it streams.
    fn streams(&self) -> bool {
        matches!(self.inner.options.updates, Updates::Streaming)
            && self.inner.card.capabilities.streaming == Some(true)
    }

    /// How a task is looked at whose updates do not come by a stream.
    fn looking(&self) -> Result<Looking, Error> {
        Ok(match &self.inner.options.updates {
            Updates::Streaming => Looking::at_pace(Pace::default()),
            Updates::Polling(pace) => Looking::at_pace(*pace),
            Updates::Push(push) => Looking::when_told(self.registered(push)?, push.check),
        })
    }

    /// A place to be told at, where the agent tells.
    fn registered(&self, push: &Push) -> Result<Registration, Error> {
        if self.inner.card.capabilities.push_notifications != Some(true) {
            let reason = "its card offers no push notifications".into();
            return Err(Error::Unsayable { url: origin(self.url()), reason });
        }
        Ok(push.receiver.register())
    }

    /// One try to follow a task again.
    pub(crate) async fn resubscribe(&self, id: &TaskId, after: Option<u64>) -> Result<Feed, Error> {
        let endpoint = self.endpoint();
        let opened = self.open(endpoint, &mut self.call(subscription(id)), after).await;
        if let Err(error) = &opened {
            self.moves_on(endpoint, error, &mut 0);
        }
        opened
    }

    /// One try to look at a task.
    pub(crate) async fn look_at(&self, id: &TaskId) -> Result<Task, Error> {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
        let answer = self.inner.options.limits.answer;
        let mut asked = self.call(Request::GetTask(request));
        let task = self.try_ask(self.endpoint(), &mut asked, answer).await?;
        self.same_task("GetTask", id, task)
    }

    /// The task that was asked about. What another one came to says nothing of it.
    fn same_task(&self, operation: &'static str, id: &TaskId, task: Task) -> Result<Task, Error> {
        if task.id == *id {
            return Ok(task);
        }
        let reason = format!("it is about task {}", task.id);
        Err(Error::bad(operation, self.url(), reason))
    }

    async fn extended_card_once(&self) -> Result<AgentCard, Error> {
        let request = Request::GetExtendedAgentCard(GetExtendedAgentCardRequest::default());
        let answer = self.inner.options.limits.answer;
        self.try_ask(self.endpoint(), &mut self.call(request), answer).await
    }

    /// Asks for something that is answered at once.
    async fn question<T: serde::de::DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        self.ask(request, self.inner.options.limits.answer).await
    }

    /// Lets a person log in wherever the agent's callers get their tokens; `visit` is told where the
    /// person has to go. Gives the number of these places: none when the agent asks for no tokens, or
    /// those that were given are used.
    ///
    /// # Errors
    /// [`Error::Token`] when nothing came of it.
    ///
    /// # Cancel safety
    /// Dropping the future ends the login.
    pub async fn log_in(&self, visit: &(dyn Fn(Visit<'_>) + Send + Sync)) -> Result<usize, Error> {
        self.way(self.endpoint()).access.log_in(visit).await.map_err(Error::Token)
    }

    /// Forgets the tokens that calls of the agent use, also those that are kept; whether there were
    /// any. Their issuer is told where it has an endpoint for that (RFC 7009); when it cannot be, they are
    /// forgotten all the same.
    ///
    /// # Errors
    /// [`Error::Token`] when they cannot be forgotten.
    pub async fn log_out(&self) -> Result<bool, Error> {
        self.way(self.endpoint()).access.log_out().await.map_err(Error::Token)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The interface that is called.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.inner.ways[self.inner.at.load(Ordering::Relaxed)].endpoint
    }

    /// The way to one of the interfaces.
    pub(crate) fn way(&self, endpoint: &Endpoint) -> &Way {
        let way = self.inner.ways.iter().find(|way| way.endpoint == *endpoint);
        way.expect("calls go to the interfaces that were chosen")
    }

    /// What the agent wants of its callers.
    pub(crate) fn needs(&self, url: &Url) -> Needs {
        self.inner.options.credentials.needs(&self.inner.card, url)
    }

    /// Goes on to the card's next interface where that may help: another address when this one cannot
    /// be connected to, another version when this one is refused. Each is tried once for a call.
    pub(crate) fn moves_on(&self, from: &Endpoint, error: &Error, moves: &mut usize) -> bool {
        let ways = &self.inner.ways;
        let here = ways.iter().position(|way| way.endpoint == *from).unwrap_or_default();
        let away = matches!(error, Error::Unreachable { .. });
        let refused = error.kind() == Some(ErrorKind::VersionNotSupported);
        let unknown = [ErrorKind::MethodNotFound, ErrorKind::MethodNotAllowed];
        let misguessed = from.speech.may_be_a_guess()
            && error.kind().is_some_and(|kind| unknown.contains(&kind));
        let helps = |next: &Endpoint| {
            away && !same_place(&next.url, &from.url)
                || refused && next.version() != from.version()
                || misguessed && next.speech != from.speech
        };
        let others = (1..ways.len()).map(|step| (here + step) % ways.len());
        let next = others.skip(*moves).find(|at| helps(&ways[*at].endpoint));
        let Some(next) = next else { return false };
        *moves += 1;
        self.inner.at.store(next, Ordering::Relaxed);
        true
    }

    /// The extensions that a call activates: those of the caller, and those that the card requires.
    pub(crate) fn extensions(&self) -> Option<HeaderValue> {
        let declared = &self.inner.card.capabilities.extensions;
        let required = declared.iter().filter(|extension| extension.required);
        let named = self.inner.options.extensions.iter().map(String::as_str);
        let own = named.chain(self.inner.options.hooks.iter().map(|hook| hook.uri()));
        let mut uris: Vec<&str> = Vec::new();
        for uri in own.chain(required.map(|extension| &*extension.uri)) {
            if !uris.contains(&uri) {
                uris.push(uri);
            }
        }
        let uris = (!uris.is_empty()).then(|| uris.join(","))?;
        HeaderValue::from_str(&uris).ok()
    }

    /// Whether the card declares an extension.
    pub(crate) fn declares(&self, uri: &str) -> bool {
        let declared = &self.inner.card.capabilities.extensions;
        declared.iter().any(|extension| extension.uri == uri)
    }

    /// Decides on a further try, and says so; `None` when there is none.
    pub(crate) fn retry(&self, tries: &mut Tries, error: &Error) -> Option<Duration> {
        let wait = tries.next(error.retry_after())?;
        self.inner.options.observer.tell(&Retry { attempt: tries.made(), wait, error });
        Some(wait)
    }
}

fn subscription(id: &TaskId) -> Request {
    Request::SubscribeToTask(SubscribeToTaskRequest {
        tenant: None,
        id: id.clone(),
        metadata: None,
    })
}
