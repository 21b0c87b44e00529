//! A client that does single things and writes down what it saw of each.

use std::sync::Arc;
use std::time::Instant;

use legation_testkit::history::{About, Failure, Kind, Policy, Reason, Script, Seen, Send, What};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::rpc::{Events, Rpc};
use super::view;
use super::world::{World, by_records};

pub(crate) const POLICIES: [Policy; 3] = [Policy::Retry, Policy::Resume, Policy::Fail];

/// The mount of the agent with a policy.
pub(crate) fn agent(policy: Policy) -> &'static str {
    match policy {
        Policy::Retry => "counter-retry",
        Policy::Resume => "counter-resume",
        Policy::Fail => "counter-fail",
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) number: u32,
    /// The place of the one server that it calls; any of them without it.
    pub(crate) place: Option<usize>,
    /// Whether others send the same messages at once. Each copy waits for the one before it, so that a
    /// refusal takes as long as all before it.
    pub(crate) copies: bool,
}

/// A message that shall begin a task.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    message: String,
    /// Whether it may be sent again: it carries a key.
    pub(crate) keyed: bool,
    pub(crate) script: Script,
    text: String,
    /// The task that it has begun, as soon as a stream tells.
    task: watch::Sender<Option<String>>,
}

/// What a stream is listened to for.
struct Wanted<'a> {
    about: About,
    after: Option<u64>,
    policy: Policy,
    /// How many events.
    most: u64,
    begun: Instant,
    errand: Option<&'a Errand>,
}

/// What came of listening to a stream.
pub(crate) struct Heard {
    pub(crate) task: Option<String>,
    /// The greatest number that was told.
    pub(crate) last: u64,
    pub(crate) ended: bool,
    pub(crate) failure: Option<Failure>,
}

impl Errand {
    /// Waits until a stream has told which task it has begun.
    pub(crate) async fn task(&self) -> String {
        let mut task = self.task.subscribe();
        let told = task.wait_for(Option::is_some).await;
        // The sender lives as long as this.
        told.ok().and_then(|task| task.clone()).unwrap_or_default()
    }
}

impl Client {
    /// An errand to count so far, with so many milliseconds between the numbers.
    pub(crate) fn count(&self, policy: Policy, count: usize, pause: u64, keyed: bool) -> Errand {
        Errand {
            message: format!("m-{}", self.world.number()),
            keyed,
            script: Script { count, policy },
            text: format!("count {count} every {pause}"),
            task: watch::Sender::default(),
        }
    }

    /// Sends a message once and waits for the answer.
    pub(crate) async fn send(&self, errand: &Errand) -> Result<Seen, Failure> {
        let (send, begun) = (self.begin(errand), Instant::now());
        let answered = match self.rpc_of(errand, "SendMessage").await {
            Ok(rpc) => rpc.call().await,
            Err(failure) => Err(failure),
        };
        let seen = answered.and_then(|result| view::seen(&result["task"]));
        match &seen {
            Ok(seen) => {
                let (policy, ended) = (errand.script.policy, seen.state.is_terminal());
                self.world.learn(&seen.task, policy, 1, ended);
                self.record(What::Answer { send, task: seen.clone() });
            }
            Err(failure) => self.fail(About::Send(send), failure, begun),
        }
        seen
    }

    /// Sends a message once and listens to its stream.
    pub(crate) async fn stream(&self, errand: &Errand) -> Heard {
        let (about, begun) = (About::Send(self.begin(errand)), Instant::now());
        let opened = match self.rpc_of(errand, "SendStreamingMessage").await {
            Ok(rpc) => rpc.open().await,
            Err(failure) => Err(failure),
        };
        let (after, policy, most) = (Some(0), errand.script.policy, u64::MAX);
        let errand = Some(errand);
        self.listen(Wanted { about, after, policy, most, begun, errand }, opened).await
    }

    /// Listens to so many events of a task, after an event or from now on.
    pub(crate) async fn resume(
        &self,
        task: &str,
        policy: Policy,
        after: Option<u64>,
        most: u64,
    ) -> Heard {
        let (params, begun) = (json!({"id": task}), Instant::now());
        let opened = match self.rpc(policy, "SubscribeToTask", params).await {
            Ok(rpc) => Rpc { after, ..rpc }.open().await,
            Err(failure) => Err(failure),
        };
        let about = About::Task(task.to_owned());
        self.listen(Wanted { about, after, policy, most, begun, errand: None }, opened).await
    }

