//! The agent: does what the first word of a message says.

use std::{future::Future, pin::Pin, time::Duration};

use a2a_protocol_server::{AgentExecutor, EventEmitter, EventQueueWriter, RequestContext};
use a2a_protocol_types::{
    ContextId, Message, Part, StreamResponse, TaskState, TaskStatus, TaskStatusUpdateEvent,
    error::A2aResult,
};

pub(crate) struct Obedient;

impl AgentExecutor for Obedient {
    fn execute<'a>(
        &'a self,
        context: &'a RequestContext,
        queue: &'a dyn EventQueueWriter,
    ) -> Pin<Box<dyn Future<Output = A2aResult<()>> + Send + 'a>> {
        Box::pin(obey(context, queue))
    }
}

async fn obey(context: &RequestContext, queue: &dyn EventQueueWriter) -> A2aResult<()> {
    let said = context.message.text().unwrap_or_default();
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    let emit = EventEmitter::new(context, queue);
    match word {
        "direct" => {
            let message = Message::agent_text("direct", rest);
            return queue.write(StreamResponse::Message(message)).await;
        }
        "count" => {
            emit.status(TaskState::Working).await?;
            for number in 0..rest.parse().unwrap_or(0) {
                let part = Part::text(format!("{number} "));
                emit.artifact("count", vec![part], Some(number > 0), None).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        "ask" => return say(context, queue, TaskState::InputRequired, "what?").await,
        "slow" => {
            emit.status(TaskState::Working).await?;
            context.cancellation_token.cancelled().await;
            return Ok(());
        }
        "fail" => return say(context, queue, TaskState::Failed, "as told").await,
        "file" => {
            let file = Part::raw("AAH+/w==").with_filename("four.bin");
            let file = file.with_media_type("application/x-four");
            emit.artifact("file", vec![file], None, None).await?;
        }
        _ => emit.artifact("echo", vec![Part::text(rest)], None, None).await?,
    }
    emit.status(TaskState::Completed).await
}

async fn say(
    context: &RequestContext,
    queue: &dyn EventQueueWriter,
    state: TaskState,
    text: &str,
) -> A2aResult<()> {
    let mut status = TaskStatus::new(state);
    status.message = Some(Message::agent_text(format!("{}-{text}", context.task_id), text));
    let update = TaskStatusUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: ContextId::new(context.context_id.clone()),
        status,
        metadata: None,
    };
    queue.write(StreamResponse::StatusUpdate(update)).await
}
