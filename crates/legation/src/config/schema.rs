//! The file as a JSON Schema, for editors that help while one types.

use serde_json::{Map, Value as Json, json};

use super::keys::Config;
use super::setting::{Entry, Shape, group};

/// The schema of the file (JSON Schema, draft 2020-12).
pub(crate) fn schema() -> Json {
    let mut schema = of_shape(&group(&mut Config::default()).shape());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("The configuration of a Legation server");
    schema
}

fn of_shape(shape: &Shape) -> Json {
    match shape {
        Shape::Leaf { schema, default, .. } => {
            let mut schema = or_variable(schema);
            let is_said = default.as_ref().filter(|default| **default != json!(""));
            if let (Some(default), Json::Object(members)) = (is_said, &mut schema) {
                members.insert("default".into(), default.clone());
            }
            schema
        }
        Shape::Group(entries) => {
            // A key whose own keys are all in comments has no value.
            object(entries, None, json!(["object", "null"]))
        }
        Shape::List(item) => json!({"type": "array", "items": of_shape(item)}),
        Shape::Named(item) => json!({"type": "object", "additionalProperties": of_shape(item)}),
        Shape::Tagged(variants) => {
            let one = |variant: &Entry| match &variant.shape {
                Some(Shape::Group(entries)) => {
                    let mut one = object(entries, Some(variant.name), json!("object"));
                    one["description"] = json!(variant.says);
                    Some(one)
                }
                Some(_) | None => None,
            };
            json!({"oneOf": variants.iter().filter_map(one).collect::<Vec<_>>()})
        }
        Shape::Either(short, long) => json!({"anyOf": [of_shape(short), of_shape(long)]}),
    }
}

fn description(Entry { says, later, unset, shape, .. }: &Entry) -> String {
    let mut text = (*says).to_owned();
    if let Some(Shape::Leaf { expects, .. }) = shape {
        text += &format!(": {expects}");
    }
    if let Some(what) = later {
        text += &format!(" (not available yet: {what})");
    }
    if let Some(words) = unset {
        text += &format!(" (when it is not there: {words})");
    }
    text
}

fn object(entries: &[Entry], kind: Option<&str>, types: Json) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Some(kind) = kind {
        properties.insert("type".into(), json!({ "const": kind }));
        required.push("type");
    }
    for entry in entries {
        // A key whose feature does not exist yet is known, and no value of it is good.
        let mut schema = entry.shape.as_ref().map_or_else(|| json!({"not": {}}), of_shape);
        schema["description"] = json!(description(entry));
        properties.insert(entry.name.to_owned(), schema);
        required.extend(entry.is_required.then_some(entry.name));
    }
    let mut schema = json!({
        "type": types, "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
        schema["type"] = json!("object");
    }
    schema
}

/// A value, or a text with a variable in it.
fn or_variable(schema: &Json) -> Json {
    let types = |name: &str| schema["type"] == json!(name);
    if types("array") {
        let items = or_variable(&schema["items"]);
        return json!({"type": "array", "items": items});
    }
    if types("object") || types("string") && schema.get("pattern").is_none() {
        return schema.clone();
    }
    json!({"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]})
}
