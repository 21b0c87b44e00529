//! `legation check`, `legation config` and `legation schema`.

use std::path::PathBuf;

use serde_json::json;

use super::exit::{Exit, Failure};
use super::out::{Out, Style, note};
use super::serve::ServeOptions;
use crate::config::{self, Explained, LoadError, Overrides};

/// Which file to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Configuration file
    config: PathBuf,
}

impl Check {
    /// Says whether the file is good.
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (given, resolved) = match config::load(Some(&self.config), &Overrides::default()) {
            Ok(loaded) => loaded,
            Err(error) => return Ok(tell(&error)),
        };
        let file = given.file.unwrap_or_default();
        let names: Vec<_> = resolved.agents.iter().map(|agent| &*agent.profile.slug).collect();
        let good = format!("{} is good: it serves {}", file.display(), names.join(", "));
        Out::new().line(Style::Plain, &good)?;
        Ok(Exit::Done)
    }
}

/// Says why there is no configuration: each fault in a line of its own, as compilers do.
pub(super) fn tell(error: &LoadError) -> Exit {
    match error {
        LoadError::Read { .. } => note(&format!("legation: {error}")),
        LoadError::Faults(faults) => note(&faults.to_string()),
    }
    Exit::Failed
}

/// What to look at.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show each value and where it comes from: a flag, the environment, the file, or a default
    Explain(Explain),
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self::Explain(explain) = self;
        explain.run()
    }
}

/// What to explain: what a server would be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    serve: ServeOptions,
    /// Print JSON: a list of objects with key, value and origin
    #[arg(long)]
    json: bool,
}

impl Explain {
    fn run(self) -> Result<Exit, Failure> {
        let (given, resolved) = match self.serve.load() {
            Ok(loaded) => loaded,
            Err(error) => return Ok(tell(&error)),
        };
        let mut explained = config::explain(&given);
        for value in explained.iter_mut().filter(|value| value.key == "store.path") {
            // The path as it was decided, which is what one looks for.
            value.text = resolved.data_dir.path().display().to_string();
            value.value = json!(value.text);
        }
        let mut out = Out::new();
        if self.json {
            out.json(&explained)?;
            return Ok(Exit::Done);
        }
        let width = |of: fn(&Explained) -> &str| {
            explained
                .iter()
                .map(|value| of(value).chars().count())
                .filter(|width| *width <= 60)
                .max()
        };
        let (keys, values) = (width(|value| &value.key), width(|value| &value.text));
        let (keys, values) = (keys.unwrap_or(0), values.unwrap_or(0));
        for value in &explained {
            out.put(Style::Plain, &format!("{:keys$}  {:values$}  ", value.key, value.text))?;
            out.line(Style::Dim, &origin(value))?;
        }
        Ok(Exit::Done)
    }
}

fn origin(value: &Explained) -> String {
    let source = value.source.as_deref().unwrap_or_default();
    let origin = match value.origin {
        "file" => source.to_owned(),
        other => format!("{other} {source}").trim_end().to_owned(),
    };
    match &value.variables[..] {
        [] => origin,
        variables => format!("{origin} ({})", variables.join(", ")),
    }
}

/// Prints the schema of the file.
pub(super) fn print_schema() -> Result<Exit, Failure> {
    let schema = serde_json::to_string_pretty(&config::schema()).map_err(std::io::Error::from)?;
    Out::new().line(Style::Plain, &schema)?;
    Ok(Exit::Done)
}
