//! Agent cards: made of the agents' profiles when these begin to be served, and served in the form
//! and with the addresses that suit the reader (Spec 8).

mod extended;
mod served;
mod template;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderValue, VARY};
use http::request::Parts;
use legation_core::{Document, Profile, Usable};
use legation_model::{A2aError, AgentCard, AgentExtension};
use legation_wire::card::{BadMember, CardForm, write};
use legation_wire::signature::publish;
use parking_lot::Mutex;

use crate::addresses::{Addresses, GrpcPort};
use crate::answer::Answer;
use crate::forwarded;
use crate::rest::no_such_path;
use crate::router::Mount;
use crate::settings::{Crew, Security, Settings};
use extended::Extended;
use served::{Modified, NOT_PUBLIC, PUBLIC, Served};
use template::{Common, Template};

/// What is said otherwise of a card makes it no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCard {
    /// Whose card it is: an agent's name, or the crew's.
    pub of: String,
    /// What is wrong.
    pub member: BadMember,
}

impl fmt::Display for BadCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what the card of `{}` shall say otherwise makes it no card", self.of)
    }
}

impl std::error::Error for BadCard {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.member)
    }
}

/// Checks what the cards of these agents, and of their crew, shall say otherwise.
///
/// # Errors
/// When it makes a card that is none.
pub fn check_cards(agents: &[&Profile], crew: Option<&Crew>) -> Result<(), BadCard> {
    if agents.is_empty() {
        return Ok(());
    }
    Templates::new(agents, crew, &[], &Settings::new(Security::open())).map(drop)
}

/// The cards of the crew and of its agents, complete but for the addresses.
#[derive(Debug)]
pub(crate) struct Templates {
    crew: Template,
    /// The slugs, and the templates in the same order.
    slugs: Vec<Arc<str>>,
    agents: Vec<Template>,
}

impl Templates {
    /// Those of these agents, the first of which is the default one.
    ///
    /// # Errors
    /// When an owner's changes make a card that is none.
    pub(crate) fn new(
        agents: &[&Profile],
        crew: Option<&Crew>,
        extensions: &[AgentExtension],
        settings: &Settings,
    ) -> Result<Self, BadCard> {
        let common = Common { settings, extensions };
        let mut own = Vec::new();
        for profile in agents {
            let bad = |member| BadCard { of: profile.name.clone(), member };
            own.push((&*profile.slug, Template::of_agent(profile, common).map_err(bad)?));
        }
        let crew = match (crew, &own[..]) {
            (None, [(_, only)]) => only.clone(),
            (crew, agents) => {
                let of = || crew.map_or("the crew", |crew| &crew.name).into();
                let made = Template::of_crew(crew, agents, common);
                made.map_err(|member| BadCard { of: of(), member })?
            }
        };
        let slugs = agents.iter().map(|profile| profile.slug.clone()).collect();
        Ok(Self { crew, slugs, agents: own.into_iter().map(|(_, template)| template).collect() })
    }

    /// The number of an agent.
    fn number(&self, slug: &str) -> usize {
        self.slugs.iter().position(|known| **known == *slug).expect("mounts are those of the cards")
    }

    /// Where a mount is called by gRPC: the crew where everything is, and so an only agent.
    fn grpc(&self, settings: &Settings, mount: Mount<'_>) -> GrpcPort {
        let Some(grpc) = &settings.grpc else { return GrpcPort::None };
        let Some(slug) = mount else { return GrpcPort::Main };
        match grpc.ports.iter().find(|(agent, _)| agent == slug) {
            Some((_, port)) => GrpcPort::Own(*port),
            None if self.slugs.len() == 1 => GrpcPort::Main,
            None => GrpcPort::None,
        }
    }

    /// Writes the card of a mount below a base, signed once for all of its forms.
    fn render(&self, settings: &Settings, base: &str, mount: Mount<'_>) -> Forms {
        let template = self.template(mount).expect("mounts are those of the cards");
        let card = sign(template.at(&self.addresses(settings, base, mount), settings), settings);
        CardForm::ALL.map(|form| Served::new(write(&card, form)))
    }

    fn template(&self, mount: Mount<'_>) -> Option<&Template> {
        let Some(slug) = mount else { return Some(&self.crew) };
        let number = self.slugs.iter().position(|known| known == slug)?;
        self.agents.get(number)
    }

    fn addresses(&self, settings: &Settings, base: &str, mount: Mount<'_>) -> Addresses {
        Addresses::of(base, mount.map(|slug| &**slug), self.grpc(settings, mount))
    }
}

fn sign(mut card: AgentCard, settings: &Settings) -> AgentCard {
    let signatures: Vec<_> = settings.signers.iter().map(|key| key.sign(&card)).collect();
    card.signatures.extend(signatures);
    card
}

