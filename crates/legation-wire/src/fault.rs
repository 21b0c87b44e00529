//! Errors as the bindings write and read them (Spec 9.5, 11.6).

use std::collections::BTreeMap;
use std::time::Duration;

use legation_model::{A2aError, ErrorKind, FieldViolation};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{ErrorProfile, Grpc, Row, TABLE, row_of};
use crate::grpc;
use crate::version::Version;

const DOMAIN: &str = "a2a-protocol.org";

/// The facts for programs that travel in `ErrorInfo.metadata`; a reader passes over others.
const FACTS: [&str; 4] = ["taskId", "contextId", "supportedVersions", "uri"];

/// Writes the `error` member of a JSON-RPC response in a version.
///
/// Before 1.0 `data` may be anything, so it is what it is in 1.0.
pub fn write_rpc(error: &A2aError, version: Version) -> String {
    let code = row_of(error.kind).code_in(version);
    to_json(&RpcError { code, message: &error.message, data: details(error) })
}

/// Writes the body of a REST error response in a version.
pub fn write_rest(error: &A2aError, version: Version, profile: ErrorProfile) -> String {
    let (row, message, details) = (row_of(error.kind), &*error.message, details(error));
    match version {
        Version::V1_0 => {
            let (code, status) = (row.http(profile), row.grpc(profile).name());
            to_json(&RestBody { error: RestError { code, status, message, details } })
        }
        Version::V0_3 | Version::V0_2 | Version::V0_1 => {
            let code = row.code_in(version);
            to_json(&OlderRestBody { error: row.class, code, message, data: details })
        }
    }
}

/// What a gRPC call ends with when it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    /// The value of `grpc-status`.
    pub code: u8,
    /// The value of `grpc-message`, not yet percent-encoded.
    pub message: String,
    /// The value of `grpc-status-details-bin`, not yet base64: a `google.rpc.Status`.
    pub details: Vec<u8>,
}

/// Writes an error as the end of a gRPC call in a version.
///
/// Clients of 0.3 know an error by the name of its class at the beginning of the text.
pub fn write_grpc(error: &A2aError, version: Version, profile: ErrorProfile) -> GrpcStatus {
    let row = row_of(error.kind);
    let code = row.grpc_in(version, profile).number();
    let message = match version {
        Version::V1_0 => error.message.clone(),
        Version::V0_3 | Version::V0_2 | Version::V0_1 => {
            format!("{}: {}", row.class, error.message)
        }
    };
    // Its schema has no `status`, which is left out.
    let status = RestError {
        code: code.into(),
        status: row.grpc(profile).name(),
        message: &message,
        details: details(error),
    };
    let details = grpc::write_status(&to_json(&status));
    GrpcStatus { code, message, details }
}

/// Reads the `error` member of a JSON-RPC response.
///
/// Whatever it is, it becomes an error: a code that is not known is an internal one.
pub fn read_rpc(json: &str) -> A2aError {
    let Ok(read) = serde_json::from_str::<Read>(json) else { return unreadable(json) };
    // Several kinds share a code; without a reason it means the one that has no HTTP status.
    let plain = |row: &&Row| Some(i64::from(row.code)) == read.code && row.http_of_rpc() == 200;
    let kind = TABLE.iter().find(plain).map(|row| row.kind);
    read.into_error(kind)
}

/// Reads the body of a REST error response; the status counts when the body says nothing.
pub fn read_rest(status: u16, body: &str) -> A2aError {
    #[derive(Deserialize)]
    struct Body {
        error: Read,
    }
    let kind = BY_STATUS.iter().find(|(known, _)| *known == status).map(|(_, kind)| *kind);
    match serde_json::from_str::<Body>(body) {
        Ok(Body { error }) => error.into_error(kind),
        Err(_) => A2aError::new(kind.unwrap_or(ErrorKind::Internal), excerpt(body)),
    }
}

