//! Whole stores go into files and from files into stores, of either kind, and nothing changes.

mod filled;

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use filled::{STATES, at, born, fill, next, scope, scopes, write};
use legation_core::store::{Day, Query, TaskKey};
use legation_core::{AuditAction, Cutoffs, Scope, TaskStore};
use legation_model::TaskState;
use legation_store::postgres::{self, PostgresStore};
use legation_store::sqlite::{Options, SqliteStore};
use legation_store::{
    AuditLimits, AuditQuery, Counts, Home, Store, Summary, TransferError, export, import,
};
use legation_testkit::postgres::Place;

fn in_directory(path: &Path) -> Home {
    Home::Sqlite(path.to_owned(), Options::default())
}

fn in_schema(place: &Place) -> Home {
    let schema = place.schema.clone();
    let options = postgres::Options { schema, ..postgres::Options::default() };
    Home::Postgres(place.url.clone(), options)
}

fn exported(from: Home) -> Vec<u8> {
    let mut file = Vec::new();
    export(from, &mut file, &mut |_, _| {}).expect("a copy");
    file
}

fn imported(file: &[u8], into: Home) -> Result<Summary, TransferError> {
    import(Cursor::new(file), into, &mut |_, _| {})
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// What a store says of its tasks in all scopes, keys aside.
async fn said(store: &dyn TaskStore) -> Vec<String> {
    let mut said = Vec::new();
    let query = Query { context_id: None, state: None, since: None, after: None, limit: 100 };
    for scope in scopes() {
        let page = store.list(&scope, &query).await.expect("readable");
        said.push(format!("{} of {scope:?}", page.total));
        for task in page.tasks {
            let log = store.entries(&scope, task.key, 0, usize::MAX).await.expect("readable");
            let stored = format!("{:?}", legation_core::store::Stored { key: TaskKey(0), ..task });
            said.push(format!("{stored} {log:?}"));
        }
        for key in ["key \0 0", "direct"] {
            said.push(format!("{:?}", store.remembered(&scope, key).await.expect("readable")));
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_goes_to_postgres_and_back_and_is_the_same() {
    let Some(place) = legation_testkit::postgres::place() else { return };
    let (first, second) = (home(), home());
    fill(first.path()).await;
    tokio::task::block_in_place(|| {
        let file = exported(in_directory(first.path()));
        let there = imported(&file, in_schema(&place)).expect("imported");
        let tasks = (scopes().len() * STATES.len()) as u64;
        let of = |counts: Counts| (counts.tasks, counts.contexts, counts.keys, counts.tokens);
        // One context is swept empty, and one is idle with a task; each scope has one answer; two scopes
        // share their contexts.
        assert_eq!(of(there.counts), (tasks + 1, 10, tasks + 5, 6), "{:?}", there.counts);
        assert_eq!(there.counts.results, 2);
        let other = exported(in_schema(&place));
        assert!(file == other, "of equal stores, equal files");
        imported(&other, in_directory(second.path())).expect("imported");
        assert!(file == exported(in_directory(second.path())));
        // Once more, all of it is there.
        imported(&file, in_schema(&place)).expect("nothing to do");
        imported(&file, in_directory(second.path())).expect("nothing to do");
        assert!(file == exported(in_schema(&place)));
    });
    let counting = || Options { count_usage: true, ..Options::default() };
    let of_directory =
        |path: &Path| Store::open(Home::Sqlite(path.to_owned(), counting())).expect("it opens");
    let (one, other) = (of_directory(first.path()), of_directory(second.path()));
    let shared = tokio::task::block_in_place(|| Store::open(in_schema(&place)).expect("it opens"));
    let expected = said(&*one.tasks()).await;
    for store in [&shared, &other] {
        assert!(said(&*store.tasks()).await == expected);
        works(store, &one).await;
    }
    for store in [one, other, shared] {
        tokio::task::block_in_place(|| store.close());
    }
}

/// A store that was imported goes on where the first one was.
async fn works(store: &Store, first: &Store) {
    let (tasks, before) = (store.tasks(), first.tasks());
    let all = scopes();
    let used = |tasks: std::sync::Arc<dyn TaskStore>, scope: Scope| async move {
        let used = tasks.used(&scope, Day::of(at(1_000))).await.expect("readable");
        (used.caller.bytes, used.tenant.bytes)
    };
    assert!(used(before.clone(), all[0].clone()).await > (0, 0));
    assert_eq!(used(tasks.clone(), all[0].clone()).await, used(before, all[0].clone()).await);
    // Submitted and working ones, and one of which a run waits.
    let left = tasks.unfinished("d", TaskKey(0), 100).await.expect("readable");
    assert_eq!(left.len(), 4 * 3);
    let new = born(&*tasks, &all[0], "c0", at(5_000));
    assert!(left.iter().all(|task| task.key < new.key));
    write(&*tasks, new.clone()).await.expect("written");
    write(&*tasks, next(&new, 2, TaskState::Completed, 1)).await.expect("written");
    let kept = tasks.load(&left[0].scope, &left[0].id).await.expect("readable").expect("there");
    let mut more = next(&new, 123, TaskState::Completed, 1);
    (more.key, more.epoch) = (kept.key, kept.epoch + 1);
    write(&*tasks, more).await.expect("a task that came goes on");
    let swept = tasks.sweep("swept", &Cutoffs::quiet_before(at(21))).await.expect("swept");
    assert_eq!(swept.contexts, 1, "the context without a task is known to have none");
    let audit = store.audit("d", AuditLimits::default());
    let newest = |entries: Vec<(i64, _)>| entries.last().map(|(id, _)| *id).expect("entries");
    let query = || AuditQuery { limit: 1_000, ..AuditQuery::default() };
    let last = newest(audit.list(query()).await.expect("readable"));
    assert!(store.tokens("d").revoke("1".into(), at(9)).await.expect("writable"));
    let entries = audit.list(query()).await.expect("readable");
    assert!(newest(entries) > last);
    let entry = audit.last(AuditAction::RevokeKey).await.expect("readable").expect("there");
    assert_eq!(entry.event.target, "1");
}

#[tokio::test]
async fn a_server_may_work_while_its_store_is_exported_and_not_while_one_is_imported() {
    let (first, second) = (home(), home());
    fill(first.path()).await;
    let store = SqliteStore::open(first.path(), Options::default()).expect("it opens");
    let at_rest = exported(in_directory(first.path()));
    let begun = born(&*store, &scopes()[0], "new", at(9));
    let mut is_begun = false;
    let mut file = Vec::new();
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            export(in_directory(first.path()), &mut file, &mut |_, _| {
                if !std::mem::replace(&mut is_begun, true) {
                    runtime.block_on(write(&*store, begun.clone())).expect("written");
                }
            })
            .expect("a copy");
        });
    });
    assert!(file == at_rest, "as of the moment when it began");
    assert!(exported(in_directory(first.path())) != file);
    let refused = imported(&file, in_directory(first.path())).expect_err("a server has it");
    assert!(refused.to_string().contains("in use by process"), "{refused}");
    drop(store);
    imported(&file, in_directory(second.path())).expect("imported");
}

