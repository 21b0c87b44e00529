//! How much callers may store.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use legation_core::{
    CONTEXTS_EXTENSION, Call, Caller, ERASE_CONTEXT, Limits, OnRestart, Quota, Quotas, Reply,
};
use legation_model::{A2aError, ErrorKind, Json, Request, SendMessageRequest, Task};

use crate::bench::{Bench, by, further, message};

fn bench(quotas: Quotas) -> Bench {
    Bench::with(OnRestart::Fail, Limits { quotas, ..Limits::default() })
}

fn all(all: Quota) -> Quotas {
    Quotas { all, tenants: Vec::new() }
}

fn known(tenant: &str, subject: &str) -> Call {
    Call::by(Caller { scheme: "bearer".into(), ..Caller::new(tenant, subject) })
}

async fn send(bench: &Bench, call: &Call, request: SendMessageRequest) -> Result<Task, A2aError> {
    match bench.service.call(call, Request::SendMessage(request)).await? {
        Reply::SentTask(task) => Ok(task.read().expect("a task")),
        other => panic!("not a task: {other:?}"),
    }
}

async fn begin(bench: &Bench, call: &Call) -> Result<Task, A2aError> {
    send(bench, call, message("answer")).await
}

/// A test may run over midnight, once in a long while: then what it has begun is of yesterday.
fn is_told_to_wait(error: &A2aError, whose: &str) {
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert!(error.message.contains(whose), "{error}");
    let day = Duration::from_secs(24 * 3_600);
    assert!(error.retry_after.is_some_and(|wait| wait <= day), "{error:?}");
}

#[tokio::test]
async fn a_tenant_and_a_caller_begin_so_many_tasks_a_day_also_after_a_restart() {
    let quota = Quota { tasks_per_day: Some(3), caller_tasks_per_day: Some(2), ..Quota::default() };
    let more = Quota { caller_tasks_per_day: Some(4), tasks_per_day: Some(4), ..quota };
    let quotas = Quotas { all: quota, tenants: vec![("large".into(), more)] };
    let bench = bench(quotas.clone());
    let [ann, bob] = ["ann", "bob"].map(|subject| known("t", subject));
    begin(&bench, &ann).await.expect("the first");
    let asked = send(&bench, &ann, message("ask")).await.expect("the second");
    is_told_to_wait(&begin(&bench, &ann).await.expect_err("the caller's are used up"), "caller");
    send(&bench, &ann, further(&asked, "answer")).await.expect("what is begun goes on");
    begin(&bench, &bob).await.expect("somebody else's");
    is_told_to_wait(&begin(&bench, &bob).await.expect_err("the tenant's are used up"), "tenant");
    let large = known("large", "ann");
    for _ in 0..4 {
        begin(&bench, &large).await.expect("a tenant with more");
    }
    is_told_to_wait(&begin(&bench, &large).await.expect_err("used up"), "tenant");
    // As a crash leaves it.
    let Bench { service, store, dir, .. } = bench;
    service.stop(Duration::ZERO).await;
    drop(service);
    store.close();
    drop(store);
    let limits = Limits { quotas, ..Limits::default() };
    let bench = Bench::in_dir(dir, OnRestart::Fail, limits);
    for call in [&ann, &bob, &large] {
        is_told_to_wait(&begin(&bench, call).await.expect_err("as before"), "");
    }
    assert_eq!(bench.audited().len(), 3, "it is noted");
}

#[tokio::test]
async fn of_many_at_once_none_gets_in_too_much() {
    let bench = Arc::new(bench(all(Quota { tasks_per_day: Some(10), ..Quota::default() })));
    let (ann, bob) = (known("t", "ann"), known("t", "bob"));
    let sends = (0..40).map(|number| {
        let (bench, call) = (bench.clone(), if number % 2 == 0 { &ann } else { &bob }.clone());
        tokio::spawn(async move { begin(&bench, &call).await.is_ok() })
    });
    let sent = join_all(sends).await;
    let count = sent.into_iter().filter(|sent| *sent.as_ref().expect("no panic")).count();
    assert!((1..=10).contains(&count), "{count}");
    // Those that were refused because others were on their way left their places.
    let mut more = 0;
    while begin(&bench, &ann).await.is_ok() {
        more += 1;
    }
    assert_eq!(count + more, 10);
}

#[tokio::test]
async fn whoever_erases_has_room_again() {
    let quota = Quota { stored_bytes: Some(1), ..Quota::default() };
    let bench = bench(all(quota));
    let ann = Call { extensions: vec![CONTEXTS_EXTENSION.to_owned()], ..known("t", "ann") };
    let task = send(&bench, &ann, message("ask")).await.expect("there is room");
    for request in [message("answer"), further(&task, "answer")] {
        let error = send(&bench, &ann, request).await.expect_err("there is none");
        assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, None));
        assert!(error.message.contains("erase contexts"), "{error}");
    }
    begin(&bench, &known("u", "ann")).await.expect("another tenant has its own");
    let context = task.context_id.expect("a context");
    let params = Json::parse(&format!(r#"{{"contextId":"{context}"}}"#)).expect("JSON");
    let erased = bench.service.call_extension(&ann, ERASE_CONTEXT, Some(&params)).await;
    erased.expect("such a method").expect("nothing is at work");
    begin(&bench, &ann).await.expect("there is room again");
}

/// A repetition of what was begun is answered as the first was, and nobody in particular is no caller.
#[tokio::test]
async fn what_is_no_new_task_of_a_caller_does_not_count_as_one() {
    let quota = Quota { caller_tasks_per_day: Some(1), ..Quota::default() };
    let bench = bench(all(quota));
    let ann = Call { idempotency_key: Some("once".into()), ..known("t", "ann") };
    let first = begin(&bench, &ann).await.expect("the first");
    assert_eq!(begin(&bench, &ann).await.expect("a repetition").id, first.id);
    for _ in 0..3 {
        begin(&bench, &by("anybody")).await.expect("no caller");
    }
}
