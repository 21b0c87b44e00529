//! `legation doctor`: what every kind of client will think of an agent, and what to change.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use legation_client::Options;
use legation_client::doctor::{
    CHECKS, Checked, Group, Outcome, Plan, Reader, Report, Verdict, Works, examine,
};
use url::Url;

use super::exit::{Exit, Failure};
use super::junit;
use super::out::{Out, Style};
use super::target::Target;
use super::tokens::lifetime;

/// Whom to examine, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    target: Target,
    /// Say nothing to the agent: look at the card and ask for things that do not exist
    #[arg(long)]
    passive: bool,
    /// What is said to the agent
    #[arg(long, value_name = "TEXT", default_value = "Hello")]
    text: String,
    /// Only the checks whose names begin so, such as `card` or `stream.ends`
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    only: String,
    /// Only for these callers; everybody otherwise
    #[arg(long = "for", value_name = "CALLER", value_parser = readers())]
    readers: Vec<Reader>,
    /// The origin of a page that calls the agent from a browser, such as https://app.example
    #[arg(long, value_name = "URL")]
    origin: Option<Url>,
    /// How long a stream may be silent
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = lifetime)]
    heartbeat: Duration,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write JUnit's XML to a file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

fn readers() -> impl clap::builder::TypedValueParser<Value = Reader> {
    let of_name = |name: String| Reader::ALL.into_iter().find(|reader| reader.name() == name);
    PossibleValuesParser::new(Reader::ALL.map(Reader::name))
        .map(move |name| of_name(name).expect("one of the names just given"))
}

impl Doctor {
    /// Examines the agent. What is wrong with it is a result, and no failure of the command.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let is_stdout = self.junit.as_deref().is_some_and(|file| file.as_os_str() == "-");
        if is_stdout && self.json {
            return Err(Failure::usage("--json and `--junit -` both write to standard output"));
        }
        if !CHECKS.iter().any(|check| check.id.starts_with(&self.only)) {
            let groups = "reach, card, crewai, browser, interface, message, stream, task";
            let text = format!("no check begins with `{}`; there are those of {groups}", self.only);
            return Err(Failure::usage(text));
        }
        let (address, options) = (self.target.address()?, self.target.options()?);
        let report = examine(&address, &options, &self.plan(&options)).await;
        let report = report.map_err(|error| self.target.failure(&error))?;
        let mut out = Out::new();
        match &self.junit {
            Some(_) if is_stdout => out.own(junit::write(&report).as_bytes())?,
            Some(file) => std::fs::write(file, junit::write(&report)).map_err(|error| {
                Failure::of_command(format!("cannot write `{}`: {error}", file.display()))
            })?,
            None => {}
        }
        match (self.json, is_stdout) {
            (true, _) => out.json(&report)?,
            (false, true) => {}
            (false, false) => show(&mut out, &report, self.only.is_empty())?,
        }
        out.flush()?;
        Ok(if report.has_failed() { Exit::Failed } else { Exit::Done })
    }

    fn plan(&self, options: &Options) -> Plan {
        let readers =
            if self.readers.is_empty() { Reader::ALL.to_vec() } else { self.readers.clone() };
        Plan {
            text: self.text.clone(),
            is_passive: self.passive,
            origin: self.origin.as_ref().map(|url| url.origin().ascii_serialization()),
            timeout: options.limits.total.unwrap_or(Plan::default().timeout),
            silence: self.heartbeat,
            only: self.only.clone(),
            readers,
        }
    }
}

