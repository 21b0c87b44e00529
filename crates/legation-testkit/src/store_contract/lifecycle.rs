//! How contexts go through their lives.

use legation_core::store::{Append, Swept};
use legation_core::{Cutoffs, TaskStore};
use legation_model::TaskState::{self, Completed, InputRequired, Submitted, Working};

use super::Open;
use super::fixture::{Draft, Told, at, home, scope, sweep_by, write};

/// By these a context is idle that was last active before a moment, and none expires.
fn idle_before(moment: i64) -> Cutoffs {
    Cutoffs { idle: at(moment), ..Cutoffs::quiet_before(at(0)) }
}

async fn idle(store: &dyn TaskStore, before: i64) -> u64 {
    let swept = sweep_by(store, &idle_before(before)).await;
    assert_eq!(swept, Swept { idle: swept.idle, ..Swept::default() });
    swept.idle
}

/// Each turn in the life of a context is told once, and only once it is durable.
pub async fn a_context_goes_idle_and_is_active_again(open: Open<'_>) {
    let store = open();
    let told = Told::by(&*store);
    let foreign = scope("another", "tenant", Some("owner"), Some("agent"));
    let mut first = Draft::new(&*store).within(&home(), "c");
    let mut theirs = Draft::new(&*store).within(&foreign, "c");
    let mut lively = Draft::new(&*store).within(&home(), "lively");
    write(&*store, [first.settle(1, Completed, 10), theirs.settle(1, Completed, 10)]).await;
    write(&*store, [lively.settle(1, Completed, 19)]).await;
    let created = ["context.created owner/c", "context.created owner/c"];
    assert_eq!(told.take(), [&created[..], &["context.created owner/lively"]].concat());

    assert_eq!(idle(&*store, 10).await, 0);
    assert_eq!(idle(&*store, 19).await, 1);
    assert_eq!(told.take(), ["context.idle owner/c"]);
    assert_eq!(idle(&*store, 19).await, 0);
    assert_eq!(told.take(), [""; 0]);

    // A new task has it active again, and so has a message to one that is at rest.
    let mut asking = Draft::new(&*store).within(&home(), "c");
    write(&*store, [asking.add(1, Working, 30)]).await;
    assert_eq!(told.take(), ["context.resumed owner/c"]);
    write(&*store, [asking.add(1, InputRequired, 31)]).await;
    assert_eq!(idle(&*store, 31).await, 1);
    assert_eq!(idle(&*store, 32).await, 1);
    assert_eq!(told.take(), ["context.idle owner/c", "context.idle owner/lively"]);
    write(&*store, [asking.add(1, Submitted, 40)]).await;
    assert_eq!(told.take(), ["context.resumed owner/c"]);
    write(&*store, [asking.add(1, Working, 41), asking.settle(1, Completed, 42)]).await;
    assert_eq!(idle(&*store, 42).await, 0);
    assert_eq!(idle(&*store, 43).await, 1);
    assert_eq!(told.take(), ["context.idle owner/c"]);
}

/// Nobody's work is taken away, however old its context is.
pub async fn what_is_at_work_keeps_its_context_alive(open: Open<'_>) {
    let store = open();
    let told = Told::by(&*store);
    let mut drafts = Vec::new();
    for (name, state, at_work) in [
        ("submitted", Submitted, false),
        ("working", Working, false),
        ("waiting", InputRequired, true),
    ] {
        let mut draft = Draft::new(&*store).within(&home(), name);
        let append = draft.add(1, state, 10);
        write(&*store, [Append { at_work, ..append }]).await;
        drafts.push(draft);
    }
    told.take();
    let all = Cutoffs { born: at(100), ..Cutoffs::quiet_before(at(100)) };
    assert_eq!(sweep_by(&*store, &all).await, Swept::default());
    assert_eq!(told.take(), [""; 0]);
    for draft in &mut drafts {
        write(&*store, [draft.settle(1, Completed, 20)]).await;
        assert_eq!(draft.load(&*store).await.state, Completed);
    }
    let swept = sweep_by(&*store, &all).await;
    assert_eq!((swept.expired, swept.tasks, swept.contexts), (3, 3, 3));
}

/// Its life is over, whatever happened in it lately; the same name begins another.
pub async fn a_context_expires_at_the_end_of_its_life(open: Open<'_>) {
    let store = open();
    let told = Told::by(&*store);
    let mut drafts = Vec::new();
    for (moment, state) in [(10, Completed), (500, TaskState::Failed), (1_000, InputRequired)] {
        let mut draft = Draft::new(&*store).within(&home(), "c");
        write(&*store, [draft.settle(1, state, moment)]).await;
        drafts.push(draft);
    }
    let mut young = Draft::new(&*store).within(&home(), "young");
    write(&*store, [young.settle(1, Completed, 11)]).await;
    told.take();
    let by = Cutoffs { born: at(11), ..Cutoffs::quiet_before(at(0)) };
    let swept = sweep_by(&*store, &by).await;
    assert_eq!(swept, Swept { expired: 1, tasks: 3, contexts: 1, ..Swept::default() });
    assert_eq!(told.take(), ["context.expired owner/c", "context.pruned owner/c"]);
    for draft in &drafts {
        assert!(store.load(&draft.scope, &draft.id).await.expect("a readable store").is_none());
        assert!(draft.log(&*store).await.is_empty());
    }
    assert_eq!(young.load(&*store).await.state, Completed);
    let mut again = Draft::new(&*store).within(&home(), "c");
    write(&*store, [again.settle(1, Completed, 2_000)]).await;
    assert_eq!(told.take(), ["context.created owner/c"]);
    assert_eq!(sweep_by(&*store, &by).await, Swept::default());
}

/// Where what is quiet goes sooner than it would be idle, it goes.
pub async fn a_context_may_expire_without_having_been_idle(open: Open<'_>) {
    let store = open();
    let told = Told::by(&*store);
    let mut draft = Draft::new(&*store).within(&home(), "c");
    write(&*store, [draft.settle(1, Completed, 10)]).await;
    told.take();
    let by = Cutoffs { idle: at(0), ..Cutoffs::quiet_before(at(11)) };
    let swept = sweep_by(&*store, &by).await;
    assert_eq!(swept, Swept { expired: 1, tasks: 1, contexts: 1, ..Swept::default() });
    assert_eq!(told.take(), ["context.expired owner/c", "context.pruned owner/c"]);
}

/// A sweep is done when its time has come, and once for all.
pub async fn a_sweep_is_begun_when_it_is_due(open: Open<'_>) {
    let store = open();
    let hour = Some(std::time::Duration::from_secs(3_600));
    let begin = async |every| store.begin_sweep("deployment", every).await.expect("readable");
    let before = legation_model::Timestamp::now();
    let moment = begin(hour).await.expect("there was none");
    let late = moment.as_millis() - before.as_millis();
    assert!((-60_000..60_000).contains(&late), "the time of day");
    // One that came to nothing is due at once.
    store.end_sweep("deployment", None).await.expect("writable");
    begin(hour).await.expect("it was not done");
    store.end_sweep("deployment", Some(Swept::default())).await.expect("writable");
    assert_eq!(begin(hour).await, None);
    assert!(store.begin_sweep("another", hour).await.expect("readable").is_some());
    begin(None).await.expect("at once");
    store.end_sweep("deployment", Some(Swept::default())).await.expect("writable");
    drop(store);
    let store = open();
    let again = store.begin_sweep("deployment", hour).await.expect("readable");
    assert_eq!(again, None, "a start is no reason");
}
