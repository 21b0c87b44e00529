//! Examines an agent: what every kind of client will think of it, and what to change.
//!
//! [`examine`] goes to the agent as its callers do: it looks for the card, reads it with the eyes of each
//! [`Reader`], calls every interface with questions that have known answers, and, unless the
//! [`Plan`] is to stay passive, says something and follows what happens. It judges what comes over
//! the wire, so it does not go through [`crate::Client`], which forgives. The checks are a table,
//! [`CHECKS`].

mod answer;
mod browser;
mod card;
mod checks;
mod crewai;
mod heard;
mod interface;
mod line;
mod message;
mod network;
mod reach;
mod report;
mod stream;
mod task;

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, Options};

pub use checks::{CHECKS, Check};
pub use report::{Checked, Examined, Group, Outcome, Reader, Report, Verdict, Works};

use line::Line;

/// What an examination does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is said to the agent.
    pub text: String,
    /// Whether nothing is said to it, so that it has no work.
    pub is_passive: bool,
    /// The origin of a page that will call the agent; browsers are not judged without.
    pub origin: Option<String>,
    /// How long each request may take, also one whose answer is a stream.
    pub timeout: Duration,
    /// How long a stream may be silent.
    pub silence: Duration,
    /// The beginning of the names of the checks to be made; empty for all.
    pub only: String,
    /// Whose eyes are used.
    pub readers: Vec<Reader>,
}

impl Default for Plan {
    /// What does no harm to a public agent.
    fn default() -> Self {
        Self {
            text: "Hello".into(),
            is_passive: false,
            origin: None,
            timeout: Duration::from_secs(60),
            silence: Duration::from_secs(30),
            only: String::new(),
            readers: Reader::ALL.to_vec(),
        }
    }
}

impl Plan {
    /// Whether a check of this group is to be made.
    fn wants(&self, group: Group) -> bool {
        CHECKS.iter().any(|check| check.group == group && self.has(check.id))
    }

    fn has(&self, id: &str) -> bool {
        id.starts_with(&self.only)
    }
}

/// Examines the agent at this address, or of this card. What goes wrong on the way is a result.
///
/// # Errors
/// When the address is none, or the HTTP client cannot be made.
///
/// # Cancel safety
/// Dropping the future ends the examination; a task that was begun may go on.
pub async fn examine(address: &str, options: &Options, plan: &Plan) -> Result<Report, Error> {
    let mut notes = Notes::new(plan);
    let agent = match reach::arrive(&mut notes, address, options, plan).await? {
        Some(arrival) => Some(look_around(&mut notes, &arrival, options, plan).await?),
        None => None,
    };
    let report = Report::new(address.to_owned(), agent, notes.checks, &plan.readers);
    Ok(report)
}

async fn look_around(
    notes: &mut Notes<'_>,
    arrival: &reach::Arrival,
    options: &Options,
    plan: &Plan,
) -> Result<Examined, Error> {
    card::examine(notes, arrival, options).await;
    crewai::examine(notes, arrival, options, plan).await;
    browser::examine(notes, arrival, options, plan).await?;
    let mut lines = Line::of_card(notes, arrival, options, plan)?;
    if plan.wants(Group::Interface) {
        interface::examine(notes, arrival, &mut lines).await;
    }
    let trials = trials(&lines);
    if plan.is_passive {
        let why = "the examination is passive: nothing is said to the agent";
        for check in [&checks::SEND, &checks::STREAMING, &checks::GET] {
            notes.add(check.skipped(why).harmless());
        }
    } else {
        for line in trials {
            if plan.wants(Group::Message) || plan.wants(Group::CrewAi) {
                message::examine(notes, line, plan).await;
            }
            if plan.wants(Group::Stream) || plan.wants(Group::CrewAi) {
                stream::examine(notes, arrival, line, plan).await;
            }
            if plan.wants(Group::Task) {
                task::examine(notes, arrival, line, plan).await;
            }
        }
    }
    let (name, version) = (excerpt(&arrival.card().name), excerpt(&arrival.card().version));
    Ok(Examined { name, version, card: arrival.url.to_string() })
}

/// The interfaces on which something is said: the first of each version, and in its place the first that
/// is not gRPC, because most clients take that.
fn trials(lines: &[Line]) -> Vec<&Line> {
    let mut trials: Vec<&Line> = Vec::new();
    let (web, grpc): (Vec<_>, Vec<_>) =
        lines.iter().filter(|line| line.is_usable()).partition(|line| !line.is_grpc());
    for line in web.into_iter().chain(grpc) {
        if !trials.iter().any(|other| other.readers() == line.readers()) {
            trials.push(line);
        }
    }
    trials
}

/// The results so far.
#[derive(Debug)]
struct Notes<'p> {
    plan: &'p Plan,
    checks: Vec<Checked>,
    /// When the last result was there.
    since: Instant,
}

impl<'p> Notes<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self { plan, checks: Vec::new(), since: Instant::now() }
    }

    /// Takes a result, when it is one that was asked for.
    fn add(&mut self, mut checked: Checked) {
        checked.took = self.since.elapsed();
        self.since = Instant::now();
        checked.readers.retain(|reader| self.plan.readers.contains(reader));
        if self.plan.has(checked.id) && !checked.readers.is_empty() {
            self.checks.push(checked);
        }
    }
}

/// What strangers wrote, as a part of a line of ours.
fn excerpt(text: &str) -> String {
    shortened(text, 200)
}

/// The same with this many characters at most.
fn shortened(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|next| !next.is_control()).collect();
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most).chain(std::iter::once('…')).collect()
}

/// A time as people say it.
fn spent(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{} ms", time.as_millis());
    }
    let tenths = (time.as_secs_f64() * 10.0).round() / 10.0;
    format!("{tenths} s")
}
