//! What an operator decides about the bindings.

use legation_wire::error::ErrorProfile;
use legation_wire::version::MissingVersion;

use crate::bounds::Bounds;

/// How the service shows itself over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where callers reach the server, without a slash at the end: what the cards say.
    pub public_url: String,
    /// How callers authenticate: what the cards say. The authenticator decides.
    pub security: Security,
    /// Host names by which the server may be called and whose pages may call it.
    pub hosts: Hosts,
    /// What a request without a version means.
    pub missing_version: MissingVersion,
    /// The edition of the error table.
    pub errors: ErrorProfile,
    /// The bounds.
    pub bounds: Bounds,
}

/// How callers authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Open,
    /// With a bearer token.
    Bearer,
}

/// The host names by which a server may be called: a page in a browser that lets its own name
/// resolve to this address does not know them (DNS rebinding).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// On a loopback address the names of loopback and of the public URL; elsewhere any.
    #[default]
    Automatic,
    /// These, without ports.
    Only(Vec<String>),
}

impl Settings {
    /// The defaults for a server at this public URL.
    pub fn new(public_url: &str, security: Security) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            security,
            hosts: Hosts::default(),
            missing_version: MissingVersion::default(),
            errors: ErrorProfile::default(),
            bounds: Bounds::default(),
        }
    }
}
