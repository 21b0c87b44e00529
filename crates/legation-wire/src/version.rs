//! Protocol versions and the rule by which a request's version is found (Spec 3.6).

use std::borrow::Cow;

use legation_model::{A2aError, ErrorKind};

use crate::percent;

/// The header, and the query parameter, that states a request's version.
pub const VERSION: &str = "A2A-Version";

/// A protocol version that is served. Each has a codec of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A2A 1.0.
    V1_0,
}

/// What a request without a version means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingVersion {
    /// 0.3, as the protocol has it (Spec 3.6.2).
    #[default]
    Strict,
    /// The version whose method or path was called. A deviation from Spec 3.6.2 for callers that
    /// do not send the header; the names of the versions do not overlap, so it is never a guess.
    Infer,
}

impl Version {
    /// Every version that is served, newest first.
    pub const SERVED: &'static [Self] = &[Self::V1_0];

    /// The version as `Major.Minor`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
        }
    }

    /// The version a request is in, from what its header or parameter states.
    ///
    /// # Errors
    /// `VersionNotSupported` when that version is not served, with words on what to send.
    pub fn of_request(stated: Option<&str>, missing: MissingVersion) -> Result<Self, A2aError> {
        let stated = stated.map(str::trim).filter(|stated| !stated.is_empty());
        match (stated, missing) {
            (Some(stated), _) => Self::parse(stated).ok_or_else(|| not_served(stated)),
            (None, MissingVersion::Infer) => Ok(Self::V1_0),
            (None, MissingVersion::Strict) => Err(not_stated()),
        }
    }

    /// Reads `Major.Minor`. A patch number must not be considered (Spec 3.6), so it is not.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let wanted = (numbers.next()?, numbers.next()?);
        let patch_is_number = numbers.next().is_none_or(|patch| patch.parse::<u32>().is_ok());
        let served =
            Self::SERVED.iter().find(|served| served.name().split_once('.') == Some(wanted));
        served.copied().filter(|_| patch_is_number && numbers.next().is_none())
    }
}

/// The version that a query states (Spec 3.6.1); a header has precedence.
pub fn stated_in(query: &str) -> Option<Cow<'_, str>> {
    let mut pairs = percent::pairs(query).flatten();
    pairs.find(|(name, _)| name.eq_ignore_ascii_case(VERSION)).map(|(_, value)| value)
}

fn not_served(stated: &str) -> A2aError {
    // The value is the caller's and may be of any length.
    let stated: String = stated.chars().take(40).collect();
    refusal(format!("A2A version `{stated}` is not served here; send `{VERSION}: 1.0`"))
}

fn not_stated() -> A2aError {
    refusal(format!(
        "a request without `{VERSION}` is an A2A 0.3 request, which is not served here; \
         send the header `{VERSION}: 1.0`"
    ))
}

fn refusal(message: String) -> A2aError {
    let served: Vec<_> = Version::SERVED.iter().map(|version| version.name()).collect();
    A2aError::new(ErrorKind::VersionNotSupported, message)
        .with("supportedVersions", served.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_and_minor_decide_and_a_missing_version_is_0_3() {
        use MissingVersion::{Infer, Strict};
        let cases = [
            (Some("1.0"), Strict, true),
            (Some(" 1.0 "), Strict, true),
            (Some("1.0.7"), Strict, true),
            (Some("1.0.x"), Strict, false),
            (Some("1.0.0.0"), Strict, false),
            (Some("1"), Strict, false),
            (Some("1.1"), Strict, false),
            (Some("10.0"), Strict, false),
            (Some("0.3"), Infer, false),
            (Some("9.9"), Infer, false),
            (Some("ключ"), Infer, false),
            (Some(""), Strict, false),
            (Some(""), Infer, true),
            (None, Strict, false),
            (None, Infer, true),
        ];
        for (stated, missing, served) in cases {
            let got = Version::of_request(stated, missing);
            assert_eq!(got.is_ok(), served, "{stated:?} {missing:?}");
            let Err(error) = got else { continue };
            assert_eq!(error.kind, ErrorKind::VersionNotSupported);
            assert!(error.message.contains("`A2A-Version: 1.0`"), "{}", error.message);
        }
    }
}
