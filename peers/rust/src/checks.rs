//! What the SDK's client must find when it talks to the scripted agent.

use std::fmt::Debug;

use a2a::{
    A2AError, Artifact, ListTasksRequest, Message, Part, PartContent, Role, SendMessageResponse,
    StreamResponse, Task, TaskArtifactUpdateEvent, TaskState, error_code,
};
use anyhow::{Context, bail, ensure};
use futures::{FutureExt, StreamExt, future::BoxFuture};

use crate::peer::{Peer, answer, beside, collect, say, say_and_leave, say_beside};

pub(crate) type Check = fn(&Peer) -> BoxFuture<'_, anyhow::Result<()>>;

/// The checks by name.
pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("card", |peer| card(peer).boxed()),
    ("refuses_without_token", |peer| refuses_without_token(peer).boxed()),
    ("send", |peer| send(peer).boxed()),
    ("send_answered_by_message", |peer| send_answered_by_message(peer).boxed()),
    ("artifacts", |peer| artifacts(peer).boxed()),
    ("rejects_and_fails", |peer| rejects_and_fails(peer).boxed()),
    ("stream", |peer| stream(peer).boxed()),
    ("stream_answered_by_message", |peer| stream_answered_by_message(peer).boxed()),
    ("get", |peer| get(peer).boxed()),
    ("list", |peer| list(peer).boxed()),
    ("cancel", |peer| cancel(peer).boxed()),
    ("subscribe", |peer| subscribe(peer).boxed()),
    ("input_required", |peer| input_required(peer).boxed()),
    ("input_required_streamed", |peer| input_required_streamed(peer).boxed()),
];

async fn card(peer: &Peer) -> anyhow::Result<()> {
    equal("the version of the binding", &*peer.interface.protocol_version, "1.0")?;
    equal("streaming", peer.card.capabilities.streaming, Some(true))?;
    ensure!(!peer.card.name.is_empty(), "the name is empty");
    ensure!(peer.card.security_requirements.is_some(), "the card asks for no credentials");
    Ok(())
}

async fn refuses_without_token(peer: &Peer) -> anyhow::Result<()> {
    let answered = peer.stranger.send_message(&say("tck-complete-task")).await;
    ensure!(answered.is_err(), "a stranger was answered");
    Ok(())
}

async fn send(peer: &Peer) -> anyhow::Result<()> {
    let task = peer.send(say("tck-complete-task")).await?;
    equal("the state", &task.status.state, &TaskState::Completed)?;
    let status = task.status.message.context("no status message")?;
    equal("the status", status.text(), Some("Hello from TCK"))?;
    equal("its context", status.context_id, Some(task.context_id))?;
    ensure!(task.status.timestamp.is_some(), "no timestamp");
    let history = task.history.unwrap_or_default();
    equal("the first message", texts(&history).first(), Some(&"tck-complete-task"))
}

async fn send_answered_by_message(peer: &Peer) -> anyhow::Result<()> {
    match peer.client.send_message(&say("tck-message-response")).await? {
        SendMessageResponse::Message(message) => is_direct_message(&message),
        SendMessageResponse::Task(task) => bail!("not a message: {task:?}"),
    }
}

async fn artifacts(peer: &Peer) -> anyhow::Result<()> {
    let file = |part: Part| part.with_filename("output.txt").with_media_type("text/plain");
    // The SDK reads every number as the protocol's `double`.
    let data = serde_json::json!({"key": "value", "count": 42.0});
    let wanted = [
        ("tck-artifact-text", Part::text("Generated text content")),
        ("tck-artifact-file", file(Part::raw(b"Generated file content".to_vec()))),
        ("tck-artifact-file-url", file(Part::url("https://example.com/output.txt"))),
        ("tck-artifact-data", Part::data(data)),
    ];
    for (text, part) in wanted {
        let task = peer.send(say(text)).await?;
        let [artifact] = &task.artifacts.unwrap_or_default()[..] else {
            bail!("{text} brings not one artifact");
        };
        equal(text, &artifact.parts[..], &[part])?;
    }
    Ok(())
}

async fn rejects_and_fails(peer: &Peer) -> anyhow::Result<()> {
    let wanted =
        [("tck-reject-task", TaskState::Rejected), ("tck-task-failure", TaskState::Failed)];
    for (text, state) in wanted {
        equal(text, peer.send(say(text)).await?.status.state, state)?;
    }
    Ok(())
}

