//! The media types of requests and responses (Spec 9.1, 11.1).

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use legation_wire::error::ErrorProfile;
use legation_wire::version::Version;

use crate::answer::{A2A_JSON, JSON};

/// A media type that requests and responses come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`.
    Json,
    /// `application/a2a+json`.
    A2aJson,
}

impl Media {
    /// The media type that a header names, whatever its parameters.
    pub(crate) fn of(header: Option<&HeaderValue>) -> Option<Self> {
        Self::named(header?.to_str().ok()?)
    }

    fn named(text: &str) -> Option<Self> {
        let name = text.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("application/json") {
            return Some(Self::Json);
        }
        name.eq_ignore_ascii_case("application/a2a+json").then_some(Self::A2aJson)
    }

    /// The media type of a REST response: the one that the caller accepts when it names one of
    /// the two, else that of its request, else the protocol's own, which 1.0.0 did not have.
    pub(crate) fn of_response(headers: &HeaderMap, profile: ErrorProfile) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let mut accepted = accepted.flat_map(|line| line.split(',')).filter_map(Self::named);
        let only = accepted.next().filter(|first| accepted.all(|next| next == *first));
        only.or_else(|| Self::of(headers.get(CONTENT_TYPE))).unwrap_or(match profile {
            ErrorProfile::V1_0_0 => Self::Json,
            ErrorProfile::V1_0_1 => Self::A2aJson,
        })
    }

    /// The media type in a version: those before 1.0 have only the plain one.
    pub(crate) fn in_version(self, version: Version) -> Self {
        match version {
            Version::V1_0 => self,
            Version::V0_3 | Version::V0_2 | Version::V0_1 => Self::Json,
        }
    }

    /// The media type as a header's value.
    pub(crate) fn value(self) -> HeaderValue {
        match self {
            Self::Json => JSON,
            Self::A2aJson => A2A_JSON,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_as_accepted_or_as_sent() {
        let cases = [
            (None, None, Media::A2aJson),
            (None, Some("application/json; charset=utf-8"), Media::Json),
            (None, Some("Application/A2A+json"), Media::A2aJson),
            (Some("*/*"), Some("application/json"), Media::Json),
            (Some("application/json"), Some("application/a2a+json"), Media::Json),
            (Some("text/html, application/a2a+json;q=0.9"), None, Media::A2aJson),
            (Some("application/json, application/a2a+json"), Some("application/json"), Media::Json),
            (Some("application/json, application/a2a+json"), None, Media::A2aJson),
        ];
        for (accept, content_type, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in [(ACCEPT, accept), (CONTENT_TYPE, content_type)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let got = Media::of_response(&headers, ErrorProfile::V1_0_1);
            assert_eq!(got, expected, "{accept:?} {content_type:?}");
        }
    }
}
