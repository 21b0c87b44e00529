//! The eleven operations and how each version and binding names them: a table for each version
//! (Spec 5.3).

use std::borrow::Cow;

use legation_model::{A2aError, Request};

use crate::grpc::Package;
use crate::percent;
use crate::version::Version;

/// An operation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the protocol's, and `Request` says what they do")]
pub enum Operation {
    SendMessage,
    SendStreamingMessage,
    GetTask,
    ListTasks,
    CancelTask,
    SubscribeToTask,
    CreateTaskPushNotificationConfig,
    GetTaskPushNotificationConfig,
    ListTaskPushNotificationConfigs,
    DeleteTaskPushNotificationConfig,
    GetExtendedAgentCard,
}

/// An HTTP method that the REST binding uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are HTTP's")]
pub enum Verb {
    Get,
    Post,
    Delete,
}

/// How the bindings name an operation.
#[derive(Debug)]
pub struct Row {
    /// The operation.
    pub operation: Operation,
    /// The JSON-RPC method; empty where there is none.
    pub method: &'static str,
    /// The gRPC method; empty where there is none.
    pub grpc: &'static str,
    /// The HTTP methods of the REST binding.
    pub verbs: &'static [Verb],
    /// The path of the REST binding, relative to the interface's URL; empty where there is none.
    pub path: &'static str,
    /// Whether the answer is a stream.
    pub streams: bool,
}

const fn row(
    operation: Operation,
    method: &'static str,
    grpc: &'static str,
    verbs: &'static [Verb],
    path: &'static str,
) -> Row {
    let streams = matches!(operation, SendStreamingMessage | SubscribeToTask);
    Row { operation, method, grpc, verbs, path, streams }
}

use Operation::*;
use Verb::{Delete, Get, Post};

/// Every operation in 1.0. Subscribe goes by both verbs: the text of the protocol says POST, its
/// schema says GET.
#[rustfmt::skip]
pub const TABLE: [Row; 11] = [
    row(SendMessage,                      "SendMessage",                      "SendMessage",                      &[Post],      "/message:send"),
    row(SendStreamingMessage,             "SendStreamingMessage",             "SendStreamingMessage",             &[Post],      "/message:stream"),
    row(GetTask,                          "GetTask",                          "GetTask",                          &[Get],       "/tasks/{id}"),
    row(ListTasks,                        "ListTasks",                        "ListTasks",                        &[Get],       "/tasks"),
    row(CancelTask,                       "CancelTask",                       "CancelTask",                       &[Post],      "/tasks/{id}:cancel"),
    row(SubscribeToTask,                  "SubscribeToTask",                  "SubscribeToTask",                  &[Post, Get], "/tasks/{id}:subscribe"),
    row(CreateTaskPushNotificationConfig, "CreateTaskPushNotificationConfig", "CreateTaskPushNotificationConfig", &[Post],      "/tasks/{taskId}/pushNotificationConfigs"),
    row(GetTaskPushNotificationConfig,    "GetTaskPushNotificationConfig",    "GetTaskPushNotificationConfig",    &[Get],       "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    row(ListTaskPushNotificationConfigs,  "ListTaskPushNotificationConfigs",  "ListTaskPushNotificationConfigs",  &[Get],       "/tasks/{taskId}/pushNotificationConfigs"),
    row(DeleteTaskPushNotificationConfig, "DeleteTaskPushNotificationConfig", "DeleteTaskPushNotificationConfig", &[Delete],    "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    row(GetExtendedAgentCard,             "GetExtendedAgentCard",             "GetExtendedAgentCard",             &[Get],       "/extendedAgentCard"),
];

// Tables are indexed by the operation.
const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].operation as usize == index, "a row is out of order");
        index += 1;
    }
};

/// Where readers of 0.2 look for the extended card (0.2 has no method for it).
pub(crate) const EXTENDED_CARD_0_2: &str = "/agent/authenticatedExtendedCard";

