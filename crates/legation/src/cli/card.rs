//! `legation card`: shows how an agent describes itself.

use std::io;

use legation_model::{AgentCard, AgentSkill};

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
}

impl Card {
    /// Shows it. A card can be read of agents that cannot be called.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let options = self.target.options()?;
        let card = legation_client::fetch_card(self.target.url(), &options).await;
        let card = card.map_err(|error| self.target.failure(&error))?;
        let mut out = Out::new();
        if self.json {
            out.json(&card)?
        } else {
            show(&mut out, &card)?
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

fn show(out: &mut Out, card: &AgentCard) -> io::Result<()> {
    out.put(Style::Bold, &card.name)?;
    out.line(Style::Dim, &format!("  version {}", card.version))?;
    out.line(Style::Plain, &card.description)?;
    for (label, values) in facts(card) {
        for value in values {
            out.put(Style::Dim, &format!("{label:<11}"))?;
            out.line(Style::Plain, &value)?;
        }
    }
    card.skills.iter().try_for_each(|skill| show_skill(out, skill))
}

/// What is said in a line each.
fn facts(card: &AgentCard) -> [(&'static str, Vec<String>); 8] {
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
        (
            "signed",
            card.signatures.first().map(|_| "yes, not verified".into()).into_iter().collect(),
        ),
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
