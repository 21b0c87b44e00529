//! Extended cards: for callers that are known, with what each may use (Spec 3.1.11).

use std::collections::HashMap;
use std::sync::Arc;

use http::header::HeaderValue;
use legation_core::{Document, Usable};
use legation_model::{A2aError, AgentCard, AgentSkill, ErrorKind, SecurityScheme};
use parking_lot::Mutex;

use super::template::Template;
use crate::router::Mount;
use crate::settings::Settings;

type Place = (String, Option<Arc<str>>, Usable);

/// The extended cards.
pub(super) struct Extended {
    /// A signature is too dear to be made for each reader.
    kept: Mutex<HashMap<Place, Document>>,
    /// How many: there may be as many as there are ways to put rights together.
    most: usize,
    /// What a card depends on that is for one caller.
    vary: HeaderValue,
}

impl Extended {
    /// None yet; `read` lists the headers of proxies that are read, each with a comma before it.
    pub(super) fn new(settings: &Settings, read: &str) -> Self {
        let mut vary = format!("A2A-Version, Accept, Authorization{read}");
        for (_, scheme) in &settings.security.schemes {
            let SecurityScheme::ApiKeySecurityScheme(key) = scheme else { continue };
            let name = match &*key.location {
                "header" => &key.name,
                "cookie" => "Cookie",
                _ => continue,
            };
            vary = format!("{vary}, {name}");
        }
        // A name that is none was no header of any request either.
        let vary = HeaderValue::from_str(&vary).unwrap_or(HeaderValue::from_static("*"));
        Self { kept: Mutex::default(), most: settings.bounds.extended_cards, vary }
    }

    /// What a card for one caller depends on.
    pub(super) fn vary(&self) -> &HeaderValue {
        &self.vary
    }

    /// The card of a template for those who may use this, made when nobody asked for it before.
    ///
    /// # Errors
    /// When the public card does not offer it, there is none, or the caller may use nothing.
    pub(super) fn card(
        &self,
        template: &Template,
        (base, mount, usable): (&str, Mount<'_>, Usable),
        make: impl FnOnce(&Template, Vec<AgentSkill>) -> AgentCard,
    ) -> Result<Document, A2aError> {
        if !template.offers_extended() {
            let text = "there is no extended card here; the card says so in its capabilities";
            return Err(A2aError::new(ErrorKind::UnsupportedOperation, text));
        }
        if !template.has_extended() {
            let text = "the card offers an extended one, and none is configured";
            return Err(A2aError::new(ErrorKind::ExtendedAgentCardNotConfigured, text));
        }
        let place = (base.to_owned(), mount.cloned(), usable);
        if let Some(known) = self.kept.lock().get(&place) {
            return Ok(known.clone());
        }
        let skills = template.skills_for(&place.2);
        if skills.is_empty() {
            let text = "these credentials are for no skill here";
            return Err(A2aError::new(ErrorKind::PermissionDenied, text));
        }
        let card = Document::write(&make(template, skills));
        let mut kept = self.kept.lock();
        if kept.len() >= self.most {
            kept.clear();
        }
        kept.insert(place, card.clone());
        Ok(card)
    }
}
