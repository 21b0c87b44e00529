//! The product with agents whose every step a test knows: what crash, kit and peer tests call.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use legation::auth::{
    Audience, Carrier, Endpoint, Introspection, Jwt, Line, Rules, Scheme, Verifier,
};
use legation::{
    Access, CardForm, DataDir, Door, ErrorProfile, Grpc, Limits, Nats, Needs, OnRestart,
    PostgresOptions, Profile, Rate, Server, Signer, SigningAlgorithm, SigningKey, StoreOptions,
    TlsSettings,
    model::{AgentSkill, OpenIdConnectSecurityScheme, SecurityScheme},
};
use legation_agents::analyst::DataAnalyst;
use legation_agents::exec::{Exec, Mode, Settings};
use legation_store::crash;
use legation_testkit::agents::{Counter, Echo, Tck, Tck03};
use tracing_subscriber::filter::LevelFilter;

use crate::contract::{AUDIENCE, END_AT_VARIABLE, ServeArgs, TOKEN_VARIABLE, announce};

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
    /// How callers reach it, when a proxy is before it.
    #[arg(long)]
    public_url: Option<String>,
    /// The agent that is called where no agent is named.
    #[arg(long, value_enum, default_value = "tck")]
    agent: DefaultAgent,
    /// A word of the command whose program is the default agent instead, as a pool of one.
    #[arg(long, allow_hyphen_values = true)]
    program: Vec<String>,
    /// Take packed messages of gRPC, and send them.
    #[arg(long)]
    grpc_gzip: bool,
    /// Sign cards by these algorithms, with keys that are made now.
    #[arg(long)]
    sign_by: Vec<String>,
    /// Be as 1.0.0 says where 1.0.1 differs, with a card of 1.0 and nothing more.
    #[arg(long)]
    as_1_0_0: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DefaultAgent {
    Tck,
    #[value(name = "tck-0.3")]
    Tck03,
    DataAnalyst,
    Echo,
}

/// Serves the scripted agents until the process is told to stop.
///
/// # Errors
/// When the server cannot start.
pub(crate) fn run(args: TestServerArgs) -> anyhow::Result<()> {
    // The suites read in it what callers cannot see.
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_ansi(false);
    log.with_writer(std::io::stderr).init();
    end_as_told()?;
    let mut server = Server::builder();
    if !args.program.is_empty() {
        server = server.agent(profile("program"), program(args.program)?);
    }
    // Free ones, more than there are agents.
    server = agents(server, args.agent).grpc_ports([0; 8]);
    if args.no_auth {
        server = server.without_auth();
    }
    if let Some(url) = args.public_url {
        server = server.public_url(url);
    }
    if args.as_1_0_0 {
        server = server.errors(ErrorProfile::V1_0_0).card(CardForm::V1_0);
    }
    if args.grpc_gzip {
        server = server.grpc(Some(Grpc { gzip: true, ..Grpc::default() }));
    }
    server = server.signing(signing_keys(&args.sign_by, &args.serve.data_dir)?);
    serve(server, &args.serve)
}

/// Ends this process at the point that the environment names, if it does.
fn end_as_told() -> anyhow::Result<()> {
    let Ok(told) = std::env::var(END_AT_VARIABLE) else { return Ok(()) };
    let (point, nth) = told.split_once(':').context("not `point:nth`")?;
    crash::end_at(point, nth.parse()?).map_err(anyhow::Error::msg)
}

/// Makes a key for each algorithm, in a directory.
fn signing_keys(algorithms: &[String], directory: &Path) -> anyhow::Result<Vec<SigningKey>> {
    let make = |name: &String| {
        let algorithm = SigningAlgorithm::of_name(name);
        let algorithm = algorithm.with_context(|| format!("no algorithm `{name}`"))?;
        let file = directory.join(format!("card-{name}.pem"));
        fs::write(&file, Signer::generate(algorithm))?;
        Ok(SigningKey { file, name: Some(name.clone()), algorithm: Some(algorithm) })
    };
    algorithms.iter().map(make).collect()
}

