//! A call as it enters the service, and what comes back.

use std::sync::Arc;

use crate::service::Core;
use crate::standing::Watch;
use crate::store::Seq;
use crate::{Caller, Document, Entrusted, Follow, Usable};

/// A call's circumstances: everything about it but the request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// The agent whose mount was called; `None` at the crew's.
    pub agent: Option<Arc<str>>,
    /// URIs of the extensions the caller asked for.
    pub extensions: Vec<String>,
    /// The caller's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// What the request carries that agents are let see.
    pub entrusted: Entrusted,
    /// The number of the last event a reader has seen.
    pub last_event: Option<Seq>,
    /// Where the answers to authorizations arrive, as the caller sees the server; where
    /// [`Service::authorizations_arrive_at`](crate::Service::authorizations_arrive_at) says when
    /// absent.
    pub callback: Option<Arc<str>>,
    /// How the caller expects to be dealt with.
    pub manners: Manners,
}

/// What callers of other generations expect to be dealt with. The default is 1.0's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// A subscription ends like a send's stream, when the task comes to rest; one to a task at rest
    /// gives it as it is, with its status once more as the last item.
    pub streams_end_at_rest: bool,
    /// The caller chooses the names of tasks: a name that is not there begins one. Every message
    /// gets a task, also where the agent answers at once.
    pub names_tasks: bool,
}

impl Call {
    /// A plain call by someone.
    pub fn by(caller: Caller) -> Self {
        Self {
            caller,
            agent: None,
            extensions: Vec::new(),
            idempotency_key: None,
            entrusted: Entrusted::default(),
            last_event: None,
            callback: None,
            manners: Manners::default(),
        }
    }
}

/// What a call gives back. Documents are 1.0 JSON.
#[derive(Debug)]
pub enum Reply {
    /// A send's task.
    SentTask(Document),
    /// A send's direct answer.
    SentMessage(Document),
    /// A task.
    Task(Document),
    /// A page of tasks.
    Tasks(Document),
    /// Events as they come.
    Stream(Follow),
    /// A card with what the caller may use, which the bindings make.
    ExtendedCard(Usable),
}

impl Reply {
    /// The reply; a stream ends with the credentials of its caller.
    pub(crate) fn until(self, core: &Core, caller: &Caller) -> Self {
        match self {
            Self::Stream(follow) => Self::Stream(follow.watched(Watch::new(core, caller))),
            reply @ (Self::SentTask(_)
            | Self::SentMessage(_)
            | Self::Task(_)
            | Self::Tasks(_)
            | Self::ExtendedCard(_)) => reply,
        }
    }
}
