//! Reads what agents reply in 1.0. Of two replies exactly one member is there; the members that other
//! agents add beside it are passed over, as the protocol demands (Spec 5.7), and states and roles that
//! nobody here knows count as not said: an agent may know more of them than its callers.

use std::fmt;

use legation_model::{Message, Role, SendMessageResponse, StreamResponse, Task, TaskState};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a reply.
///
/// # Errors
/// When it is not what it should be, with where.
pub fn read<T: DeserializeOwned>(document: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(document).or_else(|fault| {
        // Looked for only now: hardly any reply holds one.
        let mut value = serde_json::from_slice(document)?;
        if !forgive(&mut value) {
            return Err(fault);
        }
        serde_json::from_slice(&serde_json::to_vec(&value)?)
    })
}

/// Makes of the states and roles that nobody knows those that are not said; whether there was any.
fn forgive(value: &mut Value) -> bool {
    match value {
        Value::Array(values) => values.iter_mut().fold(false, |any, value| forgive(value) | any),
        Value::Object(members) => members.iter_mut().fold(false, |any, (name, value)| {
            let known = match name.as_str() {
                "state" => is_known(value, TaskState::from_name, TaskState::from_number),
                "role" => is_known(value, Role::from_name, Role::from_number),
                // What is an agent's own is not the protocol's.
                "metadata" | "data" => true,
                _ => return forgive(value) | any,
            };
            if known {
                return any;
            }
            let unsaid = match name.as_str() {
                "state" => TaskState::Unspecified.name(),
                _ => Role::Unspecified.name(),
            };
            *value = unsaid.into();
            true
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a value is a name or a number that is known, or neither at all.
fn is_known<T>(
    value: &Value,
    by_name: impl Fn(&str) -> Option<T>,
    by_number: impl Fn(i64) -> Option<T>,
) -> bool {
    match value {
        Value::String(name) => by_name(name).is_some(),
        Value::Number(number) => number.as_i64().is_none_or(|number| by_number(number).is_some()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// A [`StreamResponse`].
#[derive(Debug)]
pub struct Streamed(pub StreamResponse);

/// A [`SendMessageResponse`].
#[derive(Debug, Deserialize)]
#[serde(try_from = "Members")]
pub struct Sent(pub SendMessageResponse);

#[derive(Deserialize)]
struct Members {
    task: Option<Task>,
    message: Option<Message>,
}

impl TryFrom<Members> for Sent {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        match (members.task, members.message) {
            (Some(task), None) => Ok(Self(SendMessageResponse::Task(task))),
            (None, Some(message)) => Ok(Self(SendMessageResponse::Message(message))),
            (None, None) | (Some(_), Some(_)) => Err("needs exactly one of `task`, `message`"),
        }
    }
}

/// The members that count of an item.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    Task,
    Message,
    #[serde(alias = "status_update")]
    StatusUpdate,
    #[serde(alias = "artifact_update")]
    ArtifactUpdate,
    #[serde(other)]
    Other,
}

/// Reads the one member straight into what it is: there are many items, and room for all four kinds would
/// be moved about with each.
impl<'de> Deserialize<'de> for Streamed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneMember).map(Self)
    }
}

const ONE: &str = "exactly one of `task`, `message`, `statusUpdate`, `artifactUpdate`";

struct OneMember;

impl<'de> Visitor<'de> for OneMember {
    type Value = StreamResponse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {ONE}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<StreamResponse, A::Error> {
        let otherwise = || A::Error::custom(format_args!("needs {ONE}"));
        let mut item = None;
        while let Some(name) = members.next_key()? {
            let said = match name {
                Name::Task => members.next_value::<Option<_>>()?.map(StreamResponse::Task),
                Name::Message => members.next_value::<Option<_>>()?.map(StreamResponse::Message),
                Name::StatusUpdate => {
                    members.next_value::<Option<_>>()?.map(StreamResponse::StatusUpdate)
                }
                Name::ArtifactUpdate => {
                    members.next_value::<Option<_>>()?.map(StreamResponse::ArtifactUpdate)
                }
                Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if said.is_some() && item.is_some() {
                return Err(otherwise());
            }
            item = said.or(item);
        }
        item.ok_or_else(otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_not_said() {
        let task = |state: &str, role: &str| {
            let message = format!(
                r#"{{"messageId":"m","role":{role},"parts":[{{"data":{{"state":"X"}}}}]}}"#
            );
            format!(r#"{{"id":"t","status":{{"state":{state},"message":{message}}}}}"#)
        };
        const WORKING: &str = r#""TASK_STATE_WORKING""#;
        const AGENT: &str = r#""ROLE_AGENT""#;
        let cases = [
            (WORKING, AGENT, "TASK_STATE_WORKING ROLE_AGENT"),
            (r#""TASK_STATE_BORED""#, AGENT, "TASK_STATE_UNSPECIFIED ROLE_AGENT"),
            ("99", "2", "TASK_STATE_UNSPECIFIED ROLE_AGENT"),
            (WORKING, r#""ROLE_JUDGE""#, "TASK_STATE_WORKING ROLE_UNSPECIFIED"),
            ("{}", AGENT, "expected"),
            ("null", r#""ROLE_JUDGE""#, "null"),
        ];
        for (state, role, expected) in cases {
            let got = match read::<Task>(task(state, role).as_bytes()) {
                Ok(task) => {
                    let message = task.status.message.expect("it is there");
                    let Some(legation_model::Content::Data(data)) =
                        message.parts.first().map(|part| &part.content)
                    else {
                        panic!("{message:?}")
                    };
                    assert_eq!(data.as_str(), r#"{"state":"X"}"#);
                    format!("{} {}", task.status.state.name(), message.role.name())
                }
                Err(fault) => fault.to_string(),
            };
            assert!(got.contains(expected), "{state} {role}: {got}");
        }
    }

    #[test]
    fn one_member_counts_and_strangers_are_passed_over() {
        const TASK: &str = r#"{"id":"t","status":{"state":"TASK_STATE_WORKING"}}"#;
        let cases = [
            (format!(r#"{{"task":{TASK}}}"#), true),
            (format!(r#"{{"task":{TASK},"message":null,"x":[1]}}"#), true),
            (format!(r#"{{"Task":{TASK}}}"#), false),
            (r#"{"task":{"id":"t"}}"#.into(), false),
            (
                format!(
                    r#"{{"task":{TASK},"message":{{"messageId":"m","role":"ROLE_AGENT","parts":[]}}}}"#
                ),
                false,
            ),
            ("{}".into(), false),
            ("[]".into(), false),
        ];
        for (text, good) in cases {
            assert_eq!(serde_json::from_str::<Streamed>(&text).is_ok(), good, "{text}");
            assert_eq!(serde_json::from_str::<Sent>(&text).is_ok(), good, "{text}");
        }
    }
}