    /// Reads a task.
    pub(crate) async fn read(&self, task: &str, policy: Policy) -> Result<Seen, Failure> {
        let begun = Instant::now();
        let read = match self.rpc(policy, "GetTask", json!({"id": task})).await {
            Ok(rpc) => rpc.call().await,
            Err(failure) => Err(failure),
        };
        let seen = read.and_then(|task| view::seen(&task));
        match &seen {
            Ok(seen) => {
                self.world.learn(task, policy, 1, seen.state.is_terminal());
                self.record(What::Read(seen.clone()));
            }
            Err(failure) => self.fail(About::Task(task.to_owned()), failure, begun),
        }
        seen
    }

    /// Lists all tasks of a policy's agent.
    pub(crate) async fn list(&self, policy: Policy) -> Result<(), Failure> {
        let mut token = String::new();
        loop {
            let params = json!({"pageSize": 100, "pageToken": token});
            let page = self.rpc(policy, "ListTasks", params).await?.call().await?;
            for task in page["tasks"].as_array().into_iter().flatten() {
                let (id, message) = (&task["id"], &task["history"][0]["messageId"]);
                let [task, message] =
                    [id, message].map(|name| name.as_str().unwrap_or_default().to_owned());
                self.record(What::Listed { task, message });
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => token = next.to_owned(),
                _ => return Ok(()),
            }
        }
    }

    async fn listen(&self, wanted: Wanted<'_>, opened: Result<Events, Failure>) -> Heard {
        let Wanted { about, after, policy, most, begun, errand } = wanted;
        let mut heard = Heard { task: None, last: 0, ended: false, failure: None };
        let stream = self.world.number();
        let is_open = opened.is_ok();
        let listening = async {
            let mut events = opened?;
            self.record(What::Open { stream, about: about.clone(), after });
            // A header tells the state of the task, but not that its events were told.
            let mut header_ends = false;
            for _ in 0..most {
                let Some((seq, result)) = events.next().await? else {
                    self.record(What::End { stream });
                    heard.ended |= header_ends;
                    break;
                };
                let event = view::event(seq, &result)?;
                let ends = ends(&event.kind);
                match seq {
                    None => header_ends = ends,
                    Some(seq) => {
                        heard.last = heard.last.max(seq);
                        heard.ended |= ends;
                    }
                }
                self.world.learn(&event.task, policy, heard.last, heard.ended);
                if heard.task.is_none() {
                    heard.task = Some(event.task.clone());
                    errand.inspect(|errand| drop(errand.task.send_replace(heard.task.clone())));
                }
                self.record(What::Event { stream, event });
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = listening.await {
            // A stream that stood still for long was not refused late.
            if is_open {
                self.broken(about, &failure, begun);
            } else {
                self.fail(about, &failure, begun);
            }
            heard.failure = Some(failure);
        }
        heard
    }

    async fn rpc_of<'a>(
        &'a self,
        errand: &'a Errand,
        method: &'static str,
    ) -> Result<Rpc<'a>, Failure> {
        let Errand { message, text, script, keyed, .. } = errand;
        let params = json!({
            "message": {"messageId": message, "role": "ROLE_USER", "parts": [{"text": text}]}
        });
        let rpc = self.rpc(script.policy, method, params).await?;
        Ok(Rpc { key: keyed.then_some(message.as_str()), ..rpc })
    }

    async fn rpc(
        &self,
        policy: Policy,
        method: &'static str,
        params: Value,
    ) -> Result<Rpc<'_>, Failure> {
        let (address, binding) = self.world.way(self.place).await.ok_or(Failure::Lost)?;
        let (token, agent) = (self.world.token.as_str(), agent(policy));
        Ok(Rpc { address, binding, token, agent, method, params, key: None, after: None })
    }

    /// Writes down that a message goes out.
    fn begin(&self, errand: &Errand) -> u64 {
        let send = self.world.number();
        let (message, script) = (errand.message.clone(), errand.script);
        let key = errand.keyed.then(|| message.clone());
        self.record(What::Send(Send { send, message, key, script }));
        send
    }

    fn fail(&self, about: About, failure: &Failure, begun: Instant) {
        if matches!(failure, Failure::Refused { reason: Reason::Unavailable, .. }) {
            self.world.refused(begun, self.copies);
        }
        self.broken(about, failure, begun);
    }

    fn broken(&self, about: About, failure: &Failure, begun: Instant) {
        let begun = by_records(begun);
        self.record(What::Failed { about, begun, failure: failure.clone() });
    }

    fn record(&self, what: What) {
        self.world.record(self.number, what);
    }
}

fn ends(kind: &Kind) -> bool {
    match kind {
        Kind::Task { state } | Kind::Status { state, .. } => state.is_terminal(),
        Kind::Chunk { .. } => false,
    }
}
