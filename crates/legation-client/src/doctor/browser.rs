//! What pages in browsers need: cross-origin requests that are allowed (CORS).

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use legation_net::{Http, Limits, Request};
use legation_wire::card::Binding;
use url::Url;

use super::checks::{BROWSER_CARD, PREFLIGHT};
use super::reach::{Arrival, request};
use super::{Checked, Group, Notes, Plan, excerpt};
use crate::interface::{is_trusted, usable};
use crate::{Error, Options};

/// What a page sends with a call.
const HEADERS: [&str; 3] = ["a2a-version", "authorization", "content-type"];

/// Asks as a page of the plan's origin does.
pub(super) async fn examine(
    notes: &mut Notes<'_>,
    arrival: &Arrival,
    options: &Options,
    plan: &Plan,
) -> Result<(), Error> {
    if !plan.wants(Group::Browser) {
        return Ok(());
    }
    let Some(origin) = &plan.origin else {
        let why = "name the origin of the page with --origin";
        notes.add(BROWSER_CARD.skipped(why));
        return Ok(());
    };
    let Ok(value) = HeaderValue::from_str(origin) else {
        notes.add(BROWSER_CARD.skipped("the origin is none"));
        return Ok(());
    };
    let mut asked = request(&arrival.url, options, plan).await;
    asked.headers.insert(header::ORIGIN, value.clone());
    let answer = arrival.connections(&arrival.url, options)?.send(asked).await;
    notes.add(match answer {
        Ok(answer) if allows(answer.headers(), origin) => {
            BROWSER_CARD.passed(format!("a page of {origin} may read it"))
        }
        Ok(_) => BROWSER_CARD.failed(format!("a page of {origin} may not read it")),
        Err(error) => BROWSER_CARD.failed(excerpt(&error.to_string())),
    });
    interfaces(notes, arrival, options, (origin, &value), plan).await
}

/// One interface that a page can call is enough.
async fn interfaces(
    notes: &mut Notes<'_>,
    arrival: &Arrival,
    options: &Options,
    origin: (&str, &HeaderValue),
    plan: &Plan,
) -> Result<(), Error> {
    let endpoints: Vec<_> = arrival
        .interfaces()
        .filter_map(|interface| usable(interface, &arrival.url))
        .filter(|endpoint| endpoint.binding() != Binding::Grpc)
        .filter(|endpoint| is_trusted(endpoint, &arrival.url, options))
        .collect();
    if endpoints.is_empty() {
        let remedy = "offer JSON-RPC or HTTP+JSON as well: browsers cannot speak gRPC";
        notes.add(PREFLIGHT.failed("there is no interface that a page can call").fix(remedy));
        return Ok(());
    }
    let (mut checks, mut asked): (Vec<Checked>, Vec<Url>) = (Vec::new(), Vec::new());
    for endpoint in endpoints {
        if !asked.contains(&endpoint.url) {
            let http = arrival.connections(&endpoint.url, options)?;
            let answer = preflight(&http, &endpoint.url, origin, plan).await;
            checks.push(answer.at(endpoint.url.as_str()));
            asked.push(endpoint.url);
        }
    }
    let is_open = checks.iter().any(|checked| checked.outcome == super::Outcome::Pass);
    for checked in checks {
        notes.add(if is_open { checked.harmless() } else { checked });
    }
    Ok(())
}

async fn preflight(
    http: &Http,
    url: &Url,
    (origin, value): (&str, &HeaderValue),
    plan: &Plan,
) -> Checked {
    let mut request = Request::new(Method::OPTIONS, url.clone());
    request.limits =
        Limits { first_byte: plan.timeout, total: Some(plan.timeout), ..Limits::SHORT };
    request.headers.insert(header::ORIGIN, value.clone());
    let method = HeaderValue::from_static("POST");
    request.headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, method);
    let names = HeaderValue::from_static("a2a-version,authorization,content-type");
    request.headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, names);
    let answer = match http.send(request).await {
        Ok(answer) => answer,
        Err(error) => return PREFLIGHT.failed(excerpt(&error.to_string())),
    };
    let headers = answer.headers();
    if !answer.status().is_success() || !allows(headers, origin) {
        let status = answer.status().as_u16();
        return PREFLIGHT.failed(format!("a page of {origin} may not call it (status {status})"));
    }
    // POST needs no leave by itself; the headers do.
    let allowed = list(headers, &header::ACCESS_CONTROL_ALLOW_HEADERS);
    let missing: Vec<_> = HEADERS
        .into_iter()
        .filter(|name| {
            !allowed.iter().any(|it| it == name || it == "*" && *name != "authorization")
        })
        .collect();
    if missing.is_empty() {
        PREFLIGHT.passed(format!("a page of {origin} may call it"))
    } else {
        PREFLIGHT.failed(format!("a page may not send {}", missing.join(", ")))
    }
}

fn allows(headers: &HeaderMap, origin: &str) -> bool {
    let allowed = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    allowed.is_some_and(|allowed| allowed == "*" || allowed == origin)
}

fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|it| it.trim().to_ascii_lowercase()).collect()
}
