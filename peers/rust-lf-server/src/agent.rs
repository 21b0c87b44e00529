//! The agent: does what the first word of a message says.

use std::time::Duration;

use a2a::{
    A2AError, Artifact, Message, Part, Role, StreamResponse, Task, TaskArtifactUpdateEvent,
    TaskState, TaskStatus, TaskStatusUpdateEvent,
};
use a2a_server::{AgentExecutor, ExecutorContext};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

pub(crate) struct Obedient;

type Events = BoxStream<'static, Result<StreamResponse, A2AError>>;

#[async_trait::async_trait]
impl AgentExecutor for Obedient {
    fn execute(&self, context: ExecutorContext) -> Events {
        let said = context.message.as_ref().and_then(Message::text).unwrap_or_default().to_owned();
        let (word, rest) = said.split_once(' ').unwrap_or((&said, ""));
        if word == "direct" {
            let message = Message::new(Role::Agent, vec![Part::text(rest)]);
            return all(vec![StreamResponse::Message(message)]);
        }
        let mut events = Vec::new();
        if context.stored_task.is_none() {
            events.push(StreamResponse::Task(begun(&context)));
        }
        let status = |state, text| status(&context, state, text);
        match word {
            "count" => {
                events.push(status(TaskState::Working, None));
                let count = rest.parse().unwrap_or_default();
                let chunk = |number: u32| {
                    chunk(&context, "count", Part::text(format!("{number} ")), number > 0)
                };
                let chunks: Vec<_> = (0..count).map(chunk).collect();
                let slowly = stream::iter(chunks).then(|chunk| async {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok(chunk)
                });
                let end = all(vec![status(TaskState::Completed, None)]);
                return all(events).chain(slowly).chain(end).boxed();
            }
            "ask" => events.push(status(TaskState::InputRequired, Some("what?"))),
            "slow" => {
                events.push(status(TaskState::Working, None));
                return all(events).chain(stream::pending()).boxed();
            }
            "fail" => events.push(status(TaskState::Failed, Some("as told"))),
            "file" => {
                let file = Part::raw(vec![0, 1, 254, 255]).with_filename("four.bin");
                let file = file.with_media_type("application/x-four");
                events.push(chunk(&context, "file", file, false));
                events.push(status(TaskState::Completed, None));
            }
            _ => {
                events.push(chunk(&context, "echo", Part::text(rest), false));
                events.push(status(TaskState::Completed, None));
            }
        }
        all(events)
    }

    fn cancel(&self, context: ExecutorContext) -> Events {
        all(vec![status(&context, TaskState::Canceled, None)])
    }
}

fn all(events: Vec<StreamResponse>) -> Events {
    stream::iter(events.into_iter().map(Ok)).boxed()
}

fn begun(context: &ExecutorContext) -> Task {
    Task {
        id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: None },
        artifacts: None,
        history: context.message.clone().map(|message| vec![message]),
        metadata: None,
    }
}

fn status(context: &ExecutorContext, state: TaskState, text: Option<&str>) -> StreamResponse {
    let message = text.map(|text| Message::new(Role::Agent, vec![Part::text(text)]));
    StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state, message, timestamp: None },
        metadata: None,
    })
}

fn chunk(context: &ExecutorContext, id: &str, part: Part, append: bool) -> StreamResponse {
    StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        artifact: Artifact {
            artifact_id: id.into(),
            name: None,
            description: None,
            parts: vec![part],
            metadata: None,
            extensions: None,
        },
        append: Some(append),
        last_chunk: None,
        metadata: None,
    })
}
