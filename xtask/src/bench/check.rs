//! Checks of unary replies: byte searches, exact where it matters and cheap enough
//! not to slow the load down.

use anyhow::{Context, ensure};

pub(super) const COMPLETED: &str = r#""state":"TASK_STATE_COMPLETED""#;

/// The same before 1.0.
const OLDER_COMPLETED: &str = r#""state":"completed""#;

/// Checks that `reply` is a completed task whose one artifact holds `content`.
pub(super) fn completed_echo(reply: &str, content: &str) -> anyhow::Result<()> {
    let check = || -> anyhow::Result<()> {
        ensure!(reply.starts_with('{') && reply.ends_with('}'), "not an object");
        let completed = reply.contains(COMPLETED) || reply.contains(OLDER_COMPLETED);
        ensure!(completed, "the task is not completed");
        let artifacts = artifacts(reply).context("no artifacts")?;
        let count = artifacts.matches(r#""artifactId":"#).count();
        ensure!(count == 1, "{count} artifacts");
        ensure!(holds(artifacts, content), "the artifact is not the echo");
        Ok(())
    };
    check().with_context(|| excerpt(reply))
}

/// Returns the id of the task in a reply to SendMessage.
pub(super) fn task_id(reply: &str) -> anyhow::Result<&str> {
    let task = reply.split_once(r#""task":{"#).map(|(_, task)| task);
    let id = task.and_then(|task| field(task, r#""id":""#));
    id.with_context(|| format!("no task id: {}", excerpt(reply)))
}

/// Returns the text that starts after `name` and ends at the next quote.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    Some(text.split_once(name)?.1.split_once('"')?.0)
}

/// Returns the beginning of a reply, for a message.
pub(super) fn excerpt(reply: &str) -> String {
    format!("in the reply `{}`", reply.chars().take(400).collect::<String>())
}

/// Returns the artifacts of a task, without its history, which holds the text as well.
fn artifacts(reply: &str) -> Option<&str> {
    let after = reply.split_once(r#""artifacts":["#)?.1;
    Some(after.split_once(r#""history":["#).map_or(after, |(artifacts, _)| artifacts))
}

/// Finds `content` by its beginning: a search for a megabyte would cost more.
fn holds(text: &str, content: &str) -> bool {
    let beginning = &content[..content.len().min(24)];
    text.find(beginning).is_some_and(|at| text[at..].starts_with(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = r#""text":"hello""#;

    fn reply(state: &str, artifacts: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"task":{{"id":"t-1","contextId":"c",
            "status":{{"state":"{state}"}},"artifacts":[{artifacts}],
            "history":[{{"messageId":"m","parts":[{{"text":"hello"}}]}}]}}}}}}"#
        )
    }

    #[test]
    fn only_the_expected_artifact_passes() {
        let one = r#"{"artifactId":"a","parts":[{"text":"hello"}]}"#;
        let other = r#"{"artifactId":"a","parts":[{"text":"goodbye"}]}"#;
        let check = |state, artifacts: &str| completed_echo(&reply(state, artifacts), CONTENT);
        check("TASK_STATE_COMPLETED", one).unwrap();
        assert!(check("TASK_STATE_WORKING", one).is_err());
        assert!(check("TASK_STATE_COMPLETED", "").is_err());
        assert!(check("TASK_STATE_COMPLETED", other).is_err());
        assert!(check("TASK_STATE_COMPLETED", &format!("{one},{one}")).is_err());
    }

    #[test]
    fn the_task_id_is_the_tasks() {
        assert_eq!(task_id(&reply("x", "")).unwrap(), "t-1");
    }
}
