//! Errors as the bindings write and read them (Spec 9.5, 11.6).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use legation_model::{A2aError, ErrorKind, FieldViolation};
use serde::de::IgnoredAny;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::error::{ErrorProfile, Grpc, Row, TABLE, row_of};
use crate::grpc;
use crate::percent;
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

impl GrpcStatus {
    /// Reads the trailers of a call, the text percent-encoded and the details in base64; `None` when
    /// the code is no number.
    pub fn read(code: &str, message: Option<&str>, details: Option<&[u8]>) -> Option<Self> {
        let message = message.unwrap_or_default();
        let message = percent::decode(message).map_or_else(|| message.to_owned(), Cow::into_owned);
        let details = details.and_then(|details| BASE64.decode(details.trim_ascii()).ok());
        Some(Self { code: code.parse().ok()?, message, details: details.unwrap_or_default() })
    }
}

/// With padding or without, as gRPC has it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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

/// Reads the `error` member of a JSON-RPC response in a version.
///
/// Whatever it is, it becomes an error: a code that is not known is an internal one.
pub fn read_rpc(version: Version, json: &str) -> A2aError {
    let Some(value) = tree(json) else {
        return A2aError::new(ErrorKind::Internal, excerpt(json));
    };
    let read = Read::of(&value);
    let kind = read.kind(version, None).unwrap_or(ErrorKind::Internal);
    read.into_error(version, kind)
}

/// Reads an answer of HTTP that is no success, in any of the forms that agents of a version, their
/// frameworks and the proxies before them have for it; `None` when it is none of them and its status
/// says nothing either.
///
/// The reason decides, then the name of the error or before 1.0 the text that SDKs have for it, then the status where it is one of HTTP's own,
/// then the code, and the status at last (Spec 5.4).
pub fn read_rest(version: Version, status: u16, body: &str) -> Option<A2aError> {
    let value = tree(body).unwrap_or_default();
    let read = Read::of(&value);
    let kind = read.kind(version, Some(status))?;
    let mut error = read.into_error(version, kind);
    if error.message == UNSAID {
        let text = excerpt(body);
        let is_text = !text.trim().is_empty() && !text.trim_start().starts_with(['<', '{']);
        let text = if is_text { format!(": {}", text.trim()) } else { String::new() };
        error.message = format!("HTTP status {status}{text}");
    }
    Some(error)
}

/// Whether the body of an answer with a good status is an error all the same.
pub fn is_error(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Failed {
        error: Option<IgnoredAny>,
    }
    serde_json::from_str::<Failed>(body).is_ok_and(|failed| failed.error.is_some())
}