/// Reads the end of a gRPC call that failed; the code counts when the details say nothing.
pub fn read_grpc(status: &GrpcStatus) -> A2aError {
    let kind = BY_GRPC.iter().find(|(known, _)| known.number() == status.code);
    let kind = kind.map(|(_, kind)| *kind);
    let details = grpc::read_status(&status.details).filter(|_| !status.details.is_empty());
    match details.and_then(|json| serde_json::from_str::<Read>(&json).ok()) {
        Some(read) => read.into_error(kind),
        None => A2aError::new(kind.unwrap_or(ErrorKind::Internal), excerpt(&status.message)),
    }
}

/// What a gRPC code means by itself.
const BY_GRPC: [(Grpc, ErrorKind); 9] = [
    (Grpc::InvalidArgument, ErrorKind::InvalidParams),
    (Grpc::DeadlineExceeded, ErrorKind::DeadlineExceeded),
    (Grpc::NotFound, ErrorKind::TaskNotFound),
    (Grpc::PermissionDenied, ErrorKind::PermissionDenied),
    (Grpc::ResourceExhausted, ErrorKind::RateLimited),
    (Grpc::FailedPrecondition, ErrorKind::UnsupportedOperation),
    (Grpc::Unimplemented, ErrorKind::MethodNotFound),
    (Grpc::Unavailable, ErrorKind::Unavailable),
    (Grpc::Unauthenticated, ErrorKind::Unauthenticated),
];

/// What a status means by itself, whoever sends it, a proxy included.
const BY_STATUS: [(u16, ErrorKind); 10] = [
    (400, ErrorKind::InvalidRequest),
    (401, ErrorKind::Unauthenticated),
    (403, ErrorKind::PermissionDenied),
    (404, ErrorKind::MethodNotFound),
    (405, ErrorKind::MethodNotAllowed),
    (413, ErrorKind::TooLarge),
    (429, ErrorKind::RateLimited),
    (503, ErrorKind::Unavailable),
    (504, ErrorKind::DeadlineExceeded),
    (507, ErrorKind::StorageFull),
];

#[derive(Serialize)]
struct RpcError<'e> {
    code: i32,
    message: &'e str,
    data: Vec<Detail<'e>>,
}

#[derive(Serialize)]
struct RestBody<'e> {
    error: RestError<'e>,
}

/// The name for those clients that look for one, the code for those that look for that.
#[derive(Serialize)]
struct OlderRestBody<'e> {
    error: &'static str,
    code: i32,
    message: &'e str,
    data: Vec<Detail<'e>>,
}

#[derive(Serialize)]
struct RestError<'e> {
    code: u16,
    status: &'static str,
    message: &'e str,
    details: Vec<Detail<'e>>,
}

/// A `google.rpc` detail as ProtoJSON `Any`.
#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'e> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo {
        reason: &'static str,
        domain: &'static str,
        #[serde(serialize_with = "as_map", skip_serializing_if = "<[_]>::is_empty")]
        metadata: &'e [(&'static str, String)],
    },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest", rename_all = "camelCase")]
    BadRequest { field_violations: Vec<Violation<'e>> },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo", rename_all = "camelCase")]
    RetryInfo { retry_delay: String },
}

#[derive(Serialize)]
struct Violation<'e> {
    field: &'e str,
    description: &'e str,
}

fn details<'e>(error: &'e A2aError) -> Vec<Detail<'e>> {
    let reason = row_of(error.kind).reason;
    let mut details = vec![Detail::ErrorInfo { reason, domain: DOMAIN, metadata: &error.metadata }];
    if !error.violations.is_empty() {
        let violation = |FieldViolation { field, description }: &'e FieldViolation| Violation {
            field,
            description,
        };
        let field_violations = error.violations.iter().map(violation).collect();
        details.push(Detail::BadRequest { field_violations });
    }
    if let Some(delay) = error.retry_after {
        details.push(Detail::RetryInfo { retry_delay: format!("{}s", delay.as_secs_f64()) });
    }
    details
}

