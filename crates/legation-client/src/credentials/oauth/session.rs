//! The tokens of one client from one issuer for one set of scopes.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderValue;
use legation_net::Http;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use super::metadata::Server;
use super::{Fault, Flow, OAuth, Source, Visit, ask, code, device};
use crate::credentials::authorization;
use crate::origin::origin;

/// A token is renewed so many seconds before it expires, or in the last tenth of its life.
const MARGIN: u64 = 60;

/// What an issuer gave.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// From when on it is renewed before it is used, in seconds since 1970; the issuer does not say
    /// how long it is good when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_at: Option<u64>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// The tokens of one client from one issuer for one set of scopes.
#[derive(Debug)]
pub(crate) struct Session {
    client: Arc<OAuth>,
    source: Source,
    scopes: String,
    /// Held while a token is got, so that everybody else waits for that one and takes it.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    server: Option<Server>,
    tokens: Option<Tokens>,
}

impl Session {
    pub(super) fn new(client: Arc<OAuth>, source: Source, scopes: String) -> Self {
        Self { client, source, scopes, held: Mutex::default() }
    }

    /// Whose tokens they are.
    pub(super) fn place(&self) -> &Url {
        self.source.place()
    }

    /// The value of `Authorization`, with another token than the one that was refused.
    ///
    /// # Cancel safety
    /// Safe: the work goes on, so that a refresh token that was used up has its successor.
    pub(crate) async fn header(
        self: &Arc<Self>,
        http: &Http,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Fault> {
        let (this, http, refused) = (Arc::clone(self), http.clone(), refused.cloned());
        let work = tokio::spawn(async move { this.current(&http, refused.as_ref()).await });
        work.await.map_err(|ended| Fault::System(ended.to_string()))?
    }

    async fn current(
        &self,
        http: &Http,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Fault> {
        let mut held = self.held.lock().await;
        let usable = |tokens: &Option<Tokens>| {
            let tokens = tokens.as_ref().filter(|tokens| tokens.is_good())?;
            tokens.header().filter(|value| refused != Some(value))
        };
        if let Some(value) = usable(&held.tokens) {
            return Ok(value);
        }
        let turn = self.turn().await?;
        if let Some(kept) = self.client.cache.as_ref().and_then(|cache| cache.load(&self.name())) {
            held.tokens = Some(kept);
            if let Some(value) = usable(&held.tokens) {
                return Ok(value);
            }
        }
        let before = held.tokens.take();
        let tokens = self.renewed(http, &mut held, before).await?;
        self.keep(&tokens)?;
        drop(turn);
        let value = tokens.header();
        held.tokens = Some(tokens);
        value.ok_or_else(|| Fault::nonsense(self.place(), "a token that fits no header"))
    }

    /// Other tokens in the place of these, as far as nobody has to be asked for it.
    async fn renewed(
        &self,
        http: &Http,
        held: &mut Held,
        before: Option<Tokens>,
    ) -> Result<Tokens, Fault> {
        let server = self.server(http, held).await?;
        if let Some(refresh) = before.and_then(|tokens| tokens.refresh) {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
            match self.issued(http, &server, &form).await? {
                Ok(mut tokens) => {
                    // A server that gives no other one means that this one stays.
                    tokens.refresh.get_or_insert(refresh);
                    return Ok(tokens);
                }
                // It has expired or was taken back; there may be another way.
                Err(refusal) if refusal.code == "invalid_grant" => {}
                Err(refusal) => return Err(refusal.into_fault(&server.endpoints.token)),
            }
        }
        match self.client.flow {
            Flow::ClientCredentials => {
                let mut form = vec![("grant_type", "client_credentials")];
                form.extend(self.scope());
                let issued = self.issued(http, &server, &form).await?;
                issued.map_err(|refusal| refusal.into_fault(&server.endpoints.token))
            }
            Flow::AuthorizationCode | Flow::DeviceCode => {
                Err(Fault::LogIn { issuer: origin(self.place()) })
            }
        }
    }

    /// Lets a person log in, and keeps what comes of it. With client credentials there is nobody to
    /// be asked, and a token is got at once.
    pub(crate) async fn log_in(
        &self,
        http: &Http,
        visit: &(dyn Fn(Visit<'_>) + Send + Sync),
    ) -> Result<(), Fault> {
        let mut held = self.held.lock().await;
        let server = self.server(http, &mut held).await?;
        let tokens = match self.client.flow {
            Flow::ClientCredentials => self.renewed(http, &mut held, None).await?,
            Flow::AuthorizationCode => code::log_in(self, http, &server, visit).await?,
            Flow::DeviceCode => device::log_in(self, http, &server, visit).await?,
        };
        let turn = self.turn().await?;
        self.keep(&tokens)?;
        drop(turn);
        held.tokens = Some(tokens);
        Ok(())
    }

    /// Forgets the tokens; whether there were any. The issuer is told (RFC 7009): with the refresh token
    /// the others end as well. It may be away or have no ear for it, and they are forgotten all the
    /// same.
    pub(crate) async fn log_out(&self, http: &Http) -> Result<bool, Fault> {
        let mut held = self.held.lock().await;
        let mut tokens = held.tokens.take();
        let mut had = tokens.is_some();
        if let Some(cache) = &self.client.cache {
            tokens = cache.load(&self.name()).or(tokens);
            let forgotten = cache.forget(&self.name());
            let failed = |source| Fault::Cache { path: cache.path().to_owned(), source };
            had |= forgotten.map_err(failed)?;
        }
        if let Some(Tokens { access, refresh, .. }) = tokens
            && let Ok(server) = self.server(http, &mut held).await
            && let Some(url) = &server.revocation
        {
            let form = [("token", refresh.as_ref().unwrap_or(&access).as_str())];
            let _ = ask::post(http, url, &self.client, server.secret_in_form, &form).await;
        }
        Ok(had)
    }

    /// Asks for tokens.
    pub(super) async fn issued(
        &self,
        http: &Http,
        server: &Server,
        form: &[(&str, &str)],
    ) -> Result<Result<Tokens, ask::Refusal>, Fault> {
        let mut form = form.to_vec();
        form.extend(self.resource());
        let (url, in_form) = (&server.endpoints.token, server.secret_in_form);
        let now = now();
        match ask::post(http, url, &self.client, in_form, &form).await? {
            Ok(answer) => {
                Tokens::read(&answer, now).map(Ok).map_err(|why| Fault::nonsense(url, why))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// What tokens are asked for, where that is said at first.
    pub(super) fn about(&self) -> Vec<(&'static str, &str)> {
        self.scope().into_iter().chain(self.resource()).collect()
    }

    fn scope(&self) -> Option<(&'static str, &str)> {
        (!self.scopes.is_empty()).then_some(("scope", &*self.scopes))
    }

    fn resource(&self) -> Option<(&'static str, &str)> {
        self.client.resource.as_ref().map(|url| ("resource", url.as_str()))
    }

    /// An endpoint that a flow needs.
    pub(super) fn needed<'e>(
        &self,
        endpoint: &'e Option<Url>,
        name: &'static str,
    ) -> Result<&'e Url, Fault> {
        let missing = || Fault::NoEndpoint { issuer: origin(self.place()), endpoint: name };
        endpoint.as_ref().ok_or_else(missing)
    }

    pub(super) fn client(&self) -> &OAuth {
        &self.client
    }

    async fn server(&self, http: &Http, held: &mut Held) -> Result<Server, Fault> {
        if let Some(server) = &held.server {
            return Ok(server.clone());
        }
        let server = Server::find(http, &self.source).await?;
        Ok(held.server.insert(server).clone())
    }

    /// The turn among the processes that share a cache.
    async fn turn(&self) -> Result<Option<super::cache::Turn>, Fault> {
        let Some(cache) = self.client.cache.clone() else { return Ok(None) };
        let (name, path) = (self.name(), cache.path().to_owned());
        let turn = tokio::task::spawn_blocking(move || cache.turn(&name)).await;
        let turn = turn.map_err(|ended| Fault::System(ended.to_string()))?;
        turn.map(Some).map_err(|source| Fault::Cache { path, source })
    }

    fn keep(&self, tokens: &Tokens) -> Result<(), Fault> {
        let Some(cache) = &self.client.cache else { return Ok(()) };
        let kept = cache.store(&self.name(), tokens);
        kept.map_err(|source| Fault::Cache { path: cache.path().to_owned(), source })
    }

    /// What the tokens are called in the cache: who gave them to whom for what.
    fn name(&self) -> String {
        let resource = self.client.resource.as_ref().map_or("", Url::as_str);
        let parts = [self.place().as_str(), &self.client.client_id, &self.scopes, resource];
        // No part holds a line break, so no two lists of parts are the same text.
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, parts.join("\n").as_bytes()))
    }
}

impl Tokens {
    fn read(answer: &Map<String, Value>, now: u64) -> Result<Self, &'static str> {
        let text = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !bearer {
            return Err("a token that is no bearer token");
        }
        let life = answer.get("expires_in").and_then(|life| {
            // Some servers write it as a text.
            life.as_u64().or_else(|| life.as_str()?.parse().ok())
        });
        Ok(Self {
            access: text("access_token").ok_or("no token")?,
            refresh: text("refresh_token"),
            renew_at: life
                .map(|life| now.saturating_add(life - MARGIN.min(life / 10 + 1).min(life))),
        })
    }

    fn is_good(&self) -> bool {
        self.renew_at.is_none_or(|end| now() < end)
    }

    fn header(&self) -> Option<HeaderValue> {
        authorization("Bearer", &self.access)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
