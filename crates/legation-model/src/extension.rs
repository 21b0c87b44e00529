//! The URIs of Legation's own extensions that both sides of the wire know (Spec 4.6).

/// The extension that says: a send with the header `Idempotency-Key` is done once. It needs not be
/// activated, because the header says enough.
pub const IDEMPOTENCY_EXTENSION: &str = "urn:legation:a2a:extension:idempotency:1";
