//! The keys as a page of documentation.

use serde_json::{Value as Json, json};

use super::keys::Config;
use super::reader::join;
use super::setting::{Entry, Shape, group};

/// A table of keys for every group, in the order of the file.
pub(crate) fn tables() -> String {
    let mut page = String::new();
    let Shape::Group(entries) = group(&mut Config::default()).shape() else { return page };
    table(&mut page, "", "The file", "", &entries);
    page
}

/// A heading, what there is to say, a table of keys; then the same for what is below.
fn table(page: &mut String, path: &str, title: &str, says: &str, entries: &[Entry]) {
    *page += &format!("### {title}\n\n");
    if !says.is_empty() {
        *page += &format!("{says}.\n\n");
    }
    if entries.is_empty() {
        *page += "It has no further keys.\n\n";
        return;
    }
    *page += "| key | what it is | value | when it is not there |\n|---|---|---|---|\n";
    for entry in entries {
        *page += &row(entry);
    }
    *page += "\n";
    for entry in entries {
        let Some(shape) = &entry.shape else { continue };
        below(page, &join(path, entry.name), entry.says, shape);
    }
}

fn row(Entry { name, says, is_required, unset, later, shape }: &Entry) -> String {
    let (value, default) = match (later, shape) {
        (Some(what), _) => (format!("*not available yet: {what}*"), String::new()),
        (None, Some(shape)) => (value(shape), default(shape)),
        (None, None) => Default::default(),
    };
    let default = match unset {
        _ if *is_required => "required".to_owned(),
        Some(words) => (*words).to_owned(),
        None => default,
    };
    format!("| `{name}` | {says} | {} | {default} |\n", value.replace('|', "\\|"))
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Leaf { expects, .. } => expects.clone(),
        Shape::Group(_) => "keys".into(),
        Shape::List(item) => format!("a list, each {}", value(item)),
        Shape::Named(item) => format!("names, each with {}", value(item)),
        Shape::Tagged(_) => "keys that depend on `type`".into(),
        Shape::Either(short, long) => format!("{}; or {}", value(short), value(long)),
    }
}

fn default(shape: &Shape) -> String {
    match shape {
        Shape::Leaf { default: Some(Json::Array(items)), .. } if items.is_empty() => "none".into(),
        Shape::Leaf { default: Some(Json::Array(items)), .. } => {
            items.iter().map(|item| format!("`{}`", text(item))).collect::<Vec<_>>().join(", ")
        }
        Shape::Leaf { default: Some(default), .. } if *default != json!("") => {
            format!("`{}`", text(default))
        }
        Shape::Leaf { .. }
        | Shape::Group(_)
        | Shape::List(_)
        | Shape::Named(_)
        | Shape::Tagged(_)
        | Shape::Either(..) => String::new(),
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The tables of what is below a key.
fn below(page: &mut String, path: &str, says: &str, shape: &Shape) {
    match shape {
        Shape::Leaf { .. } => {}
        Shape::Group(entries) => table(page, path, &format!("`{path}`"), says, entries),
        Shape::List(item) => below(page, &format!("{path}[]"), says, item),
        Shape::Named(item) => below(page, &join(path, "NAME"), says, item),
        Shape::Either(_, long) => below(page, path, says, long),
        Shape::Tagged(variants) => {
            for Entry { name, says, later, shape, .. } in variants {
                let title = format!("`{path}` of `type: {name}`");
                match (later, shape) {
                    (None, Some(Shape::Group(entries))) => table(page, path, &title, says, entries),
                    _ => *page += &format!("### {title}\n\n{says}. *Not available yet.*\n\n"),
                }
            }
        }
    }
}
