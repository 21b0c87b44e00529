//! Static tokens: secrets that the operator gave to callers.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_core::Caller;

/// The shortest token that is taken, in bytes. A shorter one can be guessed.
const MIN_BYTES: usize = 32;

/// The fewest different bytes in a token: one with less is no random text.
const MIN_VARIETY: usize = 8;

/// Pieces of tokens that stand in examples.
const EXAMPLES: [&str; 8] = [
    "changeme",
    "change-me",
    "example",
    "secret-token",
    "your-token",
    "yourtoken",
    "0123456789abcdef0123456789abcdef",
    "1234567890123456",
];

/// A token and who its bearer is. Only a digest is kept, and `Debug` does not show it.
#[derive(Clone)]
pub struct Token {
    digest: Kept,
    caller: Caller,
}

/// The token could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakToken {
    /// It is short.
    #[error("a token needs at least {MIN_BYTES} bytes")]
    Short,
    /// It repeats a few letters.
    #[error("a token is random text, and this one has hardly any different letters")]
    Uniform,
    /// It stands in examples.
    #[error("the token is one of those that stand in examples")]
    Example,
}

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// Checks that a secret is none that can be guessed.
///
/// # Errors
/// When it can.
pub fn check_secret(secret: &str) -> Result<(), WeakToken> {
    if secret.len() < MIN_BYTES {
        return Err(WeakToken::Short);
    }
    let mut seen = [false; 256];
    secret.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    if seen.iter().filter(|seen| **seen).count() < MIN_VARIETY {
        return Err(WeakToken::Uniform);
    }
    let lower = secret.to_ascii_lowercase();
    if EXAMPLES.iter().any(|example| lower.contains(example)) {
        return Err(WeakToken::Example);
    }
    Ok(())
}

impl Token {
    /// A token whose bearer is this caller.
    ///
    /// # Errors
    /// When the token can be guessed.
    pub fn new(secret: &str, caller: Caller) -> Result<Self, WeakToken> {
        check_secret(secret)?;
        Ok(Self { digest: Kept(digest_of(secret)), caller })
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
    Ok(format!("lgn_{}", random_text()?))
}

/// 32 random bytes as text.
pub(crate) fn random_text() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Callers by the static tokens they send.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Knows the bearers of these tokens.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// The caller of a token. Every token is compared, each in constant time, so the time taken
    /// tells nothing about any of them.
    pub(crate) fn caller_of(&self, secret: &str) -> Option<&Caller> {
        let digest = digest_of(secret);
        let mut caller = None;
        for token in &self.0 {
            if token.digest.is(&digest) {
                caller = Some(&token.caller);
            }
        }
        caller
    }
}

/// What is kept of a secret.
pub(crate) type Digest = [u8; 32];

/// What is kept of a secret that callers have to show. It cannot be compared but in constant time.
#[derive(Clone)]
pub(crate) struct Kept(pub(crate) Digest);

impl Kept {
    /// Whether this is the digest of the same secret.
    pub(crate) fn is(&self, shown: &Digest) -> bool {
        verify_slices_are_equal(&self.0, shown).is_ok()
    }
}

pub(crate) fn digest_of(secret: &str) -> Digest {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "one-token-of-thirty-two-bytes-ok";
    const TWO: &str = "two-token-of-thirty-two-bytes-ok";

    #[test]
    fn a_token_says_who_calls_and_nothing_secret_is_shown_or_kept() {
        let token = |secret, subject: &str| Token::new(secret, Caller::new("acme", subject));
        let tokens = [token(ONE, "ann"), token(TWO, "bob")].map(|token| token.expect("good"));
        let tokens = Tokens::new(tokens.into());
        let subject = |secret| tokens.caller_of(secret).map(|caller| &*caller.subject);
        assert_eq!((subject(ONE), subject(TWO)), (Some("ann"), Some("bob")));
        for wrong in [&ONE[1..], &format!("{ONE}x"), "", "ONE"] {
            assert_eq!(subject(wrong), None, "{wrong}");
        }
        let shown = format!("{tokens:?}");
        assert!(shown.contains("ann"), "{shown}");
        for secret in [ONE, TWO, "digest"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    /// How long a comparison takes says nothing of how much of a guess is right. Guesses are timed in
    /// turn, many at once, and the quickest of many rounds are compared: whatever else the machine does
    /// makes rounds slower, never quicker.
    #[test]
    fn the_time_of_a_comparison_says_nothing_of_the_secret() {
        use std::hint::black_box;
        use std::time::{Duration, Instant};
        let token = Token::new(ONE, Caller::new("acme", "ann")).expect("good");
        let tokens = Tokens::new(vec![token]);
        let wrong = |at: usize| {
            let mut bytes = ONE.as_bytes().to_vec();
            bytes[at] ^= 1;
            String::from_utf8(bytes).expect("ASCII")
        };
        let guesses = [wrong(0), wrong(ONE.len() - 1), ONE.to_owned()];
        let quickest = || {
            let mut quickest = [Duration::MAX; 3];
            for _ in 0..200 {
                for (guess, quickest) in guesses.iter().zip(&mut quickest) {
                    let began = Instant::now();
                    for _ in 0..500 {
                        black_box(tokens.caller_of(black_box(guess)).is_some());
                    }
                    *quickest = began.elapsed().min(*quickest);
                }
            }
            quickest.map(|time| time.as_secs_f64())
        };
        // A machine that changes its speed in the middle may spoil a try, and hardly all.
        let is_even = |[first, last, right]: [f64; 3]| {
            let alike = |one: f64, other: f64| (one / other - 1.0).abs() < 0.03;
            alike(first, last) && alike(first, right)
        };
        assert!((0..5).any(|_| is_even(quickest())), "{:?}", quickest());
    }

    #[test]
    fn secrets_that_can_be_guessed_are_refused() {
        let (same, example) =
            ("a".repeat(40), format!("{}-{}", "changeme", "x1y2z3a4b5c6d7e8f9g0h1i2j3"));
        let cases = [
            ("changeme", Some(WeakToken::Short)),
            (&same, Some(WeakToken::Uniform)),
            (&example, Some(WeakToken::Example)),
            (ONE, None),
        ];
        for (secret, expected) in cases {
            assert_eq!(check_secret(secret).err(), expected, "{secret}");
        }
    }

    #[test]
    fn made_tokens_are_long_and_differ() {
        let [one, two] = [make_token(), make_token()].map(|token| token.expect("random bytes"));
        assert!(one.starts_with("lgn_") && one.len() == 47 && one != two);
        assert_eq!(check_secret(&one), Ok(()));
    }
}
