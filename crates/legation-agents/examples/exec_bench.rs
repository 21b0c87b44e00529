//! Measures programs as agents, durable SQLite behind them, beside an agent in the process:
//!
//!   cargo run --release -p legation-agents --example `exec_bench`
//!
//! The program is this one again, or `--python` for the Python module. Tasks are sent through the
//! service, without HTTP; every answer is checked.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::io::{BufRead as _, BufWriter, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use legation_agents::exec::{Exec, Mode, Settings};
use legation_core::{Agent, AgentError, Call, Caller, Profile, Reply, Service, Turn};
use legation_model::{Artifact, ArtifactId, Part, Request, Task};
use legation_store::sqlite::{Options, SqliteStore};
use serde_json::json;

const TASKS: usize = 20_000;
const SENDERS: usize = 64;
const STREAMS: usize = 200;
const STREAMERS: usize = 8;
const CHUNKS: usize = 1_000;
const TEXT: usize = 256;

/// What the Python module makes of the same work.
const PYTHON: &str = r#"
from legation_agent import agent

def chunks(turn):
    for _ in range(int(turn.text[7:])):
        yield "x" * 64

@agent(concurrency=64)
def run(turn):
    return chunks(turn) if turn.text.startswith("chunks ") else turn.text
"#;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return worker();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure());
}

/// The program: answers what was said, or with many chunks.
fn worker() {
    #[derive(serde::Deserialize)]
    struct Told {
        run: u64,
        #[serde(default)]
        text: String,
    }
    let mut out = BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    let mut say = |line: &dyn std::fmt::Display, flush: bool| {
        writeln!(out, "{line}").expect("the server listens");
        if flush {
            out.flush().expect("the server listens");
        }
    };
    say(&r#"{"type":"ready","protocol":1,"concurrency":64}"#, true);
    let chunk = "x".repeat(64);
    for line in std::io::stdin().lock().lines() {
        let told: Told = serde_json::from_str(&line.expect("text")).expect("a line");
        let run = told.run;
        let Some(chunks) = told.text.strip_prefix("chunks ") else {
            let text = serde_json::to_string(&told.text).expect("text is JSON");
            say(&format_args!(r#"{{"type":"complete","run":{run},"text":{text}}}"#), true);
            continue;
        };
        for _ in 0..chunks.parse().expect("a number") {
            say(&format_args!(r#"{{"type":"chunk","run":{run},"text":"{chunk}"}}"#), false);
        }
        say(&format_args!(r#"{{"type":"complete","run":{run}}}"#), true);
    }
}

/// The same work without a program.
struct InProcess;

#[async_trait]
impl Agent for InProcess {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        let text = turn.message().text();
        let Some(chunks) = text.strip_prefix("chunks ") else { return turn.answer(text).await };
        let id = ArtifactId::parse("answer").expect("a valid identifier");
        for _ in 0..chunks.parse().expect("a number") {
            let chunk = Artifact::new(id.clone(), vec![Part::text("x".repeat(64))]);
            turn.chunk(chunk, false).await?;
        }
        turn.complete().await
    }
}

async fn measure() {
    let python = std::env::args().any(|argument| argument == "--python");
    println!("{:<22} {:>12} {:>14}", "", "tasks/s", "events/s");
    report("in the process", |service| service.agent(profile(), InProcess)).await;
    for workers in [1, 2] {
        let name = format!("pool of {workers}");
        report(&name, |service| service.agent(profile(), program(workers, python))).await;
    }
}

fn profile() -> Profile {
    Profile::new("echo", "Echo", "Says what you say")
}

fn program(workers: usize, python: bool) -> Exec {
    let itself = std::env::current_exe().expect("a path");
    let itself = itself.to_str().expect("a path of text").to_owned();
    let mut settings = Settings::new([itself, "worker".into()]);
    if python {
        settings = Settings::new(["python3", "-c", PYTHON]);
        let module = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/src");
        settings.env_set.insert("PYTHONPATH".into(), module.into());
    }
    settings.mode = Mode::Pool { workers };
    Exec::new(settings).expect("good settings")
}

async fn report(name: &str, with: impl FnOnce(legation_core::Builder) -> legation_core::Builder) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(dir.path(), Options::default()).expect("an empty directory");
    let service = with(Service::builder(store)).build().expect("one agent");
    let text = "t".repeat(TEXT);
    send(&service, text.clone()).await;

    let took = drive(&service, SENDERS, TASKS, text).await;
    let tasks = TASKS as f64 / took.as_secs_f64();
    let took = drive(&service, STREAMERS, STREAMS, format!("chunks {CHUNKS}")).await;
    let events = (STREAMS * CHUNKS) as f64 / took.as_secs_f64();
    println!("{name:<22} {tasks:>12.0} {events:>14.0}");
}

/// Sends so many messages from so many senders in a closed loop.
async fn drive(service: &Arc<Service>, senders: usize, count: usize, text: String) -> Duration {
    let (began, left) = (Instant::now(), Arc::new(AtomicUsize::new(count)));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..senders {
        let (service, left, text) = (service.clone(), left.clone(), text.clone());
        all.spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let task = send(&service, text.clone()).await;
                check(&task, &text);
            }
        });
    }
    all.join_all().await;
    began.elapsed()
}

fn check(task: &Task, text: &str) {
    assert_eq!(task.status.state.name(), "TASK_STATE_COMPLETED", "{:?}", task.status);
    let given: usize = task.artifacts[0].parts.iter().filter_map(Part::as_text).map(str::len).sum();
    let expected = if text.starts_with("chunks ") { CHUNKS * 64 } else { text.len() };
    assert_eq!(given, expected);
}

async fn send(service: &Service, text: String) -> Task {
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]});
    let request = serde_json::from_value(json!({"message": message})).expect("a request");
    let call = Call::by(Caller::anonymous());
    match service.call(&call, Request::SendMessage(request)).await {
        Ok(Reply::SentTask(task)) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
}
