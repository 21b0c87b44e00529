//! The PostgreSQL store keeps the contract of all stores, and some promises of its own. The tests make
//! a server for themselves, or use that of `LEGATION_TEST_POSTGRES`.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use legation_core::store::{
    Append, Birth, Erasure, Idempotency, Outcome, Query, Remembered, StoreError, Swept, TaskKey,
};
use legation_core::{ContextChange, Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use legation_store::postgres::{OpenError, Options, PostgresStore};
use legation_testkit::postgres::Place;
use tokio::sync::oneshot;

/// A place for a test, or the end of it.
macro_rules! place {
    () => {
        match legation_testkit::postgres::place() {
            Some(place) => place,
            None => return,
        }
    };
}

mod beside;
mod tls;
mod trouble;

mod contract {
    use super::*;

    fn home() -> Option<impl Fn() -> Arc<dyn TaskStore>> {
        let place = legation_testkit::postgres::place()?;
        // One writer, so that what a rule queues together is written together, and in this order.
        let options = Options { writers: 1, ..options(&place) };
        Some(move || -> Arc<dyn TaskStore> {
            PostgresStore::open(&place.url, options.clone()).expect("a store that opens")
        })
    }

    legation_testkit::store_contract! {
        match home() {
            Some(home) => home,
            None => return,
        }
    }
}

fn options(place: &Place) -> Options {
    Options { schema: place.schema.clone(), ..Options::default() }
}

fn open(place: &Place) -> Arc<PostgresStore> {
    PostgresStore::open(&place.url, options(place)).expect("a store that opens")
}

fn scope() -> Scope {
    scope_of("d", "o")
}

fn scope_of(deployment: &str, owner: &str) -> Scope {
    let name = |text: &str| Some(text.into());
    Scope {
        deployment: deployment.into(),
        tenant: "t".into(),
        owner: name(owner),
        agent: name("a"),
    }
}

/// A task that ended as it was born, with this many bytes in its log.
fn ended_task(key: TaskKey, bytes: usize) -> Append {
    let now = Timestamp::now();
    let birth = Birth {
        scope: scope(),
        id: TaskId::generate(),
        context_id: ContextId::generate(),
        created_at: now,
    };
    Append {
        key,
        epoch: 1,
        birth: Some(Box::new(birth)),
        first: 1,
        entries: vec![Bytes::from(vec![b'x'; bytes])],
        state: TaskState::Completed,
        status_at: now,
        at_work: false,
        snapshot: None,
        keys: Vec::new(),
    }
}

/// The same in another scope.
fn ended_task_in(key: TaskKey, scope: &Scope) -> Append {
    let mut append = ended_task(key, 100);
    append.birth.as_mut().expect("a birth").scope = scope.clone();
    append
}

/// What follows a task's first event.
fn next(key: TaskKey, epoch: u32, first: u64) -> Append {
    let birth = None;
    Append { epoch, birth, first, state: TaskState::Working, ..ended_task(key, 10) }
}

fn id_of(append: &Append) -> TaskId {
    append.birth.as_ref().expect("a birth").id.clone()
}

fn keyed(mut append: Append, key: &str, digest: u8) -> Append {
    append.keys.push(Idempotency { key: key.into(), digest: [digest; 32] });
    append
}

fn queue(
    store: &dyn TaskStore,
    append: Append,
) -> impl Future<Output = Result<(), StoreError>> + use<> {
    let (done, outcome) = oneshot::channel();
    store.append(append, Box::new(|result| drop(done.send(result))));
    async { outcome.await.expect("the store calls back") }
}

async fn append(store: &dyn TaskStore, append: Append) -> Result<(), StoreError> {
    queue(store, append).await
}

async fn total(store: &dyn TaskStore) -> u64 {
    store.list(&scope(), &Query::default()).await.expect("a readable store").total
}

/// Replicas never give the same key, and each reads what another has made durable.
#[tokio::test]
async fn replicas_share_what_is_durable() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    assert!((0..100).all(|_| one.next_key() != other.next_key()));
    for (writer, reader) in [(&one, &other), (&other, &one)] {
        let task = ended_task(writer.next_key(), 100);
        let id = id_of(&task);
        append(&**writer, task).await.expect("a store that can write");
        let loaded = reader.load(&scope(), &id).await.expect("a readable store");
        assert_eq!(loaded.expect("it is durable").seq, 1);
    }
    assert_eq!((total(&*one).await, total(&*other).await), (2, 2));
}

