//! Checks that may fail, each with the reason why.

use std::collections::HashMap;

use anyhow::{Context, ensure};

/// Reasons by the id of the check.
pub(crate) struct Allowed(HashMap<&'static str, &'static str>);

impl Allowed {
    /// Reads a list.
    ///
    /// # Errors
    /// When a line gives no reason or a check stands there twice.
    pub(crate) fn parse(text: &'static str) -> anyhow::Result<Self> {
        let mut reasons = HashMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let parted = line.split_once(" # ");
            let (id, reason) = parted.with_context(|| format!("no reason in `{line}`"))?;
            ensure!(reasons.insert(id.trim_end(), reason).is_none(), "`{id}` is there twice");
        }
        Ok(Self(reasons))
    }

    /// Returns why the check may fail, if it may.
    pub(crate) fn reason(&self, id: &str) -> Option<&str> {
        self.0.get(id).copied()
    }

    /// Returns which checks may fail.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_check_and_a_reason() {
        let allowed = Allowed::parse("# words\n\na::b[c] # because\n").unwrap();
        assert_eq!(allowed.reason("a::b[c]"), Some("because"));
        assert_eq!(allowed.reason("a::b"), None);
        assert!(Allowed::parse("a::b[c]").is_err());
        assert!(Allowed::parse("a # b\na # c").is_err());
    }
}
