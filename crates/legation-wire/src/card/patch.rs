//! An owner's changes to a card: a JSON merge patch (RFC 7386) whose result is still a card.

use std::fmt;

use legation_model::AgentCard;
use serde_json::{Map, Value};

/// The member of a card that is not as 1.0 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMember {
    /// Where it is, such as `skills[0].tags`.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.reason)
    }
}

impl std::error::Error for BadMember {}

/// Changes a card: members of the patch replace the card's, objects are merged, `null` removes.
///
/// # Errors
/// When the result is not a card of 1.0: a member is of the wrong type, is missing or empty where
/// one is required, or has a name that 1.0 does not know.
pub fn patch(card: &AgentCard, patch: &Map<String, Value>) -> Result<AgentCard, BadMember> {
    let mut value = serde_json::to_value(card).expect("cards have text keys only");
    merge(&mut value, Value::Object(patch.clone()));
    let card: AgentCard = serde_path_to_error::deserialize(&value).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.inner().to_string());
        bad(&path, reason)
    })?;
    let read = serde_json::to_value(&card).expect("cards have text keys only");
    if let Some(path) = unknown(&value, &read) {
        return Err(bad(&path, "there is no such member in A2A 1.0"));
    }
    let required = [
        ("supportedInterfaces", card.supported_interfaces.is_empty()),
        ("defaultInputModes", card.default_input_modes.is_empty()),
        ("defaultOutputModes", card.default_output_modes.is_empty()),
        ("skills", card.skills.is_empty()),
    ];
    match required.into_iter().find(|(_, is_empty)| *is_empty) {
        Some((member, _)) => Err(bad(member, "at least one is required")),
        None => Ok(card),
    }
}

fn bad(path: &str, reason: impl Into<String>) -> BadMember {
    let reason = reason.into();
    // Serde places a missing member at the object that lacks it.
    let missing = reason.strip_prefix("missing field `").and_then(|text| text.strip_suffix('`'));
    match (path, missing) {
        (".", Some(member)) => BadMember { path: member.into(), reason: "is missing".into() },
        (path, Some(member)) => {
            BadMember { path: format!("{path}.{member}"), reason: "is missing".into() }
        }
        (path, None) => BadMember { path: path.into(), reason },
    }
}

/// RFC 7386, section 2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// The first member with something in it that is lost when a card is read and written again.
fn unknown(given: &Value, read: &Value) -> Option<String> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => {
            given.iter().find_map(|(name, given)| match read.get(name) {
                Some(read) => unknown(given, read).map(|rest| join(name, &rest)),
                None if says_nothing(given) => None,
                None => Some(name.clone()),
            })
        }
        (Value::Array(given), Value::Array(read)) => {
            given.iter().zip(read).enumerate().find_map(|(index, (given, read))| {
                Some(format!("[{index}].{}", unknown(given, read)?))
            })
        }
        _ => None,
    }
}

fn join(name: &str, rest: &str) -> String {
    if rest.starts_with('[') { format!("{name}{rest}") } else { format!("{name}.{rest}") }
}

/// Whether a value is what an absent member means.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;
    use serde_json::json;

    fn patched(changes: Value) -> Result<AgentCard, BadMember> {
        let Value::Object(changes) = changes else { panic!("an object") };
        patch(&card(), &changes)
    }

    #[test]
    fn members_are_replaced_merged_and_removed() {
        let changes = json!({
            "name": "Other",
            "iconUrl": "https://a.example/icon.png",
            "provider": null,
            "capabilities": {"pushNotifications": true},
            "skills": [{"id": "s", "name": "S", "description": "d", "tags": ["t"]}],
            "signatures": [],
        });
        let (before, after) = (card(), patched(changes).expect("a card"));
        assert_eq!((&*after.name, after.provider), ("Other", None));
        assert_eq!(after.icon_url.as_deref(), Some("https://a.example/icon.png"));
        assert_eq!(after.capabilities.push_notifications, Some(true));
        assert_eq!(after.capabilities.streaming, before.capabilities.streaming);
        assert_eq!(after.skills.len(), 1);
        assert_eq!(after.description, before.description);
        assert_eq!(patched(json!({})).expect("a card"), before);
    }

    #[test]
    fn what_makes_it_no_card_is_named() {
        let cases = [
            (json!({"name": null}), "`name`: is missing"),
            (json!({"name": 5}), "`name`: invalid type"),
            (json!({"skills": [{"id": "s", "name": "S"}]}), "`skills[0].description`: is missing"),
            (json!({"skills": []}), "`skills`: at least one"),
            (json!({"supportedInterfaces": []}), "`supportedInterfaces`: at least one"),
            (json!({"descripton": "typo"}), "`descripton`: there is no such member"),
            (json!({"capabilities": {"streams": true}}), "`capabilities.streams`: there is no"),
            (
                json!({"skills": [{"id": "s", "name": "S", "description": "", "tags": [], "x": 1}]}),
                "`skills[0].x`: there is no",
            ),
            (json!({"securitySchemes": {"b": {"type": "http"}}}), "`securitySchemes"),
        ];
        for (changes, expected) in cases {
            let error = patched(changes.clone()).expect_err("no card").to_string();
            assert!(error.starts_with(expected), "{changes}: {error}");
        }
    }
}
