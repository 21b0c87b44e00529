//! Measures what an agent with a bound of its own gets done when far more is asked of it:
//!
//!   cargo run --release -p legation-agents --example overload
//!
//! Messages arrive at a fixed rate, whether earlier ones were answered or not, through the service
//! on a durable store, without HTTP. The agent takes 20 ms for each and works on 32 at once; as
//! many may wait.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Call, Caller, Limits, Profile, Service, Turn};
use legation_model::{
    ErrorKind, Message, Part, Request, Role, SendMessageConfiguration, SendMessageRequest,
};
use legation_store::sqlite::{Options, SqliteStore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const AT_ONCE: usize = 32;
const WORK: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_secs(10);
/// Messages that arrive together: a timer for each would be the load.
const BURST: Duration = Duration::from_millis(5);

struct Slow;

#[async_trait]
impl Agent for Slow {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        tokio::time::sleep(WORK).await;
        turn.answer("done").await
    }
}

/// What came of a step: how long those that were taken took, and those that were not.
#[derive(Default)]
struct Outcome {
    taken: Vec<Duration>,
    refused: Vec<Duration>,
}

impl Outcome {
    fn report(&mut self, label: &str, asked: f64) {
        let rate = self.taken.len() as f64 / STEP.as_secs_f64();
        println!(
            "{label:<12} {asked:>7.0} asked/s {rate:>7.0} done/s {:>6} refused  p50 {:>6.1} ms  \
             p99 {:>6.1} ms  refusal p99 {:>6.2} ms",
            self.refused.len(),
            percentile(&mut self.taken, 0.5),
            percentile(&mut self.taken, 0.99),
            percentile(&mut self.refused, 0.99),
        );
    }
}

fn percentile(times: &mut [Duration], share: f64) -> f64 {
    let Some(last) = times.len().checked_sub(1) else { return 0.0 };
    times.sort();
    times[(last as f64 * share) as usize].as_secs_f64() * 1e3
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a store");
    let mut profile = Profile::new("slow", "Slow", "Takes its time");
    profile.concurrency = Some(AT_ONCE);
    let limits = Limits { queued: AT_ONCE, ..Limits::default() };
    let service = Service::builder(store).agent(profile, Slow).limits(limits);
    let service = service.build().expect("one agent with a good slug");

    // The first step finds out what can be done: all of it is asked for, and more.
    let capacity = AT_ONCE as f64 / WORK.as_secs_f64();
    for (label, share) in [("70 %", 0.7), ("100 %", 1.0), ("150 %", 1.5), ("300 %", 3.0)] {
        let asked = capacity * share;
        step(&service, asked).await.report(label, asked);
    }
}

async fn step(service: &Arc<Service>, rate: f64) -> Outcome {
    let mut ticks = interval(BURST);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut calls, mut outcome, mut due) = (JoinSet::new(), Outcome::default(), 0.0);
    let begin = Instant::now();
    while begin.elapsed() < STEP {
        ticks.tick().await;
        due += rate * BURST.as_secs_f64();
        while due >= 1.0 {
            due -= 1.0;
            calls.spawn(send(service.clone()));
        }
        while let Some(done) = calls.try_join_next() {
            note(&mut outcome, done.expect("no panic"));
        }
    }
    while let Some(done) = calls.join_next().await {
        note(&mut outcome, done.expect("no panic"));
    }
    outcome
}

fn note(outcome: &mut Outcome, (taken, time): (bool, Duration)) {
    if taken { outcome.taken.push(time) } else { outcome.refused.push(time) }
}

async fn send(service: Arc<Service>) -> (bool, Duration) {
    let call = Call::by(Caller::new("t", "ann"));
    let request = Request::SendMessage(SendMessageRequest {
        tenant: None,
        message: Message::new(Role::User, vec![Part::text("work")]),
        configuration: SendMessageConfiguration::default(),
        metadata: None,
    });
    let begin = Instant::now();
    let answer = service.call(&call, request).await;
    if let Err(error) = &answer {
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
    }
    (answer.is_ok(), begin.elapsed())
}