/// The run of a higher epoch takes a task over, wherever the other one writes.
#[tokio::test]
async fn a_run_is_fenced_by_that_of_another_replica() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    let task = ended_task(one.next_key(), 10);
    let key = task.key;
    append(&*one, Append { state: TaskState::Working, ..task }).await.expect("a birth");
    append(&*one, next(key, 1, 2)).await.expect("its own");
    append(&*other, next(key, 2, 3)).await.expect("it takes over");
    for (epoch, first) in [(1, 3), (1, 4), (2, 3)] {
        let late = append(&*one, next(key, epoch, first)).await;
        assert!(matches!(late, Err(StoreError::Fenced)), "{epoch} {first}: {late:?}");
    }
    append(&*other, next(key, 2, 4)).await.expect("it goes on");
}

/// Two runs of one epoch, which should not be, cannot spoil the order of the log from two replicas
/// either: of each number one is taken.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_write_the_same_task_leave_one_log() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    let task = ended_task(one.next_key(), 10);
    let (key, id) = (task.key, id_of(&task));
    append(&*one, Append { state: TaskState::Working, ..task }).await.expect("a birth");
    // Of different lengths, so that rows of the two end at different numbers.
    let write = async |store: Arc<PostgresStore>, length: usize| {
        let mut written = 0;
        for _ in 0..300 {
            let loaded = store.load(&scope(), &id).await.expect("a readable store");
            let append = next(key, 1, loaded.expect("it is there").seq + 1);
            let entries = vec![append.entries[0].clone(); length];
            let outcome = queue(&*store, Append { entries, ..append }).await;
            written += if outcome.is_ok() { length as u64 } else { 0 };
        }
        written
    };
    let (by_one, by_other) = tokio::join!(write(one.clone(), 2), write(other.clone(), 3));
    let log = one.entries(&scope(), key, 0, usize::MAX).await.expect("a readable store");
    let numbers: Vec<u64> = log.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=1 + by_one + by_other).collect::<Vec<_>>());
}

/// Of two sends with one key at the same time, on two replicas, one is the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_once_among_replicas() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    for round in 0..40 {
        let key = format!("key {round}");
        let (first, second) = (
            keyed(ended_task(one.next_key(), 10), &key, 1),
            keyed(ended_task(other.next_key(), 10), &key, 2),
        );
        let ids = [id_of(&first), id_of(&second)];
        let outcomes = tokio::join!(queue(&*one, first), queue(&*other, second));
        let (winner, taken) = match outcomes {
            (Ok(()), Err(StoreError::Taken(taken))) => (0, taken),
            (Err(StoreError::Taken(taken)), Ok(())) => (1, taken),
            outcomes => panic!("{outcomes:?}"),
        };
        let digest = [[1; 32], [2; 32]][winner];
        let expected = Remembered { outcome: Outcome::Task(ids[winner].clone()), digest };
        assert_eq!(*taken, expected);
        let remembered = one.remembered(&scope(), &key).await.expect("a readable store");
        assert_eq!(remembered, Some(expected));
    }
    assert_eq!(total(&*one).await, 40);
}

