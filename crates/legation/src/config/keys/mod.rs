//! The keys of the file, as the file says them: structs, and for each a table of its keys. A value
//! that is not said is the default of the code that it is for.

mod a2a;
mod agent;
mod audit;
mod auth;
mod grpc;
mod limits;
mod outbound;
mod runtime;
mod server;
mod signing;
mod tls;

pub(crate) use a2a::{A2a, A2aServer, Needs, Preferred, Provider, Skill};
pub(crate) use agent::{Agent, Tool};
pub(crate) use auth::{
    Access, ApiKey, Auth, Enterprise, Holder, Integration, Issued, LOCATIONS, Location, Mtls,
    OAuth2, Oidc, Scheme, Way,
};
pub(crate) use grpc::Served;
pub(crate) use outbound::Outbound;
pub(crate) use runtime::{Analyst, Exec, Http, Mode, OpenAi, Runtime};
pub(crate) use server::{Server, Store};
pub(crate) use signing::Signing;
pub(crate) use tls::{ClientAuth, Cors, Tls};

use legation::{AuditLimits, Limits, Retention};
use serde_json::Map;

use super::form;
use super::setting::{
    Group, Item as _, Named, Row, free, group, leaf, maybe, named, required, row, unset,
};

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) auth: Auth,
    pub(crate) contexts: Retention,
    pub(crate) audit: AuditLimits,
    pub(crate) limits: Limits,
    pub(crate) outbound: Outbound,
    pub(crate) crew: Crew,
    pub(crate) agents: Named<Agent>,
}

impl Group for Config {
    const ROWS: &'static [Row<Self>] = &[
        row("server", "Where the server listens, and how it shows itself", |c| {
            group(&mut c.server)
        }),
        row(
            "store",
            "Where tasks are kept: a directory, a database or `memory`, or in full",
            server::store,
        ),
        row("auth", "Who may call: `none`, or in full", auth::auth),
        row("contexts", "How long conversations live, and what is kept of them", |c| {
            group(&mut c.contexts)
        }),
        row("audit", "The log of what was refused and what was changed", |c| group(&mut c.audit)),
        row("limits", "The bounds of the service", |c| group(&mut c.limits)),
        row("outbound", "By what way calls leave: of issuers, endpoints, models and files", |c| {
            group(&mut c.outbound)
        }),
        row("crew", "How several agents present themselves as one", |c| group(&mut c.crew)),
        required(row(
            "agents",
            "The agents by their names in addresses, the default one first",
            |c| named(&mut c.agents, Agent::slot),
        )),
    ];
}

/// How several agents present themselves as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Crew {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) card: Map<String, serde_json::Value>,
}

impl Group for Crew {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "the first agent's",
            row("name", "A name for people", |c| maybe(&mut c.name, form::text())),
        ),
        unset(
            "the first agent's",
            row("description", "What the agents do together", |c| {
                maybe(&mut c.description, form::text())
            }),
        ),
        row(
            "card",
            "What the crew's card says otherwise: a JSON merge patch over the A2A 1.0 card",
            |c| free(&mut c.card),
        ),
    ];
}

impl Group for Retention {
    const ROWS: &'static [Row<Self>] = &[
        row("idle_after", "A context in which nothing happened for so long is idle", |r| {
            leaf(&mut r.idle_after, form::time())
        }),
        row(
            "keep",
            "Tasks that ended longer ago than this are removed; a context in which nothing happened for so long expires, with all its tasks",
            |r| leaf(&mut r.keep, form::time()),
        ),
        unset(
            "`30d`, or `keep` where that is longer",
            row(
                "max_life",
                "A context expires so long after it began, whatever happens in it",
                |r| maybe(&mut r.max_life, form::time()),
            ),
        ),
        row(
            "keep_results",
            "How long the result of a task that was removed can be got, from its end on; `0s` for not at all",
            |r| leaf(&mut r.results, form::time_from_none()),
        ),
        row(
            "leeway",
            "How far clocks may be apart or jump: nothing is removed before so much more time has passed",
            |r| leaf(&mut r.leeway, form::time_from_none()),
        ),
        row("sweep_every", "How often it is looked for all this", |r| {
            leaf(&mut r.every, form::time())
        }),
    ];
}
