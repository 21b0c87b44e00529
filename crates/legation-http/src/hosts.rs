//! Refuses what a hostile web page would send: foreign `Host` and `Origin` headers.

use std::net::IpAddr;

use http::header;
use http::request::Parts;
use http::uri::Authority;
use legation_model::{A2aError, ErrorKind};

use crate::settings::{Hosts, Settings};

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Host names that may stand in `Host` and `Origin`; `None` lets any stand in `Host`.
#[derive(Clone, Debug)]
pub(crate) struct HostGuard {
    known: Option<Vec<String>>,
    /// Origins whose pages may call beside those of these hosts.
    pages: Vec<String>,
}

impl HostGuard {
    pub(crate) fn new(settings: &Settings, public_url: &str, listens_on: IpAddr) -> Self {
        let loopback = || {
            let public = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
            let public = public.split('/').next().unwrap_or_default();
            LOOPBACK.into_iter().chain([without_port(public)]).map(str::to_owned).collect()
        };
        let known = match &settings.hosts {
            Hosts::Only(names) => Some(names.clone()),
            Hosts::Automatic => listens_on.is_loopback().then(loopback),
        };
        let pages = settings.cors.as_ref().map(|cors| cors.origins.clone()).unwrap_or_default();
        Self { known, pages }
    }

    /// # Errors
    /// `PermissionDenied` when the request is for another host or from the page of another.
    pub(crate) fn check(&self, head: &Parts) -> Result<(), A2aError> {
        let host = host(head);
        if let (Some(known), Some(host)) = (&self.known, host)
            && !is_one_of(known, host)
        {
            return Err(refusal("this server is not called by that host name"));
        }
        match head.headers.get(header::ORIGIN) {
            // Programs send no origin, only browsers do.
            None => Ok(()),
            Some(origin) if self.may_call(origin.to_str().unwrap_or_default(), host) => Ok(()),
            Some(_) => Err(refusal("pages of that origin may not call this server")),
        }
    }

    fn may_call(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((_, authority)) = origin.split_once("://") else { return false };
        let same = host.is_some_and(|host| host.eq_ignore_ascii_case(authority));
        let is_let_in = self.pages.iter().any(|page| page == origin);
        same || is_let_in || self.known.as_ref().is_some_and(|known| is_one_of(known, authority))
    }
}

/// The host that is called: in the target for HTTP/2 and proxies, else in the header.
fn host(head: &Parts) -> Option<&str> {
    let header = || {
        // A host that is not text is one that nobody knows.
        head.headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default())
    };
    head.uri.authority().map(Authority::as_str).or_else(header)
}

fn is_one_of(known: &[String], authority: &str) -> bool {
    let host = without_port(authority);
    known.iter().any(|known| known.eq_ignore_ascii_case(host))
}

/// The host of an authority; an IPv6 address keeps its brackets.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn refusal(message: &str) -> A2aError {
    A2aError::new(ErrorKind::PermissionDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Security;

    fn guard(hosts: Hosts, public_url: &str, listens_on: IpAddr) -> HostGuard {
        let settings = Settings { hosts, ..Settings::new(Security::open()) };
        HostGuard::new(&settings, public_url, listens_on)
    }

    fn check(guard: &HostGuard, host: Option<&str>, origin: Option<&str>) -> bool {
        let mut request = http::Request::builder().uri("/a2a");
        for (name, value) in [("host", host), ("origin", origin)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let (head, ()) = request.body(()).expect("a valid request").into_parts();
        guard.check(&head).is_ok()
    }

    #[test]
    fn loopback_is_called_by_its_names_and_by_no_page_of_others() {
        let (url, loopback) = ("https://agents.example:8443/x", IpAddr::from([127, 0, 0, 1]));
        let guard = guard(Hosts::Automatic, url, loopback);
        let cases = [
            (Some("localhost:8080"), None, true),
            (Some("LOCALHOST"), None, true),
            (Some("127.0.0.1:1"), None, true),
            (Some("[::1]:8080"), None, true),
            (Some("agents.example"), None, true),
            (None, None, true),
            (Some("evil.example"), None, false),
            (Some("localhost.evil.example:8080"), None, false),
            (Some(""), None, false),
            (Some("localhost:8080"), Some("http://localhost:8080"), true),
            (Some("localhost:8080"), Some("http://localhost:3000"), true),
            (Some("localhost:8080"), Some("http://evil.example"), false),
            (Some("localhost:8080"), Some("null"), false),
        ];
        for (host, origin, taken) in cases {
            assert_eq!(check(&guard, host, origin), taken, "{host:?} {origin:?}");
        }
    }

    #[test]
    fn elsewhere_any_name_goes_but_no_foreign_page() {
        let anywhere = IpAddr::from([0, 0, 0, 0]);
        let guard = guard(Hosts::Automatic, "http://a.example", anywhere);
        assert!(check(&guard, Some("10.0.0.7:8080"), None));
        assert!(check(&guard, Some("b.example"), Some("https://b.example")));
        assert!(!check(&guard, Some("b.example"), Some("https://c.example")));
        let only = self::guard(Hosts::Only(vec!["b.example".into()]), "", anywhere);
        assert!(check(&only, Some("b.example:80"), None));
        assert!(!check(&only, Some("c.example"), None));
    }
}
