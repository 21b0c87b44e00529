//! A store with all that a store can hold.

use std::path::Path;

use bytes::Bytes;
use legation_core::store::{Append, Birth, Idempotency, StoreError};
use legation_core::{
    Actor, AuditAction, AuditEvent, AuditLog as _, AuditOutcome, Cutoffs, IntegrationToken,
    IntegrationTokens as _, Scope, Scopes, TaskStore,
};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use legation_store::sqlite::{Options, SqliteAudit, SqliteStore, SqliteTokens};
use tokio::sync::oneshot;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("in range")
}

pub(crate) fn scope(deployment: &str, tenant: &str, owner: &str, agent: &str) -> Scope {
    let (owner, agent) = (Some(owner.into()), Some(agent.into()));
    Scope { deployment: deployment.into(), tenant: tenant.into(), owner, agent }
}

/// Whose rows there are. Some names are hard on a database.
pub(crate) fn scopes() -> Vec<Scope> {
    vec![
        scope("d", "t", "ann", "a"),
        scope("d", "t", "ann", "b"),
        scope("d", "t", "n\0ul \u{1} \u{1}0 é", "a"),
        scope("d", "", "ann", "a"),
        scope("other", "t", "ann", "a"),
    ]
}

pub(crate) const STATES: [TaskState; 8] = [
    TaskState::Submitted,
    TaskState::Working,
    TaskState::Completed,
    TaskState::Failed,
    TaskState::Canceled,
    TaskState::InputRequired,
    TaskState::Rejected,
    TaskState::AuthRequired,
];

/// The first append of a task.
pub(crate) fn born(store: &dyn TaskStore, scope: &Scope, context: &str, at: Timestamp) -> Append {
    let birth = Birth {
        scope: scope.clone(),
        id: TaskId::generate(),
        context_id: ContextId::parse(context).expect("a valid id"),
        created_at: at,
    };
    Append {
        key: store.next_key(),
        epoch: 1,
        birth: Some(Box::new(birth)),
        first: 1,
        entries: vec![Bytes::from(r#"{"text":"é \"\\u0000\" \\ "}"#)],
        state: TaskState::Submitted,
        status_at: at,
        at_work: false,
        snapshot: None,
        keys: Vec::new(),
    }
}

/// What follows, from an event on.
pub(crate) fn next(before: &Append, first: u64, state: TaskState, events: u64) -> Append {
    let entries = (first..first + events).map(|seq| format!(r#"{{"event":{seq}}}"#).into());
    Append {
        key: before.key,
        epoch: before.epoch,
        birth: None,
        first,
        entries: entries.collect(),
        state,
        status_at: before.status_at,
        at_work: false,
        snapshot: None,
        keys: Vec::new(),
    }
}

pub(crate) async fn write(store: &dyn TaskStore, append: Append) -> Result<(), StoreError> {
    let (done, outcome) = oneshot::channel();
    store.append(append, Box::new(|result| drop(done.send(result))));
    outcome.await.expect("the store calls back")
}

fn keyed(key: &str, digest: u8) -> Idempotency {
    Idempotency { key: key.into(), digest: [digest; 32] }
}

/// Fills a directory.
pub(crate) async fn fill(directory: &Path) {
    let store = SqliteStore::open(directory, Options::default()).expect("a store that opens");
    for (number, scope) in scopes().iter().enumerate() {
        for (place, state) in STATES.into_iter().enumerate() {
            // Many have one status time, so that their keys decide about the order.
            let when = at(1_000 + number as i64 * 10 + place as i64 / 3);
            let mut first = born(&*store, scope, &format!("c{}", place % 2), when);
            first.keys.push(keyed(&format!("key \0 {place}"), place as u8));
            write(&*store, first.clone()).await.expect("written");
            for turn in 0..3 {
                let mut more = next(&first, 2 + turn * 40, TaskState::Working, 40);
                more.epoch += turn as u32;
                more.snapshot = (turn > 0).then(|| format!(r#"{{"after":{turn}}}"#).into());
                write(&*store, more).await.expect("written");
            }
            let mut last = next(&first, 122, state, 1);
            (last.epoch, last.at_work) = (3, state == TaskState::AuthRequired);
            write(&*store, last).await.expect("written");
        }
        let answer = Bytes::from(r#"{"contextId":"c0","messageId":"m","parts":[]}"#);
        let remembered = store.remember(scope, keyed("direct", 9), answer, at(5)).await;
        remembered.expect("written");
    }
    // A context whose only task is gone, and which was active later: another was refused its name.
    let gone = scope("swept", "t", "ann", "a");
    let mut ended = born(&*store, &gone, "empty", at(7));
    ended.state = TaskState::Completed;
    let again = Append { key: store.next_key(), status_at: at(20), ..ended.clone() };
    write(&*store, ended).await.expect("written");
    write(&*store, again).await.expect_err("its name is taken");
    let by = |results| Cutoffs { results, ..Cutoffs::quiet_before(at(8)) };
    let swept = store.sweep("swept", &by(None)).await.expect("swept");
    assert_eq!((swept.tasks, swept.contexts), (1, 0));
    // One that is idle, and one that left results: of a task with a snapshot and of one without.
    let kept = scope("kept", "t", "ann", "a");
    for (context, snapshot, when) in [("c", None, 7), ("c", Some("{}"), 7), ("idle", None, 9)] {
        let mut ended = born(&*store, &kept, context, at(when));
        (ended.state, ended.snapshot) = (TaskState::Completed, snapshot.map(Bytes::from));
        write(&*store, ended).await.expect("written");
    }
    let swept = store.sweep("kept", &Cutoffs { idle: at(10), ..by(Some(at(1))) }).await;
    let swept = swept.expect("swept");
    assert_eq!((swept.idle, swept.kept, swept.contexts), (1, 2, 1));
    store.close();
    beside(directory).await;
}

/// Fills what lies beside the tasks.
async fn beside(directory: &Path) {
    for deployment in ["d", "other"] {
        let tokens = SqliteTokens::open(directory, deployment).expect("they open");
        for (id, name) in [("1", "kept"), ("2", "rotated"), ("3", "revoked")] {
            assert!(tokens.add(&token(id, name)).expect("writable"));
        }
        assert!(tokens.rotate("2", &[2; 32], at(5)).expect("writable"));
        assert!(tokens.revoke("3", at(6)).expect("writable"));
        tokens.note_use(&"1".into(), at(7));
        tokens.close().expect("writable");
        let audit = SqliteAudit::open(directory, deployment).expect("it opens");
        let actor = Actor { address: "192.0.2.1".parse().ok(), ..Actor::default() };
        let event = AuditEvent::new(actor, AuditAction::Call, AuditOutcome::Refused);
        audit.record(event.to("x\0y").saying("words")).await.expect("writable");
        audit.close().expect("writable");
    }
}

fn token(id: &str, name: &str) -> IntegrationToken {
    let is_narrow = id == "1";
    IntegrationToken {
        id: id.into(),
        name: name.into(),
        tenant: "t".into(),
        subject: "s".into(),
        scopes: if is_narrow {
            Scopes::Only(["read".into(), "send".into()].into())
        } else {
            Scopes::All
        },
        agents: is_narrow.then(|| ["a".into()].into()),
        created_at: at(1),
        expires_at: is_narrow.then(|| at(9)),
        revoked_at: None,
        last_used_at: None,
        digest: [1; 32],
        earlier: None,
    }
}
