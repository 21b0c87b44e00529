//! The extension by which a caller erases what it has of a context, or all that it has.

use std::sync::Arc;

use async_trait::async_trait;
use legation_model::{A2aError, AgentExtension, ContextId, Json};
use serde::{Deserialize, Serialize};

use super::Extension;
use crate::Service;
use crate::call::Call;
use crate::store::Swept;

/// The extension by which callers erase contexts, which the protocol itself has no operation for.
///
/// Its method [`ERASE_CONTEXT`] takes `{"contextId": "..."}`, and [`ERASE_SUBJECT`] takes nothing or
/// `{"subject": "..."}`; both answer [`Erased`].
pub const CONTEXTS_EXTENSION: &str = "urn:legation:a2a:extension:contexts:1";

/// The JSON-RPC method of [`CONTEXTS_EXTENSION`].
pub const ERASE_CONTEXT: &str = "EraseContext";

/// The JSON-RPC method of [`CONTEXTS_EXTENSION`] that erases all that a subject has.
pub const ERASE_SUBJECT: &str = "EraseSubject";

/// Which context to erase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EraseContext {
    /// The context.
    pub context_id: ContextId,
}

/// Whose all is to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EraseSubject {
    /// A subject of the caller's tenant. None is the caller; for others the credentials have to name the
    /// scope `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
}

/// What was erased. All is zero where there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Tasks, each with its messages, artifacts and events.
    pub tasks: u64,
    /// Idempotency keys, each with the direct answer that it stands for.
    pub keys: u64,
    /// Results of tasks that had been removed before. Servers of before results say nothing of them.
    #[serde(default)]
    pub results: u64,
}

pub(crate) struct Contexts;

#[async_trait]
impl Extension for Contexts {
    fn declaration(&self) -> AgentExtension {
        AgentExtension {
            uri: CONTEXTS_EXTENSION.to_owned(),
            description: Some("Erases what the caller has of a context".into()),
            ..AgentExtension::default()
        }
    }

    async fn method(
        &self,
        service: &Service,
        call: &Call,
        method: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        match method {
            ERASE_CONTEXT => Some(erase_context(service, call, params).await),
            ERASE_SUBJECT => Some(erase_subject(service, call, params).await),
            _ => None,
        }
    }
}

async fn erase_context(
    service: &Service,
    call: &Call,
    params: Option<&Json>,
) -> Result<Json, A2aError> {
    let fault = |fault: &dyn std::fmt::Display| {
        A2aError::invalid("contextId", format!("must be the id of a context: {fault}"))
    };
    let params = params.ok_or_else(|| fault(&"it is missing"))?;
    let EraseContext { context_id } = params.read().map_err(|error| fault(&error))?;
    Ok(told(service.erase_context(call, &context_id).await?))
}

async fn erase_subject(
    service: &Service,
    call: &Call,
    params: Option<&Json>,
) -> Result<Json, A2aError> {
    let fault = |fault| A2aError::invalid("subject", format!("must be a name: {fault}"));
    let EraseSubject { subject } =
        params.map_or_else(|| Ok(EraseSubject::default()), |p| p.read().map_err(fault))?;
    let subject = subject.unwrap_or_else(|| call.caller.subject.clone());
    Ok(told(service.erase_subject(call, &subject).await?))
}

fn told(Swept { tasks, keys, results, .. }: Swept) -> Json {
    Json::from_value(&Erased { tasks, keys, results }).expect("numbers are JSON")
}
