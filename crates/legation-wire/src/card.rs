//! The forms of an agent card, one for each generation of readers.
//!
//! The model's card is 1.0's. A reader of 0.3 or 0.2 needs other members; most of these can stand
//! beside those of 1.0 in one document, which then serves everybody.

mod older;
mod patch;
mod read;
mod scheme;

use legation_model::{A2aError, AgentCard};

use crate::percent;
use crate::version::Version;

pub use patch::{BadMember, patch};
pub use read::{Finding, NoCard, Reading, read};

/// The query parameter that chooses a form.
pub const PROFILE: &str = "profile";

/// A form of a card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CardForm {
    /// The members of 0.3 and of 1.0 side by side.
    #[default]
    Hybrid,
    /// 1.0 and nothing else.
    V1_0,
    /// 0.3 and nothing else.
    V0_3,
    /// 0.2, with the members by which readers of 0.1 see how to authenticate.
    V0_2,
}

impl CardForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Hybrid, Self::V1_0, Self::V0_3, Self::V0_2];

    /// The name of the form in [`PROFILE`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::V1_0 => "v1",
            Self::V0_3 => "v0.3",
            Self::V0_2 => "v0.2",
        }
    }

    /// The form that a query asks for by name.
    ///
    /// # Errors
    /// `InvalidParams` when there is no form of that name.
    pub fn of_query(query: &str) -> Result<Option<Self>, A2aError> {
        let mut pairs = percent::pairs(query).flatten();
        let Some((_, name)) = pairs.find(|(name, _)| name == PROFILE) else { return Ok(None) };
        let form = Self::ALL.into_iter().find(|form| form.name() == name);
        form.map(Some).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            A2aError::invalid(PROFILE, format!("must be one of {names}"))
        })
    }

    /// The form for readers of a version.
    pub const fn of_version(version: Version) -> Self {
        match version {
            Version::V1_0 => Self::V1_0,
            Version::V0_3 => Self::V0_3,
            Version::V0_2 | Version::V0_1 => Self::V0_2,
        }
    }
}

/// Writes a card in a form.
pub fn write(card: &AgentCard, form: CardForm) -> Vec<u8> {
    let written = match form {
        CardForm::V1_0 => serde_json::to_vec(card),
        CardForm::Hybrid | CardForm::V0_3 | CardForm::V0_2 => {
            serde_json::to_vec(&older::Card::of(card, form))
        }
    };
    written.expect("cards have text keys only")
}

/// Writes a card again, which is written in 1.0, in another form.
///
/// # Errors
/// When it is no card of 1.0.
pub(crate) fn rewrite(document: &[u8], form: CardForm) -> serde_json::Result<Vec<u8>> {
    Ok(write(&serde_json::from_slice(document)?, form))
}

/// Writes a card again, which is written in 1.0, as the protobuf JSON of 0.3: its card, where all
/// that is said of security goes by the names of 1.0.
///
/// # Errors
/// When it is no card of 1.0.
pub(crate) fn rewrite_proto(document: &[u8]) -> serde_json::Result<Vec<u8>> {
    let card: AgentCard = serde_json::from_slice(document)?;
    let mut written = serde_json::to_value(older::Card::of(&card, CardForm::V0_3))?;
    written["securitySchemes"] = serde_json::to_value(&card.security_schemes)?;
    written["security"] = serde_json::to_value(&card.security_requirements)?;
    if let Some(skills) = written["skills"].as_array_mut() {
        for (written, skill) in skills.iter_mut().zip(&card.skills) {
            written["security"] = serde_json::to_value(&skill.security_requirements)?;
        }
    }
    serde_json::to_vec(&written)
}

/// A way to call an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    /// How calls are carried.
    pub binding: Binding,
    /// What version they are in.
    pub version: Version,
}

/// How calls are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// JSON-RPC.
    JsonRpc,
    /// HTTP+JSON, which is REST. The paths of 0.3 begin with `/v1/` below the interface's URL.
    HttpJson,
    /// gRPC, where each version has a package of its own.
    Grpc,
}

impl Interface {
    /// Those that cards list by default, the preferred one first.
    pub const DEFAULT: [Self; 6] = [
        Self { binding: Binding::JsonRpc, version: Version::V1_0 },
        Self { binding: Binding::HttpJson, version: Version::V1_0 },
        Self { binding: Binding::Grpc, version: Version::V1_0 },
        Self { binding: Binding::JsonRpc, version: Version::V0_3 },
        Self { binding: Binding::HttpJson, version: Version::V0_3 },
        Self { binding: Binding::Grpc, version: Version::V0_3 },
    ];
}

impl Binding {
    /// Every binding.
    pub const ALL: [Self; 3] = [Self::JsonRpc, Self::HttpJson, Self::Grpc];

    /// The name on cards.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonRpc => "JSONRPC",
            Self::HttpJson => "HTTP+JSON",
            Self::Grpc => "GRPC",
        }
    }

    /// The binding with this name on cards.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

#[cfg(test)]
mod tests;
