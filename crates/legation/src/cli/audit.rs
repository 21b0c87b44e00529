//! `legation audit`: what a server has refused and what was changed.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use legation::{AuditAction, AuditOutcome};
use legation_core::AuditEntry;
use legation_model::Timestamp;
use legation_store::AuditQuery;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::out::{Out, Style, note};
use super::place::{Place, failed};
use super::tokens::time;

/// Which entries to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    /// Only from then on: a time ago, such as 24h, or a moment, such as 2026-07-01T00:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only what is about this
    #[arg(long, value_parser = actions())]
    action: Option<AuditAction>,
    /// Only what this tenant has brought about
    #[arg(long)]
    tenant: Option<String>,
    /// Only what this person or program has brought about
    #[arg(long)]
    subject: Option<String>,
    /// How many, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON object with the entries
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

fn actions() -> impl clap::builder::TypedValueParser<Value = AuditAction> {
    let names = AuditAction::ALL.iter().map(|action| action.name());
    PossibleValuesParser::new(names)
        .map(|name| AuditAction::of_name(&name).expect("one of the names just given"))
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let ago = time(text).ok().and_then(|ago| {
        let ago = i64::try_from(ago.as_millis()).ok()?;
        Timestamp::from_millis(Timestamp::now().as_millis() - ago)
    });
    let fault = || "expected a time such as `24h`, or a moment such as `2026-07-01T00:00:00Z`";
    ago.or_else(|| Timestamp::parse(text)).ok_or_else(|| fault().to_owned())
}

impl Audit {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let entries = match self.place.audit().await? {
            None => Vec::new(),
            Some(log) => {
                let query = AuditQuery {
                    since: self.since,
                    action: self.action,
                    tenant: self.tenant,
                    subject: self.subject,
                    limit: self.limit as usize,
                };
                log.kept.list(query).await.map_err(failed)?
            }
        };
        let mut out = Out::new();
        if self.json {
            let entries: Vec<_> = entries.iter().map(Shown::new).collect();
            out.json(&serde_json::json!({ "entries": entries }))?;
            return Ok(Exit::Done);
        }
        entries.iter().try_for_each(|entry| Shown::new(entry).show(&mut out))?;
        out.flush()?;
        if entries.is_empty() {
            note(&format!("no entries in {}", self.place.named()));
        }
        Ok(Exit::Done)
    }
}

/// An entry as the list shows it. Its JSON is what scripts read; what is not known is absent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'e> {
    id: i64,
    at: Timestamp,
    action: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scheme: &'e str,
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'e str,
    count: u64,
}

impl<'e> Shown<'e> {
    fn new((id, entry): &'e (i64, AuditEntry)) -> Self {
        let AuditEntry { at, event, count } = entry;
        Self {
            id: *id,
            at: *at,
            action: event.action.name(),
            outcome: event.outcome.name(),
            tenant: &event.actor.tenant,
            subject: &event.actor.subject,
            scheme: &event.actor.scheme,
            address: event.actor.address.map(|address| address.to_string()).unwrap_or_default(),
            target: &event.target,
            detail: &event.detail,
            count: *count,
        }
    }

    fn show(&self, out: &mut Out) -> std::io::Result<()> {
        let is_done = self.outcome == AuditOutcome::Done.name();
        out.put(Style::Plain, &format!("{}  {:<16} ", self.at, self.action))?;
        out.put(if is_done { Style::Good } else { Style::Bad }, &format!("{:<8}", self.outcome))?;
        let times = if self.count > 1 { format!("{} times", self.count) } else { String::new() };
        let said = [
            ("", self.target),
            ("by ", self.subject),
            ("of ", self.tenant),
            ("with ", self.scheme),
            ("from ", &self.address),
            ("", &times),
        ];
        let said = said.iter().filter(|(_, text)| !text.is_empty());
        let said: Vec<_> = said.map(|(word, text)| format!("{word}{text}")).collect();
        out.line(Style::Plain, &said.join("  "))?;
        if self.detail.is_empty() {
            return Ok(());
        }
        out.line(Style::Dim, &format!("         {}", self.detail))
    }
}
