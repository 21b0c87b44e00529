//! `legation init`: a configuration file to begin with.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::out::{Out, Style, ask};
use super::text::quote;
use crate::config;

/// What the new file shall say. What is left out is asked for on a terminal.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// File to write
    #[arg(default_value = "legation.yaml")]
    file: PathBuf,
    /// What the agent is, such as "Data Analyst"
    #[arg(long)]
    role: Option<String>,
    /// What it is to reach
    #[arg(long)]
    goal: Option<String>,
    /// Program that does its work, such as "python3 agent.py" [default: the built-in data analyst]
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// What the new agent is.
struct Wanted {
    role: String,
    goal: String,
    command: Option<String>,
}

impl Init {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let file = self.file.display().to_string();
        if self.file.exists() && !self.force {
            let text = format!("`{file}` is there already; --force writes over it");
            return Err(Failure::usage(text));
        }
        let wanted = self.wanted()?;
        let slug = legation::slug(&wanted.role).map_err(|reason| {
            Failure::usage(format!("`{}` makes no name for addresses: {reason}", wanted.role))
        })?;
        let text = template(&wanted, &slug);
        if let Err(faults) = config::check(&file, &text) {
            return Err(Failure::usage(faults.to_string()));
        }
        self.write(&text)
            .map_err(|error| Failure::usage(format!("cannot write `{file}`: {error}")))?;
        let mut out = Out::new();
        out.line(Style::Plain, &format!("wrote {file}; serve it with:"))?;
        out.line(Style::Plain, &format!("  legation serve {}", quote(&file)))?;
        Ok(Exit::Done)
    }

    fn wanted(&self) -> Result<Wanted, Failure> {
        let asks = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        let answer = |flag: &Option<String>, question: &str, default: &str| match flag {
            Some(value) => Ok(value.trim().to_owned()),
            None if asks => ask(question, default),
            None => io::Result::Ok(default.to_owned()),
        };
        let command =
            answer(&self.exec, "Program that does the work (none: the built-in data analyst)", "")?;
        let (role, goal) = match &*command {
            "" => ("Data Analyst", "Analyze datasets and provide insights"),
            _ => ("Assistant", "Answer questions"),
        };
        let role = answer(&self.role, "Role of the agent", role)?;
        let goal = answer(&self.goal, "Goal", goal)?;
        if role.is_empty() || goal.is_empty() {
            return Err(Failure::usage("an agent needs a role and a goal"));
        }
        Ok(Wanted { role, goal, command: Some(command).filter(|command| !command.is_empty()) })
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            // Whoever was faster keeps the file.
            options.create_new(true);
        }
        options.open(&self.file)?.write_all(text.as_bytes())
    }
}

/// The text in double quotes as YAML has them, with nothing in it that means more than itself.
fn quoted(text: &str) -> String {
    let text = serde_json::Value::from(text.replace("${", "$${")).to_string();
    // The one letter that ends a line in YAML and stands for itself in JSON.
    text.replace('\u{85}', "\\N").replace('\u{7f}', "\\x7f")
}

fn template(wanted: &Wanted, slug: &str) -> String {
    let Wanted { role, goal, command } = wanted;
    let (role, goal) = (quoted(role), quoted(goal));
    let runtime = match command {
        None => "      type: analyst          # built in; or exec, http, openai".to_owned(),
        Some(command) => format!(
            "      type: exec             # a program of yours, run without a shell
      command: {}
      # mode: pool           # processes that live on and serve many tasks
      # env: {{ allow: [PATH, HOME] }}
      # run_time: 5m",
            quoted(command)
        ),
    };
    format!(
        "# What Legation serves. `legation check` says whether this file is good, `legation config
# explain` shows every value, and `legation schema` prints a JSON Schema for editors. While the
# server is at work, changes of `agents` are taken up at once.

server:
  listen: 127.0.0.1:8080
  # public_url: https://agents.example.com   # how callers reach it, behind a proxy

# store: sqlite:tasks        # a directory; without it the user's data directory

auth:
  schemes:
    - type: simple_token     # the token is in AUTH_TOKEN, else one is made and kept

agents:
  {slug}:
    role: {role}
    goal: {goal}
    # backstory: ...         # role, goal and backstory are public: they are on its card
    runtime:
{runtime}
    # a2a:
    #   server:
    #     version: \"1.0.0\"
    #     skills:
    #       - {{ id: answer, name: Answer, description: Answers questions }}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_passes_the_check() {
        let cases = [
            ("Data Analyst", "Find trends", None),
            (
                "A: \"quoted\" # one",
                "Say ${HOME} \\ 'x'\n\u{85}\u{2028}\u{7f}é",
                Some("sh -c 'echo \"$1\"'"),
            ),
            ("true", "null", Some("1")),
        ];
        for (role, goal, command) in cases {
            let wanted =
                Wanted { role: role.into(), goal: goal.into(), command: command.map(Into::into) };
            let slug = legation::slug(role).expect("a slug");
            let text = template(&wanted, &slug);
            config::check("f", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        }
    }
}
