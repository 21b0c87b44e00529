//! What is said to an agent: text and files, in a context or to a task.

use std::fs;
use std::path::{Path, PathBuf};

use legation_model::{
    Base64, Content, ContextId, Message, Part, Role, SendMessageConfiguration, SendMessageRequest,
    TaskId,
};

use super::exit::Failure;

/// What is said.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Words {
    /// What to say
    text: String,
    /// A file to send along; may be repeated
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
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
        let mut parts = vec![Part::text(&self.text)];
        for path in &self.files {
            parts.push(file(path)?);
        }
        let mut message = Message::new(Role::User, parts);
        message.context_id.clone_from(&self.context);
        message.task_id.clone_from(&self.task);
        let configuration = SendMessageConfiguration::default();
        Ok(SendMessageRequest { tenant: None, message, configuration, metadata: None })
    }
}

fn file(path: &Path) -> Result<Part, Failure> {
    let failed = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let bytes = fs::read(path).map_err(failed)?;
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
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

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
