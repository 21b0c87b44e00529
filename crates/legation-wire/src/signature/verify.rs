//! What the signatures of a card are worth.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value};

use super::canonical::{NotACard, forms};
use super::set::Known;
use super::{Algorithm, KeySet, strict};

/// Signatures of one card that are looked at.
const MAX_SIGNATURES: usize = 16;

/// What the signatures of a card are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A trusted key signed the card.
    Verified {
        /// Its name.
        key: String,
        /// By which it signed.
        algorithm: Algorithm,
        /// What it is known by (RFC 7638).
        thumbprint: String,
    },
    /// None of the keys that signed it is trusted, or they have expired.
    UnknownKey {
        /// The names that its signatures state.
        keys: Vec<String>,
    },
    /// A trusted key is said to have signed it, and has not.
    BadSignature {
        /// What is wrong.
        reason: String,
    },
    /// There are no signatures.
    Unsigned,
}

/// What one signature is worth.
enum Worth {
    Good { key: String, algorithm: Algorithm, thumbprint: String },
    Unknown(String),
    Bad(String),
}

/// Says what the signatures of a card, as it came, are worth by the keys that are trusted, at a Unix
/// second. One good signature is enough (Spec 8.4.3): each is over the whole card.
///
/// # Errors
/// When it is no card of which everybody sees the same: no JSON object, or with a member twice.
pub fn verify(card: &[u8], keys: &KeySet, now: i64) -> Result<Verdict, NotACard> {
    let card = strict::read(card).map_err(|error| NotACard(error.to_string()))?;
    let forms: Vec<_> = forms(&card)?.into_iter().map(|form| BASE64.encode(form)).collect();
    let signatures = match card.get("signatures") {
        None | Some(Value::Null) => return Ok(Verdict::Unsigned),
        Some(Value::Array(signatures)) if signatures.is_empty() => return Ok(Verdict::Unsigned),
        Some(Value::Array(signatures)) => signatures,
        Some(_) => return Err(NotACard("`signatures` is no list".into())),
    };
    let (mut unknown, mut bad) = (Vec::new(), None);
    for signature in signatures.iter().take(MAX_SIGNATURES) {
        match worth(signature, &forms, keys, now) {
            Worth::Good { key, algorithm, thumbprint } => {
                return Ok(Verdict::Verified { key, algorithm, thumbprint });
            }
            Worth::Unknown(name) => unknown.push(name),
            Worth::Bad(reason) => bad = bad.or(Some(reason)),
        }
    }
    Ok(match bad {
        Some(reason) => Verdict::BadSignature { reason },
        None => Verdict::UnknownKey { keys: unknown },
    })
}

fn worth(signature: &Value, forms: &[String], keys: &KeySet, now: i64) -> Worth {
    let text = |name: &str| signature.get(name).and_then(Value::as_str);
    let (Some(protected), Some(bytes)) = (text("protected"), text("signature")) else {
        return Worth::Bad("a signature lacks `protected` or `signature`".into());
    };
    let (Some(header), Ok(bytes)) = (header(protected), BASE64.decode(bytes)) else {
        return Worth::Bad("a signature is not base64url, or its header is not JSON".into());
    };
    let stated = |name: &str| header.get(name).and_then(Value::as_str);
    // What `crit` lists has to be understood, and there is nothing of the kind (RFC 7515 4.1.11).
    if header.contains_key("crit") {
        return Worth::Bad("a signature has extensions that nobody here knows (`crit`)".into());
    }
    let Some(name) = stated("kid") else {
        return Worth::Bad("a signature does not say whose it is (`kid`)".into());
    };
    let algorithm = stated("alg").unwrap_or_default();
    let Some(algorithm) = Algorithm::of_name(algorithm) else {
        return Worth::Bad(format!(
            "the algorithm `{algorithm}` of the key `{name}` is not allowed"
        ));
    };
    let is_this = |known: &&Known| known.name == name && known.expires.is_none_or(|at| now < at);
    let known: Vec<_> = keys.0.iter().filter(is_this).collect();
    if known.is_empty() {
        return Worth::Unknown(name.to_owned());
    }
    let has_signed = |known: &&Known| {
        let signed = |form: &String| {
            known.key.has_signed(algorithm, format!("{protected}.{form}").as_bytes(), &bytes)
        };
        known.algorithms.contains(&algorithm) && forms.iter().any(signed)
    };
    match known.into_iter().find(has_signed) {
        Some(known) => {
            let thumbprint = known.key.thumbprint();
            Worth::Good { key: name.to_owned(), algorithm, thumbprint }
        }
        None => Worth::Bad(format!("the key `{name}` did not sign this card")),
    }
}

fn header(protected: &str) -> Option<Map<String, Value>> {
    let json = BASE64.decode(protected).ok()?;
    let Ok(Value::Object(header)) = strict::read(&json) else { return None };
    Some(header)
}
