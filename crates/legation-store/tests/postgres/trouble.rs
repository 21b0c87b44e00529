//! What a store does while its server is in trouble, and after it.

use std::sync::atomic::{AtomicBool, Ordering};

use legation_core::store::Place;
use legation_testkit::disk::SmallDisk;
use legation_testkit::postgres::{self, Cluster};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use super::*;

/// What callers saw of a store while its server came and went.
#[derive(Default)]
struct Seen {
    durable: Vec<TaskId>,
    refused: u64,
    slowest: Duration,
}

/// Appends one task after the other until told to stop.
async fn call(store: Arc<PostgresStore>, stop: CancellationToken) -> Seen {
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        let (task, asked) = (ended_task(store.next_key(), 500), Instant::now());
        let id = id_of(&task);
        match append(&*store, task).await {
            Ok(()) => seen.durable.push(id),
            Err(StoreError::Unavailable(_)) => {
                seen.refused += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("{error}"),
        }
        seen.slowest = seen.slowest.max(asked.elapsed());
    }
    seen
}

/// The server fails under load and comes back, twice: nothing acknowledged is lost, nobody waits long
/// for a refusal, and all of it heals without anybody's doing.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing_and_heals() {
    let Some(cluster) = Cluster::private() else { return };
    let place = postgres::Place { url: cluster.url(), schema: "crash".into() };
    let store = open(&place);
    let mut all = Vec::new();
    for _ in 0..2 {
        let stop = CancellationToken::new();
        let calling: Vec<_> =
            (0..32).map(|_| tokio::spawn(call(store.clone(), stop.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(700)).await;
        tokio::task::block_in_place(|| cluster.crash()).expect("it ran");
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(matches!(store.ready(), Err(StoreError::Unavailable(_))));
        let asked = Instant::now();
        let read = store.list(&scope(), &Query::default()).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        tokio::task::block_in_place(|| cluster.start()).expect("it starts");
        let back = Instant::now();
        while store.ready().is_err() || store.list(&scope(), &Query::default()).await.is_err() {
            assert!(back.elapsed() < Duration::from_secs(5), "it has not healed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
        for calling in calling {
            let seen = calling.await.expect("no panic");
            assert!(
                seen.refused > 0 && seen.slowest < Duration::from_secs(3),
                "{:?}",
                seen.slowest
            );
            all.extend(seen.durable);
        }
    }
    assert!(all.len() > 100, "{}", all.len());
    for id in &all {
        let loaded = store.load(&scope(), id).await.expect("a readable store");
        assert_eq!(loaded.expect("it was acknowledged").seq, 1);
    }
    // What was refused may be there as well, and then it counts.
    let stored = total(&*store).await;
    assert!(stored >= all.len() as u64);
    let (mut query, mut listed) = (Query { limit: 1_000, ..Query::default() }, 0);
    loop {
        let page = store.list(&scope(), &query).await.expect("a readable store");
        listed += page.tasks.len() as u64;
        let Some(last) = page.tasks.last().filter(|_| page.more) else { break };
        query.after = Some(Place { status_at: last.status_at, key: last.key });
    }
    assert_eq!(listed, stored);
}

/// A server that says nothing costs no caller more than the store's patience, and is not asked again
/// and again by those who wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_and_found_again() {
    let Some(cluster) = Cluster::private() else { return };
    let place = postgres::Place { url: cluster.url(), schema: "hang".into() };
    let store = open(&place);
    let kept = ended_task(store.next_key(), 10);
    let (key, id) = (kept.key, id_of(&kept));
    append(&*store, Append { state: TaskState::Working, ..kept }).await.expect("a birth");
    // Whoever wants to write to the table waits for this.
    let (client, connection) =
        tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE hang.task_events").await.expect("a lock");
    let asked = Instant::now();
    let scope = scope();
    let (written, read) = tokio::join!(queue(&*store, next(key, 1, 2)), store.load(&scope, &id));
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(store.ready().is_err());
    client.batch_execute("COMMIT").await.expect("it lets go");
    let back = Instant::now();
    while append(&*store, next(key, 1, 2)).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(5), "it has not healed");
    }
    store.ready().expect("it has healed");
}

