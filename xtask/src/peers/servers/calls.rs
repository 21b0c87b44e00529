//! What is called: one row for each thing that a caller may want of an agent.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use legation_client::{
    Binding, Client, Error, Events, Options, Pace, Patience, Push, Receiver, Updates, Version,
    receiver,
};
use legation_model::{
    Artifact, CancelTaskRequest, Content, DeleteTaskPushNotificationConfigRequest, ErrorKind,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    ListTasksRequest, Message, Part, Role, SendMessageConfiguration, SendMessageRequest,
    SendMessageResponse, StreamResponse, Task, TaskId, TaskPushNotificationConfig, TaskState,
};
use legation_testkit::wire::Wire;

use super::process::Running;

/// Something that a caller wants.
pub(super) struct Call {
    pub(super) name: &'static str,
    /// The versions that have it.
    pub(super) versions: &'static [Version],
    pub(super) run: for<'c> fn(&'c Caller<'c>) -> LocalBoxFuture<'c, anyhow::Result<()>>,
}

const ALL: &[Version] = &[Version::V1_0, Version::V0_3];

/// What needs an agent that posts to this machine: those of Rust refuse to, and the process of those of
/// JavaScript ended.
pub(super) const TOLD: &str = "is told by webhook";

pub(super) const CALLS: &[Call] = &[
    Call { name: "sends", versions: ALL, run: |caller| sends(caller).boxed_local() },
    Call { name: "streams", versions: ALL, run: |caller| streams(caller).boxed_local() },
    Call { name: "gets a message", versions: ALL, run: |caller| message(caller).boxed_local() },
    Call { name: "streams a message", versions: ALL, run: |c| streams_message(c).boxed_local() },
    Call { name: "gets a file", versions: ALL, run: |caller| file(caller).boxed_local() },
    Call { name: "gets the name of a file", versions: ALL, run: |c| file_name(c).boxed_local() },
    Call { name: "sees a failure", versions: ALL, run: |caller| failure(caller).boxed_local() },
    Call { name: "answers a question", versions: ALL, run: |caller| answers(caller).boxed_local() },
    Call { name: "cancels", versions: ALL, run: |caller| cancels(caller).boxed_local() },
    Call { name: "cannot cancel twice", versions: ALL, run: |c| cancels_ended(c).boxed_local() },
    Call { name: "gets a task", versions: ALL, run: |caller| gets(caller).boxed_local() },
    Call { name: "asks for an unknown task", versions: ALL, run: |c| unknown(c).boxed_local() },
    Call { name: "lists tasks", versions: &[Version::V1_0], run: |c| lists(c).boxed_local() },
    Call { name: "subscribes", versions: ALL, run: |caller| subscribes(caller).boxed_local() },
    Call { name: "cannot follow the dead", versions: ALL, run: |c| follows_ended(c).boxed_local() },
    Call { name: "has a webhook", versions: ALL, run: |caller| webhook(caller).boxed_local() },
    Call { name: "lists webhooks", versions: ALL, run: |c| lists_webhooks(c).boxed_local() },
    Call { name: "removes a webhook", versions: ALL, run: |c| removes_webhook(c).boxed_local() },
    Call { name: "gets the extended card", versions: ALL, run: |c| extended(c).boxed_local() },
    Call { name: "polls", versions: ALL, run: |caller| polls(caller).boxed_local() },
    Call { name: TOLD, versions: ALL, run: |caller| told(caller).boxed_local() },
    Call { name: "sees the task through cuts", versions: ALL, run: |c| cuts(c).boxed_local() },
    Call { name: "sees the whole through cuts", versions: ALL, run: |c| whole(c).boxed_local() },
];

/// Our client, calling in one version and binding.
pub(super) struct Caller<'r> {
    pub(super) running: &'r Running,
    pub(super) client: Client,
}

impl<'r> Caller<'r> {
    /// Reads the card and chooses the interface.
    ///
    /// # Errors
    /// When the card offers none like this.
    pub(super) async fn find(
        running: &'r Running,
        binding: Binding,
        version: Version,
    ) -> anyhow::Result<Self> {
        Self::told_by(running, binding, version, Updates::Streaming).await
    }

