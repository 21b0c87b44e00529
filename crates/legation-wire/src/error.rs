//! What each error is called on each binding: one table (Spec 5.4).

use legation_model::ErrorKind;

use crate::version::Version;

/// Which edition of the error table is spoken. JSON-RPC codes are the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorProfile {
    /// The statuses of 1.0.1.
    #[default]
    V1_0_1,
    /// The statuses of 1.0.0, which its compatibility kit asserts.
    V1_0_0,
}

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are gRPC's")]
#[repr(u8)]
pub enum Grpc {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Grpc {
    /// The name that the REST body carries as `status`.
    pub const fn name(self) -> &'static str {
        match self {
            InvalidArgument => "INVALID_ARGUMENT",
            DeadlineExceeded => "DEADLINE_EXCEEDED",
            NotFound => "NOT_FOUND",
            PermissionDenied => "PERMISSION_DENIED",
            ResourceExhausted => "RESOURCE_EXHAUSTED",
            FailedPrecondition => "FAILED_PRECONDITION",
            Unimplemented => "UNIMPLEMENTED",
            Internal => "INTERNAL",
            Unavailable => "UNAVAILABLE",
            Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// An error on each binding.
#[derive(Debug)]
pub struct Row {
    /// The meaning.
    pub kind: ErrorKind,
    /// The JSON-RPC code.
    pub code: i32,
    grpc: Grpc,
    http: u16,
    /// `ErrorInfo.reason`.
    pub reason: &'static str,
    /// The name of the error's class before 1.0, by which 0.3 clients know a REST error.
    pub class: &'static str,
    /// The HTTP status of the REST binding before 1.0. No text of 0.3 has any: these are the ones
    /// that its clients were made against.
    older_http: u16,
    /// The statuses of 1.0.0, where they are others.
    earlier: Option<(Grpc, u16)>,
}

impl Row {
    /// The gRPC status whose name the REST binding says.
    pub const fn grpc(&self, profile: ErrorProfile) -> Grpc {
        match (profile, self.earlier) {
            (ErrorProfile::V1_0_0, Some((grpc, _))) => grpc,
            (ErrorProfile::V1_0_0, None) | (ErrorProfile::V1_0_1, _) => self.grpc,
        }
    }

    /// The gRPC status of the gRPC binding in a version. No text of 0.3 has any: there they are the
    /// ones that its clients were made against.
    pub const fn grpc_in(&self, version: Version, profile: ErrorProfile) -> Grpc {
        match (version, self.kind) {
            // What is not found there is a path of the REST binding.
            (_, E::MethodNotFound) => Unimplemented,
            (
                Version::V0_3 | Version::V0_2 | Version::V0_1,
                E::TaskNotCancelable
                | E::PushNotificationNotSupported
                | E::UnsupportedOperation
                | E::ContentTypeNotSupported
                | E::ExtendedAgentCardNotConfigured
                | E::ExtensionSupportRequired
                | E::VersionNotSupported,
            ) => Unimplemented,
            _ => self.grpc(profile),
        }
    }

    /// The JSON-RPC code in a version.
    pub const fn code_in(&self, version: Version) -> i32 {
        match (version, self.kind) {
            // Neither had a code; this one says as much.
            (
                Version::V0_3 | Version::V0_2,
                E::ExtensionSupportRequired | E::VersionNotSupported,
            ) => -32004,
            // What is not supported there is a message to a task that has ended.
            (Version::V0_1, E::UnsupportedOperation) => -32009,
            (Version::V0_1, E::Unauthenticated) => -32007,
            (Version::V0_1, E::PermissionDenied) => -32008,
            (Version::V0_1, E::RateLimited) => -32010,
            (Version::V0_1, E::Unavailable | E::StorageFull) => -32011,
            (
                Version::V0_1,
                E::ExtensionSupportRequired
                | E::VersionNotSupported
                | E::ExtendedAgentCardNotConfigured,
            ) => -32004,
            // The code that it has later says there that streams are not supported.
            (Version::V0_1, E::InvalidAgentResponse) => -32603,
            _ => self.code,
        }
    }

    /// The HTTP status of the REST binding in a version.
    pub const fn http_in(&self, version: Version, profile: ErrorProfile) -> u16 {
        match version {
            Version::V1_0 => self.http(profile),
            Version::V0_3 | Version::V0_2 | Version::V0_1 => self.older_http,
        }
    }

    /// The HTTP status of the REST binding of 1.0.
    pub const fn http(&self, profile: ErrorProfile) -> u16 {
        match (profile, self.earlier) {
            (ErrorProfile::V1_0_0, Some((_, http))) => http,
            (ErrorProfile::V1_0_0, None) | (ErrorProfile::V1_0_1, _) => self.http,
        }
    }

    /// The HTTP status of the JSON-RPC binding: 200, unless the fault is one of HTTP's own, which
    /// proxies and retrying clients have to see (protocol errors stay inside the envelope).
    pub const fn http_of_rpc(&self) -> u16 {
        match self.http {
            401 | 403 | 405 | 413 | 429 | 503 | 504 | 507 => self.http,
            _ => 200,
        }
    }
}

const fn row(
    kind: ErrorKind,
    code: i32,
    grpc: Grpc,
    http: u16,
    reason: &'static str,
    (class, older_http): (&'static str, u16),
) -> Row {
    Row { kind, code, grpc, http, reason, class, older_http, earlier: None }
}

/// A row whose statuses were others in 1.0.0.
const fn was(row: Row, grpc: Grpc, http: u16) -> Row {
    Row { earlier: Some((grpc, http)), ..row }
}

use ErrorKind as E;
use Grpc::*;

/// Every error. Those below the protocol's own have no code in 1.0 beyond JSON-RPC's five, so
/// their reason tells them apart.
#[rustfmt::skip]
pub const TABLE: [Row; 22] = [
        row(E::TaskNotFound,                   -32001, NotFound,           404, "TASK_NOT_FOUND", ("TaskNotFoundError", 404)),
    was(row(E::TaskNotCancelable,              -32002, FailedPrecondition, 400, "TASK_NOT_CANCELABLE", ("TaskNotCancelableError", 409)), FailedPrecondition, 409),
    was(row(E::PushNotificationNotSupported,   -32003, FailedPrecondition, 400, "PUSH_NOTIFICATION_NOT_SUPPORTED", ("PushNotificationNotSupportedError", 501)), Unimplemented, 400),
    was(row(E::UnsupportedOperation,           -32004, FailedPrecondition, 400, "UNSUPPORTED_OPERATION", ("UnsupportedOperationError", 501)), Unimplemented, 400),
    was(row(E::ContentTypeNotSupported,        -32005, InvalidArgument,    400, "CONTENT_TYPE_NOT_SUPPORTED", ("ContentTypeNotSupportedError", 415)), InvalidArgument, 415),
    was(row(E::InvalidAgentResponse,           -32006, Internal,           500, "INVALID_AGENT_RESPONSE", ("InvalidAgentResponseError", 502)), Internal, 502),
        row(E::ExtendedAgentCardNotConfigured, -32007, FailedPrecondition, 400, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", ("AuthenticatedExtendedCardNotConfiguredError", 404)),
        row(E::ExtensionSupportRequired,       -32008, FailedPrecondition, 400, "EXTENSION_SUPPORT_REQUIRED", ("UnsupportedExtensionError", 501)),
    was(row(E::VersionNotSupported,            -32009, FailedPrecondition, 400, "VERSION_NOT_SUPPORTED", ("UnsupportedOperationError", 501)), Unimplemented, 400),
        row(E::Parse,                          -32700, InvalidArgument,    400, "PARSE_ERROR", ("JSONParseError", 400)),
        row(E::InvalidRequest,                 -32600, InvalidArgument,    400, "INVALID_REQUEST", ("InvalidRequestError", 400)),
        row(E::MethodNotFound,                 -32601, NotFound,           404, "METHOD_NOT_FOUND", ("MethodNotFoundError", 404)),
        row(E::MethodNotAllowed,               -32601, Unimplemented,      405, "METHOD_NOT_ALLOWED", ("MethodNotFoundError", 405)),
        row(E::InvalidParams,                  -32602, InvalidArgument,    400, "INVALID_PARAMS", ("InvalidParamsError", 422)),
        row(E::TooLarge,                       -32600, ResourceExhausted,  413, "TOO_LARGE", ("InvalidRequestError", 413)),
        row(E::Unauthenticated,                -32600, Unauthenticated,    401, "UNAUTHENTICATED", ("AuthenticationError", 401)),
        row(E::PermissionDenied,               -32600, PermissionDenied,   403, "PERMISSION_DENIED", ("AuthorizationError", 403)),
        row(E::RateLimited,                    -32603, ResourceExhausted,  429, "RATE_LIMITED", ("RateLimitError", 429)),
        row(E::Unavailable,                    -32603, Unavailable,        503, "UNAVAILABLE", ("InternalError", 503)),
        row(E::StorageFull,                    -32603, ResourceExhausted,  507, "STORAGE_FULL", ("InternalError", 507)),
        row(E::DeadlineExceeded,               -32603, DeadlineExceeded,   504, "DEADLINE_EXCEEDED", ("InternalError", 504)),
        row(E::Internal,                       -32603, Internal,           500, "INTERNAL_ERROR", ("InternalError", 500)),
];

// The table is indexed by the kind.
const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].kind as usize == index, "a row is out of order");
        index += 1;
    }
};

/// How the bindings name an error of this kind.
pub const fn row_of(kind: ErrorKind) -> &'static Row {
    const ROWS: &[Row; 22] = &TABLE;
    &ROWS[kind as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_editions_differ_in_these_cells() {
        let differing = TABLE.iter().filter(|row| row.earlier.is_some()).map(|row| {
            let [new, old] = [ErrorProfile::V1_0_1, ErrorProfile::V1_0_0]
                .map(|profile| (row.grpc(profile).number(), row.http(profile)));
            (row.code, new, old)
        });
        let expected = [
            (-32002, (9, 400), (9, 409)),
            (-32003, (9, 400), (12, 400)),
            (-32004, (9, 400), (12, 400)),
            (-32005, (3, 400), (3, 415)),
            (-32006, (13, 500), (13, 502)),
            (-32009, (9, 400), (12, 400)),
        ];
        assert!(differing.eq(expected));
    }

    #[test]
    fn reasons_are_unique() {
        let reasons: std::collections::HashSet<_> = TABLE.iter().map(|row| row.reason).collect();
        assert_eq!(reasons.len(), TABLE.len());
    }
}
