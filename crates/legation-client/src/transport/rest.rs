//! The REST binding: each operation has a verb and a path; identifiers stand in the path, the rest
//! in the query or the body (Spec 11).

use http::Method;
use legation_wire::operation::Verb;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{NoResult, Outgoing};
use crate::fault::{self, ErrorObject};
use crate::reply::Streamed;

/// Since 1.0.1; servers of 1.0.0 may refuse it, and then `application/json` is sent.
const MEDIA_TYPE: &str = "application/a2a+json";

/// The error of a stream that fails halfway.
#[derive(Deserialize)]
struct Failed {
    error: ErrorObject,
}

pub(super) fn say(
    base: &Url,
    tenant: Option<&str>,
    template: &'static str,
    verb: Verb,
    params: &impl Serialize,
) -> Result<Outgoing, String> {
    let says_all_in_body = verb == Verb::Post && !template.contains('{');
    let (path, rest) =
        if says_all_in_body { (template.to_owned(), None) } else { fill(template, params)? };
    let mut url = base.clone();
    let tenant = tenant.map(|tenant| segment(tenant).map(|tenant| format!("/{tenant}")));
    let tenant = tenant.transpose()?.unwrap_or_default();
    url.set_path(&format!("{}{tenant}{path}", base.path().trim_end_matches('/')));
    let body = match (verb, rest) {
        (Verb::Get | Verb::Delete, rest) => {
            add_query(&mut url, rest.unwrap_or_default());
            None
        }
        (Verb::Post, Some(rest)) => Some(serde_json::to_vec(&rest)),
        // Not by way of a tree, which would reorder and round what the message holds.
        (Verb::Post, None) => Some(serde_json::to_vec(params)),
    };
    let body = body.transpose().map_err(|fault| fault.to_string())?;
    let body = body.map(|body| (MEDIA_TYPE, body.into()));
    Ok(Outgoing { method: method(verb), url, body })
}

pub(super) fn item(data: &str) -> Result<Streamed, NoResult> {
    serde_json::from_str(data).map_err(|fault| match serde_json::from_str::<Failed>(data) {
        Ok(Failed { error }) => NoResult::Error(fault::of_object(error, None)),
        Err(_) => NoResult::nonsense(fault),
    })
}

const fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Delete => Method::DELETE,
    }
}

/// Moves the parameters that the template names into the path; gives the others back.
fn fill(
    template: &str,
    params: &impl Serialize,
) -> Result<(String, Option<Map<String, Value>>), String> {
    let params = serde_json::to_value(params).map_err(|fault| fault.to_string())?;
    let Value::Object(mut members) = params else { return Err("parameters are an object".into()) };
    // It stands at the front of the path.
    members.remove("tenant");
    let mut path = String::new();
    for piece in template.split_inclusive('}') {
        let (literal, name) = piece.split_once('{').unwrap_or((piece, ""));
        path.push_str(literal);
        let Some(name) = name.strip_suffix('}') else { continue };
        let value = members.remove(name);
        let value = value.as_ref().and_then(Value::as_str).ok_or("an identifier is missing")?;
        path.push_str(&segment(value)?);
    }
    Ok((path, Some(members)))
}

/// One path segment. All that could end the segment or the identifier is encoded, the colon as well
/// because it begins an action.
fn segment(text: &str) -> Result<String, String> {
    if text.is_empty() || text.bytes().all(|byte| byte == b'.') {
        // `.` and `..` mean other paths, encoded or not.
        return Err(format!("`{text}` cannot stand in a path"));
    }
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    Ok(text.bytes().map(encode).collect())
}

/// Adds what a query can say; nested values are not allowed there (Spec 11.5).
fn add_query(url: &mut Url, members: Map<String, Value>) {
    let mut query = url.query_pairs_mut();
    for (name, value) in members {
        match value {
            Value::String(text) => query.append_pair(&name, &text),
            Value::Number(_) | Value::Bool(_) => query.append_pair(&name, &value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
    }
    drop(query);
    // The editor leaves a lone `?` behind.
    if url.query() == Some("") {
        url.set_query(None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(verb: Verb, template: &'static str, params: Value, expected: &str) {
        let base = Url::parse("http://h/base/").expect("a URL");
        let got = match say(&base, Some("t/1"), template, verb, &params) {
            Ok(Outgoing { method, url, body }) => {
                let body = body.map(|(_, body)| String::from_utf8_lossy(&body).into_owned());
                format!("{method} {}{} {}", url.path(), query(&url), body.unwrap_or_default())
            }
            Err(fault) => fault,
        };
        assert_eq!(got.trim_end(), expected);
    }

    fn query(url: &Url) -> String {
        url.query().map(|query| format!("?{query}")).unwrap_or_default()
    }

    #[test]
    fn parameters_go_where_the_binding_wants_them() {
        const TASK: &str = "/tasks/{id}";
        check(Verb::Get, TASK, json!({"id": "7"}), "GET /base/t%2F1/tasks/7");
        check(
            Verb::Get,
            TASK,
            json!({"id": "a/b?c#d%e:f é", "historyLength": 2, "tenant": "t"}),
            "GET /base/t%2F1/tasks/a%2Fb%3Fc%23d%25e%3Af%20%C3%A9?historyLength=2",
        );
        check(
            Verb::Get,
            "/tasks",
            json!({"pageToken": "a&b=c", "includeArtifacts": true, "metadata": {}}),
            "GET /base/t%2F1/tasks?includeArtifacts=true&pageToken=a%26b%3Dc",
        );
        check(
            Verb::Post,
            "/tasks/{id}:cancel",
            json!({"id": "7", "metadata": {"a": 1}}),
            r#"POST /base/t%2F1/tasks/7:cancel {"metadata":{"a":1}}"#,
        );
        check(
            Verb::Post,
            "/message:send",
            json!({"message": 1}),
            r#"POST /base/t%2F1/message:send {"message":1}"#,
        );
        check(Verb::Get, TASK, json!({"id": ".."}), "`..` cannot stand in a path");
        check(Verb::Get, TASK, json!({}), "an identifier is missing");
    }
}
