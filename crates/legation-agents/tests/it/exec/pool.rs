//! Programs that live on and serve many runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use legation_agents::exec::{Mode, Settings};
use legation_core::OnRestart;

use super::house::{House, artifacts, ended, shell};

/// A worker that does what the message says.
const WORKER: &str = r#"
echo '{"type":"ready","concurrency":8}'
while read -r line; do
    run=${line#*\"run\":}; run=${run%%,*}; run=${run%\}}
    case $line in
        '{"type":"cancel"'*) ;;
        *'"attempt":1,'*'"text":"crash"'*)
            echo '{"type":"chunk","run":'$run',"text":"half"}'; sleep 0.2; exit 7;;
        *'"text":"crash always"'*) exit 7;;
        *'"text":"hang"'*) ;;
        *'"text":"stop"'*) exec sleep 1000;;
        *'"text":"broken"'*) echo '{"type":"status","run":'$run',';;
        *'"text":"stray"'*)
            echo Loading...; echo '{"type":"complete","run":1000000000,"text":"x"}'
            echo '{"type":"complete","run":'$run',"text":"fine"}';;
        *) echo '{"type":"complete","run":'$run',"text":"'$$'"}';;
    esac
done"#;

fn pool(workers: usize) -> Settings {
    let mut settings = shell(WORKER);
    settings.mode = Mode::Pool { workers };
    settings
}

/// Sends until so many workers have answered.
async fn workers(house: &House, wanted: usize) -> BTreeSet<String> {
    let until = Instant::now() + Duration::from_secs(20);
    let mut workers = BTreeSet::new();
    while workers.len() < wanted {
        assert!(Instant::now() < until, "only {workers:?} answer");
        let tasks = tokio::join!(house.send("a"), house.send("b"), house.send("c"));
        for task in [tasks.0, tasks.1, tasks.2] {
            let (state, worker) = ended(&task);
            assert_eq!(state, "completed", "{worker}");
            workers.insert(worker);
        }
    }
    workers
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_workers_serve_many_tasks() {
    let house = House::new(pool(2));
    let first = workers(&house, 2).await;
    assert_eq!(workers(&house, 2).await, first);
    house.left(2).await;
    house.close().is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_lets_its_workers_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = shell(
        r#"trap 'echo ended > ended; exit 0' TERM; sleep 1000 & echo '{"type":"ready"}'
        while read -r line; do :; done; wait"#,
    );
    settings.mode = Mode::Pool { workers: 1 };
    settings.cwd = Some(dir.path().into());
    settings.stop_grace = Duration::from_secs(3);
    let house = House::new(settings);
    let task = house.begin("hang").await;
    house.until(&task, |_| house.processes().len() == 2).await;
    house.stop().await;
    assert!(house.processes().is_empty());
    assert!(dir.path().join("ended").exists());
    assert_eq!(ended(&house.task(&task).await).0, "working");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_fails_the_tasks_of_its_worker_alone() {
    let house = House::new(pool(2));
    workers(&house, 2).await;
    // One on each worker: the fewest runs decide.
    let hanging = house.begin("hang").await;
    house.until(&hanging, |task| ended(task).0 == "working").await;
    let (state, reason) = ended(&house.send("crash").await);
    assert_eq!(state, "failed");
    let expected = "the program ended (exit status: 7) before it completed the task.";
    assert!(reason.starts_with(expected), "{reason}");
    assert_eq!(ended(&house.task(&hanging).await).0, "working");
    assert_eq!(ended(&house.send("a").await).0, "completed");
    // The lost one was replaced.
    house.left(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_may_is_retried() {
    let mut settings = pool(1);
    settings.on_restart = OnRestart::Retry;
    let house = House::new(settings);
    let task = house.send("crash").await;
    let (state, worker) = ended(&task);
    assert_eq!(state, "completed", "{worker}");
    // What the lost attempt said is void.
    assert_eq!(artifacts(&task)["answer"], worker);
    let (state, reason) = ended(&house.send("crash always").await);
    assert_eq!(state, "failed");
    assert!(reason.starts_with("the run was lost 3 times"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_stop_is_replaced() {
    let mut settings = pool(1);
    settings.idle_time = Duration::from_millis(500);
    let house = House::new(settings);
    let (_, first) = ended(&house.send("a").await);
    let (state, reason) = ended(&house.send("hang").await);
    assert_eq!(state, "failed");
    assert!(reason.starts_with("the program said nothing for 0.5 s"), "{reason}");
    let until = Instant::now() + Duration::from_secs(10);
    while ended(&house.send("a").await).1 == first {
        assert!(Instant::now() < until, "still the worker that did not stop");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    house.left(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_reading_is_replaced() {
    let mut settings = pool(1);
    settings.idle_time = Duration::from_millis(500);
    let house = House::new(settings);
    assert_eq!(ended(&house.send("stop").await).0, "failed");
    let until = Instant::now() + Duration::from_secs(10);
    while ended(&house.send("a").await).0 != "completed" {
        assert!(Instant::now() < until, "no worker serves");
    }
    house.left(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_frees_its_worker() {
    let house = House::new(pool(1));
    let task = house.begin("hang").await;
    house.until(&task, |task| ended(task).0 == "working").await;
    assert_eq!(ended(&house.cancel(&task).await).0, "canceled");
    assert_eq!(ended(&house.send("a").await).0, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_no_run_disturb_nobody() {
    let house = House::new(pool(1));
    let hanging = house.begin("hang").await;
    assert_eq!(ended(&house.send("stray").await), ("completed".into(), "fine".into()));
    let (state, reason) = ended(&house.send("broken").await);
    assert_eq!(state, "failed");
    assert!(reason.starts_with("the program wrote a line that is not JSON"), "{reason}");
    assert_eq!(ended(&house.task(&hanging).await).0, "working");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_start_says_so() {
    let cases = [
        ("exit 5", "the program ended (exit status: 5) before it said `ready`"),
        ("cat >/dev/null", "the program did not say `ready` within 0.3 s"),
        (r#"echo '{"type":"ready","protocol":9}'; sleep 9"#, "the program did not say `ready`"),
    ];
    for (script, expected) in cases {
        let mut settings = shell(script);
        settings.mode = Mode::Pool { workers: 1 };
        settings.idle_time = Duration::from_millis(300);
        let house = House::new(settings);
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let (state, reason) = ended(&house.send("a").await);
            assert_eq!(state, "failed");
            if reason.starts_with(expected) {
                break;
            }
            // Before it is known to be hopeless, a run waits as long as it may.
            assert!(reason.starts_with("the program said nothing"), "{reason}");
            assert!(Instant::now() < until, "{script}: {reason}");
        }
    }
}