/// Connections are cut in the middle of everything, commits too. What a cut leaves uncertain is asked
/// for, so what is told is true: what is durable is there, and hardly anything that is there was refused.
#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_leave_little_uncertain_and_nothing_wrong() {
    let Some(cluster) = Cluster::private() else { return };
    let place = postgres::Place { url: cluster.url(), schema: "cut".into() };
    let store = open(&place);
    let stop = CancellationToken::new();
    let calling: Vec<_> =
        (0..32).map(|_| tokio::spawn(call(store.clone(), stop.clone()))).collect();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                   AND application_name = 'legation'";
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(37)).await;
        sql(&place, cut).await.expect("valid SQL");
    }
    stop.cancel();
    let (mut durable, mut refused) = (Vec::new(), 0);
    for calling in calling {
        let seen = calling.await.expect("no panic");
        assert!(seen.slowest < Duration::from_secs(3), "{:?}", seen.slowest);
        durable.extend(seen.durable);
        refused += seen.refused;
    }
    for id in &durable {
        let loaded = store.load(&scope(), id).await.expect("a readable store");
        assert_eq!(loaded.expect("it was acknowledged").seq, 1);
    }
    let stored = total(&*store).await;
    let unsaid = stored - durable.len() as u64;
    assert!(refused > 0 && unsaid <= refused / 10, "{unsaid} of {refused} refused are there");
}

/// A server whose processes stand still says nothing at all, not even that it refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let Some(cluster) = Cluster::private() else { return };
    let place = postgres::Place { url: cluster.url(), schema: "still".into() };
    let store = open(&place);
    let stop = CancellationToken::new();
    let calling: Vec<_> = (0..8).map(|_| tokio::spawn(call(store.clone(), stop.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.pause().expect("it runs");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    let read = store.list(&scope(), &Query::default()).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(store.ready(), Err(StoreError::Unavailable(_))));
    cluster.resume().expect("it is there");
    let back = Instant::now();
    while store.ready().is_err() || store.list(&scope(), &Query::default()).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(5), "it has not healed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    for calling in calling {
        let seen = calling.await.expect("no panic");
        assert!(seen.refused > 0 && seen.slowest < Duration::from_secs(3), "{:?}", seen.slowest);
        for id in &seen.durable {
            let loaded = store.load(&scope(), id).await.expect("a readable store");
            assert_eq!(loaded.expect("it was acknowledged").seq, 1);
        }
    }
}

/// What lies between a store and its server: it lets everything through, or swallows what the server
/// says after a commit and hangs up. It may be slow to connect.
struct Between {
    port: u16,
    swallows: Arc<AtomicBool>,
    is_slow: Arc<AtomicBool>,
}

/// More than half of a store's patience.
const SLOW: Duration = Duration::from_millis(1_200);

impl Between {
    async fn before(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let (swallows, socket) = (Arc::new(AtomicBool::new(false)), cluster.socket());
        let is_slow = Arc::new(AtomicBool::new(false));
        let (for_all, for_new) = (swallows.clone(), is_slow.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.expect("a server");
                let relayed = relay(client, server, for_all.clone());
                let wait = if for_new.load(Ordering::Relaxed) { SLOW } else { Duration::ZERO };
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    relayed.await;
                });
            }
        });
        Self { port, swallows, is_slow }
    }

    /// A store of one writer behind it.
    fn store(&self, schema: &str) -> Arc<PostgresStore> {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        let options = Options { writers: 1, schema: schema.into(), ..Options::default() };
        PostgresStore::open(&url, options).expect("a store that opens")
    }
}

