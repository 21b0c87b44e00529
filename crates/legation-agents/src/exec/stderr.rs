//! What programs write to their error output goes to the log, so much and no more.

use std::sync::Weak;
use std::time::{Duration, Instant};

use legation_model::TaskId;
use tokio::process::ChildStderr;

use super::lines::{Found, Lines};
use super::worker::Worker;
use crate::answer::printable;

/// The longest line that is logged whole.
const LINE: usize = 2_000;
/// Lines that are logged in a window of time; the others are counted.
const LINES: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);

/// Between reads of a program that floods us, so that it costs us no core.
const PAUSE: Duration = Duration::from_millis(10);

/// Who wrote it.
pub(super) enum Writer {
    /// The process of one task.
    Task(TaskId),
    /// One that serves several.
    Worker(Weak<Worker>),
}

/// Logs lines until the output ends or the process is silent.
pub(super) async fn log(stderr: ChildStderr, writer: Writer, silence: impl Future<Output = ()>) {
    let read = async {
        let mut lines = Lines::new(stderr, LINE);
        let mut meter = Meter::new();
        while lines.fill().await.is_ok_and(|more| more) {
            while let Some(Found::Line(line) | Found::TooLong(line)) = lines.next() {
                if meter.admits() {
                    writer.log(line);
                }
            }
            if meter.is_full() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if let Some(rest) = lines.rest() {
            writer.log(rest);
        }
    };
    tokio::select! {
        () = read => {}
        () = silence => {}
    }
}

impl Writer {
    fn log(&self, line: &[u8]) {
        let line = printable(&String::from_utf8_lossy(&line[..line.len().min(LINE)]));
        match self {
            Self::Task(task) => tracing::info!(%task, "program: {line}"),
            Self::Worker(worker) => {
                let worker = worker.upgrade();
                let task = worker.as_ref().and_then(|worker| worker.only_task());
                let task = task.as_ref().map(tracing::field::display);
                let worker = worker.map(|worker| worker.number());
                tracing::info!(task, worker, "program: {line}");
            }
        }
    }
}

/// Counts lines, so that a program in a loop does not fill the disk.
struct Meter {
    since: Instant,
    lines: u32,
}

impl Meter {
    fn new() -> Self {
        Self { since: Instant::now(), lines: 0 }
    }

    fn admits(&mut self) -> bool {
        if self.since.elapsed() > WINDOW {
            *self = Self::new();
        }
        self.lines += 1;
        if self.lines == LINES + 1 {
            tracing::warn!("a program writes more errors than are logged");
        }
        self.lines <= LINES
    }

    fn is_full(&self) -> bool {
        self.lines > LINES
    }
}
