//! The product with agents whose every step a test knows: what crash, kit and peer tests call.

use std::time::Duration;

use legation::{DataDir, OnRestart, Profile, Server, StoreOptions};
use legation_testkit::agents::{Counter, Echo, Tck};

use crate::contract::{ServeArgs, TOKEN_VARIABLE, announce};

/// Bytes the database may reach, for tests of a full disk.
const MAX_BYTES_VARIABLE: &str = "LEGATION_TEST_MAX_BYTES";

/// What the test server is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TestServerArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Let everybody in.
    #[arg(long)]
    no_auth: bool,
}

/// Serves the scripted agents until the process is told to stop.
///
/// # Errors
/// When the server cannot start.
pub(crate) fn run(args: TestServerArgs) -> anyhow::Result<()> {
    let mut server = agents(Server::builder());
    if args.no_auth {
        server = server.without_auth();
    }
    serve(server, &args.serve)
}

/// Serves the echo agent alone, as the bench measures it.
///
/// # Errors
/// When the server cannot start.
pub(crate) fn run_echo(args: &ServeArgs) -> anyhow::Result<()> {
    crate::contract::exit_with_parent();
    serve(Server::builder().agent(profile("echo"), Echo), args)
}

fn serve(mut server: Server, args: &ServeArgs) -> anyhow::Result<()> {
    server = server.data_dir(DataDir::new(&args.data_dir));
    if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
        server = server.token(token);
    }
    if let Some(max) = std::env::var(MAX_BYTES_VARIABLE).ok().and_then(|max| max.parse().ok()) {
        server =
            server.store_options(StoreOptions { max_bytes: Some(max), ..StoreOptions::default() });
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let running = server.start("127.0.0.1:0").await?;
        announce(&args.port_file, running.address().port())?;
        running.until_stopped().await;
        Ok(())
    })
}

fn agents(server: Server) -> Server {
    let counter = |on_restart| Counter { on_restart };
    server
        .agent(profile("tck"), Tck)
        .agent(profile("counter-retry"), counter(OnRestart::Retry))
        .agent(profile("counter-resume"), counter(OnRestart::Resume))
        .agent(profile("counter-fail"), counter(OnRestart::Fail))
        .agent(profile("echo"), Echo)
        .stop_grace(Duration::from_secs(2))
}

fn profile(slug: &str) -> Profile {
    let mut profile = Profile::new(slug, slug, "A scripted agent for tests");
    profile.input_modes = vec!["*/*".into()];
    profile.skills = vec![legation::model::AgentSkill {
        id: slug.into(),
        name: slug.into(),
        description: "Does what a test's script says".into(),
        tags: vec!["test".into()],
        ..legation::model::AgentSkill::default()
    }];
    profile
}
