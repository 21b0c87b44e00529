//! `legation keys create`, `list`, `revoke` and `rotate`: the integration tokens of a server.

use std::sync::Arc;
use std::time::Duration;

use legation::auth::NewToken;
use legation::{SCOPES, Scopes};
use legation_core::{IntegrationToken, Names};
use legation_model::Timestamp;
use legation_store::Tokens;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::out::{Out, Style, note};
use super::place::{Found, Place, described, failed};
use crate::config::read_time;

/// The longest name, in characters.
const LONGEST: usize = 100;
/// The longest time, in milliseconds: a hundred years.
const MOST: u64 = 36_500 * 86_400_000;

/// The token that is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// What to call it, such as what it is for
    #[arg(long, value_parser = name)]
    name: Arc<str>,
    /// What it is good for [default: all]
    #[arg(long, value_name = "SCOPE,...", value_delimiter = ',', value_parser = word)]
    scopes: Option<Vec<Arc<str>>>,
    /// The agents it is good for [default: all]
    #[arg(long, value_name = "AGENT,...", value_delimiter = ',', value_parser = word)]
    agents: Option<Vec<Arc<str>>>,
    /// The tenant of its bearer
    #[arg(long, default_value = "default", value_parser = name)]
    tenant: Arc<str>,
    /// Who its bearer is, whose tasks it sees [default: `key:` and the name]
    #[arg(long, value_parser = name)]
    subject: Option<Arc<str>>,
    /// How long it is good, such as 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    #[command(flatten)]
    place: Place,
}

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Print a JSON object with all that is known of each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// The token to take back.
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// Its name or its id
    #[arg(value_name = "KEY")]
    which: String,
    #[command(flatten)]
    place: Place,
}

/// The token to replace.
#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Its name or its id
    #[arg(value_name = "KEY")]
    which: String,
    /// How long the present one still counts, such as 1h
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    grace: Duration,
    #[command(flatten)]
    place: Place,
}

impl Create {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let new = NewToken::make().map_err(|error| Failure::of_command(described(&error)))?;
        let now = Timestamp::now();
        let names = |list: Vec<Arc<str>>| Names::from(list);
        let unknown = |scope: &&Arc<str>| !SCOPES.iter().any(|(known, _)| *known == &***scope);
        for scope in self.scopes.iter().flatten().filter(unknown) {
            let known: Vec<_> = SCOPES.iter().map(|(known, _)| *known).collect();
            let known = known.join(", ");
            note(&format!("`{scope}` is none of the scopes {known}; only skills may need it"));
        }
        let token = IntegrationToken {
            id: new.id.clone(),
            subject: self.subject.unwrap_or_else(|| format!("key:{}", self.name).into()),
            name: self.name,
            tenant: self.tenant,
            scopes: self.scopes.map_or(Scopes::All, |list| Scopes::Only(names(list))),
            agents: self.agents.map(names),
            created_at: now,
            expires_at: self.expires.map(|life| after(now, life)),
            revoked_at: None,
            last_used_at: None,
            digest: new.digest,
            earlier: None,
        };
        let tokens = self.place.tokens().await?;
        if !tokens.kept.add(token.clone()).await.map_err(failed)? {
            let name = &token.name;
            let text = format!("there is a key `{name}` already; rotate it, or revoke it first");
            return Err(Failure::of_command(text));
        }
        show_once(&new)?;
        note(&format!("It is shown this once. It calls as `{}`, {}.", token.subject, life(&token)));
        note("Servers take it by `auth: { schemes: [{ type: integration_token }] }`.");
        Ok(Exit::Done)
    }
}

impl List {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let tokens = match self.place.existing_tokens().await? {
            Some(tokens) => tokens.kept.list().await.map_err(failed)?,
            None => Vec::new(),
        };
        let now = Timestamp::now();
        let rows: Vec<_> = tokens.iter().map(|token| Shown::new(token, now)).collect();
        let mut out = Out::new();
        if self.json {
            out.json(&serde_json::json!({ "keys": rows }))?;
            return Ok(Exit::Done);
        }
        rows.iter().try_for_each(|row| row.show(&mut out))?;
        out.flush()?;
        if rows.is_empty() {
            note("no keys; `legation keys create --name NAME` makes one");
        }
        Ok(Exit::Done)
    }
}

impl Revoke {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let (tokens, token) = find(&self.place, &self.which).await?;
        if !tokens.kept.revoke(token.id.clone(), Timestamp::now()).await.map_err(failed)? {
            return Err(revoked(&token));
        }
        let text = format!("revoked {} ({}); servers refuse it in 5 s", token.name, token.id);
        Out::new().line(Style::Plain, &text)?;
        Ok(Exit::Done)
    }
}

