//! What of calls is in the audit log.

use std::time::Duration;

use legation_core::{
    CONTEXTS_EXTENSION, Call, Caller, ERASE_CONTEXT, Limits, Needs, OnRestart, Rate, Scopes,
};
use legation_model::{
    AgentSkill, ContextId, ErrorKind, Json, ListTasksRequest, Metadata, Request,
    SendMessageRequest, Task,
};

use crate::bench::{Bench, by, kind, message};

fn list() -> Request {
    Request::ListTasks(ListTasksRequest::default())
}

#[tokio::test]
async fn refusals_for_rights_and_rates_are_noted_with_who_and_where_from() {
    let rate = Rate { count: 5, within: Duration::from_secs(3_600), ..Rate::default() };
    let limits = Limits { rates: vec![rate], ..Limits::default() };
    let bench = Bench::with(OnRestart::Fail, limits);
    let caller = Caller {
        scheme: "bearer".into(),
        address: Some([10, 0, 0, 7].into()),
        scopes: Scopes::Only(["read".into()].into()),
        ..Caller::new("t", "eve")
    };
    let call = Call { agent: Some("scripted".into()), ..Call::by(caller) };
    for _ in 0..3 {
        let refused = bench.service.call(&call, Request::SendMessage(message("answer"))).await;
        refused.expect_err("not in the scopes");
    }
    // What was refused has counted as well.
    for expected in [true, true, false, false] {
        assert_eq!(bench.service.call(&call, list()).await.is_ok(), expected);
    }
    bench.call(list()).await.expect("somebody else");
    let unknown = Call { agent: Some("nobody".into()), ..by("ann") };
    bench.service.call(&unknown, Request::SendMessage(message("x"))).await.expect_err("no agent");
    let mut seen: Vec<_> = bench
        .audited()
        .into_iter()
        .map(|entry| (entry.event.outcome.name(), entry.count, entry.event))
        .collect();
    // What was noted within one millisecond is written in any order.
    seen.sort_by_key(|(outcome, ..)| *outcome);
    let [(limited, 2, second), (refused, 3, first)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((*refused, *limited), ("refused", "limited"));
    for event in [first, second] {
        let (actor, address) = (&event.actor, Some([10, 0, 0, 7].into()));
        assert_eq!((&*actor.tenant, &*actor.subject, &*actor.scheme), ("t", "eve", "bearer"));
        assert_eq!((actor.address, &*event.target), (address, "scripted"));
        assert_eq!(event.action.name(), "call");
    }
    assert!(first.detail.contains("`send`"), "{}", first.detail);
}

/// Who asks for a skill that is hidden is told that there is none, and the operator reads otherwise.
#[tokio::test]
async fn who_asks_for_what_is_hidden_or_not_allowed_is_noted() {
    let bench = Bench::serving(Limits::default(), |profile| {
        let skill = |id: &str| AgentSkill { id: id.into(), ..AgentSkill::default() };
        let paid = Needs { scopes: vec!["pay".into()], ..Needs::default() };
        profile.skills = ["open", "paid"].map(skill).into();
        profile.access.needs = vec![("paid".into(), paid.clone()), ("secret".into(), paid)];
        profile.access.extended_skills = vec![skill("secret")];
    });
    let caller = Caller {
        scheme: "bearer".into(),
        scopes: Scopes::Only(["send".into()].into()),
        ..Caller::new("t", "eve")
    };
    let call = Call { agent: Some("scripted".into()), ..Call::by(caller) };
    let task = bench.send(naming("open")).await;
    let ask = async |skill: &str, task: Option<&Task>| {
        let mut request = naming(skill);
        request.message.task_id = task.map(|task| task.id.clone());
        let call = if task.is_some() { by("ann") } else { call.clone() };
        kind(bench.service.call(&call, Request::SendMessage(request)).await)
    };
    assert_eq!(ask("paid", None).await, ErrorKind::PermissionDenied);
    assert_eq!(ask("secret", None).await, ErrorKind::InvalidParams);
    assert_eq!(ask("nothing", None).await, ErrorKind::InvalidParams);
    // Of nobody in particular, in a task that goes on.
    assert_eq!(ask("secret", Some(&task)).await, ErrorKind::InvalidParams);
    let mut seen: Vec<_> = bench
        .audited()
        .into_iter()
        .map(|entry| {
            let event = entry.event;
            (event.actor.subject.to_string(), event.target, event.detail)
        })
        .collect();
    seen.sort();
    let hidden = "the skill `secret` is hidden from this caller";
    let [ann, denied, eve] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((&*ann.0, &*ann.1, &*ann.2), ("ann", "scripted", hidden));
    assert_eq!((&*eve.0, &*eve.1, &*eve.2), ("eve", "scripted", hidden));
    assert_eq!((&*denied.0, &*denied.1), ("eve", "scripted"));
    assert!(denied.2.contains("`paid`"), "{denied:?}");
}

/// A message for a skill, after which the task waits for more.
fn naming(skill: &str) -> SendMessageRequest {
    let mut request = message("ask");
    request.message.metadata = Metadata::single("skillId", &skill).ok();
    request
}

#[tokio::test]
async fn what_is_erased_is_in_the_log_when_it_is_answered() {
    let bench = Bench::new();
    let mut request = message("answer");
    request.message.context_id = Some(ContextId::parse("c").expect("a valid id"));
    bench.send(request).await;
    let call = Call { extensions: vec![CONTEXTS_EXTENSION.to_owned()], ..by("ann") };
    let params = Json::parse(r#"{"contextId":"c"}"#).expect("JSON");
    for _ in 0..2 {
        let erased = bench.service.call_extension(&call, ERASE_CONTEXT, Some(&params)).await;
        erased.expect("such a method").expect("nothing is at work");
        // The second time there is nothing left, and nothing to tell of.
        let entries = bench.audited();
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        let event = &entry.event;
        assert_eq!((event.action.name(), event.outcome.name()), ("context.erase", "done"));
        assert_eq!((&*event.actor.subject, &*event.target), ("ann", "c"));
        assert_eq!(event.detail, "1 tasks, 0 results, 0 idempotency keys");
    }
}
