//! What a server is built from: everything decided, and everything in its final form.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use legation::{
    Access as SkillAccess, BadMember, Crew, DataDir, Expression, Hosts, Needs, OnRestart,
    PostgresOptions, Profile, Server, SigningKey, StoreOptions, TlsSettings, check_cards,
};

use http::HeaderName;
use legation_agents::http::openai;
use legation_net::{Egress, Reach};

use url::Url;

use super::door::{self, BadScheme};
use super::fault::Fault;
use super::form::Secret;
use super::keys::{
    self, A2aServer, Access, Agent, ClientAuth, Config, Exec, Issued, Mode, Runtime, Scheme,
    Served, Tls, Way,
};
use super::profile::profile;
use super::reader::is_variable;
use super::{Given, Origin, words};

/// What a server is built from.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    config: Config,
    pub(crate) data_dir: DataDir,
    postgres: Option<PostgresOptions>,
    tls: Option<TlsSettings>,
    signing: Vec<SigningKey>,
    pub(crate) crew: Option<Crew>,
    /// Those that are served, the default one first.
    pub(crate) agents: Vec<ResolvedAgent>,
}

/// The most processes of a program.
const MOST_PROCESSES: usize = 1024;

/// An agent that is served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolvedAgent {
    pub(crate) profile: Arc<Profile>,
    pub(crate) runtime: Runtime,
    /// What becomes of a lost run, when that is not for the runtime to say.
    pub(crate) on_restart: Option<OnRestart>,
}

impl Resolved {
    /// By what way calls leave.
    pub(crate) fn egress(&self) -> Egress {
        let outbound = &self.config.outbound;
        let proxy = outbound.proxy().transpose().expect("the file was checked");
        let reach = Reach::Public(outbound.allow_networks.clone());
        Egress { reach, proxy, ..Egress::default() }
    }

    /// The address to listen on.
    pub(crate) fn listen(&self) -> String {
        self.config.server.listen.to_string()
    }

    /// Where callers reach the server, if that is not where it listens.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.config.server.public_url.as_deref()
    }

    /// Whether everybody may call.
    pub(crate) fn is_open(&self) -> bool {
        self.config.auth.access == Access::Open
    }

    /// The tokens that the file states.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &str> {
        self.config.auth.schemes.iter().filter_map(Scheme::token)
    }

    /// Whether a static bearer token is a way in.
    pub(crate) fn has_static_token(&self) -> bool {
        self.config.auth.schemes.iter().any(|scheme| scheme.simple().is_some())
    }

    /// What may be meant otherwise, to be said at the start.
    pub(crate) fn doubts(&self) -> Option<String> {
        let server = &self.config.server;
        let sign = match (server.plaintext, &server.public_url) {
            _ if self.tls.is_some() || !server.trusted_proxies.is_empty() => return None,
            (true, _) => "server.plaintext",
            (false, Some(_)) => "server.public_url",
            (false, None) => return None,
        };
        Some(format!(
            "`{sign}` says that a proxy stands before this server, and `server.trusted_proxies` names \
             none: all who come through it count as one address, also for `auth.attempts` and \
             `server.bounds.connections_per_address`"
        ))
    }

    /// Where the tasks are, without what nobody may see.
    pub(crate) fn state(&self) -> String {
        if self.config.store.memory {
            return "memory: all is gone when the server ends".into();
        }
        let Some(postgres) = &self.config.store.postgres else {
            return self.data_dir.path().display().to_string();
        };
        let url = Url::parse(postgres.url.reveal()).ok();
        let place = url.map(|url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!(" {}{port}{}", url.host_str().unwrap_or_default(), url.path())
        });
        format!("PostgreSQL{}, schema {}", place.unwrap_or_default(), postgres.schema)
    }

    /// The server, but for its agents.
    ///
    /// # Errors
    /// When a scheme cannot be what the file says.
    pub(crate) fn server(&self) -> Result<Server, BadScheme> {
        let Config { server: given, store, contexts, audit, limits, .. } = self.config.clone();
        let keys::Store { cache, idle_readers, checkpoint, max_size, memory, postgres, .. } = store;
        let mut server = Server::builder()
            .data_dir(self.data_dir.clone())
            .trusted_proxies(given.trusted_proxies)
            .hosts(given.hosts.map_or(Hosts::Automatic, Hosts::Only))
            .missing_version(given.versions.missing_header)
            .errors(given.errors)
            .card(given.card)
            .card_readers(given.card_readers)
            .signing(self.signing.clone())
            .interfaces(given.interfaces)
            .admin(given.admin)
            .stop_grace(given.stop_grace)
            .bounds(given.bounds)
            .grpc((given.grpc.served == Served::Yes).then_some(given.grpc.keys))
            .grpc_ports(given.grpc.ports.into_iter().flatten())
            .limits(limits)
            .retention(contexts)
            .audit(audit)
            .store_options(StoreOptions {
                cache_bytes: cache,
                idle_readers,
                checkpoint_bytes: checkpoint,
                max_bytes: max_size,
                ..StoreOptions::default()
            });
        if let Some(postgres) = postgres {
            let options = self.postgres.clone().unwrap_or_default();
            server = server.postgres(postgres.url.reveal(), options);
        }
        if memory {
            server = server.in_memory();
        }
        if let Some(tls) = self.tls.clone() {
            server = server.tls(tls);
        }
        if given.plaintext {
            server = server.plaintext();
        }
        if let Some(cors) = given.cors.settings() {
            server = server.cors(cors);
        }
        if let Some(url) = given.public_url {
            server = server.public_url(url);
        }
        if let Some(crew) = &self.crew {
            server = server.crew(crew.clone());
        }
        if self.is_open() {
            return Ok(server.without_auth());
        }
        Ok(server.door(door::door(&self.config.auth, &self.egress())?))
    }
}

