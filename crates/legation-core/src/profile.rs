//! How an agent presents itself.

use std::sync::Arc;

use legation_model::{AgentProvider, AgentSkill};

use crate::slug::{self, BadSlug};
use crate::{Access, Names};

/// How an agent presents itself on its card.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The name in addresses: lower-case letters, digits and hyphens.
    pub slug: Arc<str>,
    /// A name for people.
    pub name: String,
    /// What the agent does.
    pub description: String,
    /// The version of the agent.
    pub version: String,
    /// Who offers it.
    pub provider: Option<AgentProvider>,
    /// What it can do.
    pub skills: Vec<AgentSkill>,
    /// Media types it takes; `*/*` for any.
    pub input_modes: Vec<String>,
    /// Media types it gives.
    pub output_modes: Vec<String>,
    /// How many messages it works on at once, at least one; others wait, first come, first served.
    /// As many as the service allows in all when absent.
    pub concurrency: Option<usize>,
    /// Where the answer of a task is to be found.
    pub answer_in: AnswerIn,
    /// Whether calls pass that do not ask for a required extension: some clients cannot.
    pub lenient_extensions: bool,
    /// The names of the schemes by which its callers may be known; `None` for all there are.
    pub schemes: Option<Names>,
    /// Which of the skills are for whom, and which more there are.
    pub access: Access,
    /// What the card says otherwise: a JSON merge patch (RFC 7386) over the A2A 1.0 card that is
    /// made of all the rest. It is checked when the server starts.
    pub card: serde_json::Map<String, serde_json::Value>,
}

/// Where the answer of a task is to be found: some callers look at artifacts only, some at messages
/// only, and some show it twice when it is in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerIn {
    /// In an artifact, where the protocol wants it (Spec 3.7), and in the message of the last
    /// status, which joins the history.
    #[default]
    Both,
    /// In an artifact alone.
    Artifact,
    /// In the message of the last status alone.
    Status,
}

/// A tool of an agent, which is a skill on its card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool<'t> {
    /// What the tool is called.
    pub name: &'t str,
    /// What it does.
    pub description: &'t str,
}

impl Profile {
    /// A profile with a slug and a description; it takes and gives plain text and JSON.
    pub fn new(slug: &str, name: &str, description: &str) -> Self {
        Self {
            slug: slug.into(),
            name: name.into(),
            description: description.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            provider: None,
            skills: Vec::new(),
            input_modes: vec!["text/plain".into(), "application/json".into()],
            output_modes: vec!["text/plain".into(), "application/json".into()],
            concurrency: None,
            answer_in: AnswerIn::Both,
            lenient_extensions: false,
            schemes: None,
            access: Access::default(),
            card: serde_json::Map::new(),
        }
    }

