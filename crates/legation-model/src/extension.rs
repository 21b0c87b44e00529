//! The URIs of Legation's own extensions that both sides of the wire know (Spec 4.6).

/// The extension by which callers that do not see the ids of stream events resume a stream.
///
/// When it is active, every update's metadata holds `{"seq": n}` under this URI, and the metadata
/// of a `SubscribeToTask` may hold `{"after": n}` there.
pub const CURSOR_EXTENSION: &str = "urn:legation:a2a:extension:cursor:1";

/// The extension that says: a send with the header `Idempotency-Key` is done once. It needs not be
/// activated, because the header says enough.
pub const IDEMPOTENCY_EXTENSION: &str = "urn:legation:a2a:extension:idempotency:1";
