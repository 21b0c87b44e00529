//! A service with one program as its agent, and a look at the processes that are left.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use legation_agents::exec::{Exec, Settings};
use legation_core::{Call, Caller, Limits, Profile, Reply, Service};
use legation_model::{Content, Part, Request, Task};
use legation_store::sqlite::{Options, SqliteStore};
use serde_json::{Value, json};

/// The variable by which the processes of a test are found, with all that they start.
const MARK: &str = "LEGATION_TEST_MARK";

pub(super) struct House {
    pub(super) service: Arc<Service>,
    /// How it is called.
    pub(super) call: Call,
    mark: String,
    _dir: tempfile::TempDir,
}

/// A program whose bounds are short enough for a test.
pub(super) fn program(command: &[&str]) -> Settings {
    let mut settings = Settings::new(command.iter().copied());
    settings.run_time = Duration::from_secs(20);
    settings.idle_time = Duration::from_secs(10);
    settings.stop_grace = Duration::from_millis(300);
    settings
}

pub(super) fn shell(script: &str) -> Settings {
    program(&["sh", "-c", script])
}

impl House {
    pub(super) fn new(mut settings: Settings) -> Self {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), MARKS.fetch_add(1, Ordering::Relaxed));
        settings.env_set.insert(MARK.into(), mark.clone());
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(dir.path(), Options::default()).expect("an empty directory");
        let agent = Exec::new(settings).expect("good settings");
        let service = Service::builder(store)
            .agent(Profile::new("program", "Program", "A program."), agent)
            .limits(Limits::default())
            .build()
            .expect("one agent with a good slug");
        Self { service, call: Call::by(Caller::anonymous()), mark, _dir: dir }
    }

    async fn call(&self, request: Request) -> Task {
        match self.service.call(&self.call, request).await {
            Ok(Reply::SentTask(task) | Reply::Task(task)) => task.read().expect("a task"),
            other => panic!("not a task: {other:?}"),
        }
    }

    /// Sends a message and waits until the task settles.
    pub(super) async fn send(&self, text: &str) -> Task {
        self.send_with(json!({"parts": [{"text": text}]}), json!({})).await
    }

    /// Sends a message and does not wait.
    pub(super) async fn begin(&self, text: &str) -> Task {
        let parts = json!({"parts": [{"text": text}]});
        self.send_with(parts, json!({"returnImmediately": true})).await
    }

    pub(super) async fn send_with(&self, mut message: Value, configuration: Value) -> Task {
        static MESSAGES: AtomicU32 = AtomicU32::new(0);
        let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
        message["messageId"] = format!("m-{number}").into();
        message["role"] = "ROLE_USER".into();
        let request = json!({"message": message, "configuration": configuration});
        let request = serde_json::from_value(request).expect("a request");
        self.call(Request::SendMessage(request)).await
    }

    pub(super) async fn cancel(&self, task: &Task) -> Task {
        let request = serde_json::from_value(json!({"id": task.id})).expect("a request");
        self.call(Request::CancelTask(request)).await
    }

    pub(super) async fn task(&self, task: &Task) -> Task {
        let request = serde_json::from_value(json!({"id": task.id})).expect("a request");
        self.call(Request::GetTask(request)).await
    }

    /// Waits until the task is as wanted.
    pub(super) async fn until(&self, task: &Task, is: impl Fn(&Task) -> bool) -> Task {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let now = self.task(task).await;
            if is(&now) {
                return now;
            }
            assert!(Instant::now() < until, "still {now:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The processes of this test that run, with what they have started.
    pub(super) fn processes(&self) -> Vec<String> {
        let mark = format!("{MARK}={}\0", self.mark);
        let marked = |dir: &Path| {
            let environment = std::fs::read(dir.join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        };
        let all = processes().into_iter().filter(|(dir, _)| marked(dir));
        all.map(|(_, stat)| stat).collect()
    }

    /// Waits until so many of its processes run and no child of ours is a zombie.
    pub(super) async fn left(&self, wanted: usize) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let (running, zombies) = (self.processes(), zombies());
            if running.len() == wanted && zombies.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "left: {running:?}, zombies: {zombies:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the service as a server does.
    pub(super) async fn stop(&self) {
        self.service.stop(Duration::ZERO).await;
    }

    /// Drops the service with its agent.
    pub(super) fn close(self) -> Closed {
        let Self { service, mark, _dir, .. } = self;
        drop(service);
        Closed { mark, _dir }
    }
}

/// What is left of a house.
pub(super) struct Closed {
    mark: String,
    _dir: tempfile::TempDir,
}

impl Closed {
    pub(super) async fn is_empty(&self) {
        let mark = format!("{MARK}={}\0", self.mark);
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let running = processes().into_iter().any(|(dir, _)| {
                let environment = std::fs::read(dir.join("environ")).unwrap_or_default();
                String::from_utf8_lossy(&environment).contains(&mark)
            });
            if !running && zombies().is_empty() {
                return;
            }
            assert!(Instant::now() < until, "processes are left");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Every process: its directory in `/proc`, which only Linux has, and what it says of itself.
fn processes() -> Vec<(std::path::PathBuf, String)> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all = all.flatten().map(|entry| entry.path());
    all.filter_map(|dir| {
        let stat = std::fs::read_to_string(dir.join("stat")).ok()?;
        Some((dir, stat))
    })
    .collect()
}

fn zombies() -> Vec<String> {
    let ours = std::process::id().to_string();
    let is_zombie = |stat: &String| {
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
        fields.get(1) == Some(&"Z") && fields.get(2) == Some(&&*ours)
    };
    processes().into_iter().map(|(_, stat)| stat).filter(is_zombie).collect()
}

/// The state without its prefix, and what the task says at its end.
pub(super) fn ended(task: &Task) -> (String, String) {
    let state = task.status.state.name().trim_start_matches("TASK_STATE_").to_lowercase();
    let said = task.status.message.as_ref().map(|message| message.text()).unwrap_or_default();
    (state, said)
}

/// The artifacts, each with its parts as text.
pub(super) fn artifacts(task: &Task) -> BTreeMap<String, String> {
    let text = |part: &Part| match &part.content {
        Content::Text(text) | Content::Url(text) => text.clone(),
        Content::Raw(raw) => raw.as_str().to_owned(),
        Content::Data(data) => data.as_str().to_owned(),
    };
    let all = task.artifacts.iter();
    all.map(|artifact| {
        let id = artifact.artifact_id.as_str().to_owned();
        (id, artifact.parts.iter().map(text).collect())
    })
    .collect()
}
