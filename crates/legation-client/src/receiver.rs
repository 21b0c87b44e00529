//! Receives what agents post to webhooks (Spec 4.3.3): a listener that believes only what bears a
//! token that it made, or a signature by a secret that it shares, and wakes whoever waits.

mod desk;
mod serve;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use legation_model::{
    AuthenticationInfo, MessageId, StreamResponse, TaskId, TaskPushNotificationConfig,
};
use legation_net::Secret;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use desk::{Desk, Place};

/// What a receiver takes, and of whom.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A notification, in bytes. One may hold a whole task.
    pub bytes: usize,
    /// For a notification to arrive, and between two on one connection.
    pub time: Duration,
    /// Connections at once; more wait.
    pub connections: usize,
    /// Notifications that wait for their reader; whoever posts more is asked to come again.
    pub waiting: usize,
    /// How old a signature may be, and how far ahead of this clock.
    pub tolerance: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            time: Duration::from_secs(30),
            connections: 64,
            waiting: 256,
            tolerance: Duration::from_secs(300),
        }
    }
}

/// Listens for what agents post. Clones are the same listener; it is gone with the last of them.
///
/// Each [`Registration`] has an address and a token of its own, which nobody guesses. It speaks plain
/// HTTP: where agents come from elsewhere, a gateway with TLS belongs before it.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    /// Where agents reach it.
    url: Url,
    desk: Arc<Desk>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    /// Listens at an address. Agents reach it there, or where `public` says, below which every path has
    /// to lead to the listener. With a secret only what is signed by it is believed.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn listen(
        address: SocketAddr,
        public: Option<Url>,
        secret: Option<Secret>,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let own = format!("http://{}/", listener.local_addr()?);
        let url = public.unwrap_or_else(|| Url::parse(&own).expect("an address is a URL's host"));
        let desk = Arc::new(Desk::new(secret, limits));
        let accepting = tokio::spawn(serve::run(listener, Arc::clone(&desk)));
        Ok(Self(Arc::new(Inner { url, desk, accepting })))
    }

    /// Where agents reach it.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Makes a place for the notifications of one task.
    pub fn register(&self) -> Registration {
        // 122 random bits each.
        let (name, token) = (MessageId::generate(), MessageId::generate());
        let (place, told) = Place::new(token.as_str(), self.0.desk.limits().waiting);
        let place = Arc::new(place);
        self.0.desk.open(name.as_str(), Arc::clone(&place));
        Registration { name: name.to_string(), place, told, receiver: self.clone() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.0.url.as_str()).finish()
    }
}

/// What an agent has posted, as items of a stream.
pub type Notification = Vec<StreamResponse>;

/// A place that one task is told of at; gone when dropped.
pub struct Registration {
    name: String,
    place: Arc<Place>,
    told: mpsc::Receiver<Notification>,
    receiver: Receiver,
}

impl Registration {
    /// What the agent has to know. It shows the token as agents are used to, and asks for it as a
    /// credential too, because some send only the one or the other.
    pub fn config(&self) -> TaskPushNotificationConfig {
        let token = Some(self.place.token().to_owned());
        let mut url = self.receiver.url().clone();
        url.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), self.name));
        let authentication =
            AuthenticationInfo { scheme: "Bearer".into(), credentials: token.clone() };
        TaskPushNotificationConfig {
            tenant: None,
            id: None,
            task_id: self.place.task(),
            url: url.into(),
            token,
            authentication: Some(authentication),
        }
    }

    /// Says which task it is of: what tells of another is refused from now on.
    pub fn is_of(&mut self, task: &TaskId) {
        self.place.is_of(task);
    }

    /// The next notification. What an agent posts twice is told once, but for chunks that are appended:
    /// two may be alike.
    ///
    /// # Cancel safety
    /// Safe: a dropped call has taken nothing.
    pub async fn next(&mut self) -> Notification {
        // The place keeps the other end for as long as this is there.
        self.told.recv().await.unwrap_or_default()
    }

    /// Waits until there was any, and takes all that is there.
    pub(crate) async fn rung(&mut self) {
        drop(self.next().await);
        while self.told.try_recv().is_ok() {}
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.receiver.0.desk.close(&self.name);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("task", &self.place.task()).finish_non_exhaustive()
    }
}