async fn stream(peer: &Peer) -> anyhow::Result<()> {
    let events = collect(peer.stream(say("tck-stream-artifact-chunked")).await?).await?;
    let task = snapshot(events.first())?;
    let chunks: Vec<_> = events.iter().filter_map(artifact_update).collect();
    let chunked: Vec<_> = chunks.iter().map(|chunk| joined(&chunk.artifact)).collect();
    equal("the chunks", &chunked[..], ["chunk-1 ", "chunk-2"])?;
    let marks = |mark: fn(&TaskArtifactUpdateEvent) -> Option<bool>| {
        chunks.iter().map(|chunk| mark(chunk).unwrap_or_default()).collect::<Vec<_>>()
    };
    equal("appended", &marks(|chunk| chunk.append)[..], [false, true])?;
    equal("last", &marks(|chunk| chunk.last_chunk)[..], [false, true])?;
    ends_in(&events, TaskState::Completed)?;
    let stored = peer.get(task, None).await?.artifacts.unwrap_or_default();
    equal("stored", stored.first().map(joined).as_deref(), Some("chunk-1 chunk-2"))
}

async fn stream_answered_by_message(peer: &Peer) -> anyhow::Result<()> {
    let events = collect(peer.stream(say("tck-message-response")).await?).await?;
    match &events[..] {
        [StreamResponse::Message(message)] => is_direct_message(message),
        other => bail!("not one message: {other:?}"),
    }
}

async fn get(peer: &Peer) -> anyhow::Result<()> {
    let mut task = peer.send(say("tck-artifact-text")).await?;
    equal("the stored task", &peer.get(&task, None).await?, &task)?;
    for length in [0, 1] {
        let history = peer.get(&task, Some(length)).await?.history.unwrap_or_default();
        equal("messages of history", history.len(), length as usize)?;
    }
    task.id = a2a::new_task_id();
    refused(peer.get(&task, None).await, error_code::TASK_NOT_FOUND)
}

async fn list(peer: &Peer) -> anyhow::Result<()> {
    let first = peer.send(say("tck-artifact-text")).await?;
    let second = peer.send(say_beside(&first, "tck-artifact-text")).await?;
    equal("the context", &second.context_id, &first.context_id)?;

    let request = ListTasksRequest { include_artifacts: Some(true), ..beside(&first) };
    let whole = peer.client.list_tasks(&request).await?;
    equal("listed", &ids(&whole.tasks)[..], [&*second.id, &*first.id])?;
    equal("in total", whole.total_size, 2)?;
    equal("the next page", &*whole.next_page_token, "")?;
    ensure!(whole.tasks.iter().all(|task| task.artifacts.is_some()), "artifacts are missing");

    let request = ListTasksRequest { page_size: Some(1), ..beside(&first) };
    let page = peer.client.list_tasks(&request).await?;
    equal("the first page", &ids(&page.tasks)[..], [&*second.id])?;
    equal("its size and the total", (page.page_size, page.total_size), (1, 2))?;
    ensure!(page.tasks[0].artifacts.is_none(), "artifacts came unasked");
    let request = ListTasksRequest { page_token: Some(page.next_page_token), ..request };
    let page = peer.client.list_tasks(&request).await?;
    equal("the second page", &ids(&page.tasks)[..], [&*first.id])?;
    equal("the last page token", &*page.next_page_token, "")?;

    for (state, count) in [(TaskState::Completed, 2), (TaskState::Working, 0)] {
        let request = ListTasksRequest { status: Some(state), ..beside(&first) };
        equal("in the state", peer.client.list_tasks(&request).await?.tasks.len(), count)?;
    }
    Ok(())
}

async fn cancel(peer: &Peer) -> anyhow::Result<()> {
    let task = peer.send(say_and_leave("tck-cancel")).await?;
    equal("the state", peer.cancel(&task).await?.status.state, TaskState::Canceled)?;
    equal("stored", peer.get(&task, None).await?.status.state, TaskState::Canceled)?;
    refused(peer.cancel(&task).await, error_code::TASK_NOT_CANCELABLE)
}

