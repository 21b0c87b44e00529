//! The command `serve`: the built-in agents on one address, until the process is told to stop.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use legation::{DataDir, Running, Server};
use legation_agents::analyst::DataAnalyst;
use tracing_subscriber::EnvFilter;

use crate::cli::serve::ServeOptions;

const EXAMPLE: &str =
    "Analyze this sales data and provide a trend analysis: [100, 120, 95, 140, 160]";

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// When the server cannot start; the message says what to do.
pub(crate) fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let running = server(&options).start(&options.listen.to_string()).await?;
        greet(&options, &running);
        running.until_stopped().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn server(options: &ServeOptions) -> Server {
    let mut server =
        Server::builder().agent(DataAnalyst::profile(), DataAnalyst).data_dir(options.data_dir());
    if options.no_auth {
        server = server.without_auth();
    }
    if let Some(url) = &options.public_url {
        server = server.public_url(url);
    }
    server
}

/// Warnings by default; `RUST_LOG` asks for more.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    // Refused only when a log is set already, which nothing in this process does before.
    let _ = log.with_writer(std::io::stderr).try_init();
}

/// Says where the server is and how to call it, in lines that work when pasted.
#[expect(clippy::print_stdout, reason = "what the command tells its user")]
fn greet(options: &ServeOptions, running: &Running) {
    let base = format!("http://{}", running.address());
    let base = options.public_url.as_deref().unwrap_or(&base).trim_end_matches('/');
    let data = options.data_dir();
    let access = Access::of(options, &data);
    println!("Data Analyst is served at {base}");
    println!("  card   {base}/.well-known/agent-card.json");
    println!("  state  {}", data.path().display());
    println!("  auth   {}", access.says());
    if running.recovered() > 0 {
        println!("  took up {} unfinished tasks of the last run", running.recovered());
    }
    println!("\nCall it from another terminal:\n");
    println!("  {} send{} {base} \"{EXAMPLE}\"\n", program(), access.flags());
    println!("  curl -s {base}/a2a -H 'A2A-Version: 1.0' -H 'Content-Type: application/json' \\");
    if let Some(token) = access.shell_token() {
        println!("    -H \"Authorization: Bearer {token}\" \\");
    }
    let message = r#"{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"EXAMPLE"}]}"#;
    let message = message.replace("EXAMPLE", EXAMPLE);
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
    /// Bearers of the token in the environment.
    Variable,
    /// Bearers of the token in the data directory, which is the user's default one or another.
    File(DataDir, bool),
}

impl Access {
    fn of(options: &ServeOptions, data: &DataDir) -> Self {
        if options.no_auth {
            return Self::Everybody;
        }
        if std::env::var_os("AUTH_TOKEN").is_some_and(|token| !token.is_empty()) {
            return Self::Variable;
        }
        Self::File(data.clone(), *data == DataDir::of_user())
    }

    fn says(&self) -> String {
        match self {
            Self::Everybody => "none: every program on this machine may call".into(),
            Self::Variable => "bearer token of AUTH_TOKEN".into(),
            Self::File(data, _) => format!("bearer token in {}", data.token_file().display()),
        }
    }

    fn flags(&self) -> String {
        match self {
            Self::Everybody | Self::File(_, true) => String::new(),
            Self::Variable => " --token \"$AUTH_TOKEN\"".into(),
            Self::File(data, false) => format!(" --data-dir '{}'", data.path().display()),
        }
    }

    fn shell_token(&self) -> Option<String> {
        match self {
            Self::Everybody => None,
            Self::Variable => Some("$AUTH_TOKEN".into()),
            Self::File(data, _) => Some(format!("$(cat '{}')", data.token_file().display())),
        }
    }
}
