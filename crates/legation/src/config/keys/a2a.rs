//! What an agent is on the A2A network, in the words of the field.

use legation::{Binding, Version};

use crate::config::form::{self, choice, media_type};
use crate::config::setting::{
    Group, Row, each, group, later, leaf, leaves, maybe, maybe_group, maybe_leaves, required, row,
    unset,
};

/// What an agent is on the A2A network.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct A2a {
    pub(crate) server: A2aServer,
}

impl Group for A2a {
    const ROWS: &'static [Row<Self>] = &[
        row("server", "How it is served to others", |a| group(&mut a.server)),
        later(
            "client",
            "How it calls others: `endpoint`, `auth`, `timeout`, `max_turns`, `response_model`, `fail_fast`, `trust_remote_completion_status`, `updates`, `accepted_output_modes`, `extensions`, `client_extensions`, `transport`",
            "agents that call other agents",
        ),
    ];
}

/// How an agent is served to others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct A2aServer {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) skills: Vec<Skill>,
    pub(crate) capabilities: Capabilities,
    pub(crate) default_input_modes: Option<Vec<String>>,
    pub(crate) default_output_modes: Option<Vec<String>>,
    pub(crate) url: Option<String>,
    pub(crate) protocol_version: Option<Version>,
    pub(crate) provider: Option<Provider>,
    pub(crate) documentation_url: Option<String>,
    pub(crate) icon_url: Option<String>,
    pub(crate) additional_interfaces: Vec<Additional>,
    pub(crate) supports_authenticated_extended_card: Option<bool>,
    pub(crate) extended_skills: Vec<Skill>,
    pub(crate) without_skill: Option<Needs>,
    pub(crate) transport: Transport,
    pub(crate) preferred_transport: Option<Preferred>,
    pub(crate) auth: Option<Vec<String>>,
}

/// A binding by which an agent would rather be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preferred(pub(crate) Binding);

const PREFERRED: [(&str, Preferred); 3] = [
    (Binding::JsonRpc.name(), Preferred(Binding::JsonRpc)),
    (Binding::HttpJson.name(), Preferred(Binding::HttpJson)),
    (Binding::Grpc.name(), Preferred(Binding::Grpc)),
];

impl Group for A2aServer {
    const ROWS: &'static [Row<Self>] = &[
        unset("the role", row("name", "A name for people", |s| maybe(&mut s.name, form::text()))),
        unset(
            "made of goal and backstory",
            row("description", "What it does", |s| maybe(&mut s.description, form::text())),
        ),
        unset(
            "that of this program",
            row("version", "The version of the agent, in quotes", |s| {
                maybe(&mut s.version, form::text())
            }),
        ),
        unset(
            "made of `tools`, else of the role",
            row("skills", "What it can do", |s| each(&mut s.skills)),
        ),
        row("capabilities", "Which optional parts of the protocol its card offers", |s| {
            group(&mut s.capabilities)
        }),
        unset(
            "text and JSON; for the analyst CSV as well",
            row("default_input_modes", "Media types it takes; others are refused", |s| {
                maybe_leaves(&mut s.default_input_modes, media_type())
            }),
        ),
        unset(
            "text and JSON",
            row("default_output_modes", "Media types it gives", |s| {
                maybe_leaves(&mut s.default_output_modes, media_type())
            }),
        ),
        unset(
            "where the server serves it",
            row("url", "Where its card says that it is called", |s| maybe(&mut s.url, form::url())),
        ),
        unset(
            "the order of `server.interfaces`",
            row(
                "protocol_version",
                "The version that its card lists first; every version is served",
                |s| maybe(&mut s.protocol_version, form::version()),
            ),
        ),
        row("provider", "Who offers it", |s| maybe_group(&mut s.provider)),
        row("documentation_url", "Where people read about it", |s| {
            maybe(&mut s.documentation_url, form::url())
        }),
        row("icon_url", "A picture for people", |s| maybe(&mut s.icon_url, form::url())),
        row("additional_interfaces", "Other ways to reach it, which its card lists last", |s| {
            each(&mut s.additional_interfaces)
        }),
        later(
            "security",
            "Which schemes a call needs; made of `auth`",
            "requirements of its own for an agent",
        ),
        later(
            "security_schemes",
            "The schemes on its card; made of `auth`",
            "schemes of its own for an agent",
        ),
        unset(
            "whether there are `extended_skills`",
            row(
                "supports_authenticated_extended_card",
                "Whether known callers may ask for the card with the skills that they may use",
                |s| maybe(&mut s.supports_authenticated_extended_card, form::flag()),
            ),
        ),
        row(
            "extended_skills",
            "Skills that stand on the extended card alone, for known callers who have what they need",
            |s| each(&mut s.extended_skills),
        ),
        unset(
            "what all of its skills need",
            row(
                "without_skill",
                "What a message needs that is for no skill in particular; `{}` for nothing",
                |s| maybe_group(&mut s.without_skill),
            ),
        ),
        later(
            "signing_config",
            "How its card is signed",
            "keys of its own for an agent; those of `server.signing` sign all cards",
        ),
        later(
            "signatures",
            "Signatures over its card",
            "signatures made elsewhere; `server.signing` makes them",
        ),
        later(
            "server_extensions",
            "Extensions of the protocol",
            "extensions from a file (in Rust there is `Server::extension`)",
        ),
        later("push_notifications", "How webhooks are called", "push notifications"),
        row("transport", "How it is called", |s| group(&mut s.transport)),
        row("preferred_transport", "Older word for `transport.preferred`", |s| {
            maybe(&mut s.preferred_transport, choice(&PREFERRED))
        }),
        unset(
            "all",
            row(
                "auth",
                "The schemes of `auth` by which its callers may be known: `bearer`, `apiKey`, `oidc`, `oauth2`, `mtls`, `enterprise`, a further one of a kind with its number, such as `oidc-2`",
                |s| maybe_leaves(&mut s.auth, form::text()),
            ),
        ),
    ];
}

