//! JSON of any shape.

use serde_json::{Map, Value as Json};

use super::many::read_items;
use super::{Setting, Shape, Shown, Slot};
use crate::config::reader::Reader;
use crate::config::yaml::{Key, Node, Value};

/// The place of a JSON object of any shape.
pub(crate) fn free(place: &mut Map<String, Json>) -> Slot<'_> {
    Box::new(Free(place))
}

struct Free<'a>(&'a mut Map<String, Json>);

impl Setting for Free<'_> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        match json(node, reader) {
            Json::Object(members) => *self.0 = members,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                reader.expected("keys with their values", node);
            }
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let value = (!self.0.is_empty()).then(|| Json::Object(self.0.clone()));
        see(Shown { path: path.into(), value, unset: None, is_secret: false });
    }

    fn shape(&mut self) -> Shape {
        let schema = serde_json::json!({"type": "object"});
        Shape::Leaf { expects: "any keys with their values".into(), schema, default: None }
    }
}

/// The JSON that YAML of any shape stands for.
fn json(node: &Node, reader: &mut Reader<'_>) -> Json {
    match &node.value {
        Value::Scalar(scalar) => {
            reader.expand(node.at, scalar).map_or(Json::Null, |text| text.json())
        }
        Value::List(_) => Json::Array(read_items(node, reader, json).unwrap_or_default()),
        Value::Map(members) => {
            let member = |(key, value): &(Key, Node)| {
                let value = reader.within(&key.name, value.at, |reader| json(value, reader));
                (key.name.clone(), value)
            };
            Json::Object(members.iter().map(member).collect())
        }
    }
}
