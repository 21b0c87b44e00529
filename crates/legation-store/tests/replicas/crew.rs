//! Replicas for tests: services that share one schema, each with a user of the database of its own, by
//! which it can be cut off.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt as _;
use legation_core::store::{Stored, TaskKey};
use legation_core::{
    Agent, AgentError, Authorization, Call, Caller, DEPLOYMENT, Follow, OnRestart, Profile, Reply,
    Scope, Service, TaskStore as _, Turn,
};
use legation_model::{
    A2aError, CancelTaskRequest, Event, GetTaskRequest, Message, Part, Request, Role,
    SendMessageConfiguration, SendMessageRequest, StreamResponse, SubscribeToTaskRequest, Task,
    TaskId,
};
use legation_store::postgres::{Options, PostgresStore};
use legation_testkit::agents::Counter;
use legation_testkit::nats::Nats;
use legation_testkit::postgres::Place;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// Does what the message says, and tells by whom it was done.
struct Scripted {
    replica: &'static str,
    runs: Arc<AtomicU64>,
}

#[async_trait]
impl Agent for Scripted {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let text = turn.message().text().to_string();
        match &*text {
            "ask" => turn.ask("which?").await,
            "grant" => match turn.granted() {
                None => {
                    let at = Authorization::at("https://idp.example/authorize")?;
                    turn.authorize(at, "May I?").await
                }
                Some(grant) => {
                    let code = &grant.parameters["code"];
                    turn.answer(format!("{} got {code}", self.replica)).await
                }
            },
            "pause" => {
                turn.working(Some("pausing")).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
                turn.answer(format!("{} paused", self.replica)).await
            }
            "wait" => {
                turn.working(Some("waiting")).await?;
                turn.stopped().await;
                Err(AgentError::Stopped)
            }
            "listen" => {
                turn.working(Some("listening")).await?;
                let heard = turn.next_message().await?.text().to_string();
                turn.answer(format!("{} heard {heard}", self.replica)).await
            }
            count if count.starts_with("count ") => {
                Counter { on_restart: OnRestart::Retry }.execute(turn).await
            }
            text => turn.answer(format!("{} did {text}", self.replica)).await,
        }
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Retry
    }

    fn entrusted(&self) -> &[String] {
        static NAMES: LazyLock<[String; 1]> = LazyLock::new(|| ["x-secret".to_owned()]);
        &*NAMES
    }
}

/// What carries the news of a crew.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Postgres,
    Nats,
}

/// Replicas that share a schema.
pub(crate) struct Crew {
    place: Place,
    nats: Option<Arc<Mutex<Nats>>>,
    admin: Client,
    _driver: JoinSet<()>,
}

impl Crew {
    /// `None` where the test is to be skipped.
    pub(crate) async fn new(by: By) -> Option<Self> {
        let place = legation_testkit::postgres::place()?;
        let nats = match by {
            By::Postgres => None,
            By::Nats => Some(Arc::new(Mutex::new(Nats::private()?))),
        };
        let (admin, connection) =
            tokio_postgres::connect(&place.url, NoTls).await.expect("a server");
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Some(Self { place, nats, admin, _driver: driver })
    }