fn as_map<S: Serializer>(
    facts: &&[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(facts.len()))?;
    for (key, value) in *facts {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON")
}

/// An error of either binding, as leniently as it can be read.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    message: String,
    #[serde(default, alias = "data", deserialize_with = "details_or_none")]
    details: Vec<ReadDetail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadDetail {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    field_violations: Vec<ReadViolation>,
    #[serde(default)]
    retry_delay: Option<String>,
}

#[derive(Deserialize)]
struct ReadViolation {
    #[serde(default)]
    field: String,
    #[serde(default)]
    description: String,
}

/// Reads details of a form that is not 1.0's as none: JSON-RPC lets `data` be anything.
fn details_or_none<'de, D>(deserializer: D) -> Result<Vec<ReadDetail>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let json = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
    let details: Vec<Box<serde_json::value::RawValue>> =
        serde_json::from_str(json.get()).unwrap_or_default();
    Ok(details.iter().filter_map(|detail| serde_json::from_str(detail.get()).ok()).collect())
}

impl Read {
    fn into_error(self, by_code: Option<ErrorKind>) -> A2aError {
        let mut error = A2aError::new(by_code.unwrap_or(ErrorKind::Internal), self.message);
        for detail in self.details {
            // The reason is finer than the codes: several kinds share one.
            let by_reason = TABLE.iter().find(|row| Some(row.reason) == detail.reason.as_deref());
            error.kind = by_reason.map_or(error.kind, |row| row.kind);
            for violation in detail.field_violations {
                let ReadViolation { field, description } = violation;
                error.violations.push(FieldViolation { field, description });
            }
            for fact in FACTS {
                error.metadata.extend(detail.metadata.get(fact).map(|value| (fact, value.clone())));
            }
            error.retry_after = detail.retry_delay.and_then(read_delay).or(error.retry_after);
        }
        error
    }
}

fn read_delay(text: String) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn unreadable(json: &str) -> A2aError {
    A2aError::new(ErrorKind::Internal, excerpt(json))
}

