//! What an authorization server says of itself (RFC 8414, OpenID Connect Discovery).

use legation_net::Http;
use serde_json::{Map, Value};
use url::Url;

use super::{Endpoints, Fault, Source, ask};
use crate::origin::{origin, same_place};

/// An authorization server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) endpoints: Endpoints,
    /// As it writes itself.
    pub(super) issuer: Option<String>,
    /// Whether it always says who it is when a person comes back (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether it takes the client's secret in the form alone.
    pub(super) secret_in_form: bool,
    /// Where it is told that tokens are not needed any more (RFC 7009).
    pub(super) revocation: Option<Url>,
}

impl Server {
    pub(super) async fn find(http: &Http, source: &Source) -> Result<Self, Fault> {
        match source {
            Source::Endpoints(endpoints) => Ok(Self {
                endpoints: endpoints.clone(),
                issuer: None,
                names_itself: false,
                secret_in_form: false,
                revocation: None,
            }),
            Source::Metadata(url) => {
                let document = ask::get(http, url).await?;
                let document = document.ok_or_else(|| Fault::nonsense(url, "no metadata"))?;
                // Where the issuer is known from the address alone, it has to be there itself.
                let issuer = text(&document, "issuer").and_then(|text| Url::parse(text).ok());
                if !issuer.is_some_and(|issuer| same_place(&issuer, url)) {
                    return Err(Fault::nonsense(url, "metadata of another issuer"));
                }
                Self::read(&document, url)
            }
            Source::Issuer(issuer) => {
                for url in addresses(issuer) {
                    let Some(document) = ask::get(http, &url).await? else { continue };
                    // Otherwise the metadata of one server would do for another (RFC 8414 3.3).
                    if text(&document, "issuer").is_none_or(|text| !is_same(text, issuer)) {
                        return Err(Fault::nonsense(issuer, "metadata of another issuer"));
                    }
                    return Self::read(&document, issuer);
                }
                Err(Fault::nonsense(issuer, "no metadata"))
            }
        }
    }

    fn read(document: &Map<String, Value>, issuer: &Url) -> Result<Self, Fault> {
        let endpoint = |name| {
            let Some(text) = text(document, name) else { return Ok(None) };
            let url = Url::parse(text).map_err(|_| Fault::nonsense(issuer, name))?;
            ask::check(&url)?;
            Ok(Some(url))
        };
        let token = endpoint("token_endpoint")?;
        let no_token = || Fault::NoEndpoint { issuer: origin(issuer), endpoint: "token" };
        let methods = document.get("token_endpoint_auth_methods_supported");
        let takes = |name: &str| {
            let list = methods.and_then(Value::as_array);
            list.map(|list| list.iter().any(|method| method.as_str() == Some(name)))
        };
        let basic = takes("client_secret_basic").unwrap_or(true);
        let names_itself = document.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            endpoints: Endpoints {
                token: token.ok_or_else(no_token)?,
                authorization: endpoint("authorization_endpoint")?,
                device: endpoint("device_authorization_endpoint")?,
            },
            issuer: text(document, "issuer").map(str::to_owned),
            names_itself: names_itself.and_then(Value::as_bool).unwrap_or(false),
            secret_in_form: !basic && takes("client_secret_post").unwrap_or(false),
            revocation: endpoint("revocation_endpoint")?,
        })
    }
}

/// Where the metadata of an issuer may be.
fn addresses(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

/// Whether a text is this issuer, apart from a slash at the end, which addresses get by being read.
fn is_same(text: &str, issuer: &Url) -> bool {
    text.trim_end_matches('/') == issuer.as_str().trim_end_matches('/')
}

fn text<'d>(document: &'d Map<String, Value>, name: &str) -> Option<&'d str> {
    document.get(name)?.as_str()
}
