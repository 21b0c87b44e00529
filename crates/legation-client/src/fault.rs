//! Reads errors: the JSON-RPC error object, the REST error body, and what a bare status says.
//!
//! The reason decides, then the status where it is one of HTTP's own, then the code (Spec 5.4).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use legation_model::{A2aError, ErrorKind, FieldViolation};
use legation_wire::error::{ErrorProfile, TABLE};
use serde::Deserialize;

/// A JSON-RPC error object or the `error` of a REST body: they differ in where details stand.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorObject {
    code: Option<i64>,
    message: Option<String>,
    /// JSON-RPC. Of any form, because the agents of older versions put anything here.
    data: Option<serde_json::Value>,
    /// REST.
    details: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    reason: Option<String>,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    field_violations: Vec<Violation>,
}

#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    field: String,
    #[serde(default)]
    description: String,
}

/// A body that carries an error in either binding's form.
#[derive(Deserialize)]
struct Body {
    error: ErrorObject,
}

/// The facts for programs that are kept; the model names them statically.
const FACTS: [&str; 3] = ["taskId", "contextId", "supportedVersions"];

/// The error of an answer whose status is not a success. `None` when neither its body nor its
/// status says anything.
pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<A2aError> {
    let mut error = match serde_json::from_slice::<Body>(body) {
        Ok(Body { error }) => of_object(error, Some(status)),
        Err(_) => A2aError::new(of_status(status)?, format!("HTTP status {status}")),
    };
    error.retry_after = retry_after(headers);
    Some(error)
}

/// The error that an object of either binding says.
pub(crate) fn of_object(object: ErrorObject, status: Option<StatusCode>) -> A2aError {
    let details = object.data.or(object.details).unwrap_or_default();
    let details = details.as_array().map(Vec::as_slice).unwrap_or_default();
    let details: Vec<Detail> =
        details.iter().filter_map(|detail| Detail::deserialize(detail).ok()).collect();
    let kind = details
        .iter()
        .find_map(|detail| of_reason(detail.reason.as_deref()?))
        .or_else(|| status.and_then(of_own_status))
        .or_else(|| of_code(object.code?))
        .or_else(|| status.and_then(of_status))
        .unwrap_or(ErrorKind::Internal);
    let mut error = A2aError::new(kind, object.message.unwrap_or_else(|| "no reason given".into()));
    for detail in details {
        error.violations.extend(detail.field_violations.into_iter().map(Violation::into_model));
        for fact in FACTS {
            if let Some(value) = detail.metadata.get(fact) {
                error = error.with(fact, value);
            }
        }
    }
    error
}

impl Violation {
    fn into_model(self) -> FieldViolation {
        FieldViolation { field: self.field, description: self.description }
    }
}

fn of_reason(reason: &str) -> Option<ErrorKind> {
    TABLE.iter().find(|row| row.reason == reason).map(|row| row.kind)
}

/// Several errors share the codes of JSON-RPC itself; without a reason they mean what JSON-RPC says.
fn of_code(code: i64) -> Option<ErrorKind> {
    match code {
        -32600 => Some(ErrorKind::InvalidRequest),
        -32603 => Some(ErrorKind::Internal),
        _ => TABLE.iter().find(|row| i64::from(row.code) == code).map(|row| row.kind),
    }
}

/// Statuses that belong to one error only, or that proxies answer by themselves.
fn of_own_status(status: StatusCode) -> Option<ErrorKind> {
    match status.as_u16() {
        502 => Some(ErrorKind::Unavailable),
        own @ (401 | 403 | 405 | 413 | 429 | 503 | 504 | 507) => {
            let row = TABLE.iter().find(|row| row.http(ErrorProfile::V1_0_1) == own);
            row.map(|row| row.kind)
        }
        _ => None,
    }
}

fn of_status(status: StatusCode) -> Option<ErrorKind> {
    of_own_status(status).or(match status.as_u16() {
        // Without a body that says so it is the path that is unknown, not a task.
        404 => Some(ErrorKind::MethodNotFound),
        409 => Some(ErrorKind::TaskNotCancelable),
        415 => Some(ErrorKind::ContentTypeNotSupported),
        400 | 422 => Some(ErrorKind::InvalidRequest),
        500.. => Some(ErrorKind::Internal),
        _ => None,
    })
}

/// In seconds; the other form, a date, is not used by servers of this protocol.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: Option<ErrorKind>) {
        let status = StatusCode::from_u16(status).expect("a status");
        let got = of_answer(status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(got.map(|error| error.kind), expected, "{status} {body}");
    }

    #[test]
    fn the_reason_decides_then_the_status_then_the_code() {
        use ErrorKind::*;
        let cases = [
            (200, r#"{"error":{"code":-32001,"message":"m"}}"#, Some(TaskNotFound)),
            (200, r#"{"error":{"code":-32603,"message":"m","data":"text"}}"#, Some(Internal)),
            (
                200,
                r#"{"error":{"code":-32603,"data":[{"reason":"UNAVAILABLE"}]}}"#,
                Some(Unavailable),
            ),
            (200, r#"{"error":{"code":-32600,"data":[{"@type":"x"}]}}"#, Some(InvalidRequest)),
            (200, r#"{"error":{"code":-32602,"data":[5,null]}}"#, Some(InvalidParams)),
            (503, r#"{"error":{"code":-32603,"message":"m"}}"#, Some(Unavailable)),
            (
                404,
                r#"{"error":{"code":404,"details":[{"reason":"TASK_NOT_FOUND"}]}}"#,
                Some(TaskNotFound),
            ),
            (404, r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#, Some(MethodNotFound)),
            (
                400,
                r#"{"error":{"code":400,"details":[{"reason":"NEW_ONE"}]}}"#,
                Some(InvalidRequest),
            ),
            (401, "", Some(Unauthenticated)),
            (403, "<html>", Some(PermissionDenied)),
            (429, "", Some(RateLimited)),
            (502, "<html>", Some(Unavailable)),
            (500, r#"{"message":"0.3"}"#, Some(Internal)),
            (307, "", None),
            (200, "{}", None),
        ];
        for (status, body, expected) in cases {
            check(status, body, expected);
        }
    }

    #[test]
    fn details_are_kept() {
        let body = r#"{"error":{"code":-32602,"message":"bad","data":[
            {"@type":"t","reason":"INVALID_PARAMS","domain":"d","metadata":{"taskId":"7","x":"y"}},
            {"@type":"t","fieldViolations":[{"field":"a.b","description":"is wrong"}]}]}}"#;
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, "3".parse().expect("a value"))]);
        let error = of_answer(StatusCode::OK, &headers, body.as_bytes()).expect("an error");
        assert_eq!(error.message, "bad");
        assert_eq!(error.violations[0].field, "a.b");
        assert_eq!(error.metadata, [("taskId", "7".to_owned())]);
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    }
}
