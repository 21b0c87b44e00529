//! The headers of calls beside those of the protocol, which on gRPC are metadata.

/// Names a send, so that it is done once however often it arrives.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The number of the last event that a reader has seen.
pub const LAST_EVENT_ID: &str = "last-event-id";
