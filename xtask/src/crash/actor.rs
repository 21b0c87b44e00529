//! A client: it sends, follows, reads, and writes down all of it. What a kill broke it tries again,
//! as a careful caller would.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use legation_testkit::history::{About, Failure, Kind, Policy, Reason, Script, Seen, Send, What};
use serde_json::{Value, json};

use super::random::Random;
use super::rpc::{Events, Rpc};
use super::view;
use super::world::World;

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(10);

/// How many copies of a message are sent at once.
const COPIES: u32 = 8;

pub(super) const POLICIES: [Policy; 3] = [Policy::Retry, Policy::Resume, Policy::Fail];

/// The mount of the agent with a policy.
pub(super) fn agent(policy: Policy) -> &'static str {
    match policy {
        Policy::Retry => "counter-retry",
        Policy::Resume => "counter-resume",
        Policy::Fail => "counter-fail",
    }
}

pub(super) struct Actor {
    pub(super) world: Arc<World>,
    pub(super) client: u32,
    pub(super) random: Random,
}

/// A message that shall begin a task.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    message: String,
    /// Whether it may be sent again: it carries a key.
    keyed: bool,
    script: Script,
    text: String,
}

/// What came of listening to a stream.
struct Heard {
    task: Option<String>,
    last: u64,
    ended: bool,
    failure: Option<Failure>,
}

impl Actor {
    /// Does one thing after another until the world closes. `longest` bounds the milliseconds that
    /// a task takes.
    pub(super) async fn work(mut self, longest: u64) {
        while !self.world.is_closing() {
            match self.random.of(0..10) {
                0..=2 => {
                    let errand = self.errand(longest);
                    self.send_until_answered(&errand).await;
                }
                3..=5 => {
                    let errand = self.errand(longest);
                    self.stream_to_the_end(&errand).await;
                }
                6 => {
                    let errand = self.errand(longest);
                    self.send_copies(&errand).await;
                }
                7 | 8 => self.listen_to_a_piece().await,
                _ => self.read_some().await,
            }
        }
    }

    /// A count of random length under a random policy.
    pub(super) fn errand(&mut self, longest: u64) -> Errand {
        let pause = self.random.of(0..20).min(longest);
        let count = self.random.of(1..30).min(longest / pause.max(1)).max(1);
        let policy = *self.random.choose(&POLICIES);
        let keyed = !self.random.once_in(4);
        self.count(policy, count as usize, pause, keyed)
    }

    /// A count of this length.
    pub(super) fn count(&self, policy: Policy, count: usize, pause: u64, keyed: bool) -> Errand {
        Errand {
            message: format!("m-{}", self.world.number()),
            keyed,
            script: Script { count, policy },
            text: format!("count {count} every {pause}"),
        }
    }

