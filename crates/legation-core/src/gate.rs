//! What a caller may do: which operations, and of which agents.
//!
//! It is decided by the operation and the agent alone, before anything is looked up, so that a
//! refusal says nothing of what is there.

use std::borrow::Cow;

use legation_model::{A2aError, ErrorKind, Request};

use crate::call::Call;
use crate::service::Core;
use crate::{Caller, Exposed, Profile, Usable, UsableAgent, send};

/// What credentials may be good for (scopes): reading tasks.
pub const READ: &str = "read";
/// Sending messages.
pub const SEND: &str = "send";
/// Cancelling tasks.
pub const CANCEL: &str = "cancel";
/// Erasing contexts.
pub const ERASE: &str = "erase";
/// Webhooks.
pub const PUSH: &str = "push";
/// Administration, such as erasing what others have; it is not part of the protocol.
pub const ADMIN: &str = "admin";

/// Every scope that the service knows, with what it lets a caller do.
pub const SCOPES: [(&str, &str); 6] = [
    (READ, "Read tasks, and follow them"),
    (SEND, "Send messages to agents"),
    (CANCEL, "Cancel tasks"),
    (ERASE, "Erase contexts"),
    (PUSH, "Set up webhooks"),
    (ADMIN, "Administer the server"),
];

/// The scope that an operation needs; `None` for what every known caller may.
pub(crate) fn scope_of(request: &Request) -> Option<&'static str> {
    match request {
        Request::SendMessage(_) | Request::SendStreamingMessage(_) => Some(SEND),
        Request::GetTask(_) | Request::ListTasks(_) | Request::SubscribeToTask(_) => Some(READ),
        Request::CancelTask(_) => Some(CANCEL),
        Request::CreateTaskPushNotificationConfig(_)
        | Request::GetTaskPushNotificationConfig(_)
        | Request::ListTaskPushNotificationConfigs(_)
        | Request::DeleteTaskPushNotificationConfig(_) => Some(PUSH),
        Request::GetExtendedAgentCard(_) => None,
    }
}

/// Checks that a caller may do what is asked.
///
/// # Errors
/// `PermissionDenied`, with the scope that is needed.
pub(crate) fn check_scope(caller: &Caller, request: &Request) -> Result<(), A2aError> {
    scope_of(request).map_or(Ok(()), |needed| require(caller, needed))
}

/// Checks that a caller has a scope.
///
/// # Errors
/// `PermissionDenied`, with the scope.
pub(crate) fn require(caller: &Caller, needed: &str) -> Result<(), A2aError> {
    if caller.scopes.has(needed) {
        return Ok(());
    }
    Err(lacks(needed))
}

/// Checks that a caller has a scope by its name. Credentials that are good for whatever there is do not
/// do: many have such, and none of them was given them for this.
///
/// # Errors
/// `PermissionDenied`, with the scope.
pub(crate) fn require_by_name(caller: &Caller, needed: &str) -> Result<(), A2aError> {
    if caller.scopes.names(needed) {
        return Ok(());
    }
    Err(lacks(needed))
}

fn lacks(needed: &str) -> A2aError {
    let text = format!("this needs the scope `{needed}`, which the credentials do not have");
    A2aError::new(ErrorKind::PermissionDenied, text).with("scope", needed)
}

/// Confines a call to the agent it is for, when its caller may not call all of them.
///
/// # Errors
/// `PermissionDenied` when the agent is not one that the caller may call, or when the crew is asked
/// for more than the caller may see.
pub(crate) fn confine<'c>(
    core: &Core,
    call: &'c Call,
    request: Option<&Request>,
) -> Result<Cow<'c, Call>, A2aError> {
    let agents = core.agents();
    let may = |exposed: &Exposed| may_call(&call.caller, &exposed.profile);
    // Credentials for some agents are confined even where those are all that is served: there may be
    // tasks of agents that were served before.
    if call.caller.agents.is_none() && agents.iter().all(may) {
        return Ok(Cow::Borrowed(call));
    }
    // The extended card of the crew shows each caller what it may call.
    if let (None, Some(Request::GetExtendedAgentCard(_))) = (&call.agent, request) {
        return Ok(Cow::Borrowed(call));
    }
    let chosen = match (&call.agent, request) {
        (Some(slug), _) => core.agent(Some(slug)),
        (None, Some(Request::SendMessage(request) | Request::SendStreamingMessage(request))) => {
            Some(send::target(core, call, request)?)
        }
        (None, _) => {
            let mut allowed = agents.iter().filter(|exposed| may(exposed));
            let only = allowed.next().filter(|_| allowed.next().is_none());
            Some(only.cloned().ok_or_else(|| {
                denied("these credentials are not for every agent here; call an agent by its own address")
            })?)
        }
    };
    let Some(chosen) = chosen else {
        // An agent that is not there is refused where all are.
        let slug = call.agent.as_deref().unwrap_or_default();
        let may_ask = is_for(&call.caller, slug);
        return if may_ask { Ok(Cow::Borrowed(call)) } else { Err(denied(NOT_FOR_AGENT)) };
    };
    if !may(&chosen) {
        return Err(denied(NOT_FOR_AGENT));
    }
    let agent = Some(chosen.profile.slug.clone());
    Ok(Cow::Owned(Call { agent, ..call.clone() }))
}

/// What the caller may use of what a call is for: of one agent, or of all.
pub(crate) fn usable(core: &Core, call: &Call) -> Usable {
    let agents = core.agents();
    let meant = agents.iter().map(|exposed| &*exposed.profile).filter(|profile| {
        call.agent.as_ref().is_none_or(|slug| profile.slug == *slug)
            && may_call(&call.caller, profile)
    });
    Usable { agents: meant.map(|profile| UsableAgent::of(&call.caller, profile)).collect() }
}

/// Whether a caller may call an agent: the credentials are good for it, and of a scheme that the
/// agent takes.
fn may_call(caller: &Caller, profile: &Profile) -> bool {
    let by_scheme = profile.schemes.as_ref().is_none_or(|names| names.contains(&caller.scheme));
    is_for(caller, &profile.slug) && by_scheme
}

/// Whether a caller's credentials are good for the agent of this name, served or not.
fn is_for(caller: &Caller, slug: &str) -> bool {
    caller.agents.as_ref().is_none_or(|agents| agents.iter().any(|agent| **agent == *slug))
}

const NOT_FOR_AGENT: &str = "these credentials are not for this agent";

fn denied(text: &str) -> A2aError {
    A2aError::new(ErrorKind::PermissionDenied, text)
}
