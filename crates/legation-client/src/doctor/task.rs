//! Begins a task, and does with it what can be done with tasks.

use legation_model::{
    CancelTaskRequest, ErrorKind, GetTaskRequest, ListTasksRequest, ListTasksResponse, Request,
    StreamResponse, SubscribeToTaskRequest, Task, TaskId, TaskState,
};

use super::answer::{Answer, words};
use super::checks::{CANCEL, GET, LIST, SUBSCRIBE};
use super::heard::{Opened, Refusal, Trouble};
use super::interface::denied;
use super::line::{Caller, Line};
use super::message::{hello, read};
use super::reach::Arrival;
use super::stream::follow;
use super::{Checked, Notes, Plan, excerpt};
use crate::Version;

/// Begins a task with the plan's text, looks at it, follows it and cancels it.
pub(super) async fn examine(notes: &mut Notes<'_>, arrival: &Arrival, line: &Line, plan: &Plan) {
    let id = match begin(line, plan).await {
        Ok(id) => id,
        Err(why) => return note(notes, line, GET.skipped(why)),
    };
    let (checked, state) = get(line, &id).await;
    note(notes, line, checked);
    if line.endpoint.version() == Version::V1_0 {
        let checked = list(line, &id).await;
        note(notes, line, checked);
    }
    if arrival.card().capabilities.streaming == Some(true) {
        let checked = subscribe(line, &id, state).await;
        note(notes, line, checked);
    }
    let checked = cancel(line, &id).await;
    note(notes, line, checked);
}

fn note(notes: &mut Notes<'_>, line: &Line, checked: Checked) {
    notes.add(checked.among(line.readers()).at(&*line.at));
}

async fn begin(line: &Line, plan: &Plan) -> Result<TaskId, String> {
    let mut send = hello(plan);
    // So that it may still be at work.
    send.configuration.return_immediately = true;
    let heard = line.ask(&mut Request::SendMessage(send), Caller::Known).await;
    let heard = heard.map_err(|trouble| format!("no task was begun: {trouble}"))?;
    if heard.is_denied() {
        return Err(denied(line, &heard));
    }
    let item = heard.result.and_then(|document| read(&document));
    let item = item.map_err(|refusal| format!("no task was begun: {refusal}"))?;
    Answer::of(&item).task.ok_or_else(|| "the agent answers with messages, without tasks".into())
}

async fn get(line: &Line, id: &TaskId) -> (Checked, Option<TaskState>) {
    let get = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
    match task(line, Request::GetTask(get)).await {
        Ok(task) if task.id == *id => {
            let state = task.status.state;
            (GET.passed(format!("it is {}", words(state))), Some(state))
        }
        Ok(task) => (GET.failed(format!("another task came: {}", excerpt(task.id.as_str()))), None),
        Err(why) => (GET.failed(why), None),
    }
}

async fn task(line: &Line, mut asked: Request) -> Result<Task, String> {
    let heard = line.ask(&mut asked, Caller::Known).await.map_err(|it| it.to_string())?;
    let document = heard.result.map_err(|refusal| refusal.to_string())?;
    serde_json::from_slice(&document).map_err(|fault| excerpt(&fault.to_string()))
}

async fn list(line: &Line, id: &TaskId) -> Checked {
    let mut asked = Request::ListTasks(ListTasksRequest::default());
    let heard = match line.ask(&mut asked, Caller::Known).await {
        Ok(heard) => heard,
        Err(trouble) => return LIST.failed(trouble.to_string()),
    };
    let document = match heard.result {
        Ok(document) => document,
        Err(refusal) => return LIST.warned(refusal.to_string()),
    };
    match serde_json::from_slice::<ListTasksResponse>(&document) {
        Ok(page) if page.tasks.iter().any(|task| task.id == *id) => {
            LIST.passed(format!("the task is among {}", page.total_size))
        }
        Ok(_) => {
            LIST.warned("the task is not on the first page, which should begin with the newest")
        }
        Err(fault) => LIST.failed(excerpt(&fault.to_string())),
    }
}

