//! What is said to an agent: text and files, in a context or to a task, with a wish for the answer.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use legation_model::{
    Base64, Content, ContextId, Json, Message, Metadata, Part, Role, SendMessageConfiguration,
    SendMessageRequest, TaskId,
};

use super::exit::Failure;
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
    /// Print A2A 1.0 JSON: the reply, or each event on a line where they are followed
    #[arg(long)]
    pub(super) json: bool,
}

/// What is said.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Words {
    /// What to say; `-` reads it from standard input
    text: String,
    /// A file to send along; may be repeated
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
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

impl Words {
    /// The words as a request.
    pub(crate) fn request(&self) -> Result<SendMessageRequest, Failure> {
        let mut first = Part::text(self.text()?);
        let mut configuration = SendMessageConfiguration::default();
        if let Some(path) = &self.schema {
            // Where CrewAI puts it, and so most servers look for it.
            first.metadata = Some(asking_for(&schema(path)?));
            configuration.accepted_output_modes = vec!["application/json".into()];
        }
        let mut parts = vec![first];
        for path in &self.files {
            parts.push(file(path)?);
        }
        let mut message = Message::new(Role::User, parts);
        message.context_id.clone_from(&self.context);
        message.task_id.clone_from(&self.task);
        Ok(SendMessageRequest { tenant: None, message, configuration, metadata: None })
    }

    /// Whether data is wanted rather than something to read.
    pub(crate) fn ask_for_data(&self) -> bool {
        self.schema.is_some()
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

fn schema(path: &Path) -> Result<Json, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let refuse = |reason: &dyn std::fmt::Display| {
        let path = path.display();
        Failure::usage(format!("{path} is not a JSON Schema, which is a JSON object: {reason}"))
    };
    let json = Json::parse(text.trim()).map_err(|error| refuse(&root(&error)))?;
    if json.as_str().starts_with('{') { Ok(json) } else { Err(refuse(&"it is no object")) }
}

/// The innermost cause, which says where.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn asking_for(schema: &Json) -> Metadata {
    let wish = Metadata::single("mimeType", &"application/json");
    let wish = wish.and_then(|wish| Metadata::with(Some(&wish), "schema", schema.clone()));
    // A schema as deep as JSON may be has no room around it; then the server gets to say so.
    wish.unwrap_or_else(|_| Metadata::single("schema", &"too deep").expect("a text is JSON"))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

fn file(path: &Path) -> Result<Part, Failure> {
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
