//! A client with a will: what a kill broke it tries again, as a careful caller would.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use legation_testkit::history::{Failure, Policy, Reason, Seen};

use super::client::{Client, Errand, POLICIES};
use super::random::Random;
use super::world::World;

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(10);

/// How many copies of a message are sent at once.
const COPIES: u32 = 8;

pub(crate) struct Actor {
    pub(crate) client: Client,
    pub(crate) random: Random,
}

impl Actor {
    pub(crate) fn new(world: &Arc<World>, number: u32, random: Random) -> Self {
        Self { client: Client { world: world.clone(), number, place: None, copies: false }, random }
    }

    /// The same one, which calls the server of a place only.
    pub(crate) fn at(mut self, place: usize) -> Self {
        self.client.place = Some(place);
        self
    }

    /// Whether to begin nothing more.
    pub(crate) fn is_done(&self) -> bool {
        self.client.world.is_closing()
    }

    /// Does one thing after another until the world closes. `longest` bounds the milliseconds that
    /// a task takes.
    pub(crate) async fn work(mut self, longest: u64) {
        while !self.is_done() {
            let errand = self.errand(longest);
            match self.random.of(0..10) {
                0..=2 => drop(self.send_until_answered(&errand).await),
                3..=5 => self.stream_to_the_end(&errand).await,
                6 => self.send_copies(&errand).await,
                7 | 8 => self.listen_to_a_piece().await,
                _ => self.read_some().await,
            }
        }
    }

    /// A count of random length under a random policy.
    fn errand(&mut self, longest: u64) -> Errand {
        let pause = self.random.of(0..20).min(longest);
        let count = self.random.of(1..30).min(longest / pause.max(1)).max(1);
        let policy = *self.random.choose(&POLICIES);
        let keyed = !self.random.once_in(4);
        self.client.count(policy, count as usize, pause, keyed)
    }

    /// Sends a message, again and again if it has a key, until it is answered.
    pub(crate) async fn send_until_answered(&self, errand: &Errand) -> Option<Seen> {
        loop {
            match self.client.send(errand).await {
                Ok(seen) => return Some(seen),
                Err(failure) if errand.keyed && try_again(&failure).await => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a message and follows its task to the end, over as many streams as that takes.
    pub(crate) async fn stream_to_the_end(&self, errand: &Errand) {
        loop {
            let heard = self.client.stream(errand).await;
            match (&heard.task, &heard.failure) {
                _ if heard.ended => return,
                (Some(task), _) => {
                    return self.follow(task, errand.script.policy, heard.last).await;
                }
                (None, Some(failure)) if errand.keyed && try_again(failure).await => {}
                (None, _) => return,
            }
        }
    }

    /// Follows a task from an event on to its end.
    pub(crate) async fn follow(&self, task: &str, policy: Policy, mut after: u64) {
        loop {
            let heard = self.client.resume(task, policy, Some(after), u64::MAX).await;
            after = after.max(heard.last);
            let failure = heard.failure.unwrap_or(Failure::Lost);
            if heard.ended || !try_again(&failure).await {
                return;
            }
        }
    }

    /// Sends the same message many times at once, in both ways.
    pub(crate) async fn send_copies(&mut self, errand: &Errand) {
        let mut errand = errand.clone();
        errand.keyed = true;
        let errand = &errand;
        let copies = (0..COPIES).map(|copy| {
            let number = self.client.number * 100 + 1000 + copy;
            let mut actor = Self::new(&self.client.world, number, self.random.fork());
            actor.client.copies = true;
            async move {
                if copy % 4 == 3 {
                    actor.stream_to_the_end(errand).await;
                } else {
                    actor.send_until_answered(errand).await;
                }
            }
        });
        join_all(copies.collect::<Vec<_>>()).await;
    }

    /// Listens to some events of a task that is known, from anywhere on.
    pub(crate) async fn listen_to_a_piece(&mut self) {
        let known = self.client.world.known();
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
        self.client.resume(task, known.policy, after, most).await;
    }

    /// Reads some tasks that are known, each several times.
    async fn read_some(&mut self) {
        let known: Vec<_> = self.client.world.known().into_iter().collect();
        if known.is_empty() {
            return tokio::time::sleep(PAUSE).await;
        }
        for _ in 0..3 {
            let recent = &known[known.len().saturating_sub(20)..];
            let from = if self.random.once_in(3) { &known } else { recent };
            let (task, known) = self.random.choose(from);
            for _ in 0..3 {
                // A failure is written down, and a careful caller would look again later.
                let _ = self.client.read(task, known.policy).await;
            }
        }
    }
}

/// Whether another try may go better; waits a little before it.
async fn try_again(failure: &Failure) -> bool {
    let again = match failure {
        Failure::Lost => true,
        Failure::Hung => false,
        Failure::Refused { reason: Reason::Unavailable | Reason::Full, .. } => true,
        Failure::Refused { reason: Reason::NotFound | Reason::Ended | Reason::Other, .. } => false,
    };
    if again {
        tokio::time::sleep(PAUSE).await;
    }
    again
}
