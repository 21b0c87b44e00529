//! Private keys, and the signatures made by them.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use legation_model::{AgentCard, AgentCardSignature};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};

use super::canonical::canonical;
use super::key::Kind;
use super::{Algorithm, PublicKey};

/// The size below which a key of RSA is too weak, in bits.
const LEAST_RSA: usize = 2048;

/// The curves, and how keys on them sign.
const CURVES: [(Kind, &EcdsaSigningAlgorithm); 3] = [
    (Kind::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
    (Kind::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
    (Kind::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
];

/// A private key that signs cards.
pub struct Signer {
    secret: Secret,
    public: PublicKey,
    name: String,
    algorithm: Algorithm,
}

enum Secret {
    Rsa(RsaKeyPair),
    Curve(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a private key cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// There is none.
    #[error("it holds no private key in PEM, or one that is encrypted")]
    NoKey,
    /// It is of a kind that signs nothing here.
    #[error("its key is none of RSA, P-256, P-384, P-521 or Ed25519")]
    Unknown,
    /// It could be broken.
    #[error("its RSA key is shorter than 2048 bits")]
    Weak,
    /// The algorithm is for other keys.
    #[error("its key is not for {}", .0.name())]
    OtherAlgorithm(Algorithm),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, public: _, name, algorithm } = self;
        f.debug_struct("Signer").field("name", name).field("algorithm", algorithm).finish()
    }
}

impl PartialEq for Signer {
    fn eq(&self, other: &Self) -> bool {
        let of = |signer: &Self| (signer.public.clone(), signer.name.clone(), signer.algorithm);
        of(self) == of(other)
    }
}

impl Signer {
    /// Reads a private key in PEM: PKCS#8, PKCS#1 or SEC 1. Without a name it goes by its thumbprint
    /// (RFC 7638); without an algorithm by the first that its kind is for.
    ///
    /// # Errors
    /// When there is no such key, or it is not for the algorithm.
    pub fn from_pem(
        pem: &[u8],
        name: Option<String>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, BadKey> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| BadKey::NoKey)?;
        let secret = Secret::read(&der).ok_or(BadKey::Unknown)?;
        let public = secret.public().ok_or(BadKey::Unknown)?;
        if let Secret::Rsa(pair) = &secret
            && pair.public_modulus_len() * 8 < LEAST_RSA
        {
            return Err(BadKey::Weak);
        }
        let known = public.algorithms();
        let algorithm = algorithm.unwrap_or(known[0]);
        if !known.contains(&algorithm) {
            return Err(BadKey::OtherAlgorithm(algorithm));
        }
        let name = name.unwrap_or_else(|| public.thumbprint());
        Ok(Self { secret, public, name, algorithm })
    }

    /// Makes a private key for an algorithm, in PEM (PKCS#8). One of RSA has 3072 bits.
    pub fn generate(algorithm: Algorithm) -> String {
        const DONE: &str = "keys are made of randomness, which the system has";
        let curve = CURVES.iter().find(|(kind, _)| *kind == algorithm.kind());
        let der = match (algorithm.kind(), curve) {
            (_, Some((_, curve))) => {
                let pair = EcdsaKeyPair::generate(curve).expect(DONE);
                pair.to_pkcs8v1().expect(DONE).as_ref().to_vec()
            }
            (Kind::Rsa, None) => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).expect(DONE);
                pair.as_der().expect(DONE).as_ref().to_vec()
            }
            (_, None) => {
                let pair = Ed25519KeyPair::generate().expect(DONE);
                // The first edition of PKCS#8 is the one that everybody reads.
                pair.to_pkcs8v1().expect(DONE).as_ref().to_vec()
            }
        };
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let lines = lines.join("\n");
        format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
    }

    /// The name by which signatures say which key it was.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By which it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What others verify by.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public key as a JWK.
    pub(super) fn jwk(&self) -> Map<String, Value> {
        let mut jwk = self.public.jwk();
        jwk.insert("kid".into(), json!(self.name));
        jwk.insert("alg".into(), json!(self.algorithm.name()));
        jwk.insert("use".into(), json!("sig"));
        jwk
    }

    /// Signs the members of 1.0 of a card, whatever signatures it has already.
    pub fn sign(&self, card: &AgentCard) -> AgentCardSignature {
        let card = serde_json::to_value(card).expect("cards have text keys only");
        self.sign_payload(&canonical(&card).expect("a card of the model is one"))
    }

    pub(super) fn sign_payload(&self, payload: &[u8]) -> AgentCardSignature {
        let header = json!({"alg": self.algorithm.name(), "kid": self.name, "typ": "JOSE"});
        let protected = BASE64.encode(header.to_string());
        let text = format!("{protected}.{}", BASE64.encode(payload));
        let signature = BASE64.encode(self.secret.sign(self.algorithm, text.as_bytes()));
        AgentCardSignature { protected, signature, header: None }
    }
}

impl Secret {
    fn read(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let bytes = der.secret_der();
        let mut curves = CURVES.iter();
        match der {
            PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(bytes).ok().map(Self::Rsa),
            PrivateKeyDer::Sec1(_) => {
                let pair = curves
                    .find_map(|(_, curve)| EcdsaKeyPair::from_private_key_der(curve, bytes).ok());
                pair.map(Self::Curve)
            }
            PrivateKeyDer::Pkcs8(_) => {
                let curve =
                    curves.find_map(|(_, curve)| EcdsaKeyPair::from_pkcs8(curve, bytes).ok());
                let edwards = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).ok();
                let rsa = || RsaKeyPair::from_pkcs8(bytes).ok();
                let curve = curve.map(Self::Curve);
                curve.or_else(|| edwards().map(Self::Ed25519)).or_else(|| rsa().map(Self::Rsa))
            }
            _ => None,
        }
    }

    fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Rsa(pair) => {
                Some(PublicKey::new(Kind::Rsa, rsa_parts(pair.public_key().as_ref())?))
            }
            Self::Curve(pair) => {
                let (kind, _) = CURVES.iter().find(|(_, curve)| *curve == pair.algorithm())?;
                PublicKey::of_point(*kind, pair.public_key().as_ref())
            }
            Self::Ed25519(pair) => {
                Some(PublicKey::new(Kind::Ed25519, vec![pair.public_key().as_ref().to_vec()]))
            }
        }
    }

    fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
        const SIGNS: &str = "the key was checked to be for the algorithm";
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let done =
                    pair.sign(padding(algorithm), &SystemRandom::new(), text, &mut signature);
                done.expect(SIGNS);
                signature
            }
            Self::Curve(pair) => {
                pair.sign(&SystemRandom::new(), text).expect(SIGNS).as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
        }
    }
}

fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Rs256
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::Es512
        | Algorithm::EdDsa => &RSA_PKCS1_SHA256,
    }
}

/// The two numbers of an `RSAPublicKey` (RFC 8017 A.1.1), without leading zeros.
fn rsa_parts(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (inner, _) = element(0x30, der)?;
    let (modulus, rest) = element(0x02, inner)?;
    let (exponent, _) = element(0x02, rest)?;
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    };
    Some(vec![number(modulus), number(exponent)])
}

/// What an element of DER holds, and what is behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    // The seven lower bits are the length, or how many bytes it has.
    let long = usize::from(length & 0x7f);
    let (length, rest) = if length < 0x80 {
        (long, rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(long)?;
        (
            bytes.iter().try_fold(0_usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add(usize::from(*byte))
            })?,
            rest,
        )
    };
    (*found == tag).then(|| rest.split_at_checked(length)).flatten()
}
