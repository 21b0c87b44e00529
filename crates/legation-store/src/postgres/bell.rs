//! The bell of replicas that share a database: notifications over a connection of its own, of which
//! nothing is in the writers' transactions, unless something else carries the news.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use legation_core::Bell;
use legation_core::bell::News;
use legation_core::store::Replica;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::connect::Connector;
use super::failure::Failure;
use super::schema::Schema;
use super::session::Session;
use super::{OpenError, Options};
use crate::bell::{Hung, PAUSE, Piles, Told, gone, read};

/// How often a connection is tried over which nothing is said.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// What carries the news of replicas to one another.
#[derive(Clone)]
pub(super) enum Carrier {
    /// The database, by `NOTIFY` over the channel that has the name of the schema.
    Database,
    /// NATS.
    #[cfg(feature = "nats")]
    Nats(crate::nats::Line),
}

impl Carrier {
    /// The one that the options ask for.
    ///
    /// # Errors
    /// When it cannot be used as the options say.
    pub(super) async fn of(
        options: &Options,
        connector: &Connector,
        schema: &Schema,
    ) -> Result<Self, OpenError> {
        let Some(nats) = options.nats.clone() else { return Ok(Self::Database) };
        #[cfg(not(feature = "nats"))]
        {
            let _ = (nats, connector, schema);
            Err(OpenError::Nats("this program was built without it".to_owned()))
        }
        #[cfg(feature = "nats")]
        {
            let store = name(&connector.connect().await?, schema).await?;
            crate::nats::Line::new(nats, &store).map(Self::Nats).map_err(OpenError::Nats)
        }
    }

    /// A bell that rings there.
    pub(super) fn hang(
        &self,
        connector: Connector,
        schema: &Schema,
        replica: Replica,
        every: Duration,
    ) -> Arc<dyn Bell> {
        let runtime = connector.runtime.clone();
        match self {
            Self::Database => {
                let (channel, piles) = (schema.name.clone(), Piles::default());
                let ringer = Ringer { connector, channel, replica, every, piles: piles.clone() };
                Hung::new(piles, runtime.spawn(ringer.work()).abort_handle())
            }
            #[cfg(feature = "nats")]
            Self::Nats(line) => line.clone().hang(&runtime, replica, every),
        }
    }

    /// Tells the others that a replica has gone.
    pub(super) async fn tell_gone(
        &self,
        session: &Session,
        schema: &Schema,
        replica: Replica,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::Database => Ok(notify(session, &schema.name, &gone(replica)).await?),
            #[cfg(feature = "nats")]
            Self::Nats(line) => line.tell_gone(replica).await,
        }
    }
}

/// A name of this store that no other has, also where several databases share something.
#[cfg(feature = "nats")]
async fn name(session: &Session, schema: &Schema) -> Result<String, Failure> {
    // Where it may not be asked, stores of other servers may be heard, to whom nothing is lost by it.
    let server = session.first("SELECT system_identifier FROM pg_control_system()", &[]).await;
    let server: i64 = server.ok().flatten().map_or(Ok(0), |row| row.try_get(0))?;
    let places = "
        SELECT d.oid, n.oid FROM pg_database d CROSS JOIN pg_namespace n
        WHERE d.datname = current_database() AND n.nspname = $1";
    let places = session.first(places, &[&schema.name.trim_matches('"')]).await?;
    let places =
        places.map_or(Ok((0, 0)), |row| Ok::<_, Failure>((row.try_get(0)?, row.try_get(1)?)));
    let (database, schema): (u32, u32) = places?;
    Ok(format!("{server:x}-{database:x}-{schema:x}"))
}

async fn notify(session: &Session, channel: &str, texts: &[String]) -> Result<(), Failure> {
    let notify = "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS n (text)";
    session.execute(notify, &[&channel.trim_matches('"'), &texts]).await?;
    Ok(())
}

/// Who rings, and hears.
struct Ringer {
    connector: Connector,
    channel: String,
    replica: Replica,
    every: Duration,
    piles: Piles,
}

impl Ringer {
    /// Works for as long as it is let.
    async fn work(self) {
        let told = Told::default();
        loop {
            let Err(failure) = self.connect_and_work().await;
            told.warn(&failure);
            // What was on its way may not have been heard.
            self.piles.rung.add([News::Missed]);
            sleep(PAUSE).await;
        }
    }

    async fn connect_and_work(&self) -> Result<std::convert::Infallible, Failure> {
        let (connected, lost) = oneshot::channel::<()>();
        let (replica, heard) = (self.replica, self.piles.heard.clone());
        let hear = move |notification: tokio_postgres::Notification| {
            // It goes with the connection.
            let _ = &connected;
            heard.add(read(replica, notification.payload()));
        };
        let session = self.connector.connect_and_hear(hear).await?;
        // What is rung need not outlive the server, so no disk has to be waited for.
        let listen = format!("SET synchronous_commit = off; LISTEN {}", self.channel);
        self.bounded(session.run(&listen)).await?;
        // Nobody knows what there was before.
        self.piles.heard.add([News::Missed]);
        tokio::select! {
            failure = self.ring(&session) => failure,
            _ = lost => Err(Failure::Closed),
        }
    }

    async fn ring(&self, session: &Session) -> Result<std::convert::Infallible, Failure> {
        loop {
            if timeout(LOOK_AFTER, self.piles.rung.filled.notified()).await.is_err() {
                self.bounded(session.run("")).await?;
                continue;
            }
            let texts = self.piles.rung.take(self.replica);
            if !texts.is_empty() {
                crash_point!(RING);
                self.bounded(notify(session, &self.channel, &texts)).await?;
                sleep(self.every).await;
            }
        }
    }

    async fn bounded<T>(
        &self,
        said: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(self.connector.patience, said).await.unwrap_or(Err(Failure::Late))
    }
}
