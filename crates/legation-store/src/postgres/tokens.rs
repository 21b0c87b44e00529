//! Integration tokens, beside the tasks. What the operator does to a token is in the audit log, by the
//! same transaction.

use std::sync::{Arc, mpsc};

use legation_core::store::StoreError;
use legation_core::{AuditAction, IntegrationToken, IntegrationTokens, Scopes, TokenDigest};
use legation_model::Timestamp;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_postgres::Row;

use super::audit;
use super::failure::Failure;
use super::readers::{Readers, reading};
use super::session::{Parameters, Session};
use super::text::{read, written};
use crate::health::Health;
use crate::tokens::{act, lines, names, words};
use crate::uses::Uses;

/// The columns of a token, in the order in which they are read.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, tenant, subject, scopes, agents, created_at, expires_at, revoked_at,
                 last_used_at, digest, earlier_digest, earlier_until
             FROM integration_tokens WHERE deployment = $1 ",
            $rest
        )
    };
}

/// The integration tokens of a deployment, in the database of an open store.
pub struct PostgresTokens {
    deployment: Box<str>,
    readers: Arc<Readers>,
    runtime: Handle,
    health: Health,
    uses: Uses,
}

impl PostgresTokens {
    pub(super) fn new(readers: Arc<Readers>, runtime: Handle, deployment: &str) -> Self {
        let deployment = written(deployment).into();
        Self { deployment, readers, runtime, health: Health::default(), uses: Uses::default() }
    }

    /// Keeps a new token; `false` when one of its name is there that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn add(&self, token: &IntegrationToken) -> Result<bool, StoreError> {
        let scopes = match &token.scopes {
            Scopes::All => None,
            Scopes::Only(names) => Some(lines(names)),
        };
        let insert = "
            INSERT INTO integration_tokens (deployment, id, name, tenant, subject, scopes, agents,
                digest, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
        let parameters: Parameters<'_> = &[
            &self.deployment,
            &written(&token.id),
            &written(&token.name),
            &written(&token.tenant),
            &written(&token.subject),
            &scopes,
            &token.agents.as_ref().map(lines),
            &token.digest.as_slice(),
            &token.created_at.as_millis(),
            &token.expires_at.map(Timestamp::as_millis),
        ];
        let detail = words(token);
        self.change((AuditAction::CreateKey, &token.id, &detail), insert, parameters).await
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self) -> Result<Vec<IntegrationToken>, StoreError> {
        let parameters: Parameters<'_> = &[&self.deployment];
        let rows = reading!(self.readers, |session| {
            session.query(select_tokens!("ORDER BY created_at, id"), parameters)
        })?;
        Ok(rows.iter().map(token).collect::<Result<_, _>>()?)
    }

    /// Takes a token back; `false` when there is none of this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        // What an earlier digest was is of no use any more.
        let update = "
            UPDATE integration_tokens
            SET revoked_at = $3, earlier_digest = NULL, earlier_until = NULL
            WHERE deployment = $1 AND id = $2 AND revoked_at IS NULL";
        let parameters: Parameters<'_> = &[&self.deployment, &written(id), &at.as_millis()];
        self.change((AuditAction::RevokeKey, id, ""), update, parameters).await
    }

    /// Gives a token another digest; the present one counts until a moment. `false` when there is
    /// none of this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn rotate(
        &self,
        id: &str,
        digest: &TokenDigest,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = "
            UPDATE integration_tokens
            SET earlier_digest = digest, earlier_until = $4, digest = $3
            WHERE deployment = $1 AND id = $2 AND revoked_at IS NULL";
        let parameters: Parameters<'_> =
            &[&self.deployment, &written(id), &digest.as_slice(), &until.as_millis()];
        let detail = format!("the one before counts until {until}");
        self.change((AuditAction::RotateKey, id, &detail), update, parameters).await
    }

    /// Writes when tokens were last used: of each at once when it is the first use, else once a
    /// minute.
    ///
    /// # Errors
    /// When they cannot be written; they are kept for the next time.
    pub async fn write_uses(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write_due(&self.uses.due(now, false)).await
    }

    /// Writes the uses that were held back. The store must be open still.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.write_due(&self.uses.due(Timestamp::now(), true)).await
    }

    async fn write_due(&self, due: &[(Arc<str>, Timestamp)]) -> Result<(), StoreError> {
        if due.is_empty() {
            return Ok(());
        }
        // In one order, because other replicas note the same.
        let mut rows: Vec<(&str, i64)> =
            due.iter().map(|(id, at)| (&**id, at.as_millis())).collect();
        rows.sort_unstable();
        reading!(self.readers, |session| write_uses(&session, &self.deployment, &rows))?;
        self.uses.written(due);
        Ok(())
    }

    /// Does something to a token; if there was one, the log tells of it.
    async fn change(
        &self,
        act: (AuditAction, &str, &str),
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<bool, StoreError> {
        reading!(self.readers, |session| change(&session, &self.deployment, act, sql, parameters))
    }
}

