//! Getting and listing.

use legation_core::Reply;
use legation_model::{
    ErrorKind, GetTaskRequest, ListTasksRequest, ListTasksResponse, Request, TaskState,
};

use crate::bench::{Bench, by, kind};

async fn list(bench: &Bench, request: ListTasksRequest) -> ListTasksResponse {
    match bench.call(Request::ListTasks(request)).await {
        Ok(Reply::Tasks(page)) => page.read().expect("a page"),
        other => panic!("not a page: {other:?}"),
    }
}

#[tokio::test]
async fn pages_are_complete_and_newest_first() {
    let bench = Bench::new();
    for _ in 0..7 {
        bench.say("answer").await;
    }
    for _ in 0..3 {
        bench.say("ask").await;
    }
    let mut seen = Vec::new();
    let mut request = ListTasksRequest { page_size: Some(4), ..ListTasksRequest::default() };
    loop {
        let page = list(&bench, request.clone()).await;
        assert_eq!((page.total_size, page.page_size), (10, 4));
        seen.extend(page.tasks);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = Some(page.next_page_token);
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted_by_key(|task| std::cmp::Reverse(task.status.timestamp)));
    assert!(seen.iter().all(|task| task.artifacts.is_empty()));

    let waiting = ListTasksRequest {
        status: Some(TaskState::InputRequired),
        include_artifacts: true,
        history_length: Some(1),
        ..ListTasksRequest::default()
    };
    let page = list(&bench, waiting).await;
    assert_eq!((page.tasks.len(), page.total_size), (3, 3));
    assert!(page.tasks.iter().all(|task| task.history.len() == 1));
}

#[tokio::test]
async fn a_foreign_task_is_as_absent_as_an_unknown_one() {
    let bench = Bench::new();
    let task = bench.begin("wait answer").await;
    let get = || {
        let id = task.id.clone();
        Request::GetTask(GetTaskRequest { tenant: None, id, history_length: None })
    };
    assert_eq!(kind(bench.service.call(&by("bob"), get()).await), ErrorKind::TaskNotFound);
    let everything = Request::ListTasks(ListTasksRequest::default());
    let listed = bench.service.call(&by("bob"), everything).await;
    let Ok(Reply::Tasks(page)) = listed else { panic!("not a page") };
    let page: ListTasksResponse = page.read().expect("a page");
    assert_eq!((page.tasks.len(), page.total_size), (0, 0));
    bench.gate.notify_one();
    bench.ended(&task.id).await;
}
