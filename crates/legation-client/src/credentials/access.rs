//! Puts credentials into the requests to one agent, and learns from its refusals.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use legation_net::{Http, Request};
use url::Url;

use super::challenge::Challenge;
use super::digest::Digest;
use super::oauth::{Fault, Session, Visit};
use super::{Credential, Credentials, KeyPlace, Kind, Secret};
use crate::origin::same_place;

/// What goes with every request to one agent.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The one place where it goes.
    place: Url,
    uses: Vec<Use>,
    /// The connections to those who issue tokens.
    issuers: Option<Http>,
}

/// One credential as it goes into requests.
#[derive(Clone, Debug)]
pub(super) enum Use {
    Authorization(HeaderValue),
    Key(KeyPlace, Secret),
    Digest(Arc<Digest>),
    Token(Arc<Session>),
    /// It goes with the connection.
    Connection,
}

impl Access {
    pub(super) fn new(place: &Url, uses: Vec<Use>) -> Self {
        Self { place: place.clone(), uses, issuers: None }
    }

    /// What goes with the question for a card: the credentials that need none, and nothing that has
    /// to be asked for first.
    pub(crate) fn offhand(credentials: &Credentials, place: &Url) -> Self {
        let mut access = Self::unasked(credentials, place);
        access.uses.retain(|used| !matches!(used, Use::Token(_)));
        access
    }

    /// What goes to an agent whose card asks for nothing. Of several for the same place in a request,
    /// the first that was given goes.
    pub(super) fn unasked(credentials: &Credentials, place: &Url) -> Self {
        let mut uses: Vec<Use> = Vec::new();
        for used in credentials.of(place).filter_map(Credential::alone) {
            if !uses.iter().any(|other| other.collides(&used)) {
                uses.push(used);
            }
        }
        Self::new(place, uses)
    }

    /// Whether nothing goes along.
    pub(crate) fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Whether tokens have to be asked for.
    pub(crate) fn asks_issuers(&self) -> bool {
        self.sessions().next().is_some()
    }

    /// The same with connections to those who issue tokens.
    pub(crate) fn by(self, issuers: Http) -> Self {
        Self { issuers: Some(issuers), ..self }
    }

    /// Lets a person log in wherever tokens are from.
    pub(crate) async fn log_in(
        &self,
        visit: &(dyn Fn(Visit<'_>) + Send + Sync),
    ) -> Result<usize, Fault> {
        for session in self.sessions() {
            session.log_in(self.issuers()?, visit).await?;
        }
        Ok(self.sessions().count())
    }

    /// Forgets all tokens; whether there were any.
    pub(crate) async fn log_out(&self) -> Result<bool, Fault> {
        let mut had = false;
        for session in self.sessions() {
            had |= session.log_out(self.issuers()?).await?;
        }
        Ok(had)
    }

    fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.uses.iter().filter_map(|used| match used {
            Use::Token(session) => Some(session),
            Use::Authorization(_) | Use::Key(..) | Use::Digest(_) | Use::Connection => None,
        })
    }

    fn issuers(&self) -> Result<&Http, Fault> {
        self.issuers.as_ref().ok_or_else(|| Fault::System("there is no connection".into()))
    }

    /// Puts everything into a request.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub(crate) async fn sign(&self, request: &mut Request) -> Result<(), Fault> {
        if !same_place(&self.place, &request.url) {
            return Ok(());
        }
        for used in &self.uses {
            match used {
                Use::Authorization(value) => {
                    request.headers.insert(header::AUTHORIZATION, value.clone());
                }
                Use::Key(place, key) => put_key(request, place, key),
                Use::Token(session) => {
                    let value = session.header(self.issuers()?, None).await?;
                    request.headers.insert(header::AUTHORIZATION, value);
                }
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
        Ok(())
    }

    /// Takes the refusal (401) of what was sent with this `Authorization` up; whether the same request
    /// may fare better now.
    ///
    /// # Errors
    /// When another token was needed, and there is none to be had.
    pub(crate) async fn learn(
        &self,
        sent: Option<&HeaderValue>,
        refusal: &HeaderMap,
    ) -> Result<bool, Fault> {
        let challenges = Challenge::all(refusal);
        let mut is_worth_it = false;
        for used in &self.uses {
            is_worth_it |= match used {
                Use::Digest(digest) => digest.learn(&challenges, sent.is_some()),
                Use::Token(session) => {
                    session.header(self.issuers()?, sent).await?;
                    true
                }
                Use::Authorization(_) | Use::Key(..) | Use::Connection => false,
            };
        }
        Ok(is_worth_it)
    }
}

impl Use {
    /// Whether two of them would stand at the same place in a request.
    fn collides(&self, other: &Self) -> bool {
        let is_authorization = |used: &Self| match used {
            Self::Authorization(_) | Self::Digest(_) | Self::Token(_) => true,
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
            Kind::OAuth(grants) => grants.for_scheme(None, &[]).map(Use::Token),
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
            Kind::ApiKey { .. } | Kind::OAuth(_) => None,
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
