//! Webhooks: what an agent posts to whoever wants to be told (Spec 4.3.3), in every version, and how the
//! receiver knows that it is the agent.
//!
//! Until 1.0 nothing said what is posted; the SDKs post the task. Who posts is known by the token of the
//! configuration, for which there are two spellings of a header, by the credentials that the
//! configuration asks for, and by a signature: HMAC-SHA256, with a secret that both sides know, over the
//! time, a full stop and the body.

use std::time::Duration;

use aws_lc_rs::hmac;
use legation_model::StreamResponse;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answer::Answer;
use crate::reply::Streamed;
use crate::v0_3::{self, Form};

/// The headers in which the token stands: what the SDKs for Python, Java and JavaScript send, and what those
/// for Rust and Go send.
pub const TOKEN: [&str; 2] = ["x-a2a-notification-token", "a2a-notification-token"];
/// The header of the signature: `sha256=` and 64 digits.
pub const SIGNATURE: &str = "x-a2a-signature";
/// The header of the time that is signed, in seconds since 1970.
pub const SIGNATURE_TIMESTAMP: &str = "x-a2a-signature-timestamp";

const ALGORITHM: &str = "sha256=";

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It is not written as one.
    #[error("the signature is not `sha256=` and 64 hexadecimal digits")]
    Form,
    /// The time that is signed is none.
    #[error("the signed time is not a number of seconds since 1970")]
    Time,
    /// It may be a repetition of what was sent long ago, or one of the clocks is wrong.
    #[error("the signed time is too far from now")]
    Stale,
    /// Somebody else has written this, or to somebody else.
    #[error("the signature is not of this secret, this time and this body")]
    Forged,
}

/// Signs a body at a time, in seconds since 1970: the value of [`SIGNATURE`].
pub fn sign(secret: &[u8], time: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(time.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let digits =
        context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{ALGORITHM}{digits}")
}

/// Checks that whoever knows the secret has signed this body, and not longer ago than the tolerance.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    secret: &[u8],
    signature: &str,
    timestamp: &str,
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), BadSignature> {
    let time: u64 = timestamp.parse().map_err(|_| BadSignature::Time)?;
    let digits = signature.strip_prefix(ALGORITHM).ok_or(BadSignature::Form)?.as_bytes();
    if digits.len() != 64 {
        return Err(BadSignature::Form);
    }
    let mut tag = [0; 32];
    for (byte, pair) in tag.iter_mut().zip(digits.chunks(2)) {
        let pair = str::from_utf8(pair).map_err(|_| BadSignature::Form)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| BadSignature::Form)?;
    }
    let signed = [time.to_string().as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, &signed, &tag).map_err(|_| BadSignature::Forged)?;
    // After the signature, so that a stranger learns nothing of this clock.
    if now.abs_diff(time) > tolerance.as_secs() {
        return Err(BadSignature::Stale);
    }
    Ok(())
}

/// Reads what an agent posts, of whatever version: one item of a stream, or the task. An agent of 0.1 may
/// tell of an artifact and of the status behind it at once.
///
/// # Errors
/// When it is none of these, with where.
pub fn read(body: &[u8]) -> serde_json::Result<Vec<StreamResponse>> {
    #[derive(Deserialize)]
    #[serde(expecting = "an event or a task")]
    struct Clues {
        kind: Option<IgnoredAny>,
        artifact: Option<IgnoredAny>,
        #[serde(rename = "final")]
        is_final: Option<IgnoredAny>,
    }
    if let Ok(Streamed(item)) = serde_json::from_slice(body) {
        return Ok(vec![item]);
    }
    let clues: Clues = serde_json::from_slice(body)?;
    // A status that names no kind is a task's own, unless it is said to be an event.
    if clues.kind.is_some() || clues.artifact.is_some() || clues.is_final.is_some() {
        return v0_3::read_items(Form::Json, body);
    }
    v0_3::read_answer(Form::Json, Answer::SentTask, body).map(|item| vec![item])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_secret_time_and_body() {
        let signature = sign(b"secret", 1_700_000_000, b"{}");
        // By another implementation: openssl dgst -sha256 -hmac secret, of `1700000000.{}`.
        assert_eq!(
            signature,
            "sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
        let flipped = signature.replace(&signature[10..11], "x");
        let cases = [
            ("secret", &*signature, "1700000000", "{}", 1_700_000_000, Ok(())),
            ("secret", &*signature, "1700000000", "{}", 1_700_000_300, Ok(())),
            ("secret", &*signature, "1700000000", "{}", 1_699_999_700, Ok(())),
            ("secret", &*signature, "1700000000", "{}", 1_700_000_301, Err(BadSignature::Stale)),
            ("secret", &*signature, "1700000000", "{}", 1_699_999_699, Err(BadSignature::Stale)),
            ("Secret", &*signature, "1700000000", "{}", 1_700_000_000, Err(BadSignature::Forged)),
            ("secret", &*signature, "1700000001", "{}", 1_700_000_000, Err(BadSignature::Forged)),
            ("secret", &*signature, "1700000000", "[]", 1_700_000_000, Err(BadSignature::Forged)),
            ("secret", &*signature, "soon", "{}", 1_700_000_000, Err(BadSignature::Time)),
            ("secret", &*flipped, "1700000000", "{}", 1_700_000_000, Err(BadSignature::Form)),
            ("secret", &signature[7..], "1700000000", "{}", 1_700_000_000, Err(BadSignature::Form)),
            ("secret", "sha256=00", "1700000000", "{}", 1_700_000_000, Err(BadSignature::Form)),
        ];
        for (secret, signature, time, body, now, expected) in cases {
            let tolerance = Duration::from_secs(300);
            let got = verify(secret.as_bytes(), signature, time, body.as_bytes(), now, tolerance);
            assert_eq!(got, expected, "{secret} {signature} {time} {body} {now}");
        }
    }

    #[test]
    fn what_every_version_posts_is_read() {
        let cases = [
            r#"{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}"#,
            r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#,
            r#"{"id":"t","contextId":"c","kind":"task","status":{"state":"completed"},"artifacts":[]}"#,
            r#"{"id":"t","contextId":"c","status":{"state":"completed"}}"#,
            r#"{"taskId":"t","contextId":"c","kind":"status-update","status":{"state":"working"},"final":false}"#,
            r#"{"id":"t","status":{"state":"completed"},"final":true}"#,
            r#"{"id":"t","artifact":{"parts":[{"type":"text","text":"x"}],"index":0}}"#,
            r#"{"task":{"id":"t","status":{"state":"completed"}}}"#,
            r#"{"hello":"world"}"#,
            "[]",
            "",
        ];
        let got = cases.map(|body| match read(body.as_bytes()) {
            Ok(items) => serde_json::to_string(&items).expect("the model is JSON"),
            Err(error) => error.to_string(),
        });
        insta::assert_snapshot!(got.join("\n"));
    }
}
