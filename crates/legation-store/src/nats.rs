//! The bell over NATS, for replicas that share a store: what they tell each other does not burden the
//! database. Only core NATS is used, because nothing that is rung has to last.
//!
//! All news of a store go by one subject. The client connects again by itself, and subscribes again; what
//! it did not hear meanwhile is looked up.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use futures::StreamExt as _;
use legation_core::bell::{Bell, News};
use legation_core::store::Replica;
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::bell::{Hung, PAUSE, Piles, Told, gone, read};
use crate::postgres::Nats;

type Failure = Box<dyn Error + Send + Sync>;

/// How often a server is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Messages that wait to be read. Beyond, some are lost, and everything is looked at.
const WAITING: usize = 4_096;

/// The servers, and the subject of a store.
#[derive(Clone)]
pub(crate) struct Line {
    nats: Nats,
    servers: Vec<ServerAddr>,
    user: Option<(String, String)>,
    subject: String,
}

impl Line {
    /// The line of the store that has this name.
    ///
    /// # Errors
    /// What is wrong with an address, without the address, which may hold a password.
    pub(crate) fn new(nats: Nats, store: &str) -> Result<Self, String> {
        let servers = nats.servers.iter().map(|server| server.parse::<ServerAddr>());
        let servers = servers.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        if servers.is_empty() || servers.iter().any(ServerAddr::is_websocket) {
            return Err("it takes one or more addresses with `nats://` or `tls://`".to_owned());
        }
        for file in nats.credentials.iter().chain(&nats.ca) {
            let unreadable = |error| format!("cannot read `{}`: {error}", file.display());
            std::fs::File::open(file).map_err(unreadable)?;
        }
        let user = servers.iter().find_map(user_of);
        let servers = servers.into_iter().map(without_user).collect();
        Ok(Self { nats, servers, user, subject: format!("legation.bell.{store}") })
    }

    /// A bell that rings there, carried by this runtime.
    pub(crate) fn hang(self, runtime: &Handle, replica: Replica, every: Duration) -> Arc<dyn Bell> {
        let piles = Piles::default();
        let told = Arc::default();
        let ringer = Ringer { line: self, replica, every, piles: piles.clone(), told };
        Hung::new(piles, runtime.spawn(ringer.work()).abort_handle())
    }

    /// Tells the others that a replica has gone.
    pub(crate) async fn tell_gone(&self, replica: Replica) -> Result<(), Failure> {
        let client = self.options().await?.connect(&self.servers[..]).await?;
        for text in gone(replica) {
            client.publish(self.subject.clone(), text.into()).await?;
        }
        Ok(client.flush().await?)
    }

    async fn options(&self) -> Result<ConnectOptions, Failure> {
        let mut options = ConnectOptions::new().name("legation").ping_interval(PING_EVERY);
        options = options.reconnect_delay_callback(|tries| PAUSE * (tries > 1).into());
        options = options.subscription_capacity(WAITING);
        if let Some((user, password)) = self.user.clone() {
            options = options.user_and_password(user, password);
        }
        if let Some(ca) = self.nats.ca.clone() {
            options = options.add_root_certificates(ca);
        }
        if let Some(file) = &self.nats.credentials {
            options = options.credentials_file(file).await?;
        }
        Ok(options)
    }
}

/// Who connects, as an address says it.
fn user_of(server: &ServerAddr) -> Option<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decoded(server.username()?), decoded(server.password().unwrap_or_default())))
}

/// An address without its password, which the client would show in its logs.
fn without_user(server: ServerAddr) -> ServerAddr {
    let mut url = server.clone().into_inner();
    let bare = url.set_username("").and_then(|()| url.set_password(None));
    bare.ok().and_then(|()| ServerAddr::from_url(url).ok()).unwrap_or(server)
}

/// Who rings, and hears.
struct Ringer {
    line: Line,
    replica: Replica,
    every: Duration,
    piles: Piles,
    told: Arc<Told>,
}