impl Rotate {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let (tokens, token) = find(&self.place, &self.which).await?;
        let now = Timestamp::now();
        if token.expires_at.is_some_and(|end| end <= now) {
            let text = format!("the key `{}` has expired; make another", token.name);
            return Err(Failure::of_command(text));
        }
        let new = NewToken::of(token.id.clone())
            .map_err(|error| Failure::of_command(described(&error)))?;
        let until = after(now, self.grace);
        if !tokens.kept.rotate(token.id.clone(), new.digest, until).await.map_err(failed)? {
            return Err(revoked(&token));
        }
        show_once(&new)?;
        let still = if self.grace.is_zero() {
            "no longer counts".to_owned()
        } else {
            format!("counts until {until}")
        };
        note(&format!("It is shown this once. The one before {still}."));
        Ok(Exit::Done)
    }
}

/// The token of an id, else the one of a name that is not revoked, else the last one of it.
async fn find(place: &Place, which: &str) -> Result<(Found<Tokens>, IntegrationToken), Failure> {
    let none = || Failure::of_command(format!("there is no key `{which}` in {}", place.named()));
    let tokens = place.existing_tokens().await?.ok_or_else(none)?;
    let all = tokens.kept.list().await.map_err(failed)?;
    let by_id = |token: &&IntegrationToken| *token.id == *which;
    let by_name = |token: &&IntegrationToken| *token.name == *which;
    let found = all
        .iter()
        .find(by_id)
        .or_else(|| all.iter().filter(by_name).find(|token| token.revoked_at.is_none()))
        .or_else(|| all.iter().rfind(by_name));
    let found = found.cloned().ok_or_else(none)?;
    Ok((tokens, found))
}

/// A key as the list shows it. Its JSON is what scripts read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'t> {
    id: &'t str,
    name: &'t str,
    state: &'static str,
    tenant: &'t str,
    subject: &'t str,
    /// All when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'t str>>,
    /// All when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<Vec<&'t str>>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl<'t> Shown<'t> {
    fn new(token: &'t IntegrationToken, now: Timestamp) -> Self {
        let texts = |names: &'t Names| names.iter().map(|name| &**name).collect();
        Self {
            id: &token.id,
            name: &token.name,
            state: match (token.revoked_at, token.expires_at) {
                (Some(_), _) => "revoked",
                (None, Some(end)) if end <= now => "expired",
                (None, _) => "active",
            },
            tenant: &token.tenant,
            subject: &token.subject,
            scopes: match &token.scopes {
                Scopes::All => None,
                Scopes::Only(scopes) => Some(texts(scopes)),
            },
            agents: token.agents.as_ref().map(texts),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
        }
    }

    fn show(&self, out: &mut Out) -> std::io::Result<()> {
        let style = if self.state == "active" { Style::Good } else { Style::Bad };
        out.put(style, &format!("{:7}", self.state))?;
        out.line(Style::Plain, &format!("  {}  {}", self.id, self.name))?;
        let of = |names: &Option<Vec<&str>>| {
            names.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(", "))
        };
        let (scopes, agents) = (of(&self.scopes), of(&self.agents));
        let (tenant, subject) = (self.tenant, self.subject);
        let may = format!("tenant {tenant}, subject {subject}, scopes {scopes}, agents {agents}");
        out.line(Style::Dim, &format!("         {may}"))?;
        let times = [
            ("made", Some(self.created_at)),
            ("expires", self.expires_at),
            ("revoked", self.revoked_at),
            ("last used", self.last_used_at),
        ];
        let times = times.iter().filter_map(|(what, at)| at.map(|at| format!("{what} {at}")));
        out.line(Style::Dim, &format!("         {}", times.collect::<Vec<_>>().join(", ")))
    }
}

/// The token alone on the output, so that it can be stored from there.
fn show_once(new: &NewToken) -> std::io::Result<()> {
    let mut out = Out::new();
    out.line(Style::Plain, &new.text)?;
    out.flush()
}

fn life(token: &IntegrationToken) -> String {
    token.expires_at.map_or_else(|| "until it is revoked".to_owned(), |end| format!("until {end}"))
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
        .expect("a hundred years from now is in the calendar")
}

fn revoked(token: &IntegrationToken) -> Failure {
    Failure::of_command(format!("the key `{}` ({}) is revoked already", token.name, token.id))
}

fn name(text: &str) -> Result<Arc<str>, String> {
    let good = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if good && text.chars().count() <= LONGEST {
        return Ok(text.into());
    }
    Err(format!("expected a text of {LONGEST} characters at most, in one line"))
}

fn word(text: &str) -> Result<Arc<str>, String> {
    let good = !text.is_empty() && !text.chars().any(|it| it.is_whitespace() || it.is_control());
    if good { Ok(text.into()) } else { Err("expected words with commas between them".into()) }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let millis = read_time(text).filter(|millis| *millis <= MOST);
    millis.map(Duration::from_millis).ok_or_else(|| "expected a time such as `1h` or `90d`".into())
}

pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() { Err("expected more than no time".into()) } else { Ok(time) }
}
