//! The durable part of F2: one row per task in SQLite, one writer, group commit.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

/// Rows in one transaction at most. The queue holds as many again: what arrives
/// during a commit is the next batch, and a fuller queue makes senders wait.
const BATCH: usize = 128;

/// Tasks by the order they came in.
pub(super) struct Store {
    rows: mpsc::Sender<Row>,
    reader: Mutex<Connection>,
}

struct Row {
    id: String,
    body: Bytes,
    done: oneshot::Sender<()>,
}

/// A page of tasks, newest first.
pub(super) struct Page {
    pub(super) bodies: Vec<Vec<u8>>,
    /// The key of the oldest task in it, when older ones may follow.
    pub(super) next: Option<i64>,
    pub(super) total: i64,
}

impl Store {
    /// Opens or creates the database in `directory` and starts the writer.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("floor.db");
        let writer = Connection::open(&path).context("cannot open the database")?;
        writer.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS task
                 (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL);",
        )?;
        let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let (rows, queue) = mpsc::channel(BATCH);
        thread::Builder::new().name("writer".into()).spawn(move || write(writer, queue))?;
        Ok(Self { rows, reader: Mutex::new(reader) })
    }

    /// Stores a task; returns when it is on disk.
    pub(super) async fn append(&self, id: String, body: Bytes) -> anyhow::Result<()> {
        let (done, committed) = oneshot::channel();
        let row = Row { id, body, done };
        self.rows.send(row).await.map_err(|_| anyhow!("the writer has stopped"))?;
        committed.await.context("the batch was not committed")
    }

    /// Reads the `size` tasks before `before`, or the newest ones.
    pub(super) fn page(&self, before: Option<i64>, size: u32) -> anyhow::Result<Page> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // No row is ever removed, so the last key is the count.
        let total = reader
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM task")?
            .query_row([], |row| row.get(0))?;
        let mut select = reader.prepare_cached(
            "SELECT seq, body FROM task WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let mut rows = select.query((before.unwrap_or(i64::MAX), size))?;
        let mut page = Page { bodies: Vec::new(), next: None, total };
        while let Some(row) = rows.next()? {
            page.next = Some(row.get(0)?).filter(|oldest| *oldest > 1);
            page.bodies.push(row.get(1)?);
        }
        Ok(page)
    }
}

/// Commits what is in the queue, batch by batch, until the store is dropped. A failed
/// commit ends it: the waiting requests fail, and so does every later one.
fn write(mut connection: Connection, mut queue: mpsc::Receiver<Row>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        if let Err(error) = commit(&mut connection, &batch) {
            eprintln!("cannot commit {} tasks: {error:#}", batch.len());
            return;
        }
        for row in batch.drain(..) {
            // The request may have been given up meanwhile.
            let _ = row.done.send(());
        }
    }
}

fn commit(connection: &mut Connection, batch: &[Row]) -> anyhow::Result<()> {
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare_cached("INSERT INTO task (id, body) VALUES (?1, ?2)")?;
    for row in batch {
        insert.execute((&row.id, &row.body[..]))?;
    }
    drop(insert);
    Ok(transaction.commit()?)
}