/// Tasks of one new context, born everywhere at once, are in one context; so they are when a sweep
/// removes the context of the ones before.
#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_one_among_replicas_and_sweeps() {
    let place = place!();
    let stores = [open(&place), open(&place), open(&place)];
    let context = ContextId::parse("c").expect("a valid id");
    let query = Query { context_id: Some(context.clone()), limit: 1000, ..Query::default() };
    let sweeper = stores[0].clone();
    let sweeping = tokio::spawn(async move {
        let mut swept = 0;
        for _ in 0..40 {
            let cutoffs = Cutoffs::quiet_before(Timestamp::now());
            swept += sweeper.sweep("d", &cutoffs).await.expect("a store that can write").tasks;
        }
        swept
    });
    let mut born = 0;
    while !sweeping.is_finished() {
        let births = stores.iter().map(|store| {
            let mut task = ended_task(store.next_key(), 10);
            task.birth.as_mut().expect("a birth").context_id = context.clone();
            queue(&**store, task)
        });
        for outcome in futures::future::join_all(births).await {
            outcome.expect("a birth");
            born += 1;
        }
    }
    let swept = sweeping.await.expect("it does not panic");
    for scope in [scope(), Scope { owner: None, ..scope() }] {
        let page = stores[1].list(&scope, &query).await.expect("a readable store");
        assert_eq!((page.total, page.tasks.len() as u64), (born - swept, born - swept));
    }
}

/// One replica sweeps at a time; and should two do it all the same, each thing is done and told once.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_sweep_one_at_a_time() {
    let place = place!();
    let stores = [open(&place), open(&place)];
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    for store in &stores {
        let told = told.clone();
        store.watch_contexts(Arc::new(move |event| {
            told.lock().expect("nobody panics").push((event.change, event.id.to_string()));
        }));
    }
    let births = (0..600).map(|number: usize| {
        let store = &stores[number % 2];
        let mut task = ended_task(store.next_key(), 10);
        let context = ContextId::parse(&format!("c{:03}", number / 2)).expect("a valid id");
        task.birth.as_mut().expect("a birth").context_id = context;
        task.snapshot = Some(Bytes::from_static(b"{}"));
        queue(&**store, task)
    });
    for outcome in futures::future::join_all(births).await {
        outcome.expect("a birth");
    }
    let hour = Some(Duration::from_secs(3_600));
    let begin = async |store: &Arc<PostgresStore>, every| {
        store.begin_sweep("d", every).await.expect("readable")
    };
    let begun = tokio::join!(begin(&stores[0], hour), begin(&stores[1], hour));
    assert!(begun.0.is_some() != begun.1.is_some(), "{begun:?}");
    let (one, other) = if begun.0.is_some() { (0, 1) } else { (1, 0) };
    for every in [hour, None] {
        assert_eq!(begin(&stores[other], every).await, None, "one is at it");
    }
    // Who is not at it does not end it.
    stores[other].end_sweep("d", Some(Swept::default())).await.expect("writable");
    assert_eq!(begin(&stores[other], None).await, None);

    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 60_000).expect("a time");
    let results = Timestamp::from_millis(0);
    let cutoffs = Cutoffs { results, ..Cutoffs::quiet_before(later) };
    let swept = tokio::join!(stores[0].sweep("d", &cutoffs), stores[1].sweep("d", &cutoffs));
    let mut all = swept.0.expect("swept");
    all += swept.1.expect("swept");
    let of = |tasks, contexts| Swept {
        expired: contexts,
        kept: tasks,
        tasks,
        contexts,
        ..Swept::default()
    };
    assert_eq!(all, of(600, 300));
    let mut told = std::mem::take(&mut *told.lock().expect("nobody panics"));
    for change in [ContextChange::Created, ContextChange::Expired, ContextChange::Pruned] {
        let mut of_it: Vec<_> =
            told.extract_if(.., |(told, _)| *told == change).map(|(_, id)| id).collect();
        of_it.sort();
        let expected: Vec<_> = (0..300).map(|number| format!("c{number:03}")).collect();
        assert_eq!(of_it, expected, "{change:?}");
    }
    assert_eq!(told, []);

    stores[one].end_sweep("d", Some(all)).await.expect("writable");
    assert_eq!(begin(&stores[other], hour).await, None, "it was just done");
    let asked = stores[other].sweeps().ask("d").await.expect("writable");
    assert_eq!(stores[one].sweeps().done("d", asked).await.expect("readable"), None);
    begin(&stores[other], hour).await.expect("somebody asked");
    stores[other].end_sweep("d", Some(of(1, 1))).await.expect("writable");
    let done = stores[one].sweeps().done("d", asked).await.expect("readable");
    assert_eq!(done, Some(of(1, 1)));
}

