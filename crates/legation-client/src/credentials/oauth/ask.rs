//! Questions to an authorization server: forms in, small JSON out, and nothing that is followed.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use http::{HeaderValue, Method, StatusCode, header};
use legation_net::{Http, Limits, Request};
use serde_json::{Map, Value};
use url::Url;

use super::{Fault, OAuth};
use crate::{credentials, is_loopback};

const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(15),
    idle: Duration::from_secs(5),
    max_bytes: 256 << 10,
    total: Some(Duration::from_secs(30)),
};

/// A refusal's code, with what the server says for people.
pub(super) struct Refusal {
    pub(super) code: String,
    description: Option<String>,
}

impl Refusal {
    pub(super) fn into_fault(self, url: &Url) -> Fault {
        let description = self.description.map(|text| format!(" ({text})")).unwrap_or_default();
        Fault::refused(url, format!("{}{description}", self.code))
    }
}

/// Where secrets may go at all.
pub(super) fn check(url: &Url) -> Result<(), Fault> {
    let fit = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if fit { Ok(()) } else { Err(Fault::Plain(crate::origin::origin(url))) }
}

/// Gets a document; `None` where there is none.
pub(super) async fn get(http: &Http, url: &Url) -> Result<Option<Map<String, Value>>, Fault> {
    check(url)?;
    let mut request = Request::new(Method::GET, url.clone());
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let (status, document) = exchange(http, url, request).await?;
    match (status, document) {
        (StatusCode::OK, Some(document)) => Ok(Some(document)),
        (StatusCode::OK, None) => Err(Fault::nonsense(url, "no JSON object")),
        (status, _) if status.is_client_error() => Ok(None),
        (status, _) => Err(Fault::nonsense(url, format!("HTTP status {status}"))),
    }
}

/// Asks with the client's name and secret.
pub(super) async fn post(
    http: &Http,
    url: &Url,
    client: &OAuth,
    secret_in_form: bool,
    form: &[(&str, &str)],
) -> Result<Result<Map<String, Value>, Refusal>, Fault> {
    check(url)?;
    let mut request = Request::new(Method::POST, url.clone());
    let mut form = form.to_vec();
    let secret = client.client_secret.as_ref().map(credentials::Secret::reveal);
    match secret {
        Some(secret) if !secret_in_form => {
            let value = basic(&client.client_id, secret)
                .ok_or_else(|| Fault::System("the client's secret fits no header".into()))?;
            request.headers.insert(header::AUTHORIZATION, value);
        }
        Some(secret) => {
            form.extend([("client_id", &*client.client_id), ("client_secret", secret)]);
        }
        None => form.push(("client_id", &client.client_id)),
    }
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(header::CONTENT_TYPE, form_type);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.body = Serializer::new(String::new()).extend_pairs(form).finish().into();
    let (status, answer) = exchange(http, url, request).await?;
    let text = |name| answer.as_ref()?.get(name)?.as_str().map(str::to_owned);
    if let (StatusCode::OK, Some(answer)) = (status, &answer)
        // Some servers refuse with a success.
        && !answer.contains_key("error")
    {
        return Ok(Ok(answer.clone()));
    }
    match text("error") {
        Some(code) => Ok(Err(Refusal { code, description: text("error_description") })),
        None => Err(Fault::nonsense(url, format!("HTTP status {status}"))),
    }
}

/// The client's name and secret, each encoded as in a form (RFC 6749 2.3.1).
fn basic(id: &str, secret: &str) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = BASE64_STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    credentials::authorization("Basic", &pair)
}

async fn exchange(
    http: &Http,
    url: &Url,
    mut request: Request,
) -> Result<(StatusCode, Option<Map<String, Value>>), Fault> {
    request.limits = LIMITS;
    let failed = |reason| Fault::net(url, reason);
    let response = http.send(request).await.map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    Ok((status, serde_json::from_slice(&body).ok()))
}

/// A text that nobody guesses.
pub(super) fn random() -> Result<String, Fault> {
    let mut bytes = [0; 32];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Fault::System("no random numbers".into()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
