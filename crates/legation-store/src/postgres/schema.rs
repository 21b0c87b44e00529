//! The tables and the steps that led to their present shape.

use std::fmt;
use std::time::{Duration, Instant};

use super::connect::Connector;
use super::session::Session;
use super::{OpenError, failure::Failure};

/// A step, forward only: one that was released is never changed, only followed by another.
struct Step {
    sql: &'static str,
    /// The step that a release has to know at least so that it can work with the tables after this one.
    /// While releases replace one another, old ones work with new tables.
    needs: i32,
}

const STEPS: &[Step] = &[
    Step { sql: include_str!("../../migrations/postgres/1_tasks.sql"), needs: 1 },
    Step { sql: include_str!("../../migrations/postgres/2_integration_tokens.sql"), needs: 1 },
    Step { sql: include_str!("../../migrations/postgres/3_audit.sql"), needs: 1 },
    // A release without replicas would leave its tasks to nobody.
    Step { sql: include_str!("../../migrations/postgres/4_replicas.sql"), needs: 4 },
    Step { sql: include_str!("../../migrations/postgres/5_lifecycle.sql"), needs: 4 },
];

/// Half of the lock under which tables are changed: "Lega". The other half is made of the schema.
const LOCK: i32 = 0x4c65_6761;

/// How often the store's patience a step is tried that others are in the way of.
const PATIENCES: u32 = 15;

/// The schema that the tables are in, by a name that needs no quotes.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) name: String,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Schema {
    pub(super) fn parse(name: &str) -> Result<Self, OpenError> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_good = (1..=63).contains(&name.len())
            && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
            && name.bytes().next().is_some_and(is_letter);
        match is_good {
            // In quotes, because it may be a word of SQL.
            true => Ok(Self { name: format!("\"{name}\"") }),
            false => Err(OpenError::Schema(name.to_owned())),
        }
    }

    /// Brings the tables to the newest shape; gives the number of this opening. Many replicas may do
    /// it at once: one does it, and the others find it done.
    pub(super) async fn prepare(&self, connector: &Connector) -> Result<i64, OpenError> {
        let session = connector.connect().await?;
        let encoding: String = one(&session, "SELECT current_setting('server_encoding')").await?;
        if encoding != "UTF8" {
            return Err(OpenError::Encoding(encoding));
        }
        if self.version(&session).await? < STEPS.len() as i32 {
            session.run("SET statement_timeout = 0").await?;
            session
                .execute("SELECT pg_advisory_lock($1, hashtext($2))", &[&LOCK, &self.name])
                .await?;
            // The lock goes with the session, should a step fail.
            self.migrate(&session, connector.patience).await?;
        }
        let start: i64 = one(&session, "SELECT nextval('starts')").await?;
        Ok(start)
    }

    async fn migrate(&self, session: &Session, patience: Duration) -> Result<(), OpenError> {
        let found = self.version(session).await?;
        if found == 0 {
            self.begin(session).await?;
        }
        for (version, Step { sql, needs }) in (1..).zip(STEPS).filter(|(step, _)| *step > found) {
            crash_point!(MIGRATION);
            let note = format!("INSERT INTO schema_version VALUES ({version}, {needs})");
            self.take(session, &format!("{sql} {note}"), patience).await?;
        }
        Ok(())
    }

    /// Takes a step. While it waits for a table, all who come after it wait as well, so it waits for less
    /// than they do, lets them pass, and tries again.
    async fn take(
        &self,
        session: &Session,
        step: &str,
        patience: Duration,
    ) -> Result<(), OpenError> {
        let (began, wait) = (Instant::now(), patience / 2);
        let begin = format!("BEGIN; SET LOCAL lock_timeout = {}", wait.as_millis().max(1));
        loop {
            let Err(failure) = session.run(&format!("{begin}; {step}; COMMIT")).await else {
                return Ok(());
            };
            if !failure.is_of_locks() {
                return Err(failure.into());
            }
            session.run("ROLLBACK").await?;
            let schema = self.name.trim_matches('"');
            let by = session.first(HOLDER, &[&schema]).await?;
            let by = by.map_or(Ok("somebody".to_owned()), |row| row.try_get(0));
            let by = by.map_err(Failure::from)?;
            if began.elapsed() >= patience * PATIENCES {
                return Err(OpenError::Locked { schema: schema.to_owned(), by });
            }
            tracing::warn!(schema, by, "the tables are to be changed and are in use; trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the schema, unless somebody has made it who may do that where this user may not.
    async fn begin(&self, session: &Session) -> Result<(), Failure> {
        let there = "SELECT to_regnamespace($1) IS NOT NULL";
        let there = session.first(there, &[&self.name]).await?;
        if !there.map_or(Ok(false), |row| row.try_get(0))? {
            session.run(&format!("CREATE SCHEMA {self}")).await?;
        }
        let versions = "CREATE TABLE IF NOT EXISTS schema_version (
            version INT PRIMARY KEY,
            -- The newest version that a release has to know so that it can work with this one.
            needs   INT NOT NULL)";
        session.run(versions).await
    }

    /// The version that the tables have, 0 when there are none.
    pub(super) async fn version(&self, session: &Session) -> Result<i32, OpenError> {
        let there: bool = one(session, "SELECT to_regclass('schema_version') IS NOT NULL").await?;
        if !there {
            return Ok(0);
        }
        let newest = "SELECT version, needs FROM schema_version ORDER BY version DESC LIMIT 1";
        let Some(row) = session.first(newest, &[]).await? else { return Ok(0) };
        let read = |column| row.try_get(column).map_err(Failure::from);
        let (found, needed, known): (i32, i32, _) = (read(0)?, read(1)?, STEPS.len() as i32);
        if needed > known {
            let schema = self.name.trim_matches('"').to_owned();
            return Err(OpenError::Newer { schema, found, needed, known });
        }
        Ok(found)
    }
}

/// Who has had a table of a schema for the longest time.
const HOLDER: &str = "
    SELECT format('process %s of `%s`%s', a.pid, a.usename,
        CASE WHEN a.application_name = '' THEN '' ELSE format(' (%s)', a.application_name) END)
    FROM pg_locks l
        JOIN pg_class c ON c.oid = l.relation
        JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database()
    WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relnamespace = to_regnamespace(quote_ident($1))
    ORDER BY a.xact_start NULLS LAST LIMIT 1";

/// The one value that a statement gives.
async fn one<T>(session: &Session, sql: &'static str) -> Result<T, Failure>
where
    T: for<'r> tokio_postgres::types::FromSql<'r>,
{
    let row = session.first(sql, &[]).await?;
    let row = row.ok_or_else(|| Failure::unreadable("a statement without an answer"))?;
    Ok(row.try_get(0)?)
}
