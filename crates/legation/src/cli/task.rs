//! `legation task`: looks at tasks, follows and cancels them.

use std::path::PathBuf;

use legation_client::{Client, Error};
use legation_model::{
    CancelTaskRequest, ContextId, GetTaskRequest, ListTasksRequest, ListTasksResponse,
    StreamResponse, Task, TaskId, TaskState,
};

use super::exit::{Exit, Failure};
use super::follow::{Ended, Until, unless_interrupted};
use super::out::{Out, Style, note};
use super::save::Shelf;
use super::target::Target;
use super::updates::HowTold;
use super::{render, stream};

/// What to do with tasks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show a task
    Get(Get),
    /// List tasks, newest first
    List(List),
    /// Cancel a task
    Cancel(One),
    /// Follow a task until it ends
    Watch(Watch),
}

/// A task of an agent.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    #[command(flatten)]
    target: Target,
    /// The task
    #[arg(value_parser = TaskId::parse)]
    id: TaskId,
    /// Print A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

/// A task to be shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    /// Save the artifacts into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// A task to follow.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    told: HowTold,
}

/// Which tasks to list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    target: Target,
    /// Only tasks of this context
    #[arg(long, value_name = "ID", value_parser = ContextId::parse)]
    context: Option<ContextId>,
    /// Only tasks in this state, such as working or input-required
    #[arg(long, value_parser = parse_state)]
    status: Option<TaskState>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=100))]
    page_size: Option<i32>,
    /// Where the last page ended
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
    /// Print A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

fn parse_state(text: &str) -> Result<TaskState, String> {
    let name = text.to_ascii_uppercase().replace(['-', ' '], "_");
    let name = name.strip_prefix("TASK_STATE_").unwrap_or(&name);
    TaskState::from_name(&format!("TASK_STATE_{name}")).ok_or_else(|| {
        let words = |state: &TaskState| {
            state.name()["TASK_STATE_".len()..].to_ascii_lowercase().replace('_', "-")
        };
        let known: Vec<_> = TaskState::ALL.iter().map(words).collect();
        format!("the states are {}", known.join(", "))
    })
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Get(get) => get.run().await,
            Self::List(list) => list.run().await,
            Self::Cancel(one) => one.cancel().await,
            Self::Watch(watch) => watch.run().await,
        }
    }
}

impl One {
    async fn cancel(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let request = CancelTaskRequest { tenant: None, id: self.id.clone(), metadata: None };
        let task = client.cancel_task(request).await;
        self.show(&task.map_err(|error| self.target.failure(&error))?)?;
        Ok(Exit::Done)
    }

    async fn look(&self, client: &Client) -> Result<Task, Error> {
        let id = self.id.clone();
        client.get_task(GetTaskRequest { tenant: None, id, history_length: None }).await
    }

    fn show(&self, task: &Task) -> Result<(), Failure> {
        let mut out = Out::new();
        if self.json {
            out.json(task)?
        } else {
            render::task(&mut out, task)?
        }
        Ok(())
    }
}

impl Get {
    async fn run(self) -> Result<Exit, Failure> {
        let Self { one, save } = self;
        let client = one.target.connect().await?;
        let task = one.look(&client).await.map_err(|error| one.target.failure(&error))?;
        if let Some(dir) = save {
            Shelf::new(dir)?.save(&task)?;
        }
        one.show(&task)?;
        Ok(Exit::Done)
    }
}

impl Watch {
    async fn run(self) -> Result<Exit, Failure> {
        let Self { one, told } = self;
        let client = one.target.connect_told(&told).await?;
        let opening = async {
            match client.subscribe(one.id.clone(), None).await {
                Ok(events) => Ok(Ok(events)),
                // It may have ended, or the agent may not stream at all.
                Err(error) if error.may_mean_ended() => {
                    let task = one.look(&client).await?;
                    if task.status.state.is_settled() { Ok(Err(task)) } else { Err(error) }
                }
                Err(error) => Err(error),
            }
        };
        let ended = match unless_interrupted(opening, &one.target).await? {
            None => Ended::Interrupted(Some(one.id.clone())),
            Some(Ok(mut events)) => {
                stream::show(&mut events, Until::Closed, one.json, &one.target).await?
            }
            Some(Err(task)) => {
                let ended = Ended::Task(task.id.clone(), task.status.state);
                if one.json {
                    Out::new().json(&StreamResponse::Task(task))?;
                } else {
                    one.show(&task)?;
                }
                ended
            }
        };
        Ok(ended.conclude(&one.target))
    }
}

impl List {
    async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let request = ListTasksRequest {
            context_id: self.context.clone(),
            status: self.status,
            page_size: self.page_size,
            page_token: self.page_token.clone(),
            ..ListTasksRequest::default()
        };
        let page = client.list_tasks(request).await;
        let page = page.map_err(|error| self.target.failure(&error))?;
        let mut out = Out::new();
        if self.json {
            out.json(&page)?;
            return Ok(Exit::Done);
        }
        for task in &page.tasks {
            row(&mut out, task)?;
        }
        out.flush()?;
        self.tell_rest(&page);
        Ok(Exit::Done)
    }

    fn tell_rest(&self, page: &ListTasksResponse) {
        if page.tasks.is_empty() {
            note("no tasks");
        }
        if page.next_page_token.is_empty() {
            return;
        }
        let context = self.context.as_ref().map(|id| ["--context", id.as_str()]);
        let status = self.status.map(|state| ["--status", state.name()]);
        let size = self.page_size.map(|size| size.to_string());
        let size = size.as_deref().map(|size| ["--page-size", size]);
        let token = Some(["--page-token", page.next_page_token.as_str()]);
        let words: Vec<_> =
            [context, status, size, token].into_iter().flatten().flatten().collect();
        let next = self.target.command(&["task", "list"], &words);
        note(&format!(
            "{} of {} tasks. The next page:\n  {next}",
            page.tasks.len(),
            page.total_size
        ));
    }
}

fn row(out: &mut Out, task: &Task) -> std::io::Result<()> {
    let (words, style) = render::state_words(task.status.state);
    out.put(style, &format!("{words:<23}"))?;
    let time = task.status.timestamp.map(|time| format!("  {time}")).unwrap_or_default();
    let context = task.context_id.as_ref().map(|id| format!("  context {id}")).unwrap_or_default();
    out.put(Style::Plain, task.id.as_str())?;
    out.line(Style::Dim, &format!("{time}{context}"))
}