/// The operations in 0.3 and 0.2. A list of tasks has a path in its text, and nothing else says what
/// it is. Two names of the extended card: the text of 0.3 has one, its schema the other; and 0.2
/// asked for it by a path beside the card's own.
#[rustfmt::skip]
const V0_3: [Row; 12] = [
    row(SendMessage,                      "message/send",                        "SendMessage",                      &[Post],      "/v1/message:send"),
    row(SendStreamingMessage,             "message/stream",                      "SendStreamingMessage",             &[Post],      "/v1/message:stream"),
    row(GetTask,                          "tasks/get",                           "GetTask",                          &[Get],       "/v1/tasks/{id}"),
    row(ListTasks,                        "",                                    "",                                 &[Get],       "/v1/tasks"),
    row(CancelTask,                       "tasks/cancel",                        "CancelTask",                       &[Post],      "/v1/tasks/{id}:cancel"),
    row(SubscribeToTask,                  "tasks/resubscribe",                   "TaskSubscription",                 &[Post, Get], "/v1/tasks/{id}:subscribe"),
    row(CreateTaskPushNotificationConfig, "tasks/pushNotificationConfig/set",    "CreateTaskPushNotificationConfig", &[Post],      "/v1/tasks/{id}/pushNotificationConfigs"),
    row(GetTaskPushNotificationConfig,    "tasks/pushNotificationConfig/get",    "GetTaskPushNotificationConfig",    &[Get],       "/v1/tasks/{id}/pushNotificationConfigs/{pushNotificationConfigId}"),
    row(ListTaskPushNotificationConfigs,  "tasks/pushNotificationConfig/list",   "ListTaskPushNotificationConfig",   &[Get],       "/v1/tasks/{id}/pushNotificationConfigs"),
    row(DeleteTaskPushNotificationConfig, "tasks/pushNotificationConfig/delete", "DeleteTaskPushNotificationConfig", &[Delete],    "/v1/tasks/{id}/pushNotificationConfigs/{pushNotificationConfigId}"),
    row(GetExtendedAgentCard,             "agent/getAuthenticatedExtendedCard",  "GetAgentCard",                     &[Get],       "/v1/card"),
    row(GetExtendedAgentCard,             "agent/authenticatedExtendedCard",     "",                                 &[Get],       EXTENDED_CARD_0_2),
];

/// The operations in 0.1. Its drafts have JSON-RPC only; the paths are those that servers and
/// clients of its time made of the methods.
#[rustfmt::skip]
const V0_1: [Row; 7] = [
    row(SendMessage,                      "tasks/send",                 "", &[Post], "/tasks/send"),
    row(SendStreamingMessage,             "tasks/sendSubscribe",        "", &[Post], "/tasks/sendSubscribe"),
    row(GetTask,                          "tasks/get",                  "", &[Get],  "/tasks/{id}"),
    row(CancelTask,                       "tasks/cancel",               "", &[Post], "/tasks/{id}/cancel"),
    row(SubscribeToTask,                  "tasks/resubscribe",          "", &[],     ""),
    row(CreateTaskPushNotificationConfig, "tasks/pushNotification/set", "", &[Post], "/tasks/{id}/pushNotification/set"),
    row(GetTaskPushNotificationConfig,    "tasks/pushNotification/get", "", &[Get],  "/tasks/{id}/pushNotification/get"),
];

/// The operations of a version.
pub const fn rows(version: Version) -> &'static [Row] {
    const V1_0: &[Row] = &TABLE;
    match version {
        Version::V1_0 => V1_0,
        Version::V0_3 | Version::V0_2 => &V0_3,
        Version::V0_1 => &V0_1,
    }
}

// The table is indexed by the operation.
const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].operation as usize == index, "a row is out of order");
        index += 1;
    }
};

/// First segments that are never a tenant: paths of the protocol, of its other versions and of
/// the server.
const NOT_TENANTS: [&str; 12] = [
    "message:send",
    "message:stream",
    "tasks",
    "extendedAgentCard",
    "agent",
    "v1",
    ".well-known",
    "a2a",
    "console",
    "healthz",
    "readyz",
    "metrics",
];

impl Operation {
    /// How the bindings of 1.0 name the operation.
    pub const fn row(self) -> &'static Row {
        const ROWS: &[Row; 11] = &TABLE;
        &ROWS[self as usize]
    }

    /// The operation of a JSON-RPC method in a version.
    pub fn of_method(version: Version, method: &str) -> Option<Self> {
        let mut named = rows(version).iter().filter(|row| !row.method.is_empty());
        named.find(|row| row.method == method).map(|row| row.operation)
    }

    /// The operation of a request.
    pub const fn of_request(request: &Request) -> Self {
        match request {
            Request::SendMessage(_) => SendMessage,
            Request::SendStreamingMessage(_) => SendStreamingMessage,
            Request::GetTask(_) => GetTask,
            Request::ListTasks(_) => ListTasks,
            Request::CancelTask(_) => CancelTask,
            Request::SubscribeToTask(_) => SubscribeToTask,
            Request::CreateTaskPushNotificationConfig(_) => CreateTaskPushNotificationConfig,
            Request::GetTaskPushNotificationConfig(_) => GetTaskPushNotificationConfig,
            Request::ListTaskPushNotificationConfigs(_) => ListTaskPushNotificationConfigs,
            Request::DeleteTaskPushNotificationConfig(_) => DeleteTaskPushNotificationConfig,
            Request::GetExtendedAgentCard(_) => GetExtendedAgentCard,
        }
    }

    /// The operation of a gRPC method of a package's service.
    pub fn of_grpc(package: Package, method: &str) -> Option<Self> {
        let mut named = rows(package.version()).iter().filter(|row| !row.grpc.is_empty());
        named.find(|row| row.grpc == method).map(|row| row.operation)
    }
}

