//! `legation export` and `legation import`: a whole store as one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use legation_store::{Counts, Step, Summary, TransferError};

use super::exit::{Exit, Failure};
use super::out::{Out, Style, progress};
use super::place::{Place, described};

/// How often a person hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// File for all that the store holds, which only its owner can read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
}

/// What to read, and where it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// File that `legation export` has written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self { file, force, place } = self;
        if file.exists() && !force {
            let text = format!("`{}` is there already; --force writes over it", file.display());
            return Err(Failure::usage(text));
        }
        // Written beside and renamed, so that the file is whole or not there.
        let mut beside = file.clone().into_os_string();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let written = write(&beside, &place).and_then(|summary| {
            fs::rename(&beside, &file).and_then(|()| sync_directory(&file)).map_err(file_error)?;
            Ok(summary)
        });
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        let summary = written.map_err(|error| failed(&error, &file))?;
        tell("wrote", &file.display().to_string(), &summary)
    }
}

impl Import {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self { file, place } = self;
        let from = File::open(&file).map_err(|error| failed(&file_error(error), &file))?;
        let mut watch = watch();
        let imported = legation_store::import(BufReader::new(from), place.home(), &mut watch);
        let summary = imported.map_err(|error| failed(&error, &file))?;
        tell("imported and read back", &place.named(), &summary)
    }
}

fn write(path: &Path, place: &Place) -> Result<Summary, TransferError> {
    // An older file keeps its mode when it is opened, so it goes first.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(error)),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = BufWriter::new(file.map_err(file_error)?);
    let summary = legation_store::export(place.home(), &mut file, &mut watch())?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(file_error)?;
    Ok(summary)
}

/// Sees to it that the new name lasts as well.
fn sync_directory(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn file_error(error: io::Error) -> TransferError {
    TransferError::File(error)
}

fn failed(error: &TransferError, file: &Path) -> Failure {
    let text = described(error);
    Failure::of_command(match error {
        TransferError::File(_) => format!("{text} (`{}`)", file.display()),
        TransferError::Open(_)
        | TransferError::Missing(_)
        | TransferError::InUse(_)
        | TransferError::Damaged { .. }
        | TransferError::Differs { .. }
        | TransferError::Unequal
        | TransferError::Read(_)
        | TransferError::Write { .. } => text,
    })
}

/// Tells now and then how far it is, where a person is there to see it.
fn watch() -> impl FnMut(Step, &Counts) {
    let mut told = Instant::now();
    move |step, counts| {
        if told.elapsed() < PROGRESS_EVERY {
            return;
        }
        told = Instant::now();
        let doing = match step {
            Step::Export => "written",
            Step::Check => "checked in the file",
            Step::Compare => "there already",
            Step::Import => "imported",
            Step::ReadBack => "read back",
        };
        progress(&format!("{doing}: {}", in_words(counts)));
    }
}

fn in_words(counts: &Counts) -> String {
    let Counts { contexts, tasks, log_rows, keys, results, tokens, audit } = counts;
    format!(
        "{contexts} contexts, {tasks} tasks ({log_rows} log rows), {keys} idempotency keys, \
         {results} results, {tokens} integration tokens, {audit} audit entries"
    )
}

fn tell(did: &str, what: &str, summary: &Summary) -> Result<Exit, Failure> {
    let mut out = Out::new();
    out.line(Style::Plain, &format!("{did} {what}: {}", in_words(&summary.counts)))?;
    out.line(Style::Plain, &format!("sha256 {}", summary.sha256))?;
    Ok(Exit::Done)
}
