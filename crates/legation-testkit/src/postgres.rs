//! PostgreSQL for tests: a server that the tests of a run share, and servers of their own for tests
//! that stop them.
//!
//! What stands in `LEGATION_TEST_POSTGRES` is used instead of the shared one; its schemas stay. Where
//! there is neither that nor an installation, tests are skipped, unless `CI` is `true`.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a test has the database for itself: in a schema that nobody else has.
#[derive(Clone, Debug)]
pub struct Place {
    /// The address of the database.
    pub url: String,
    /// The schema, which is not there yet.
    pub schema: String,
}

/// A place for a test; `None` where the test is to be skipped.
///
/// # Panics
/// When there is none though there should be one, or the server does not start.
pub fn place() -> Option<Place> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let url = match std::env::var("LEGATION_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) => SHARED.get_or_init(Cluster::shared).as_ref()?.url(),
    };
    Some(Place { url, schema: unique("test") })
}

/// A server of PostgreSQL. It ends, and its files go, some seconds after the last process that has it.
#[derive(Debug)]
pub struct Cluster {
    base: PathBuf,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    settings: &'static str,
    /// Locked as long as somebody has the server.
    _users: File,
}

/// What a server is told that keeps nothing beyond the life of its process.
const FORGETFUL: &str = "-c fsync=off -c full_page_writes=off";

impl Cluster {
    /// A server of its own, which keeps what it promises; `None` where the test is to be skipped.
    ///
    /// # Panics
    /// When there is none though there should be one, or it does not start.
    pub fn private() -> Option<Self> {
        Self::at(&std::env::temp_dir().join(unique("legation-postgres")), "")
    }

