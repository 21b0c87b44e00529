//! What callers of older generations expect: names of their own, streams that end at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Call, Manners, Profile, Reply, Service, Turn};
use legation_model::{
    A2aError, ErrorKind, GetTaskRequest, Message, Request, SendMessageRequest, StreamResponse,
    SubscribeToTaskRequest, Task, TaskId, TaskState,
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
    follow_after(bench, id, None).await
}

async fn follow_after(bench: &Bench, id: &TaskId, last_event: Option<u64>) -> Vec<String> {
    let request = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
    let call = Call { last_event, ..older("ann") };
    match bench.service.call(&call, Request::SubscribeToTask(request)).await {
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

/// Thinks for a while whether to answer at once, and counts how often it is put to work.
struct Counting(Arc<AtomicUsize>);

#[async_trait]
impl Agent for Counting {
    async fn reply(&self, message: &Message) -> Option<Message> {
        let pause: u64 = message.text().parse().unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        None
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        turn.answer("done").await
    }
}

fn serving(bench: &Bench, slugs: &[&str]) -> (Arc<Service>, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut service = Service::builder(bench.store.clone());
    for slug in slugs {
        service = service.agent(Profile::new(slug, slug, "Counts"), Counting(runs.clone()));
    }
    (service.build().expect("agents with slugs of their own"), runs)
}

#[tokio::test]
async fn copies_of_a_new_name_begin_one_task() {
    let bench = Bench::new();
    let (service, runs) = serving(&bench, &["counting"]);
    for round in 1..=10 {
        let id = format!("task-{round}");
        // Some are still asking the agent when the task of others has ended.
        let copies = (0..6).map(|copy| {
            let request = Request::SendMessage(named(&id, &(copy * 10).to_string()));
            let service = service.clone();
            async move { service.call(&older("ann"), request).await }
        });
        let mut taken = 0;
        for result in futures::future::join_all(copies).await {
            match result {
                Ok(_) => taken += 1,
                Err(error) => assert_eq!(error.kind, ErrorKind::UnsupportedOperation, "{error:?}"),
            }
        }
        // Nobody was put to work on a message that was not taken. One that comes while the first is
        // worked on is a further one.
        let runs = runs.swap(0, Ordering::Relaxed);
        assert!(runs >= 1 && runs <= taken, "{runs} runs for {taken} messages");
    }
}

#[tokio::test]
async fn one_name_with_two_agents_is_the_oldest_task_to_the_crew() {
    let bench = Bench::new();
    let (service, _) = serving(&bench, &["one", "two"]);
    let mount = |slug: &str| Call { agent: Some(slug.into()), ..older("ann") };
    let mut first = None;
    for slug in ["one", "two"] {
        let request = Request::SendMessage(named("x", "0"));
        let Ok(Reply::SentTask(task)) = service.call(&mount(slug), request).await else {
            panic!("each agent takes the name")
        };
        first.get_or_insert(task.read::<Task>().expect("a task"));
    }
    let first = first.expect("two tasks");
    let id = first.id.clone();
    // The younger one is live now, the older one is not.
    let two = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
    let _live = service.call(&mount("two"), Request::SubscribeToTask(two.clone())).await;
    let crew = service.call(&older("ann"), Request::SubscribeToTask(two)).await;
    let Ok(Reply::Stream(follow)) = crew else { panic!("not a stream: {crew:?}") };
    let items = items(follow).await;
    assert!(
        matches!(&items[0].1, StreamResponse::Task(task) if task.context_id == first.context_id)
    );
    let get = GetTaskRequest { tenant: None, id, history_length: None };
    let Ok(Reply::Task(task)) = service.call(&by("ann"), Request::GetTask(get)).await else {
        panic!("the crew has a task of that name")
    };
    assert_eq!(task.read::<Task>().expect("a task").context_id, first.context_id);
}

#[tokio::test]
async fn a_name_is_part_of_addresses() {
    let bench = Bench::new();
    let error = send(&bench, &older("ann"), named("a/b", "answer")).await.expect_err("a refusal");
    assert_eq!(error.violations[0].field, "message.taskId");
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
    assert_eq!(follow_after(&bench, &done.id, Some(4)).await, ["- task COMPLETED", "- COMPLETED"]);
    assert_eq!(follow_after(&bench, &done.id, Some(3)).await, ["- task WORKING", "4 COMPLETED"]);
}
