//! Connections that only read, lent to whoever asks.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use legation_core::store::StoreError;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::Connector;
use super::failure::Failure;
use super::session::Session;

/// Reads through a connection that is lent for it, unless it takes too long.
macro_rules! reading {
    ($readers:expr, |$session:ident| $read:expr) => {
        $readers
            .bounded($readers.patience(), async {
                let $session = $readers.lend().await?;
                let found = $read.await?;
                Ok($session.give_back(found))
            })
            .await
    };
}

/// The same for a step of a removal, which may take longer.
macro_rules! removing {
    ($readers:expr, |$session:ident| $step:expr) => {
        $readers
            .bounded(crate::postgres::remove::LONGEST, async {
                let $session = $readers.lend_soon().await?;
                let done = $step.await?;
                Ok($session.give_back(done))
            })
            .await
    };
}

pub(super) use {reading, removing};

/// Of how many reads that come to nothing one has all the time there is.
const TRIED: usize = 4;

/// A pool of connections, which are opened when they are needed.
pub(super) struct Readers {
    connector: Connector,
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
    /// How many reads in a row came to nothing.
    failed: AtomicUsize,
}

/// A connection that is lent. One that was not given back is closed: its read failed or was given up,
/// perhaps in the middle.
pub(super) struct Lent<'a> {
    readers: &'a Readers,
    session: Session,
    _turn: SemaphorePermit<'a>,
}

impl Readers {
    pub(super) fn new(connector: Connector, most: usize) -> Self {
        let (turns, idle, failed) = (Semaphore::new(most), Mutex::default(), 0.into());
        Self { connector, turns, idle, failed }
    }

    /// A connection, as soon as it is one's turn.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, Failure> {
        let turn = self.turns.acquire().await.map_err(|_| Failure::Closed)?;
        let session = loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some(session) if session.is_closed() => {}
                Some(session) => break session,
                None => break self.connector.connect().await?,
            }
        };
        Ok(Lent { readers: self, session, _turn: turn })
    }

    /// A connection, unless that takes too long.
    pub(super) async fn lend_soon(&self) -> Result<Lent<'_>, Failure> {
        timeout(self.patience(), self.lend()).await.unwrap_or(Err(Failure::Late))
    }

    /// How long a read may take: half as long while others come to nothing, but for some that find out
    /// whether more time would do, such as for a connection.
    pub(super) fn patience(&self) -> Duration {
        let patience = self.connector.patience;
        let is_tried = self.failed.load(Ordering::Relaxed).is_multiple_of(TRIED);
        if is_tried { patience } else { patience / 2 }
    }

    /// What a read gives, unless it takes too long.
    pub(super) async fn bounded<T>(
        &self,
        longest: Duration,
        read: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let read = timeout(longest, read).await.unwrap_or(Err(Failure::Late));
        match &read {
            Ok(_) => self.failed.store(0, Ordering::Relaxed),
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(read?)
    }

    /// Lends nothing more, and closes what is idle.
    pub(super) fn close(&self) {
        self.turns.close();
        self.idle.lock().clear();
    }
}

impl Lent<'_> {
    /// Ends a read that went well.
    pub(super) fn give_back<T>(self, read: T) -> T {
        let Self { readers, session, _turn } = self;
        if !readers.turns.is_closed() {
            readers.idle.lock().push(session);
        }
        read
    }
}

impl Deref for Lent<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
