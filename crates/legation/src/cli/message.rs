//! What is said to an agent: text and files, in a context or to a task, with a wish for the answer.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use legation_client::Schema;
use legation_model::{
    Base64, Content, ContextId, Message, Part, Role, SendMessageConfiguration, SendMessageRequest,
    SendMessageResponse, TaskId,
};
use url::Url;

use super::exit::Failure;
use super::save::Shelf;
use super::target::Target;
use super::updates::HowTold;

/// What is said to whom, and how the outcome is printed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Saying {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    pub(super) words: Words,
    #[command(flatten)]
    pub(super) told: HowTold,
    /// Save the artifacts into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Print A2A 1.0 JSON: the reply, or each event on a line where they are followed
    #[arg(long)]
    pub(super) json: bool,
}

/// What is said.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Words {
    /// What to say; `-` reads it from standard input
    text: String,
    /// A file to send along, or the address (http, https) that the agent can fetch it from; may be repeated
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<String>,
    /// A JSON Schema that the answer shall satisfy. `send` prints the answer's data and nothing else
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The context to say it in; a new one is begun otherwise
    #[arg(long, value_name = "ID", value_parser = ContextId::parse)]
    context: Option<ContextId>,
    /// The task to say it to, one that waits for input
    #[arg(long, value_name = "ID", value_parser = TaskId::parse)]
    task: Option<TaskId>,
}

impl Saying {
    /// Saves the artifacts of an answer, where that is wanted.
    pub(super) fn save(&self, answer: &SendMessageResponse) -> Result<(), Failure> {
        match (&self.save, answer) {
            (Some(dir), SendMessageResponse::Task(task)) => Shelf::new(dir.clone())?.save(task),
            (None, _) | (_, SendMessageResponse::Message(_)) => Ok(()),
        }
    }

    /// Whether they are to be saved.
    pub(super) fn saves(&self) -> bool {
        self.save.is_some()
    }
}

impl Words {
    /// The words as a request.
    pub(crate) fn request(&self) -> Result<SendMessageRequest, Failure> {
        let mut parts = vec![Part::text(self.text()?)];
        for named in &self.files {
            parts.push(file(named)?);
        }
        let mut message = Message::new(Role::User, parts);
        message.context_id.clone_from(&self.context);
        message.task_id.clone_from(&self.task);
        let configuration = SendMessageConfiguration::default();
        let mut request =
            SendMessageRequest { tenant: None, message, configuration, metadata: None };
        if let Some(schema) = self.schema()? {
            schema.ask(&mut request);
        }
        Ok(request)
    }

    /// The shape in which data is wanted, rather than something to read.
    pub(crate) fn schema(&self) -> Result<Option<Schema>, Failure> {
        let Some(path) = &self.schema else { return Ok(None) };
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        let schema = Schema::parse(&text);
        let unfit = |bad| Failure::usage(format!("{} is {bad}", path.display()));
        schema.map(Some).map_err(unfit)
    }

    fn text(&self) -> Result<String, Failure> {
        if self.text != "-" {
            return Ok(self.text.clone());
        }
        let mut text = String::new();
        match io::stdin().lock().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure::usage(format!(
                "cannot read what to say from standard input: {error}. Send bytes with --file"
            ))),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

fn file(named: &str) -> Result<Part, Failure> {
    let path = Path::new(named);
    if named.starts_with("http://") || named.starts_with("https://") {
        let url = Url::parse(named).map_err(|fault| Failure::usage(format!("{named}: {fault}")))?;
        let last = url.path_segments().and_then(|mut names| names.next_back()).unwrap_or_default();
        let part = Part::from(Content::Url(named.to_owned()));
        let part = part.with_media_type(media_type(Path::new(last)));
        let name = (!last.is_empty()).then(|| last.to_owned());
        return Ok(name.map_or(part.clone(), |name| part.with_filename(name)));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let part = Part::from(Content::Raw(Base64::encode(&bytes))).with_media_type(media_type(path));
    // Only the name: where the file lies is nobody's business.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(name.map_or(part.clone(), |name| part.with_filename(name)))
}

const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("ndjson", "application/x-ndjson"),
    ("jsonl", "application/x-ndjson"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("svg", "image/svg+xml"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// The ending of file names of a media type.
pub(super) fn extension(media_type: &str) -> Option<&'static str> {
    MEDIA_TYPES.iter().find(|(_, known)| *known == media_type).map(|(extension, _)| *extension)
}

fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_media_types() {
        let cases = [
            ("a/sales.CSV", "text/csv"),
            ("b.json", "application/json"),
            ("noextension", "application/octet-stream"),
        ];
        for (path, expected) in cases {
            assert_eq!(media_type(Path::new(path)), expected, "{path}");
        }
    }
}
