//! What was probably meant.

use super::form::Form;
use super::reader::Reader;
use super::yaml::Scalar;

/// The name that is so near to a word that it was probably meant.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Another way of writing words together is no mistake of spelling.
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&plain(word), &plain(name));
    let near = names.map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance);
    let most = word.chars().count().div_ceil(3).min(3);
    near.filter(|(distance, _)| *distance <= most).map(|(_, name)| name)
}

/// What to say instead of a word that is none of these.
pub(crate) fn instead<'n>(word: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(word, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            if names.is_empty() {
                "there is none".into()
            } else {
                format!("there are {}", names.join(", "))
            }
        }
    }
}

/// The names as a choice.
pub(crate) fn any_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match &names[..] {
        [] => String::new(),
        [only] => only.clone(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}

/// Adds to the last fault what was probably meant.
pub(crate) fn suggest<'n>(
    word: &str,
    names: impl Iterator<Item = &'n str>,
    reader: &mut Reader<'_>,
) {
    if let (Some(name), Some(fault)) = (nearest(word, names), reader.faults.last_mut()) {
        fault.what += &format!("; did you mean `{name}`?");
    }
}

/// Adds to the last fault which of a form's words was probably meant.
pub(crate) fn add_nearest<T>(form: &Form<T>, scalar: &Scalar, reader: &mut Reader<'_>) {
    suggest(&scalar.raw, form.words.iter().copied(), reader);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_was_meant() {
        let names = ["role", "goal", "documentation_url", "a2a", "tools"];
        let cases = [
            ("rol", Some("role")),
            ("rolle", Some("role")),
            ("gaol", Some("goal")),
            ("documentationUrl", Some("documentation_url")),
            ("documentation-uri", Some("documentation_url")),
            ("A2A", Some("a2a")),
            ("backstory", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
        }
    }
}
