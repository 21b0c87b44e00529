//! Single values, and lists of these.

use serde_json::Value as Json;

use super::many::read_items;
use super::{Setting, Shape, Shown, Slot};
use crate::config::form::Form;
use crate::config::reader::Reader;
use crate::config::words;
use crate::config::yaml::{Node, Value};

/// The place of one value.
pub(crate) fn leaf<T: 'static>(place: &mut T, form: Form<T>) -> Slot<'_> {
    Box::new(Leaf { place, form })
}

struct Leaf<'a, T: 'static> {
    place: &'a mut T,
    form: Form<T>,
}

impl<T: 'static> Setting for Leaf<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        if let Some(value) = read_leaf(&self.form, node, reader) {
            *self.place = value;
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let value = Some((self.form.show)(self.place));
        see(Shown { path: path.into(), value, unset: None, is_secret: self.form.is_secret });
    }

    fn shape(&mut self) -> Shape {
        let default = Some((self.form.show)(self.place));
        Shape::Leaf {
            expects: self.form.expects.clone(),
            schema: self.form.schema.clone(),
            default,
        }
    }
}

fn read_leaf<T>(form: &Form<T>, node: &Node, reader: &mut Reader<'_>) -> Option<T> {
    let Value::Scalar(scalar) = &node.value else {
        reader.expected(&form.expects, node);
        return None;
    };
    let text = reader.expand(node.at, scalar)?;
    let value = (form.read)(&text);
    if value.is_some() {
        return value;
    }
    if form.is_secret {
        reader.fault(node.at, format!("expected {}", form.expects));
    } else if !node.is_nothing() && (form.read)(&text.quoted()).is_some() {
        let what = format!("expected {}, not `{}`; put it in quotes", form.expects, scalar.raw);
        reader.fault(node.at, what);
    } else {
        reader.expected(&form.expects, node);
        words::add_nearest(form, scalar, reader);
    }
    None
}

/// The place of one value that need not be.
pub(crate) fn maybe<T: 'static>(place: &mut Option<T>, form: Form<T>) -> Slot<'_> {
    Box::new(Maybe { place, form })
}

struct Maybe<'a, T: 'static> {
    place: &'a mut Option<T>,
    form: Form<T>,
}

impl<T: 'static> Setting for Maybe<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        *self.place = read_leaf(&self.form, node, reader);
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let value = self.place.as_ref().map(&self.form.show);
        see(Shown { path: path.into(), value, unset: None, is_secret: self.form.is_secret });
    }

    fn shape(&mut self) -> Shape {
        let (expects, schema) = (self.form.expects.clone(), self.form.schema.clone());
        Shape::Leaf { expects, schema, default: None }
    }
}

/// The place of a list of values, of which nothing need be said.
pub(crate) fn maybe_leaves<T: 'static>(place: &mut Option<Vec<T>>, form: Form<T>) -> Slot<'_> {
    Box::new(Leaves { place: ListPlace::Maybe(place), form })
}

/// The place of a list of values.
pub(crate) fn leaves<T: 'static>(place: &mut Vec<T>, form: Form<T>) -> Slot<'_> {
    Box::new(Leaves { place: ListPlace::Always(place), form })
}

struct Leaves<'a, T: 'static> {
    place: ListPlace<'a, T>,
    form: Form<T>,
}

enum ListPlace<'a, T> {
    Always(&'a mut Vec<T>),
    Maybe(&'a mut Option<Vec<T>>),
}

impl<T> ListPlace<'_, T> {
    fn get(&self) -> Option<&Vec<T>> {
        match self {
            Self::Always(list) => Some(list),
            Self::Maybe(list) => list.as_ref(),
        }
    }
}

impl<T: 'static> Setting for Leaves<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let read = |node: &Node, reader: &mut Reader<'_>| read_leaf(&self.form, node, reader);
        let Some(items) = read_items(node, reader, read) else { return };
        // With some of them wrong it is not known what was meant.
        let Some(items) = items.into_iter().collect() else { return };
        match &mut self.place {
            ListPlace::Always(list) => **list = items,
            ListPlace::Maybe(list) => **list = Some(items),
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let show = |list: &Vec<T>| Json::Array(list.iter().map(&self.form.show).collect());
        let value = self.place.get().map(show);
        see(Shown { path: path.into(), value, unset: None, is_secret: self.form.is_secret });
    }

    fn shape(&mut self) -> Shape {
        let show = |list: &Vec<T>| Json::Array(list.iter().map(&self.form.show).collect());
        Shape::Leaf {
            expects: format!("a list, each {}", self.form.expects),
            schema: serde_json::json!({"type": "array", "items": self.form.schema}),
            default: self.place.get().map(show),
        }
    }
}