/// However the counters are folded, and by how many.
#[tokio::test(flavor = "multi_thread")]
async fn totals_stay_right_while_replicas_write() {
    let place = place!();
    let stores = [open(&place), open(&place)];
    let begun = Instant::now();
    let mut written = 0;
    while begun.elapsed() < Duration::from_millis(3_500) {
        let births = stores.iter().map(|store| queue(&**store, ended_task(store.next_key(), 10)));
        for outcome in futures::future::join_all(births).await {
            outcome.expect("a birth");
            written += 1;
        }
        assert_eq!(total(&*stores[0]).await, written);
    }
    let now = Timestamp::now();
    let day = legation_core::store::Day::of(now);
    let used = stores[1].used(&scope(), day).await.expect("a readable store");
    assert_eq!((used.caller.bytes, used.tenant.bytes), (written * 10, written * 10));
    let later = Timestamp::from_millis(now.as_millis() + 1_000).expect("a time");
    let swept = stores[1].sweep("d", &Cutoffs::quiet_before(later)).await;
    let swept = swept.expect("a store that can write");
    assert_eq!((swept.tasks, total(&*stores[0]).await), (written, 0));
}

#[tokio::test]
async fn deployments_in_one_database_do_not_meet() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    let task = ended_task_in(one.next_key(), &scope_of("one", "o"));
    let (id, key) = (id_of(&task), task.key);
    append(&*one, keyed(task, "key", 1)).await.expect("a birth");
    let theirs = scope_of("other", "o");
    assert!(other.load(&theirs, &id).await.expect("readable").is_none());
    assert!(other.entries(&theirs, key, 0, 1).await.expect("readable").is_empty());
    assert_eq!(other.remembered(&theirs, "key").await.expect("readable"), None);
    assert_eq!(other.list(&theirs, &Query::default()).await.expect("readable").total, 0);
    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 1_000).expect("a time");
    let swept = other.sweep("other", &Cutoffs::quiet_before(later)).await;
    let swept = swept.expect("a store that can write");
    assert_eq!((swept.tasks, swept.keys), (0, 0));
    assert!(one.load(&scope_of("one", "o"), &id).await.expect("readable").is_some());
}

#[tokio::test]
async fn schemas_are_databases_of_their_own() {
    let place = place!();
    let elsewhere = Place { schema: format!("{}_b", place.schema), ..place.clone() };
    let (one, other) = (open(&place), open(&elsewhere));
    append(&*one, ended_task(one.next_key(), 10)).await.expect("a birth");
    assert_eq!((total(&*one).await, total(&*other).await), (1, 0));
}

/// Many replicas may start together on a database that nobody has used.
#[test]
fn stores_that_open_at_once_make_the_tables_once() {
    let place = place!();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&place))).collect();
        opening.into_iter().map(|thread| thread.join().expect("a store that opens")).collect()
    });
    let mut keys: Vec<_> = stores.iter().map(|store| store.next_key()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 8);
}

async fn sql(place: &Place, sql: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await?;
    let driving = tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path = {}", place.schema)).await?;
    let done = client.batch_execute(sql).await;
    drop(client);
    driving.await.expect("no panic")?;
    done
}