async fn subscribe(line: &Line, id: &TaskId, state: Option<TaskState>) -> Checked {
    let subscription = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
    let has_ended = state.is_some_and(TaskState::is_terminal);
    match line.open(&mut Request::SubscribeToTask(subscription)).await {
        Ok(Opened::Stream(response)) => {
            let course = follow(line, response, |course| !course.items.is_empty()).await;
            if let Some(error) = course.refusal() {
                // Some begin the stream before they look.
                return refused(line, id, &Refusal::Error(error.clone(), None), has_ended).await;
            }
            let is_task = matches!(course.items.first(), Some(StreamResponse::Task(_)));
            match (has_ended, line.endpoint.version()) {
                (false, Version::V1_0) if !is_task => {
                    SUBSCRIBE.failed("the stream does not begin with the task")
                }
                (true, Version::V1_0) => {
                    SUBSCRIBE.warned("the task had ended, and a stream came all the same")
                }
                (_, _) if course.items.is_empty() => SUBSCRIBE.warned("the stream said nothing"),
                (_, _) => SUBSCRIBE.passed("a stream came"),
            }
        }
        Ok(Opened::Whole(heard, _)) => match &heard.result {
            Ok(_) => SUBSCRIBE.failed("the answer is no stream"),
            Err(refusal) => refused(line, id, refusal, has_ended).await,
        },
        Err(Trouble::Unsayable) => SUBSCRIBE.skipped("the version has no such call"),
        Err(trouble) => SUBSCRIBE.failed(trouble.to_string()),
    }
}

async fn refused(line: &Line, id: &TaskId, refusal: &Refusal, had_ended: bool) -> Checked {
    // Tasks end while one looks.
    let has_ended = had_ended || get(line, id).await.1.is_some_and(TaskState::is_terminal);
    let is_known = match refusal {
        Refusal::Error(error, _) if error.kind == ErrorKind::UnsupportedOperation => true,
        // Before 1.0 each agent refuses in its own way.
        Refusal::Error(..) => line.endpoint.version() != Version::V1_0,
        Refusal::Nonsense(_) => false,
    };
    match (has_ended, is_known) {
        (true, true) => {
            SUBSCRIBE.passed(format!("the task had ended, and the agent says {refusal}"))
        }
        (true, false) => {
            SUBSCRIBE.warned(format!("the task had ended, and the agent says {refusal}"))
        }
        (false, _) => SUBSCRIBE.failed(refusal.to_string()),
    }
}

async fn cancel(line: &Line, id: &TaskId) -> Checked {
    let mut asked =
        Request::CancelTask(CancelTaskRequest { tenant: None, id: id.clone(), metadata: None });
    let heard = match line.ask(&mut asked, Caller::Known).await {
        Ok(heard) => heard,
        Err(trouble) => return CANCEL.failed(trouble.to_string()),
    };
    let ended = matches!(get(line, id).await.1, Some(state) if state.is_terminal());
    match &heard.result {
        Ok(document) => match serde_json::from_slice::<Task>(document) {
            Ok(task) if task.status.state == TaskState::Canceled => CANCEL.passed("it is canceled"),
            Ok(task) => CANCEL.warned(format!("it is {} afterwards", words(task.status.state))),
            Err(fault) => CANCEL.failed(excerpt(&fault.to_string())),
        },
        Err(refusal) => match (heard.kind(), ended) {
            (Some(ErrorKind::TaskNotCancelable), true) => {
                CANCEL.passed(format!("the task had ended, and the agent says {refusal}"))
            }
            (_, true) => CANCEL.warned(format!("the task had ended, and the agent says {refusal}")),
            (_, false) => CANCEL.failed(refusal.to_string()),
        },
    }
}
