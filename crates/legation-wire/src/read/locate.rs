//! Says where in a request a fault is, in words for its author.

use std::fmt::Display;

use legation_model::{A2aError, ErrorKind, FieldViolation};

/// The longest description, in characters; it may repeat a value of the caller's.
const MAX_DESCRIPTION: usize = 300;

/// Makes a violation of a deserializer's error.
pub(super) fn violation(error: &serde_path_to_error::Error<impl Display>) -> A2aError {
    let text = error.inner().to_string();
    // The line and column of the text that we read mean nothing beside a path.
    let text = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    let path = error.path().to_string();
    let path = if path == "." { "" } else { &*path };
    match member(text) {
        Some((member, what)) if path.is_empty() => A2aError::invalid(member, what),
        Some((member, what)) => A2aError::invalid(format!("{path}.{member}"), what),
        None if path.is_empty() => whole(text),
        None => A2aError::invalid(path, cut(text)),
    }
}

/// The member of the object that an error is about, and what is wrong with it.
fn member(text: &str) -> Option<(&str, &str)> {
    if let Some(member) = text.strip_prefix("missing field `") {
        return Some((member.strip_suffix('`')?, "is missing"));
    }
    if let Some(member) = text.strip_prefix("duplicate field `") {
        return Some((member.strip_suffix('`')?, "is there twice"));
    }
    // How the model and the codecs name a member, such as "`raw` is not base64".
    text.strip_prefix('`')?.split_once("` ")
}

/// A fault of the request as a whole.
fn whole(text: &str) -> A2aError {
    let description = cut(text);
    let mut error = A2aError::new(ErrorKind::InvalidParams, &*description);
    error.violations.push(FieldViolation { field: String::new(), description });
    error
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_DESCRIPTION).collect()
}
