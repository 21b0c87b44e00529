//! The command `serve`: agents on one address, until the process is told to stop.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use legation::{DataDir, Running};
use tracing_subscriber::EnvFilter;

use crate::cli::serve::ServeOptions;
use crate::config::{Given, Resolved, Runtime};
use crate::reload::{self, Reload, Stamp};

/// What one may ask the analyst, and what any agent.
const DATA: &str = "Analyze this sales data and provide a trend analysis: [100, 120, 95, 140, 160]";
const HELLO: &str = "Hello, what can you do?";

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// When the server cannot start; the message says what to do.
pub(crate) fn serve(
    options: &ServeOptions,
    (given, resolved): (Given, Resolved),
) -> anyhow::Result<ExitCode> {
    log_to_stderr();
    if let Some(doubt) = resolved.doubts() {
        tracing::warn!("{doubt}");
    }
    let stamp = given.file.as_deref().and_then(Stamp::of);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let served = reload::serve_all(&resolved, &[])?;
        let agents = served.iter().map(|(_, exposed)| exposed.clone());
        let server = agents.fold(resolved.server()?, |server, agent| server.expose(agent));
        let running = server.start(&resolved.listen()).await?;
        greet(&given, &resolved, &running);
        let (overrides, front) = (options.overrides(), running.front().clone());
        match given.file.clone() {
            None => running.until(reload::tls_on_hangup(front)).await,
            Some(file) => {
                let audit = running.audit();
                let reload = Reload { file, overrides, given, served, front, audit, stamp };
                running.until(reload.run()).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Warnings by default, and that the configuration was read again; `RUST_LOG` asks for more. The client of
/// NATS says at every try what the store says once in a while.
fn log_to_stderr() {
    const USUAL: &str = "warn,legation::reload=info,legation_http::tls=info,async_nats=off";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    // Refused only when a log is set already, which nothing in this process does before.
    let _ = log.with_writer(std::io::stderr).try_init();
}

/// Says where the server is and how to call it, in lines that work when pasted.
#[expect(clippy::print_stdout, reason = "what the command tells its user")]
fn greet(given: &Given, resolved: &Resolved, running: &Running) {
    let tls = running.front().tls();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{}", running.address());
    let base = resolved.public_url().unwrap_or(&base).trim_end_matches('/');
    let access = Access::of(given, resolved);
    // Nobody knows a certificate that is its own authority, so its callers have to be given it.
    let own = tls.filter(|tls| tls.is_self_signed()).map(|tls| &tls.settings().certificate);
    let own = own.map(|file| format!("'{}'", file.display()));
    let (ca, cacert) = match &own {
        Some(file) => (format!(" --ca {file}"), format!(" --cacert {file}")),
        None => Default::default(),
    };
    match &resolved.agents[..] {
        [only] => println!("{} is served at {base}", only.profile.name),
        several => {
            println!("{} agents are served at {base}", several.len());
            for agent in several {
                println!("  agent  {} at {base}/a2a/{}", agent.profile.name, agent.profile.slug);
            }
        }
    }
    for (agent, address) in running.grpc_ports() {
        println!("  grpc   {agent} at {address}");
    }
    println!("  card   {base}/.well-known/agent-card.json");
    println!("  state  {}", resolved.state());
    println!("  auth   {}", access.says());
    if let Some(address) = running.admin_address() {
        println!("  admin  http://{address}");
    }
    if running.recovered() > 0 {
        println!("  took up {} unfinished tasks of the last run", running.recovered());
    }
    let first = resolved.agents.first().map(|agent| &agent.runtime);
    let example = if matches!(first, Some(Runtime::Analyst(_))) { DATA } else { HELLO };
    println!("\nCall it from another terminal:\n");
    println!("  {} send{}{ca} {base} \"{example}\"\n", program(), access.flags());
    println!(
        "  curl -s{cacert} {base}/a2a -H 'A2A-Version: 1.0' -H 'Content-Type: application/json' \\"
    );
    if let Some(token) = access.shell_token() {
        println!("    -H \"Authorization: Bearer {token}\" \\");
    }
    let message = r#"{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"EXAMPLE"}]}"#;
    let message = message.replace("EXAMPLE", example);
    let params = format!(r#""params":{{"message":{message}}}"#);
    println!("    -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"SendMessage\",{params}}}'\n");
    println!("Ctrl-C stops it.");
}

/// How this program was called, so that a pasted line calls it again.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "legation".into())
}

/// Who may call, as the greeting explains it.
enum Access {
    Everybody,
    /// Bearers of the token in this variable.
    Variable(String),
    /// Bearers of a token that stands in the configuration.
    Stated,
    /// Those whom some scheme knows that is no static token.
    Schemes,
    /// Bearers of the token in the data directory, which is the user's default one or another.
    File(DataDir, bool),
}

impl Access {
    fn of(given: &Given, resolved: &Resolved) -> Self {
        if resolved.is_open() {
            return Self::Everybody;
        }
        let data = &resolved.data_dir;
        match (given.token_variable(), resolved.tokens().next()) {
            (Some(variable), _) => Self::Variable(variable),
            (None, Some(_)) => Self::Stated,
            (None, None) if !resolved.has_static_token() => Self::Schemes,
            (None, None) => Self::File(data.clone(), *data == DataDir::of_user()),
        }
    }

    fn says(&self) -> String {
        match self {
            Self::Everybody => "none: every program on this machine may call".into(),
            Self::Variable(name) => format!("bearer token of {name}"),
            Self::Stated => "bearer token of the configuration".into(),
            Self::Schemes => "as the schemes of the configuration say".into(),
            Self::File(data, _) => format!("bearer token in {}", data.token_file().display()),
        }
    }

    fn flags(&self) -> String {
        match self {
            Self::Everybody | Self::File(_, true) => String::new(),
            Self::Variable(name) => format!(" --token \"${name}\""),
            Self::Stated | Self::Schemes => " --token \"$TOKEN\"".into(),
            Self::File(data, false) => format!(" --data-dir '{}'", data.path().display()),
        }
    }

    fn shell_token(&self) -> Option<String> {
        match self {
            Self::Everybody => None,
            Self::Variable(name) => Some(format!("${name}")),
            Self::Stated | Self::Schemes => Some("$TOKEN".into()),
            Self::File(data, _) => Some(format!("$(cat '{}')", data.token_file().display())),
        }
    }
}