    /// A store of a user of its own, and that user.
    pub(crate) async fn store(&self, lease: Duration) -> (Arc<PostgresStore>, String) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = format!("{}_{number}", self.place.schema);
        self.run(&format!("CREATE ROLE {user} LOGIN SUPERUSER")).await;
        let sign = if self.place.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{sign}user={user}", self.place.url);
        let nats = self.nats.as_ref().map(|nats| legation_store::postgres::Nats {
            servers: vec![nats.lock().url()],
            ..Default::default()
        });
        let schema = self.place.schema.clone();
        let options = Options { schema, lease, nats, ..Options::default() };
        (PostgresStore::open(&url, options).expect("a store that opens"), user)
    }

    /// A replica with this name.
    pub(crate) async fn replica(&self, name: &'static str, lease: Duration) -> Replica {
        self.replica_with(name, lease, None).await
    }

    /// A replica whose agent works on a bounded number of messages at once.
    pub(crate) async fn replica_with(
        &self,
        name: &'static str,
        lease: Duration,
        concurrency: Option<usize>,
    ) -> Replica {
        let (store, user) = self.store(lease).await;
        let mut profile = Profile::new("scripted", "Scripted", "Does what it is told");
        profile.concurrency = concurrency;
        let runs = Arc::<AtomicU64>::default();
        let agent = Scripted { replica: name, runs: runs.clone() };
        let service = Service::builder(store.clone()).agent(profile, agent);
        let service = service.bell(store.bell()).build().expect("one agent with a good slug");
        let mut attending = JoinSet::new();
        service.authorizations_arrive_at("http://here/a2a/callback");
        let for_news = service.clone();
        attending.spawn(async move { for_news.attend().await });
        let for_mending = service.clone();
        attending.spawn(async move {
            loop {
                for_mending.mend().await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Replica { store, service, runs, user, _attending: attending }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.admin.batch_execute(sql).await.expect("what an administrator may do");
    }

    /// Lets everybody wait who looks into a table.
    pub(crate) async fn lock(&self, table: &str) {
        self.run(&format!("BEGIN; LOCK TABLE {}.{table}", self.place.schema)).await;
    }

    pub(crate) async fn unlock(&self) {
        self.run("ROLLBACK").await;
    }

    /// Cuts a replica off from the database for as long as it is not let in again.
    pub(crate) async fn cut(&self, replica: &Replica) {
        self.run(&format!("ALTER ROLE {} NOLOGIN", replica.user)).await;
        self.end_sessions(&replica.user, "%").await;
    }

    pub(crate) async fn let_in(&self, replica: &Replica) {
        self.run(&format!("ALTER ROLE {} LOGIN", replica.user)).await;
    }

    /// Ends the connection of a replica's bell, of all where NATS has them; gives whether it had one.
    pub(crate) async fn cut_bell(&self, replica: &Replica) -> bool {
        if self.nats.is_some() {
            self.stop_nats();
            self.start_nats();
            return true;
        }
        let by = ["%LISTEN%", "%pg_notify%"];
        let ended =
            [self.end_sessions(&replica.user, by[0]), self.end_sessions(&replica.user, by[1])];
        futures::future::join_all(ended).await.iter().sum::<u64>() > 0
    }

    pub(crate) fn stop_nats(&self) {
        self.nats.as_ref().expect("a crew that rings over NATS").lock().stop();
    }

    pub(crate) fn start_nats(&self) {
        let nats = self.nats.as_ref().expect("a crew that rings over NATS");
        nats.lock().start().expect("a server that starts again");
    }

    /// A crew with other tables, and the same NATS.
    pub(crate) async fn beside(self) -> (Self, Self) {
        let mut other = Self::new(By::Postgres).await.expect("there was one before");
        other.nats.clone_from(&self.nats);
        (self, other)
    }

    async fn end_sessions(&self, user: &str, query: &str) -> u64 {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = $1 AND query LIKE $2";
        self.admin.execute(end, &[&user, &query]).await.expect("what an administrator may do")
    }

    /// The epochs of all tasks.
    pub(crate) async fn epochs(&self) -> Vec<(i64, i64)> {
        let select = format!("SELECT key, epoch FROM {}.tasks", self.place.schema);
        let rows = self.admin.query(&select, &[]).await.expect("tables");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Lets the lease of a replica run out although it is there.
    pub(crate) async fn expire(&self, replica: &Replica) {
        use legation_core::store::Sharing as _;
        let (schema, id) = (&self.place.schema, replica.store.replica().0);
        self.run(&format!("UPDATE {schema}.replicas SET lease_until = now() WHERE id = {id}"))
            .await;
    }
}

/// A service with what it needs.
pub(crate) struct Replica {
    pub(crate) store: Arc<PostgresStore>,
    pub(crate) service: Arc<Service>,
    /// How often its agent was at work.
    pub(crate) runs: Arc<AtomicU64>,
    user: String,
    _attending: JoinSet<()>,
}

impl Replica {
    pub(crate) async fn call(&self, request: Request) -> Result<Reply, A2aError> {
        self.service.call(&by_ann(), request).await
    }

    pub(crate) async fn send(&self, request: SendMessageRequest) -> Result<Task, A2aError> {
        self.call(Request::SendMessage(request)).await.map(task)
    }

    /// Sends with an idempotency key.
    pub(crate) async fn send_once(
        &self,
        request: SendMessageRequest,
        key: &str,
    ) -> Result<Task, A2aError> {
        let call = Call { idempotency_key: Some(key.into()), ..by_ann() };
        self.service.call(&call, Request::SendMessage(request)).await.map(task)
    }

    /// Begins a task and leaves it at work.
    pub(crate) async fn begin(&self, text: &str) -> Task {
        self.send(at_once(message(text))).await.expect("a task")
    }

    pub(crate) async fn get(&self, id: &TaskId) -> Task {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
        self.call(Request::GetTask(request)).await.map(task).expect("a task")
    }

    pub(crate) async fn cancel(&self, id: &TaskId) -> Result<Task, A2aError> {
        let request = CancelTaskRequest { tenant: None, id: id.clone(), metadata: None };
        self.call(Request::CancelTask(request)).await.map(task)
    }

    pub(crate) async fn subscribe(
        &self,
        id: &TaskId,
        last_event: Option<u64>,
    ) -> Result<Follow, A2aError> {
        let call = Call { last_event, ..by_ann() };
        let request = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
        match self.service.call(&call, Request::SubscribeToTask(request)).await? {
            Reply::Stream(follow) => Ok(follow),
            other => panic!("not a stream: {other:?}"),
        }
    }

    /// What a reader is told after an event until the task ends, which must not take long.
    pub(crate) async fn told(&self, id: &TaskId, after: u64) -> Vec<(Option<u64>, StreamResponse)> {
        told(self.subscribe(id, Some(after)).await.expect("a task to follow")).await
    }

    /// Erases the context of a task.
    pub(crate) async fn erase(&self, task: &Task) {
        let context = task.context_id.as_ref().expect("a context");
        let swept = self.service.erase_context(&by_ann(), context).await.expect("nobody at work");
        assert_eq!(swept.tasks, 1);
    }

    /// A task as the store has it.
    pub(crate) async fn stored(&self, id: &TaskId) -> Stored {
        let scope = Scope {
            deployment: DEPLOYMENT.into(),
            tenant: "t".into(),
            owner: Some("ann".into()),
            agent: None,
        };
        self.store.load(&scope, id).await.expect("a readable store").expect("a task")
    }

    /// A task's key and log, whose numbers have no gap.
    pub(crate) async fn log(&self, id: &TaskId) -> (TaskKey, Vec<Event>) {
        let stored = self.stored(id).await;
        let entries = self.store.entries(&stored.scope, stored.key, 0, usize::MAX).await;
        let entries = entries.expect("a readable store");
        assert!((1..).zip(&entries).all(|(number, (seq, _))| *seq == number), "{entries:?}");
        let read =
            |(_, entry): &(u64, bytes::Bytes)| serde_json::from_slice(entry).expect("an event");
        (stored.key, entries.iter().map(read).collect())
    }
}

pub(crate) fn by_ann() -> Call {
    Call::by(Caller::new("t", "ann"))
}

pub(crate) fn task(reply: Reply) -> Task {
    match reply {
        Reply::SentTask(task) | Reply::Task(task) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
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
pub(crate) fn further(id: &TaskId, text: &str) -> SendMessageRequest {
    let mut request = message(text);
    request.message.task_id = Some(id.clone());
    request
}

pub(crate) fn at_once(mut request: SendMessageRequest) -> SendMessageRequest {
    request.configuration.return_immediately = true;
    request
}

/// All that a stream tells, which must not take long.
pub(crate) async fn told(follow: Follow) -> Vec<(Option<u64>, StreamResponse)> {
    let items = tokio::time::timeout(Duration::from_secs(30), follow.collect::<Vec<_>>()).await;
    let read = |item: Result<legation_core::Item, A2aError>| {
        let item = item.expect("no error in the stream");
        (item.seq, item.json.read().expect("a stream response"))
    };
    items.expect("a stream that ends").into_iter().map(read).collect()
}

/// The numbers of what a stream told.
pub(crate) fn numbers(items: &[(Option<u64>, StreamResponse)]) -> Vec<u64> {
    items.iter().filter_map(|(seq, _)| *seq).collect()
}

/// What the artifacts of a task say.
pub(crate) fn said(task: &Task) -> Vec<String> {
    let parts = task.artifacts.iter().flat_map(|artifact| &artifact.parts);
    parts.map(|part| part.as_text().unwrap_or_default().to_owned()).collect()
}

/// Looks again and again until something is so, which must not take longer than this.
pub(crate) async fn soon<T>(within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < within, "not within {within:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