impl IntegrationTokens for PostgresTokens {
    /// Blocks this thread until the database has answered, for no longer than the store's patience, and
    /// not at all for a second after it did not. Whatever else the thread had to do, others do meanwhile.
    fn find(&self, id: &str) -> Result<Option<IntegrationToken>, StoreError> {
        self.health.ready()?;
        let (reply, answer) = mpsc::channel();
        let (readers, deployment) = (self.readers.clone(), self.deployment.clone());
        let id = written(id).into_owned();
        self.runtime.spawn(async move {
            let parameters: Parameters<'_> = &[&deployment, &id];
            let found = reading!(readers, |session| {
                session.first(select_tokens!("AND id = $2"), parameters)
            });
            drop(reply.send(found));
        });
        let late = self.readers.patience() * 2;
        let wait = || answer.recv_timeout(late).unwrap_or_else(|_| Err(Failure::Closed.into()));
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        let found = match flavor {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
            _ => wait(),
        };
        match &found {
            Ok(_) => self.health.recover(),
            Err(error) => self.health.suffer(error.clone()),
        }
        Ok(found?.as_ref().map(token).transpose()?)
    }

    fn note_use(&self, id: &Arc<str>, at: Timestamp) {
        self.uses.note(id, at);
    }
}

async fn change(
    session: &Session,
    deployment: &str,
    (action, id, detail): (AuditAction, &str, &str),
    sql: &'static str,
    parameters: Parameters<'_>,
) -> Result<bool, Failure> {
    session.run("BEGIN").await?;
    let changed = session.execute(sql, parameters).await? > 0;
    if changed {
        audit::insert(session, deployment, &act(action, id, detail)).await?;
    }
    session.run("COMMIT").await?;
    Ok(changed)
}

async fn write_uses(
    session: &Session,
    deployment: &str,
    rows: &[(&str, i64)],
) -> Result<(), Failure> {
    let update = "
        UPDATE integration_tokens SET last_used_at = greatest(last_used_at, $3)
        WHERE deployment = $1 AND id = $2";
    for (id, at) in rows {
        session.execute(update, &[&deployment, id, at]).await?;
    }
    Ok(())
}

fn token(row: &Row) -> Result<IntegrationToken, Failure> {
    let text = |column| -> Result<Arc<str>, Failure> { Ok(read(row.try_get(column)?).into()) };
    let listed = |column| -> Result<Option<_>, Failure> {
        Ok(row.try_get::<_, Option<&str>>(column)?.map(names))
    };
    let earlier = match row.try_get::<_, Option<&[u8]>>(11)? {
        Some(earlier) => Some(digest(earlier)?).zip(moment(row, 12)?),
        None => None,
    };
    Ok(IntegrationToken {
        id: text(0)?,
        name: text(1)?,
        tenant: text(2)?,
        subject: text(3)?,
        scopes: listed(4)?.map_or(Scopes::All, Scopes::Only),
        agents: listed(5)?,
        created_at: moment(row, 6)?
            .ok_or_else(|| Failure::unreadable("a token without a beginning"))?,
        expires_at: moment(row, 7)?,
        revoked_at: moment(row, 8)?,
        last_used_at: moment(row, 9)?,
        digest: digest(row.try_get(10)?)?,
        earlier,
    })
}

fn digest(bytes: &[u8]) -> Result<TokenDigest, Failure> {
    bytes.try_into().map_err(|_| Failure::unreadable("a digest of another length"))
}

fn moment(row: &Row, column: usize) -> Result<Option<Timestamp>, Failure> {
    let millis: Option<i64> = row.try_get(column)?;
    let read = |millis| {
        Timestamp::from_millis(millis)
            .ok_or_else(|| Failure::unreadable(format!("{millis} is no moment")))
    };
    millis.map(read).transpose()
}
