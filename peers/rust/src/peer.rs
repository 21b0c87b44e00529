//! One binding of the server, as the SDK's client sees it.

use std::sync::Arc;

use a2a::{
    A2AError, AgentCard, AgentInterface, CancelTaskRequest, GetTaskRequest, ListTasksRequest,
    Message, Part, Role, SendMessageConfiguration, SendMessageRequest, SendMessageResponse,
    StreamResponse, SubscribeToTaskRequest, Task,
};
use a2a_client::{A2AClient, A2AClientFactory, Transport, auth::AuthInterceptor};
use a2a_grpc::GrpcTransportFactory;
use anyhow::bail;
use futures::{TryStreamExt, stream::BoxStream};

type Client = A2AClient<Box<dyn Transport>>;
pub(crate) type Events = BoxStream<'static, Result<StreamResponse, A2AError>>;

/// The server behind one binding.
pub(crate) struct Peer {
    pub(crate) card: AgentCard,
    pub(crate) interface: AgentInterface,
    pub(crate) client: Client,
    /// The same client, without a token.
    pub(crate) stranger: Client,
}

impl Peer {
    /// Connects over the interface that the card has for the binding.
    pub(crate) async fn connect(
        card: &AgentCard,
        binding: &str,
        token: &str,
    ) -> anyhow::Result<Self> {
        let builder = || {
            let grpc = Arc::new(GrpcTransportFactory::new());
            A2AClientFactory::builder().register(grpc).preferred_bindings(vec![binding.into()])
        };
        let auth = Arc::new(AuthInterceptor::bearer(token));
        let factory = builder().with_interceptor(auth).build();
        let (client, interface) = factory.create_from_card_with_interface(card).await?;
        if interface.protocol_binding != binding {
            bail!("the card has no {binding}");
        }
        let stranger = builder().build().create_from_card(card).await?;
        Ok(Self { card: card.clone(), interface, client, stranger })
    }

    /// Sends a message and returns the task that comes back.
    pub(crate) async fn send(&self, request: SendMessageRequest) -> anyhow::Result<Task> {
        match self.client.send_message(&request).await? {
            SendMessageResponse::Task(task) => Ok(task),
            SendMessageResponse::Message(message) => bail!("not a task: {message:?}"),
        }
    }

    pub(crate) async fn stream(&self, request: SendMessageRequest) -> Result<Events, A2AError> {
        self.client.send_streaming_message(&request).await
    }

    pub(crate) async fn subscribe(&self, task: &Task) -> Result<Events, A2AError> {
        let request = SubscribeToTaskRequest { id: task.id.clone(), tenant: None };
        self.client.subscribe_to_task(&request).await
    }

    pub(crate) async fn get(
        &self,
        task: &Task,
        history_length: Option<i32>,
    ) -> Result<Task, A2AError> {
        let request = GetTaskRequest { id: task.id.clone(), history_length, tenant: None };
        self.client.get_task(&request).await
    }

    pub(crate) async fn cancel(&self, task: &Task) -> Result<Task, A2AError> {
        let request = CancelTaskRequest { id: task.id.clone(), metadata: None, tenant: None };
        self.client.cancel_task(&request).await
    }
}

/// Returns the request that sends a text.
pub(crate) fn say(text: &str) -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text(text)]);
    SendMessageRequest { message, configuration: None, metadata: None, tenant: None }
}

/// Returns the request that sends a text to a task.
pub(crate) fn answer(task: &Task, text: &str) -> SendMessageRequest {
    let mut request = say(text);
    request.message.task_id = Some(task.id.clone());
    request
}

/// Returns the request that sends a text into the context of a task.
pub(crate) fn say_beside(task: &Task, text: &str) -> SendMessageRequest {
    let mut request = say(text);
    request.message.context_id = Some(task.context_id.clone());
    request
}

/// Returns the request that sends a text and does not wait for what comes of it.
pub(crate) fn say_and_leave(text: &str) -> SendMessageRequest {
    let configuration = SendMessageConfiguration {
        accepted_output_modes: None,
        task_push_notification_config: None,
        history_length: None,
        return_immediately: Some(true),
    };
    SendMessageRequest { configuration: Some(configuration), ..say(text) }
}

/// Returns the request that lists the tasks in the context of one.
pub(crate) fn beside(task: &Task) -> ListTasksRequest {
    ListTasksRequest {
        context_id: Some(task.context_id.clone()),
        status: None,
        page_size: None,
        page_token: None,
        history_length: None,
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    }
}

/// Returns all events until the server ends the stream.
pub(crate) async fn collect(events: Events) -> Result<Vec<StreamResponse>, A2AError> {
    events.try_collect().await
}
