//! Slugs: what agents are called in addresses.

/// The most letters that a slug has, as of a label in a host name.
const MAX: usize = 63;

/// What leads elsewhere beside the agents, below `/a2a/`.
const RESERVED: [&str; 2] = ["agents", "callback"];

/// Why a text is not the slug of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSlug {
    /// There is nothing to make a slug of.
    #[error("there is no letter a-z and no digit in it; give the agent a slug")]
    Empty,
    /// It is longer than a slug may be.
    #[error("a slug has at most {MAX} letters; give the agent a shorter one")]
    Long,
    /// It holds something else than slugs do.
    #[error("a slug has lower-case letters a-z, digits, and hyphens between them")]
    Form,
    /// It is the name of a path of the server.
    #[error("the name is reserved for a path of the server; give the agent another slug")]
    Reserved,
}

/// Makes a slug of a role or of another name for people.
///
/// ```
/// assert_eq!(legation_core::slug("Data Analyst").as_deref(), Ok("data-analyst"));
/// ```
///
/// # Errors
/// When what comes out cannot stand in an address.
pub fn slug(name: &str) -> Result<String, BadSlug> {
    let slug = hyphenated(name);
    check(&slug).map(|()| slug)
}

/// The words of a name in lower case, joined by hyphens.
pub(crate) fn hyphenated(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// # Errors
/// When the text is not a slug.
pub(crate) fn check(slug: &str) -> Result<(), BadSlug> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    match slug {
        "" => Err(BadSlug::Empty),
        slug if slug.len() > MAX => Err(BadSlug::Long),
        slug if !slug.bytes().all(is_allowed) => Err(BadSlug::Form),
        slug if slug.starts_with('-') || slug.ends_with('-') => Err(BadSlug::Form),
        slug if RESERVED.contains(&slug) => Err(BadSlug::Reserved),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_become_slugs() {
        let cases = [
            ("Data Analyst", Ok("data-analyst")),
            ("  R&D / Lead #2 ", Ok("r-d-lead-2")),
            ("Analyste de données", Ok("analyste-de-donn-es")),
            ("42", Ok("42")),
            ("数据分析师", Err(BadSlug::Empty)),
            ("", Err(BadSlug::Empty)),
            ("Agents", Err(BadSlug::Reserved)),
        ];
        for (role, expected) in cases {
            assert_eq!(slug(role).as_deref(), expected.as_ref().map(|slug| *slug), "{role}");
        }
        assert!(slug(&"a".repeat(MAX)).is_ok());
        assert_eq!(slug(&"a".repeat(MAX + 1)), Err(BadSlug::Long));
    }

    #[test]
    fn slugs_are_checked() {
        let cases = [
            ("data-analyst", Ok(())),
            ("a", Ok(())),
            ("7", Ok(())),
            ("Data", Err(BadSlug::Form)),
            ("a b", Err(BadSlug::Form)),
            ("a_b", Err(BadSlug::Form)),
            ("a--b", Ok(())),
            ("-a", Err(BadSlug::Form)),
            ("a-", Err(BadSlug::Form)),
            ("a/b", Err(BadSlug::Form)),
            (".well-known", Err(BadSlug::Form)),
            ("callback", Err(BadSlug::Reserved)),
            ("agents", Err(BadSlug::Reserved)),
            ("tasks", Ok(())),
        ];
        for (slug, expected) in cases {
            assert_eq!(check(slug), expected, "{slug}");
        }
    }
}
