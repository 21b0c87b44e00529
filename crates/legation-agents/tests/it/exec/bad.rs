//! Programs that do what they should not: each ends its task with a plain reason, in time.

use std::time::{Duration, Instant};

use legation_agents::exec::Settings;

use super::house::{House, ended, program, shell};
use super::lines::speaking;

struct Case {
    settings: Settings,
    /// How the reason begins.
    reason: &'static str,
}

fn case(mut settings: Settings, reason: &'static str) -> Case {
    settings.idle_time = Duration::from_millis(800);
    if reason.contains("took longer") {
        settings.run_time = Duration::from_millis(1_600);
    }
    settings.output_bytes = 1 << 20;
    settings.line_bytes = 64 << 10;
    Case { settings, reason }
}

fn cases() -> Vec<Case> {
    let flood = "head -c 100000000 /dev/zero";
    vec![
        case(program(&["./there-is-no-such-program"]), "the program cannot be started"),
        case(shell("exit 3"), "the program ended (exit status: 3)"),
        case(shell("echo half; exit 3"), "the program ended (exit status: 3)"),
        case(shell("kill -9 $$"), "the program ended (signal: 9 (SIGKILL))"),
        case(shell("sleep 1000"), "the program said nothing for 0.8 s"),
        case(shell("trap '' TERM; sleep 1000"), "the program said nothing for 0.8 s"),
        case(
            shell("while :; do echo again; sleep 0.1; done"),
            "the program took longer than 1.6 s",
        ),
        case(shell("yes"), "the program wrote more than 1048576 bytes"),
        case(shell(flood), "the program wrote more than 1048576 bytes"),
        case(shell("sleep 1000 & exit 4"), "the program ended (exit status: 4)"),
        // It closes its output and goes on.
        case(shell("exec >&-; sleep 1000"), "the program said nothing for 0.8 s"),
        case(speaking("exit 0"), "the program ended (exit status: 0) before it completed the task"),
        case(speaking("exit 3"), "the program ended (exit status: 3) before it completed the task"),
        case(speaking("sleep 1000"), "the program said nothing for 0.8 s"),
        case(speaking("trap '' TERM; sleep 1000"), "the program said nothing for 0.8 s"),
        case(
            speaking(r#"while :; do echo '{"type":"status"}'; sleep 0.1; done"#),
            "the program took longer than 1.6 s",
        ),
        case(speaking(flood), "the program wrote a line of more than 65536 bytes"),
        case(
            speaking(r#"yes '{"type":"chunk","text":"more and more and more and more"}'"#),
            "the program wrote more than 1048576 bytes",
        ),
        case(speaking("yes >&2"), "the program said nothing for 0.8 s"),
        case(speaking(r#"echo '{"type":'; sleep 9"#), "the program wrote a line that is not JSON"),
        case(speaking("echo hello; sleep 9"), "the program wrote a line that is not JSON"),
        case(
            speaking(r#"echo '{"type":"dance"}'; sleep 9"#),
            "the program wrote a line that is not of the protocol: unknown variant `dance`",
        ),
        case(
            speaking(r#"echo '{"type":"artifact"}'; sleep 9"#),
            "the program wrote an `artifact` without `text`, `data` or `parts`",
        ),
        case(
            speaking(r#"echo '{"type":"complete","run":1000000000,"text":"x"}'; sleep 9"#),
            "the program said nothing for 0.8 s",
        ),
        case(
            speaking("sleep 1000 & exit 4"),
            "the program ended (exit status: 4) before it completed the task",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ends_its_task_with_a_reason_in_time_and_leaves_nothing() {
    for Case { settings, reason } in cases() {
        let name = settings.command.join(" ");
        let house = House::new(settings);
        let began = Instant::now();
        let (state, said) = ended(&house.send("hi").await);
        assert_eq!(state, "failed", "{name}");
        assert!(said.starts_with(reason), "{name}: {said}");
        assert!(began.elapsed() < Duration::from_secs(8), "{name}: {:?}", began.elapsed());
        house.left(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_are_left_behind_end_with_their_parent() {
    for settings in [
        shell("sleep 1000 & echo done"),
        speaking(r#"sleep 1000 & echo '{"type":"complete","text":"done"}'"#),
        speaking(r#"echo '{"type":"complete","text":"done"}'; sleep 1000"#),
        speaking(r#"trap '' TERM; echo '{"type":"complete","text":"done"}'; sleep 1000"#),
    ] {
        let house = House::new(settings);
        assert_eq!(ended(&house.send("hi").await), ("completed".into(), "done".into()));
        house.left(0).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    // `tail` keeps its input until a line ends.
    let hungry = "head -c 300000000 /dev/zero | tail -n 1 | wc -c";
    assert_eq!(ended(&House::new(shell(hungry)).send("").await).1, "300000000");
    let mut settings = shell(hungry);
    settings.memory_bytes = Some(100 << 20);
    let house = House::new(settings);
    assert_ne!(ended(&house.send("").await).1, "300000000");
    // What has no bound in it comes through as it is.
    let mut settings = program(&["echo", "$(id)", "a b", ";", "'"]);
    settings.memory_bytes = Some(100 << 20);
    assert_eq!(ended(&House::new(settings).send("").await).1, "$(id) a b ; '");
    house.left(0).await;
}
