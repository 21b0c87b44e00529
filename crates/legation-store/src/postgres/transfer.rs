//! Gives and takes all that the tables hold; see [`crate::transfer`].

mod read;
mod write;

use legation_core::store::StoreError;
use read::{cell, read};
use tokio::runtime::{self, Runtime};
use tokio_postgres::Row;
use write::Rows;

use super::connect::Connector;
use super::deltas::{Deltas, Touched};
use super::failure::Failure;
use super::fold::fold;
use super::place::Place as Address;
use super::schema::Schema;
use super::scopes::{Numbers, Scopes};
use super::session::Session;
use super::tls::Tls;
use super::{OpenError, Options};
use crate::transfer::{Each, Place, Record, TransferError};

/// Half of the lock that one import has at a time, so that another finds its rows whole. The other half is
/// made of the schema.
const LOCK: i32 = 0x4c65_6762;

/// Tables that are copied.
pub(crate) struct Transfer {
    session: Session,
    scopes: Scopes,
    /// The greatest keys in use.
    last_context: i64,
    last_task: i64,
    /// The scope of the task that was written last, whose log follows.
    task: Option<Numbers>,
    is_open: bool,
    deltas: Deltas,
    /// Counters that have rows to fold.
    touched: Touched,
    /// Drives the session while something is asked of it. Last, because the session ends on it.
    runtime: Runtime,
}

impl Transfer {
    /// The tables of a schema, whoever works with them. Those of an older release are brought up to
    /// date.
    pub(crate) fn to_read(url: &str, options: &Options) -> Result<Self, TransferError> {
        let (runtime, schema, connector) = connector(url, options)?;
        runtime.block_on(async {
            let session = connector.connect().await.map_err(OpenError::from)?;
            if schema.version(&session).await? == 0 {
                return Err(TransferError::Missing(format!("the schema `{}`", options.schema)));
            }
            Ok(schema.prepare(&connector).await.map(drop)?)
        })?;
        Self::new(runtime, &connector)
    }

    /// The tables of a schema that no server works with, made when they are missing.
    pub(crate) fn to_write(url: &str, options: &Options) -> Result<Self, TransferError> {
        let (runtime, schema, connector) = connector(url, options)?;
        runtime.block_on(schema.prepare(&connector))?;
        let mut this = Self::new(runtime, &connector)?;
        this.runtime.block_on(free(&this.session, &schema))?;
        let select = "SELECT coalesce((SELECT max(key) FROM contexts), 0),
                             coalesce((SELECT max(key) FROM tasks), 0)";
        let row = this.runtime.block_on(this.session.first(select, &[]))?;
        if let Some(row) = row {
            (this.last_context, this.last_task) = (cell(&row, 0)?, cell(&row, 1)?);
        }
        Ok(this)
    }

    fn new(runtime: Runtime, connector: &Connector) -> Result<Self, TransferError> {
        let session = runtime.block_on(async {
            let session = connector.connect().await?;
            // Nobody waits for a statement here, and the file may be slow.
            let settings = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
            session.run(settings).await?;
            Ok::<_, Failure>(session)
        });
        Ok(Self {
            session: session.map_err(OpenError::from)?,
            scopes: Scopes::default(),
            last_context: 0,
            last_task: 0,
            task: None,
            is_open: false,
            deltas: Deltas::default(),
            touched: Touched::default(),
            runtime,
        })
    }
}

fn connector(url: &str, options: &Options) -> Result<(Runtime, Schema, Connector), OpenError> {
    let (address, schema) = (Address::parse(url)?, Schema::parse(&options.schema)?);
    let tls = Tls::new(&address)?;
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Thread)?;
    let connector = Connector::new((address, tls), &schema, options, runtime.handle().clone());
    Ok((runtime, schema, connector))
}

/// Whether nobody else works with the tables.
async fn free(session: &Session, schema: &Schema) -> Result<(), TransferError> {
    let is = |row: Option<Row>| row.map_or(Ok(false), |row| cell(&row, 0));
    let lock = "SELECT pg_try_advisory_lock($1, hashtext($2))";
    if !is(session.first(lock, &[&LOCK, &schema.name]).await?)? {
        return Err(TransferError::InUse("another import writes to this schema"));
    }
    let leases = "SELECT EXISTS (SELECT 1 FROM replicas WHERE lease_until > now())";
    match is(session.first(leases, &[]).await?)? {
        true => Err(TransferError::InUse(
            "servers have this schema; stop them first. One that was killed counts as there until its \
             lease runs out",
        )),
        false => Ok(()),
    }
}

impl From<Failure> for TransferError {
    fn from(failure: Failure) -> Self {
        Self::Read(failure.into())
    }
}

impl Place for Transfer {
    fn read(&mut self, each: Each<'_>) -> Result<(), TransferError> {
        self.runtime.block_on(read(&self.session, each))
    }

    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let Self { runtime, session, is_open, .. } = self;
        if !std::mem::replace(is_open, true) {
            runtime.block_on(session.run("BEGIN"))?;
        }
        let rows = Rows::of(records);
        let Self { runtime, session, scopes, last_context, last_task, task, deltas, .. } = self;
        runtime.block_on(async {
            rows.contexts(session, scopes, last_context).await?;
            rows.tasks(session, scopes, last_task, task, deltas).await?;
            rows.keys(session, scopes, deltas).await?;
            rows.outcomes(session, scopes).await?;
            rows.tokens(session).await?;
            rows.audit(session).await
        })
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let deltas = std::mem::take(&mut self.deltas);
        let Self { runtime, session, .. } = self;
        runtime.block_on(async {
            deltas.write_counts(session).await?;
            deltas.write_usage(session).await?;
            session.run("COMMIT").await
        })?;
        self.touched.add(deltas.touched());
        self.is_open = false;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        let touched = std::mem::take(&mut self.touched);
        let Self { runtime, session, .. } = self;
        Ok(runtime.block_on(async {
            session.execute(EMPTY_CONTEXTS, &[]).await?;
            fold(session, touched).await
        })?)
    }
}

/// Contexts that have no task are swept in time.
const EMPTY_CONTEXTS: &str = "
    UPDATE contexts c SET is_empty = TRUE
    WHERE NOT c.is_empty AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key)";