/// A NOTIFY in the transaction of a write makes the commits of a whole server wait for one another.
#[tokio::test]
async fn no_write_notifies() {
    let place = place!();
    let store = open(&place);
    let (client, mut connection) =
        tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.expect("a server");
    let (heard, mut notifications) = tokio::sync::mpsc::unbounded_channel();
    let driving = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let tokio_postgres::AsyncMessage::Notification(told) = message.expect("a server") {
                let _ = heard.send(told.payload().to_owned());
            }
        }
    });
    client.batch_execute(&format!("LISTEN {}", place.schema)).await.expect("a channel");
    let key = store.next_key();
    append(&*store, keyed(ended_task(key, 10), "k", 1)).await.expect("room");
    append(&*store, next(key, 1, 2)).await.expect("room");
    // What was told before comes before this.
    client.batch_execute(&format!("NOTIFY {}, 'last'", place.schema)).await.expect("a channel");
    assert_eq!(notifications.recv().await.as_deref(), Some("last"));
    drop(client);
    driving.await.expect("no panic");
}

/// While releases replace one another, the older works with the newer one's tables, as long as these
/// allow it.
#[tokio::test]
async fn a_newer_schema_is_used_while_it_may_be_and_else_refused() {
    let place = place!();
    drop(open(&place));
    sql(&place, "INSERT INTO schema_version VALUES (98, 1)").await.expect("valid SQL");
    let store = open(&place);
    append(&*store, ended_task(store.next_key(), 10)).await.expect("a birth");
    drop(store);
    sql(&place, "INSERT INTO schema_version VALUES (99, 98)").await.expect("valid SQL");
    let Err(error) = PostgresStore::open(&place.url, options(&place)) else {
        panic!("a newer schema opened");
    };
    assert!(matches!(error, OpenError::Newer { found: 99, needed: 98, .. }), "{error}");
    assert!(error.to_string().contains("run the release that wrote it"), "{error}");
}

/// What has a table for long is waited for in short pieces, between which others get through.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_in_use_are_changed_later_or_it_is_said_by_whom_they_are_used() {
    let place = place!();
    let earlier = concat!(
        include_str!("../../migrations/postgres/1_tasks.sql"),
        include_str!("../../migrations/postgres/2_integration_tokens.sql"),
        include_str!("../../migrations/postgres/3_audit.sql"),
        include_str!("../../migrations/postgres/4_replicas.sql"),
        "CREATE TABLE schema_version (version INT PRIMARY KEY, needs INT NOT NULL);
         INSERT INTO schema_version VALUES (4, 4);",
    );
    sql(&place, &format!("CREATE SCHEMA {}", place.schema)).await.expect("a new schema");
    sql(&place, earlier).await.expect("an earlier release");
    let (backup, connection) =
        tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let begin = format!(
        "SET application_name = 'a backup'; BEGIN; LOCK TABLE {}.contexts IN ACCESS SHARE MODE",
        place.schema
    );
    backup.batch_execute(&begin).await.expect("a lock");

    let opening = |patience| {
        let (url, options) = (place.url.clone(), Options { patience, ..options(&place) });
        tokio::task::spawn_blocking(move || PostgresStore::open(&url, options))
    };
    let refused = opening(Duration::from_millis(200)).await.expect("no panic").err();
    let said = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("(a backup) uses them") && said.contains("process "), "{said}");

    let opened = opening(Duration::from_secs(1));
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let asked = Instant::now();
        sql(&place, "SELECT count(*) FROM contexts").await.expect("it is let pass");
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(!opened.is_finished());
    backup.batch_execute("COMMIT").await.expect("it lets go");
    let store = opened.await.expect("no panic").expect("nothing is in the way");
    append(&*store, ended_task(store.next_key(), 10)).await.expect("a birth");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let place = place!();
    let in_schema = |schema: &str| Options { schema: schema.into(), ..Options::default() };
    let nowhere = "postgres://u:secret@%2Fnowhere/d";
    let cases = [
        ("mysql://h/d", in_schema("s"), "does not begin with `postgres://`"),
        (&place.url, in_schema("Robert'); DROP"), "cannot be the schema"),
        (nowhere, in_schema("s"), "check that it runs"),
    ];
    for (url, options, expected) in cases {
        let error = PostgresStore::open(url, options).err().expect("it does not open");
        let words = format!("{:#}", anyhow::Error::from(error));
        assert!(words.contains(expected) && !words.contains("secret"), "{words}");
    }
}

