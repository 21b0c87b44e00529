//! The workbench of these tests: a service on a store in a temporary directory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use legation_core::{
    Agent, AgentError, AuditEntry, Authorization, Call, Caller, DEPLOYMENT, Follow, Grant, Item,
    Limits, OnRestart, Profile, Reply, Service, Turn,
};
use legation_model::{
    A2aError, Artifact, ArtifactId, ErrorKind, GetTaskRequest, Json, Message, Part, Request, Role,
    SendMessageConfiguration, SendMessageRequest, StreamResponse, SubscribeToTaskRequest, Task,
    TaskId, TaskState, Timestamp,
};
use legation_store::sqlite::{AuditLimits, AuditQuery, Options, SqliteAudit, SqliteStore};
use tempfile::TempDir;
use tokio::sync::Notify;

/// Does what the message says, word by word.
pub(crate) struct Scripted {
    pub(crate) on_restart: OnRestart,
    /// What the word `wait` waits for.
    pub(crate) gate: Arc<Notify>,
    /// How often it has answered directly.
    pub(crate) replies: Arc<AtomicUsize>,
}

#[async_trait]
impl Agent for Scripted {
    async fn reply(&self, message: &Message) -> Option<Message> {
        if message.text() != "hello" {
            return None;
        }
        self.replies.fetch_add(1, Ordering::Relaxed);
        // So that others get their turn meanwhile.
        tokio::task::yield_now().await;
        Some(Message::new(Role::Agent, vec![Part::text("hi")]))
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        for word in turn.message().text().split_whitespace() {
            match word {
                "answer" => turn.answer("the answer").await?,
                "ask" => return turn.ask("which?").await,
                "authorize" => turn.settle(TaskState::AuthRequired, "who are you?").await?,
                "grant" => return authorize(turn).await,
                "wait" => self.gate.notified().await,
                "next" => {
                    let further = turn.next_message().await?;
                    turn.answer(further.text()).await?;
                }
                "panic" => panic!("as told"),
                "error" => return Err(AgentError::failed("out of luck")),
                "sleep" => tokio::time::sleep(Duration::from_secs(3_600)).await,
                "attempt" => turn.working(Some(&turn.attempt().to_string())).await?,
                see if see.starts_with("see:") => {
                    let id = TaskId::parse(&see["see:".len()..]).expect("an id");
                    let found = turn.other_task(&id).await?;
                    turn.answer(if found.is_some() { "seen" } else { "nothing" }).await?;
                }
                chunks => count(turn, chunks.parse().expect("a script of known words")).await?,
            }
        }
        Ok(())
    }

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }
}

/// Answers with what came of an authorization, for which it asks first.
async fn authorize(turn: &mut Turn) -> Result<(), AgentError> {
    let Some(Grant { parameters, kept, .. }) = turn.granted() else {
        let at = Authorization::at("https://idp.example/authorize?scope=calendar")?;
        let at = at.keep(Json::parse("7").expect("JSON"));
        return turn.authorize(at, "May I?").await;
    };
    let kept = kept.as_ref().expect("what was kept").as_str();
    let text = format!("got a code of {} letters, kept {kept}", parameters["code"].len());
    turn.answer(text).await
}

async fn count(turn: &mut Turn, count: usize) -> Result<(), AgentError> {
    let counted = turn.task().artifacts.first().map_or(0, |artifact| artifact.parts.len());
    for number in counted + 1..=count {
        let id = ArtifactId::parse("count").expect("a valid identifier");
        let chunk = Artifact::new(id, vec![Part::text(number.to_string())]);
        turn.chunk(chunk, number == count).await?;
    }
    Ok(())
}

pub(crate) struct Bench {
    pub(crate) service: Arc<Service>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) audit: Arc<SqliteAudit>,
    pub(crate) gate: Arc<Notify>,
    pub(crate) replies: Arc<AtomicUsize>,
    /// What the hook was told of contexts.
    pub(crate) told: Told,
    pub(crate) dir: Arc<TempDir>,
}

