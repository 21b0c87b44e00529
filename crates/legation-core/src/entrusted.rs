//! What a request carries that its agent is let see.

use std::fmt;

/// Headers of a caller's request that the operator lets through to an agent, such as credentials
/// for what the agent does on the caller's behalf. See [`Agent::entrusted`](crate::Agent::entrusted).
///
/// They are kept in memory alone, and only while somebody may need them: not in the store, and what
/// prints them prints their names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entrusted(Vec<(String, String)>);

impl Entrusted {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in lower case, each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// What of this goes by one of these names.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        self.0.iter().filter(|(name, _)| names.contains(name)).cloned().collect()
    }
}

impl FromIterator<(String, String)> for Entrusted {
    /// Takes names in lower case with their values.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(headers: T) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl fmt::Debug for Entrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
