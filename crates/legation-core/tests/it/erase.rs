//! Erasing a context, through the extension that offers it.

use futures::StreamExt as _;
use legation_core::{
    AuditAction, AuditOutcome, CONTEXTS_EXTENSION, Call, ERASE_CONTEXT, ERASE_SUBJECT,
    EraseContext, Erased, Scopes,
};
use legation_model::{
    A2aError, ContextId, ErrorKind, GetTaskRequest, Json, Request, SendMessageRequest, TaskId,
};

use crate::bench::{Bench, by, message};

async fn erase(bench: &Bench, subject: &str, params: Option<&Json>) -> Result<Erased, A2aError> {
    let call = Call { extensions: vec![CONTEXTS_EXTENSION.to_owned()], ..by(subject) };
    let answer = bench.service.call_extension(&call, ERASE_CONTEXT, params).await;
    answer.expect("such a method").map(|json| json.read().expect("numbers"))
}

fn params(context: &str) -> Json {
    let context_id = ContextId::parse(context).expect("a valid id");
    Json::from_value(&EraseContext { context_id }).expect("JSON")
}

fn within(context: &str, text: &str) -> SendMessageRequest {
    let mut request = message(text);
    request.message.context_id = Some(ContextId::parse(context).expect("a valid id"));
    request
}

async fn fault(bench: &Bench, subject: &str, id: &TaskId) -> Option<ErrorKind> {
    let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
    let reply = bench.service.call(&by(subject), Request::GetTask(request)).await;
    reply.err().map(|error| error.kind)
}

#[tokio::test]
async fn what_is_erased_is_gone_for_its_readers_as_well() {
    let bench = Bench::new();
    let answered = bench.send(within("c", "answer")).await;
    let asking = bench.send(within("c", "ask")).await;
    let other = bench.send(within("d", "answer")).await;
    let bobs = Request::SendMessage(within("c", "answer"));
    bench.service.call(&by("bob"), bobs).await.expect("a task of bob's");

    // The reader keeps the task in memory.
    let mut reader = bench.subscribe(&asking.id, None).await.expect("a stream");
    reader.next().await.expect("the task").expect("no error");
    let erased = erase(&bench, "ann", Some(&params("c"))).await;
    assert_eq!(erased.expect("nothing is at work"), Erased { tasks: 2, ..Erased::default() });
    let end = reader.next().await.expect("a last word").expect_err("the task is gone");
    assert_eq!(end.kind, ErrorKind::TaskNotFound);
    assert!(reader.next().await.is_none());

    for id in [&answered.id, &asking.id] {
        assert_eq!(fault(&bench, "ann", id).await, Some(ErrorKind::TaskNotFound));
    }
    assert_eq!(fault(&bench, "ann", &other.id).await, None);
    let again = erase(&bench, "ann", Some(&params("c"))).await;
    assert_eq!(again.expect("nothing is at work"), Erased::default());
    let bobs = erase(&bench, "bob", Some(&params("c"))).await;
    assert_eq!(bobs.expect("nothing is at work").tasks, 1);
}

#[tokio::test]
async fn a_task_at_work_keeps_its_context_until_it_has_ended() {
    let bench = Bench::new();
    let task = bench.send_at_once(within("c", "wait")).await;
    let error = erase(&bench, "ann", Some(&params("c"))).await.expect_err("it is at work");
    assert_eq!(error.kind, ErrorKind::UnsupportedOperation);
    assert!(error.message.contains(task.id.as_str()), "{error}");
    bench.gate.notify_one();
    bench.ended(&task.id).await;
    let erased = erase(&bench, "ann", Some(&params("c"))).await;
    assert_eq!(erased.expect("nothing is at work").tasks, 1);
}

