//! Puts credentials into the requests to one agent, and learns from its refusals.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use legation_net::Request;
use url::Url;

use super::challenge::Challenge;
use super::digest::Digest;
use super::{Credential, Credentials, KeyPlace, Kind, Secret};
use crate::origin::same_place;

/// What goes with every request to one agent.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The one place where it goes.
    place: Url,
    uses: Vec<Use>,
}

/// One credential as it goes into requests.
#[derive(Clone, Debug)]
pub(super) enum Use {
    Authorization(HeaderValue),
    Key(KeyPlace, Secret),
    Digest(Arc<Digest>),
    /// It goes with the connection.
    Connection,
}

impl Access {
    pub(super) fn new(place: &Url, uses: Vec<Use>) -> Self {
        Self { place: place.clone(), uses }
    }

    /// What goes to an address of which no card is known: the credentials that need none. Of several
    /// for the same place in a request, the first that was given goes.
    pub(crate) fn offhand(credentials: &Credentials, place: &Url) -> Self {
        let mut uses: Vec<Use> = Vec::new();
        for used in credentials.of(place).filter_map(Credential::alone) {
            if !uses.iter().any(|other| other.collides(&used)) {
                uses.push(used);
            }
        }
        Self::new(place, uses)
    }

    /// Puts everything into a request.
    pub(crate) fn sign(&self, request: &mut Request) {
        if !same_place(&self.place, &request.url) {
            return;
        }
        for used in &self.uses {
            match used {
                Use::Authorization(value) => {
                    request.headers.insert(header::AUTHORIZATION, value.clone());
                }
                Use::Key(place, key) => put_key(request, place, key),
                Use::Connection | Use::Digest(_) => {}
            }
        }
        // Last, because it answers for the query as well.
        for used in &self.uses {
            if let Use::Digest(digest) = used
                && let Some(value) = digest.answer(&request.method, &request.url)
            {
                request.headers.insert(header::AUTHORIZATION, value);
            }
        }
    }

    /// Takes a refusal up (401); whether the same request may fare better now.
    pub(crate) fn learn(&self, sent: &Request, refusal: &HeaderMap) -> bool {
        let challenges = Challenge::all(refusal);
        let had_answer = sent.headers.contains_key(header::AUTHORIZATION);
        let mut is_worth_it = false;
        for used in &self.uses {
            is_worth_it |= match used {
                Use::Digest(digest) => digest.learn(&challenges, had_answer),
                Use::Authorization(_) | Use::Key(..) | Use::Connection => false,
            };
        }
        is_worth_it
    }
}

impl Use {
    /// Whether two of them would stand at the same place in a request.
    fn collides(&self, other: &Self) -> bool {
        let is_authorization = |used: &Self| match used {
            Self::Authorization(_) | Self::Digest(_) => true,
            Self::Key(place, _) => *place == KeyPlace::Header(header::AUTHORIZATION),
            Self::Connection => false,
        };
        match (self, other) {
            (Self::Key(place, _), Self::Key(other, _)) => place == other,
            _ => is_authorization(self) && is_authorization(other),
        }
    }
}

impl Credential {
    /// How it goes when nobody says what is wanted.
    fn alone(&self) -> Option<Use> {
        if self.scheme.is_some() {
            return None;
        }
        match &self.kind {
            Kind::ApiKey { key, place } => Some(Use::Key(place.clone()?, key.clone())),
            Kind::Bearer(_) | Kind::Basic(_) | Kind::Digest(_) | Kind::Certificate(_) => {
                self.used()
            }
        }
    }

    /// How it goes, when that is always the same.
    pub(super) fn used(&self) -> Option<Use> {
        match &self.kind {
            Kind::Bearer(value) | Kind::Basic(value) => Some(Use::Authorization(value.clone())),
            // Each agent has challenges of its own.
            Kind::Digest(password) => Some(Use::Digest(Arc::new(Digest::new(password.clone())))),
            Kind::Certificate(_) => Some(Use::Connection),
            Kind::ApiKey { .. } => None,
        }
    }
}

fn put_key(request: &mut Request, place: &KeyPlace, key: &Secret) {
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    };
    match place {
        KeyPlace::Header(name) => {
            if let Some(value) = sensitive(key.reveal()) {
                request.headers.insert(name, value);
            }
        }
        KeyPlace::Query(name) => {
            request.url.query_pairs_mut().append_pair(name, key.reveal());
        }
        KeyPlace::Cookie(name) => {
            if let Some(value) = sensitive(&format!("{name}={}", key.reveal())) {
                request.headers.append(header::COOKIE, value);
            }
        }
    }
}
