//! The command line: what can be asked for, and who does it.

mod audit;
mod card;
mod chat;
mod config;
mod context;
mod doctor;
#[cfg(test)]
mod documented;
mod exit;
mod follow;
mod init;
mod json;
mod junit;
mod keys;
mod lines;
mod login;
mod manual;
mod message;
mod out;
mod place;
mod profile;
mod push;
mod render;
mod save;
mod send;
pub(crate) mod serve;
mod stream;
mod sweep;
mod target;
mod task;
mod text;
mod tokens;
mod transfer;
mod updates;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app;
use exit::{Exit, Failure};
use out::note;

/// The house that agents live in on the A2A network: serves agents, and calls them
#[derive(Debug, Parser)]
#[command(name = "legation", version, after_help = exit::help(), max_term_width = 100)]
struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: out::Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve agents over A2A: those of a configuration file, or the built-in data analyst
    Serve(serve::ServeOptions),
    /// Write a configuration file for an agent of yours
    Init(init::Init),
    /// Say whether a configuration file is good, and if not, all that is wrong with it
    Check(config::Check),
    /// Look into a configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Make what servers and their callers are trusted by
    #[command(subcommand)]
    Keys(keys::Command),
    /// List what a server has refused, and what was changed, by whom
    Audit(audit::Audit),
    /// Write all that a store holds into a file, also while servers work
    Export(transfer::Export),
    /// Put what such a file holds into a store, of either kind, that has nothing yet
    Import(transfer::Import),
    /// Say something to an agent and wait for the outcome
    #[command(after_help = exit::help())]
    Send(send::Send),
    /// Say something to an agent and follow what happens
    #[command(after_help = exit::help())]
    Stream(message::Saying),
    /// Talk with an agent, in one context and in as many turns as you like
    #[command(after_help = exit::help())]
    Chat(chat::Chat),
    /// Look at tasks, follow them, cancel them
    #[command(subcommand, after_help = exit::help())]
    Task(task::Command),
    /// Have an agent post what becomes of a task, and receive that
    #[command(subcommand, after_help = exit::help())]
    Push(push::Command),
    /// Look at conversations, erase them, have them swept
    #[command(subcommand, after_help = exit::help())]
    Context(context::Command),
    /// Show how an agent describes itself
    #[command(after_help = exit::help())]
    Card(card::Card),
    /// Say what every kind of client will think of an agent, and what to change
    #[command(after_help = exit::help())]
    Doctor(doctor::Doctor),
    /// Log in where an agent's callers get their tokens
    #[command(after_help = exit::help())]
    Login(login::Login),
    /// Forget the tokens for an agent
    #[command(after_help = exit::help())]
    Logout(login::Logout),
    /// Print a script that completes command lines of `legation` in a shell
    Completions(manual::Completions),
    /// Print the manual page, or write the pages of all commands
    Man(manual::Man),
}

