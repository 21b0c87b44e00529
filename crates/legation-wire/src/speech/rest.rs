//! The REST binding from the caller's side: each operation has a verb and a path; identifiers stand in
//! the path, the rest in the query or the body (Spec 11).

use legation_model::A2aError;
use serde_json::{Map, Value};

use super::Said;
use crate::operation::{Row, Verb};
use crate::percent;

pub(super) fn say(
    row: &Row,
    verb: Verb,
    tenant: Option<&str>,
    params: impl FnOnce() -> Result<Vec<u8>, A2aError>,
) -> Result<Said, A2aError> {
    let params = params()?;
    let tenant = tenant.map(|tenant| segment("tenant", tenant).map(|tenant| format!("/{tenant}")));
    let tenant = tenant.transpose()?.unwrap_or_default();
    // Not by way of a tree, which would reorder and round what the message holds.
    let (path, query, body) = if verb == Verb::Post && !row.path.contains('{') {
        (row.path.to_owned(), String::new(), params)
    } else {
        let (path, rest) = fill(row.path, &params)?;
        match verb {
            Verb::Get | Verb::Delete => (path, query(rest), Vec::new()),
            Verb::Post => {
                let body = serde_json::to_vec(&rest).expect("it was JSON");
                (path, String::new(), body)
            }
        }
    };
    Ok(Said { verb, path: format!("{tenant}{path}"), query, media_type: "", body })
}

/// Moves the parameters that the template names into the path; gives the others back.
fn fill(template: &str, params: &[u8]) -> Result<(String, Map<String, Value>), A2aError> {
    let mut members: Map<String, Value> =
        serde_json::from_slice(params).expect("parameters are an object");
    // It stands at the front of the path.
    members.remove("tenant");
    let mut path = String::new();
    for piece in template.split_inclusive('}') {
        let (literal, name) = piece.split_once('{').unwrap_or((piece, ""));
        path.push_str(literal);
        let Some(name) = name.strip_suffix('}') else { continue };
        let value = members.remove(name);
        let value = value.as_ref().and_then(Value::as_str);
        let value = value.ok_or_else(|| A2aError::invalid(name, "is missing"))?;
        path.push_str(&segment(name, value)?);
    }
    Ok((path, members))
}

/// One path segment.
fn segment(name: &str, text: &str) -> Result<String, A2aError> {
    if text.is_empty() || text.bytes().all(|byte| byte == b'.') {
        // `.` and `..` mean other paths, encoded or not.
        return Err(A2aError::invalid(name, format!("`{text}` cannot stand in a path")));
    }
    Ok(percent::encode(text))
}

/// What a query can say; nested values are not allowed there (Spec 11.5).
fn query(members: Map<String, Value>) -> String {
    let pair = |(name, value): (String, Value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(format!("{}={}", percent::encode(&name), percent::encode(&value)))
    };
    members.into_iter().filter_map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::Operation;

    fn check(operation: Operation, verb: Verb, params: Value, expected: &str) {
        let params = || Ok(serde_json::to_vec(&params).expect("JSON"));
        let got = match say(operation.row(), verb, Some("t/1"), params) {
            Ok(Said { verb, path, query, body, .. }) => {
                let query = if query.is_empty() { query } else { format!("?{query}") };
                format!("{} {path}{query} {}", verb.name(), String::from_utf8_lossy(&body))
            }
            Err(error) => error.message,
        };
        assert_eq!(got.trim_end(), expected);
    }

    #[test]
    fn parameters_go_where_the_binding_wants_them() {
        use Operation::{CancelTask, GetTask, ListTasks, SendMessage};
        use Verb::{Get, Post};
        check(GetTask, Get, json!({"id": "7"}), "GET /t%2F1/tasks/7");
        check(
            GetTask,
            Get,
            json!({"id": "a/b?c#d%e:f é", "historyLength": 2, "tenant": "t"}),
            "GET /t%2F1/tasks/a%2Fb%3Fc%23d%25e%3Af%20%C3%A9?historyLength=2",
        );
        check(
            ListTasks,
            Get,
            json!({"pageToken": "a&b=c", "includeArtifacts": true, "metadata": {}}),
            "GET /t%2F1/tasks?includeArtifacts=true&pageToken=a%26b%3Dc",
        );
        check(
            CancelTask,
            Post,
            json!({"id": "7", "metadata": {"a": 1}}),
            r#"POST /t%2F1/tasks/7:cancel {"metadata":{"a":1}}"#,
        );
        check(
            SendMessage,
            Post,
            json!({"message": 1}),
            r#"POST /t%2F1/message:send {"message":1}"#,
        );
        check(GetTask, Get, json!({"id": ".."}), "id: `..` cannot stand in a path");
        check(GetTask, Get, json!({}), "id: is missing");
    }
}