/// A caller's name may hold what a text of PostgreSQL cannot, and be longer than an index takes.
#[tokio::test]
async fn odd_names_work_or_are_refused_alone() {
    let place = place!();
    let store = open(&place);
    let long = "x".repeat(3_000);
    for owner in ["nul\0", "\0", "mark\u{1}", "\u{1}0", "", "ü\u{1F600}"] {
        let scope = scope_of("d", owner);
        let task = ended_task_in(store.next_key(), &scope);
        let id = id_of(&task);
        append(&*store, keyed(task, owner, 1)).await.expect("a name like another");
        let loaded = store.load(&scope, &id).await.expect("readable").expect("it is there");
        assert_eq!(loaded.scope, scope);
        let (answer, key) =
            (Bytes::from_static(br#"{"contextId":"c\u0000"}"#), format!("2{owner}"));
        let idempotency = Idempotency { key, digest: [1; 32] };
        let kept = store.remember(&scope, idempotency, answer, Timestamp::now()).await;
        kept.expect("an answer like another");
        let remembered = store.remembered(&scope, owner).await.expect("readable");
        assert_eq!(remembered.map(|it| it.outcome), Some(Outcome::Task(id)));
        assert_eq!(store.list(&scope, &Query::default()).await.expect("readable").total, 1);
    }
    let foreign = scope_of("d", "nul\0\0");
    assert_eq!(store.list(&foreign, &Query::default()).await.expect("readable").total, 0);
    assert_eq!(store.remembered(&foreign, "\0").await.expect("readable"), None);
    let refused = [
        ended_task_in(store.next_key(), &scope_of("d", &long)),
        keyed(ended_task(store.next_key(), 10), &long, 1),
    ];
    for bad in refused {
        let good = queue(&*store, ended_task(store.next_key(), 10));
        let outcome = append(&*store, bad).await;
        assert!(matches!(outcome, Err(StoreError::Damaged(_))), "{outcome:?}");
        good.await.expect("nothing is wrong with it");
    }
    assert_eq!(store.remembered(&scope(), &long).await.expect("readable"), None);
    store.ready().expect("nothing is wrong with the store");
}

/// However much others have: who erases all looks at no context of theirs, and all that went is told when a
/// later step fails.
#[tokio::test]
async fn erasing_all_looks_at_ones_own_and_tells_how_far_it_came() {
    let place = place!();
    let store = open(&place);
    let mine = keyed(ended_task(store.next_key(), 10), "k", 1);
    append(&*store, mine).await.expect("a birth");
    // Left by a sweep that was stopped.
    let others = "
        INSERT INTO scopes (deployment, tenant, owner, agent)
            SELECT 'd', 't', 'other ' || n, '' FROM generate_series(1, 100) n;
        INSERT INTO contexts (key, scope, id, created_at, last_active_at, is_empty)
            SELECT -10 * s.key - n, s.key, s.key || '/' || n, 0, 0, TRUE
            FROM scopes s, generate_series(0, 9) n WHERE s.agent = '' AND s.owner <> '';
        CREATE FUNCTION no() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER no BEFORE DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION no();";
    sql(&place, others).await.expect("valid SQL");
    let mut erased = Swept::default();
    let refused = store.erase(&scope(), None, &mut erased).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(erased, Swept { keys: 1, ..Swept::default() });
    sql(&place, "DROP TRIGGER no ON tasks").await.expect("valid SQL");
    store.close();
    sql(&place, "ANALYZE; SELECT pg_stat_reset()").await.expect("valid SQL");

    let (store, mut erased) = (open(&place), Swept::default());
    let end = store.erase(&scope(), None, &mut erased).await;
    assert_eq!(end.expect("a store that can write"), Erasure::Erased);
    assert_eq!(erased, Swept { tasks: 1, contexts: 11, ..Swept::default() });
    store.close();
    let look = format!(
        "DO $$ BEGIN ASSERT (SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables
             WHERE schemaname = '{}' AND relname = 'contexts') < 100; END $$",
        place.schema
    );
    sql(&place, &look).await.expect("few rows were looked at");
}

/// A sweep that takes long stays with whoever began it, also at its last step.
#[tokio::test]
async fn a_sweep_of_many_old_keys_is_kept() {
    let place = place!();
    let store = open(&place);
    append(&*store, ended_task(store.next_key(), 10)).await.expect("a birth");
    let begun = store.begin_sweep("d", None).await.expect("writable").expect("the first");
    let old = "
        INSERT INTO idempotency (scope, key, digest, created_at, task)
            SELECT s.key, n::text, '', 0, 'gone' FROM scopes s, generate_series(1, 2000) n
            WHERE s.agent = 'a';
        UPDATE sweeps SET lease_until = now() + interval '5 seconds'";
    sql(&place, old).await.expect("valid SQL");
    let hour_ago = Timestamp::from_millis(begun.as_millis() - 3_600_000).expect("in range");
    let swept = store.sweep("d", &Cutoffs::quiet_before(hour_ago)).await.expect("writable");
    assert_eq!((swept.keys, swept.tasks), (2_000, 0));
    let look =
        "DO $$ BEGIN ASSERT (SELECT lease_until > now() + interval '60 seconds' FROM sweeps);
                END $$";
    sql(&place, look).await.expect("it is kept");
}

/// What one write cannot have fails nobody else's.
#[tokio::test]
async fn a_write_that_the_database_refuses_fails_alone() {
    let place = place!();
    let store = PostgresStore::open(&place.url, Options { writers: 1, ..options(&place) });
    let store = store.expect("a store that opens");
    let check = "ALTER TABLE task_events ADD CHECK (octet_length(entries) <> 13)";
    sql(&place, check).await.expect("valid SQL");
    let outcomes: Vec<_> = (0..40_usize)
        .map(|number| {
            queue(&*store, ended_task(store.next_key(), if number == 17 { 13 } else { 10 }))
        })
        .collect();
    for (number, outcome) in futures::future::join_all(outcomes).await.into_iter().enumerate() {
        assert_eq!(outcome.is_err(), number == 17, "{number}: {outcome:?}");
    }
    store.ready().expect("nothing is wrong with the store");
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_the_rest() {
    let place = place!();
    let store = open(&place);
    let outcomes: Vec<_> =
        (0..1_000).map(|_| queue(&*store, ended_task(store.next_key(), 100))).collect();
    store.close();
    for outcome in outcomes {
        outcome.await.expect("it was queued");
    }
    assert_eq!(store.backlog(), 0);
    let late = append(&*store, ended_task(store.next_key(), 100)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    let read = store.list(&scope(), &Query::default()).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    drop(store);
    assert_eq!(total(&*open(&place)).await, 1_000);
}

/// The last reference may be a callback's, which then drops the store on the store's own thread. One
/// that panics harms nobody.
#[tokio::test]
async fn a_callback_may_drop_the_store_or_panic() {
    let place = place!();
    let store = open(&place);
    store.append(ended_task(store.next_key(), 10), Box::new(|_| panic!("a callback's own fault")));
    append(&*store, ended_task(store.next_key(), 10)).await.expect("another writer");
    append(&*store, ended_task(store.next_key(), 10)).await.expect("another writer");
    append(&*store, ended_task(store.next_key(), 10)).await.expect("the same writer");
    let (held, (told, outcome)) = (store.clone(), std::sync::mpsc::channel());
    let last = ended_task(store.next_key(), 100);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let done = move |result: Result<(), StoreError>| {
        wait.recv().expect("the test drops its reference first");
        drop(held);
        told.send(result).expect("the test waits");
    };
    store.append(last, Box::new(done));
    drop(store);
    go.send(()).expect("the callback waits");
    outcome.recv().expect("the callback ran").expect("the append is durable");
}
