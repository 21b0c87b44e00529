//! The device flow (RFC 8628): the person's browser is elsewhere, and has a code to be typed in.

use std::time::Duration;

use legation_net::Http;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::metadata::Server;
use super::session::{Session, Tokens};
use super::{Fault, Visit, ask};
use crate::credentials::needs::plain;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Between two questions, unless the server says otherwise, and what it adds when it is asked too
/// often.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest life of a code that is waited for.
const LONGEST: Duration = Duration::from_secs(1800);

pub(super) async fn log_in(
    session: &Session,
    http: &Http,
    server: &Server,
    visit: &(dyn Fn(Visit<'_>) + Send + Sync),
) -> Result<Tokens, Fault> {
    let url = session.needed(&server.endpoints.device, "device")?;
    let (client, in_form) = (session.client(), server.secret_in_form);
    let mut form = session.about();
    if client.client_secret.is_some() && !in_form {
        form.push(("client_id", &client.client_id));
    }
    let answer = ask::post(http, url, client, in_form, &form).await?;
    let answer = answer.map_err(|refusal| refusal.into_fault(url))?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let seconds = |name: &str| answer.get(name).and_then(Value::as_u64).map(Duration::from_secs);
    let (Some(device), Some(code)) = (text("device_code"), text("user_code")) else {
        return Err(Fault::nonsense(url, "no code"));
    };
    let complete = text("verification_uri_complete").and_then(|text| Url::parse(text).ok());
    let place = text("verification_uri").and_then(|text| Url::parse(text).ok());
    let Some(place) = complete.or(place).filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        return Err(Fault::nonsense(url, "no address to go to"));
    };
    let code = plain(code);
    visit(Visit { url: &place, code: Some(&code) });
    let life = seconds("expires_in").unwrap_or(LONGEST).min(LONGEST);
    let end = Instant::now() + life;
    let mut pause = seconds("interval").unwrap_or(PAUSE);
    loop {
        if Instant::now() + pause > end {
            return Err(Fault::Late(life));
        }
        tokio::time::sleep(pause).await;
        let form = [("grant_type", GRANT), ("device_code", device)];
        match session.issued(http, server, &form).await {
            Ok(Ok(tokens)) => return Ok(tokens),
            Ok(Err(refusal)) => match refusal.code.as_str() {
                "authorization_pending" => {}
                "slow_down" => pause += PAUSE,
                _ => return Err(refusal.into_fault(&server.endpoints.token)),
            },
            // A connection that fails is tried again (RFC 8628 3.5), a little later.
            Err(Fault::Net { .. }) => pause = pause.saturating_mul(2).max(Duration::from_secs(1)),
            Err(fault) => return Err(fault),
        }
    }
}
