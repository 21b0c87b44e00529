//! Reads the two replies of which exactly one member is there. The members that other agents add
//! beside it are passed over, as the protocol demands (Spec 5.7).

use legation_model::{
    Message, SendMessageResponse, StreamResponse, Task, TaskArtifactUpdateEvent,
    TaskStatusUpdateEvent,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    task: Option<Task>,
    message: Option<Message>,
    #[serde(alias = "status_update")]
    status_update: Option<TaskStatusUpdateEvent>,
    #[serde(alias = "artifact_update")]
    artifact_update: Option<TaskArtifactUpdateEvent>,
}

/// A [`StreamResponse`].
#[derive(Debug, Deserialize)]
#[serde(try_from = "Members")]
pub struct Streamed(pub StreamResponse);

/// A [`SendMessageResponse`].
#[derive(Debug, Deserialize)]
#[serde(try_from = "Members")]
pub struct Sent(pub SendMessageResponse);

impl TryFrom<Members> for Streamed {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        let Members { task, message, status_update, artifact_update } = members;
        match (task, message, status_update, artifact_update) {
            (Some(task), None, None, None) => Ok(Self(StreamResponse::Task(task))),
            (None, Some(message), None, None) => Ok(Self(StreamResponse::Message(message))),
            (None, None, Some(update), None) => Ok(Self(StreamResponse::StatusUpdate(update))),
            (None, None, None, Some(update)) => Ok(Self(StreamResponse::ArtifactUpdate(update))),
            _ => Err("needs exactly one of `task`, `message`, `statusUpdate`, `artifactUpdate`"),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_counts_and_strangers_are_passed_over() {
        const TASK: &str = r#"{"id":"t","status":{"state":"TASK_STATE_WORKING"}}"#;
        let cases = [
            (format!(r#"{{"task":{TASK}}}"#), true),
            (format!(r#"{{"task":{TASK},"message":null,"x":[1]}}"#), true),
            (format!(r#"{{"Task":{TASK}}}"#), false),
            (r#"{"task":{"id":"t"}}"#.into(), false),
            ("{}".into(), false),
        ];
        for (text, good) in cases {
            assert_eq!(serde_json::from_str::<Streamed>(&text).is_ok(), good, "{text}");
            assert_eq!(serde_json::from_str::<Sent>(&text).is_ok(), good, "{text}");
        }
    }
}
