//! `legation serve`.

use std::process::{Command, Stdio};
use std::time::Instant;

use legation::{DataDir, Profile, Server, StartError};
use legation_testkit::agents::Echo;
use tokio::net::TcpStream;

use crate::user::{PATIENCE, Serving, lines_of, run, text};

#[test]
fn the_greeting_works_when_it_is_pasted() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let lines: Vec<&str> = serving.greeting.lines().map(str::trim).collect();
    let send = lines.iter().find(|line| line.contains(" send ")).expect("a send line");
    let curl: Vec<&str> =
        lines.iter().skip_while(|line| !line.starts_with("curl")).copied().collect();
    let curl = curl[..3].join("\n");
    for (line, expected) in [(*send, "rise by 14 per step"), (&curl, "TASK_STATE_COMPLETED")] {
        let mut shell = Command::new("sh");
        let pasted = shell.args(["-c", line]).env("XDG_DATA_HOME", home.path()).output();
        let said = text(&pasted.expect("a shell").stdout);
        // A machine without curl says so in the other stream.
        assert!(
            said.contains(expected) || line.starts_with("curl") && !has_curl(),
            "{line}: {said}"
        );
    }
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn what_cannot_be_served_is_said_with_what_to_do() {
    let home = tempfile::tempdir().expect("a home");
    let serving = Serving::start(home.path(), &[]);
    let taken = serving.url.trim_start_matches("http://").to_owned();
    let weak =
        run_with(home.path(), &["serve", "--listen", "127.0.0.1:0"], ("AUTH_TOKEN", "secret"));
    let elsewhere = home.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("a path in UTF-8");
    let cases: [(&[&str], &str); 5] = [
        (&["serve", "--listen", "127.0.0.1:0"], "is in use by process"),
        (&["serve", "--listen", &taken], "cannot listen on"),
        (&["serve", "--listen", "0.0.0.0:0", "--no-auth"], "loopback only"),
        (&["serve", "--listen", "0.0.0.0:0", "--data-dir", elsewhere], "without TLS"),
        (&["serve", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"], "cannot read `/nowhere`"),
    ];
    for (words, expected) in cases {
        let output = run(home.path(), words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert!(text(&weak.stderr).contains("too weak"), "{}", text(&weak.stderr));
}

#[test]
fn a_callers_credentials_reach_the_program_and_nothing_else() {
    const TOKEN: &str = "a-token-of-thirty-two-bytes-or-more-1";
    let home = tempfile::tempdir().expect("a home");
    let file = home.path().join("legation.yaml");
    let program = home.path().join("program.sh");
    // It says whether it got them, and prints what it is told where it should not.
    let script = format!(
        "echo '{{\"type\":\"ready\"}}'\nread -r line\ncase $line in\n\
         *'\"credentials\":{{\"authorization\":\"Bearer {TOKEN}\"}}'*) answer=yes;; *) answer=no;;\nesac\n\
         echo '{{\"type\":\"complete\",\"text\":\"'$answer'\"}}'\n"
    );
    std::fs::write(&program, script).expect("writable");
    for (credentials, expected) in [("", "no"), (", credentials: [Authorization]", "yes")] {
        let text_of_file = format!(
            "auth: {{schemes: [{{type: simple_token, token: {TOKEN}}}]}}\n\
             agents: {{a: {{role: A, runtime: {{type: exec, command: sh program.sh{credentials}}}}}}}\n"
        );
        std::fs::write(&file, text_of_file).expect("writable");
        let log = std::fs::File::create(home.path().join("log")).expect("writable");
        let words = ["serve", "--listen", "127.0.0.1:0", file.to_str().expect("UTF-8")];
        let mut command = crate::user::legation(home.path(), &words);
        command.env("RUST_LOG", "trace").env("PATH", "/usr/bin:/bin").stderr(log);
        let serving = Serving::of(&mut command);
        let sent = run(home.path(), &["send", &serving.url, "hi", "--token", TOKEN]);
        let said = text(&sent.stdout);
        assert!(said.contains(&format!("answer\n{expected}\n")), "{said}{}", text(&sent.stderr));
    }
    let mut kept = 0;
    for place in [home.path().join("legation"), home.path().join("log")] {
        for file in files(&place) {
            kept += 1;
            let bytes = std::fs::read(&file).expect("readable");
            assert!(!text(&bytes).contains(TOKEN), "{} holds the token", file.display());
        }
    }
    assert!(kept > 1, "neither store nor log was found");
}

/// The file, or all files below the directory.
fn files(place: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return vec![place.to_owned()] };
    entries.flat_map(|entry| files(&entry.expect("readable").path())).collect()
}

fn run_with(
    home: &std::path::Path,
    words: &[&str],
    (name, value): (&str, &str),
) -> std::process::Output {
    let mut command = crate::user::legation(home, words);
    command.env(name, value).output().expect("the command starts")
}

#[test]
fn a_stop_is_clean_and_the_state_is_there_the_next_time() {
    let home = tempfile::tempdir().expect("a home");
    let mut serving = Serving::start(home.path(), &[]);
    run(home.path(), &["send", &serving.url, "mean of 1, 2, 3, 4"]);
    let pid = serving.child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let began = Instant::now();
    let status = serving.child.wait().expect("it ends");
    assert!(status.success() && began.elapsed() < PATIENCE, "{status}");

    let again = Serving::start(home.path(), &[]);
    let listed = run(home.path(), &["task", "list", &again.url]);
    assert!(text(&listed.stdout).starts_with("completed"), "{}", text(&listed.stdout));
}

#[test]
fn tasks_in_memory_are_said_to_be_and_are_gone_with_the_server() {
    let home = tempfile::tempdir().expect("a home");
    let words = ["serve", "--listen", "127.0.0.1:0", "--store", "memory"];
    let mut command = crate::user::legation(home.path(), &words);
    let mut serving = Serving::of(command.stderr(Stdio::piped()));
    assert!(serving.greeting.contains("state  memory: all is gone"), "{}", serving.greeting);
    let log = lines_of(serving.child.stderr.take().expect("piped"));
    let warned = log.recv_timeout(PATIENCE).expect("a warning");
    assert!(warned.contains("WARN") && warned.contains("all tasks are in memory"), "{warned}");
    run(home.path(), &["send", &serving.url, "mean of 1, 2, 3, 4"]);
    let listed = run(home.path(), &["task", "list", &serving.url]);
    assert!(text(&listed.stdout).starts_with("completed"), "{}", text(&listed.stdout));
    drop(serving);
    let left: Vec<_> = files(home.path())
        .into_iter()
        .filter_map(|path| path.file_name().map(ToOwned::to_owned))
        .collect();
    assert_eq!(left, ["token"]);
    let again = Serving::of(&mut crate::user::legation(home.path(), &words));
    let listed = run(home.path(), &["task", "list", &again.url]);
    assert!(!text(&listed.stdout).contains("completed"), "{}", text(&listed.stdout));
    for words in [
        &["export", "f"][..],
        &["import", "f"],
        &["keys", "list"],
        &["audit"],
        &["context", "sweep"],
    ] {
        let refused = run(home.path(), &[words, &["--store", "memory"]].concat());
        let said = text(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains("only that server has"),
            "{words:?}: {said}"
        );
    }
}

#[tokio::test]
async fn each_agent_has_a_port_for_grpc_while_the_server_works() {
    let home = tempfile::tempdir().expect("a home");
    let server = |ports: &[u16]| {
        let profile = |slug: &str| Profile::new(slug, slug, "Says it again");
        Server::builder()
            .data_dir(DataDir::new(home.path()))
            .without_auth()
            .agent(profile("one"), Echo)
            .agent(profile("two"), Echo)
            .grpc_ports(ports.iter().copied())
    };
    let few = server(&[0]).start("127.0.0.1:0").await;
    assert!(matches!(few.err(), Some(StartError::GrpcPorts { agents: 2, ports: 1 })));

    let running = server(&[0, 0, 0]).start("127.0.0.1:0").await.expect("free ports");
    let ports = running.grpc_ports().to_vec();
    assert_eq!(ports.iter().map(|(agent, _)| &**agent).collect::<Vec<_>>(), ["one", "two"]);
    let taken = server(&[ports[0].1.port(), 0]).start("127.0.0.1:0").await;
    let said = taken.err().map(|error| error.to_string()).unwrap_or_default();
    let expected = format!("cannot listen on {} for gRPC to the agent `one`", ports[0].1);
    assert!(said.starts_with(&expected), "{said}");
    for (_, port) in &ports {
        TcpStream::connect(port).await.expect("a listener");
    }
    running.stop().await;
    for (_, port) in &ports {
        assert!(TcpStream::connect(port).await.is_err(), "closed with the rest");
    }
}
