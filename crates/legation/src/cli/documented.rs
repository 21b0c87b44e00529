//! `docs/cli.md` is made of the description of the command line that reads it.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::{Cli, exit};

const HEAD: &str = "# The command line\n\n\
    This page is made by a test of `legation`; run it with `UPDATE_DOCS=1` to make it again.\n\n\
    Results go to standard output, everything else to standard error. What agents say is shown with\n\
    its control characters made visible, so nobody's text can steer your terminal. Colours are for\n\
    terminals, and for nobody where `NO_COLOR` is set or `--color never` is given.\n\n\
    The exit code says how it went, for `chat` how the last message went:\n\n";

/// Set `UPDATE_DOCS=1` to write the page.
#[test]
fn the_documentation_is_the_command_line() {
    let mut root = Cli::command();
    root.build();
    let mut page = HEAD.to_owned();
    write!(page, "```text\n{}\n```\n", exit::help()).expect("texts grow");
    page += "\n## Options of every command that calls an agent\n\n";
    table(&mut page, root.find_subcommand("card").expect("a command").get_arguments(), true);
    for command in root.get_subcommands() {
        section(&mut page, command, "legation", 2);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("a writable page");
        return;
    }
    let text = std::fs::read_to_string(&path).expect("the page of the command line");
    assert_eq!(text, page, "run this test with UPDATE_DOCS=1");
}

fn section(page: &mut String, command: &Command, before: &str, level: usize) {
    if command.get_name() == "help" {
        return;
    }
    let name = format!("{before} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    write!(page, "\n{} {name}\n\n{about}.\n", "#".repeat(level)).expect("texts grow");
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            section(page, inner, &name, level + 1);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(page, "\n```text\n{usage}\n```\n").expect("texts grow");
    let mut arguments = command.get_arguments().filter(|argument| tells(argument, false));
    if arguments.next().is_some() {
        page.push('\n');
        table(page, command.get_arguments(), false);
    }
}

/// Whether an argument is one of those: of every call of an agent, or of the command itself.
fn tells(argument: &Arg, of_calls: bool) -> bool {
    let known = matches!(argument.get_id().as_str(), "help" | "version" | "color" | "url");
    !known && (argument.get_help_heading() == Some("Calling")) == of_calls
}

fn table<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>, of_calls: bool) {
    *page += "| argument | says |\n|---|---|\n";
    arguments.filter(|argument| tells(argument, of_calls)).for_each(|argument| row(page, argument));
}

fn row(page: &mut String, argument: &Arg) {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.first().map(ToString::to_string).unwrap_or_default();
    let takes = argument.get_action().takes_values();
    let name = match argument.get_long() {
        Some(long) if takes => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    };
    let mut says = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<_> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if takes && !possible.is_empty() {
        write!(says, ": {}", possible.join(", ")).expect("texts grow");
    }
    let defaults = argument.get_default_values();
    if let Some(default) = defaults.first().filter(|_| takes) {
        write!(says, " [default: {}]", default.to_string_lossy()).expect("texts grow");
    }
    if let Some(variable) = argument.get_env() {
        write!(says, " [also: {}]", variable.to_string_lossy()).expect("texts grow");
    }
    writeln!(page, "| `{name}` | {} |", says.replace('|', "\\|")).expect("texts grow");
}