impl Ringer {
    /// Works for as long as it is let.
    async fn work(self) {
        loop {
            let Err(error) = self.connect_and_work().await;
            self.told.warn(&*error);
            self.piles.rung.add([News::Missed]);
            sleep(PAUSE).await;
        }
    }

    async fn connect_and_work(&self) -> Result<std::convert::Infallible, Failure> {
        let connected = Arc::<Notify>::default();
        let (piles, told) = (self.piles.clone(), self.told.clone());
        let watch = Watch { piles, connected: connected.clone(), told };
        let options = self.line.options().await?.retry_on_initial_connect();
        let options = options.event_callback(move |event| {
            watch.see(&event);
            std::future::ready(())
        });
        let client = options.connect(&self.line.servers[..]).await?;
        let news = client.subscribe(self.line.subject.clone()).await?;
        tokio::select! {
            failure = self.ring(&client, &connected) => failure,
            failure = self.hear(news) => failure,
        }
    }

    async fn ring(
        &self,
        client: &Client,
        connected: &Notify,
    ) -> Result<std::convert::Infallible, Failure> {
        let rung = &self.piles.rung;
        loop {
            let is_new = tokio::select! {
                () = rung.filled.notified() => false,
                () = connected.notified() => true,
            };
            let hello = is_new.then(|| self.hello());
            for text in hello.into_iter().chain(rung.take(self.replica)) {
                client.publish(self.line.subject.clone(), text.into()).await?;
            }
            sleep(self.every).await;
        }
    }

    async fn hear(&self, mut news: Subscriber) -> Result<std::convert::Infallible, Failure> {
        let (heard, hello) = (&self.piles.heard, self.hello());
        while let Some(message) = news.next().await {
            match std::str::from_utf8(&message.payload) {
                // From here on this replica hears, and nobody knows what there was before.
                Ok(text) if text == hello => heard.add([News::Missed]),
                Ok(text) => heard.add(read(self.replica, text)),
                Err(_) => {}
            }
        }
        Err("the client has ended".into())
    }

    /// What a replica says to itself when it is connected. Others pass over it.
    fn hello(&self) -> String {
        format!("{:x} ?", self.replica.0)
    }
}

/// Sees what happens to the connection.
struct Watch {
    piles: Piles,
    connected: Arc<Notify>,
    told: Arc<Told>,
}

impl Watch {
    fn see(&self, event: &Event) {
        match event {
            Event::Connected => self.connected.notify_one(),
            // What was on its way may not have been heard.
            Event::Disconnected => {
                self.told.warn_of(event.to_string());
                self.piles.rung.add([News::Missed]);
            }
            Event::SlowConsumer(_) => self.piles.heard.add([News::Missed]),
            Event::ServerError(_) | Event::ClientError(_) | Event::Closed => {
                self.told.warn_of(event.to_string());
            }
            Event::LameDuckMode | Event::Draining => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(servers: &[&str]) -> Result<Line, String> {
        let servers = servers.iter().map(|server| (*server).to_owned()).collect();
        Line::new(Nats { servers, ..Nats::default() }, "x")
    }

    #[test]
    fn a_password_is_for_the_server_alone() {
        let line = line(&["nats://a:4222", "tls://ringer:p%40ss@b"]).expect("good addresses");
        assert_eq!(line.user, Some(("ringer".to_owned(), "p@ss".to_owned())));
        let shown = format!("{:?} {:?}", line.servers, line.nats);
        assert!(!shown.contains("p%40ss") && !shown.contains("ringer"), "{shown}");
    }

    #[test]
    fn addresses_that_lead_nowhere_are_refused() {
        for servers in [&[][..], &["http://a"], &["ws://a"], &["nats://a", "wss://b"]] {
            assert!(line(servers).is_err(), "{servers:?}");
        }
        assert!(line(&["a", "nats://b", "tls://c:1"]).is_ok());
    }
}