impl Verb {
    /// The name of the HTTP method.
    pub const fn name(self) -> &'static str {
        match self {
            Get => "GET",
            Post => "POST",
            Delete => "DELETE",
        }
    }
}

/// A REST request's operation with what its path says.
#[derive(Debug, PartialEq, Eq)]
pub struct Route<'p> {
    /// The operation.
    pub operation: Operation,
    /// The tenant before the operation's path, which 1.0 alone may have.
    pub tenant: Option<Cow<'p, str>>,
    /// The path's parameters by their name in the request.
    pub parameters: Vec<(&'static str, Cow<'p, str>)>,
}

/// What a REST path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// An operation.
    Route(Route<'p>),
    /// A path that goes by these HTTP methods only.
    OtherVerbs(Vec<Verb>),
    /// Nothing.
    Nothing,
}

/// Finds the operation of a REST request in a version, by the path below the interface's URL.
///
/// # Errors
/// `InvalidParams` when a parameter in the path is not percent-encoded UTF-8, or holds `/` or a
/// control character.
pub fn find<'p>(version: Version, verb: &str, path: &'p str) -> Result<Found<'p>, A2aError> {
    let found = find_below(version, verb, path, None)?;
    if found != Found::Nothing || version != Version::V1_0 {
        return Ok(found);
    }
    let Some((first, rest)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return Ok(found);
    };
    if first.is_empty() || NOT_TENANTS.contains(&first) {
        return Ok(found);
    }
    // The rest keeps its leading slash.
    find_below(version, verb, &path[path.len() - rest.len() - 1..], Some(first))
}

fn find_below<'p>(
    version: Version,
    verb: &str,
    path: &'p str,
    tenant: Option<&'p str>,
) -> Result<Found<'p>, A2aError> {
    let mut others = Vec::new();
    for row in rows(version) {
        let Some(parameters) = parameters(row.path, path) else { continue };
        if !row.verbs.iter().any(|known| known.name() == verb) {
            others.extend_from_slice(row.verbs);
            continue;
        }
        let tenant = tenant.map(|tenant| decode("tenant", tenant)).transpose()?;
        let decoded = parameters.into_iter().map(|(name, raw)| Ok((name, decode(name, raw)?)));
        let parameters = decoded.collect::<Result<_, A2aError>>()?;
        return Ok(Found::Route(Route { operation: row.operation, tenant, parameters }));
    }
    Ok(if others.is_empty() { Found::Nothing } else { Found::OtherVerbs(others) })
}

/// The parameters of a path, still encoded, when it has the form of a template.
fn parameters<'p>(template: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        let (wanted, given) = match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => (wanted, given),
            (None, Some(_)) | (Some(_), None) => return None,
        };
        let Some((name, action)) = wanted.strip_prefix('{').and_then(|w| w.split_once('}')) else {
            if wanted != given {
                return None;
            }
            continue;
        };
        // What stands behind the last colon is an action; a colon within an id is encoded.
        let (value, given_action) = given.split_at(given.rfind(':').unwrap_or(given.len()));
        if value.is_empty() || given_action != action {
            return None;
        }
        parameters.push((name, value));
    }
}