    /// Sends a message, again and again if it has a key, until it is answered.
    pub(super) async fn send_until_answered(&mut self, errand: &Errand) -> Option<Seen> {
        loop {
            match self.send(errand).await {
                Ok(seen) => return Some(seen),
                Err(failure) if errand.keyed && self.try_again(&failure).await => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a message once and waits for the answer.
    pub(super) async fn send(&mut self, errand: &Errand) -> Result<Seen, Failure> {
        let send = self.begin(errand);
        let answered = self.call(errand, "SendMessage").await;
        let seen = answered.and_then(|result| view::seen(&result["task"]));
        match &seen {
            Ok(seen) => {
                let (policy, ended) = (errand.script.policy, seen.state.is_terminal());
                self.world.learn(&seen.task, policy, 1, ended);
                self.record(What::Answer { send, task: seen.clone() });
            }
            Err(failure) => self.fail(About::Send(send), failure),
        }
        seen
    }

    /// Sends a message and follows its task to the end, over as many streams as that takes.
    pub(super) async fn stream_to_the_end(&mut self, errand: &Errand) {
        loop {
            let heard = self.stream(errand, u64::MAX).await;
            let policy = errand.script.policy;
            match (&heard.task, &heard.failure) {
                _ if heard.ended => return,
                (Some(task), _) => return self.follow(task, policy, heard.last).await,
                (None, Some(failure)) if errand.keyed && self.try_again(failure).await => {}
                (None, _) => return,
            }
        }
    }

    /// Follows a task from an event on to its end.
    async fn follow(&mut self, task: &str, policy: Policy, mut after: u64) {
        loop {
            let heard = self.resume(task, policy, Some(after), u64::MAX).await;
            after = after.max(heard.last);
            let failure = heard.failure.unwrap_or(Failure::Lost);
            if heard.ended || !self.try_again(&failure).await {
                return;
            }
        }
    }

    /// Sends the same message many times at once, in both ways.
    async fn send_copies(&mut self, errand: &Errand) {
        let errand = &Errand { keyed: true, ..errand.clone() };
        let copies = (0..COPIES).map(|number| {
            let client = self.client * 100 + 1000 + number;
            let mut copy = Self { world: self.world.clone(), client, random: self.random.fork() };
            async move {
                if number % 4 == 3 {
                    copy.stream_to_the_end(errand).await;
                } else {
                    copy.send_until_answered(errand).await;
                }
            }
        });
        join_all(copies.collect::<Vec<_>>()).await;
    }

    /// Listens to some events of a task that is known, from anywhere on.
    pub(super) async fn listen_to_a_piece(&mut self) {
        let known = self.world.known();
        let running: Vec<_> = known.iter().filter(|(_, known)| !known.ended).collect();
        let all: Vec<_> = known.iter().collect();
        let from = if running.is_empty() || self.random.once_in(5) { all } else { running };
        if from.is_empty() {
            return tokio::time::sleep(PAUSE).await;
        }
        let (task, known) = *self.random.choose(&from);
        let after = self.random.of(0..known.seq + 1);
        let after = (!self.random.once_in(8)).then_some(after);
        let most = self.random.of(1..40);
        self.resume(task, known.policy, after, most).await;
    }

    /// Reads some tasks that are known, the same one several times.
    async fn read_some(&mut self) {
        let known: Vec<_> = self.world.known().into_iter().collect();
        if known.is_empty() {
            return tokio::time::sleep(PAUSE).await;
        }
        for _ in 0..3 {
            let recent = &known[known.len().saturating_sub(20)..];
            let from = if self.random.once_in(3) { &known } else { recent };
            let (task, known) = self.random.choose(from).clone();
            for _ in 0..3 {
                // A failure is written down, and a careful caller would look again later.
                let _ = self.read(&task, known.policy).await;
            }
        }
    }

    /// Reads a task.
    pub(super) async fn read(&mut self, task: &str, policy: Policy) -> Result<Seen, Failure> {
        let params = json!({"id": task});
        let read = self.rpc(agent(policy), "GetTask", params, None, None).await;
        let read = match read {
            Ok(rpc) => rpc.call().await,
            Err(failure) => Err(failure),
        };
        let seen = read.and_then(|task| view::seen(&task));
        match &seen {
            Ok(seen) => {
                self.world.learn(task, policy, 1, seen.state.is_terminal());
                self.record(What::Read(seen.clone()));
            }
            Err(failure) => self.fail(About::Task(task.to_owned()), failure),
        }
        seen
    }

    /// Sends a message and listens to some events of its stream.
    async fn stream(&mut self, errand: &Errand, most: u64) -> Heard {
        let about = About::Send(self.begin(errand));
        let params = params(errand);
        let key = errand.keyed.then_some(errand.message.as_str());
        let agent = agent(errand.script.policy);
        let opened = match self.rpc(agent, "SendStreamingMessage", params, key, None).await {
            Ok(rpc) => rpc.open().await,
            Err(failure) => Err(failure),
        };
        self.listen(about, Some(0), errand.script.policy, opened, most).await
    }

    /// Listens to some events of a task, after an event or from now on.
    async fn resume(&mut self, task: &str, policy: Policy, after: Option<u64>, most: u64) -> Heard {
        let params = json!({"id": task});
        let opened = match self.rpc(agent(policy), "SubscribeToTask", params, None, after).await {
            Ok(rpc) => rpc.open().await,
            Err(failure) => Err(failure),
        };
        self.listen(About::Task(task.to_owned()), after, policy, opened, most).await
    }

    /// Listens to the whole log of a task that has ended.
    pub(super) async fn listen_from_the_beginning(&mut self, task: &str, policy: Policy) {
        self.resume(task, policy, Some(0), u64::MAX).await;
    }

    /// Lists all tasks of a policy's agent.
    pub(super) async fn list(&mut self, policy: Policy) -> Result<(), Failure> {
        let mut token = String::new();
        loop {
            let params = json!({"pageSize": 100, "pageToken": token});
            let page = self.rpc(agent(policy), "ListTasks", params, None, None).await?;
            let page = page.call().await?;
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

    async fn listen(
        &mut self,
        about: About,
        after: Option<u64>,
        policy: Policy,
        opened: Result<Events, Failure>,
        most: u64,
    ) -> Heard {
        let mut heard = Heard { task: None, last: 0, ended: false, failure: None };
        let stream = self.world.number();
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
                heard.task.get_or_insert_with(|| event.task.clone());
                self.record(What::Event { stream, event });
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = listening.await {
            self.fail(about, &failure);
            heard.failure = Some(failure);
        }
        heard
    }

    async fn call(&self, errand: &Errand, method: &'static str) -> Result<Value, Failure> {
        let key = errand.keyed.then_some(errand.message.as_str());
        let agent = agent(errand.script.policy);
        self.rpc(agent, method, params(errand), key, None).await?.call().await
    }

    async fn rpc<'a>(
        &'a self,
        agent: &'a str,
        method: &'a str,
        params: Value,
        key: Option<&'a str>,
        after: Option<u64>,
    ) -> Result<Rpc<'a>, Failure> {
        let address = self.world.address().await.ok_or(Failure::Lost)?;
        let token = &self.world.token;
        Ok(Rpc { address, token, agent, method, params, key, after })
    }

    /// Writes down that a message goes out.
    fn begin(&self, errand: &Errand) -> u64 {
        let send = self.world.number();
        let (message, script) = (errand.message.clone(), errand.script);
        let key = errand.keyed.then(|| message.clone());
        self.record(What::Send(Send { send, message, key, script }));
        send
    }

    fn fail(&self, about: About, failure: &Failure) {
        self.record(What::Failed { about, failure: failure.clone() });
    }

    fn record(&self, what: What) {
        self.world.record(self.client, what);
    }

    /// Whether another try may go better; waits a little before it.
    async fn try_again(&self, failure: &Failure) -> bool {
        let again = match failure {
            Failure::Lost => true,
            Failure::Hung => false,
            Failure::Refused { reason: Reason::Unavailable | Reason::Full, .. } => true,
            Failure::Refused {
                reason: Reason::NotFound | Reason::Ended | Reason::Other, ..
            } => false,
        };
        if again {
            tokio::time::sleep(PAUSE).await;
        }
        again
    }
}

fn ends(kind: &Kind) -> bool {
    match kind {
        Kind::Task { state } | Kind::Status { state, .. } => state.is_terminal(),
        Kind::Chunk { .. } => false,
    }
}

fn params(errand: &Errand) -> Value {
    let Errand { message, text, .. } = errand;
    json!({"message": {"messageId": message, "role": "ROLE_USER", "parts": [{"text": text}]}})
}