fn show(out: &mut Out, report: &Report, is_whole: bool) -> std::io::Result<()> {
    match &report.agent {
        Some(agent) => {
            out.put(Style::Bold, &agent.name)?;
            out.line(Style::Dim, &format!("  version {}, card at {}", agent.version, agent.card))?;
        }
        None => out.line(Style::Bold, &report.address)?,
    }
    for group in Group::ALL {
        let checks: Vec<&Checked> =
            report.checks.iter().filter(|checked| checked.group == group).collect();
        if !checks.is_empty() {
            out.line(Style::Bold, &format!("\n{}", group.words()))?;
            merged(&checks).iter().try_for_each(|told| show_check(out, told))?;
        }
    }
    let whom = if is_whole { "\nFor whom" } else { "\nFor whom, by these checks alone" };
    out.line(Style::Bold, whom)?;
    // Of whom nothing was looked at, nothing is to be said.
    let is_told = |verdict: &&Verdict| verdict.works != Works::Unknown || verdict.why.is_some();
    report.readers.iter().filter(is_told).try_for_each(|verdict| show_verdict(out, verdict))?;
    let counts = [
        (Outcome::Pass, "passed"),
        (Outcome::Warn, "with a warning"),
        (Outcome::Fail, "failed"),
        (Outcome::Skipped, "not looked at"),
    ];
    let counts = counts.map(|(outcome, words)| format!("{} {words}", report.count(outcome)));
    out.line(Style::Plain, &format!("\n{}", counts.join(", ")))
}

/// A result, on all interfaces where it is the same.
struct Told<'c> {
    first: &'c Checked,
    at: Vec<&'c str>,
    readers: Vec<Reader>,
}

fn merged<'c>(checks: &[&'c Checked]) -> Vec<Told<'c>> {
    let mut merged: Vec<Told<'_>> = Vec::new();
    for checked in checks {
        let same = |told: &&mut Told<'_>| {
            let first = told.first;
            (first.id, first.outcome, &first.seen, &first.remedy)
                == (checked.id, checked.outcome, &checked.seen, &checked.remedy)
        };
        let told = match merged.iter_mut().find(same) {
            Some(told) => told,
            None => {
                merged.push(Told { first: checked, at: Vec::new(), readers: Vec::new() });
                merged.last_mut().expect("it was just put there")
            }
        };
        told.at.extend(checked.at.as_deref());
        told.readers.extend(&checked.readers);
    }
    merged
}

const fn mark(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Pass => ("✓", Style::Good),
        Outcome::Warn => ("!", Style::Waiting),
        Outcome::Fail => ("✗", Style::Bad),
        Outcome::Skipped => ("-", Style::Dim),
    }
}

fn show_check(out: &mut Out, told: &Told<'_>) -> std::io::Result<()> {
    let Told { first, at, readers } = told;
    let (mark, style) = mark(first.outcome);
    let at = if at.is_empty() { String::new() } else { format!("{}: ", at.join(", ")) };
    out.put(style, &format!("  {mark} {:<24}", first.id))?;
    let shade = if first.outcome == Outcome::Skipped { Style::Dim } else { Style::Plain };
    out.line(shade, &format!("{at}{}", first.seen))?;
    let Some(remedy) = &first.remedy else { return Ok(()) };
    let named = Reader::ALL.into_iter().filter(|reader| readers.contains(reader));
    let named: Vec<_> = named.map(Reader::words).collect();
    let is_all = named.len() == Reader::ALL.len();
    let whom = if is_all { String::new() } else { format!("for {}: ", named.join(", ")) };
    out.line(Style::Plain, &format!("      {whom}{remedy}"))
}

fn show_verdict(out: &mut Out, verdict: &Verdict) -> std::io::Result<()> {
    let troubles = verdict.troubles.join(", ");
    let why = verdict.why.as_deref().unwrap_or_default();
    let (outcome, words) = match verdict.works {
        Works::No => (Outcome::Fail, format!("will not work: {why}")),
        Works::Unknown => (Outcome::Skipped, format!("not known: {why}")),
        Works::Yes if troubles.is_empty() => (Outcome::Pass, "will work".to_owned()),
        Works::Yes => (Outcome::Warn, format!("will work, but look at {troubles}")),
    };
    let (mark, style) = mark(outcome);
    out.put(style, &format!("  {mark} {:<24}", verdict.reader.words()))?;
    out.line(Style::Plain, &words)
}