/// Does what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    out::choose(cli.color);
    let call = match cli.command {
        Command::Serve(options) => return serve(options),
        Command::Init(init) => init.run(),
        Command::Check(check) => check.run(),
        Command::Config(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Audit(audit) => calling(audit.run()),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Schema => config::print_schema(),
        Command::Send(send) => calling(send.run()),
        Command::Stream(stream) => calling(stream::run(stream)),
        Command::Chat(chat) => calling(chat.run()),
        Command::Task(task) => calling(task.run()),
        Command::Push(push) => calling(push.run()),
        Command::Context(context) => calling(context.run()),
        Command::Card(card) => calling(card.run()),
        Command::Doctor(doctor) => calling(doctor.run()),
        Command::Login(login) => calling(login.run()),
        Command::Logout(logout) => calling(logout.run()),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    match call {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell().into(),
    }
}

fn serve(options: serve::ServeOptions) -> ExitCode {
    let loaded = match options.load() {
        Ok(loaded) => loaded,
        Err(error) => return config::tell(&error).into(),
    };
    app::serve(&options, loaded).unwrap_or_else(|error| {
        note(&format!("legation: {error:#}"));
        Exit::Failed.into()
    })
}

/// Runs a call on a runtime of its own: one thread is plenty for one call.
fn calling(call: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(call)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_is_understood() {
        let cases = [
            ("serve", true),
            ("serve --listen 0.0.0.0:1 --data-dir d --no-auth --public-url https://a", true),
            ("serve --listen nowhere", false),
            ("serve legation.yaml --listen 0.0.0.0:1", true),
            ("init", true),
            ("init my.yaml --role R --goal G --exec prog --yes --force", true),
            ("check legation.yaml", true),
            ("check", false),
            ("config explain legation.yaml --json", true),
            ("config explain --no-auth", true),
            ("config", false),
            ("schema", true),
            ("serve --tls-cert c --tls-key k", true),
            ("serve --tls-cert c", false),
            ("serve --plaintext --tls-cert c --tls-key k", false),
            ("keys tls", true),
            ("keys tls a.example 10.0.0.1 --cert c --key k --days 30 --force", true),
            ("keys tls --days 0", false),
            ("keys", false),
            ("keys create --name n --scopes read,send --agents a --expires 90d", true),
            ("keys create --name n --tenant t --subject s --data-dir d", true),
            ("keys create", false),
            ("keys create --name n --expires soon", false),
            ("keys create --name n --expires 0s", false),
            ("keys create --name n --scopes ,", false),
            ("keys list --json", true),
            ("keys revoke n", true),
            ("keys revoke", false),
            ("audit", true),
            ("audit --since 1h --action call --tenant t --subject s --limit 3 --json", true),
            ("audit --since 2026-07-01T00:00:00Z", true),
            ("audit --since yesterday", false),
            ("audit --action dance", false),
            ("audit --limit 0", false),
            ("export f --data-dir d --force", true),
            ("export", false),
            ("import f --store postgres://h/d --schema s", true),
            ("import f --force", false),
            ("keys rotate n --grace 1h", true),
            ("send http://a text --ca ca.pem", true),
            ("send http://a text", true),
            ("send http://a text --context c --file a --file b --json --token t", true),
            ("send http://a", false),
            ("stream http://a text --task t", true),
            ("send http://a - --schema s --follow --color never", true),
            ("chat http://a --context c --save dir", true),
            ("context list http://a --json", true),
            ("context show http://a c", true),
            ("context erase http://a c --yes", true),
            ("context erase http://a --all --subject s --json", true),
            ("context erase http://a", false),
            ("context erase http://a c --all", false),
            ("context erase http://a c --subject s", false),
            ("context sweep --data-dir d --timeout 5s --json", true),
            ("context sweep --store postgres://h/d --schema s", true),
            ("context sweep http://a", false),
            ("completions zsh", true),
            ("completions abacus", false),
            ("man --dir d", true),
            ("--color sometimes man", false),
            ("login a --no-browser", true),
            ("logout a --profiles f.yaml", true),
            ("login", false),
            ("send a text --proxy http://p:1 --client-cert c --client-key k", true),
            ("send a text --client-cert c", false),
            ("task get http://a t", true),
            ("task list http://a --status input-required", true),
            ("task list http://a --status lazy", false),
            ("task cancel http://a t", true),
            ("task watch http://a t --json", true),
            ("send http://a text --updates polling --timeout 5m", true),
            (
                "stream a text --updates push --webhook-listen [::1]:80 --webhook-url https://w/x",
                true,
            ),
            ("send http://a text --updates pigeon", false),
            ("send http://a text --timeout soon", false),
            ("push set http://a t https://w --id i --webhook-token f", true),
            ("push set http://a t", false),
            ("push list http://a t --json", true),
            ("push get http://a t i", true),
            ("push delete http://a t i", true),
            ("push listen http://a t --webhook-secret f --json", true),
            ("push receive --json", true),
            ("push listen http://a", false),
            ("push", false),
            ("task", false),
            ("card http://a --binding JSONRPC", true),
            ("card a --binding carrier-pigeon", false),
            ("doctor a --for crewai --for v1.0 --only card --passive --json", true),
            ("doctor a --origin https://p --junit - --timeout 5s --heartbeat 1m --text hi", true),
            ("doctor a --for everybody", false),
            ("doctor a --timeout 0s", false),
            ("doctor", false),
        ];
        for (line, good) in cases {
            let words = std::iter::once("legation").chain(line.split(' '));
            assert_eq!(Cli::try_parse_from(words).is_ok(), good, "{line}");
        }
    }
}