/// What an agent can do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Skill {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) examples: Vec<String>,
    pub(crate) input_modes: Vec<String>,
    pub(crate) output_modes: Vec<String>,
    pub(crate) needs: Needs,
}

impl Group for Skill {
    const ROWS: &'static [Row<Self>] = &[
        required(row("id", "Names the skill within the agent", |s| leaf(&mut s.id, form::text()))),
        required(row("name", "A name for people", |s| leaf(&mut s.name, form::text()))),
        required(row("description", "What it does", |s| leaf(&mut s.description, form::text()))),
        row("tags", "Words to find it by", |s| leaves(&mut s.tags, form::text())),
        row("examples", "Things one might ask", |s| leaves(&mut s.examples, form::text())),
        row("input_modes", "Media types it takes, when not the agent's", |s| {
            leaves(&mut s.input_modes, media_type())
        }),
        row("output_modes", "Media types it gives, when not the agent's", |s| {
            leaves(&mut s.output_modes, media_type())
        }),
        row("scopes", SCOPES, |s| leaves(&mut s.needs.scopes, form::text())),
        row("roles", ROLES, |s| leaves(&mut s.needs.roles, form::text())),
        row("allow", ALLOW, |s| maybe(&mut s.needs.allow, form::text())),
    ];
}

/// What callers need for something.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Needs {
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) allow: Option<String>,
}

const SCOPES: &str = "Scopes that callers need, every one of them";
const ROLES: &str = "Roles of which callers need one";
const ALLOW: &str = "What has to be true of callers, in CEL, such as `caller.tenant == 'acme'`; it may speak of `caller` (`tenant`, `subject`, `scopes`, `roles`, `scheme`, `claims`), `agent` and `skill`";

impl Group for Needs {
    const ROWS: &'static [Row<Self>] = &[
        row("scopes", SCOPES, |n| leaves(&mut n.scopes, form::text())),
        row("roles", ROLES, |n| leaves(&mut n.roles, form::text())),
        row("allow", ALLOW, |n| maybe(&mut n.allow, form::text())),
    ];
}

/// Which optional parts of the protocol a card offers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capabilities {
    pub(crate) streaming: bool,
    pub(crate) push_notifications: bool,
    pub(crate) state_transition_history: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { streaming: true, push_notifications: false, state_transition_history: false }
    }
}

impl Group for Capabilities {
    const ROWS: &'static [Row<Self>] = &[
        row("streaming", "Streams of updates", |c| {
            leaf(&mut c.streaming, form::fixed(true, "every agent is streamed"))
        }),
        row("push_notifications", "Webhooks", |c| {
            let form = form::fixed(false, "push notifications are not available yet");
            leaf(&mut c.push_notifications, form)
        }),
        row(
            "state_transition_history",
            "A member of older cards that nothing was ever said about",
            |c| {
                let form = form::fixed(false, "A2A 1.0 does not have it");
                leaf(&mut c.state_transition_history, form)
            },
        ),
        later(
            "extensions",
            "Extensions of the protocol",
            "extensions from a file (in Rust there is `Server::extension`)",
        ),
    ];
}

/// Who offers an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Provider {
    pub(crate) organization: String,
    pub(crate) url: String,
}

impl Group for Provider {
    const ROWS: &'static [Row<Self>] = &[
        required(row("organization", "Their name", |p| leaf(&mut p.organization, form::text()))),
        required(row("url", "Their site", |p| leaf(&mut p.url, form::url()))),
    ];
}

/// Another way to reach an agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Additional {
    pub(crate) url: String,
    pub(crate) transport: String,
    pub(crate) protocol_version: Version,
}

impl Default for Additional {
    fn default() -> Self {
        let transport = Binding::JsonRpc.name().to_owned();
        Self { url: String::new(), transport, protocol_version: Version::V1_0 }
    }
}

impl Group for Additional {
    const ROWS: &'static [Row<Self>] = &[
        required(row("url", "Where it is", |a| leaf(&mut a.url, form::text()))),
        required(row(
            "transport",
            "`JSONRPC`, `HTTP+JSON`, `GRPC` or the URI of another binding",
            |a| leaf(&mut a.transport, form::text()),
        )),
        row("protocol_version", "The version spoken there", |a| {
            leaf(&mut a.protocol_version, form::version())
        }),
    ];
}

/// How an agent is called.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Transport {
    pub(crate) preferred: Option<Preferred>,
    pub(crate) jsonrpc: Switch,
    pub(crate) http_json: Switch,
    pub(crate) grpc: Switch,
}

impl Group for Transport {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "the order of `server.interfaces`",
            row("preferred", "The binding that its card lists first", |t| {
                maybe(&mut t.preferred, choice(&PREFERRED))
            }),
        ),
        row("jsonrpc", "JSON-RPC", |t| group(&mut t.jsonrpc)),
        row("http_json", "HTTP+JSON, which is REST", |t| group(&mut t.http_json)),
        row("grpc", "gRPC, which `server.grpc` switches", |t| group(&mut t.grpc)),
    ];
}

/// A binding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Switch {
    pub(crate) enabled: bool,
}

impl Default for Switch {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Group for Switch {
    const ROWS: &'static [Row<Self>] = &[
        row("enabled", "Whether it is served", |s| {
            let form = form::fixed(true, "switching a binding off is not available yet");
            leaf(&mut s.enabled, form)
        }),
        later("path", "Where it is served", "paths of its own for a binding"),
    ];
}
