//! Where a request carries a secret.

use std::borrow::Cow;

use legation_core::{Credentials, Field};

/// A place of a request where a secret may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// A header by its name in lower case.
    Header(Box<str>),
    /// A parameter of the query by its name.
    Query(Box<str>),
    /// A cookie by its name.
    Cookie(Box<str>),
}

/// What is in such a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Carried<'a> {
    Nothing,
    /// Something that is meant for somebody else, such as `Authorization: Basic`.
    Foreign,
    Secret(Cow<'a, str>),
    /// Several things, or something that is no text.
    Unclear,
}

impl Carrier {
    /// What a request has here.
    pub(crate) fn look<'a>(&self, credentials: &Credentials<'a>) -> Carried<'a> {
        match self {
            Self::Bearer => match credentials.header("authorization") {
                Field::Absent => Carried::Nothing,
                Field::One(value) => bearer_token(value),
                Field::Unclear => Carried::Unclear,
            },
            Self::Header(name) => match credentials.header(name) {
                Field::Absent => Carried::Nothing,
                Field::One(value) => secret(value.trim().into()),
                Field::Unclear => Carried::Unclear,
            },
            Self::Query(name) => {
                let pairs = form_urlencoded::parse(credentials.query.unwrap_or("").as_bytes());
                only(pairs.filter(|(key, _)| **key == **name).map(|(_, value)| value))
            }
            Self::Cookie(name) => {
                // HTTP/2 may split the cookies over several lines (RFC 9113 8.2.3).
                let lines = credentials.lines("cookie").filter_map(|l| std::str::from_utf8(l).ok());
                let pairs = lines.flat_map(|line| line.split(';'));
                let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
                let named = pairs.filter(|(key, _)| **key == **name);
                only(named.map(|(_, value)| value.trim_matches('"').into()))
            }
        }
    }
}

fn secret(value: Cow<'_, str>) -> Carried<'_> {
    if value.is_empty() { Carried::Nothing } else { Carried::Secret(value) }
}

fn only<'a>(mut values: impl Iterator<Item = Cow<'a, str>>) -> Carried<'a> {
    match (values.next(), values.next()) {
        (None, _) => Carried::Nothing,
        (Some(value), None) => secret(value),
        (Some(_), Some(_)) => Carried::Unclear,
    }
}

/// The token of an `Authorization` value of this scheme, whose name has no case (RFC 9110 11.1).
fn bearer_token(value: &str) -> Carried<'_> {
    let value = value.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        return Carried::Secret(token.into());
    }
    if value.is_empty() { Carried::Nothing } else { Carried::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Head;

    #[test]
    fn a_secret_is_found_in_its_place_only() {
        let (header, query, cookie) = (
            Carrier::Header("x-api-key".into()),
            Carrier::Query("key".into()),
            Carrier::Cookie("sid".into()),
        );
        let found = |text: &'static str| Carried::Secret(text.into());
        let cases = [
            (&Carrier::Bearer, Head::new(&[("authorization", "Bearer s")]), found("s")),
            (&Carrier::Bearer, Head::new(&[("authorization", "bEARER   s")]), found("s")),
            (&Carrier::Bearer, Head::new(&[("authorization", "Basic s")]), Carried::Foreign),
            (&Carrier::Bearer, Head::new(&[("authorization", "Bearer ")]), Carried::Foreign),
            (&Carrier::Bearer, Head::new(&[("authorization", "")]), Carried::Nothing),
            (&Carrier::Bearer, Head::new(&[]), Carried::Nothing),
            (
                &Carrier::Bearer,
                Head::new(&[("authorization", "Bearer s"), ("authorization", "Bearer s")]),
                Carried::Unclear,
            ),
            (&header, Head::new(&[("x-api-key", " s ")]), found("s")),
            (&header, Head::new(&[("x-api-key", "")]), Carried::Nothing),
            (&header, Head::new(&[("x-api-key", "a"), ("x-api-key", "b")]), Carried::Unclear),
            (&header, Head::new(&[]).query("x-api-key=s"), Carried::Nothing),
            (&query, Head::new(&[]).query("a=b&key=s%2B1"), found("s+1")),
            (&query, Head::new(&[]).query("KEY=s"), Carried::Nothing),
            (&query, Head::new(&[]).query("key=a&key=b"), Carried::Unclear),
            (&query, Head::new(&[("key", "s")]), Carried::Nothing),
            (&cookie, Head::new(&[("cookie", "a=b; sid=s; c=d")]), found("s")),
            (&cookie, Head::new(&[("cookie", "a=b"), ("cookie", "sid=\"s\"")]), found("s")),
            (&cookie, Head::new(&[("cookie", "sid=a; sid=b")]), Carried::Unclear),
            (&cookie, Head::new(&[("cookie", "xsid=s")]), Carried::Nothing),
        ];
        for (carrier, head, expected) in cases {
            head.with(|credentials| {
                assert_eq!(carrier.look(&credentials), expected, "{carrier:?} {head:?}");
            });
        }
    }
}