/// Names of events, each with that of its context.
pub(crate) type Told = Arc<Mutex<Vec<String>>>;

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(OnRestart::Fail, Limits::default())
    }

    pub(crate) fn with(on_restart: OnRestart, limits: Limits) -> Self {
        Self::in_dir(Arc::new(tempfile::tempdir().expect("a directory")), on_restart, limits)
    }

    /// A bench whose agent presents itself otherwise.
    pub(crate) fn serving(limits: Limits, change: impl FnOnce(&mut Profile)) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a directory"));
        Self::open(dir, OnRestart::Fail, limits, change)
    }

    pub(crate) fn in_dir(dir: Arc<TempDir>, on_restart: OnRestart, limits: Limits) -> Self {
        Self::open(dir, on_restart, limits, |_| {})
    }

    fn open(
        dir: Arc<TempDir>,
        on_restart: OnRestart,
        limits: Limits,
        change: impl FnOnce(&mut Profile),
    ) -> Self {
        let (gate, replies) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let agent = Scripted { on_restart, gate: gate.clone(), replies: replies.clone() };
        let count_usage = !limits.quotas.are_none();
        let options = Options { count_usage, ..Options::default() };
        let store = SqliteStore::open(dir.path(), options).expect("an empty directory");
        let mut profile = Profile::new("scripted", "Scripted", "Does what it is told");
        change(&mut profile);
        let audit = SqliteAudit::of_store(dir.path(), DEPLOYMENT, AuditLimits::default());
        let audit = Arc::new(audit);
        let service = Service::builder(store.clone()).agent(profile, agent).limits(limits);
        let told = Told::default();
        let heard = told.clone();
        let service = service.audit(audit.clone()).context_hook(move |event| {
            heard.lock().expect("nobody panics").push(format!(
                "{} {}",
                event.change.name(),
                event.id
            ));
        });
        let service = service.build().expect("one agent with a good slug");
        Self { service, store, audit, gate, replies, told, dir }
    }

    /// Stops as a crash would: runs are halted at once, nothing more is written.
    pub(crate) async fn restart(self, on_restart: OnRestart) -> Self {
        self.service.stop(Duration::ZERO).await;
        let Self { service, store, dir, .. } = self;
        drop(service);
        store.close();
        drop(store);
        let bench = Self::in_dir(dir, on_restart, Limits::default());
        bench.service.recover().await.expect("a readable store");
        bench
    }

    /// What the audit log has, the oldest first.
    pub(crate) fn audited(&self) -> Vec<AuditEntry> {
        self.audit.write_noted(Timestamp::now()).expect("writable");
        let entries = self.audit.list(&AuditQuery::default()).expect("readable");
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    pub(crate) async fn call(&self, request: Request) -> Result<Reply, A2aError> {
        self.service.call(&by("ann"), request).await
    }

    pub(crate) async fn send(&self, request: SendMessageRequest) -> Task {
        match self.call(Request::SendMessage(request)).await {
            Ok(Reply::SentTask(task)) => task.read().expect("a task"),
            other => panic!("not a task: {other:?}"),
        }
    }

    pub(crate) async fn say(&self, text: &str) -> Task {
        self.send(message(text)).await
    }

    /// Begins a task and leaves it at work.
    pub(crate) async fn begin(&self, text: &str) -> Task {
        self.send_at_once(message(text)).await
    }

    /// Sends without waiting for what comes of it.
    pub(crate) async fn send_at_once(&self, mut request: SendMessageRequest) -> Task {
        request.configuration.return_immediately = true;
        self.send(request).await
    }

    pub(crate) async fn stream(&self, text: &str) -> Follow {
        match self.call(Request::SendStreamingMessage(message(text))).await {
            Ok(Reply::Stream(follow)) => follow,
            other => panic!("not a stream: {other:?}"),
        }
    }

    pub(crate) async fn subscribe(
        &self,
        id: &TaskId,
        after: Option<u64>,
    ) -> Result<Follow, A2aError> {
        let mut call = by("ann");
        call.last_event = after;
        let request = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
        match self.service.call(&call, Request::SubscribeToTask(request)).await? {
            Reply::Stream(follow) => Ok(follow),
            other => panic!("not a stream: {other:?}"),
        }
    }

    pub(crate) async fn get(&self, id: &TaskId) -> Task {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
        match self.call(Request::GetTask(request)).await {
            Ok(Reply::Task(task)) => task.read().expect("a task"),
            other => panic!("not a task: {other:?}"),
        }
    }

    /// Waits until a task has ended.
    pub(crate) async fn ended(&self, id: &TaskId) -> Task {
        if let Ok(follow) = self.subscribe(id, None).await {
            let _: Vec<_> = follow.collect().await;
        }
        self.get(id).await
    }
}

pub(crate) fn by(subject: &str) -> Call {
    Call::by(Caller::new("t", subject))
}

pub(crate) fn message(text: &str) -> SendMessageRequest {
    SendMessageRequest {
        tenant: None,
        message: Message::new(Role::User, vec![Part::text(text)]),
        configuration: SendMessageConfiguration::default(),
        metadata: None,
    }
}

/// A further message to a task.
pub(crate) fn further(task: &Task, text: &str) -> SendMessageRequest {
    let mut request = message(text);
    request.message.task_id = Some(task.id.clone());
    request
}

pub(crate) fn kind(result: Result<Reply, A2aError>) -> ErrorKind {
    result.expect_err("a refusal").kind
}

pub(crate) async fn items(follow: Follow) -> Vec<(Option<u64>, StreamResponse)> {
    let items: Vec<Result<Item, A2aError>> = follow.collect().await;
    let read = |item: Result<Item, A2aError>| {
        let item = item.expect("no error in the stream");
        (item.seq, item.json.read().expect("a stream response"))
    };
    items.into_iter().map(read).collect()
}

/// A stream in short: event numbers and what they tell.
pub(crate) fn short(items: &[(Option<u64>, StreamResponse)]) -> Vec<String> {
    let tell = |(seq, item): &(Option<u64>, StreamResponse)| {
        let what = match item {
            StreamResponse::Task(task) => format!("task {}", state(task.status.state)),
            StreamResponse::Message(_) => "message".into(),
            StreamResponse::StatusUpdate(update) => state(update.status.state).into(),
            StreamResponse::ArtifactUpdate(update) => {
                format!("+{}", update.artifact.parts[0].as_text().unwrap_or_default())
            }
        };
        format!("{} {what}", seq.map_or("-".into(), |seq| seq.to_string()))
    };
    items.iter().map(tell).collect()
}

pub(crate) fn state(state: TaskState) -> &'static str {
    state.name().trim_start_matches("TASK_STATE_")
}

pub(crate) fn counted(task: &Task) -> Vec<String> {
    let parts = task.artifacts.iter().flat_map(|artifact| &artifact.parts);
    parts.map(|part| part.as_text().unwrap_or_default().to_owned()).collect()
}