/// Decides everything; adds to the faults what does not go together. With faults it is not fit to be
/// served.
pub(super) fn resolve(given: &Given, faults: &mut Vec<Fault>) -> Resolved {
    let mut check = Check { given, faults };
    let config = &given.config;
    check.server(config);
    if let Some(Err(bad)) = config.outbound.proxy() {
        check.fault("outbound.proxy", bad.to_string());
    }
    check.rates(config);
    let directory = given.directory();
    let mut agents = Vec::new();
    for (name, agent) in &config.agents {
        let resolved = check.agent(&format!("agents.{name}"), name, agent, &directory);
        agents.extend(resolved.filter(|_| agent.exposed));
    }
    if config.agents.is_empty() {
        check.fault("agents", "at least one agent is needed");
    } else if !config.agents.iter().any(|(_, agent)| agent.exposed) {
        check.fault("agents", "none of the agents is exposed, so there is nothing to serve");
    }
    let profiles: Vec<_> = agents.iter().map(|agent| &*agent.profile).collect();
    let crew = crew(&config.crew, profiles.first().copied());
    if let (Some(crew), true) = (&crew, check.faults.is_empty())
        && let Err(bad) = check_cards(&profiles, Some(crew))
    {
        check.card("crew.card", &bad.member);
    }
    let data_dir = match (&config.store.path, given.origins.get("store.path")) {
        (None, _) => DataDir::of_user(),
        (Some(path), Some(Origin::Flag(_) | Origin::Variable(_))) => DataDir::new(path),
        // The short form stands at `store` itself.
        (Some(path), Some(Origin::File(_)) | None) => DataDir::new(absolute(&directory, path)),
    };
    let postgres = config.store.postgres.as_ref();
    let postgres = postgres.map(|one| one.options(|path| absolute(&directory, path)));
    let tls = config.server.tls.as_ref();
    let tls = tls.map(|tls| tls.settings(|path| absolute(&directory, path)));
    let signing = config.server.signing.iter();
    let signing = signing.map(|one| one.key(|path| absolute(&directory, path))).collect();
    Resolved { config: config.clone(), data_dir, postgres, tls, signing, crew, agents }
}

/// A path of the file, whatever directory the process is in later.
fn absolute(directory: &Path, path: &str) -> PathBuf {
    let path = directory.join(path);
    // What cannot be made absolute now would not be found later either.
    std::path::absolute(&path).unwrap_or(path)
}

