//! What of calls is in the audit log.

use std::time::Duration;

use legation_core::{
    CONTEXTS_EXTENSION, Call, Caller, ERASE_CONTEXT, Limits, OnRestart, Rate, Scopes,
};
use legation_model::{ContextId, Json, ListTasksRequest, Request};

use crate::bench::{Bench, by, message};

fn list() -> Request {
    Request::ListTasks(ListTasksRequest::default())
}

#[tokio::test]
async fn refusals_for_rights_and_rates_are_noted_with_who_and_where_from() {
    let rate = Rate { count: 2, within: Duration::from_secs(3_600), ..Rate::default() };
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
        assert_eq!(event.detail, "1 tasks, 0 idempotency keys");
    }
}
