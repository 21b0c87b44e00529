//! `legation completions` and `legation man`: what a shell and a manual reader need, made from the
//! same description of the command line that reads it.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::exit::{Exit, Failure};
use super::out::{Out, note};

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Such as: legation completions zsh > ~/.zfunc/_legation")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Where the manual goes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Such as: legation man | man -l -")]
pub(crate) struct Man {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        // First into memory: the generator does not take a closed pipe well.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "legation", &mut script);
        Out::new().own(&script)?;
        Ok(Exit::Done)
    }
}

impl Man {
    /// Prints or writes the pages.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            Out::new().own(&page)?;
            return Ok(Exit::Done);
        };
        let written = std::fs::create_dir_all(&dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &dir));
        written.map_err(|error| {
            Failure::usage(format!("cannot write manual pages into {}: {error}", dir.display()))
        })?;
        note(&format!("wrote the manual into {}; read it with `man -l FILE`", dir.display()));
        Ok(Exit::Done)
    }
}