async fn relay(mut client: TcpStream, mut server: UnixStream, swallows: Arc<AtomicBool>) {
    let (mut said, mut answered) = ([0; 16 << 10], [0; 16 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut said) => {
                let Ok(length @ 1..) = read else { return };
                let said = &said[..length];
                if server.write_all(said).await.is_err() {
                    return;
                }
                let is_commit = said.windows(7).any(|bytes| bytes == b"COMMIT\0");
                if is_commit && swallows.swap(false, Ordering::Relaxed) {
                    // Until the server has done what it was told.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A commit whose answer is lost is found to be one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_without_an_answer_is_durable() {
    let Some(cluster) = Cluster::private() else { return };
    let between = Between::before(&cluster).await;
    let store = between.store("unheard");
    let idempotency = |key: &str| Idempotency { key: key.into(), digest: [1; 32] };
    for round in 0..3 {
        between.swallows.store(true, Ordering::Relaxed);
        let task = ended_task(store.next_key(), 10);
        append(&*store, task).await.expect("it was committed");
        assert_eq!(total(&*store).await, round + 1);
        between.swallows.store(true, Ordering::Relaxed);
        let (key, answer) = (idempotency(&round.to_string()), Bytes::from_static(b"{}"));
        let kept = store.remember(&scope(), key, answer, Timestamp::now()).await;
        kept.expect("it was committed");
        assert!(!between.swallows.load(Ordering::Relaxed), "an answer was lost");
    }
}

/// Reads wait less while others come to nothing, and all the same find out when there is a connection again
/// that takes its time.
#[tokio::test(flavor = "multi_thread")]
async fn reads_heal_over_connections_that_take_their_time() {
    let Some(cluster) = Cluster::private() else { return };
    let between = Between::before(&cluster).await;
    let store = between.store("slow");
    assert_eq!(total(&*store).await, 0);
    between.is_slow.store(true, Ordering::Relaxed);
    let (client, connection) =
        tokio_postgres::connect(&cluster.url(), tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE slow.tasks").await.expect("a lock");
    let read = store.list(&scope(), &Query::default()).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    client.batch_execute("COMMIT").await.expect("it lets go");
    let back = Instant::now();
    while store.list(&scope(), &Query::default()).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(20), "it has not healed");
    }
}

/// A disk of the server that is full is a full store, and one with room again is none.
#[tokio::test]
async fn a_full_disk_is_a_full_store() {
    let Some(cluster) = Cluster::private() else { return };
    let path = cluster.directory("small").expect("a directory");
    let Some(_disk) = SmallDisk::mount(&path, 16) else {
        eprintln!("not checked: this user cannot mount a tmpfs");
        return;
    };
    cluster.give(&path).expect("this user is root");
    let place = postgres::Place { url: cluster.url(), schema: "small".into() };
    let store = open(&place);
    let make = format!("CREATE TABLESPACE small LOCATION '{}'", path.display());
    sql(&place, &make).await.expect("a tablespace");
    sql(&place, "ALTER TABLE task_events SET TABLESPACE small").await.expect("an empty table");
    let ballast = path.join("ballast");
    std::fs::write(&ballast, vec![0; 6 << 20]).expect("room for the ballast");
    let mut written = 0;
    let full = loop {
        // Nothing that can be made smaller.
        let mut task = ended_task(store.next_key(), 0);
        let noise = std::iter::repeat_with(TaskId::generate).take(200);
        task.entries = vec![Bytes::from(noise.map(|id| id.to_string()).collect::<String>())];
        match append(&*store, task).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk is never full");
    };
    assert!(matches!(full, StoreError::Full), "{full:?}");
    assert!(matches!(store.ready(), Err(StoreError::Full)));
    assert_eq!(total(&*store).await, written, "reads go on");
    std::fs::remove_file(&ballast).expect("the ballast is there");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    store.ready().expect("after a while one attempt is let through");
    for _ in 0..3 {
        append(&*store, ended_task(store.next_key(), 1_000)).await.expect("there is room again");
    }
    store.ready().expect("the store has recovered");
}