fn decode<'p>(name: &str, raw: &'p str) -> Result<Cow<'p, str>, A2aError> {
    let text =
        percent::decode(raw).ok_or_else(|| A2aError::invalid(name, "not percent-encoded"))?;
    if text.contains('/') || text.chars().any(char::is_control) {
        return Err(A2aError::invalid(name, "must not hold `/` or control characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, verb: &str, path: &str, expected: &str) {
        let got = match find(version, verb, path) {
            Ok(Found::Route(Route { operation, tenant, parameters })) => {
                let tenant = tenant.map(|tenant| format!("[{tenant}] ")).unwrap_or_default();
                let values: Vec<_> = parameters.iter().map(|(n, v)| format!(" {n}={v}")).collect();
                format!("{tenant}{operation:?}{}", values.concat())
            }
            Ok(Found::OtherVerbs(verbs)) => format!("{verbs:?}"),
            Ok(Found::Nothing) => "nothing".into(),
            Err(error) => error.message,
        };
        assert_eq!(got, expected, "{verb} {path}");
    }

    #[test]
    fn paths_lead_to_operations() {
        let cases = [
            ("POST", "/message:send", "SendMessage"),
            ("POST", "/acme/message:stream", "[acme] SendStreamingMessage"),
            ("GET", "/tasks", "ListTasks"),
            ("GET", "/tasks/7", "GetTask id=7"),
            ("GET", "/tasks/a%3Ab%25", "GetTask id=a:b%"),
            ("POST", "/tasks/a%3Acancel:cancel", "CancelTask id=a:cancel"),
            ("GET", "/tasks/7:subscribe", "SubscribeToTask id=7"),
            ("POST", "/t/tasks/7:subscribe", "[t] SubscribeToTask id=7"),
            (
                "POST",
                "/tasks/7/pushNotificationConfigs",
                "CreateTaskPushNotificationConfig taskId=7",
            ),
            (
                "DELETE",
                "/tasks/7/pushNotificationConfigs/c",
                "DeleteTaskPushNotificationConfig taskId=7 id=c",
            ),
            ("GET", "/extendedAgentCard", "GetExtendedAgentCard"),
            ("PUT", "/tasks/7", "[Get]"),
            ("POST", "/tasks", "[Get]"),
            ("GET", "/tasks/7:cancel", "[Post]"),
            ("PUT", "/tasks/7/pushNotificationConfigs", "[Post, Get]"),
            ("POST", "/tasks/7:destroy", "nothing"),
            ("GET", "/tasks/", "nothing"),
            ("POST", "/tasks/:cancel", "nothing"),
            ("POST", "/v1/message:send", "nothing"),
            ("POST", "/tasks/message:send", "nothing"),
            ("POST", "//message:send", "nothing"),
            ("POST", "/a/b/message:send", "nothing"),
            ("GET", "/", "nothing"),
            ("GET", "", "nothing"),
            ("GET", "/tasks/a%2Fb", "id: must not hold `/` or control characters"),
            ("GET", "/tasks/a%00", "id: must not hold `/` or control characters"),
            ("GET", "/tasks/a%2", "id: not percent-encoded"),
            ("GET", "/tasks/%ff", "id: not percent-encoded"),
            ("GET", "/%0a/tasks/7", "tenant: must not hold `/` or control characters"),
        ];
        for (verb, path, expected) in cases {
            check(Version::V1_0, verb, path, expected);
        }
    }

    #[test]
    fn paths_of_older_versions_lead_to_operations() {
        use Version::{V0_1, V0_3};
        let cases = [
            (V0_3, "POST", "/v1/message:send", "SendMessage"),
            (V0_3, "GET", "/v1/tasks/7:subscribe", "SubscribeToTask id=7"),
            (V0_3, "POST", "/v1/tasks/7:cancel", "CancelTask id=7"),
            (
                V0_3,
                "GET",
                "/v1/tasks/7/pushNotificationConfigs/c",
                "GetTaskPushNotificationConfig id=7 pushNotificationConfigId=c",
            ),
            (V0_3, "GET", "/v1/card", "GetExtendedAgentCard"),
            (V0_3, "GET", "/agent/authenticatedExtendedCard", "GetExtendedAgentCard"),
            (V0_3, "POST", "/message:send", "nothing"),
            (V0_3, "POST", "/acme/v1/message:send", "nothing"),
            (V0_1, "POST", "/tasks/send", "SendMessage"),
            (V0_1, "GET", "/tasks/7", "GetTask id=7"),
            (V0_1, "POST", "/tasks/7", "[Get]"),
            (V0_1, "GET", "/tasks", "nothing"),
            (V0_1, "POST", "", "nothing"),
            (
                V0_1,
                "POST",
                "/tasks/7/pushNotification/set",
                "CreateTaskPushNotificationConfig id=7",
            ),
        ];
        for (version, verb, path, expected) in cases {
            check(version, verb, path, expected);
        }
    }

    #[test]
    fn methods_lead_to_operations() {
        for version in Version::SERVED {
            for row in rows(version) {
                let expected = Some(row.operation).filter(|_| !row.method.is_empty());
                assert_eq!(Operation::of_method(version, row.method), expected);
            }
        }
        for unknown in ["", "sendMessage", "message/send", "SendMessage "] {
            assert_eq!(Operation::of_method(Version::V1_0, unknown), None, "{unknown}");
        }
    }

    /// So that a request without a version is never a guess: 1.0 shares no name with the others.
    #[test]
    fn the_methods_of_1_0_are_its_own() {
        for older in rows(Version::V0_3).iter().chain(rows(Version::V0_1)) {
            assert_eq!(Operation::of_method(Version::V1_0, older.method), None);
        }
    }
}
