//! Getting to the card, as clients do that know only the agent's address.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use legation_model::{AgentCard, AgentInterface};
use legation_net::{Http, Limits, Request};
use legation_wire::card::{self as wire, Reading};
use legation_wire::version::Version;
use tokio::time::Instant;
use url::Url;

use super::checks::{
    CACHING, CONNECT, MEDIA_TYPE, NETWORK, NOT_MODIFIED, OLD_PLACE, READ, REDIRECT, TLS, WELL_KNOWN,
};
use super::network::Network;
use super::{Notes, Plan, excerpt, spent};
use crate::credentials::Access;
use crate::origin::same_place;
use crate::{Error, Options, card};

const MAX_BYTES: u64 = 1 << 20;
/// No honest card has more.
const INTERFACES: usize = 32;

/// What was found at the end of the way.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Where the card is.
    pub(super) url: Url,
    /// The address that was given.
    pub(super) address: Url,
    pub(super) reading: Reading,
    /// The card as it came.
    pub(super) sent: Bytes,
    /// The connections to the address.
    pub(super) http: Http,
}

impl Arrival {
    /// The connections to another address of the agent, shared where that is the same place.
    pub(super) fn connections(&self, url: &Url, options: &Options) -> Result<Http, Error> {
        if same_place(&self.address, url) {
            Ok(self.http.clone())
        } else {
            options.connections(url)
        }
    }

    pub(super) const fn card(&self) -> &AgentCard {
        &self.reading.card
    }

    /// The interfaces that are looked at: a card may list as many as fit into it.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &AgentInterface> {
        self.card().supported_interfaces.iter().take(INTERFACES)
    }
}

/// What is at a place.
#[derive(Debug)]
pub(super) struct Found {
    /// Where, redirects included.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) media_type: String,
    pub(super) body: Bytes,
}

impl Found {
    /// The card, when it is one.
    fn card(&self) -> Option<Reading> {
        if !self.status.is_success() {
            return None;
        }
        wire::read(&self.body).ok()
    }

    fn header(&self, name: header::HeaderName) -> Option<String> {
        self.headers.get(name).map(|value| excerpt(&String::from_utf8_lossy(value.as_bytes())))
    }
}

/// Goes to the agent; `None` when there is no card to go on with.
pub(super) async fn arrive(
    notes: &mut Notes<'_>,
    address: &str,
    options: &Options,
    plan: &Plan,
) -> Result<Option<Arrival>, Error> {
    let places = card::places(address)?;
    let given = places.last().cloned().expect("there is at least one place");
    network(notes, &given).await;
    let http = options.connections(&given)?;
    let since = Instant::now();
    let first = match get(&http, &places[0], options, plan).await {
        Ok(found) => found,
        Err(error) => {
            let remedy = remedy(&error, &given);
            notes.add(CONNECT.failed(excerpt(&error.to_string())).fix(remedy));
            return Ok(None);
        }
    };
    let (origin, time) = (crate::origin::origin(&given), spent(since.elapsed()));
    notes.add(CONNECT.passed(format!("{origin} answers after {time}")));
    tls(notes, &given);
    let is_named = places.len() == 1;
    let (mut found, last) = (follow(notes, &http, first, options, plan).await, places.len() - 1);
    if is_named {
        notes.add(WELL_KNOWN.skipped("the address is that of a card").harmless());
    } else {
        well_known(notes, &found);
    }
    let mut old = None;
    for (index, place) in places.iter().enumerate().skip(1) {
        if found.card().is_some() && index == last {
            break;
        }
        let Ok(other) = get(&http, place, options, plan).await else { continue };
        if index != last {
            old = Some(other.card().is_some());
        }
        if found.card().is_none() && other.card().is_some() {
            found = other;
        }
    }
    let Some(arrival) = read(notes, &found, given, &http) else { return Ok(None) };
    old_place(notes, &arrival, old);
    headers(notes, &http, &found, options, plan).await;
    Ok(Some(arrival))
}