async fn subscribe(peer: &Peer) -> anyhow::Result<()> {
    let task = peer.send(say_and_leave("tck-cancel")).await?;
    let mut events = peer.subscribe(&task).await?;
    let first = events.next().await.transpose()?;
    equal("the task", &snapshot(first.as_ref())?.id, &task.id)?;
    peer.cancel(&task).await?;
    ends_in(&collect(events).await?, TaskState::Canceled)?;
    let again = async { collect(peer.subscribe(&task).await?).await };
    refused(again.await, error_code::UNSUPPORTED_OPERATION)
}

async fn input_required(peer: &Peer) -> anyhow::Result<()> {
    let task = peer.send(say("tck-input-required")).await?;
    equal("the state", &task.status.state, &TaskState::InputRequired)?;
    let question = task.status.message.as_ref().and_then(Message::text);
    equal("the question", question, Some("Input required by TCK"))?;
    let done = peer.send(answer(&task, "tck-complete-task")).await?;
    equal("the task", (&done.id, &done.context_id), (&task.id, &task.context_id))?;
    equal("the state", done.status.state, TaskState::Completed)?;
    let mut history = done.history.unwrap_or_default();
    history.retain(|message| message.role == Role::User);
    equal("the user said", &texts(&history)[..], ["tck-input-required", "tck-complete-task"])?;
    let late = peer.client.send_message(&answer(&task, "tck-complete-task")).await;
    refused(late, error_code::UNSUPPORTED_OPERATION)
}

async fn input_required_streamed(peer: &Peer) -> anyhow::Result<()> {
    let events = collect(peer.stream(say("tck-input-required")).await?).await?;
    ends_in(&events, TaskState::InputRequired)?;
    let task = snapshot(events.first())?;
    let mut followed = peer.subscribe(task).await?;
    let first = followed.next().await.transpose()?;
    equal("the state", &snapshot(first.as_ref())?.status.state, &TaskState::InputRequired)?;
    let request = answer(task, "tck-stream-artifact-text");
    ends_in(&collect(peer.stream(request).await?).await?, TaskState::Completed)?;
    let rest = collect(followed).await?;
    ends_in(&rest, TaskState::Completed)?;
    equal("artifacts followed", rest.iter().filter_map(artifact_update).count(), 1)
}

fn equal<G, W>(what: &str, got: G, wanted: W) -> anyhow::Result<()>
where
    G: PartialEq<W> + Debug,
    W: Debug,
{
    ensure!(got == wanted, "{what}: {got:?}, not {wanted:?}");
    Ok(())
}

fn refused<T: Debug>(answered: Result<T, A2AError>, code: i32) -> anyhow::Result<()> {
    match answered {
        Err(error) => equal(&format!("the code of `{error}`"), error.code, code),
        Ok(answer) => bail!("not refused with {code}: {answer:?}"),
    }
}

fn is_direct_message(message: &Message) -> anyhow::Result<()> {
    equal("the text", message.text(), Some("Direct message response"))?;
    equal("the role", &message.role, &Role::Agent)?;
    ensure!(message.context_id.is_some(), "the message has no context");
    Ok(())
}

fn snapshot(event: Option<&StreamResponse>) -> anyhow::Result<&Task> {
    match event {
        Some(StreamResponse::Task(task)) => Ok(task),
        other => bail!("not a task first, but {}", other.map_or("nothing", kind)),
    }
}

fn kind(event: &StreamResponse) -> &'static str {
    match event {
        StreamResponse::Task(_) => "a task",
        StreamResponse::Message(_) => "a message",
        StreamResponse::StatusUpdate(_) => "a status",
        StreamResponse::ArtifactUpdate(_) => "an artifact",
    }
}

fn artifact_update(event: &StreamResponse) -> Option<&TaskArtifactUpdateEvent> {
    if let StreamResponse::ArtifactUpdate(update) = event { Some(update) } else { None }
}

fn ends_in(events: &[StreamResponse], state: TaskState) -> anyhow::Result<()> {
    match events.last() {
        Some(StreamResponse::StatusUpdate(update)) => {
            equal("the last state", &update.status.state, &state)
        }
        other => bail!("not a status last, but {}", other.map_or("nothing", kind)),
    }
}

fn joined(artifact: &Artifact) -> String {
    let text = |part: &Part| match &part.content {
        PartContent::Text(text) => text.clone(),
        PartContent::Raw(_) | PartContent::Url(_) | PartContent::Data(_) => "?".into(),
    };
    artifact.parts.iter().map(text).collect()
}

fn ids(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| &*task.id).collect()
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::text).collect()
}
