//! The client: one method per operation, over whichever binding the card offered.

use std::sync::Arc;
use std::time::Duration;

use legation_model::{
    AgentCard, CancelTaskRequest, GetTaskRequest, ListTasksRequest, ListTasksResponse,
    SendMessageRequest, SendMessageResponse, SubscribeToTaskRequest, Task, TaskId,
};
use legation_net::Http;
use legation_wire::operation::Operation;
use url::Url;

use crate::credentials::{Access, Needs, Visit};
use crate::events::Opening;
use crate::feed::Feed;
use crate::origin::same_place;
use crate::patience::Tries;
use crate::reply::Sent;
use crate::transport::Endpoint;
use crate::{Binding, Error, Events, Options, Retry, card, interface};

/// Calls one agent. Cheap to clone; clones share their connections.
///
/// A server that refuses connections after it was discovered is being restarted, so every operation
/// waits for it as long as [`Options::patience`] says. What may have been carried out is repeated
/// only when that does no harm: questions are, messages and cancellations are not.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) http: Http,
    card: AgentCard,
    pub(crate) endpoint: Endpoint,
    pub(crate) access: Access,
    pub(crate) options: Options,
}

impl Client {
    /// Reads the card of the agent at this address, or at this card's own address, and chooses the
    /// interface to call.
    ///
    /// # Errors
    /// When the address is none, nobody is there (it is tried once), there is no 1.0 card, or the
    /// card offers no interface that is spoken here and lies within the card's own origin or
    /// [`Options::trusted_origins`]; [`Error::Unsatisfied`] when the card asks for other credentials
    /// than those that were given.
    pub async fn discover(url: &str, options: Options) -> Result<Self, Error> {
        let card_url = card::card_url(url)?;
        let mut http = options.connections(&card_url)?;
        let card = card::fetch(&http, &card_url, &options).await?;
        let endpoint = interface::choose(&card, &card_url, &options)?;
        if !same_place(&card_url, &endpoint.url) {
            // A certificate that is for the one is not shown to the other.
            http = options.connections(&endpoint.url)?;
        }
        let chosen = options.credentials.choose(&card, &endpoint.url);
        let mut access = chosen.map_err(|needs| Error::unsatisfied(&endpoint.url, needs))?;
        if access.asks_issuers() {
            access = access.by(options.connections_to_issuers()?);
        }
        Ok(Self { inner: Arc::new(Inner { http, card, endpoint, access, options }) })
    }

    /// The agent's card as it was when the agent was discovered.
    pub fn card(&self) -> &AgentCard {
        &self.inner.card
    }

    /// The address that is called.
    pub fn url(&self) -> &Url {
        &self.inner.endpoint.url
    }

    /// The binding that is spoken.
    pub fn binding(&self) -> Binding {
        self.inner.endpoint.binding
    }

    /// Says something and waits for the outcome (Spec 3.1.1): a direct answer, or the task when it
    /// ended or waits for the caller.
    ///
    /// # Errors
    /// [`Error::Lost`] when the message may have been received and nothing more is known.
    ///
    /// # Cancel safety
    /// Not safe: the message may have been received, and the task is not known.
    pub async fn send(
        &self,
        mut request: SendMessageRequest,
    ) -> Result<SendMessageResponse, Error> {
        request.tenant = self.tenant();
        let settled = self.inner.options.limits.settled;
        self.ask(Operation::SendMessage, &request, settled).await.map(|Sent(response)| response)
    }

    /// Says something and follows what happens (Spec 3.1.2).
    ///
    /// # Errors
    /// As [`Client::send`].
    ///
    /// # Cancel safety
    /// As [`Client::send`]; once this has returned, [`Events`] knows the task from its first item.
    pub async fn stream(&self, mut request: SendMessageRequest) -> Result<Events, Error> {
        request.tenant = self.tenant();
        let feed = self.open_patiently(Operation::SendStreamingMessage, &request, None).await?;
        Ok(Events::new(self.clone(), feed, Opening::Message))
    }

    /// Looks at a task (Spec 3.1.3).
    ///
    /// # Errors
    /// As every call.
    pub async fn get_task(&self, mut request: GetTaskRequest) -> Result<Task, Error> {
        request.tenant = self.tenant();
        self.ask(Operation::GetTask, &request, self.inner.options.limits.answer).await
    }

    /// Pages through tasks (Spec 3.1.4).
    ///
    /// # Errors
    /// As every call.
    pub async fn list_tasks(
        &self,
        mut request: ListTasksRequest,
    ) -> Result<ListTasksResponse, Error> {
        request.tenant = self.tenant();
        self.ask(Operation::ListTasks, &request, self.inner.options.limits.answer).await
    }

    /// Stops a task (Spec 3.1.5).
    ///
    /// # Errors
    /// As every call; [`legation_model::ErrorKind::TaskNotCancelable`] when the task has ended.
    pub async fn cancel_task(&self, mut request: CancelTaskRequest) -> Result<Task, Error> {
        request.tenant = self.tenant();
        self.ask(Operation::CancelTask, &request, self.inner.options.limits.answer).await
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

    /// Follows a task (Spec 3.1.6): from its present state, or from the event after this number on,
    /// where the agent numbers its events.
    ///
    /// # Errors
    /// [`legation_model::ErrorKind::UnsupportedOperation`] when the task has ended.
    pub async fn subscribe(&self, id: TaskId, after: Option<u64>) -> Result<Events, Error> {
        let request = self.subscription(id.clone());
        let feed = self.open_patiently(Operation::SubscribeToTask, &request, after).await?;
        Ok(Events::new(self.clone(), feed, Opening::Task { id, after }))
    }

    /// One try to follow a task again.
    pub(crate) async fn resubscribe(&self, id: TaskId, after: Option<u64>) -> Result<Feed, Error> {
        self.open(Operation::SubscribeToTask, &self.subscription(id), after).await
    }

    /// One try to look at a task.
    pub(crate) async fn look_at(&self, id: TaskId) -> Result<Task, Error> {
        let request = GetTaskRequest { tenant: self.tenant(), id, history_length: None };
        self.try_ask(Operation::GetTask, &request, self.inner.options.limits.answer).await
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
        self.inner.access.log_in(visit).await.map_err(Error::Token)
    }

    /// Forgets the tokens that calls of the agent use, also those that are kept; whether there were
    /// any. Their issuer is not told.
    ///
    /// # Errors
    /// [`Error::Token`] when they cannot be forgotten.
    pub async fn log_out(&self) -> Result<bool, Error> {
        self.inner.access.log_out().await.map_err(Error::Token)
    }

    /// What the agent wants of its callers.
    pub(crate) fn needs(&self) -> Needs {
        self.inner.options.credentials.needs(&self.inner.card, self.url())
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Decides on a further try, and says so; `None` when there is none.
    pub(crate) fn retry(&self, tries: &mut Tries, error: &Error) -> Option<Duration> {
        let wait = tries.next(error.retry_after())?;
        self.inner.options.observer.tell(&Retry { attempt: tries.made(), wait, error });
        Some(wait)
    }

    fn tenant(&self) -> Option<String> {
        self.inner.endpoint.tenant.clone()
    }

    fn subscription(&self, id: TaskId) -> SubscribeToTaskRequest {
        SubscribeToTaskRequest { tenant: self.tenant(), id, metadata: None }
    }
}
