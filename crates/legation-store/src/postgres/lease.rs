//! The lease: by which others know that this replica is there.

use std::time::Duration;

use legation_core::store::Replica;
use tokio::time::{Instant, sleep, timeout};

use super::bell::Carrier;
use super::connect::Connector;
use super::failure::Failure;
use super::schema::Schema;
use super::session::Session;
use crate::metric::{LEASES_LOST, RENEWALS_FAILED};

/// The lease of one replica.
#[derive(Clone)]
pub(super) struct Lease {
    connector: Connector,
    schema: Schema,
    carrier: Carrier,
    replica: i64,
    length: Duration,
}

impl Lease {
    pub(super) fn new(
        connector: Connector,
        (schema, carrier): (Schema, Carrier),
        replica: i64,
        length: Duration,
    ) -> Self {
        Self { connector, schema, carrier, replica, length }
    }

    /// Says for the first time that the replica is there.
    pub(super) async fn begin(&self) -> Result<(), Failure> {
        self.renew(&self.connector.connect().await?).await
    }

    /// Says it again and again. After a failure, it tries more often.
    pub(super) async fn keep(self) {
        let (failed, lost) = (RENEWALS_FAILED.count(&[]), LEASES_LOST.count(&[]));
        let (mut session, mut renewed, mut is_lost) = (None, Instant::now(), false);
        loop {
            let kept = timeout(self.length / 3, self.try_keep(&mut session)).await;
            if !is_lost && renewed.elapsed() > self.length {
                lost.increment(1);
                is_lost = true;
            }
            let failure = match kept.unwrap_or(Err(Failure::Late)) {
                Ok(()) => {
                    (renewed, is_lost) = (Instant::now(), false);
                    sleep(self.length / 3).await;
                    continue;
                }
                Err(failure) => failure,
            };
            tracing::warn!(error = &failure as &dyn std::error::Error, "the lease is not renewed");
            failed.increment(1);
            session = None;
            sleep(self.length / 15).await;
        }
    }

    async fn try_keep(&self, session: &mut Option<Session>) -> Result<(), Failure> {
        let session = match session {
            Some(session) => session,
            None => session.insert(self.connector.connect().await?),
        };
        crash_point!(RENEWAL);
        self.renew(session).await?;
        // Tasks know their replica without its row, and a letter that is so old helps nobody.
        session
            .execute("DELETE FROM replicas WHERE lease_until < now() - interval '1 hour'", &[])
            .await?;
        session
            .execute("DELETE FROM letters WHERE created_at < now() - interval '1 minute'", &[])
            .await?;
        Ok(())
    }

    async fn renew(&self, session: &Session) -> Result<(), Failure> {
        let renew = "
            INSERT INTO replicas (id, lease_until) VALUES ($1, now() + make_interval(secs => $2))
            ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
        session.execute(renew, &[&self.replica, &self.length.as_secs_f64()]).await?;
        Ok(())
    }

    /// Says that the replica goes, so that nobody waits for the lease to run out. Where this cannot be
    /// said, they do.
    pub(super) async fn end(&self) {
        let ending = async {
            let session = self.connector.connect().await?;
            session.execute("DELETE FROM replicas WHERE id = $1", &[&self.replica]).await?;
            self.carrier.tell_gone(&session, &self.schema, Replica(self.replica)).await
        };
        let ended = timeout(self.connector.patience, ending).await;
        if let Err(failure) = ended.unwrap_or(Err(Failure::Late.into())) {
            let error: &dyn std::error::Error = &*failure;
            tracing::warn!(error, "others are not told that this replica goes");
        }
    }
}
