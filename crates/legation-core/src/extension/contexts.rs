//! The extension by which a caller erases what it has of a context.

use async_trait::async_trait;
use legation_model::{A2aError, AgentExtension, ContextId, Json};
use serde::{Deserialize, Serialize};

use super::Extension;
use crate::Service;
use crate::call::Call;
use crate::store::Swept;

/// The extension by which callers erase contexts, which the protocol itself has no operation for.
///
/// Its method [`ERASE_CONTEXT`] takes `{"contextId": "..."}` and answers [`Erased`].
pub const CONTEXTS_EXTENSION: &str = "urn:legation:a2a:extension:contexts:1";

/// The JSON-RPC method of [`CONTEXTS_EXTENSION`].
pub const ERASE_CONTEXT: &str = "EraseContext";

/// Which context to erase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EraseContext {
    /// The context.
    pub context_id: ContextId,
}

/// What was erased. All is zero where the caller has nothing of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Tasks, each with its messages, artifacts and events.
    pub tasks: u64,
    /// Idempotency keys, each with the direct answer that it stands for.
    pub keys: u64,
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
        if method != ERASE_CONTEXT {
            return None;
        }
        Some(erase(service, call, params).await)
    }
}

async fn erase(service: &Service, call: &Call, params: Option<&Json>) -> Result<Json, A2aError> {
    let fault = |fault: &dyn std::fmt::Display| {
        A2aError::invalid("contextId", format!("must be the id of a context: {fault}"))
    };
    let params = params.ok_or_else(|| fault(&"it is missing"))?;
    let EraseContext { context_id } = params.read().map_err(|error| fault(&error))?;
    let Swept { tasks, keys, .. } = service.erase_context(call, &context_id).await?;
    Ok(Json::from_value(&Erased { tasks, keys }).expect("numbers are JSON"))
}
