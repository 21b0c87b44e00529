//! Tasks, messages and artifacts as people read them.

use std::io;

use legation_model::{
    Artifact, Content, Message, Part, StreamResponse, Task, TaskState, TaskStatus,
};

use super::json::pretty;
use super::out::{Out, Style};

/// Files of text up to this size are shown, larger ones are named.
const SHOWN_BYTES: usize = 64 << 10;

/// A state in plain words, and how it looks.
pub(crate) const fn state_words(state: TaskState) -> (&'static str, Style) {
    match state {
        TaskState::Unspecified => ("state unknown", Style::Dim),
        TaskState::Submitted => ("submitted", Style::Dim),
        TaskState::Working => ("working", Style::Dim),
        TaskState::Completed => ("completed", Style::Good),
        TaskState::Failed => ("failed", Style::Bad),
        TaskState::Canceled => ("canceled", Style::Bad),
        TaskState::InputRequired => ("input required", Style::Waiting),
        TaskState::Rejected => ("rejected", Style::Bad),
        TaskState::AuthRequired => ("authorization required", Style::Waiting),
    }
}

/// Shows a whole task.
pub(crate) fn task(out: &mut Out, task: &Task) -> io::Result<()> {
    headline(out, task)?;
    for artifact in &task.artifacts {
        self::artifact(out, artifact)?;
    }
    // Many agents say the answer twice: as an artifact and as the last message.
    if !is_told(task) {
        status_message(out, &task.status)?;
    }
    out.flush()
}

/// Shows what the caller said.
pub(crate) fn said(out: &mut Out, text: &str) -> io::Result<()> {
    out.line(Style::Bold, &format!("> {}", text.trim_end().replace('\n', "\n> ")))
}

/// Shows a direct answer.
pub(crate) fn message(out: &mut Out, message: &Message) -> io::Result<()> {
    lines(out, &message.parts)?;
    out.flush()
}

fn headline(out: &mut Out, task: &Task) -> io::Result<()> {
    let (words, style) = state_words(task.status.state);
    out.put(style, words)?;
    let context = task.context_id.as_ref().map(|id| format!("  context {id}")).unwrap_or_default();
    out.line(Style::Dim, &format!("  task {}{context}", task.id))
}

fn is_told(task: &Task) -> bool {
    let Some(message) = &task.status.message else { return true };
    let text = message.text();
    task.artifacts.iter().any(|artifact| {
        let told = artifact.parts.iter().filter_map(Part::as_text).collect::<String>();
        told.trim() == text.trim()
    })
}

fn status_message(out: &mut Out, status: &TaskStatus) -> io::Result<()> {
    status.message.as_ref().map_or(Ok(()), |message| lines(out, &message.parts))
}

fn artifact(out: &mut Out, artifact: &Artifact) -> io::Result<()> {
    label(out, artifact)?;
    run_on(out, &artifact.parts)
}

fn label(out: &mut Out, artifact: &Artifact) -> io::Result<()> {
    let name = artifact.name.as_deref().unwrap_or(artifact.artifact_id.as_str());
    out.put(Style::Plain, "\n")?;
    out.line(Style::Bold, &format!("artifact {name}"))?;
    artifact.description.as_ref().map_or(Ok(()), |text| out.line(Style::Dim, text))
}

/// Shows the parts of a message, each on lines of its own.
fn lines(out: &mut Out, parts: &[Part]) -> io::Result<()> {
    parts.iter().try_for_each(|part| content(out, part))
}

/// Shows the parts of an artifact. Neighbouring texts are pieces of one text there, because that is
/// how it is streamed.
fn run_on(out: &mut Out, parts: &[Part]) -> io::Result<()> {
    let mut open = false;
    for part in parts {
        if let Some(text) = part.as_text() {
            out.put(Style::Plain, text)?;
            open = if text.is_empty() { open } else { !text.ends_with('\n') };
            continue;
        }
        if std::mem::take(&mut open) {
            out.put(Style::Plain, "\n")?;
        }
        content(out, part)?;
    }
    if open { out.put(Style::Plain, "\n") } else { Ok(()) }
}