/// A card in every form, in the order of [`CardForm::ALL`].
type Forms = [Served; CardForm::ALL.len()];

/// Cards at addresses that proxies told, by address and mount.
type Told = HashMap<(String, Option<Arc<str>>), Arc<Forms>>;

/// Every card that the server serves.
pub(crate) struct Cards {
    templates: Templates,
    /// With the addresses that hold unless a proxy says otherwise, as the agents' are.
    crew: Forms,
    agents: Vec<Forms>,
    /// With the addresses that proxies told: a signature is too dear to be made for each reader.
    told: Mutex<Told>,
    /// The public keys of the signers, where there are any.
    keys: Option<Served>,
    extended: Extended,
    modified: Modified,
    /// How the cards may be kept.
    cache: HeaderValue,
    vary: HeaderValue,
}

impl Cards {
    pub(crate) fn new(templates: Templates, settings: &Settings, base: &str) -> Self {
        let forms = |mount| templates.render(settings, base, mount);
        let crew = forms(None);
        let agents = templates.slugs.iter().map(|slug| forms(Some(slug))).collect();
        let keys = (!settings.signers.is_empty()).then(|| {
            let set = publish(settings.signers.iter().map(|signer| &**signer));
            Served::new(set.to_string().into_bytes())
        });
        let asks_proxies = settings.public_url.is_none() && !settings.trusted_proxies.is_empty();
        let read = if asks_proxies { format!(", {}", forwarded::READ) } else { String::new() };
        let vary = format!("A2A-Version{read}");
        let vary = HeaderValue::from_str(&vary).expect("names of headers are printable");
        let told = Mutex::default();
        let (extended, modified) = (Extended::new(settings, &read), Modified::now());
        let cache = if settings.readers.are_all() { PUBLIC } else { NOT_PUBLIC };
        Self { templates, crew, agents, told, keys, extended, modified, cache, vary }
    }

    /// The slugs of the agents, the default one's first.
    pub(crate) fn slugs(&self) -> &[Arc<str>] {
        &self.templates.slugs
    }

    /// Serves the card of a mount in a form.
    pub(crate) fn respond(
        &self,
        settings: &Settings,
        forwarded_base: Option<&str>,
        (mount, form): (Mount<'_>, CardForm),
        head: &Parts,
    ) -> Answer {
        let index = form as usize;
        let mut response = match forwarded_base {
            Some(base) => {
                let forms = self.at(settings, base, mount);
                forms[index].respond(&self.modified, self.cache.clone(), &head.headers)
            }
            None => {
                let forms =
                    mount.map_or(&self.crew, |slug| &self.agents[self.templates.number(slug)]);
                forms[index].respond(&self.modified, self.cache.clone(), &head.headers)
            }
        };
        response.headers_mut().insert(VARY, self.vary.clone());
        response
    }

    /// The card of a mount at an address that a proxy told.
    fn at(&self, settings: &Settings, base: &str, mount: Mount<'_>) -> Arc<Forms> {
        let place = (base.to_owned(), mount.cloned());
        if let Some(known) = self.told.lock().get(&place) {
            return known.clone();
        }
        let forms = Arc::new(self.templates.render(settings, base, mount));
        let mut told = self.told.lock();
        if told.len() >= settings.bounds.proxied_cards {
            told.clear();
        }
        told.insert(place, forms.clone());
        forms
    }

    /// The card of a mount with what a caller may use, below a base.
    ///
    /// # Errors
    /// When the card does not offer that, there is none, or the caller may use nothing.
    pub(crate) fn extended(
        &self,
        settings: &Settings,
        base: &str,
        mount: Mount<'_>,
        usable: Usable,
    ) -> Result<Document, A2aError> {
        let template = self.templates.template(mount).ok_or_else(no_such_path)?;
        self.extended.card(template, (base, mount, usable), |template, skills| {
            let public = template.at(&self.templates.addresses(settings, base, mount), settings);
            // What its owner signed elsewhere is the public one.
            sign(AgentCard { skills, signatures: Vec::new(), ..public }, settings)
        })
    }

    /// Serves a card that is for one caller.
    pub(crate) fn respond_private(&self, json: Bytes, media: HeaderValue, head: &Parts) -> Answer {
        Served::new(json).respond_private(media, self.extended.vary(), &head.headers)
    }

    /// Serves the public keys of those that sign the cards, if any do.
    pub(crate) fn respond_keys(&self, head: &Parts) -> Option<Answer> {
        Some(self.keys.as_ref()?.respond(&self.modified, PUBLIC, &head.headers))
    }
}

// A card's forms are found by their number.
const _: () = {
    let mut index = 0;
    while index < CardForm::ALL.len() {
        assert!(CardForm::ALL[index] as usize == index, "a form is out of order");
        index += 1;
    }
};