/// Reads the end of a gRPC call that failed in a version; the code counts when nothing else says more.
pub fn read_grpc(version: Version, status: &GrpcStatus) -> A2aError {
    let by_code = BY_GRPC.iter().find(|(known, _)| known.number() == status.code);
    let by_code = by_code.map_or(ErrorKind::Internal, |(_, kind)| *kind);
    let details = grpc::read_status(&status.details).filter(|_| !status.details.is_empty());
    let value = details.and_then(|json| serde_json::from_str(&json).ok());
    // Its code is gRPC's, which was looked at.
    let value: Value = value.unwrap_or_else(|| json!({"message": excerpt(&status.message)}));
    let read = Read { code: None, ..Read::of(&value) };
    let kind = read.kind(version, None).unwrap_or(by_code);
    read.into_error(version, kind)
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

/// What a status says that belongs to one error only, or that proxies answer by themselves.
const BY_OWN_STATUS: [(u16, ErrorKind); 9] = [
    (401, ErrorKind::Unauthenticated),
    (403, ErrorKind::PermissionDenied),
    (405, ErrorKind::MethodNotAllowed),
    (413, ErrorKind::TooLarge),
    (429, ErrorKind::RateLimited),
    (502, ErrorKind::Unavailable),
    (503, ErrorKind::Unavailable),
    (504, ErrorKind::DeadlineExceeded),
    (507, ErrorKind::StorageFull),
];

/// What a status says when nothing else does.
const BY_STATUS: [(u16, ErrorKind); 6] = [
    (400, ErrorKind::InvalidRequest),
    // Without a body that says so it is the path that is unknown, not a task.
    (404, ErrorKind::MethodNotFound),
    (409, ErrorKind::TaskNotCancelable),
    (415, ErrorKind::ContentTypeNotSupported),
    (422, ErrorKind::InvalidParams),
    (501, ErrorKind::UnsupportedOperation),
];

/// What the official SDKs say before 1.0, which is all that some of their answers hold: REST of Python has
/// no code, and the codes of gRPC are shared. Names may follow behind a colon.
const BY_TEXT: [(&str, ErrorKind); 8] = [
    ("Task not found", ErrorKind::TaskNotFound),
    ("Task cannot be canceled", ErrorKind::TaskNotCancelable),
    ("Task not cancelable", ErrorKind::TaskNotCancelable),
    ("Push Notification is not supported", ErrorKind::PushNotificationNotSupported),
    ("This operation is not supported", ErrorKind::UnsupportedOperation),
    ("Unsupported operation", ErrorKind::UnsupportedOperation),
    ("Incompatible content types", ErrorKind::ContentTypeNotSupported),
    ("Invalid agent response", ErrorKind::InvalidAgentResponse),
];

fn of_status(table: &[(u16, ErrorKind)], status: u16) -> Option<ErrorKind> {
    table.iter().find(|(known, _)| *known == status).map(|(_, kind)| *kind)
}

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

/// An error of any binding, version and framework, as leniently as it can be read.
struct Read<'v> {
    code: Option<i64>,
    /// The name of its class, which the REST binding had before 1.0.
    class: Option<&'v str>,
    message: &'v str,
    details: Vec<Detailed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detailed {
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

/// Stands where an error has no text.
const UNSAID: &str = "no reason given";

impl<'v> Read<'v> {
    /// Reads what stands under `error`, or beside it where that is a mere name, or in the place of
    /// both: a problem (RFC 9457), a message, or what a framework makes of an exception.
    fn of(value: &'v Value) -> Self {
        let error = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let named = value.get("error").and_then(Value::as_str);
        let texts = ["message", "detail", "error_description", "title"];
        let message = texts.into_iter().find_map(text).or(named).filter(|text| !text.is_empty());
        // JSON-RPC lets `data` be anything.
        let details = error.get("data").or(error.get("details")).and_then(Value::as_array);
        let details = details.into_iter().flatten();
        Self {
            code: error.get("code").and_then(Value::as_i64),
            class: named.or(text("name")),
            message: message.unwrap_or(UNSAID),
            details: details.filter_map(|detail| Detailed::deserialize(detail).ok()).collect(),
        }
    }

    fn kind(&self, version: Version, status: Option<u16>) -> Option<ErrorKind> {
        // The reason is finer than the codes: several kinds share one.
        let of_reason = |reason: &str| TABLE.iter().find(|row| row.reason == reason);
        let by_reason = self.details.iter().find_map(|detail| of_reason(detail.reason.as_deref()?));
        let by_class = || {
            let before_colon = self.message.split_once(':').map(|(class, _)| class);
            let classes = self.class.into_iter().chain(before_colon);
            classes.into_iter().find_map(|class| TABLE.iter().find(|row| row.class == class))
        };
        let by_text = || {
            let text = self.message.split(':').next().filter(|_| version != Version::V1_0)?;
            BY_TEXT.iter().find(|(known, _)| *known == text).map(|(_, kind)| *kind)
        };
        by_reason
            .or_else(by_class)
            .map(|row| row.kind)
            .or_else(by_text)
            .or_else(|| of_status(&BY_OWN_STATUS, status?))
            .or_else(|| of_code(version, self.code?))
            .or_else(|| of_status(&BY_STATUS, status?))
            .or_else(|| status.filter(|status| *status >= 500).map(|_| ErrorKind::Internal))
            .or_else(|| self.code.filter(|code| *code < 0).map(|_| ErrorKind::Internal))
    }

    fn into_error(self, version: Version, kind: ErrorKind) -> A2aError {
        // Before 1.0 gRPC says the name of the error in its text.
        let prefix = format!("{}: ", row_of(kind).class);
        let plain = self.message.strip_prefix(&*prefix).filter(|_| version != Version::V1_0);
        let mut error = A2aError::new(kind, plain.unwrap_or(self.message));
        for detail in self.details {
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

/// The meaning of a code in a version. Several kinds share the codes of JSON-RPC itself; without a
/// reason they mean what JSON-RPC says.
fn of_code(version: Version, code: i64) -> Option<ErrorKind> {
    let known = |row: &&Row| i64::from(row.code_in(version)) == code;
    let plain = TABLE.iter().find(|row| known(row) && row.http_of_rpc() == 200);
    match (version, code) {
        (_, -32600) => Some(ErrorKind::InvalidRequest),
        (_, -32603) => Some(ErrorKind::Internal),
        // The second one says there that streams are not supported.
        (Version::V0_1, -32004 | -32006) => Some(ErrorKind::UnsupportedOperation),
        _ => plain.or_else(|| TABLE.iter().find(known)).map(|row| row.kind),
    }
}

fn read_delay(text: String) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// An error as a tree, unless it is so large that only somebody who means harm would send it: a tree
/// of small values takes thirty times the room of its text.
fn tree(text: &str) -> Option<Value> {
    const MAX_BYTES: usize = 1 << 20;
    (text.len() <= MAX_BYTES).then(|| serde_json::from_str(text).ok())?
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
            read_grpc(Version::V1_0, &GrpcStatus { code, message, details })
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
                assert_eq!(read_rpc(version, &write_rpc(&error, version)), error);
                for profile in [ErrorProfile::V1_0_0, ErrorProfile::V1_0_1] {
                    let written = write_rest(&error, version, profile);
                    let status = row.http_in(version, profile);
                    assert_eq!(read_rest(version, status, &written), Some(error.clone()));
                    let written = write_grpc(&error, version, profile);
                    assert_eq!(read_grpc(version, &written), error);
                }
            }
        }
    }

    #[test]
    fn a_code_means_what_its_version_says() {
        use ErrorKind as E;
        use Version::{V0_1, V0_3, V1_0};
        let cases = [
            (V1_0, -32001, E::TaskNotFound),
            (V1_0, -32008, E::ExtensionSupportRequired),
            (V1_0, -32009, E::VersionNotSupported),
            (V0_3, -32004, E::UnsupportedOperation),
            (V0_3, -32007, E::ExtendedAgentCardNotConfigured),
            (V0_1, -32004, E::UnsupportedOperation),
            (V0_1, -32006, E::UnsupportedOperation),
            (V0_1, -32007, E::Unauthenticated),
            (V0_1, -32009, E::UnsupportedOperation),
            (V0_1, -32010, E::RateLimited),
            (V0_1, -32011, E::Unavailable),
            (V0_3, -32602, E::InvalidParams),
            (V0_3, -32600, E::InvalidRequest),
            (V0_3, -32000, E::Internal),
            (V0_3, 7, E::Internal),
        ];
        for (version, code, expected) in cases {
            let json = format!(r#"{{"code":{code},"message":"x"}}"#);
            assert_eq!(read_rpc(version, &json).kind, expected, "{version:?} {code}");
        }
    }

    #[test]
    fn what_others_write_is_read_as_far_as_it_goes() {
        use ErrorKind::*;
        let rpc = [
            (r#"{"code":-32001,"message":"x","data":{"free":1}}"#, TaskNotFound),
            (r#"{"code":-32001,"message":"x","data":[5,{"reason":1}]}"#, TaskNotFound),
            (r#"{"code":-32603,"message":"m","data":"text"}"#, Internal),
            (r#"{"code":-32603,"data":[{"reason":"UNAVAILABLE"}]}"#, Unavailable),
            ("<html>", Internal),
            ("[]", Internal),
        ];
        for (json, kind) in rpc {
            assert_eq!(read_rpc(Version::V1_0, json).kind, kind, "{json}");
        }
        let rest = [
            (200, r#"{"error":{"code":-32001,"message":"m"}}"#, "TaskNotFound: m"),
            (503, r#"{"error":{"code":-32603,"message":"m"}}"#, "Unavailable: m"),
            (
                404,
                r#"{"error":{"details":[{"reason":"TASK_NOT_FOUND"}]}}"#,
                "TaskNotFound: HTTP status 404",
            ),
            (
                404,
                r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#,
                "MethodNotFound: HTTP status 404",
            ),
            (
                400,
                r#"{"error":{"code":400,"details":[{"reason":"NEW"}]}}"#,
                "InvalidRequest: HTTP status 400",
            ),
            // Older servers, by name, by code and by status.
            (
                404,
                r#"{"error":"TaskNotFoundError","code":-32001,"message":"m"}"#,
                "TaskNotFound: m",
            ),
            (400, r#"{"code":-32002,"message":"m","data":null}"#, "TaskNotCancelable: m"),
            (501, r#"{"message":"m"}"#, "UnsupportedOperation: m"),
            (404, r#"{"message":"Task not found"}"#, "TaskNotFound: Task not found"),
            // Frameworks and proxies.
            (
                409,
                r#"{"type":"about:blank","title":"Conflict","detail":"d"}"#,
                "TaskNotCancelable: d",
            ),
            (422, r#"{"detail":[{"loc":["body"],"msg":"m"}]}"#, "InvalidParams: HTTP status 422"),
            (
                401,
                r#"{"error":"invalid_token","error_description":"expired"}"#,
                "Unauthenticated: expired",
            ),
            (403, "<html>", "PermissionDenied: HTTP status 403"),
            (404, "no such page", "MethodNotFound: HTTP status 404: no such page"),
            (429, "", "RateLimited: HTTP status 429"),
            (502, "<html>", "Unavailable: HTTP status 502"),
            (500, r#"{"message":"0.3"}"#, "Internal: 0.3"),
            (307, "", "none"),
            (200, "{}", "none"),
        ];
        for (status, body, expected) in rest {
            let got = read_rest(Version::V0_3, status, body);
            let got = got.map(|error| format!("{:?}: {}", error.kind, error.message));
            assert_eq!(got.as_deref().unwrap_or("none"), expected, "{status} {body}");
        }
        let grpc = [
            (12, "TaskNotCancelableError: m", TaskNotCancelable, "m"),
            (12, "m", MethodNotFound, "m"),
            (9, "Task not cancelable: t", TaskNotCancelable, "Task not cancelable: t"),
        ];
        for (code, message, kind, text) in grpc {
            let status = GrpcStatus { code, message: message.into(), details: Vec::new() };
            let error = read_grpc(Version::V0_3, &status);
            assert_eq!((error.kind, &*error.message), (kind, text));
        }
    }
}
