//! When contexts were swept, by whom they are, and who asks for it: all by the clock of the server.

use std::sync::Arc;
use std::time::Duration;

use legation_core::store::{StoreError, Swept};
use legation_model::Timestamp;

use super::failure::Failure;
use super::readers::{Readers, reading};
use super::session::Session;
use super::text::written;
use crate::sweeps::{self, Told, is_due};

/// How long a replica has a sweep of which it says nothing more.
const LEASE_SECONDS: f64 = 120.0;

/// The sweeps of the tables of a store, which has to be open.
pub struct PostgresSweeps {
    readers: Arc<Readers>,
}

impl PostgresSweeps {
    pub(super) fn new(readers: Arc<Readers>) -> Self {
        Self { readers }
    }

    /// Asks the servers of the store for a sweep of a deployment; gives by what to [look](Self::done)
    /// for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn ask(&self, deployment: &str) -> Result<Timestamp, StoreError> {
        reading!(self.readers, |session| ask(&session, deployment))
    }

    /// What the sweep did that was asked for, once it is done.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn done(
        &self,
        deployment: &str,
        asked: Timestamp,
    ) -> Result<Option<Swept>, StoreError> {
        let told = reading!(self.readers, |session| told(&session, deployment))?;
        Ok(told.and_then(|(told, _)| sweeps::read(&told, asked)))
    }
}

/// What is told of a deployment, and the moment.
async fn told(session: &Session, deployment: &str) -> Result<Option<(Told, Timestamp)>, Failure> {
    let row = session.first(TOLD, &[&written(deployment)]).await?;
    let Some(row) = row else { return Ok(None) };
    let told = Told {
        asked_at: row.try_get(0)?,
        began_at: row.try_get(1)?,
        swept_at: row.try_get(2)?,
        swept: row.try_get(3)?,
    };
    Ok(Some((told, moment(row.try_get(4)?)?)))
}

const TOLD: &str = "
    SELECT asked_at, began_at, swept_at, swept, (extract(epoch FROM now()) * 1000)::bigint
    FROM sweeps WHERE deployment = $1";

fn moment(millis: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_millis(millis).ok_or_else(|| Failure::unreadable("a time out of range"))
}

async fn ask(session: &Session, deployment: &str) -> Result<Timestamp, Failure> {
    let row = session.first(ASK, &[&written(deployment)]).await?;
    let row = row.ok_or_else(|| Failure::unreadable("a statement without an answer"))?;
    moment(row.try_get(0)?)
}

const ASK: &str = "
    INSERT INTO sweeps (deployment, asked_at)
    VALUES ($1, (extract(epoch FROM now()) * 1000)::bigint)
    ON CONFLICT (deployment) DO UPDATE SET asked_at = excluded.asked_at RETURNING asked_at";

/// Begins a sweep, if one is due and nobody else is at it; without a time, one always is due.
pub(super) async fn begin(
    session: &Session,
    deployment: &str,
    replica: i64,
    every: Option<Duration>,
) -> Result<Option<Timestamp>, Failure> {
    // Most looks find that there is nothing to do, and write nothing.
    if let Some(every) = every
        && let Some((told, now)) = told(session, deployment).await?
        && !is_due(Some(&told), every, now)
    {
        return Ok(None);
    }
    let every = every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
    let parameters = &[&written(deployment) as _, &replica as _, &LEASE_SECONDS as _, &every as _];
    let row = session.first(BEGIN, parameters).await?;
    row.map(|row| moment(row.try_get(0)?)).transpose()
}

const BEGIN: &str = "
    INSERT INTO sweeps AS s (deployment, replica, lease_until, began_at)
    VALUES ($1, $2, now() + make_interval(secs => $3), (extract(epoch FROM now()) * 1000)::bigint)
    ON CONFLICT (deployment) DO UPDATE SET
        replica = excluded.replica, lease_until = excluded.lease_until, began_at = excluded.began_at
    WHERE (s.lease_until IS NULL OR s.lease_until <= now())
        AND ($4::bigint IS NULL OR s.asked_at IS NOT NULL OR s.swept_at IS NULL
             OR excluded.began_at - s.swept_at >= $4 OR excluded.began_at < s.swept_at)
    RETURNING began_at";

/// Says that a replica is still at its sweep.
pub(super) async fn keep(session: &Session, deployment: &str, replica: i64) -> Result<(), Failure> {
    let keep = "UPDATE sweeps SET lease_until = now() + make_interval(secs => $3)
                WHERE deployment = $1 AND replica = $2 AND lease_until IS NOT NULL";
    session.execute(keep, &[&written(deployment), &replica, &LEASE_SECONDS]).await?;
    Ok(())
}

/// Says that a replica is not at its sweep any more, and what that did if it came to its end.
pub(super) async fn end(
    session: &Session,
    deployment: &str,
    replica: i64,
    swept: Option<Swept>,
) -> Result<(), Failure> {
    let swept = swept.map(sweeps::written);
    session.execute(END, &[&written(deployment), &replica, &swept]).await?;
    Ok(())
}

/// Who asked for it after it began asks for the next one.
const END: &str = "
    UPDATE sweeps SET replica = NULL, lease_until = NULL,
        swept_at = CASE WHEN $3::text IS NULL THEN swept_at
            ELSE greatest((extract(epoch FROM now()) * 1000)::bigint, began_at) END,
        asked_at = CASE WHEN $3 IS NULL OR asked_at > began_at THEN asked_at END,
        swept = coalesce($3, swept)
    WHERE deployment = $1 AND replica = $2";
