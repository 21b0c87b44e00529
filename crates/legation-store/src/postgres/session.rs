//! A connection with its prepared statements.

use std::collections::HashMap;
use std::time::Duration;

use futures::future;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::failure::Failure;

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. Statements are constants, prepared when they are first used. Those that are polled
/// together go to the server together, in this order.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    driver: AbortHandle,
    patience: Duration,
}

impl Session {
    pub(super) fn new(client: Client, driver: AbortHandle, patience: Duration) -> Self {
        Self { client, statements: Mutex::default(), driver, patience }
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether nothing more can be said over it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Prepares statements, all in one round trip.
    pub(super) async fn prepare(&self, statements: &[&'static str]) -> Result<(), Failure> {
        future::try_join_all(statements.iter().map(|sql| self.statement(sql))).await?;
        Ok(())
    }

    /// The rows of a statement.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    /// The first row of a statement, if it has one.
    pub(super) async fn first(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement; gives how many rows it changed.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<u64, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    /// Runs statements without parameters.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Drop for Session {
    /// What is under way is given up; the server undoes a transaction that is open.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
