//! The durable part of F3: one row per task in PostgreSQL, one writer, batches of rows in one statement.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, NoTls, Statement};

/// Rows in one statement at most. The queue holds as many again, as that of F2 does.
const BATCH: usize = 128;

/// Where tasks are appended.
pub(super) struct Rows(mpsc::Sender<Row>);

struct Row {
    id: String,
    body: Bytes,
    done: oneshot::Sender<()>,
}

impl Rows {
    /// Makes the table in a schema of its own, and starts the writer.
    pub(super) async fn open(url: &str, schema: &str) -> anyhow::Result<Self> {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.context("cannot reach the database")?;
        tokio::spawn(connection);
        let table = format!(
            "CREATE SCHEMA IF NOT EXISTS {schema};
             CREATE TABLE IF NOT EXISTS {schema}.task (
                 seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                 id TEXT NOT NULL, body BYTEA NOT NULL)"
        );
        client.batch_execute(&table).await?;
        let insert = format!(
            "INSERT INTO {schema}.task (id, body) SELECT * FROM unnest($1::text[], $2::bytea[])"
        );
        let insert = client.prepare(&insert).await?;
        let (rows, queue) = mpsc::channel(BATCH);
        tokio::spawn(write(client, insert, queue));
        Ok(Self(rows))
    }

    /// Stores a task; returns when it is committed.
    pub(super) async fn append(&self, id: String, body: Bytes) -> anyhow::Result<()> {
        let (done, committed) = oneshot::channel();
        let row = Row { id, body, done };
        self.0.send(row).await.map_err(|_| anyhow!("the writer has stopped"))?;
        committed.await.context("the batch was not committed")
    }
}

/// Commits what is in the queue, batch by batch. A failed commit ends it, as in F2.
async fn write(client: Client, insert: Statement, mut queue: mpsc::Receiver<Row>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<_> = batch.iter().map(|row| &*row.id).collect();
        let bodies: Vec<_> = batch.iter().map(|row| &*row.body).collect();
        if let Err(error) = client.execute(&insert, &[&ids, &bodies]).await {
            eprintln!("cannot commit {} tasks: {error:#}", batch.len());
            return;
        }
        for row in batch.drain(..) {
            // The request may have been given up meanwhile.
            let _ = row.done.send(());
        }
    }
}
