//! What clients saw of a server that was killed, starved and cut off, and whether it kept its word.
//!
//! Clients write down what they asked and what they saw as [`Record`]s. Afterwards [`check`] tells
//! where the history contradicts the contract. It is a pure function of the history: it knows
//! neither the server nor its store, so a history can be kept and checked again.

mod counts;
mod index;
mod lifecycle;
mod lost;
mod order;
mod owner;
mod progress;
mod reads;
mod record;
mod repetition;
#[cfg(test)]
mod tests;

use std::fmt;

pub use record::{
    About, Event, Failure, Fault, Kind, Policy, Reason, Record, Script, Seen, Send, What,
    read_lines, write_line,
};

use index::Index;

/// How often a run may be lost before its task fails: the default of the service.
pub const ATTEMPTS: u32 = 3;

/// A rule of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged is there at the end, in the acknowledged state or a later one.
    Lost,
    /// The numbers of a stream's events are consecutive and begin where they were asked to.
    Order,
    /// All streams tell the same event under the same number.
    Agreement,
    /// One task for one message, however often it was sent, and one answer.
    Repetition,
    /// A task begins once, passes through legal states and says nothing after its end.
    Lifecycle,
    /// One run at a time writes a task, and one that was lost never again.
    Owner,
    /// The counts are whole.
    Count,
    /// A reader never sees a task as it was before what that reader saw already.
    Reads,
    /// Nothing hangs, nothing is refused and no stream ends without a cause.
    Progress,
}

/// A place where the history contradicts the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The task, where it is about one.
    pub task: Option<String>,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: ", self.rule)?;
        if let Some(task) = &self.task {
            write!(f, "task {task}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Finds every place where a history contradicts the contract.
pub fn check(records: &[Record]) -> Vec<Violation> {
    let index = Index::of(records);
    let mut found = Vec::new();
    let rules: [(Rule, CheckRule); 9] = [
        (Rule::Lost, lost::check),
        (Rule::Order, order::check_order),
        (Rule::Agreement, order::check_agreement),
        (Rule::Repetition, repetition::check),
        (Rule::Lifecycle, lifecycle::check),
        (Rule::Owner, owner::check),
        (Rule::Count, counts::check),
        (Rule::Reads, reads::check),
        (Rule::Progress, progress::check),
    ];
    for (rule, check) in rules {
        check(&index, &mut |task, text| {
            found.push(Violation { rule, task: task.map(str::to_owned), text });
        });
    }
    found
}

/// Takes a violation: the task it is about, and what happened.
type Report<'r> = dyn FnMut(Option<&str>, String) + 'r;

type CheckRule = fn(&Index<'_>, &mut Report<'_>);
