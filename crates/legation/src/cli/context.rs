//! `legation context`: conversations, as the tasks of an agent show them. The protocol lists tasks
//! only, so contexts are what the tasks belong to.

use std::io::{self, IsTerminal as _};

use legation_client::{Binding, Client};
use legation_core::{
    CONTEXTS_EXTENSION, ERASE_CONTEXT, ERASE_SUBJECT, EraseContext, EraseSubject, Erased,
};
use legation_model::{ContextId, ListTasksRequest, Message, Role, Task, Timestamp};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::follow::unless_interrupted;
use super::out::{Out, Style, ask, note};
use super::render;
use super::sweep::Sweep;
use super::target::Target;
use super::text::one_line;

/// What a page of tasks holds at most.
const PAGE: i32 = 100;
/// Characters of what was said last.
const HINT: usize = 60;

/// What to do with contexts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List contexts, the one spoken in last first
    List(List),
    /// Show what was said in a context, and what came of it
    Show(Show),
    /// Erase all that the agent keeps of a context of yours, or of all of them
    Erase(Erase),
    /// Have the servers of a store remove now what is over
    Sweep(Sweep),
}

/// Which contexts to list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    target: Target,
    /// How many tasks to look at, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    tasks: usize,
    /// Print a JSON object with the contexts
    #[arg(long)]
    json: bool,
}

/// A context of an agent.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    target: Target,
    /// The context
    #[arg(value_parser = ContextId::parse)]
    id: ContextId,
    /// Print a JSON object with the tasks as A2A 1.0 JSON, oldest first
    #[arg(long)]
    json: bool,
}

/// What to erase.
#[derive(Debug, clap::Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    target: Target,
    /// The context
    #[arg(value_parser = ContextId::parse, required_unless_present = "all", conflicts_with = "all")]
    id: Option<ContextId>,
    /// All contexts, and whatever else the agent keeps of what you said and got
    #[arg(long)]
    all: bool,
    /// Of somebody else of your tenant; your credentials have to name the scope `admin`
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    subject: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print a JSON object with the numbers of tasks, results and idempotency keys
    #[arg(long)]
    json: bool,
}

/// A context as the list shows it. Its JSON is what scripts read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'t> {
    context_id: &'t ContextId,
    /// How many of the tasks that were looked at are in it.
    tasks: usize,
    /// The state of the newest.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
    /// What was said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
            Self::Erase(erase) => erase.run().await,
            Self::Sweep(sweep) => sweep.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let wanted = ListTasksRequest { history_length: Some(1), ..ListTasksRequest::default() };
        let Some((tasks, more)) = all(&client, wanted, self.tasks, &self.target).await? else {
            return Ok(Exit::Interrupted);
        };
        let rows = rows(&tasks);
        let mut out = Out::new();
        if self.json {
            out.json(&serde_json::json!({ "contexts": rows }))?;
        } else {
            rows.iter().try_for_each(|row| row.show(&mut out))?;
            out.flush()?;
        }
        if rows.is_empty() {
            note("no contexts");
        }
        if more {
            note(&format!(
                "These are the contexts of the {} newest tasks; --tasks looks further.",
                tasks.len()
            ));
        }
        Ok(Exit::Done)
    }
}

impl Show {
    async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let wanted = ListTasksRequest {
            context_id: Some(self.id.clone()),
            include_artifacts: true,
            ..ListTasksRequest::default()
        };
        let Some((mut tasks, _)) = all(&client, wanted, usize::MAX, &self.target).await? else {
            return Ok(Exit::Interrupted);
        };
        tasks.reverse();
        let mut out = Out::new();
        if self.json {
            out.json(&serde_json::json!({ "tasks": tasks }))?;
            return Ok(Exit::Done);
        }
        if tasks.is_empty() {
            let list = self.target.command(&["context", "list"], &[]);
            note(&format!("there is no task in this context. See the contexts with:\n  {list}"));
        }
        for task in &tasks {
            said(&mut out, task)?;
            render::task(&mut out, task)?;
            out.put(Style::Plain, "\n")?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

impl Erase {
    async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect_by(Binding::JsonRpc).await?;
        let declared = &client.card().capabilities.extensions;
        if !declared.iter().any(|extension| extension.uri == CONTEXTS_EXTENSION) {
            let text = format!("{} does not offer to erase contexts", self.target.url());
            return Err(Failure::usage(text));
        }
        if !self.yes && !self.is_meant()? {
            note("nothing was erased");
            return Ok(Exit::Done);
        }
        let erased = match self.id.clone() {
            Some(context_id) => {
                let params = EraseContext { context_id };
                let call = client.call_extension(CONTEXTS_EXTENSION, ERASE_CONTEXT, &params);
                unless_interrupted(call, &self.target).await?
            }
            None => {
                let params = EraseSubject { subject: self.subject.as_deref().map(Into::into) };
                let call = client.call_extension(CONTEXTS_EXTENSION, ERASE_SUBJECT, &params);
                unless_interrupted(call, &self.target).await?
            }
        };
        let Some(erased) = erased else { return Ok(Exit::Interrupted) };
        self.tell(erased)?;
        Ok(Exit::Done)
    }

    fn is_meant(&self) -> Result<bool, Failure> {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("what is erased is gone for good; say so with --yes"));
        }
        let what = match (&self.id, &self.subject) {
            (Some(id), _) => format!("of {id}"),
            (None, Some(subject)) => format!("for {subject}"),
            (None, None) => "for you".to_owned(),
        };
        let question = format!("Erase all that {} keeps {what}", self.target.url());
        let answer = ask(&format!("{question} (yes or no)"), "no")?;
        Ok(["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()))
    }

    fn tell(&self, erased: Erased) -> Result<(), Failure> {
        let mut out = Out::new();
        if self.json {
            return Ok(out.json(&erased)?);
        }
        if erased == Erased::default() && self.all {
            note("there was nothing to erase");
            return Ok(());
        }
        if erased == Erased::default() {
            let list = self.target.command(&["context", "list"], &[]);
            note(&format!("you have nothing in this context. See your contexts with:\n  {list}"));
            return Ok(());
        }
        let count = |number: u64, one: &str, many: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{number} {many}"),
        };
        let tasks = count(erased.tasks, "task", "tasks");
        let results = count(erased.results, "result", "results");
        let keys = count(erased.keys, "idempotency key", "idempotency keys");
        out.line(Style::Plain, &format!("erased {tasks}, {results} and {keys}"))?;
        Ok(out.flush()?)
    }
}

