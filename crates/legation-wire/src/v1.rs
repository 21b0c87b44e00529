//! The codec of A2A 1.0. The model's JSON is 1.0's, so answers are framed, never written anew.

use legation_model::{A2aError, Request};

use crate::answer::Answer;
use crate::operation::{Operation, Route};
use crate::read::{self, Read, Source};

/// The text that makes a document an answer of 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What stands before the document.
    pub before: &'static str,
    /// What stands behind it.
    pub after: &'static str,
}

impl Frame {
    /// The document as it is.
    pub const BARE: Self = Self { before: "", after: "" };

    /// What makes a document an answer (Spec 3.2.3).
    pub const fn of(answer: Answer) -> Self {
        match answer {
            Answer::SentTask => Self { before: r#"{"task":"#, after: "}" },
            Answer::SentMessage => Self { before: r#"{"message":"#, after: "}" },
            Answer::Task | Answer::Tasks | Answer::Card | Answer::Item => Self::BARE,
        }
    }
}

/// Reads the params of a JSON-RPC request, which are a JSON object or absent.
///
/// # Errors
/// `InvalidParams` with a violation that names the member by its path within the params.
pub fn read_params(operation: Operation, params: Option<&str>) -> Result<Request, A2aError> {
    request(&Source::of_params(params), operation)
}

/// Reads a REST request. What its path says wins over its query and its body (Spec 11.5).
///
/// # Errors
/// `InvalidParams` with a violation that names the member or the parameter, and `Parse` when the
/// body is not JSON.
pub fn read_rest(
    route: &Route<'_>,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<Request, A2aError> {
    let fields = read::fields(route, query)?;
    request(&Source::of_rest(&fields, body), route.operation)
}

/// Reads a request from wherever its members come.
pub(crate) fn request(source: &impl Read, operation: Operation) -> Result<Request, A2aError> {
    use Operation as O;
    use Request as R;
    let request = match operation {
        O::SendMessage => R::SendMessage(source.read()?),
        O::SendStreamingMessage => R::SendStreamingMessage(source.read()?),
        O::GetTask => R::GetTask(source.read()?),
        O::ListTasks => R::ListTasks(source.read()?),
        O::CancelTask => R::CancelTask(source.read()?),
        O::SubscribeToTask => R::SubscribeToTask(source.read()?),
        O::CreateTaskPushNotificationConfig => R::CreateTaskPushNotificationConfig(source.read()?),
        O::GetTaskPushNotificationConfig => R::GetTaskPushNotificationConfig(source.read()?),
        O::ListTaskPushNotificationConfigs => R::ListTaskPushNotificationConfigs(source.read()?),
        O::DeleteTaskPushNotificationConfig => R::DeleteTaskPushNotificationConfig(source.read()?),
        O::GetExtendedAgentCard => R::GetExtendedAgentCard(source.read()?),
    };
    request.check()?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use legation_model::ErrorKind;

    use super::*;
    use crate::operation::{Found, TABLE, find};
    use crate::version::Version;

    const SEND: &str = r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]}}"#;

    fn outcome(read: Result<Request, A2aError>) -> String {
        match read {
            Ok(request) => format!("{request:?}"),
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::InvalidParams | ErrorKind::Parse));
                error.message
            }
        }
    }

    fn rest(verb: &str, path: &str, query: &str, body: &str) -> String {
        let Ok(Found::Route(route)) = find(Version::V1_0, verb, path) else {
            panic!("{verb} {path}")
        };
        outcome(read_rest(&route, Some(query), Some(body)))
    }

    #[test]
    fn params_are_read_and_faults_name_the_member() {
        let part = |part: &str| {
            format!(
                r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"text":"x"}},{part}]}}}}"#
            )
        };
        let deep = part(&format!(r#"{{"data":{}{}}}"#, "[".repeat(120), "]".repeat(120)));
        let cases = [
            ("{}".to_owned(), "message: is missing"),
            (r#"{"message":null}"#.into(), "message: invalid type: null, expected an object"),
            (r#"{"message":5}"#.into(), "message: invalid type: integer `5`, expected an object"),
            (SEND.replace(r#""messageId":"m","#, ""), "message.messageId: is missing"),
            (SEND.replace(r#""m""#, r#""""#), "message.messageId: must not be empty"),
            (
                SEND.replace(r#""m""#, "7"),
                "message.messageId: invalid type: integer `7`, expected a string",
            ),
            (
                SEND.replace(r#""m""#, r#""a\u0000b""#),
                "message.messageId: must not hold control characters",
            ),
            (
                SEND.replace("[{", "[{},{"),
                "message.parts[0]: a part needs exactly one of `text`, `raw`, `url`, `data`",
            ),
            (SEND.replace(r#"[{"text":"x"}]"#, "[]"), "message.parts: must hold at least one part"),
            (
                SEND.replace(r#""role""#, r#""messageId":"n","role""#),
                "message.messageId: is there twice",
            ),
            (
                SEND.replace(r#"E_USER"#, "E_KING"),
                "message.role: invalid value: string \"ROLE_KING\", expected one of ROLE_UNSPECIFIED ROLE_USER ROLE_AGENT",
            ),
            (part(r#"{"raw":"!"}"#), "message.parts[1].raw: is not base64"),
            (
                part(r#"{"text":7}"#),
                "message.parts[1].text: invalid type: integer `7`, expected a string",
            ),
            (part(r#"{"text":"\ud800"}"#), "message.parts[1].text: unexpected end of hex escape"),
            (deep, "message.parts[1].data: nested deeper than 100 levels"),
            (
                SEND.replace(
                    r#"{"message""#,
                    r#"{"configuration":{"historyLength":1e400},"message""#,
                ),
                "configuration.historyLength: number out of range",
            ),
            (
                SEND.replace(r#"{"message""#, r#"{"configuration":{"historyLength":-1},"message""#),
                "configuration.historyLength: must be 0 or more, not -1",
            ),
        ];
        for (params, expected) in cases {
            let got = outcome(read_params(Operation::SendMessage, Some(&params)));
            assert_eq!(got, expected, "{params}");
        }
        assert!(read_params(Operation::ListTasks, None).is_ok());
    }

    #[test]
    fn the_path_wins_over_query_and_body() {
        let cases = [
            ("GET", "/tasks/1", "historyLength=2&id=9&A2A-Version=1.0", ""),
            ("GET", "/t/tasks/1", "tenant=u&history_length=2", ""),
            ("POST", "/t/tasks/1:cancel", "", r#"{"id":"9","tenant":"u","metadata":{"k":1}}"#),
            ("POST", "/tasks/1:subscribe", "", ""),
            ("POST", "/tasks/1/pushNotificationConfigs", "", r#"{"task_id":"9","url":"u"}"#),
            ("DELETE", "/tasks/1/pushNotificationConfigs/2", "taskId=9", ""),
        ];
        let got = cases.map(|(verb, path, query, body)| rest(verb, path, query, body));
        insta::assert_snapshot!(got.join("\n"), @r#"
        GetTask(GetTaskRequest { tenant: None, id: "1", history_length: Some(2) })
        GetTask(GetTaskRequest { tenant: Some("t"), id: "1", history_length: Some(2) })
        CancelTask(CancelTaskRequest { tenant: Some("t"), id: "1", metadata: Some({"k":1}) })
        SubscribeToTask(SubscribeToTaskRequest { tenant: None, id: "1", metadata: None })
        CreateTaskPushNotificationConfig(TaskPushNotificationConfig { id: None, task_id: Some("1"), .. })
        DeleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: "1", id: "2" })
        "#);
    }

    #[test]
    fn queries_are_read_by_type() {
        let query = "contextId=c&status=TASK_STATE_WORKING&pageSize=7&pageToken=&includeArtifacts=true\
                     &statusTimestampAfter=2026-01-02T03%3A04%3A05Z";
        insta::assert_snapshot!(rest("GET", "/tasks", query, ""), @r#"ListTasks(ListTasksRequest { tenant: None, context_id: Some("c"), status: Some(Working), page_size: Some(7), page_token: None, history_length: None, status_timestamp_after: Some(2026-01-02T03:04:05.000Z), include_artifacts: true })"#);
        let cases = [
            ("pageSize=0", "pageSize: must be 1 to 100, not 0"),
            (
                "pageSize=x",
                "pageSize: invalid value: string \"x\", expected a whole number from -2147483648 to 2147483647",
            ),
            (
                "page_size=99999999999",
                "page_size: invalid value: string \"99999999999\", expected a whole number from -2147483648 to 2147483647",
            ),
            ("pageSize=1&pageSize=2", "pageSize: is there twice"),
            (
                "includeArtifacts=yes",
                "includeArtifacts: invalid value: string \"yes\", expected true or false",
            ),
            (
                "status=WORKING",
                "status: invalid value: string \"WORKING\", expected one of TASK_STATE_UNSPECIFIED TASK_STATE_SUBMITTED TASK_STATE_WORKING TASK_STATE_COMPLETED TASK_STATE_FAILED TASK_STATE_CANCELED TASK_STATE_INPUT_REQUIRED TASK_STATE_REJECTED TASK_STATE_AUTH_REQUIRED",
            ),
            (
                "statusTimestampAfter=noon",
                "statusTimestampAfter: expected a time such as 2026-01-02T03:04:05.678Z",
            ),
            ("contextId=%00", "contextId: must not hold control characters"),
            ("contextId=%", "query: not percent-encoded"),
        ];
        for (query, expected) in cases {
            assert_eq!(rest("GET", "/tasks", query, ""), expected, "{query}");
        }
    }

    #[test]
    fn rest_bodies_are_json_objects() {
        let cases = [
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
            ("{} {}", "not JSON: trailing characters at line 1 column 4"),
            ("[]", "invalid type: sequence, expected a JSON object"),
            ("5", "invalid type: integer `5`, expected a JSON object"),
            ("", "message: is missing"),
        ];
        for (body, expected) in cases {
            assert_eq!(rest("POST", "/message:send", "", body), expected, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(row in 0..TABLE.len(), json in ".{0,200}", id in ".{0,20}") {
            let operation = TABLE[row].operation;
            let _ = read_params(operation, Some(&json));
            let parameters = vec![("id", id.as_str().into()), ("taskId", id.as_str().into())];
            let route = Route { operation, tenant: Some(id.as_str().into()), parameters };
            let _ = read_rest(&route, Some(&id), Some(&json));
        }
    }
}