    /// The same, with a way to learn what becomes of tasks.
    async fn told_by(
        running: &'r Running,
        binding: Binding,
        version: Version,
        updates: Updates,
    ) -> anyhow::Result<Self> {
        let patience = Patience {
            attempts: 20,
            total: Duration::from_secs(10),
            first: Duration::from_millis(2),
            longest: Duration::from_millis(50),
        };
        let (binding, version) = (Some(binding), Some(version));
        let options = Options { binding, version, patience, updates, ..Options::default() };
        Ok(Self { running, client: Client::discover(&running.url(), options).await? })
    }

    /// A task that counts to twenty, by whichever way its updates come: the last one tells all.
    async fn counts(&self, updates: Updates) -> anyhow::Result<()> {
        let (binding, version) = (self.client.binding(), self.client.version());
        let caller = Self::told_by(self.running, binding, version, updates).await?;
        let events = caller.client.stream(say("count 20")).await?;
        let followed = Followed::default().follow_to_end(events).await?;
        caller.is_whole(&followed, 20).await
    }

    async fn sent(&self, request: SendMessageRequest) -> anyhow::Result<Task> {
        match self.client.send(request).await? {
            SendMessageResponse::Task(task) => Ok(task),
            SendMessageResponse::Message(message) => bail!("a message: {:?}", message.text()),
        }
    }

    /// A task that goes on.
    async fn begun(&self, text: &str) -> anyhow::Result<Task> {
        let configuration =
            SendMessageConfiguration { return_immediately: true, ..Default::default() };
        self.sent(SendMessageRequest { configuration, ..say(text) }).await
    }

    async fn get(&self, id: &TaskId, history: Option<i32>) -> Result<Task, Error> {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: history };
        self.client.get_task(request).await
    }

    async fn cancel(&self, id: &TaskId) -> Result<Task, Error> {
        let request = CancelTaskRequest { tenant: None, id: id.clone(), metadata: None };
        self.client.cancel_task(request).await
    }

    /// A stream has to tell the same as the task does when it has ended.
    async fn is_whole(&self, followed: &Followed, count: usize) -> anyhow::Result<()> {
        let id = followed.task.as_ref().context("the stream names no task")?;
        let whole = counted(count);
        is("the state", followed.state, Some(TaskState::Completed))?;
        is("the text that was streamed", &followed.text, &whole)?;
        let task = self.get(id, None).await?;
        is("the state of the task", task.status.state, TaskState::Completed)?;
        is("the text of the task", texts(&task.artifacts), whole)
    }
}

fn say(text: &str) -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text(text)]);
    let configuration = SendMessageConfiguration::default();
    SendMessageRequest { tenant: None, message, configuration, metadata: None }
}

/// What `count` makes.
fn counted(count: usize) -> String {
    (0..count).map(|number| format!("{number} ")).collect()
}

fn texts(artifacts: &[Artifact]) -> String {
    artifacts.iter().flat_map(|artifact| &artifact.parts).filter_map(Part::as_text).collect()
}

fn is<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> anyhow::Result<()> {
    ensure!(got == wanted, "{what} is {got:?}, not {wanted:?}");
    Ok(())
}

fn refused<T>(answer: Result<T, Error>, kinds: &[ErrorKind]) -> anyhow::Result<()> {
    let Err(error) = answer else { bail!("it is not refused") };
    ensure!(error.kind().is_some_and(|kind| kinds.contains(&kind)), "{error} ({:?})", error.kind());
    Ok(())
}

/// What a stream told, by the rules of the protocol.
#[derive(Default)]
struct Followed {
    task: Option<TaskId>,
    state: Option<TaskState>,
    /// The text of the artifact that chunks were added to.
    text: String,
    chunks: usize,
}

impl Followed {
    /// Follows to the end.
    async fn follow_to_end(mut self, mut events: Events) -> anyhow::Result<Self> {
        while self.follow(&mut events).await? {}
        Ok(self)
    }