#[test]
fn servers_keep_an_import_from_their_schema() {
    let Some(place) = legation_testkit::postgres::place() else { return };
    let from = home();
    drop(SqliteStore::open(from.path(), Options::default()).expect("it opens"));
    let file = exported(in_directory(from.path()));
    let missing = export(in_schema(&place), io::sink(), &mut |_, _| {});
    let missing = missing.expect_err("there is none yet").to_string();
    assert!(missing.contains("no store") && missing.contains(&place.schema), "{missing}");
    let options = postgres::Options { schema: place.schema.clone(), ..Default::default() };
    let store = PostgresStore::open(&place.url, options).expect("it opens");
    let refused = imported(&file, in_schema(&place)).expect_err("a server has it");
    assert!(matches!(refused, TransferError::InUse(_)), "{refused}");
    assert_eq!(exported(in_schema(&place)), file, "reading is no harm");
    store.close();
    imported(&file, in_schema(&place)).expect("nobody has it any more");
}

/// A file that cannot be read any more after so many bytes.
struct Breaks<'f> {
    file: Cursor<&'f [u8]>,
    left: usize,
}

impl Read for Breaks<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.file.read(to)
    }
}

impl BufRead for Breaks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.file.fill_buf()?;
        let most = buffer.len().min(self.left);
        match buffer.is_empty() || most > 0 {
            true => Ok(&buffer[..most]),
            false => Err(io::Error::other("broken off")),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes;
        self.file.consume(bytes);
    }
}