    /// One that speaks TLS as well, with this certificate and key in PEM, on this port of `127.0.0.1`.
    ///
    /// # Panics
    /// As [`Cluster::private`].
    pub fn with_tls(certificate: &str, key: &str, port: u16) -> Option<Self> {
        let cluster = Self::private()?;
        let secured = || {
            cluster.crash()?;
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let path = cluster.base.join("data").join(name);
                fs::write(&path, text)?;
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                cluster.give(&path)?;
            }
            let settings = format!(
                "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n\
                 unix_socket_directories = '{}'\n",
                cluster.base.display()
            );
            fs::write(cluster.base.join("data/postgresql.auto.conf"), settings)?;
            cluster.run("pg_ctl", &["-w", "-l", "log", "start", "-D", "data"])
        };
        secured().unwrap_or_else(|error: io::Error| panic!("no server with TLS: {error}"));
        Some(cluster)
    }

    fn shared() -> Option<Self> {
        let uid = fs::metadata("/proc/self").map_or(0, |process| process.uid());
        let base = std::env::temp_dir().join(format!("legation-postgres-{uid}"));
        Self::at(&base, FORGETFUL)
    }

    #[expect(clippy::print_stderr, reason = "who reads the outcome of the tests shall know")]
    fn at(base: &Path, settings: &'static str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "PostgreSQL is not installed");
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let cluster = Self::open(base, programs, settings);
        Some(cluster.unwrap_or_else(|error| panic!("no server in {}: {error}", base.display())))
    }

    fn open(base: &Path, programs: PathBuf, settings: &'static str) -> io::Result<Self> {
        // PostgreSQL does not run as root.
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        let user = if is_root { Some(unprivileged()?) } else { None };
        let users = loop {
            // Whoever had it locked may take it away at any moment.
            match users(base, user) {
                Ok(Some(users)) => break users,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(None) | Err(_) => {}
            }
        };
        let cluster = Self { base: base.to_owned(), programs, user, settings, _users: users };
        let starting = File::create(base.join("starting"))?;
        starting.lock()?;
        if !cluster.is_running() {
            // What is there was left by a machine that failed, and such files are good for nothing.
            fs::remove_dir_all(cluster.base.join("data")).or_else(is_missing)?;
            cluster.run("initdb", INITDB)?;
            cluster.start()?;
            cluster.watch()?;
        }
        Ok(cluster)
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        Self::url_at(&self.base, "postgres")
    }

    /// The address of a database of a server whose socket is in this directory.
    pub fn url_at(directory: &Path, database: &str) -> String {
        let directory = directory.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{directory}/{database}")
    }

    /// A new directory that the server can write.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.base.join(name);
        fs::create_dir_all(&path)?;
        self.give(&path)?;
        Ok(path)
    }

    /// Makes a file or directory the server's.
    ///
    /// # Errors
    /// When it is not this user's to give.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        self.user.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
    }

    /// The socket on which it listens.
    pub fn socket(&self) -> PathBuf {
        self.base.join(".s.PGSQL.5432")
    }

    /// Starts the server, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self) -> io::Result<()> {
        let options = format!(
            "{} -c port=5432 -c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=200",
            self.settings,
            self.base.display()
        );
        self.run("pg_ctl", &["-w", "-l", "log", "-o", &options, "start", "-D", "data"])
    }

    /// Stops the server as if the machine had failed.
    ///
    /// # Errors
    /// When it does not run.
    pub fn crash(&self) -> io::Result<()> {
        self.run("pg_ctl", &["-m", "immediate", "stop", "-D", "data"])
    }

    /// Lets its processes stand still.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    /// Sends a signal to the server, and to its children as they are then.
    fn signal(&self, signal: &str) -> io::Result<()> {
        let file = fs::read_to_string(self.base.join("data/postmaster.pid"))?;
        let server = file.lines().next().unwrap_or_default().to_owned();
        let mut processes = vec![server.clone()];
        for entry in fs::read_dir("/proc")?.flatten() {
            // The program's name comes second, in parentheses; then the state, then the parent.
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
            if behind.split_whitespace().nth(1) == Some(&server) {
                processes.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        let status = self.command(Path::new("/bin/kill")).arg(signal).args(&processes).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }

    fn is_running(&self) -> bool {
        self.run("pg_ctl", &["status", "-D", "data"]).is_ok()
    }

    /// Leaves a process behind that stops the server when nobody has it any more, however they ended.
    fn watch(&self) -> io::Result<()> {
        // A server that was paused cannot end before it goes on; it ends its children itself.
        let script = "exec 9<users; while sleep 3; do if flock -xn 9; then \
                      kill -CONT $(head -n 1 data/postmaster.pid); \
                      \"$0\"/pg_ctl -m immediate stop -D data; cd /; mv \"$1\" \"$1-$$\"; \
                      rm -rf \"$1-$$\"; exit; fi; done";
        let programs = self.programs.to_string_lossy();
        let mut watcher = self.command(Path::new("/bin/sh"));
        watcher.args(["-c", script, &programs]).arg(&self.base).process_group(0).spawn()?;
        Ok(())
    }

    /// Runs one of its programs in its directory, until it ends.
    ///
    /// # Errors
    /// When it does not start, or says that it failed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let status = self.command(&self.programs.join(program)).args(arguments).status()?;
        let failed = || io::Error::other(format!("{program} {arguments:?}: {status}"));
        if status.success() { Ok(()) } else { Err(failed()) }
    }

    /// What the server answers to statements: a line for each row.
    ///
    /// # Errors
    /// When it cannot be asked, or refuses.
    pub fn ask(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut asking = self.asking(database, sql);
        let output = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// A program that has the server carry statements out, in one transaction, and then ends.
    pub fn asking(&self, database: &str, sql: &str) -> Command {
        let mut asking = self.command(&self.programs.join("psql"));
        asking.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-h"]);
        asking.arg(&self.base).args(["-c", sql]);
        asking
    }

    /// A program that runs in the directory and writes nowhere: the server inherits that.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.base).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

const INITDB: &[&str] =
    &["-D", "data", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];

/// The directory of a server, locked as one that is in use; `None` where it was taken away meanwhile.
fn users(base: &Path, owner: Option<(u32, u32)>) -> io::Result<Option<File>> {
    DirBuilder::new().recursive(true).mode(0o700).create(base)?;
    if let Some((uid, gid)) = owner {
        chown(base, Some(uid), Some(gid))?;
    }
    let path = base.join("users");
    let users = File::create(&path)?;
    users.lock_shared()?;
    let is_there = fs::metadata(&path)?.ino() == users.metadata()?.ino();
    Ok(is_there.then_some(users))
}

fn is_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The directory of the server's programs. Distributions keep them out of the path.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    let mut places = versions.into_iter().rev().chain(std::env::split_paths(&path));
    places.find(|place| place.join("initdb").exists() && place.join("pg_ctl").exists())
}

/// A user that is not root, with its group: that of the server where there is one.
fn unprivileged() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let none = || io::Error::other("neither `postgres` nor `nobody` is a user here");
    find("postgres").or_else(|| find("nobody")).ok_or_else(none)
}

/// A name that nothing else has.
fn unique(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}_{now:x}_{:x}_{number}", std::process::id())
}