/// The skills that an agent states, by the key.
fn lists(server: &A2aServer) -> [(&'static str, &[keys::Skill]); 2] {
    [("skills", &server.skills), ("extended_skills", &server.extended_skills)]
}

/// What the agents say together.
fn crew(given: &keys::Crew, first: Option<&Profile>) -> Option<Crew> {
    let first = first.filter(|_| *given != keys::Crew::default())?;
    Some(Crew {
        name: given.name.clone().unwrap_or_else(|| first.name.clone()),
        description: given.description.clone().unwrap_or_else(|| first.description.clone()),
        card: given.card.clone(),
    })
}

/// Checks what no key can tell by itself.
struct Check<'a> {
    given: &'a Given,
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    /// Notes that something is wrong, unless what is there was found wrong already.
    fn fault(&mut self, path: &str, what: impl Into<String>) {
        if !self.faults.iter().any(|fault| fault.path == path) {
            let at = self.given.place(path);
            self.faults.push(Fault { at, path: path.to_owned(), what: what.into() });
        }
    }

    fn card(&mut self, path: &str, bad: &BadMember) {
        let path = format!("{path}.{}", bad.path);
        self.fault(&path, format!("this makes the card none of A2A 1.0: {}", bad.reason));
    }

    /// Checks that rules are for agents that there are: others would hold nobody back.
    fn rates(&mut self, config: &Config) {
        for (number, rate) in config.limits.rates.iter().enumerate() {
            for (position, name) in rate.agents.iter().enumerate() {
                if !config.agents.iter().any(|(agent, _)| agent == name) {
                    let path = format!("limits.rates[{number}].agents[{position}]");
                    self.fault(&path, format!("there is no agent `{name}`"));
                }
            }
        }
    }

    fn server(&mut self, config: &Config) {
        let Config { server, store, auth, .. } = config;
        if store.memory && store.postgres.is_some() {
            self.fault("store.memory", "tasks are in memory or in `postgres`, not in both");
        }
        if server.interfaces.is_empty() {
            self.fault("server.interfaces", "at least one interface is needed");
        }
        let exposed = config.agents.iter().filter(|(_, agent)| agent.exposed).count();
        if let (Some(ports), Served::Yes) = (&server.grpc.ports, server.grpc.served)
            && ports.len() < exposed
        {
            let ports = ports.len();
            let what = format!("{exposed} agents need a port each, and these are {ports}");
            self.fault("server.grpc.ports", what);
        }
        if server.card_readers.credentials && auth.access == Access::Open {
            let what = "with `auth: none` nobody has credentials, and everybody may read the cards";
            self.fault("server.card_readers.credentials", what);
        }
        let address = server.listen;
        if let Some(tls) = &server.tls {
            self.tls(tls);
        } else if !address.ip().is_loopback() && !server.plaintext && auth.access != Access::Open {
            let what = "without `tls` this would be for everyone on the way to read and change; \
                        `plaintext: true` says that something else sees to it";
            self.fault("server.listen", format!("`{address}` is not loopback: {what}"));
        }
        match &auth.schemes[..] {
            _ if auth.access == Access::Open && address.ip().is_loopback() => {}
            _ if auth.access == Access::Open => {
                let what = "without authentication the server listens on loopback only, not on";
                self.fault("auth", format!("{what} `{address}`"));
            }
            [] => {
                let what = "at least one is needed; `auth: none` lets everybody in";
                self.fault("auth.schemes", what);
            }
            several => self.schemes(several),
        }
    }

    fn schemes(&mut self, schemes: &[Scheme]) {
        let tokens: Vec<_> = schemes.iter().filter_map(Scheme::simple).collect();
        // Those would be one token, and so one person anyway.
        let one_token = tokens.len() > 1 && tokens.iter().any(|simple| simple.token.is_none());
        if one_token {
            self.fault("auth.schemes", "of several tokens each needs a `token` of its own");
        }
        let is_integration = |scheme: &&Scheme| matches!(scheme.0, Some(Way::Integration(_)));
        if schemes.iter().filter(is_integration).count() > 1 {
            self.fault("auth.schemes", "one `integration_token` is for all tokens of that kind");
        }
        let (mut secrets, mut nameless) = (HashSet::new(), HashMap::new());
        for (number, scheme) in schemes.iter().enumerate() {
            let path = format!("auth.schemes[{number}]");
            let holder = scheme.holder().filter(|holder| holder.subject.is_none() && !one_token);
            if let Some(holder) = holder
                && let Some(first) =
                    nameless.insert(holder.tenant.as_deref().unwrap_or("default"), number)
            {
                let what = format!(
                    "missing: its bearer would be the same person as that of \
                     `auth.schemes[{first}]`; if that is meant, say `subject: owner` for both"
                );
                self.fault(&format!("{path}.subject"), what);
            }
            match &scheme.0 {
                None => {}
                Some(Way::Mtls(mtls)) => {
                    let tls = self.given.config.server.tls.as_ref();
                    let asks = tls.is_some_and(|tls| tls.client_auth != ClientAuth::Off);
                    if !asks && mtls.proxies.is_empty() {
                        let what = "nobody shows a certificate: set `server.tls.client_auth`, or \
                                    name the `proxies` that pass them on";
                        self.fault(&path, what);
                    }
                }
                Some(Way::Integration(integration)) => self.remember(&path, integration),
                Some(Way::SimpleToken(simple)) => {
                    let secret = simple.token.as_ref().map(Secret::reveal);
                    self.secret(&format!("{path}.token"), secret, &mut secrets);
                }
                Some(Way::ApiKey(key)) => {
                    let secret = Some(key.api_key.reveal()).filter(|key| !key.is_empty());
                    self.secret(&format!("{path}.api_key"), secret, &mut secrets);
                }
                Some(Way::Oidc(oidc)) => {
                    self.audience(&path, &oidc.issued);
                    let urls =
                        [("issuer", Some(&oidc.issuer)), ("jwks_url", oidc.jwks_url.as_ref())];
                    self.issuer(&path, &oidc.issued, urls);
                }
                Some(Way::OAuth2(oauth)) => {
                    if oauth.introspection_url.is_none() || !oauth.issued.any_audience {
                        self.audience(&path, &oauth.issued);
                    }
                    if oauth.introspection_url.is_none() && oauth.issuer.is_none() {
                        let what = "missing: signed tokens need it; or name an `introspection_url`";
                        self.fault(&format!("{path}.issuer"), what);
                    }
                    let asked = ("introspection_url", oauth.introspection_url.as_ref());
                    let keys = ("jwks_url", oauth.jwks_url.as_ref());
                    self.issuer(&path, &oauth.issued, [asked, keys]);
                }
                Some(Way::Enterprise(enterprise)) => {
                    if !enterprise.issued.any_audience {
                        self.audience(&path, &enterprise.issued);
                    }
                    let urls = [("verify_url", Some(&enterprise.verify_url)), ("", None)];
                    self.issuer(&path, &enterprise.issued, urls);
                }
            }
        }
    }

    fn remember(&mut self, path: &str, integration: &keys::Integration) {
        if integration.remember > keys::Integration::MOST {
            let what = "at most `5s`, because a revoked token counts for as long";
            self.fault(&format!("{path}.remember"), what);
        }
    }

    /// Checks that a secret cannot be guessed and stands for one caller only.
    fn secret<'s>(&mut self, path: &str, secret: Option<&'s str>, known: &mut HashSet<&'s str>) {
        let Some(secret) = secret else { return };
        if let Err(weak) = legation::auth::check_secret(secret) {
            self.fault(path, weak.to_string());
        }
        if !known.insert(secret) {
            self.fault(path, "the same secret stands for somebody else already");
        }
    }

    fn audience(&mut self, path: &str, issued: &Issued) {
        if issued.audience.is_empty() {
            self.fault(&format!("{path}.audience"), "missing: whom the tokens have to be for");
        }
    }

    fn issuer(&mut self, path: &str, issued: &Issued, urls: [(&str, Option<&String>); 2]) {
        for (key, url) in urls {
            if url.is_some_and(|url| url.starts_with("http:")) && !issued.private_network {
                let what = "needs `https`; on a private network say `private_network: true`";
                self.fault(&format!("{path}.{key}"), what);
            }
        }
    }

    fn tls(&mut self, tls: &Tls) {
        let is_off = tls.client_auth == ClientAuth::Off;
        if !is_off && tls.client_ca.is_none() {
            let what = "missing: the authorities whose certificates callers show";
            self.fault("server.tls.client_ca", what);
        }
        for (key, file) in [("client_ca", &tls.client_ca), ("client_crl", &tls.client_crl)] {
            if is_off && file.is_some() {
                let what = "without `client_auth` no certificates of callers are asked for";
                self.fault(&format!("server.tls.{key}"), what);
            }
        }
    }

    fn agent(
        &mut self,
        path: &str,
        name: &str,
        agent: &Agent,
        directory: &Path,
    ) -> Option<ResolvedAgent> {
        let profile = profile(name, agent, &self.given.config.server.interfaces);
        if let Err(reason) = &profile {
            self.fault(path, format!("`{name}` cannot be an agent's name in addresses: {reason}"));
        }
        let runtime = agent.runtime.clone()?;
        if agent.role.is_none() && !matches!(runtime, Runtime::Analyst(_)) {
            self.fault(&format!("{path}.role"), "missing: what the agent is");
        }
        let mut runtime = self.runtime(&format!("{path}.runtime"), runtime, directory);
        if let Runtime::OpenAi(model) = &mut runtime {
            let said = |text: &Option<String>| text.clone().unwrap_or_default();
            let (role, goal, backstory) =
                (said(&agent.role), said(&agent.goal), said(&agent.backstory));
            model
                .system
                .get_or_insert_with(|| openai::Settings::system_of_role(&role, &goal, &backstory));
        }
        let server = &agent.a2a.server;
        self.skills(&format!("{path}.a2a.server"), server);
        let mut profile = profile.ok()?;
        if let Some(wanted) = &server.auth {
            let known = door::names(&self.given.config.auth);
            for (number, name) in wanted.iter().enumerate() {
                if !known.iter().any(|known| **known == **name) {
                    let what = words::instead(name, known.iter().map(|name| &**name));
                    let what = format!("there is no scheme `{name}`; {what}");
                    self.fault(&format!("{path}.a2a.server.auth[{number}]"), what);
                }
            }
            if wanted.is_empty() {
                let what = "at least one is needed; leave it out for all";
                self.fault(&format!("{path}.a2a.server.auth"), what);
            }
            profile.schemes = Some(wanted.iter().map(|name| Arc::from(&**name)).collect());
        }
        self.access(&format!("{path}.a2a.server"), server, &mut profile.access);
        // What is wrong already makes a card that is none, and not for a reason of its own.
        let is_sound = !self.faults.iter().any(|fault| fault.path.starts_with(&format!("{path}.")));
        if let (true, Err(bad)) = (is_sound, check_cards(&[&profile], None)) {
            self.card(&format!("{path}.card"), &bad.member);
        }
        let profile = Arc::new(profile);
        Some(ResolvedAgent { profile, runtime, on_restart: agent.on_restart })
    }

    fn skills(&mut self, path: &str, server: &A2aServer) {
        let mut known = HashSet::new();
        for (list, skills) in lists(server) {
            for (number, skill) in skills.iter().enumerate() {
                if !known.insert(&skill.id) {
                    let what = format!("there is a skill `{}` already", skill.id);
                    self.fault(&format!("{path}.{list}[{number}].id"), what);
                }
            }
        }
        for (list, modes) in [
            ("default_input_modes", &server.default_input_modes),
            ("default_output_modes", &server.default_output_modes),
        ] {
            if modes.as_ref().is_some_and(Vec::is_empty) {
                self.fault(&format!("{path}.{list}"), "at least one media type is needed");
            }
        }
        if let (Some(older), Some(newer)) = (server.preferred_transport, server.transport.preferred)
            && older != newer
        {
            let what = "`transport.preferred` says otherwise; leave this older word out";
            self.fault(&format!("{path}.preferred_transport"), what);
        }
    }

    /// Which skills are for whom.
    fn access(&mut self, path: &str, server: &A2aServer, access: &mut SkillAccess) {
        for (list, skills) in lists(server) {
            for (number, skill) in skills.iter().enumerate() {
                let needs = self.needs(&format!("{path}.{list}[{number}]"), &skill.needs);
                if !needs.is_nothing() {
                    access.needs.push((skill.id.as_str().into(), needs));
                }
            }
        }
        let without = server.without_skill.as_ref();
        access.without_skill =
            without.map(|needs| self.needs(&format!("{path}.without_skill"), needs));
        let has_extended = !server.extended_skills.is_empty();
        let says = server.supports_authenticated_extended_card;
        access.extended_card = says.unwrap_or(has_extended);
        if has_extended && says == Some(false) {
            let what = "there are `extended_skills`, which stand on that card alone";
            self.fault(&format!("{path}.supports_authenticated_extended_card"), what);
        }
    }

    fn needs(&mut self, path: &str, given: &keys::Needs) -> Needs {
        let shared = |names: &[String]| names.iter().map(|name| (**name).into()).collect();
        let read = |text: &String| match Expression::new(text) {
            Ok(read) => Some(read),
            Err(bad) => {
                self.fault(&format!("{path}.allow"), format!("no such condition: {bad}"));
                None
            }
        };
        let allow = given.allow.as_ref().and_then(read);
        Needs { scopes: shared(&given.scopes), roles: shared(&given.roles), allow }
    }

    fn runtime(&mut self, path: &str, runtime: Runtime, directory: &Path) -> Runtime {
        match runtime {
            Runtime::Exec(exec) => {
                self.exec(path, &exec);
                let cwd = absolute(directory, exec.cwd.as_deref().unwrap_or_default());
                Runtime::Exec(Exec { cwd: Some(cwd.display().to_string()), ..exec })
            }
            Runtime::Http(http) => {
                let mut known = HashSet::new();
                for (name, _) in &http.headers {
                    if !known.insert(name.to_ascii_lowercase()) {
                        let what = format!("there is a header `{name}` already");
                        self.fault(&format!("{path}.headers.{name}"), what);
                    }
                }
                for (name, _) in &http.headers {
                    if name.parse::<HeaderName>().is_err() {
                        let what = format!("`{name}` is not the name of a header");
                        self.fault(&format!("{path}.headers.{name}"), what);
                    }
                }
                Runtime::Http(http)
            }
            Runtime::Analyst(_) | Runtime::OpenAi(_) => runtime,
        }
    }

    fn exec(&mut self, path: &str, exec: &Exec) {
        if exec.command.first().is_none_or(|program| program.trim().is_empty()) {
            self.fault(&format!("{path}.command"), "the program is missing");
        }
        if let Some(number) = exec.command.iter().position(|word| word.contains('\0')) {
            self.fault(&format!("{path}.command[{number}]"), "a program's words hold no NUL");
        }
        let (workers, processes) = (format!("{path}.workers"), format!("{path}.processes"));
        if exec.mode == Mode::PerTask && self.given.origins.contains_key(&workers) {
            self.fault(&workers, "only `mode: pool` has workers");
        }
        if exec.mode == Mode::Pool && self.given.origins.contains_key(&processes) {
            self.fault(&processes, "only `mode: per_task` has processes");
        }
        for (path, count) in [(&workers, exec.workers), (&processes, exec.processes)] {
            if count > MOST_PROCESSES {
                self.fault(path, format!("at most {MOST_PROCESSES}, not {count}"));
            }
        }
        let memory = format!("{path}.memory");
        if cfg!(not(target_os = "linux")) && self.given.origins.contains_key(&memory) {
            self.fault(&memory, "the memory of programs is bounded on Linux only");
        }
        for (name, value) in &exec.env.set {
            let path = format!("{path}.env.set.{name}");
            if !is_variable(name) {
                self.fault(&path, format!("`{name}` is not the name of an environment variable"));
            }
            if value.reveal().contains('\0') {
                self.fault(&path, "a variable's value holds no NUL");
            }
        }
    }
}
