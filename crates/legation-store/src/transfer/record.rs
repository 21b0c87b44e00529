//! What a file of a store holds: one record to a line, in words that both kinds of store have.
//!
//! Nothing here depends on the store that it came from. Keys of rows are not here, only their order;
//! neither are counters, which follow from the rest.

use legation_core::Scope;
use serde::{Deserialize, Serialize};

/// A line of the file. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Context(Context),
    Task(Task),
    /// Belongs to the task before it.
    Log(Log),
    Key(Key),
    Result(Outcome),
    Token(Token),
    Audit(Audit),
}

/// A conversation of an owner, before all tasks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) scope: Scope,
    pub(crate) id: String,
    pub(crate) created_at: i64,
    /// No sooner than the newest status of its tasks.
    pub(crate) active_at: i64,
    /// Where it is in its life, by number; active where nothing is said.
    #[serde(default, skip_serializing_if = "is_active")]
    pub(crate) state: i16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_active(state: &i16) -> bool {
    *state == 0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub(crate) scope: Scope,
    pub(crate) id: String,
    pub(crate) context: String,
    /// As the protocol numbers them.
    pub(crate) state: i32,
    pub(crate) status_at: i64,
    pub(crate) created_at: i64,
    pub(crate) epoch: i64,
    /// The number of the event that the newest snapshot includes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<i32>,
    pub(crate) at_work: bool,
}

/// Consecutive events of a task, one to a line of the entries, as they are in a row of a store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// The number of the last of them.
    pub(crate) last: i32,
    pub(crate) format: i64,
    /// The task after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<String>,
    pub(crate) entries: String,
}

/// An idempotency key: it stands for a task or for an answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) scope: Scope,
    pub(crate) key: String,
    pub(crate) digest: Digest,
    pub(crate) created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
}

/// What is left of a task that was removed, as it ended.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    pub(crate) scope: Scope,
    pub(crate) id: String,
    pub(crate) context: String,
    /// As the protocol numbers them.
    pub(crate) state: i32,
    pub(crate) status_at: i64,
    pub(crate) format: i64,
    /// The number of the last event.
    pub(crate) last: i32,
    /// The number of the event that the snapshot includes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<String>,
    /// The events behind the snapshot, one to a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entries: Option<String>,
}

/// An integration token, of which only digests are known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) deployment: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) subject: String,
    /// Names, one to a line; none for all there are.
    pub(crate) scopes: Option<String>,
    pub(crate) agents: Option<String>,
    pub(crate) digest: Digest,
    pub(crate) earlier_digest: Option<Digest>,
    pub(crate) earlier_until: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) id: i64,
    pub(crate) deployment: String,
    pub(crate) at: i64,
    pub(crate) tenant: String,
    pub(crate) subject: String,
    pub(crate) scheme: String,
    pub(crate) address: Option<String>,
    pub(crate) action: String,
    pub(crate) outcome: String,
    pub(crate) target: String,
    pub(crate) detail: String,
    pub(crate) count: i64,
}

/// A SHA-256, which stands in the file as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl From<Digest> for String {
    fn from(Digest(bytes): Digest) -> Self {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a digest is 64 hexadecimal digits";
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[place * 2..place * 2 + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = &'static str;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| "a digest of another length")
    }
}

impl Record {
    /// What it is, for a message.
    pub(crate) fn named(&self) -> String {
        match self {
            Self::Context(context) => format!("context `{}`", context.id),
            Self::Task(task) => format!("task `{}`", task.id),
            Self::Log(log) => format!("the log of the task before it, up to event {}", log.last),
            Self::Key(key) => format!("idempotency key `{}`", key.key),
            Self::Result(result) => format!("the result of task `{}`", result.id),
            Self::Token(token) => format!("integration token `{}`", token.name),
            Self::Audit(entry) => format!("audit entry {}", entry.id),
        }
    }
}

/// How many records there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Conversations.
    pub contexts: u64,
    /// Tasks.
    pub tasks: u64,
    /// Rows of their logs.
    pub log_rows: u64,
    /// Idempotency keys.
    pub keys: u64,
    /// Results of tasks that were removed.
    #[serde(default)]
    pub results: u64,
    /// Integration tokens.
    pub tokens: u64,
    /// Entries of the audit log.
    pub audit: u64,
}

impl Counts {
    pub(crate) fn count(&mut self, record: &Record) {
        *match record {
            Record::Context(_) => &mut self.contexts,
            Record::Task(_) => &mut self.tasks,
            Record::Log(_) => &mut self.log_rows,
            Record::Key(_) => &mut self.keys,
            Record::Result(_) => &mut self.results,
            Record::Token(_) => &mut self.tokens,
            Record::Audit(_) => &mut self.audit,
        } += 1;
    }
}
