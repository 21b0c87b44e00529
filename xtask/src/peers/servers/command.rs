//! The command `legation` as a caller.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use serde_json::Value;

use super::calls::Caller;
use super::process::Running;
use crate::peers::python::output_of;

type Run = for<'c> fn(&'c Path, &'c Caller<'c>) -> LocalBoxFuture<'c, anyhow::Result<()>>;

/// Something that a person types.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) run: Run,
}

pub(super) const CALLS: &[Call] = &[
    Call { name: "send", run: |legation, caller| send(legation, caller).boxed_local() },
    Call { name: "stream", run: |legation, caller| stream(legation, caller).boxed_local() },
];

/// Runs the command with a home of its own and returns what it printed.
async fn run(legation: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(legation);
    command.args(arguments).env("HOME", home.path()).current_dir(home.path());
    // Nothing that a person has set for calls of their own.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("LEGATION_") || text.starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    tokio::task::spawn_blocking(move || output_of(&mut command)).await?
}

async fn calls(
    legation: &Path,
    verb: &str,
    caller: &Caller<'_>,
    text: &str,
) -> anyhow::Result<String> {
    let (url, client) = (caller.running.url(), &caller.client);
    let (binding, version) = (client.binding().name(), client.version().name());
    let pins = ["--binding", binding, "--protocol-version", version];
    run(legation, &[&[verb, &url, text, "--json"][..], &pins].concat()).await
}

pub(super) async fn card(legation: &Path, running: &Running) -> anyhow::Result<()> {
    let shown = run(legation, &["card", &running.url()]).await?;
    ensure!(shown.contains("Does what the first word says"), "{shown}");
    Ok(())
}

async fn send(legation: &Path, caller: &Caller<'_>) -> anyhow::Result<()> {
    let printed = calls(legation, "send", caller, "echo by hand").await?;
    let reply: Value = serde_json::from_str(&printed).context(printed)?;
    let task = &reply["task"];
    ensure!(task["status"]["state"] == "TASK_STATE_COMPLETED", "{reply}");
    ensure!(task["artifacts"][0]["parts"][0]["text"] == "by hand", "{reply}");
    Ok(())
}

async fn stream(legation: &Path, caller: &Caller<'_>) -> anyhow::Result<()> {
    let printed = calls(legation, "stream", caller, "count 10").await?;
    let items: Result<Vec<Value>, _> = printed.lines().map(serde_json::from_str).collect();
    let items = items.with_context(|| printed.clone())?;
    let chunks = items.iter().filter_map(|item| item.get("artifactUpdate"));
    let texts = chunks.filter_map(|chunk| chunk["artifact"]["parts"][0]["text"].as_str());
    ensure!(texts.collect::<String>() == "0 1 2 3 4 5 6 7 8 9 ", "{printed}");
    let last = items.last().context("nothing")?;
    ensure!(last["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED", "{last}");
    Ok(())
}
