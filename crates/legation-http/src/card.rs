//! Agent cards: made of the agents' profiles when the server starts, and served in the form and with
//! the addresses that suit the reader (Spec 8).

mod served;
mod template;

use std::fmt;

use http::header::{HeaderValue, VARY};
use http::request::Parts;
use legation_core::{Exposed, Service};
use legation_model::AgentExtension;
use legation_wire::card::{BadMember, CardForm, write};

use crate::addresses::Addresses;
use crate::answer::Answer;
use crate::forwarded;
use crate::router::Mount;
use crate::settings::Settings;
use served::{Modified, Served};
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

/// The cards of the crew and of its agents, complete but for the addresses.
#[derive(Debug)]
pub(crate) struct Templates {
    crew: Template,
    agents: Vec<(String, Template)>,
}

impl Templates {
    /// # Errors
    /// When an owner's changes make a card that is none.
    pub(crate) fn new(service: &Service, settings: &Settings) -> Result<Self, BadCard> {
        let extensions: Vec<AgentExtension> = service.extensions().cloned().collect();
        let common = Common { settings, extensions: &extensions };
        let mut own = Vec::new();
        for Exposed { profile, .. } in service.agents() {
            let bad = |member| BadCard { of: profile.name.clone(), member };
            own.push((&*profile.slug, Template::of_agent(profile, common).map_err(bad)?));
        }
        let crew = match (&settings.crew, &own[..]) {
            (None, [(_, only)]) => only.clone(),
            (crew, agents) => {
                Template::of_crew(crew.as_ref(), agents, common).map_err(|member| BadCard {
                    of: crew.as_ref().map_or("the crew", |crew| &crew.name).into(),
                    member,
                })?
            }
        };
        let agents = own.into_iter().map(|(slug, template)| (slug.to_owned(), template));
        Ok(Self { crew, agents: agents.collect() })
    }

    /// Writes the card of a mount below a base.
    fn render(&self, settings: &Settings, base: &str, mount: Mount, form: CardForm) -> Served {
        let (slug, template) = match mount {
            None => (None, &self.crew),
            Some(agent) => (Some(&*self.agents[agent].0), &self.agents[agent].1),
        };
        Served::new(write(&template.at(&Addresses::of(base, slug), settings), form))
    }
}

/// A card in every form, in the order of [`CardForm::ALL`].
type Forms = [Served; CardForm::ALL.len()];

/// Every card that the server serves.
pub(crate) struct Cards {
    templates: Templates,
    /// With the addresses that hold unless a proxy says otherwise, as the agents' are.
    crew: Forms,
    agents: Vec<Forms>,
    modified: Modified,
    vary: HeaderValue,
}

impl Cards {
    pub(crate) fn new(templates: Templates, settings: &Settings, base: &str) -> Self {
        let forms = |mount| -> Forms {
            CardForm::ALL.map(|form| templates.render(settings, base, mount, form))
        };
        let crew = forms(None);
        let agents = (0..templates.agents.len()).map(|agent| forms(Some(agent))).collect();
        let asks_proxies = settings.public_url.is_none() && !settings.trusted_proxies.is_empty();
        let read = if asks_proxies { format!(", {}", forwarded::READ) } else { String::new() };
        let vary = format!("A2A-Version{read}");
        let vary = HeaderValue::from_str(&vary).expect("names of headers are printable");
        Self { templates, crew, agents, modified: Modified::now(), vary }
    }

    /// Serves the card of a mount in a form. One with addresses that a proxy tells is written for
    /// this response only: there may be any number of such addresses.
    pub(crate) fn respond(
        &self,
        settings: &Settings,
        forwarded_base: Option<&str>,
        (mount, form): (Mount, CardForm),
        head: &Parts,
    ) -> Answer {
        let mut response = match forwarded_base {
            Some(base) => self
                .templates
                .render(settings, base, mount, form)
                .respond(&self.modified, &head.headers),
            None => {
                let forms = mount.map_or(&self.crew, |agent| &self.agents[agent]);
                forms[form as usize].respond(&self.modified, &head.headers)
            }
        };
        response.headers_mut().insert(VARY, self.vary.clone());
        response
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
