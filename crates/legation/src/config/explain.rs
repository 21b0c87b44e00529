//! Every value, and where it comes from.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::setting::Shown;
use super::{Given, Origin};

/// What is shown of a secret.
const MASK: &str = "••••••";

/// A value with its origin.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    pub(crate) key: String,
    /// Masked when it is a secret.
    pub(crate) value: Json,
    /// The value in one line.
    #[serde(skip)]
    pub(crate) text: String,
    pub(crate) origin: &'static str,
    /// The flag, the variable, or the place in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The variables that a value in the file is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) variables: Vec<String>,
}

/// Every value in the order of the documentation. Those that nobody states and that have no default
/// say in words what holds, or are left out.
pub(crate) fn explain(given: &Given) -> Vec<Explained> {
    given.shown().into_iter().filter_map(|shown| explain_one(given, shown)).collect()
}

fn explain_one(given: &Given, shown: Shown) -> Option<Explained> {
    let Shown { path, value, unset, is_secret } = shown;
    let is_nothing = |value: &Json| value.as_array().is_some_and(Vec::is_empty);
    let stated = given.origin(&path);
    // What a program or an endpoint is given from the environment may be a key to something.
    let from_environment =
        matches!(stated, Some(Origin::File(source)) if !source.variables.is_empty());
    let is_secret = is_secret || from_environment && path.contains(".runtime.");
    let (value, text) = match (value, unset) {
        (Some(value), _) if stated.is_none() && is_nothing(&value) => return None,
        (Some(_), _) if is_secret => (json!(MASK), MASK.to_owned()),
        (None, _) if is_secret && stated.is_some() => (json!(MASK), MASK.to_owned()),
        (Some(value), _) => (value.clone(), in_line(&value)),
        (None, Some(words)) => (Json::Null, format!("({words})")),
        (None, None) => return None,
    };
    let (origin, source, variables) = match stated {
        None => ("default", None, Vec::new()),
        Some(Origin::Flag(flag)) => ("flag", Some((*flag).to_owned()), Vec::new()),
        Some(Origin::Variable(name)) => ("environment", Some((*name).to_owned()), Vec::new()),
        Some(Origin::File(source)) => {
            let file = given.file.as_deref().map(|file| file.display().to_string());
            let place = format!("{}:{}", file.unwrap_or_default(), source.at.line);
            ("file", Some(place), source.variables.clone())
        }
    };
    Some(Explained { key: path, value, text, origin, source, variables })
}

fn in_line(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(in_line).collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

impl Given {
    /// Who states a value: of it, or for a value in a short form of what it is in.
    fn origin(&self, path: &str) -> Option<&Origin> {
        let exact = self.origins.get(path);
        exact.or_else(|| match path {
            // The short form says one of these alone.
            "store.path" => self.origins.get("store").filter(|_| self.config.store.path.is_some()),
            "store.postgres.url" => {
                self.origins.get("store").filter(|_| self.config.store.postgres.is_some())
            }
            "store.memory" => self.origins.get("store").filter(|_| self.config.store.memory),
            _ => None,
        })
    }
}