fn content(out: &mut Out, part: &Part) -> io::Result<()> {
    let media_type = part.media_type.as_deref();
    let name = part.filename.as_deref().unwrap_or("file");
    match &part.content {
        Content::Text(text) => out.line(Style::Plain, text),
        Content::Data(data) => out.line(Style::Plain, &pretty(data.as_str())),
        Content::Url(url) => {
            let kind = media_type.map(|kind| format!(" ({kind})")).unwrap_or_default();
            out.line(Style::Plain, &format!("{name}{kind}: {url}"))
        }
        Content::Raw(raw) => {
            let bytes = raw.decode();
            let kind = media_type.unwrap_or("unknown type");
            out.line(Style::Dim, &format!("{name} ({kind}, {} bytes)", bytes.len()))?;
            let is_text = kind.starts_with("text/") || kind == "application/json";
            match String::from_utf8(bytes) {
                Ok(text) if is_text && text.len() <= SHOWN_BYTES => {
                    out.line(Style::Plain, text.trim_end_matches('\n'))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Shows a stream as it comes: chunks of one artifact run on, all else begins a line.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// The artifact whose text is being written, with no line break behind it yet.
    open: Option<legation_model::ArtifactId>,
    /// Where the task stood when it was last shown as a whole.
    stood: Option<TaskStatus>,
    /// What was written of artifacts, to tell an answer that is said again as a message.
    told: String,
    /// It is a conversation: what is said is shown, and of the rest only what is out of order.
    in_talk: bool,
}

impl Running {
    /// As a part of a conversation.
    pub(crate) fn in_talk() -> Self {
        Self { in_talk: true, ..Self::default() }
    }

    /// Shows the next item.
    pub(crate) fn show(&mut self, out: &mut Out, item: &StreamResponse) -> io::Result<()> {
        match item {
            StreamResponse::ArtifactUpdate(update) => {
                self.chunk(out, &update.artifact, update.append)?;
            }
            // Of a task at work there is nothing to be said yet, or nothing new.
            StreamResponse::Task(task) if self.in_talk && !task.status.state.is_settled() => {}
            StreamResponse::Task(task) if self.in_talk => {
                self.close(out)?;
                for artifact in &task.artifacts {
                    self.chunk(out, artifact, false)?;
                }
                self.close(out)?;
                self.status(out, &task.status)?;
            }
            // A task at work that is looked at again and again: what is new may be where it stands.
            StreamResponse::Task(task)
                if self.stood.is_some() && !task.status.state.is_settled() =>
            {
                self.close(out)?;
                if self.stood.replace(task.status.clone()).as_ref() != Some(&task.status) {
                    self.status(out, &task.status)?;
                }
            }
            StreamResponse::Task(task) => {
                self.close(out)?;
                self.stood = Some(task.status.clone());
                self::task(out, task)?;
            }
            StreamResponse::Message(message) => self::message(out, message)?,
            StreamResponse::StatusUpdate(update) => {
                self.close(out)?;
                self.status(out, &update.status)?;
            }
        }
        out.flush()
    }

    /// Ends the line that chunks have left open.
    pub(crate) fn close(&mut self, out: &mut Out) -> io::Result<()> {
        if self.open.take().is_some() { out.put(Style::Plain, "\n") } else { Ok(()) }
    }

    fn chunk(&mut self, out: &mut Out, artifact: &Artifact, append: bool) -> io::Result<()> {
        if !append || self.open.as_ref() != Some(&artifact.artifact_id) {
            self.close(out)?;
            // In a conversation what has no name is simply said.
            if !self.in_talk || artifact.name.is_some() {
                label(out, artifact)?;
            }
            self.told.clear();
        }
        for part in &artifact.parts {
            if let Some(text) = part.as_text() {
                out.put(Style::Plain, text)?;
                self.told.push_str(text);
                self.open = Some(artifact.artifact_id.clone());
            } else {
                self.close(out)?;
                self.content(out, part)?;
            }
        }
        Ok(())
    }

    /// In a conversation, data beside text says the same for programs.
    fn content(&self, out: &mut Out, part: &Part) -> io::Result<()> {
        match &part.content {
            Content::Data(data) if self.in_talk && !self.told.is_empty() => {
                out.line(Style::Dim, &format!("(and data, {} bytes)", data.as_str().len()))
            }
            Content::Data(_) | Content::Text(_) | Content::Raw(_) | Content::Url(_) => {
                content(out, part)
            }
        }
    }

    fn status(&mut self, out: &mut Out, status: &TaskStatus) -> io::Result<()> {
        let (words, style) = state_words(status.state);
        let text = status.message.as_ref().map(Message::text).unwrap_or_default();
        if !self.in_talk || matches!(style, Style::Bad) {
            out.line(style, words)?;
        }
        if text.trim() == self.told.trim() {
            return Ok(());
        }
        status_message(out, status)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(show: impl FnOnce(&mut Out) -> io::Result<()>) -> String {
        let page = Page::default();
        show(&mut Out::to(page.clone())).expect("a page takes everything");
        let bytes = page.0.lock().expect("one thread").clone();
        String::from_utf8(bytes).expect("text")
    }

    fn read(json: &str) -> StreamResponse {
        serde_json::from_str(json).expect("a stream response")
    }

    #[test]
    fn a_task_shows_its_state_its_artifacts_and_what_else_was_said() {
        const TASK: &str = r#"{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED",
            "message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"SAID"}]}},
            "artifacts":[{"artifactId":"a","name":"Report","parts":[{"text":"one "},{"text":"two"},
            {"data":{"b":[1]}},{"raw":"aGk=","filename":"x.csv","mediaType":"text/csv"},
            {"url":"https://a/b"}]},{"artifactId":"b","parts":[{"text":"\u001b[2Jred"}]}]}}"#;
        const BODY: &str = "completed  task t  context c\n\nartifact Report\none two\n{\n  \"b\": [\n    \
            1\n  ]\n}\nx.csv (text/csv, 2 bytes)\nhi\nfile: https://a/b\n\nartifact b\n\\u{1b}[2Jred\n";
        for (said, rest) in [("else", "else\n"), ("\\u001b[2Jred", "")] {
            let item = read(&TASK.replace("SAID", said));
            let text = shown(|out| Running::default().show(out, &item));
            assert_eq!(text, format!("{BODY}{rest}"));
        }
    }

    #[test]
    fn a_conversation_shows_what_is_said() {
        let items = [
            r#"{"task":{"id":"t","status":{"state":"TASK_STATE_SUBMITTED"}}}"#,
            r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}"#,
            r#"{"artifactUpdate":{"taskId":"t","contextId":"c",
                "artifact":{"artifactId":"a","parts":[{"text":"one"},{"data":[1]}]}}}"#,
            r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#,
            r#"{"task":{"id":"u","status":{"state":"TASK_STATE_FAILED",
                "message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"why"}]}}}}"#,
        ];
        let text = shown(|out| {
            let mut running = Running::in_talk();
            items.iter().try_for_each(|item| running.show(out, &read(item)))
        });
        assert_eq!(text, "one\n(and data, 3 bytes)\nfailed\nwhy\n");
    }

    #[test]
    fn chunks_run_on_and_all_else_begins_a_line() {
        let chunk = |id: &str, text: &str, append: bool| {
            format!(
                r#"{{"artifactUpdate":{{"taskId":"t","contextId":"c","append":{append},
                "artifact":{{"artifactId":"{id}","parts":[{{"text":"{text}"}}]}}}}}}"#
            )
        };
        let status = |state: &str, text: &str| {
            format!(
                r#"{{"statusUpdate":{{"taskId":"t","contextId":"c","status":{{"state":"{state}",
                "message":{{"messageId":"m","role":"ROLE_AGENT","parts":[{{"text":"{text}"}}]}}}}}}}}"#
            )
        };
        let items = [
            status("TASK_STATE_WORKING", "looking"),
            chunk("a", "one", true),
            chunk("a", " two", true),
            chunk("b", "three", false),
            status("TASK_STATE_COMPLETED", "three"),
        ];
        let text = shown(|out| {
            let mut running = Running::default();
            items.iter().try_for_each(|item| running.show(out, &read(item)))
        });
        let expected = "working\nlooking\n\nartifact a\none two\n\nartifact b\nthree\ncompleted\n";
        assert_eq!(text, expected);
    }
}
