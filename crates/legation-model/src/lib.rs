//! The A2A 1.0 data model: every object, request, reply and error, and the one fold.
//!
//! The serde shape of these types *is* the 1.0 JSON (Spec 5.5, ProtoJSON): camelCase names are
//! written, camelCase and snake_case are read, unknown members are ignored, `null` is absence and
//! required members are always written. Older protocol versions are codecs elsewhere; nothing in
//! this crate knows them. There is no IO and no async runtime here.

mod call;
mod card;
mod error;
mod event;
mod extension;
mod id;
mod json;
mod message;
mod part;
mod push;
pub mod rules;
mod security;
mod task;
mod time;

pub use call::{
    CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse, ListTasksRequest, ListTasksResponse, Request,
    SendMessageConfiguration, SendMessageRequest, SendMessageResponse, StreamResponse,
    SubscribeToTaskRequest,
};
pub use card::{
    AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentInterface,
    AgentProvider, AgentSkill,
};
pub use error::{A2aError, ErrorKind, FieldViolation};
pub use event::{Effect, Event, IllegalEvent, Update};
pub use extension::IDEMPOTENCY_EXTENSION;
pub use id::{ArtifactId, BadId, ContextId, MessageId, TaskId};
pub use json::{BadJson, Json, MAX_DEPTH, Metadata};
pub use message::{Message, Role};
pub use part::{BadBase64, Base64, Content, Part};
pub use push::{AuthenticationInfo, TaskPushNotificationConfig};
pub use security::{
    ApiKeySecurityScheme, AuthorizationCodeOAuthFlow, ClientCredentialsOAuthFlow,
    DeviceCodeOAuthFlow, HttpAuthSecurityScheme, ImplicitOAuthFlow, MutualTlsSecurityScheme,
    OAuth2SecurityScheme, OAuthFlows, OpenIdConnectSecurityScheme, PasswordOAuthFlow,
    SecurityRequirement, SecurityScheme, StringList,
};
pub use task::{
    Artifact, Task, TaskArtifactUpdateEvent, TaskState, TaskStatus, TaskStatusUpdateEvent,
};
pub use time::Timestamp;