/// The beginning of a text that may be a proxy's page.
fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid() -> A2aError {
        A2aError::invalid("message.parts", "must hold at least one part").with("taskId", "t-1")
    }

    #[test]
    fn a_json_rpc_error_carries_its_details_as_data() {
        insta::assert_snapshot!(write_rpc(&invalid(), Version::V1_0), @r#"{"code":-32602,"message":"message.parts: must hold at least one part","data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_PARAMS","domain":"a2a-protocol.org","metadata":{"taskId":"t-1"}},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.parts","description":"must hold at least one part"}]}]}"#);
    }

    #[test]
    fn a_rest_error_is_a_status_with_details() {
        let error = A2aError::unavailable("busy", Duration::from_millis(1500));
        insta::assert_snapshot!(write_rest(&error, Version::V1_0, ErrorProfile::V1_0_1), @r#"{"error":{"code":503,"status":"UNAVAILABLE","message":"busy","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UNAVAILABLE","domain":"a2a-protocol.org"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}"#);
    }

    #[test]
    fn an_older_rest_error_has_the_name_and_the_code() {
        let error = A2aError::task_not_found("t");
        insta::assert_snapshot!(write_rest(&error, Version::V0_3, ErrorProfile::V1_0_1), @r#"{"error":"TaskNotFoundError","code":-32001,"message":"task `t` not found","data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org","metadata":{"taskId":"t"}}]}"#);
    }

    #[test]
    fn a_grpc_error_is_a_status_with_details() {
        let mut error = invalid();
        error.retry_after = Some(Duration::from_millis(1500));
        let status = write_grpc(&error, Version::V1_0, ErrorProfile::V1_0_1);
        let details = grpc::read_status(&status.details).expect("a status");
        insta::assert_snapshot!(details, @r#"{"code":3,"message":"message.parts: must hold at least one part","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_PARAMS","domain":"a2a-protocol.org","metadata":{"taskId":"t-1"}},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.parts","description":"must hold at least one part"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}"#);
    }

    #[test]
    fn grpc_codes_of_0_3_are_those_of_its_clients() {
        use ErrorKind as E;
        let cases = [
            (E::TaskNotFound, 5, 5, "TaskNotFoundError: x"),
            (E::TaskNotCancelable, 9, 12, "TaskNotCancelableError: x"),
            (E::PushNotificationNotSupported, 9, 12, "PushNotificationNotSupportedError: x"),
            (E::UnsupportedOperation, 9, 12, "UnsupportedOperationError: x"),
            (E::ContentTypeNotSupported, 3, 12, "ContentTypeNotSupportedError: x"),
            (E::MethodNotFound, 12, 12, "MethodNotFoundError: x"),
            (E::InvalidParams, 3, 3, "InvalidParamsError: x"),
            (E::Internal, 13, 13, "InternalError: x"),
        ];
        for (kind, new, old, text) in cases {
            let error = A2aError::new(kind, "x");
            let status = write_grpc(&error, Version::V1_0, ErrorProfile::V1_0_1);
            assert_eq!((status.code, &*status.message), (new, "x"), "{kind:?}");
            let status = write_grpc(&error, Version::V0_3, ErrorProfile::V1_0_1);
            assert_eq!((status.code, &*status.message), (old, text), "{kind:?}");
        }
    }

    #[test]
    fn a_grpc_error_of_others_is_read_by_its_code() {
        let read = |code, details: &[u8]| {
            let (message, details) = ("x".to_owned(), details.to_vec());
            read_grpc(&GrpcStatus { code, message, details })
        };
        assert_eq!(read(14, b"").kind, ErrorKind::Unavailable);
        assert_eq!(read(2, b"\xff").kind, ErrorKind::Internal);
        // A detail of a kind that nobody here knows: `a/b` with some bytes.
        assert_eq!(read(5, b"\x08\x05\x12\x01y\x1a\x08\x0a\x03a/b\x12\x01\x00").message, "y");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for row in &TABLE {
            let mut error = A2aError { kind: row.kind, ..invalid() };
            error.retry_after = Some(Duration::from_millis(2500));
            for version in Version::SERVED {
                assert_eq!(read_rpc(&write_rpc(&error, version)), error);
            }
            for profile in [ErrorProfile::V1_0_0, ErrorProfile::V1_0_1] {
                let written = write_rest(&error, Version::V1_0, profile);
                assert_eq!(read_rest(row.http(profile), &written), error);
                assert_eq!(read_grpc(&write_grpc(&error, Version::V1_0, profile)), error);
            }
        }
    }

    #[test]
    fn what_others_write_is_read_as_far_as_it_goes() {
        let rpc = [
            (r#"{"code":-32001,"message":"x"}"#, ErrorKind::TaskNotFound),
            (r#"{"code":-32001,"message":"x","data":{"free":1}}"#, ErrorKind::TaskNotFound),
            (r#"{"code":-32001,"message":"x","data":[5,{"reason":1}]}"#, ErrorKind::TaskNotFound),
            (r#"{"code":-32603,"message":"x"}"#, ErrorKind::Internal),
            (r#"{"code":-32600,"message":"x"}"#, ErrorKind::InvalidRequest),
            (r#"{"code":-1,"message":"x"}"#, ErrorKind::Internal),
            ("<html>", ErrorKind::Internal),
        ];
        for (json, kind) in rpc {
            assert_eq!(read_rpc(json).kind, kind, "{json}");
        }
        let rest = [
            (503, "<html>", ErrorKind::Unavailable),
            (429, "", ErrorKind::RateLimited),
            (404, "no such page", ErrorKind::MethodNotFound),
            (500, r#"{"error":{"status":"INTERNAL"}}"#, ErrorKind::Internal),
        ];
        for (status, body, kind) in rest {
            assert_eq!(read_rest(status, body).kind, kind, "{status} {body}");
        }
    }
}