/// What somebody has goes as a whole, by his own wish or by that of whom the scope for it names.
#[tokio::test]
async fn all_that_somebody_has_is_erased() {
    let bench = Bench::new();
    let bobs = async |context: &str| {
        let request = Request::SendMessage(within(context, "answer"));
        bench.service.call(&by("bob"), request).await.expect("a task of bob's");
    };
    let erase = async |caller: &Call, params: &str| -> Result<Erased, A2aError> {
        let params = Json::parse(params).expect("JSON");
        let answer = bench.service.call_extension(caller, ERASE_SUBJECT, Some(&params)).await;
        answer.expect("such a method").map(|json| json.read().expect("numbers"))
    };
    let named = |subject: &str, scopes: Scopes| {
        let mut call = Call { extensions: vec![CONTEXTS_EXTENSION.to_owned()], ..by(subject) };
        call.caller.scopes = scopes;
        call
    };
    let only = |scopes: &[&str]| Scopes::Only(scopes.iter().map(|scope| (*scope).into()).collect());
    let kept = bench.send(within("c", "answer")).await;
    bench.send(within("d", "ask")).await;
    bobs("c").await;
    bobs("e").await;

    // Credentials for whatever there is are everybody's, and not for what others have.
    for scopes in [Scopes::All, only(&["erase"]), only(&["admin"])] {
        let error = erase(&named("bob", scopes), r#"{"subject":"ann"}"#).await.expect_err("no");
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    }
    let erased = erase(&named("bob", Scopes::All), "{}").await.expect("his own");
    assert_eq!(erased, Erased { tasks: 2, ..Erased::default() });
    assert_eq!(fault(&bench, "ann", &kept.id).await, None);
    let admin = named("operator", only(&["erase", "admin"]));
    let erased = erase(&admin, r#"{"subject":"ann"}"#).await.expect("the scope is named");
    assert_eq!(erased.tasks, 2);
    assert_eq!(fault(&bench, "ann", &kept.id).await, Some(ErrorKind::TaskNotFound));
    let audited: Vec<_> = bench.audited().into_iter().map(|entry| entry.event).collect();
    let done = audited.iter().filter(|event| event.action == AuditAction::EraseSubject);
    let done: Vec<_> = done.map(|event| (&*event.actor.subject, &*event.target)).collect();
    assert_eq!(done, [("bob", "bob"), ("operator", "ann")]);

    let task = bench.send_at_once(within("c", "wait")).await;
    let error = erase(&named("ann", Scopes::All), "{}").await.expect_err("it is at work");
    assert!(error.message.contains(task.id.as_str()), "{error}");
    let entry = bench.audited().pop().expect("what came to nothing");
    let event = (entry.event.action, entry.event.outcome, &*entry.event.target);
    assert_eq!(event, (AuditAction::EraseSubject, AuditOutcome::Failed, "ann"));
    let expected = format!("0 tasks, 0 results, 0 idempotency keys, then: {}", error.message);
    assert_eq!(entry.event.detail, expected);
    bench.gate.notify_one();
    bench.ended(&task.id).await;
    let error = erase(&named("ann", Scopes::All), r#"{"subject":7}"#).await.expect_err("no name");
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    bench.store.close();
    let error = erase(&named("ann", Scopes::All), "{}").await.expect_err("it cannot write");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let entry = bench.audited().pop().expect("what came to nothing");
    assert!(entry.event.detail.contains(&error.message), "{entry:?}");
}

#[tokio::test]
async fn limited_credentials_need_the_scope_for_it() {
    let bench = Bench::new();
    bench.send(within("c", "answer")).await;
    let only = |scope: &str| {
        let mut call = Call { extensions: vec![CONTEXTS_EXTENSION.to_owned()], ..by("ann") };
        call.caller.scopes = Scopes::Only([scope.into()].into());
        call
    };
    for (scope, expected) in [
        ("send", Err(ErrorKind::PermissionDenied)),
        ("cancel", Err(ErrorKind::PermissionDenied)),
        ("erase", Ok(1)),
    ] {
        let params = params("c");
        let answer = bench.service.call_extension(&only(scope), ERASE_CONTEXT, Some(&params)).await;
        let got = answer
            .expect("such a method")
            .map(|json| json.read::<Erased>().expect("numbers").tasks);
        assert_eq!(got.map_err(|error| error.kind), expected, "{scope}");
    }
}

#[tokio::test]
async fn the_context_has_to_be_named() {
    let bench = Bench::new();
    for params in [None, Some("[]"), Some("{}"), Some(r#"{"contextId":""}"#)] {
        let params = params.map(|params| Json::parse(params).expect("JSON"));
        let error = erase(&bench, "ann", params.as_ref()).await.expect_err("a refusal");
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert_eq!(error.violations[0].field, "contextId");
    }
}
