//! Static bearer tokens (RFC 6750).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_core::{
    Authenticated, Authenticator, Caller, Challenge, Credentials, Field, Refused, at_once,
};
use legation_model::{A2aError, ErrorKind};

/// The shortest token that is taken, in bytes. A shorter one can be guessed.
const MIN_BYTES: usize = 32;

const CHALLENGE: &str = r#"Bearer realm="legation""#;

/// A token and who its bearer is. Only a digest is kept, and `Debug` does not show it.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
    caller: Caller,
}

/// The token could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token needs at least {MIN_BYTES} bytes")]
pub struct WeakToken;

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl Token {
    /// A token whose bearer is this caller.
    ///
    /// # Errors
    /// When the token has fewer than 32 bytes.
    pub fn new(secret: &str, caller: Caller) -> Result<Self, WeakToken> {
        if secret.len() < MIN_BYTES {
            return Err(WeakToken);
        }
        Ok(Self { digest: digest_of(secret), caller })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// Makes a token: 32 random bytes with a prefix by which scanners find a leaked one.
///
/// # Errors
/// When the system gives no random bytes.
pub fn make_token() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("lgn_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// Knows callers by the bearer token they send.
#[derive(Clone, Debug)]
pub struct Bearer {
    tokens: Vec<Token>,
}

impl Bearer {
    /// Lets the bearers of these tokens in.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// The caller of a token. Every token is compared, each in constant time, so the time taken
    /// tells nothing about any of them.
    fn bearer_of(&self, secret: &str) -> Option<&Caller> {
        let digest = digest_of(secret);
        let mut bearer = None;
        for token in &self.tokens {
            if verify_slices_are_equal(&token.digest, &digest).is_ok() {
                bearer = Some(&token.caller);
            }
        }
        bearer
    }
}

impl Authenticator for Bearer {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> Authenticated<'a> {
        let secret = match credentials.header("authorization") {
            Field::One(authorization) => bearer_token(authorization),
            Field::Absent | Field::Unclear => None,
        };
        at_once(match secret {
            Some(secret) => self.bearer_of(secret).cloned().ok_or_else(invalid),
            None => Err(missing()),
        })
    }
}

/// The token of an `Authorization` value of this scheme, whose name has no case (RFC 9110 11.1).
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Without a token there is no error to name, only the way to do it right (RFC 6750 3.1).
fn missing() -> Refused {
    refusal("send the header `Authorization: Bearer <token>`", CHALLENGE)
}

fn invalid() -> Refused {
    refusal("the bearer token is not valid", &format!(r#"{CHALLENGE}, error="invalid_token""#))
}

fn refusal(message: &str, challenge: &str) -> Refused {
    let error = A2aError::new(ErrorKind::Unauthenticated, message);
    Refused { error, challenges: vec![Challenge::from(challenge)] }
}

fn digest_of(secret: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const ONE: &str = "one-token-of-thirty-two-bytes-ok";
    const TWO: &str = "two-token-of-thirty-two-bytes-ok";

    fn caller(subject: &str) -> Caller {
        Caller::new("acme", subject)
    }

    fn bearer() -> Bearer {
        let token = |secret, subject| Token::new(secret, caller(subject)).expect("long enough");
        Bearer::new(vec![token(ONE, "ann"), token(TWO, "bob")])
    }

    fn said(authorization: Option<&str>) -> Result<Caller, Refused> {
        let headers = |name: &str, line| match (name, line) {
            ("authorization", 0) => authorization.map(str::as_bytes),
            _ => None,
        };
        let credentials = Credentials {
            headers: &headers,
            query: None,
            peer: None,
            certificates: None,
            schemes: None,
        };
        let answer = bearer().authenticate(credentials).now_or_never();
        answer.expect("a static token is known at once")
    }

    #[test]
    fn a_token_says_who_calls_and_nothing_else_does() {
        const NONE: Result<&str, &str> = Err(r#"Bearer realm="legation""#);
        const WRONG: Result<&str, &str> = Err(r#"Bearer realm="legation", error="invalid_token""#);
        let cases = [
            (Some(format!("Bearer {ONE}")), Ok("ann")),
            (Some(format!("bEARER   {TWO}")), Ok("bob")),
            (Some(format!("Bearer {ONE}x")), WRONG),
            (Some(format!("Bearer {}", &ONE[1..])), WRONG),
            (Some(format!("Bearer {ONE} {TWO}")), WRONG),
            (Some(format!("Bearer {ONE}, Basic eDp5")), WRONG),
            (Some(ONE.to_owned()), NONE),
            (Some(format!("Basic {ONE}")), NONE),
            (Some("Bearer ".into()), NONE),
            (Some(String::new()), NONE),
            (None, NONE),
        ];
        for (authorization, expected) in cases {
            let authorization = authorization.as_deref();
            let got = said(authorization);
            let got = got.as_ref().map(|caller| &*caller.subject);
            let got = got.map_err(|refused| &*refused.challenges[0].text);
            assert_eq!(got, expected, "{authorization:?}");
        }
    }

    #[test]
    fn nothing_secret_is_shown_or_kept() {
        let shown = format!("{:?}", bearer());
        assert!(shown.contains("ann"), "{shown}");
        for secret in [ONE, TWO, "digest"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn made_tokens_are_long_and_differ() {
        let [one, two] = [make_token(), make_token()].map(|token| token.expect("random bytes"));
        assert!(one.starts_with("lgn_") && one.len() == 47 && one != two);
        assert!(Token::new(&one, caller("x")).is_ok());
        assert_eq!(Token::new("changeme", caller("x")).err(), Some(WeakToken));
    }
}