    /// Takes the next item; false when there is none.
    async fn follow(&mut self, events: &mut Events) -> anyhow::Result<bool> {
        let Some(event) = events.next().await else { return Ok(false) };
        match event?.1 {
            StreamResponse::Task(task) => {
                (self.task, self.state) = (Some(task.id), Some(task.status.state));
                self.text = texts(&task.artifacts);
            }
            StreamResponse::StatusUpdate(update) => {
                (self.task, self.state) = (Some(update.task_id), Some(update.status.state));
            }
            StreamResponse::ArtifactUpdate(update) => {
                self.task = Some(update.task_id);
                self.chunks += 1;
                if !update.append {
                    self.text.clear();
                }
                self.text += &texts(&[update.artifact]);
            }
            StreamResponse::Message(message) => self.text = message.text(),
        }
        Ok(true)
    }
}

/// What is chosen when nobody pins anything.
pub(super) async fn prefers(running: &Running, way: (Binding, Version)) -> anyhow::Result<()> {
    let client = Client::discover(&running.url(), Options::default()).await?;
    is("what is chosen", (client.binding(), client.version()), way)
}

async fn sends(caller: &Caller<'_>) -> anyhow::Result<()> {
    let task = caller.sent(say("echo hello there")).await?;
    is("the state", task.status.state, TaskState::Completed)?;
    is("the artifact", &*texts(&task.artifacts), "hello there")
}

async fn streams(caller: &Caller<'_>) -> anyhow::Result<()> {
    let events = caller.client.stream(say("count 20")).await?;
    let followed = Followed::default().follow_to_end(events).await?;
    is("the number of chunks", followed.chunks, 20)?;
    caller.is_whole(&followed, 20).await
}

async fn polls(caller: &Caller<'_>) -> anyhow::Result<()> {
    caller.counts(Updates::Polling(Pace::default())).await
}

async fn told(caller: &Caller<'_>) -> anyhow::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let receiver = Receiver::listen(address, None, None, receiver::Limits::default()).await?;
    // Nothing but a webhook makes it look in time.
    let push = Push { check: Duration::from_secs(3_600), ..Push::by(receiver) };
    caller.counts(Updates::Push(push)).await
}

async fn message(caller: &Caller<'_>) -> anyhow::Result<()> {
    match caller.client.send(say("direct to you")).await? {
        SendMessageResponse::Message(message) => is("the message", &*message.text(), "to you"),
        SendMessageResponse::Task(task) => bail!("a task that is {:?}", task.status.state),
    }
}

async fn streams_message(caller: &Caller<'_>) -> anyhow::Result<()> {
    let events = caller.client.stream(say("direct to you")).await?;
    let followed = Followed::default().follow_to_end(events).await?;
    is("the task", followed.task, None)?;
    is("the message", &*followed.text, "to you")
}

async fn sent_file(caller: &Caller<'_>) -> anyhow::Result<Part> {
    let task = caller.sent(say("file")).await?;
    let part = task.artifacts.into_iter().flat_map(|artifact| artifact.parts).next();
    part.context("no part")
}

async fn file(caller: &Caller<'_>) -> anyhow::Result<()> {
    let part = sent_file(caller).await?;
    let Content::Raw(bytes) = &part.content else { bail!("no bytes but {part:?}") };
    is("the content", bytes.decode(), vec![0, 1, 254, 255])?;
    is("the media type", part.media_type.as_deref(), Some("application/x-four"))
}

async fn file_name(caller: &Caller<'_>) -> anyhow::Result<()> {
    is("the name", sent_file(caller).await?.filename.as_deref(), Some("four.bin"))
}

async fn failure(caller: &Caller<'_>) -> anyhow::Result<()> {
    let task = caller.sent(say("fail")).await?;
    is("the state", task.status.state, TaskState::Failed)?;
    let said = task.status.message.map(|message| message.text());
    is("what is said", said.as_deref(), Some("as told"))
}

async fn answers(caller: &Caller<'_>) -> anyhow::Result<()> {
    let asked = caller.sent(say("ask")).await?;
    is("the state", asked.status.state, TaskState::InputRequired)?;
    let question = asked.status.message.map(|message| message.text());
    is("the question", question.as_deref(), Some("what?"))?;
    let mut answer = say("echo this");
    answer.message.task_id = Some(asked.id.clone());
    answer.message.context_id.clone_from(&asked.context_id);
    let task = caller.sent(answer).await?;
    is("the task", (&task.id, &task.context_id), (&asked.id, &asked.context_id))?;
    is("the state", task.status.state, TaskState::Completed)?;
    is("the artifact", &*texts(&task.artifacts), "this")
}