async fn network(notes: &mut Notes<'_>, url: &Url) {
    let checked = match Network::of(url).await {
        Network::Public => NETWORK.passed("it is on the public internet"),
        Network::Machine => NETWORK.passed("it is on this machine, for callers on this machine"),
        Network::Private(number) => {
            NETWORK.warned(format!("{number} is not an address of the public internet"))
        }
        Network::Unknown => NETWORK.skipped("the name has no number here"),
    };
    notes.add(checked);
}

fn tls(notes: &mut Notes<'_>, url: &Url) {
    let checked = match (url.scheme(), crate::is_loopback(url)) {
        ("https", _) => TLS.passed("calls go over TLS, and the certificate is believed"),
        (_, true) => TLS.passed("calls stay on this machine"),
        (_, false) => TLS.warned("calls go in the clear, credentials included"),
    };
    notes.add(checked);
}

/// Reports a redirect, and follows it to see the rest. It moves no trust.
async fn follow(
    notes: &mut Notes<'_>,
    http: &Http,
    found: Found,
    options: &Options,
    plan: &Plan,
) -> Found {
    if !found.status.is_redirection() {
        notes.add(REDIRECT.passed("there is no redirect"));
        return found;
    }
    let target = found.header(header::LOCATION).unwrap_or_else(|| "nowhere".into());
    notes.add(REDIRECT.failed(format!("{} redirects to {target}", found.url)));
    let request = request(&found.url, options, plan).await;
    let Ok(response) = http.follow(request, options.limits.redirects).await else { return found };
    let url = card::found_at(&found.url, response.url());
    match whole(response).await {
        Ok(target) => Found { url, ..target },
        Err(_) => found,
    }
}

fn well_known(notes: &mut Notes<'_>, found: &Found) {
    let what = match found.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "a client that is not known yet cannot read the card".to_owned()
        }
        status if !status.is_success() => format!("{} has no card", found.url),
        _ if found.card().is_none() => format!("{} is no card", found.url),
        _ => return notes.add(WELL_KNOWN.passed(format!("the card is at {}", found.url))),
    };
    notes.add(WELL_KNOWN.failed(format!("{what} (status {})", found.status.as_u16())));
}

fn read(notes: &mut Notes<'_>, found: &Found, address: Url, http: &Http) -> Option<Arrival> {
    let Found { url, body, status, .. } = found;
    if !status.is_success() {
        notes.add(READ.failed(format!("there is no card at {url} (status {})", status.as_u16())));
        return None;
    }
    match wire::read(body) {
        Ok(reading) => {
            notes.add(READ.passed(format!("it is the card of {}", excerpt(&reading.card.name))));
            let (url, sent, http) = (url.clone(), body.clone(), http.clone());
            Some(Arrival { url, address, reading, sent, http })
        }
        Err(fault) => {
            notes.add(READ.failed(format!("{url}: {fault}")));
            None
        }
    }
}

fn old_place(notes: &mut Notes<'_>, arrival: &Arrival, is_card: Option<bool>) {
    let versions = arrival.card().supported_interfaces.iter();
    let mut versions = versions.filter_map(|it| Version::parse(it.protocol_version.trim()));
    let speaks_older = versions.any(|it| matches!(it, Version::V0_2 | Version::V0_1));
    let checked = match (is_card, speaks_older) {
        (None, true) => OLD_PLACE.skipped("the address is that of a card").harmless(),
        (Some(true), _) => OLD_PLACE.passed("the card is there, too"),
        (Some(false), true) => OLD_PLACE.warned("there is no card"),
        (None | Some(false), false) => OLD_PLACE.skipped("the card offers nothing of 0.2 and 0.1"),
    };
    notes.add(checked);
}

