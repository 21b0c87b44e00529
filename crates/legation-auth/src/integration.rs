//! Integration tokens: made here, kept elsewhere as digests, and taken back at any time.
//!
//! A token says what it is: `lgk_`, 16 hexadecimal digits by which it is found, `_`, 32 random bytes
//! and 3 bytes of a checksum in URL-safe base64. So scanners find a leaked one, and a mistyped one is
//! known without a look at the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_core::{Caller, IntegrationToken, IntegrationTokens, TokenDigest};
use legation_model::Timestamp;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::chain::{Failure, Verified};
use crate::token::{Kept, NoRandomness, digest_of, random_text};

/// How integration tokens begin.
pub const INTEGRATION_PREFIX: &str = "lgk_";

const ID_LENGTH: usize = 16;
const SECRET_LENGTH: usize = 43;
/// Bytes of the checksum, which are four letters.
const CHECKSUM: usize = 3;

/// How many tokens are remembered.
const REMEMBERED: usize = 10_000;

/// A token just made: the one time that it is there as a whole.
pub struct NewToken {
    /// The token.
    pub text: String,
    /// The part by which it is found.
    pub id: Arc<str>,
    /// What is kept of it.
    pub digest: TokenDigest,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl NewToken {
    /// Makes a token with an id of its own.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn make() -> Result<Self, NoRandomness> {
        let mut bytes = [0; ID_LENGTH / 2];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::of(id.into())
    }

    /// Makes another token of an id.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn of(id: Arc<str>) -> Result<Self, NoRandomness> {
        let mut text = format!("{INTEGRATION_PREFIX}{id}_{}", random_text()?);
        text += &checksum(&text);
        let digest = digest_of(&text);
        Ok(Self { text, id, digest })
    }
}

fn checksum(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&digest_of(text)[..CHECKSUM])
}

/// The id in a token, when that is whole.
fn id_in(token: &str) -> Option<&str> {
    let (id, secret) = token.strip_prefix(INTEGRATION_PREFIX)?.split_at_checked(ID_LENGTH)?;
    let secret = secret.strip_prefix('_')?;
    // What is found by it is found by this spelling alone.
    let is_id = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let body = token.len().checked_sub(CHECKSUM * 4 / 3)?;
    let (body, sum) = token.split_at_checked(body)?;
    let is_whole = secret.len() == SECRET_LENGTH + sum.len() && checksum(body) == sum;
    (is_id && is_whole).then_some(id)
}

/// Knows callers by their integration tokens.
pub struct Integration {
    scheme: Arc<str>,
    tokens: Arc<dyn IntegrationTokens>,
    remember: Duration,
    /// By the digest of the whole token. Only good ones are here.
    good: Cache<(Arc<str>, Caller)>,
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integration").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Integration {
    /// Takes these tokens, under the name of a scheme. A good one is not looked up again for as long
    /// as `remember` says: as soon is one without effect that is taken back.
    pub fn new(
        scheme: impl Into<Arc<str>>,
        tokens: Arc<dyn IntegrationTokens>,
        remember: Duration,
    ) -> Self {
        Self { scheme: scheme.into(), tokens, remember, good: Cache::new(REMEMBERED) }
    }

