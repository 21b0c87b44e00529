//! The SQLite store keeps the contract of all stores, and some promises of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use legation_core::store::{
    Append, Birth, Day, Idempotency, Outcome, Query, Remembered, StoreError, TaskKey, Usage, Used,
};
use legation_core::{Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use legation_store::sqlite::{OpenError, Options, SqliteStore};
use legation_testkit::disk::SmallDisk;
use tempfile::TempDir;
use tokio::sync::oneshot;

mod contract {
    use super::*;

    fn home() -> impl Fn() -> Arc<dyn TaskStore> {
        let directory = TempDir::new().expect("a scratch directory");
        move || open(directory.path(), Options { count_usage: true, ..Options::default() })
    }

    legation_testkit::store_contract!(home());
}

mod memory {
    use futures::FutureExt as _;
    use legation_store::sqlite::Memory;

    use super::*;

    fn in_memory(memory: &Memory, options: Options) -> Arc<SqliteStore> {
        SqliteStore::in_memory(memory, options).expect("a store in memory opens")
    }

    fn home() -> impl Fn() -> Arc<dyn TaskStore> {
        let memory = Memory::new().expect("memory for a store");
        move || in_memory(&memory, Options { count_usage: true, ..Options::default() })
    }

    legation_testkit::store_contract!(home());

    #[tokio::test]
    async fn two_stores_share_nothing_and_one_heals_when_it_was_full() {
        let limited = || Options { max_bytes: Some(1 << 20), ..Options::default() };
        let [one, other] = [(); 2].map(|()| in_memory(&Memory::new().expect("memory"), limited()));
        append(&*other, ended_task(other.next_key(), 1_000)).await.expect("written");
        check_full_and_healed(&one).await;
        assert_eq!(total(&*other).await, 1);
    }

    /// Without a write-ahead log all connections wait for each other, and none gives up.
    #[test]
    fn who_reads_writes_and_writes_beside_at_once_only_waits() {
        const EACH: u64 = 200;
        let store = in_memory(&Memory::new().expect("memory"), Options::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let done = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..EACH {
                    let asked = store.sweeps().ask("d").expect("writable");
                    assert_eq!(store.sweeps().done("d", asked).expect("readable"), None);
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
            for _ in 0..2 {
                threads.spawn(|| {
                    while done.load(Ordering::Relaxed) < 2 {
                        let total = total(&*store).now_or_never();
                        assert!(total.expect("read at once") <= EACH);
                    }
                });
            }
            runtime.block_on(async {
                for _ in 0..EACH {
                    let task = ended_task(store.next_key(), 1_000);
                    append(&*store, task).await.expect("written");
                }
            });
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(runtime.block_on(total(&*store)), EACH);
    }
}

fn open(directory: &Path, options: Options) -> Arc<SqliteStore> {
    SqliteStore::open(directory, options).expect("a new store opens")
}

fn scope() -> Scope {
    let name = |text: &str| Some(text.into());
    Scope { deployment: "d".into(), tenant: "t".into(), owner: name("o"), agent: name("a") }
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

async fn append(store: &dyn TaskStore, append: Append) -> Result<(), StoreError> {
    let (done, outcome) = oneshot::channel();
    store.append(append, Box::new(|result| drop(done.send(result))));
    outcome.await.expect("the store calls back")
}

async fn total(store: &dyn TaskStore) -> u64 {
    store.list(&scope(), &Query::default()).await.expect("a readable store").total
}

#[test]
fn a_directory_has_one_store_at_a_time() {
    let directory = TempDir::new().expect("a scratch directory");
    let first = open(directory.path(), Options::default());
    let Err(error) = SqliteStore::open(directory.path(), Options::default()) else {
        panic!("a second store opened");
    };
    assert!(
        matches!(&error, OpenError::InUse { pid, .. } if *pid == std::process::id().to_string())
    );
    assert!(error.to_string().contains("stop that server"), "{error}");
    drop(first);
    open(directory.path(), Options::default());
}

/// What is not counted costs nothing, and what was not counted is counted when it is to be.
#[tokio::test]
async fn what_was_not_counted_is_counted_when_it_is_to_be() {
    let directory = TempDir::new().expect("a scratch directory");
    let today = Day::of(Timestamp::now());
    let counting = || open(directory.path(), Options { count_usage: true, ..Options::default() });
    let plain = || open(directory.path(), Options::default());
    let used = async |store: &SqliteStore| store.used(&scope(), today).await.expect("readable");
    let write = async |store: &SqliteStore, bytes: usize| {
        append(store, ended_task(store.next_key(), bytes)).await.expect("written");
    };
    let of = |tasks, bytes| Used { tenant: Usage { tasks, bytes }, caller: Usage { tasks, bytes } };
    let store = plain();
    write(&store, 100).await;
    let idempotency = Idempotency { key: "k".into(), digest: [1; 32] };
    let answer = Bytes::from(vec![b'y'; 7]);
    let kept = store.remember(&scope(), idempotency, answer, Timestamp::now()).await;
    kept.expect("a new key");
    assert_eq!(used(&store).await, Used::default());
    drop(store);
    let store = counting();
    assert_eq!(used(&store).await, of(1, 107));
    write(&store, 1_000).await;
    assert_eq!(used(&store).await, of(2, 1_107));
    drop(store);
    let store = plain();
    write(&store, 10_000).await;
    drop(store);
    assert_eq!(used(&counting()).await, of(3, 11_107));
}

#[test]
fn nobody_else_can_read_the_files() {
    let directory = TempDir::new().expect("a scratch directory");
    let path = directory.path().join("new/data");
    let _store = open(&path, Options::default());
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).expect("a directory") {
        let file = entry.expect("an entry").path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let directory = TempDir::new().expect("a scratch directory");
    let in_directory = |name: &str| directory.path().join(name);
    fs::write(in_directory("file"), "text").expect("a file");
    database(&in_directory("foreign"), "CREATE TABLE t (x)");
    database(&in_directory("newer"), "PRAGMA user_version = 99");
    let cases = [
        ("file", "must be a directory"),
        ("foreign", "another program"),
        ("newer", "has schema 99"),
    ];
    for (name, expected) in cases {
        let path = in_directory(name);
        let error = SqliteStore::open(&path, Options::default()).err().expect("it does not open");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn database(directory: &Path, sql: &str) {
    fs::create_dir(directory).expect("a directory");
    let database = rusqlite::Connection::open(directory.join("legation.db")).expect("a database");
    database.execute_batch(sql).expect("valid SQL");
}

/// What the first schema remembered stays, and answers have a place beside it.
#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_to_date() {
    let directory = TempDir::new().expect("a scratch directory");
    let path = directory.path().join("data");
    let rows = "
        INSERT INTO scopes VALUES (1, 'd', 't', 'o', ''), (2, 'd', 't', 'o', 'a');
        INSERT INTO idempotency VALUES (2, 'old', 'task', zeroblob(32), 5);
        PRAGMA application_id = 0x4c656761;
        PRAGMA user_version = 1;";
    database(&path, &format!("{}{rows}", include_str!("../migrations/sqlite/1_tasks.sql")));
    let task = Outcome::Task(TaskId::parse("task").expect("a valid id"));
    for _ in 0..2 {
        let store = open(&path, Options::default());
        let remembered = store.remembered(&scope(), "old").await.expect("a readable store");
        assert_eq!(remembered, Some(Remembered { outcome: task.clone(), digest: [0; 32] }));
    }
    let store = open(&path, Options::default());
    let (answer, now) = (Bytes::from_static(b"{}"), Timestamp::now());
    let new = Idempotency { key: "new".into(), digest: [1; 32] };
    store.remember(&scope(), new, answer.clone(), now).await.expect("a store that can write");
    let remembered = store.remembered(&scope(), "new").await.expect("a readable store");
    let outcome = Outcome::Message(answer);
    assert_eq!(remembered, Some(Remembered { outcome, digest: [1; 32] }));
    let swept = store.sweep("d", &Cutoffs::quiet_before(now)).await;
    assert_eq!(swept.expect("a store that can write").keys, 1, "by age, as before");
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_the_rest() {
    let directory = TempDir::new().expect("a scratch directory");
    let store = open(directory.path(), Options::default());
    let written = Arc::new(AtomicUsize::new(0));
    for _ in 0..1_000 {
        let written = written.clone();
        let done = move |outcome: Result<(), _>| {
            written.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
        };
        store.append(ended_task(store.next_key(), 100), Box::new(done));
    }
    store.close();
    assert_eq!((written.load(Ordering::Relaxed), store.backlog()), (1_000, 0));
    let late = append(&*store, ended_task(store.next_key(), 100)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    drop(store);
    assert_eq!(total(&*open(directory.path(), Options::default())).await, 1_000);
}

/// Messages and ends count as activity of a context, what an agent emits on its way does not.
#[tokio::test]
async fn a_context_knows_when_it_was_last_active() {
    use TaskState::{Completed, InputRequired, Submitted, Working};
    let directory = TempDir::new().expect("a scratch directory");
    let store = open(directory.path(), Options::default());
    let at = |millis| Timestamp::from_millis(millis).expect("a time near 1970");
    let born = ended_task(store.next_key(), 10);
    let key = born.key;
    append(&*store, Append { state: Submitted, status_at: at(1), ..born }).await.expect("a birth");
    let changes = [
        (Working, 2, 1),
        (Working, 2, 1),
        (InputRequired, 3, 3),
        (InputRequired, 3, 3),
        (Submitted, 4, 4),
        (Working, 5, 4),
        (Working, 6, 6),
        (Completed, 7, 7),
    ];
    for ((state, status_at, expected), first) in changes.into_iter().zip(2..) {
        let change = Append {
            key,
            epoch: 1,
            birth: None,
            first,
            entries: vec![Bytes::from_static(b"x")],
            state,
            status_at: at(status_at),
            at_work: false,
            snapshot: None,
            keys: Vec::new(),
        };
        append(&*store, change).await.expect("the next event");
        let row = contexts(directory.path());
        assert_eq!(row, [(expected, 1)], "{state:?} at {status_at}");
    }
}

/// A birth that is refused leaves no task behind in its context, and a sweep finds that. Its key
/// stands for nothing.
#[tokio::test]
async fn a_refused_birth_leaves_a_context_without_tasks() {
    let directory = TempDir::new().expect("a scratch directory");
    let store = open(directory.path(), Options::default());
    let (first, mut second) = (ended_task(store.next_key(), 10), ended_task(store.next_key(), 10));
    if let (Some(first), Some(second)) = (&first.birth, &mut second.birth) {
        second.id = first.id.clone();
    }
    second.keys.push(Idempotency { key: "key".into(), digest: [1; 32] });
    append(&*store, first).await.expect("a birth");
    let refused = append(&*store, second).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!(store.remembered(&scope(), "key").await.expect("a readable store"), None);
    let tasks: Vec<_> = contexts(directory.path()).into_iter().map(|(_, tasks)| tasks).collect();
    assert_eq!(tasks, [1, 0]);
    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 1).expect("a time");
    let swept = store.sweep("d", &Cutoffs::quiet_before(later)).await;
    let swept = swept.expect("a store that can write");
    assert_eq!((swept.tasks, swept.contexts), (1, 2));
}

/// When each context was last active and how many tasks it has.
fn contexts(directory: &Path) -> Vec<(i64, i64)> {
    let database = rusqlite::Connection::open(directory.join("legation.db")).expect("a database");
    let mut select = database
        .prepare("SELECT last_active_at, tasks FROM contexts ORDER BY key")
        .expect("a table of contexts");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// The last reference may be a callback's, which then drops the store on the store's own thread.
#[test]
fn a_callback_may_drop_the_store() {
    let directory = TempDir::new().expect("a scratch directory");
    let store = open(directory.path(), Options::default());
    let (held, (told, outcome)) = (store.clone(), std::sync::mpsc::channel());
    let append = ended_task(store.next_key(), 100);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let done = move |result: Result<(), StoreError>| {
        wait.recv().expect("the test drops its reference first");
        drop(held);
        told.send(result).expect("the test waits");
    };
    store.append(append, Box::new(done));
    drop(store);
    go.send(()).expect("the callback waits");
    outcome.recv().expect("the callback ran").expect("the append is durable");
}

/// A writer that fell over confirms nothing more, even if the process lives on.
#[tokio::test]
async fn a_broken_writer_is_fatal() {
    let directory = TempDir::new().expect("a scratch directory");
    let (tell, told) = std::sync::mpsc::channel();
    let on_fatal = Box::new(move |reason: &str| drop(tell.send(reason.to_owned())));
    let store = open(directory.path(), Options { on_fatal, ..Options::default() });
    let done = |_: Result<(), StoreError>| panic!("a callback that breaks the writer");
    store.append(ended_task(store.next_key(), 100), Box::new(done));
    let outcome = append(&*store, ended_task(store.next_key(), 100)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert!(matches!(store.ready(), Err(StoreError::Unavailable(_))));
    assert_eq!(told.recv().expect("the hook was called"), "the writer panicked");
}

#[tokio::test]
async fn a_full_store_refuses_reads_on_and_heals() {
    let directory = TempDir::new().expect("a scratch directory");
    let limited = || Options { max_bytes: Some(1 << 20), ..Options::default() };
    let store = open(directory.path(), limited());
    check_full_and_healed(&store).await;
}

/// The same with a real file system, where the write-ahead log is what meets the end of the disk.
#[tokio::test]
async fn a_full_disk_is_a_full_store() {
    let directory = TempDir::new().expect("a scratch directory");
    let Some(disk) = SmallDisk::mount(directory.path(), 5) else {
        eprintln!("not checked: this user cannot mount a tmpfs");
        return;
    };
    let ballast = directory.path().join("ballast");
    fs::write(&ballast, vec![0; 2 << 20]).expect("room for the ballast");
    let store = open(&directory.path().join("data"), Options::default());
    fill(&store).await;
    assert!(total(&*store).await > 0);
    fs::remove_file(&ballast).expect("the ballast is there");
    let outcome = append(&*store, ended_task(store.next_key(), 1_000)).await;
    outcome.expect("deleting something makes room");
    store.ready().expect("the store has recovered");
    drop((store, disk));
}

async fn fill(store: &SqliteStore) {
    let mut outcome = Ok(());
    while outcome.is_ok() {
        outcome = append(store, ended_task(store.next_key(), 20_000)).await;
    }
    assert!(matches!(outcome, Err(StoreError::Full)), "{outcome:?}");
    assert!(matches!(store.ready(), Err(StoreError::Full)));
}

async fn check_full_and_healed(store: &SqliteStore) {
    fill(store).await;
    let before = total(store).await;
    assert!(before > 10, "{before} tasks in 1 MiB");
    let later = Timestamp::from_millis(Timestamp::now().as_millis() + 1).expect("a time");
    let swept =
        store.sweep("d", &Cutoffs::quiet_before(later)).await.expect("removing needs no room");
    assert_eq!((swept.tasks, total(store).await), (before, 0));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    store.ready().expect("after a while one attempt is let through");
    let outcome = append(store, ended_task(store.next_key(), 20_000)).await;
    outcome.expect("there is room again");
    store.ready().expect("the store has recovered");
}

mod tokens {
    use legation_core::{IntegrationToken, IntegrationTokens as _, Scopes};
    use legation_store::sqlite::SqliteTokens;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).expect("in range")
    }

    fn token(id: &str, name: &str) -> IntegrationToken {
        IntegrationToken {
            id: id.into(),
            name: name.into(),
            tenant: "t".into(),
            subject: "s".into(),
            scopes: Scopes::Only(["read".into(), "send".into()].into()),
            agents: None,
            created_at: at(1),
            expires_at: Some(at(9)),
            revoked_at: None,
            last_used_at: None,
            digest: [1; 32],
            earlier: None,
        }
    }

    fn found(tokens: &SqliteTokens, id: &str) -> IntegrationToken {
        tokens.find(id).expect("readable").expect("it is there")
    }

    #[test]
    fn a_token_is_kept_rotated_and_revoked_beside_an_open_store() {
        let directory = TempDir::new().expect("a scratch directory");
        let _store = open(directory.path(), Options::default());
        // As a server sees them, and as another process does.
        let server = SqliteTokens::of_store(directory.path(), "d");
        let command = SqliteTokens::open(directory.path(), "d").expect("beside the store");
        assert!(server.find("a").expect("readable").is_none());
        assert!(command.add(&token("a", "ci")).expect("writable"));
        let seen = found(&server, "a");
        assert_eq!((&*seen.id, &*seen.name, &*seen.tenant, &*seen.subject), ("a", "ci", "t", "s"));
        assert_eq!(seen.scopes, Scopes::Only(["read".into(), "send".into()].into()));
        assert_eq!((seen.agents.as_deref(), seen.expires_at), (None, Some(at(9))));
        assert_eq!((seen.digest, seen.earlier), ([1; 32], None));

        assert!(command.rotate("a", &[2; 32], at(5)).expect("writable"));
        let seen = found(&server, "a");
        assert_eq!((seen.digest, seen.earlier), ([2; 32], Some(([1; 32], at(5)))));
        assert!(command.revoke("a", at(6)).expect("writable"));
        let seen = found(&server, "a");
        assert_eq!((seen.revoked_at, seen.earlier), (Some(at(6)), None));
        assert!(!command.revoke("a", at(7)).expect("writable"), "once");
        assert!(!command.rotate("a", &[3; 32], at(8)).expect("writable"), "not when revoked");
        assert!(!command.revoke("b", at(7)).expect("writable"), "there is none");
    }

    #[test]
    fn a_name_is_one_tokens_until_that_is_revoked_and_deployments_do_not_meet() {
        let directory = TempDir::new().expect("a scratch directory");
        let tokens = SqliteTokens::open(directory.path(), "d").expect("a new one");
        let other = SqliteTokens::open(directory.path(), "e").expect("of the same store");
        let narrow = IntegrationToken {
            scopes: Scopes::All,
            agents: Some(["x".into()].into()),
            expires_at: None,
            ..token("b", "ci")
        };
        assert!(tokens.add(&token("a", "ci")).expect("writable"));
        assert!(!tokens.add(&narrow).expect("writable"), "the name is taken");
        assert!(other.add(&narrow).expect("writable"), "by another deployment's it is not");
        assert!(other.find("a").expect("readable").is_none());
        assert!(!other.revoke("a", at(2)).expect("writable"));
        assert!(!other.rotate("a", &[2; 32], at(2)).expect("writable"));
        assert!(tokens.find("b").expect("readable").is_none());
        assert!(tokens.revoke("a", at(2)).expect("writable"));
        assert!(tokens.add(&narrow).expect("writable"));
        let ids: Vec<_> =
            tokens.list().expect("readable").iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, ["a", "b"]);
        let seen = found(&tokens, "b");
        assert_eq!((seen.scopes, seen.agents.as_deref()), (Scopes::All, Some(&["x".into()][..])));
    }

    #[test]
    fn a_last_use_is_written_later_and_none_is_lost() {
        let directory = TempDir::new().expect("a scratch directory");
        let tokens = SqliteTokens::open(directory.path(), "d").expect("a new one");
        assert!(tokens.add(&token("a", "ci")).expect("writable"));
        let last = || found(&tokens, "a").last_used_at;
        let used = |millis| tokens.note_use(&"a".into(), at(millis));
        used(1_000);
        assert_eq!(last(), None, "not in the path of the call");
        tokens.write_uses(at(1_000)).expect("writable");
        assert_eq!(last(), Some(at(1_000)));
        used(2_000);
        tokens.write_uses(at(3_000)).expect("writable");
        assert_eq!(last(), Some(at(1_000)), "once a minute");
        tokens.close().expect("writable");
        assert_eq!(last(), Some(at(2_000)));
    }

    #[test]
    fn a_database_of_an_older_release_is_brought_up_to_date_unless_a_server_has_it() {
        let directory = TempDir::new().expect("a scratch directory");
        let path = directory.path().join("data");
        let rows = "PRAGMA application_id = 0x4c656761; PRAGMA user_version = 1;";
        database(&path, &format!("{}{rows}", include_str!("../migrations/sqlite/1_tasks.sql")));
        let lock = fs::File::create(path.join("lock")).expect("writable");
        lock.try_lock().expect("nobody has it");
        let refused = SqliteTokens::open(&path, "d").err();
        assert!(matches!(refused, Some(OpenError::InUse { .. })), "{refused:?}");
        drop(lock);
        let tokens = SqliteTokens::open(&path, "d").expect("nobody has it");
        assert!(tokens.add(&token("a", "ci")).expect("writable"));
    }
}

mod audit {
    use legation_core::{
        Actor, AuditAction, AuditEvent, AuditLog as _, AuditOutcome, IntegrationToken, Scopes,
    };
    use legation_store::sqlite::{AuditLimits, AuditQuery, SqliteAudit, SqliteTokens};

    use super::*;

    const ALL: AuditQuery =
        AuditQuery { since: None, action: None, tenant: None, subject: None, limit: 10_000 };

    fn event(subject: &str, action: AuditAction, target: &str) -> AuditEvent {
        let actor = Actor {
            tenant: "t".into(),
            subject: subject.into(),
            scheme: "bearer".into(),
            address: Some([10, 0, 0, 1].into()),
        };
        AuditEvent::new(actor, action, AuditOutcome::Done).to(target).saying("why")
    }

    fn targets(log: &SqliteAudit, query: &AuditQuery) -> Vec<String> {
        let entries = log.list(query).expect("readable");
        entries.into_iter().map(|(_, entry)| entry.event.target).collect()
    }

    #[tokio::test]
    async fn what_happened_is_found_again_beside_an_open_store() {
        let directory = TempDir::new().expect("a scratch directory");
        let _store = open(directory.path(), Options::default());
        let log = SqliteAudit::of_store(directory.path(), "d", AuditLimits::default());
        let command = SqliteAudit::open(directory.path(), "d").expect("beside the store");
        let other = SqliteAudit::open(directory.path(), "e").expect("beside the store");
        let erased = event("ann", AuditAction::EraseContext, "1");
        log.record(erased.clone()).await.expect("writable");
        let entries = command.list(&ALL).expect("readable");
        assert_eq!((entries.len(), &entries[0].1.event, entries[0].1.count), (1, &erased, 1));
        log.note(event("bob", AuditAction::Call, "2"));
        assert_eq!(targets(&command, &ALL), ["1"], "not in the path of the call");
        log.write_noted(Timestamp::now()).expect("writable");
        log.record(event("ann", AuditAction::Call, "3")).await.expect("writable");
        log.note(event("ann", AuditAction::Call, "4"));
        log.close().expect("writable");
        assert!(other.list(&ALL).expect("readable").is_empty(), "another deployment's");

        let last = command.list(&ALL).expect("readable")[3].1.at;
        let later = Timestamp::from_millis(last.as_millis() + 1);
        let cases: [(AuditQuery, &[&str]); 8] = [
            (ALL, &["1", "2", "3", "4"]),
            (AuditQuery { limit: 2, ..ALL }, &["3", "4"]),
            (AuditQuery { action: Some(AuditAction::Call), ..ALL }, &["2", "3", "4"]),
            (AuditQuery { subject: Some("ann".into()), ..ALL }, &["1", "3", "4"]),
            (AuditQuery { tenant: Some("t".into()), limit: 1, ..ALL }, &["4"]),
            (AuditQuery { tenant: Some("u".into()), ..ALL }, &[]),
            (AuditQuery { since: later, ..ALL }, &[]),
            (AuditQuery { since: Some(entries[0].1.at), limit: 1, ..ALL }, &["4"]),
        ];
        for (query, expected) in cases {
            assert_eq!(targets(&command, &query), expected, "{query:?}");
        }
        let last = command.last(AuditAction::EraseContext).expect("readable").expect("one");
        assert_eq!(last.event, erased);
    }

    #[tokio::test]
    async fn entries_are_never_changed_and_go_from_the_oldest() {
        let directory = TempDir::new().expect("a scratch directory");
        let limits = AuditLimits { entries: 2_500, ..AuditLimits::default() };
        drop(SqliteAudit::open(directory.path(), "d").expect("a new one"));
        let log = SqliteAudit::of_store(directory.path(), "d", limits);
        log.record(event("ann", AuditAction::Call, "0")).await.expect("writable");
        let path = directory.path().join("legation.db");
        let database = rusqlite::Connection::open(path).expect("a database");
        let copies =
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 4000)
             INSERT INTO audit SELECT id + x, deployment, at, tenant, subject, scheme, address,
                 action, outcome, CAST(x AS TEXT), detail, count FROM audit, n";
        database.execute_batch(copies).expect("many entries");
        let refused = [
            ("UPDATE audit SET subject = 'eve' WHERE id = 7", "never changed"),
            ("DELETE FROM audit WHERE id = 7", "only the oldest"),
            ("DELETE FROM audit WHERE target = '4000'", "only the oldest"),
        ];
        for (sql, expected) in refused {
            let error = database.execute_batch(sql).expect_err(sql).to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
        let now = Timestamp::now();
        assert_eq!(log.forget(now).expect("writable"), 1_501);
        let left = targets(&log, &ALL);
        assert_eq!((left.len(), &*left[0], &*left[2_499]), (2_500, "1501", "4000"));
        assert_eq!(log.forget(now).expect("writable"), 0);
        let in_days = |days: i64| {
            Timestamp::from_millis(now.as_millis() + days * 86_400_000).expect("in range")
        };
        assert_eq!(log.forget(in_days(89)).expect("writable"), 0);
        assert_eq!(log.forget(in_days(91)).expect("writable"), 2_500);
        log.record(event("ann", AuditAction::Call, "new")).await.expect("writable");
        assert_eq!(log.list(&ALL).expect("readable")[0].0, 4_002, "numbers are never used again");
    }

    #[test]
    fn what_the_operator_does_to_tokens_is_in_the_log_and_nothing_else_is() {
        let directory = TempDir::new().expect("a scratch directory");
        let tokens = SqliteTokens::open(directory.path(), "d").expect("a new one");
        let at = |millis| Timestamp::from_millis(millis).expect("in range");
        let token = IntegrationToken {
            id: "a".into(),
            name: "ci".into(),
            tenant: "t".into(),
            subject: "s".into(),
            scopes: Scopes::Only(["read".into(), "send".into()].into()),
            agents: None,
            created_at: at(1),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            digest: [7; 32],
            earlier: None,
        };
        assert!(tokens.add(&token).expect("writable"));
        assert!(!tokens.add(&token).expect("writable"), "it is there");
        assert!(tokens.rotate("a", &[8; 32], at(5)).expect("writable"));
        assert!(!tokens.rotate("b", &[8; 32], at(5)).expect("writable"));
        assert!(tokens.revoke("a", at(6)).expect("writable"));
        assert!(!tokens.revoke("a", at(6)).expect("writable"));
        let log = SqliteAudit::open(directory.path(), "d").expect("of the same store");
        let entries = log.list(&ALL).expect("readable");
        let events: Vec<_> = entries.iter().map(|(_, entry)| &entry.event).collect();
        let actions: Vec<_> = events.iter().map(|event| event.action.name()).collect();
        assert_eq!(actions, ["key.create", "key.rotate", "key.revoke"]);
        assert!(events.iter().all(|event| event.target == "a"));
        assert!(events.iter().all(|event| event.actor == Actor::operator()));
        let expected = "`ci` for tenant `t`, subject `s`, scopes read,send, agents all, \
                        until it is revoked";
        assert_eq!(events[0].detail, expected);
    }
}