async fn cancels(caller: &Caller<'_>) -> anyhow::Result<()> {
    let task = caller.begun("slow").await?;
    ensure!(!task.status.state.is_settled(), "the task is {:?}", task.status.state);
    let cancelled = caller.cancel(&task.id).await?;
    is("the state", cancelled.status.state, TaskState::Canceled)?;
    is("the state later", caller.get(&task.id, None).await?.status.state, TaskState::Canceled)
}

async fn cancels_ended(caller: &Caller<'_>) -> anyhow::Result<()> {
    let task = caller.sent(say("echo x")).await?;
    refused(caller.cancel(&task.id).await, &[ErrorKind::TaskNotCancelable])
}

async fn gets(caller: &Caller<'_>) -> anyhow::Result<()> {
    let sent = caller.sent(say("echo again")).await?;
    // How much there is without a number is not said before 1.0.
    let task = caller.get(&sent.id, Some(10)).await?;
    is("the task", (&task.id, &task.context_id), (&sent.id, &sent.context_id))?;
    is("the artifact", &*texts(&task.artifacts), "again")?;
    is(
        "the first message",
        task.history.first().map(Message::text).as_deref(),
        Some("echo again"),
    )?;
    let short = caller.get(&sent.id, Some(0)).await?;
    is("the length of no history", short.history.len(), 0)
}

async fn unknown(caller: &Caller<'_>) -> anyhow::Result<()> {
    let id = TaskId::parse("0b3e92c4-4f6d-4a39-9c43-2f5f5d0c8a11")?;
    refused(caller.get(&id, None).await, &[ErrorKind::TaskNotFound])?;
    refused(caller.cancel(&id).await, &[ErrorKind::TaskNotFound])
}

async fn lists(caller: &Caller<'_>) -> anyhow::Result<()> {
    let first = caller.sent(say("echo one")).await?;
    let mut second = say("echo two");
    second.message.context_id.clone_from(&first.context_id);
    let second = caller.sent(second).await?;
    let request = ListTasksRequest {
        context_id: first.context_id,
        page_size: Some(1),
        ..ListTasksRequest::default()
    };
    let page = caller.client.list_tasks(request.clone()).await?;
    is("the number of tasks", page.total_size, 2)?;
    let page_token = Some(page.next_page_token);
    let rest = caller.client.list_tasks(ListTasksRequest { page_token, ..request }).await?;
    let mut listed: Vec<_> = page.tasks.iter().chain(&rest.tasks).map(|task| &task.id).collect();
    let mut made = vec![&first.id, &second.id];
    listed.sort();
    made.sort();
    is("what is listed", listed, made)
}

async fn subscribes(caller: &Caller<'_>) -> anyhow::Result<()> {
    let mut events = caller.client.stream(say("count 100")).await?;
    let mut first = Followed::default();
    while first.chunks < 10 && first.follow(&mut events).await? {}
    let id = first.task.clone().context("the stream names no task")?;
    let second = caller.client.subscribe(id, None).await?;
    let second = Followed::default().follow_to_end(second).await?;
    caller.is_whole(&second, 100).await?;
    let first = first.follow_to_end(events).await?;
    caller.is_whole(&first, 100).await
}

/// 1.0 has a word for it (Spec 3.1.6), the servers of 0.3 have one or another.
async fn follows_ended(caller: &Caller<'_>) -> anyhow::Result<()> {
    let task = caller.sent(say("echo x")).await?;
    let mut events = match caller.client.subscribe(task.id.clone(), None).await {
        Ok(events) => events,
        Err(error) => {
            ensure!(error.may_mean_ended(), "{error} ({:?})", error.kind());
            return Ok(());
        }
    };
    // Some give the task and no more, or an error in the stream.
    match events.next().await {
        Some(Ok((_, StreamResponse::Task(told)))) => is("the task", told.id, task.id),
        Some(Err(error)) if error.may_mean_ended() => Ok(()),
        other => bail!("{other:?}"),
    }
}

