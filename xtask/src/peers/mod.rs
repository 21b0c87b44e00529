//! `xtask peers`: clients of other projects against the test server, and our client against `servers`
//! of other projects.
//!
//! A peer is a program in `peers/` that gets the server's URL and a token, checks what
//! comes back, and prints `pass NAME` or `fail NAME: reason` for every check. Frameworks are peers at
//! the other end: their agents are programs behind the server, which one of ours calls.

mod node;
pub(crate) mod python;
pub(crate) mod server;
mod servers;

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::Context;
use server::{Access, Server};
use servers::SERVERS;

use crate::contract::{AUDIENCE, TOKEN_VARIABLE};

/// Which peers are run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PeersArgs {
    /// Only those with this in their name
    #[arg(long)]
    only: Option<String>,
}

/// A client that somebody else wrote.
struct Peer {
    name: &'static str,
    program: Program,
    access: Access,
    /// What `serve-test` is told for it.
    flags: &'static [&'static str],
}

/// What calls it.
enum Program {
    /// `peers/python/NAME.py` with these arguments and the packages of `NAME.txt`.
    Python(&'static str, &'static [&'static str]),
    /// `peers/js/client.js` with a release of the SDK, in a version of the protocol.
    Node(&'static str, &'static str),
    /// A package of the workspace `peers`.
    Rust(&'static str),
    /// `peers/js/oidc.js` with an issuer of tokens, which the server trusts.
    Issuer,
    /// `peers/python/NAME.py` with the packages of `NAME.txt`, which calls the command `legation`.
    Commanding(&'static str),
    /// `peers/python/NAME.py` with the packages of `NAME.txt` is the program of the server's agent,
    /// and `peers/python/behind.py` calls it.
    Behind(&'static str),
}

use Program::{Behind, Commanding, Issuer, Node, Python, Rust};

/// A peer that is installed.
struct Prepared {
    command: Command,
    /// What `serve-test` is told beside the peer's own flags.
    flags: Vec<OsString>,
}

impl From<Command> for Prepared {
    fn from(command: Command) -> Self {
        Self { command, flags: Vec::new() }
    }
}

const PEERS: &[Peer] = &[
    peer("a2a-sdk 1.3 (Python)", Python("client_1_0", &[])),
    peer("a2a-sdk 0.3 (Python)", Python("client_0_3", &[])),
    peer("grpcio 1.85 (Python)", Python("grpc_services", &[])),
    peer("@a2a-js/sdk 1.3 (JS)", Node("a2a-js-1.3.0", "1.0")),
    peer("@a2a-js/sdk 1.3 as 0.3 (JS)", Node("a2a-js-1.3.0", "0.3")),
    peer("@a2a-js/sdk 0.3.14 (JS)", Node("a2a-js-0.3.14", "0.3")),
    peer("@a2a-js/sdk 0.3.7 (JS)", Node("a2a-js-0.3.7", "0.3")),
    peer("a2a-client-lf (Rust)", Rust("peer-a2a-client-lf")),
    Peer { access: Access::Everybody, ..analyst("seed 003 (Python)", Python("seed_003", &[])) },
    analyst("seed 003 with a token (Python)", Python("seed_003", &["secure"])),
    analyst("seed 004 (Python)", Python("seed_004", &[])),
    peer("oidc-provider 9 (JS)", Issuer),
    Peer {
        access: Access::Everybody,
        flags: &["--sign-by", "EdDSA", "--sign-by", "ES256", "--sign-by", "RS256"],
        ..peer("signed cards of a2a-sdk 1.3 (Python)", Commanding("signed_cards"))
    },
    peer("CrewAI 1.15 behind exec (Python)", Behind("crewai_program")),
    peer("LangGraph 1.2 behind exec (Python)", Behind("langgraph_program")),
];

/// A peer of the scripted agents.
const fn peer(name: &'static str, program: Program) -> Peer {
    Peer { name, program, access: Access::Bearer(TOKEN), flags: &[] }
}

/// A peer of the Data Analyst.
const fn analyst(name: &'static str, program: Program) -> Peer {
    Peer { flags: &["--agent", "data-analyst"], ..peer(name, program) }
}

const TOKEN: &str = "the-token-of-the-interoperability-tests";

/// Runs every peer that can be installed, each against a server of its own.
///
/// # Errors
/// When there is no such peer, the server cannot be started or a peer's output cannot be read.
pub(crate) fn run(args: &PeersArgs) -> anyhow::Result<ExitCode> {
    let wanted = |name: &str| args.only.as_ref().is_none_or(|part| name.contains(part));
    let mut names = PEERS.iter().map(|peer| peer.name).chain(SERVERS.iter().map(|it| it.name));
    anyhow::ensure!(names.any(wanted), "no peer has that in its name");
    let cache = target_directory()?.join("peers");
    let mut tally = Tally::default();
    for peer in PEERS.iter().filter(|peer| wanted(peer.name)) {
        match peer.program.prepare(&cache) {
            Ok(prepared) => peer.check(prepared, &mut tally)?,
            Err(missing) => {
                println!("skip {}: {missing:#}", peer.name);
                tally.skipped += 1;
            }
        }
    }
    servers::check(SERVERS.iter().filter(|it| wanted(it.name)), &cache, &mut tally)?;
    println!("{tally}");
    let complete = tally.skipped == 0 || env::var_os("CI").is_none_or(|ci| ci != "true");
    Ok(if tally.failed == 0 && complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns where the build that this program is from puts its files.
///
/// # Errors
/// When this program is not in a build directory.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let itself = env::current_exe()?;
    let target = itself.parent().and_then(Path::parent).map(Path::to_owned);
    target.with_context(|| format!("no build directory around `{}`", itself.display()))
}

/// Returns the command that runs a package of the workspace `peers`.
///
/// # Errors
/// When its dependencies cannot be fetched.
fn cargo_run(peers: &Path, cache: &Path, package: &str) -> anyhow::Result<Command> {
    let cargo = |subcommand| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args([subcommand, "--locked", "--manifest-path"]).arg(peers.join("Cargo.toml"));
        command
    };
    // Only this step asks the registry; a peer that does not build has failed.
    python::output_of(&mut cargo("fetch"))?;
    let mut command = cargo("run");
    command.args(["--quiet", "--offline", "--package", package, "--target-dir"]);
    command.arg(cache.join("rust")).arg("--");
    Ok(command)
}

/// Returns where the peers' programs are.
fn peers_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("peers")
}

/// Builds the command `legation` beside this program and returns where it is.
fn command_legation() -> anyhow::Result<PathBuf> {
    let itself = env::current_exe()?;
    let directory = itself.parent().context("this program is in no directory")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    // With the settings, features and profile of this program, so that hardly anything is left to do.
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    cargo.args(["build", "--quiet", "--locked", "--package", "xtask", "--package", "legation"]);
    cargo.args(["--bin", "legation", "--target-dir"]).arg(target_directory()?);
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    python::output_of(&mut cargo)?;
    Ok(directory.join("legation"))
}

impl Program {
    /// Installs what the peer needs and returns the command that runs it.
    fn prepare(&self, cache: &Path) -> anyhow::Result<Prepared> {
        let peers = peers_directory();
        match self {
            Self::Python(name, arguments) => {
                let mut command = python::script(&peers, cache, name)?;
                command.args(*arguments);
                Ok(command.into())
            }
            Self::Commanding(name) => {
                let mut command = python::script(&peers, cache, name)?;
                command.env("LEGATION", command_legation()?);
                Ok(command.into())
            }
            Self::Behind(name) => {
                let scripts = peers.join("python");
                let requirements = fs::read_to_string(scripts.join(name).with_extension("txt"))?;
                let python = python::environment(&cache.join(name), &requirements)?;
                let mut command = Command::new("python3");
                command.arg(scripts.join("behind.py"));
                let program = scripts.join(name).with_extension("py");
                let words = [python.into_os_string(), program.into_os_string()];
                let flags = words.into_iter().flat_map(|word| ["--program".into(), word]).collect();
                Ok(Prepared { command, flags })
            }
            Self::Node(sdk, version) => {
                let scripts = node::install(&peers.join("js"), &cache.join("js"))?;
                let mut command = Command::new("node");
                command.arg(scripts.join("client.js")).args([sdk, version]);
                Ok(command.into())
            }
            Self::Issuer => {
                let scripts = node::install(&peers.join("js"), &cache.join("js"))?;
                // The server has to know the issuer's address before there is one.
                let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
                let mut command = Command::new("node");
                command.arg(scripts.join("oidc.js"));
                command.env("ISSUER_PORT", port.to_string()).env("AUDIENCE", AUDIENCE);
                let flags = vec!["--issuer".into(), format!("http://127.0.0.1:{port}").into()];
                Ok(Prepared { command, flags })
            }
            Self::Rust(package) => Ok(cargo_run(&peers, cache, package)?.into()),
        }
    }
}

impl Peer {
    /// Runs the peer against a fresh server and counts its checks.
    fn check(&self, prepared: Prepared, tally: &mut Tally) -> anyhow::Result<()> {
        let Prepared { mut command, flags } = prepared;
        let flags: Vec<OsString> = self.flags.iter().map(Into::into).chain(flags).collect();
        let server = Server::start(self.access, &flags)?;
        command.arg(server.url()).env(TOKEN_VARIABLE, TOKEN).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let output = child.stdout.take().expect("the output is piped");
        let (mut passed, mut failed) = (0, 0);
        for line in BufReader::new(output).lines() {
            let line = line?;
            match line.split_once(' ') {
                Some(("pass", check)) => {
                    println!("pass {}: {check}", self.name);
                    passed += 1;
                }
                Some(("fail", check)) => {
                    println!("fail {}: {check}", self.name);
                    failed += 1;
                }
                _ => println!("{line}"),
            }
        }
        let status = child.wait()?;
        // A peer that broke down, or one that checked nothing, has not passed.
        if failed == 0 && (passed == 0 || !status.success()) {
            println!("fail {}: ended with {status} after {passed} checks", self.name);
            failed = 1;
        }
        tally.passed += passed;
        tally.failed += failed;
        Ok(())
    }
}

/// How many checks went which way.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// What a server cannot do by its own fault or lack.
    pub(crate) lacking: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, lacking } = self;
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")?;
        if *lacking > 0 { write!(formatter, ", {lacking} lacking") } else { Ok(()) }
    }
}
