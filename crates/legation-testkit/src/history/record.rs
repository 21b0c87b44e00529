//! What is written down: one record to a line, as JSON.

use std::io::{self, BufRead, Write};

use legation_model::TaskState;
use serde::{Deserialize, Serialize};

/// Something that a client saw or did, or that was done to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When, in microseconds, by a clock that never goes back.
    pub at: u64,
    /// Who. A client does one thing after another, so what it saw has an order.
    pub client: u32,
    /// What.
    pub what: What,
}

/// What was seen or done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// A message went out that shall begin a task.
    Send(Send),
    /// A send was answered with its task.
    Answer {
        /// The send.
        send: u64,
        /// The task as the answer shows it.
        task: Seen,
    },
    /// A task was read.
    Read(Seen),
    /// A listing held a task.
    Listed {
        /// The task.
        task: String,
        /// The id of the message that began it.
        message: String,
    },
    /// A stream was asked for.
    Open {
        /// The number of the stream, never used again.
        stream: u64,
        /// What it is about.
        about: About,
        /// The event after which it shall begin; `None` asks for the present state first.
        after: Option<u64>,
    },
    /// A stream told an event.
    Event {
        /// The stream.
        stream: u64,
        /// The event.
        event: Event,
    },
    /// A stream ended in good order.
    End {
        /// The stream.
        stream: u64,
    },
    /// A call or stream failed.
    Failed {
        /// What it was about.
        about: About,
        /// When it had begun, by the clock of the records.
        begun: u64,
        /// How.
        failure: Failure,
    },
    /// Something was done to the server.
    Fault(Fault),
    /// From here on everything that was acknowledged is read back.
    Final,
}

/// A message that shall begin a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// The number of this call, never used again.
    pub send: u64,
    /// The message's id.
    pub message: String,
    /// The idempotency key, with which the message may be sent again.
    pub key: Option<String>,
    /// What the agent is told to do.
    pub script: Script,
}

/// What the counting agent is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// How far it counts.
    pub count: usize,
    /// What becomes of a count that was interrupted.
    pub policy: Policy,
}

/// What becomes of a run that was lost with its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// It begins again, and what it produced is void.
    Retry,
    /// It goes on where it was.
    Resume,
    /// The task fails.
    Fail,
}

/// What a call or stream is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum About {
    /// The task that this send begins.
    Send(u64),
    /// A known task.
    Task(String),
}

/// A task as an answer shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The task.
    pub task: String,
    /// Its state.
    pub state: TaskState,
    /// How far it counted, one text to a number.
    pub texts: Vec<String>,
    /// What its status says.
    pub text: Option<String>,
    /// A digest of the whole answer.
    pub hash: u64,
}

/// An event as a stream tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The task.
    pub task: String,
    /// Its number; `None` for the header of a stream that resumes.
    pub seq: Option<u64>,
    /// A digest of the event.
    pub hash: u64,
    /// What it tells.
    pub kind: Kind,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The task itself.
    Task {
        /// Its state.
        state: TaskState,
    },
    /// A new status.
    Status {
        /// The state.
        state: TaskState,
        /// Set when a lost run begins again: which attempt this is.
        attempt: Option<u32>,
        /// What the agent says.
        text: Option<String>,
    },
    /// Another number of the count.
    Chunk {
        /// The number as text.
        text: String,
        /// The run that counted it, by a name that no other has; `None` where it does not tell.
        #[serde(default)]
        run: Option<String>,
        /// When it counted it, in microseconds; `None` where it does not tell.
        #[serde(default)]
        at: Option<u64>,
    },
}

/// How a call or stream failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The connection broke.
    Lost,
    /// Nothing came for too long.
    Hung,
    /// The server refused.
    Refused {
        /// The meaning.
        reason: Reason,
        /// The server's words.
        message: String,
    },
}

/// Why the server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The task is not there.
    NotFound,
    /// It stops, or its store cannot take more for now.
    Unavailable,
    /// Its store is full.
    Full,
    /// The task has ended, so that there is nothing to subscribe to.
    Ended,
    /// Something else.
    Other,
}

/// What was done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// It was killed.
    Kill,
    /// It was asked to stop.
    Stop,
    /// It was started.
    Start,
    /// Its disk takes no more: it is full, or about to fail.
    Starve,
    /// Its disk takes more again, and it had the time to notice.
    Relieve,
    /// It stands still, or does not reach its store.
    Sever,
    /// It goes on and reaches its store, and had the time to notice.
    Mend,
    /// Connections of its callers were cut.
    Cut,
}

/// Writes a record as one line.
///
/// # Errors
/// When the line cannot be written.
pub fn write_line(to: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *to, record)?;
    to.write_all(b"\n")
}

/// Reads a history back.
///
/// # Errors
/// When a line cannot be read or is no record.
pub fn read_lines(from: impl BufRead) -> io::Result<Vec<Record>> {
    from.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
