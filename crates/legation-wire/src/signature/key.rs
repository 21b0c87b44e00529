//! Public keys, as JWK have them (RFC 7517, RFC 7518 6, RFC 8037 2).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};

use super::Algorithm;

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// The modulus and the exponent of RSA, the coordinates of a point, or the bytes of Ed25519.
    parts: Vec<Vec<u8>>,
}

/// How a verification goes.
enum How {
    Rsa(&'static RsaParameters),
    Other(&'static dyn VerificationAlgorithm),
}

impl Kind {
    /// `kty`, `crv`, and the names of the parts with the length that each must have.
    const fn row(self) -> (&'static str, Option<&'static str>, &'static [(&'static str, usize)]) {
        match self {
            Self::Rsa => ("RSA", None, &[("n", 0), ("e", 0)]),
            Self::P256 => ("EC", Some("P-256"), &[("x", 32), ("y", 32)]),
            Self::P384 => ("EC", Some("P-384"), &[("x", 48), ("y", 48)]),
            Self::P521 => ("EC", Some("P-521"), &[("x", 66), ("y", 66)]),
            Self::Ed25519 => ("OKP", Some("Ed25519"), &[("x", 32)]),
        }
    }
}

impl PublicKey {
    pub(super) fn new(kind: Kind, parts: Vec<Vec<u8>>) -> Self {
        Self { kind, parts }
    }

    /// The key of an uncompressed point (SEC 1 2.3.3).
    pub(super) fn of_point(kind: Kind, point: &[u8]) -> Option<Self> {
        let (4, coordinates) = point.split_first()? else { return None };
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Some(Self::new(kind, vec![x.to_vec(), y.to_vec()]))
    }

    /// Reads a JWK; none when it is of a kind that signs nothing here.
    pub(super) fn of_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let kinds = [Kind::Rsa, Kind::P256, Kind::P384, Kind::P521, Kind::Ed25519];
        let is_this = |kind: &Kind| {
            text("kty") == Some(kind.row().0)
                && (kind.row().1.is_none() || text("crv") == kind.row().1)
        };
        let kind = kinds.into_iter().find(is_this)?;
        let part = |(name, length): &(&str, usize)| {
            let bytes = BASE64.decode(text(name)?).ok()?;
            (!bytes.is_empty() && (*length == 0 || bytes.len() == *length)).then_some(bytes)
        };
        let parts = kind.row().2.iter().map(part).collect::<Option<_>>()?;
        Some(Self::new(kind, parts))
    }

    /// The members of its JWK by which it is the key that it is (RFC 7638 3.2).
    pub(super) fn jwk(&self) -> Map<String, Value> {
        let (kty, crv, names) = self.kind.row();
        let mut jwk = Map::new();
        jwk.insert("kty".into(), json!(kty));
        if let Some(crv) = crv {
            jwk.insert("crv".into(), json!(crv));
        }
        for ((name, _), part) in names.iter().zip(&self.parts) {
            jwk.insert((*name).into(), json!(BASE64.encode(part)));
        }
        jwk
    }

    /// What the key is known by: the SHA-256 over its JWK (RFC 7638), base64url.
    pub fn thumbprint(&self) -> String {
        let json = serde_json_canonicalizer::to_vec(&self.jwk()).expect("texts are JSON");
        BASE64.encode(digest(&SHA256, &json))
    }

    /// The algorithms that it is for.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        Algorithm::ALL.into_iter().filter(|algorithm| algorithm.kind() == self.kind).collect()
    }

    /// Whether its owner signed this text. An algorithm of another kind of key never did.
    pub(super) fn has_signed(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        if algorithm.kind() != self.kind {
            return false;
        }
        match (how(algorithm), &self.parts[..]) {
            (How::Rsa(parameters), [n, e]) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, text, signature).is_ok()
            }
            (How::Other(algorithm), [x, y]) => {
                let point = [&[4], &x[..], &y[..]].concat();
                UnparsedPublicKey::new(algorithm, point).verify(text, signature).is_ok()
            }
            (How::Other(algorithm), [x]) => {
                UnparsedPublicKey::new(algorithm, x).verify(text, signature).is_ok()
            }
            _ => false,
        }
    }
}

fn how(algorithm: Algorithm) -> How {
    match algorithm {
        Algorithm::Rs256 => How::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => How::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => How::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => How::Rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => How::Rsa(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => How::Rsa(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 => How::Other(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => How::Other(&ECDSA_P384_SHA384_FIXED),
        Algorithm::Es512 => How::Other(&ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDsa => How::Other(&ED25519),
    }
}
