//! `legation card`: shows how an agent describes itself.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use legation_client::{KeySet, Verdict, fetch_keys, fetch_keys_of, is_loopback, verify};
use legation_model::{AgentCard, AgentSkill};
use url::Url;

use super::exit::{Exit, Failure};
use super::out::{Out, Style};
use super::target::Target;

/// Whose card to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Card {
    #[command(flatten)]
    target: Target,
    /// Print the card as A2A 1.0 JSON
    #[arg(long)]
    json: bool,
    /// Show the card only if a trusted key has signed it; the exit code is 1 otherwise
    #[arg(long, requires = "keys", help_heading = "Signatures")]
    verify: bool,
    /// Keys (JWKS) that are trusted: a file, or an https address
    #[arg(
        long,
        value_name = "JWKS",
        group = "keys",
        requires = "verify",
        help_heading = "Signatures"
    )]
    trust: Vec<String>,
    /// A key that is trusted by its thumbprint (RFC 7638). Without --trust the agent's own server is
    /// asked for the key
    #[arg(
        long,
        value_name = "KID=THUMBPRINT",
        group = "keys",
        requires = "verify",
        value_parser = pin,
        help_heading = "Signatures"
    )]
    pin: Vec<(String, String)>,
}

impl Card {
    /// Shows it. A card can be read of agents that cannot be called.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let options = self.target.options()?;
        let fetched = legation_client::fetch_card_as_sent(&self.target.address()?, &options).await;
        let (card, sent) = fetched.map_err(|error| self.target.failure(&error))?;
        let signed = if self.verify { self.check(&sent).await? } else { label(&card) };
        let mut out = Out::new();
        if self.json {
            out.json(&card)?
        } else {
            show(&mut out, &card, signed)?
        }
        out.flush()?;
        Ok(Exit::Done)
    }

    /// Whose signature the card has, in words.
    async fn check(&self, sent: &[u8]) -> Result<String, Failure> {
        let keys = self.trusted().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let verdict = verify(sent, &keys, now.try_into().unwrap_or(i64::MAX));
        let unverified =
            |why: String| Err(Failure::unverified(format!("the card is unverified: {why}")));
        match verdict {
            Ok(Verdict::Verified { key, algorithm, thumbprint }) => {
                Ok(format!("yes, verified: key {key} ({}), {thumbprint}", algorithm.name()))
            }
            Ok(Verdict::UnknownKey { keys }) => unverified(format!(
                "it is signed by keys that are not trusted: {}",
                keys.join(", ")
            )),
            Ok(Verdict::BadSignature { reason }) => unverified(reason),
            Ok(Verdict::Unsigned) => unverified("it is not signed".into()),
            Err(fault) => unverified(fault.to_string()),
        }
    }

    /// The keys that count. What the card says of them (`jku`) never does.
    async fn trusted(&self) -> Result<KeySet, Failure> {
        let options = self.target.options()?;
        let failure = |error| self.target.failure(&error);
        let mut keys = KeySet::default();
        for place in &self.trust {
            keys.extend(match Url::parse(place) {
                Ok(url) if url.scheme() == "https" || is_loopback(&url) => {
                    fetch_keys(&url, &options).await.map_err(failure)?
                }
                Ok(url) if url.scheme() == "http" => {
                    let text = format!("--trust {place}: keys come by https, or from a file");
                    return Err(Failure::usage(text));
                }
                _ => read_keys(place)?,
            });
        }
        if self.trust.is_empty() {
            keys = fetch_keys_of(&self.target.address()?, &options).await.map_err(failure)?;
        }
        if !self.pin.is_empty() {
            keys.keep_pinned(&self.pin);
        }
        Ok(keys)
    }
}

fn read_keys(file: &str) -> Result<KeySet, Failure> {
    let json = std::fs::read(file)
        .map_err(|error| Failure::usage(format!("cannot read `{file}`: {error}")))?;
    KeySet::read(&json).map_err(|fault| Failure::usage(format!("`{file}`: {fault}")))
}

fn pin(text: &str) -> Result<(String, String), String> {
    // A name may have any character; a thumbprint has no `=`.
    let (name, print) = text.rsplit_once('=').ok_or("it looks like KID=THUMBPRINT")?;
    Ok((name.to_owned(), print.to_owned()))
}

/// What is known of the signatures of a card that nobody verified.
fn label(card: &AgentCard) -> String {
    let what = if card.signatures.is_empty() { "no" } else { "yes, but unverified; see --verify" };
    what.to_owned()
}

fn show(out: &mut Out, card: &AgentCard, signed: String) -> io::Result<()> {
    out.put(Style::Bold, &card.name)?;
    out.line(Style::Dim, &format!("  version {}", card.version))?;
    out.line(Style::Plain, &card.description)?;
    for (label, values) in facts(card, signed) {
        for value in values {
            out.put(Style::Dim, &format!("{label:<11}"))?;
            out.line(Style::Plain, &value)?;
        }
    }
    card.skills.iter().try_for_each(|skill| show_skill(out, skill))
}

/// What is said in a line each.
fn facts(card: &AgentCard, signed: String) -> [(&'static str, Vec<String>); 8] {
    let interfaces = card.supported_interfaces.iter().map(|interface| {
        format!(
            "{} {} at {}",
            interface.protocol_binding, interface.protocol_version, interface.url
        )
    });
    let provider = card.provider.as_ref();
    [
        (
            "provider",
            provider.map(|by| format!("{}, {}", by.organization, by.url)).into_iter().collect(),
        ),
        ("about", card.documentation_url.iter().cloned().collect()),
        ("interface", interfaces.collect()),
        ("offers", vec![capabilities(card)]),
        ("takes", vec![card.default_input_modes.join(", ")]),
        ("gives", vec![card.default_output_modes.join(", ")]),
        ("needs", card.security_requirements.iter().map(alternative).collect()),
        ("signed", vec![signed]),
    ]
}

fn capabilities(card: &AgentCard) -> String {
    let known = &card.capabilities;
    let offered = [
        ("streaming", known.streaming),
        ("webhooks", known.push_notifications),
        ("an extended card", known.extended_agent_card),
    ];
    let names =
        offered.into_iter().filter(|(_, offered)| *offered == Some(true)).map(|(name, _)| name);
    let uris = known.extensions.iter().map(|extension| extension.uri.as_str());
    let all: Vec<_> = names.chain(uris).collect();
    if all.is_empty() { "nothing beyond the basics".into() } else { all.join(", ") }
}

/// One way to authenticate: all of its schemes are needed.
fn alternative(requirement: &legation_model::SecurityRequirement) -> String {
    let names: Vec<_> = requirement.schemes.keys().map(String::as_str).collect();
    if names.is_empty() { "nothing".into() } else { names.join(" and ") }
}

fn show_skill(out: &mut Out, skill: &AgentSkill) -> io::Result<()> {
    out.put(Style::Plain, "\n")?;
    out.put(Style::Bold, &format!("skill {}", skill.name))?;
    out.line(Style::Dim, &format!("  {}  [{}]", skill.id, skill.tags.join(", ")))?;
    out.line(Style::Plain, &skill.description)?;
    for example in &skill.examples {
        out.line(Style::Dim, &format!("  such as: {example}"))?;
    }
    Ok(())
}
