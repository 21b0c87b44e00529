//! `legation export` and `legation import`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use legation_testkit::postgres::{self, Cluster};

use crate::user::{Serving, run, text};

const TOKEN: &str = "a-token-of-the-tests-that-nobody-guesses";

/// What the command says when it ends like this.
fn said(home: &Path, code: i32, words: &[&str]) -> String {
    let output = run(home, words);
    let all = [text(&output.stdout), text(&output.stderr)].concat();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {all}");
    all
}

/// A server over a store, as its configuration says.
fn serve(home: &Path, store: &str) -> Serving {
    let file = home.join("legation.yaml");
    let config = format!(
        "store: {store}\n\
         auth: {{schemes: [{{type: simple_token, token: {TOKEN}}}, {{type: integration_token}}]}}\n\
         agents: {{a: {{role: R, runtime: {{type: analyst}}}}}}\n"
    );
    fs::write(&file, config).expect("writable");
    Serving::start(home, &[file.to_str().expect("UTF-8")])
}

#[test]
fn a_server_moves_from_a_directory_to_postgres_and_back() {
    let Some(place) = postgres::place() else { return };
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let path = |name: &str| home.join(name).display().to_string();
    let (one, other) = (path("one"), path("other"));
    let (first, second, third) = (path("first"), path("second"), path("third"));
    let shared = format!("{{postgres: {{url: '{}', schema: {}}}}}", place.url, place.schema);
    let place = ["--store", &place.url, "--schema", &place.schema];
    let is_there = |url: &str, id: &str| {
        let seen = said(home, 0, &["task", "get", url, id, "--token", TOKEN]);
        assert!(seen.contains("completed"), "{seen}");
    };

    let server = serve(home, &format!("'sqlite:{one}'"));
    let sent = said(home, 0, &["send", &server.url, "[1, 2, 3]", "--token", TOKEN, "--json"]);
    let sent: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
    let id = sent["task"]["id"].as_str().or(sent["id"].as_str()).expect("a task").to_owned();
    let key = said(home, 0, &["keys", "create", "--name", "k", "--data-dir", &one]);
    let key = key.lines().next().expect("a key");
    // A backup while it works.
    let wrote = said(home, 0, &["export", &first, "--data-dir", &one]);
    assert!(wrote.contains("1 tasks") && wrote.contains("sha256 "), "{wrote}");
    let mode = fs::metadata(&first).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file = fs::read_to_string(&first).expect("text");
    assert!(file.contains(&id) && !file.contains(key) && !file.contains(TOKEN), "{file}");
    let refused = said(home, 1, &["import", &first, "--data-dir", &one]);
    assert!(refused.contains("in use by process"), "{refused}");
    drop(server);

    said(home, 0, &["export", &first, "--data-dir", &one, "--force"]);
    // Of a server that is gone, a copy of the directory does as well.
    let copied = path("copied");
    fs::create_dir(&copied).expect("writable");
    for file in fs::read_dir(&one).expect("a directory").flatten() {
        fs::copy(file.path(), Path::new(&copied).join(file.file_name())).expect("readable");
    }
    let fourth = path("fourth");
    said(home, 0, &["export", &fourth, "--data-dir", &copied]);
    assert!(fs::read(&first).expect("a file") == fs::read(&fourth).expect("a file"));

    said(home, 0, &[&["import", &first][..], &place].concat());
    said(home, 0, &[&["export", &second][..], &place].concat());
    assert!(fs::read(&first).expect("a file") == fs::read(&second).expect("a file"));
    let server = serve(home, &shared);
    is_there(&server.url, &id);
    let refused = said(home, 1, &[&["import", &first][..], &place].concat());
    assert!(refused.contains("servers have this schema"), "{refused}");
    drop(server);
    said(home, 0, &["import", &second, "--data-dir", &other]);
    said(home, 0, &["export", &third, "--data-dir", &other]);
    assert!(fs::read(&first).expect("a file") == fs::read(&third).expect("a file"));
    let server = serve(home, &format!("'sqlite:{other}'"));
    is_there(&server.url, &id);
    said(home, 0, &["task", "list", &server.url, "--token", key]);
}

#[test]
fn what_pg_dump_has_saved_serves_again() {
    let Some(cluster) = Cluster::private() else { return };
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let url = cluster.url();
    let run_there = |program: &str, words: &[&str]| {
        cluster.run(program, &[&["-d", &url], words].concat()).expect("it ends well");
    };
    let exported = |name: &str| {
        let file = home.join(name);
        said(home, 0, &["export", file.to_str().expect("UTF-8"), "--store", &url]);
        fs::read(file).expect("a file")
    };
    let server = serve(home, &format!("'{url}'"));
    let sent = said(home, 0, &["send", &server.url, "[1, 2, 3]", "--token", TOKEN, "--json"]);
    // While it works.
    run_there("pg_dump", &["--schema=legation", "-Fc", "-f", "dump"]);
    drop(server);
    let before = exported("before");
    run_there("psql", &["-c", "DROP SCHEMA legation CASCADE"]);
    run_there("pg_restore", &["dump"]);
    assert!(exported("after") == before);
    let server = serve(home, &format!("'{url}'"));
    let sent: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
    let id = sent["task"]["id"].as_str().or(sent["id"].as_str()).expect("a task");
    let seen = said(home, 0, &["task", "get", &server.url, id, "--token", TOKEN]);
    assert!(seen.contains("completed"), "{seen}");
}

#[test]
fn a_file_that_is_there_stays_and_one_that_is_damaged_is_not_taken() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let path = |name: &str| home.join(name).display().to_string();
    let (from, into, file) = (path("from"), path("into"), path("file"));
    let missing = said(home, 1, &["export", &file, "--data-dir", &from]);
    assert!(missing.contains("there is no store in"), "{missing}");
    said(home, 0, &["keys", "create", "--name", "k", "--data-dir", &from]);
    said(home, 0, &["export", &file, "--data-dir", &from]);
    let there = said(home, 2, &["export", &file, "--data-dir", &from]);
    assert!(there.contains("--force"), "{there}");
    let whole = fs::read(&file).expect("a file");
    fs::write(&file, &whole[..whole.len() - 9]).expect("writable");
    let damaged = said(home, 1, &["import", &file, "--data-dir", &into]);
    assert!(damaged.contains("is cut off") && !Path::new(&into).exists(), "{damaged}");
    let left: Vec<_> = fs::read_dir(home).expect("a directory").flatten().collect();
    assert!(left.iter().all(|file| !file.path().to_string_lossy().contains("partial")), "{left:?}");
    let none = said(home, 1, &["import", &path("none"), "--data-dir", &into]);
    assert!(none.contains("cannot use the file") && none.contains("none"), "{none}");
}
