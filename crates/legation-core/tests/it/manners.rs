//! What callers of older generations expect: names of their own, streams that end at rest.

use legation_core::{Call, Manners, Reply};
use legation_model::{
    A2aError, ErrorKind, GetTaskRequest, Request, SendMessageRequest, SubscribeToTaskRequest, Task,
    TaskId, TaskState,
};

use crate::bench::{Bench, by, counted, items, message, short};

fn older(subject: &str) -> Call {
    let manners = Manners { streams_end_at_rest: true, names_tasks: true };
    Call { manners, ..by(subject) }
}

fn named(id: &str, text: &str) -> SendMessageRequest {
    let mut request = message(text);
    request.message.task_id = Some(TaskId::parse(id).expect("a valid identifier"));
    request
}

async fn send(bench: &Bench, call: &Call, request: SendMessageRequest) -> Result<Task, A2aError> {
    match bench.service.call(call, Request::SendMessage(request)).await? {
        Reply::SentTask(task) => task.read(),
        other => panic!("not a task: {other:?}"),
    }
}

async fn follow(bench: &Bench, id: &TaskId) -> Vec<String> {
    let request = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
    match bench.service.call(&older("ann"), Request::SubscribeToTask(request)).await {
        Ok(Reply::Stream(follow)) => short(&items(follow).await),
        other => panic!("not a stream: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_is_not_there_begins_a_task() {
    let bench = Bench::new();
    let asked = send(&bench, &older("ann"), named("mine", "2 ask")).await.expect("a task");
    assert_eq!((asked.id.as_str(), asked.status.state), ("mine", TaskState::InputRequired));
    let done = send(&bench, &older("ann"), named("mine", "3 answer")).await.expect("a task");
    assert_eq!(counted(&done), ["1", "2", "3", "the answer"]);
    let error = send(&bench, &older("ann"), named("mine", "again")).await.expect_err("it ended");
    assert_eq!(error.kind, ErrorKind::UnsupportedOperation);
    // Others see the same task, and only those who choose names may choose one.
    assert_eq!(bench.get(&done.id).await, done);
    let error = send(&bench, &by("ann"), named("other", "answer")).await.expect_err("no such task");
    assert_eq!(error.kind, ErrorKind::TaskNotFound);
}

#[tokio::test]
async fn names_are_a_callers_own() {
    let bench = Bench::new();
    for subject in ["ann", "bob"] {
        let task = send(&bench, &older(subject), named("1", &format!("ask {subject}"))).await;
        assert_eq!(task.expect("a task").history.len(), 2);
    }
    let bench = bench.restart(legation_core::OnRestart::Fail).await;
    for subject in ["ann", "bob"] {
        let id = TaskId::parse("1").expect("a valid identifier");
        let request = GetTaskRequest { tenant: None, id, history_length: None };
        let reply = bench.service.call(&by(subject), Request::GetTask(request)).await;
        let Ok(Reply::Task(task)) = reply else { panic!("not a task: {reply:?}") };
        let task: Task = task.read().expect("a task");
        assert_eq!(task.history[0].text(), format!("ask {subject}"));
    }
}

#[tokio::test]
async fn copies_of_a_new_name_make_one_task() {
    let bench = Bench::new();
    for round in 0..20 {
        let id = format!("task-{round}");
        let call = older("ann");
        let copies = (0..4).map(|_| send(&bench, &call, named(&id, "next")));
        let sends = futures::future::join_all(copies);
        for result in tokio::time::timeout(std::time::Duration::from_secs(30), sends)
            .await
            .expect("the second message is the first one's answer")
        {
            match result {
                Ok(task) => assert_eq!(task.id.as_str(), id),
                // Its turn was over, or it came while the first was just beginning.
                Err(error) => assert!(
                    matches!(error.kind, ErrorKind::UnsupportedOperation | ErrorKind::Unavailable),
                    "{error:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn a_direct_answer_gets_a_task_as_well() {
    let bench = Bench::new();
    let task = send(&bench, &older("ann"), named("t", "hello")).await.expect("a task");
    assert_eq!(task.status.state, TaskState::Completed);
    assert_eq!(task.status.message.as_ref().map(|message| message.text()).as_deref(), Some("hi"));
    assert_eq!(bench.get(&task.id).await, task);
}

#[tokio::test]
async fn a_subscription_ends_when_the_task_comes_to_rest() {
    let bench = Bench::new();
    let task = bench.begin("wait 1 ask").await;
    let (events, ()) = tokio::join!(follow(&bench, &task.id), async {
        tokio::task::yield_now().await;
        bench.gate.notify_one();
    });
    assert_eq!(events.last().map(String::as_str), Some("4 INPUT_REQUIRED"), "{events:?}");
    // Whoever comes later is told the status once more, to end on.
    assert_eq!(follow(&bench, &task.id).await, ["4 task INPUT_REQUIRED", "- INPUT_REQUIRED"]);
    let done = bench.say("answer").await;
    assert_eq!(follow(&bench, &done.id).await, ["4 task COMPLETED", "- COMPLETED"]);
}
