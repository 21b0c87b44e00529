//! The algorithms of signatures (RFC 7518 3.1, RFC 8037 3.1). There is none that is symmetric: whoever
//! could verify by such a key could sign as well.

use super::key::Kind;

/// An algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm; the first of a kind of key is the one that is taken when none is named.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The name in `alg`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The algorithm of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The kind of key that it is for.
    pub(super) const fn kind(self) -> Kind {
        self.row().1
    }

    const fn row(self) -> (&'static str, Kind) {
        match self {
            Self::Rs256 => ("RS256", Kind::Rsa),
            Self::Rs384 => ("RS384", Kind::Rsa),
            Self::Rs512 => ("RS512", Kind::Rsa),
            Self::Ps256 => ("PS256", Kind::Rsa),
            Self::Ps384 => ("PS384", Kind::Rsa),
            Self::Ps512 => ("PS512", Kind::Rsa),
            Self::Es256 => ("ES256", Kind::P256),
            Self::Es384 => ("ES384", Kind::P384),
            Self::Es512 => ("ES512", Kind::P521),
            Self::EdDsa => ("EdDSA", Kind::Ed25519),
        }
    }
}
