//! How often callers may call, and how much they may have at work.

use std::time::Duration;

use legation_core::{Call, Caller, Limits, OnRestart, Per, Rate, Scopes};
use legation_model::{A2aError, ErrorKind, ListTasksRequest, Request};

use crate::bench::{Bench, by, further, kind, message};

fn known(subject: &str) -> Call {
    Call::by(Caller { scheme: "bearer".into(), ..Caller::new("t", subject) })
}

fn bench(rate: Rate) -> Bench {
    let limits = Limits { rates: vec![rate], ..Limits::default() };
    Bench::with(OnRestart::Fail, limits)
}

fn once_an_hour() -> Rate {
    Rate { count: 1, within: Duration::from_secs(3_600), ..Rate::default() }
}

#[tokio::test]
async fn a_rule_counts_the_operations_and_agents_that_it_names() {
    let list = || Request::ListTasks(ListTasksRequest::default());
    let send = || Request::SendMessage(message("answer"));
    let rules = [
        // Whether a second list and a second send pass, at the crew's mount.
        (once_an_hour(), [false, false]),
        (Rate { operations: vec!["send"], ..once_an_hour() }, [true, false]),
        (Rate { operations: vec!["read"], ..once_an_hour() }, [false, true]),
        (Rate { agents: vec!["scripted".into()], ..once_an_hour() }, [true, false]),
        (Rate { agents: vec!["other".into()], ..once_an_hour() }, [true, true]),
        (Rate { per: Per::Agent, ..once_an_hour() }, [true, false]),
    ];
    for (rate, expected) in rules {
        for (request, expected) in [list as fn() -> Request, send].into_iter().zip(expected) {
            let bench = bench(rate.clone());
            bench.service.call(&known("ann"), request()).await.expect("the first");
            let second = bench.service.call(&known("ann"), request()).await;
            match second {
                Ok(_) => assert!(expected, "{rate:?}"),
                Err(error) => {
                    assert!(!expected, "{rate:?}");
                    assert_eq!(error.kind, ErrorKind::RateLimited);
                    assert!(
                        error.retry_after.is_some_and(|wait| wait > Duration::from_secs(3_500))
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_refused_for_something_else_counts_as_well() {
    let list = || Request::ListTasks(ListTasksRequest::default());
    let other_tenant =
        || Request::ListTasks(ListTasksRequest { tenant: Some("u".into()), ..Default::default() });
    let send = || Request::SendMessage(message("answer"));
    let reader = Caller { scopes: Scopes::Only(["read".into()].into()), ..known("ann").caller };
    let nowhere = Call { agent: Some("nowhere".into()), ..known("ann") };
    let refusals = [
        (Call::by(reader), send as fn() -> Request),
        (known("ann"), other_tenant),
        (nowhere, send),
    ];
    for (call, request) in refusals {
        let bench = bench(once_an_hour());
        let first = kind(bench.service.call(&call, request()).await);
        assert_ne!(first, ErrorKind::RateLimited);
        let second = kind(bench.service.call(&known("ann"), list()).await);
        assert_eq!(second, ErrorKind::RateLimited, "after {first:?}");
    }
    // What a binding can make no call of.
    let bench = bench(once_an_hour());
    let unread = || bench.service.refuse(&known("ann").caller, None, A2aError::invalid("x", "odd"));
    assert_eq!(unread().kind, ErrorKind::InvalidParams);
    let error = unread();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert!(error.retry_after.is_some());
    assert_eq!(bench.audited().len(), 1, "and it is noted");
}

#[tokio::test]
async fn what_is_refused_for_its_rate_has_begun_nothing() {
    let bench = bench(once_an_hour());
    let ann = known("ann");
    let send = || Request::SendMessage(message("answer"));
    bench.service.call(&ann, send()).await.expect("the first");
    assert_eq!(kind(bench.service.call(&ann, send()).await), ErrorKind::RateLimited);
    // Whom no scheme knows is the same owner here, and no caller to the rule.
    let Ok(legation_core::Reply::Tasks(page)) =
        bench.call(Request::ListTasks(ListTasksRequest::default())).await
    else {
        panic!("no page")
    };
    let page = std::str::from_utf8(page.bytes()).expect("JSON").to_owned();
    assert!(page.contains(r#""totalSize":1"#), "{page}");
}

#[tokio::test]
async fn a_caller_has_so_many_runs_at_work_and_may_go_on_with_them() {
    let limits = Limits { runs_per_caller: Some(2), ..Limits::default() };
    let bench = Bench::with(OnRestart::Fail, limits);
    let at_work = bench.begin("next").await;
    bench.begin("wait").await;
    let send = |subject: &'static str, text: &'static str| {
        let request = Request::SendMessage(message(text));
        let bench = &bench;
        async move { bench.service.call(&by(subject), request).await }
    };
    assert_eq!(kind(send("ann", "answer").await), ErrorKind::RateLimited);
    send("bob", "answer").await.expect("somebody else's are free");
    // A message to a task at work begins no run.
    let mut more = further(&at_work, "on");
    more.configuration.return_immediately = true;
    bench.send(more).await;
    bench.ended(&at_work.id).await;
    bench
        .service
        .call(&by("ann"), Request::SendMessage(message("answer")))
        .await
        .expect("free again");
}