    /// The profile of an agent that is described by what it is, what it is to reach, where it comes
    /// from and what it works with. Its slug is made of the role, once, unless one is given. Every
    /// tool is a skill; without tools the role is the one skill.
    ///
    /// What is said here is public: it stands on the card.
    ///
    /// ```
    /// use legation_core::Profile;
    ///
    /// let goal = "Analyze datasets and provide insights";
    /// let backstory = "Expert data scientist with statistical analysis skills";
    /// let profile = Profile::of_role(None, "Data Analyst", goal, backstory, &[])?;
    /// assert_eq!(&*profile.slug, "data-analyst");
    /// assert_eq!(profile.description, format!("{goal}. {backstory}."));
    /// # Ok::<_, legation_core::BadSlug>(())
    /// ```
    ///
    /// # Errors
    /// When the role makes no slug, or the given one is none.
    pub fn of_role(
        slug: Option<&str>,
        role: &str,
        goal: &str,
        backstory: &str,
        tools: &[Tool<'_>],
    ) -> Result<Self, BadSlug> {
        let role = role.trim();
        let slug = match slug {
            Some(slug) => slug::check(slug).map(|()| slug.to_owned())?,
            None => slug::slug(role)?,
        };
        let description = sentences(&[goal, backstory]);
        let description = if description.is_empty() { role.to_owned() } else { description };
        let mut profile = Self::new(&slug, role, &description);
        profile.skills = match tools {
            [] => vec![AgentSkill {
                id: slug.clone(),
                name: role.to_owned(),
                description: if goal.trim().is_empty() { description } else { sentences(&[goal]) },
                tags: words(role, &slug),
                ..AgentSkill::default()
            }],
            tools => tools.iter().map(|tool| skill(tool, &slug)).collect(),
        };
        Ok(profile)
    }
}

impl Profile {
    /// Whether the card shows a skill of this id to everybody.
    pub(crate) fn shows(&self, skill: &str) -> bool {
        if let Some(patched) = self.card.get("skills").and_then(|skills| skills.as_array()) {
            return patched.iter().any(|one| one["id"] == skill);
        }
        let mut skills = self.skills.iter();
        skills.any(|one| one.id == skill) || self.skills.is_empty() && *self.slug == *skill
    }
}

/// The skill of a tool, to be found by the tool's words and its agent's slug.
fn skill(tool: &Tool<'_>, slug: &str) -> AgentSkill {
    let name = tool.name.trim();
    let id = Some(slug::hyphenated(name)).filter(|id| !id.is_empty());
    let description = sentences(&[tool.description]);
    AgentSkill {
        id: id.unwrap_or_else(|| name.to_owned()),
        name: name.to_owned(),
        description: if description.is_empty() { name.to_owned() } else { description },
        tags: words(name, slug),
        ..AgentSkill::default()
    }
}

/// The words of a name, and a slug, each once: tags to find a skill by.
fn words(name: &str, slug: &str) -> Vec<String> {
    let hyphenated = slug::hyphenated(name);
    let mut tags: Vec<String> = Vec::new();
    let words = hyphenated.split('-').filter(|word| !word.is_empty());
    for word in std::iter::once(slug).chain(words) {
        if !tags.iter().any(|tag| tag == word) {
            tags.push(word.to_owned());
        }
    }
    tags
}

/// The texts one after the other, each with an end.
fn sentences(texts: &[&str]) -> String {
    let end = |text: &str| {
        // Ends of sentences in scripts that have their own are ends as well.
        let is_ended = text.ends_with(['.', '!', '?', '…', ':', ')', '"', '。', '！', '？']);
        if is_ended { text.to_owned() } else { format!("{text}.") }
    };
    let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    texts.map(end).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skills(profile: &Profile) -> Vec<String> {
        let say = |skill: &AgentSkill| {
            format!("{}|{}|{}|{}", skill.id, skill.name, skill.description, skill.tags.join(" "))
        };
        profile.skills.iter().map(say).collect()
    }

    #[test]
    fn a_role_without_tools_is_the_one_skill() {
        let profile = Profile::of_role(None, " Data Analyst ", "Find trends", "You know R.", &[]);
        let profile = profile.expect("a good role");
        assert_eq!((&*profile.slug, &*profile.name), ("data-analyst", "Data Analyst"));
        assert_eq!(profile.description, "Find trends. You know R.");
        assert_eq!(
            skills(&profile),
            ["data-analyst|Data Analyst|Find trends.|data-analyst data analyst"]
        );
        let profile =
            Profile::of_role(Some("d-1"), "数据分析师", "", "", &[]).expect("a good slug");
        assert_eq!(profile.description, "数据分析师");
        assert_eq!(skills(&profile), ["d-1|数据分析师|数据分析师|d-1"]);
    }

    #[test]
    fn tools_are_skills() {
        let tools = [
            Tool { name: "CSV Search", description: "Searches in tables" },
            Tool { name: "搜索", description: " " },
        ];
        let profile = Profile::of_role(None, "Analyst", "Find trends", "", &tools);
        assert_eq!(
            skills(&profile.expect("a good role")),
            [
                "csv-search|CSV Search|Searches in tables.|analyst csv search",
                "搜索|搜索|搜索|analyst"
            ]
        );
    }

    #[test]
    fn a_slug_is_checked_wherever_it_comes_from() {
        let slug = |slug, role| Profile::of_role(slug, role, "", "", &[]).err();
        assert_eq!(slug(Some("No Slug"), "Analyst"), Some(BadSlug::Form));
        assert_eq!(slug(None, "Agents"), Some(BadSlug::Reserved));
        assert_eq!(slug(None, "Analyst"), None);
    }
}