async fn headers(
    notes: &mut Notes<'_>,
    http: &Http,
    found: &Found,
    options: &Options,
    plan: &Plan,
) {
    let is_json = ["application/json", "application/a2a+json"].contains(&&*found.media_type);
    notes.add(match (is_json, found.media_type.is_empty()) {
        (true, _) => MEDIA_TYPE.passed(format!("it is `{}`", found.media_type)),
        (false, true) => MEDIA_TYPE.warned("none is said"),
        (false, false) => MEDIA_TYPE.warned(format!("it is `{}`", excerpt(&found.media_type))),
    });
    let kept = found.header(header::CACHE_CONTROL);
    let tag = found.headers.get(header::ETAG);
    let known_by = tag.is_some() || found.headers.contains_key(header::LAST_MODIFIED);
    let says_age = kept.as_deref().is_some_and(|kept| kept.contains("max-age"));
    notes.add(match (says_age, known_by) {
        (true, true) => CACHING.passed(format!("`{}`, and a tag", kept.unwrap_or_default())),
        (false, true) => CACHING.warned("there is no `max-age`: clients ask for it each time"),
        (true, false) => CACHING.warned("there is neither `ETag` nor `Last-Modified`"),
        (false, false) => CACHING.warned("there is no `max-age`, no `ETag` and no `Last-Modified`"),
    });
    let Some(tag) = tag else {
        return notes.add(NOT_MODIFIED.skipped("the card has no `ETag` to ask with"));
    };
    let mut request = request(&found.url, options, plan).await;
    request.headers.insert(header::IF_NONE_MATCH, tag.clone());
    notes.add(match http.send(request).await {
        Ok(response) if response.status() == StatusCode::NOT_MODIFIED => {
            NOT_MODIFIED.passed("it answers 304")
        }
        Ok(response) => NOT_MODIFIED.warned(format!("it answers {}", response.status().as_u16())),
        Err(error) => NOT_MODIFIED.warned(excerpt(&error.to_string())),
    });
}

/// What to do about a connection that does not stand.
fn remedy(error: &legation_net::Error, url: &Url) -> String {
    let said = error.to_string();
    let host = url.host_str().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if error.is_distrust() {
        return format!(
            "serve a certificate for {host} with the chain up to a known authority; who knows the authority names it with --ca"
        );
    }
    if is(&["lookup", "resolve"]) {
        return format!("correct the name {host}, or create its record in the DNS");
    }
    if is(&["refused"]) {
        return format!("start the server, or correct the port of {url}");
    }
    if is(&["InvalidContentType", "corrupt message"]) {
        return "the server speaks no TLS there: use http://, or the port of https".into();
    }
    CONNECT.remedy.into()
}

pub(super) async fn request(url: &Url, options: &Options, plan: &Plan) -> Request {
    let mut request = Request::new(Method::GET, url.clone());
    request.limits = Limits {
        first_byte: plan.timeout,
        max_bytes: MAX_BYTES,
        total: Some(plan.timeout),
        ..Limits::SHORT
    };
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // Most clients say no version here, and who says one may get a card for that version alone.
    // Nothing has to be asked for first, so nothing fails.
    let _ = Access::offhand(&options.credentials, url).sign(&mut request).await;
    request
}

/// What is at a place, for this caller.
pub(super) async fn get(
    http: &Http,
    url: &Url,
    options: &Options,
    plan: &Plan,
) -> Result<Found, legation_net::Error> {
    whole(http.send(request(url, options, plan).await).await?).await
}

async fn whole(response: legation_net::Response) -> Result<Found, legation_net::Error> {
    let (url, status) = (response.url().clone(), response.status());
    let (headers, media_type) = (response.headers().clone(), response.media_type());
    let body = response.bytes().await?;
    Ok(Found { url, status, headers, media_type, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_private_or_in_the_clear_is_a_warning() {
        let cases = [
            ("https://8.8.8.8/", "pass pass"),
            ("http://8.8.8.8/", "pass warn"),
            ("http://10.1.2.3/", "warn warn"),
            ("https://192.168.1.1:8443/", "warn pass"),
            ("http://localhost:8080/", "pass pass"),
            ("http://[fd00::1]/", "warn warn"),
        ];
        for (url, expected) in cases {
            let plan = Plan::default();
            let mut notes = Notes::new(&plan);
            let url = Url::parse(url).expect("a URL");
            network(&mut notes, &url).await;
            tls(&mut notes, &url);
            let names: Vec<_> = notes.checks.iter().map(|it| it.outcome.name()).collect();
            assert_eq!(names.join(" "), expected, "{url}");
        }
    }
}