    /// Who the bearer of a token is; `None` when it is no integration token of this deployment.
    pub(crate) fn verify(&self, token: &str) -> Option<Verified> {
        let id = id_in(token)?;
        let (digest, now, at) = (digest_of(token), Instant::now(), Timestamp::now());
        if let Some((id, caller)) = self.good.get(&digest, now)
            && caller.expires.is_none_or(|end| at < end)
        {
            self.tokens.note_use(&id, at);
            return Some(Ok(caller));
        }
        let known = match self.tokens.find(id) {
            Ok(known) => known?,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot look an integration token up");
                return Some(Err(Failure::Unavailable));
            }
        };
        let verified = self.judge(&known, &digest, at);
        if let Ok(caller) = &verified {
            self.tokens.note_use(&known.id, at);
            self.good.put(digest, (known.id, caller.clone()), now + self.remember, now);
        }
        Some(verified)
    }

    /// Whether a token is one of this deployment, good or not; when nobody can tell, it may be.
    pub(crate) fn is_own(&self, token: &str) -> bool {
        let known = id_in(token).map(|id| self.tokens.find(id));
        known.is_some_and(|known| !matches!(known, Ok(None)))
    }

    /// What is known of a token by its id, held against the digest of the whole.
    fn judge(&self, known: &IntegrationToken, digest: &TokenDigest, at: Timestamp) -> Verified {
        let is = |known: &TokenDigest| Kept(*known).is(digest);
        let earlier = known.earlier.as_ref().filter(|(known, _)| is(known));
        let until = match (is(&known.digest), earlier) {
            (true, _) => None,
            (false, Some((_, until))) => Some(*until),
            (false, None) => return Err(Failure::Invalid("not the secret of its id")),
        };
        if known.revoked_at.is_some() {
            return Err(Failure::Invalid("revoked"));
        }
        let expires = [known.expires_at, until].into_iter().flatten().min();
        if expires.is_some_and(|end| end <= at) {
            return Err(Failure::Invalid("over"));
        }
        Ok(Caller {
            scopes: known.scopes.clone(),
            agents: known.agents.clone(),
            scheme: self.scheme.clone(),
            expires,
            ..Caller::new(known.tenant.clone(), known.subject.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures::executor::block_on;
    use legation_core::store::StoreError;
    use legation_core::{Scopes, Standing};
    use legation_model::ErrorKind;
    use parking_lot::Mutex;

    use super::*;
    use crate::chain::{Chain, Scheme, Verifier};
    use crate::tests::Head;
    use crate::{Attempts, Carrier, Token, Tokens};

    /// Tokens in memory, which counts how often it is asked.
    #[derive(Default)]
    struct Memory {
        tokens: Mutex<HashMap<String, IntegrationToken>>,
        asked: Mutex<u32>,
        used: Mutex<u32>,
        is_away: Mutex<bool>,
    }

    impl IntegrationTokens for Memory {
        fn find(&self, id: &str) -> Result<Option<IntegrationToken>, StoreError> {
            *self.asked.lock() += 1;
            if *self.is_away.lock() {
                return Err(StoreError::unavailable("away"));
            }
            Ok(self.tokens.lock().get(id).cloned())
        }

        fn note_use(&self, _id: &Arc<str>, _at: Timestamp) {
            *self.used.lock() += 1;
        }
    }

    fn known(new: &NewToken) -> IntegrationToken {
        IntegrationToken {
            id: new.id.clone(),
            name: "ci".into(),
            tenant: "acme".into(),
            subject: "key:ci".into(),
            scopes: Scopes::Only(["read".into()].into()),
            agents: Some(["a".into()].into()),
            created_at: Timestamp::now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            digest: new.digest,
            earlier: None,
        }
    }

    fn in_time(millis: i64) -> Timestamp {
        Timestamp::from_millis(Timestamp::now().as_millis() + millis).expect("in range")
    }

    fn chain(memory: &Arc<Memory>, remember: Duration) -> Chain {
        let integration = Integration::new("integration", memory.clone(), remember);
        let verifier = Verifier::Integration(integration);
        Chain::new(vec![Scheme::new("integration", Carrier::Bearer, verifier)], Attempts::default())
    }

    #[test]
    fn a_token_is_whole_or_none() {
        let made = NewToken::make().expect("random bytes");
        assert_eq!(made.text.len(), INTEGRATION_PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH + 4);
        assert_eq!(id_in(&made.text), Some(&*made.id));
        let other = NewToken::of(made.id.clone()).expect("random bytes");
        assert!(other.text != made.text && id_in(&other.text) == Some(&*made.id));
        let text = &made.text;
        let flipped = |at: usize| {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            String::from_utf8(bytes).expect("ASCII")
        };
        let mut wrong: Vec<String> = (0..text.len()).map(flipped).collect();
        wrong.extend([
            String::new(),
            "lgk_".into(),
            format!("{text}a"),
            text[..text.len() - 1].to_owned(),
            text.replace("lgk_", "lgn_"),
            text.to_uppercase(),
            format!("lgk_{}", "é".repeat(40)),
        ]);
        for wrong in wrong {
            assert_eq!(id_in(&wrong), None, "{wrong}");
        }
        assert!(!format!("{made:?}").contains(&text[21..]));
    }

    #[test]
    fn what_is_kept_decides() {
        let new = NewToken::make().expect("random bytes");
        let [old, other] = [NewToken::of(new.id.clone()), NewToken::make()];
        let (old, other) = (old.expect("random bytes"), other.expect("random bytes"));
        let now = Timestamp::now();
        let base = || known(&new);
        let earlier = |until| Some((old.digest, until));
        let cases = [
            (base(), &new, true),
            (base(), &old, false),
            (base(), &other, false),
            (IntegrationToken { revoked_at: Some(now), ..base() }, &new, false),
            (IntegrationToken { expires_at: Some(now), ..base() }, &new, false),
            (IntegrationToken { expires_at: Some(in_time(60_000)), ..base() }, &new, true),
            (IntegrationToken { earlier: earlier(in_time(60_000)), ..base() }, &old, true),
            (IntegrationToken { earlier: earlier(in_time(60_000)), ..base() }, &new, true),
            (IntegrationToken { earlier: earlier(now), ..base() }, &old, false),
            (
                IntegrationToken {
                    earlier: earlier(in_time(60_000)),
                    revoked_at: Some(now),
                    ..base()
                },
                &old,
                false,
            ),
        ];
        for (number, (kept, sent, good)) in cases.into_iter().enumerate() {
            let memory = Arc::new(Memory::default());
            memory.tokens.lock().insert(new.id.to_string(), kept);
            match Head::bearer(&sent.text).to(&chain(&memory, Duration::ZERO)) {
                Ok(caller) => {
                    assert!(good, "{number}");
                    assert_eq!((&*caller.tenant, &*caller.subject), ("acme", "key:ci"));
                    assert_eq!(&*caller.scheme, "integration");
                    assert!(caller.scopes.has("read") && !caller.scopes.has("send"));
                    assert_eq!(caller.agents.as_deref(), Some(&["a".into()][..]));
                }
                Err(refused) => {
                    assert!(!good, "{number}");
                    assert_eq!(refused.error.kind, ErrorKind::Unauthenticated, "{number}");
                    assert!(refused.challenges[0].text.contains("invalid_token"));
                }
            }
            assert_eq!(*memory.used.lock(), u32::from(good), "{number}");
        }
    }

    #[test]
    fn a_good_token_is_remembered_for_a_while_only_and_within_its_life() {
        let token = NewToken::make().expect("random bytes");
        let memory = Arc::new(Memory::default());
        memory.tokens.lock().insert(token.id.to_string(), known(&token));
        let passes = |chain: &Chain| Head::bearer(&token.text).to(chain).is_ok();
        let (short, long) =
            (chain(&memory, Duration::from_millis(50)), chain(&memory, Duration::from_secs(60)));
        for _ in 0..3 {
            assert!(passes(&short) && passes(&long));
        }
        assert!(*memory.asked.lock() < 5, "remembered");
        assert_eq!(*memory.used.lock(), 6, "every use is noted");
        let revoked = IntegrationToken { revoked_at: Some(in_time(0)), ..known(&token) };
        memory.tokens.lock().insert(token.id.to_string(), revoked);
        std::thread::sleep(Duration::from_millis(60));
        assert!(!passes(&short), "revoked");
        let ends = IntegrationToken { expires_at: Some(in_time(500)), ..known(&token) };
        memory.tokens.lock().insert(token.id.to_string(), ends);
        let long = chain(&memory, Duration::from_secs(60));
        assert!(passes(&long));
        std::thread::sleep(Duration::from_millis(520));
        assert!(!passes(&long), "over while it was remembered");
    }

    #[test]
    fn a_token_stands_until_it_is_taken_back() {
        type Change = fn(IntegrationToken) -> Option<IntegrationToken>;
        let cases: [(Change, Standing); 6] = [
            (Some, Standing::Good),
            (
                |token| Some(IntegrationToken { last_used_at: Some(in_time(0)), ..token }),
                Standing::Good,
            ),
            (
                |token| Some(IntegrationToken { revoked_at: Some(in_time(0)), ..token }),
                Standing::Ended,
            ),
            (|token| Some(IntegrationToken { digest: [0; 32], ..token }), Standing::Ended),
            (|token| Some(IntegrationToken { agents: None, ..token }), Standing::Ended),
            (|_| None, Standing::Ended),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            let token = NewToken::make().expect("random bytes");
            let memory = Arc::new(Memory::default());
            memory.tokens.lock().insert(token.id.to_string(), known(&token));
            let caller = Head::bearer(&token.text).to(&chain(&memory, Duration::ZERO));
            let caller = caller.expect("a good token");
            assert!(!format!("{caller:?}").contains(&token.text), "it does not show itself");
            let shown = caller.credentials.expect("it may be taken back");
            memory.tokens.lock().remove(&*token.id);
            memory.tokens.lock().extend(change(known(&token)).map(|it| (it.id.to_string(), it)));
            assert_eq!(block_on(shown.clone().standing()), expected, "{number}");
            *memory.is_away.lock() = true;
            assert_eq!(block_on(shown.standing()), Standing::Unknown, "{number}");
        }
    }

    #[test]
    fn who_guesses_has_to_wait_and_does_not_lock_others_out() {
        let token = NewToken::make().expect("random bytes");
        let guess = NewToken::of(token.id.clone()).expect("random bytes");
        let memory = Arc::new(Memory::default());
        memory.tokens.lock().insert(token.id.to_string(), known(&token));
        let chain = chain(&memory, Duration::ZERO);
        let from = |token: &NewToken| {
            let peer = Some([10, 0, 0, 1].into());
            Head { peer, ..Head::bearer(&token.text) }.to(&chain)
        };
        for _ in 0..Attempts::default().count {
            let refused = from(&guess).expect_err("a guess");
            assert_eq!(refused.error.kind, ErrorKind::Unauthenticated);
        }
        let refused = from(&guess).expect_err("a guess too many");
        assert_eq!(refused.error.kind, ErrorKind::RateLimited);
        assert!(from(&token).is_ok());
    }

    #[test]
    fn without_the_store_nobody_is_let_in_and_foreign_tokens_are_left_to_others() {
        const STATIC: &str = "lgk_of-a-static-token-of-32-bytes";
        let (token, foreign) = (NewToken::make(), NewToken::make());
        let [token, foreign] = [token, foreign].map(|token| token.expect("random bytes"));
        let memory = Arc::new(Memory::default());
        memory.tokens.lock().insert(token.id.to_string(), known(&token));
        let of = |text: &str, subject: &str| {
            Token::new(text, Caller::new("t", subject)).expect("no weak token")
        };
        let tokens = Tokens::new(vec![of(&foreign.text, "other"), of(STATIC, "static")]);
        let integration = Integration::new("integration", memory.clone(), Duration::ZERO);
        let schemes = vec![
            Scheme::new("integration", Carrier::Bearer, Verifier::Integration(integration)),
            Scheme::new("bearer", Carrier::Bearer, Verifier::Tokens(tokens)),
        ];
        let chain = Chain::new(schemes, Attempts::default());
        for (text, subject) in [(&*foreign.text, "other"), (STATIC, "static")] {
            let caller = Head::bearer(text).to(&chain).expect("the next scheme's own");
            assert_eq!(&*caller.subject, subject);
        }
        assert_eq!(*memory.asked.lock(), 1, "no lookup for what is no whole token");
        *memory.is_away.lock() = true;
        let refused = Head::bearer(&token.text).to(&chain).expect_err("nobody knows");
        assert_eq!(refused.error.kind, ErrorKind::Unavailable);
    }
}