/// Lets those in whom an issuer knows.
fn door(issuer: &str) -> anyhow::Result<Door> {
    let line = Line::new(true)?;
    let jwt = Jwt::new("oidc", Rules::new(issuer, vec![AUDIENCE.into()]), line.clone())?;
    let endpoint = Endpoint {
        client: Some(("the-client".into(), "the-secret-of-the-client-of-the-tests".into())),
        ..Endpoint::new(
            format!("{issuer}/token/introspection"),
            Audience::Of(vec![AUDIENCE.into()]),
        )
    };
    let asked = Introspection::new("oauth2", endpoint, line)?;
    let on_card = SecurityScheme::OpenIdConnectSecurityScheme(OpenIdConnectSecurityScheme {
        open_id_connect_url: format!("{issuer}/.well-known/openid-configuration"),
        description: None,
    });
    let bearer = |name, verifier| Scheme::new(name, Carrier::Bearer, verifier);
    Ok(Door::new()
        .scheme("oidc", bearer("oidc", Verifier::Jwt(jwt)), on_card.clone())
        .scheme("oauth2", bearer("oauth2", Verifier::Introspection(asked)), on_card)
        .issuer(issuer))
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
    // The suites call as fast as they can, and all as one caller: by a rule that nobody exceeds, so
    // that they pay for the look.
    let rate = Rate { count: u32::MAX, ..Rate::default() };
    let limits = Limits { rates: vec![rate], ..Limits::default() };
    server = server.data_dir(DataDir::new(&args.data_dir)).limits(limits);
    if let Some(url) = &args.store {
        let mut options =
            PostgresOptions { schema: args.schema.clone(), ..PostgresOptions::default() };
        options.nats = args.nats.clone().map(|url| Nats { servers: vec![url], ..Nats::default() });
        options.lease = args.lease.map_or(options.lease, Duration::from_secs_f64);
        server = server.postgres(url.clone(), options);
    }
    if let Some((certificate, key)) = args.tls_cert.as_ref().zip(args.tls_key.as_ref()) {
        server = server.tls(TlsSettings::new(certificate, key));
    }
    if let Some(issuer) = &args.issuer {
        server = server.door(door(issuer)?);
    }
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

fn agents(server: Server, default: DefaultAgent) -> Server {
    let server = match default {
        DefaultAgent::Tck => server.agent(extended(profile("tck")), Tck),
        DefaultAgent::Tck03 => server.agent(extended(profile("tck")), Tck03),
        DefaultAgent::DataAnalyst => server.agent(DataAnalyst::profile(), DataAnalyst),
        DefaultAgent::Echo => server.agent(profile("echo-first"), Echo),
    };
    let counter = |on_restart| Counter { on_restart };
    server
        .agent(profile("counter-retry"), counter(OnRestart::Retry))
        .agent(profile("counter-resume"), counter(OnRestart::Resume))
        .agent(profile("counter-fail"), counter(OnRestart::Fail))
        .agent(profile("echo"), Echo)
        .stop_grace(Duration::from_secs(2))
}

/// A program that finds the Python module of this repository.
fn program(command: Vec<String>) -> anyhow::Result<Exec> {
    let mut settings = Settings::new(command);
    settings.mode = Mode::Pool { workers: 1 };
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/python/src");
    settings.env_set.insert("PYTHONPATH".into(), module.into());
    Ok(Exec::new(settings)?)
}

fn profile(slug: &str) -> Profile {
    let mut profile = Profile::new(slug, slug, "A scripted agent for tests");
    profile.input_modes = vec!["*/*".into()];
    profile.skills = vec![AgentSkill {
        id: slug.into(),
        name: slug.into(),
        description: "Does what a test's script says".into(),
        tags: vec!["test".into()],
        ..AgentSkill::default()
    }];
    profile
}

/// The scripted agent's, with a skill that only known callers see.
fn extended(mut profile: Profile) -> Profile {
    profile.access = Access {
        extended_skills: vec![AgentSkill { id: "hidden".into(), ..profile.skills[0].clone() }],
        without_skill: Some(Needs::default()),
        extended_card: true,
        ..Access::default()
    };
    profile
}