impl Seek for Breaks<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A store of many tasks.
async fn many(directory: &Path, tasks: usize) {
    let store = SqliteStore::open(directory, Options::default()).expect("it opens");
    let scope = scope("d", "t", "o", "a");
    let appends = (0..tasks).map(|number| {
        let mut first = born(&*store, &scope, &format!("c{}", number / 10), at(number as i64));
        first.snapshot = Some(Bytes::from(r#"{"id":1}"#));
        write(&*store, first)
    });
    for outcome in futures::future::join_all(appends).await {
        outcome.expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_broke_off_is_gone_on_with() {
    let from = home();
    many(from.path(), 3_000).await;
    let file = exported(in_directory(from.path()));
    let into = home();
    let mut homes: Vec<Box<dyn Fn() -> Home>> = vec![Box::new(move || in_directory(into.path()))];
    if let Some(place) = legation_testkit::postgres::place() {
        homes.push(Box::new(move || in_schema(&place)));
    }
    tokio::task::block_in_place(|| {
        for home in homes {
            let mut reached = 0;
            for part in [3, 6, 9] {
                // The file is read twice.
                let left = file.len() + file.len() * part / 10;
                let broken = Breaks { file: Cursor::new(&file), left };
                let broken = import(broken, home(), &mut |_, _| {}).expect_err("broken off");
                assert!(matches!(broken, TransferError::File(_)), "{broken}");
                let there = export(home(), io::sink(), &mut |_, _| {}).expect("readable").counts;
                assert!(there.tasks == there.log_rows, "whole tasks only: {there:?}");
                assert!(there.tasks >= reached && there.tasks < 3_000, "{there:?}");
                reached = there.tasks;
            }
            assert!(reached > 1_000, "it did not begin anew each time: {reached}");
            imported(&file, home()).expect("to its end");
            assert!(exported(home()) == file);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_longer_than_what_is_written_at_once_stays_with_its_task() {
    let Some(place) = legation_testkit::postgres::place() else { return };
    let (from, into) = (home(), home());
    let store = SqliteStore::open(from.path(), Options::default()).expect("it opens");
    for number in 0..2 {
        let first = born(&*store, &scope("d", "t", "o", "a"), "c", at(number));
        write(&*store, first.clone()).await.expect("written");
        for seq in 2..8 {
            let mut more = next(&first, seq, TaskState::Working, 1);
            more.entries = vec![Bytes::from(format!("{{\"{seq}\":\"{}\"}}", "x".repeat(2 << 20)))];
            write(&*store, more).await.expect("written");
        }
    }
    drop(store);
    let file = exported(in_directory(from.path()));
    tokio::task::block_in_place(|| {
        for home in [in_schema(&place), in_directory(into.path())] {
            imported(&file, home).expect("imported");
        }
        assert!(exported(in_schema(&place)) == file);
        assert!(exported(in_directory(into.path())) == file);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_cannot_hold_is_refused_with_its_place() {
    let Some(place) = legation_testkit::postgres::place() else { return };
    let from = home();
    let store = SqliteStore::open(from.path(), Options::default()).expect("it opens");
    let first = born(&*store, &scope("d", "t", &"o".repeat(3_000), "a"), "c", at(1));
    write(&*store, first).await.expect("written");
    drop(store);
    let file = exported(in_directory(from.path()));
    tokio::task::block_in_place(|| {
        let refused = imported(&file, in_schema(&place)).expect_err("too long a name");
        assert!(matches!(refused, TransferError::Write { .. }), "{refused}");
        let there = export(in_schema(&place), io::sink(), &mut |_, _| {}).expect("readable");
        assert_eq!(there.counts, Counts::default());
    });
}

#[tokio::test]
async fn what_is_there_and_differs_is_named_and_kept() {
    let (from, into) = (home(), home());
    fill(from.path()).await;
    many(into.path(), 3).await;
    let (file, there) = (exported(in_directory(from.path())), exported(in_directory(into.path())));
    let refused = imported(&file, in_directory(into.path())).expect_err("another store");
    let said = refused.to_string();
    assert!(said.contains("has another context `c0`") && said.contains("line 2"), "{said}");
    assert!(exported(in_directory(into.path())) == there);
    // More of the same is more than the file has.
    let (more, less) = (home(), home());
    imported(&there, in_directory(more.path())).expect("imported");
    imported(&there, in_directory(less.path())).expect("imported");
    let store = SqliteStore::open(more.path(), Options::default()).expect("it opens");
    write(&*store, born(&*store, &scope("d", "t", "o", "a"), "c0", at(9))).await.expect("written");
    drop(store);
    let refused = imported(&there, in_directory(more.path())).expect_err("one task more");
    assert!(matches!(refused, TransferError::Differs { .. }), "{refused}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_nothing_is_imported() {
    let (from, into) = (home(), home());
    many(from.path(), 2).await;
    let file = exported(in_directory(from.path()));
    let into = into.path().join("none");
    let refused = |file: &[u8]| {
        let said = imported(file, in_directory(&into)).expect_err("damaged").to_string();
        assert!(said.contains("damaged, and nothing was imported: line "), "{said}");
        assert!(!into.exists());
    };
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1;
        refused(&changed);
        refused(&file[..place]);
    }
    refused(&[&file[..], b"x"].concat());
    let second = file.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
    refused(&[&b"{\"legation_export\":3}\n"[..], &file[second..]].concat());
    imported(&file, in_directory(&into)).expect("as it was");
}

/// A file of before contexts had states and tasks left results.
#[test]
fn a_file_of_an_earlier_release_is_imported() {
    let into = home();
    let file = concat!(
        r#"{"legation_export":1}"#,
        "\n",
        r#"{"context":{"scope":{"deployment":"d","tenant":"t","owner":"o","agent":""},"#,
        r#""id":"c","created_at":1,"active_at":2}}"#,
        "\n",
        r#"{"end":{"counts":{"contexts":1,"tasks":0,"log_rows":0,"keys":0,"tokens":0,"audit":0},"#,
        r#""sha256":"DIGEST"}}"#,
        "\n",
    );
    let body = &file[..file.find(r#"{"end""#).expect("an end")];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = file.replace("DIGEST", &digest);
    let there = imported(file.as_bytes(), in_directory(into.path())).expect("imported");
    assert_eq!(there.counts, Counts { contexts: 1, ..Counts::default() });
    imported(file.as_bytes(), in_directory(into.path())).expect("nothing to do");
    let now = String::from_utf8(exported(in_directory(into.path()))).expect("text");
    assert!(now.starts_with("{\"legation_export\":2}\n"), "{now}");
}

#[test]
fn where_no_store_is_none_is_made() {
    let home = home();
    let path = home.path().join("none");
    let missing = export(in_directory(&path), io::sink(), &mut |_, _| {}).expect_err("none");
    assert!(missing.to_string().contains("there is no store in"), "{missing}");
    assert!(!path.exists());
}
