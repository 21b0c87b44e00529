//! The JSON-RPC binding: one address, the operation is the envelope's `method` (Spec 9).

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::{NoResult, Outgoing};
use crate::fault::{self, ErrorObject};

#[derive(Serialize)]
struct Call<'c, P> {
    jsonrpc: &'static str,
    // Each exchange has its own connection or stream, so the id has nothing to tell apart.
    id: u32,
    method: &'static str,
    params: &'c P,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<ErrorObject>,
}

pub(super) fn say(
    url: &Url,
    method: &'static str,
    params: &impl Serialize,
) -> Result<Outgoing, String> {
    let call = Call { jsonrpc: "2.0", id: 1, method, params };
    let body = serde_json::to_vec(&call).map_err(|fault| fault.to_string())?;
    let body = Some(("application/json", body.into()));
    Ok(Outgoing { method: Method::POST, url: url.clone(), body })
}

pub(super) fn result<T: DeserializeOwned>(body: &[u8]) -> Result<T, NoResult> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(NoResult::nonsense)?;
    match (answer.result, answer.error) {
        (Some(result), None) => serde_json::from_str(result.get()).map_err(NoResult::nonsense),
        (None, Some(error)) => Err(NoResult::Error(fault::of_object(error, None))),
        _ => Err(NoResult::Nonsense("needs exactly one of `result`, `error`".into())),
    }
}