/// Tasks page by page, newest first, and whether there are more than were wanted; `None` after
/// Ctrl-C.
async fn all(
    client: &Client,
    mut request: ListTasksRequest,
    most: usize,
    target: &Target,
) -> Result<Option<(Vec<Task>, bool)>, Failure> {
    let mut tasks: Vec<Task> = Vec::new();
    request.page_size = Some(PAGE);
    loop {
        let page = unless_interrupted(client.list_tasks(request.clone()), target).await?;
        let Some(page) = page else { return Ok(None) };
        let empty = page.tasks.is_empty();
        tasks.extend(page.tasks);
        let more = !page.next_page_token.is_empty();
        // A page without tasks that names a next one would have us turn pages for ever.
        if !more || empty || tasks.len() >= most {
            return Ok(Some((tasks, more)));
        }
        request.page_token = Some(page.next_page_token);
    }
}

/// The contexts of tasks that come newest first. Agents may list tasks without one.
fn rows(tasks: &[Task]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for task in tasks {
        let Some(context_id) = &task.context_id else { continue };
        let place = *places.entry(context_id.as_str()).or_insert(rows.len());
        if place == rows.len() {
            let last = task.history.last().or(task.status.message.as_ref());
            rows.push(Row {
                context_id,
                tasks: 0,
                state: task.status.state.name(),
                timestamp: task.status.timestamp,
                last: last.map(Message::text).map(|text| one_line(&text, HINT)),
            });
        }
        rows[place].tasks += 1;
    }
    rows
}

impl Row<'_> {
    fn show(&self, out: &mut Out) -> io::Result<()> {
        let state = legation_model::TaskState::from_name(self.state);
        let (words, style) = state.map_or((self.state, Style::Dim), render::state_words);
        let count = if self.tasks == 1 { "1 task".into() } else { format!("{} tasks", self.tasks) };
        let time = self.timestamp.map(|time| format!("  {time}")).unwrap_or_default();
        out.put(Style::Plain, self.context_id.as_str())?;
        out.put(Style::Dim, &format!("{time}  {count}, last "))?;
        out.put(style, words)?;
        let last = self.last.as_deref().filter(|text| !text.is_empty());
        out.line(Style::Dim, &last.map(|text| format!(": {text}")).unwrap_or_default())
    }
}

/// What the caller said in a task.
fn said(out: &mut Out, task: &Task) -> io::Result<()> {
    for message in task.history.iter().filter(|message| message.role != Role::Agent) {
        let files: Vec<_> =
            message.parts.iter().filter_map(|part| part.filename.as_deref()).collect();
        let files =
            if files.is_empty() { String::new() } else { format!(" [{}]", files.join(", ")) };
        render::said(out, &format!("{}{files}", message.text().trim_end()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, context: &str, state: &str) -> Task {
        let json = format!(
            r#"{{"id":"{id}","contextId":"{context}","status":{{"state":"TASK_STATE_{state}"}},
            "history":[{{"messageId":"m","role":"ROLE_USER","parts":[{{"text":"{id} says"}}]}}]}}"#
        );
        serde_json::from_str(&json).expect("a task")
    }

    #[test]
    fn tasks_are_grouped_in_the_order_of_their_newest() {
        let tasks =
            [task("3", "a", "WORKING"), task("2", "b", "FAILED"), task("1", "a", "COMPLETED")];
        let json = serde_json::to_string(&rows(&tasks)).expect("rows are JSON");
        let expected = concat!(
            r#"[{"contextId":"a","tasks":2,"state":"TASK_STATE_WORKING","last":"3 says"},"#,
            r#"{"contextId":"b","tasks":1,"state":"TASK_STATE_FAILED","last":"2 says"}]"#
        );
        assert_eq!(json, expected);
    }
}
