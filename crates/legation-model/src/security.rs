//! Security schemes and requirements as an agent card declares them (Spec 4.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules;

/// Alternatives are a list of these; within one, every scheme is needed (Spec 4.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityRequirement {
    /// Scheme names with the scopes each needs.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    pub schemes: BTreeMap<String, StringList>,
}

/// A list of texts as the protocol's maps hold them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StringList {
    /// The texts.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    pub list: Vec<String>,
}

/// One way to authenticate (Spec 4.5.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecurityScheme {
    /// A key in a header, a query parameter or a cookie.
    #[serde(alias = "api_key_security_scheme")]
    ApiKeySecurityScheme(ApiKeySecurityScheme),
    /// An HTTP authentication scheme such as Bearer.
    #[serde(alias = "http_auth_security_scheme")]
    HttpAuthSecurityScheme(HttpAuthSecurityScheme),
    /// OAuth 2.0.
    #[serde(rename = "oauth2SecurityScheme", alias = "oauth2_security_scheme")]
    OAuth2SecurityScheme(OAuth2SecurityScheme),
    /// OpenID Connect.
    #[serde(alias = "open_id_connect_security_scheme")]
    OpenIdConnectSecurityScheme(OpenIdConnectSecurityScheme),
    /// Mutual TLS.
    #[serde(alias = "mtls_security_scheme")]
    MtlsSecurityScheme(MutualTlsSecurityScheme),
}

/// Declares a wire object whose optional texts are left out when absent.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$fmeta:meta])* $field:ident : $type:ty, )* }
        optional { $( $(#[$ometa:meta])* $option:ident, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $type, )*
            $(
                $(#[$ometa])*
                #[serde(default, deserialize_with = "rules::text")]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $option: Option<String>,
            )*
        }
    };
}

object! {
    /// A key in a header, a query parameter or a cookie (Spec 4.5.2).
    ApiKeySecurityScheme {
        /// `query`, `header` or `cookie`.
        location: String,
        /// The name of the header, parameter or cookie.
        name: String,
    }
    optional {
        /// For people.
        description,
    }
}
object! {
    /// An HTTP authentication scheme (Spec 4.5.3).
    HttpAuthSecurityScheme {
        /// Such as `Bearer`.
        scheme: String,
    }
    optional {
        /// For people.
        description,
        /// What a bearer token looks like, such as `JWT`.
        #[serde(alias = "bearer_format")]
        bearer_format,
    }
}
object! {
    /// OAuth 2.0 (Spec 4.5.4).
    OAuth2SecurityScheme {
        /// The one flow of this scheme.
        flows: OAuthFlows,
    }
    optional {
        /// For people.
        description,
        /// Where the authorization server's metadata is (RFC 8414).
        #[serde(alias = "oauth2_metadata_url")]
        oauth2_metadata_url,
    }
}
object! {
    /// OpenID Connect (Spec 4.5.5).
    OpenIdConnectSecurityScheme {
        /// Where the discovery document is.
        #[serde(alias = "open_id_connect_url")]
        open_id_connect_url: String,
    }
    optional {
        /// For people.
        description,
    }
}
object! {
    /// Mutual TLS (Spec 4.5.6).
    MutualTlsSecurityScheme {}
    optional {
        /// For people.
        description,
    }
}

/// The flow of an OAuth 2.0 scheme: exactly one (Spec 4.5.7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OAuthFlows {
    /// Authorization code.
    #[serde(alias = "authorization_code")]
    AuthorizationCode(AuthorizationCodeOAuthFlow),
    /// Client credentials.
    #[serde(alias = "client_credentials")]
    ClientCredentials(ClientCredentialsOAuthFlow),
    /// Implicit; deprecated.
    Implicit(ImplicitOAuthFlow),
    /// Resource owner password; deprecated.
    Password(PasswordOAuthFlow),
    /// Device code.
    #[serde(alias = "device_code")]
    DeviceCode(DeviceCodeOAuthFlow),
}

impl Default for OAuthFlows {
    fn default() -> Self {
        Self::ClientCredentials(ClientCredentialsOAuthFlow::default())
    }
}

object! {
    /// The authorization code flow.
    AuthorizationCodeOAuthFlow {
        /// Where the user consents.
        #[serde(alias = "authorization_url")]
        authorization_url: String,
        /// Where tokens are issued.
        #[serde(alias = "token_url")]
        token_url: String,
        /// Scopes and what they allow.
        scopes: BTreeMap<String, String>,
        /// Whether PKCE is required (RFC 7636).
        #[serde(default, alias = "pkce_required", deserialize_with = "rules::null_as_default")]
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pkce_required: bool,
    }
    optional {
        /// Where tokens are refreshed.
        #[serde(alias = "refresh_url")]
        refresh_url,
    }
}
object! {
    /// The client credentials flow.
    ClientCredentialsOAuthFlow {
        /// Where tokens are issued.
        #[serde(alias = "token_url")]
        token_url: String,
        /// Scopes and what they allow.
        scopes: BTreeMap<String, String>,
    }
    optional {
        /// Where tokens are refreshed.
        #[serde(alias = "refresh_url")]
        refresh_url,
    }
}
object! {
    /// The implicit flow; deprecated by the protocol.
    ImplicitOAuthFlow {
        /// Scopes and what they allow.
        #[serde(default, deserialize_with = "rules::null_as_default")]
        scopes: BTreeMap<String, String>,
    }
    optional {
        /// Where the user consents.
        #[serde(alias = "authorization_url")]
        authorization_url,
        /// Where tokens are refreshed.
        #[serde(alias = "refresh_url")]
        refresh_url,
    }
}
object! {
    /// The resource owner password flow; deprecated by the protocol.
    PasswordOAuthFlow {
        /// Scopes and what they allow.
        #[serde(default, deserialize_with = "rules::null_as_default")]
        scopes: BTreeMap<String, String>,
    }
    optional {
        /// Where tokens are issued.
        #[serde(alias = "token_url")]
        token_url,
        /// Where tokens are refreshed.
        #[serde(alias = "refresh_url")]
        refresh_url,
    }
}
object! {
    /// The device code flow (RFC 8628).
    DeviceCodeOAuthFlow {
        /// Where the device asks for a code.
        #[serde(alias = "device_authorization_url")]
        device_authorization_url: String,
        /// Where tokens are issued.
        #[serde(alias = "token_url")]
        token_url: String,
        /// Scopes and what they allow.
        scopes: BTreeMap<String, String>,
    }
    optional {
        /// Where tokens are refreshed.
        #[serde(alias = "refresh_url")]
        refresh_url,
    }
}