/// Registers a webhook for a task that goes on.
async fn registered(caller: &Caller<'_>) -> anyhow::Result<(TaskPushNotificationConfig, String)> {
    let task = caller.begun("slow").await?;
    let wanted = TaskPushNotificationConfig {
        tenant: None,
        id: Some("hook".to_owned()),
        task_id: Some(task.id),
        // Nothing is sent there: the task says nothing more.
        url: "https://example.com/hook".to_owned(),
        token: Some("the-token".to_owned()),
        authentication: None,
    };
    let made = caller.client.create_push_config(wanted.clone()).await?;
    is("what is made", (&made.url, &made.token), (&wanted.url, &wanted.token))?;
    let id = made.id.context("no id")?;
    Ok((wanted, id))
}

async fn webhook(caller: &Caller<'_>) -> anyhow::Result<()> {
    let (wanted, id) = registered(caller).await?;
    let task_id = wanted.task_id.context("a task")?;
    let request = GetTaskPushNotificationConfigRequest { tenant: None, task_id, id };
    let got = caller.client.get_push_config(request).await?;
    is("what is there", (got.url, got.token), (wanted.url, wanted.token))
}

/// The ids of a task's webhooks.
async fn listed(caller: &Caller<'_>, task_id: TaskId) -> anyhow::Result<Vec<Option<String>>> {
    let request = ListTaskPushNotificationConfigsRequest {
        tenant: None,
        task_id,
        page_size: None,
        page_token: None,
    };
    let listed = caller.client.list_push_configs(request).await?;
    Ok(listed.configs.into_iter().map(|config| config.id).collect())
}

async fn lists_webhooks(caller: &Caller<'_>) -> anyhow::Result<()> {
    let (webhook, id) = registered(caller).await?;
    let task_id = webhook.task_id.context("a task")?;
    is("what is listed", listed(caller, task_id).await?, vec![Some(id)])
}

async fn removes_webhook(caller: &Caller<'_>) -> anyhow::Result<()> {
    let (webhook, id) = registered(caller).await?;
    let task_id = webhook.task_id.context("a task")?;
    let request =
        DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: task_id.clone(), id };
    caller.client.delete_push_config(request).await?;
    is("what is left", listed(caller, task_id).await?, Vec::new())
}

async fn extended(caller: &Caller<'_>) -> anyhow::Result<()> {
    let card = caller.client.extended_card().await?;
    let skills: Vec<_> = card.skills.iter().map(|skill| &*skill.id).collect();
    is("the skills", skills, vec!["obey", "more"])
}

/// How many chunks are made while connections break.
const CHUNKS: usize = 140;

/// Follows a task while its connections break again and again.
async fn through_cuts(caller: &Caller<'_>) -> anyhow::Result<Followed> {
    let Running { http, grpc, .. } = caller.running;
    // More than the whole task at once, or nobody would ever see it.
    let (wire, bytes) = match caller.client.binding() {
        Binding::JsonRpc | Binding::HttpJson => (http, 9_000),
        Binding::Grpc => (grpc, 4_000),
    };
    let before = wire.cuts();
    let cutting = Cutting::begin(wire, bytes);
    let events = caller.client.stream(say(&format!("count {CHUNKS}"))).await?;
    let followed = Followed::default().follow_to_end(events).await?;
    drop(cutting);
    let cuts = wire.cuts() - before;
    // How much a server says at once decides how many there are.
    ensure!(cuts >= 1, "no cuts");
    Ok(followed)
}

/// A wire that is cut as long as this is there, also when the call takes too long.
struct Cutting<'w>(&'w Wire);

impl<'w> Cutting<'w> {
    fn begin(wire: &'w Wire, bytes: usize) -> Self {
        wire.cut_after(Some(bytes));
        Self(wire)
    }
}

impl Drop for Cutting<'_> {
    fn drop(&mut self) {
        self.0.cut_after(None);
    }
}

/// What is known in the end is the task as its agent has it.
async fn cuts(caller: &Caller<'_>) -> anyhow::Result<()> {
    let followed = through_cuts(caller).await?;
    is("the state", followed.state, Some(TaskState::Completed))?;
    let task = caller.get(&followed.task.context("the stream names no task")?, None).await?;
    is("the text that was streamed", followed.text, texts(&task.artifacts))
}

/// And that is all that the agent made.
async fn whole(caller: &Caller<'_>) -> anyhow::Result<()> {
    caller.is_whole(&through_cuts(caller).await?, CHUNKS).await
}
