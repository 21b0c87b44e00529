//! Lists of larger things, and such things by name.

use super::{Item, Setting, Shape, Shown, Slot};
use crate::config::reader::{Reader, join};
use crate::config::yaml::{Node, Value};

/// The place of a list of larger things.
pub(crate) fn each<T: Item>(place: &mut Vec<T>) -> Slot<'_> {
    Box::new(Each(place))
}

struct Each<'a, T>(&'a mut Vec<T>);

impl<T: Item> Setting for Each<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        if let Some(items) = read_items(node, reader, read_item) {
            *self.0 = items;
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        for (number, item) in self.0.iter_mut().enumerate() {
            item.slot().show(&join(path, &format!("[{number}]")), see);
        }
    }

    fn shape(&mut self) -> Shape {
        Shape::List(Box::new(T::default().slot().shape()))
    }
}

/// Things by names of the user's choice, in the order of the file.
pub(crate) type Named<T> = Vec<(String, T)>;

/// The place of things by name; each has its own place.
pub(crate) fn named<T: Default + 'static>(
    place: &mut Named<T>,
    slot: fn(&mut T) -> Slot<'_>,
) -> Slot<'_> {
    Box::new(ByName { place, slot })
}

struct ByName<'a, T: 'static> {
    place: &'a mut Named<T>,
    slot: fn(&mut T) -> Slot<'_>,
}

impl<T: Default + 'static> Setting for ByName<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let Value::Map(members) = &node.value else {
            return reader.expected("names with their values", node);
        };
        self.place.clear();
        for (key, value) in members {
            let item = reader.within(&key.name, key.at, |reader| {
                let mut item = T::default();
                (self.slot)(&mut item).read(value, reader);
                item
            });
            self.place.push((key.name.clone(), item));
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        for (name, item) in self.place.iter_mut() {
            (self.slot)(item).show(&join(path, name), see);
        }
    }

    fn shape(&mut self) -> Shape {
        Shape::Named(Box::new((self.slot)(&mut T::default()).shape()))
    }
}

/// Reads each item of a list.
pub(super) fn read_items<T>(
    node: &Node,
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&Node, &mut Reader<'_>) -> T,
) -> Option<Vec<T>> {
    let Value::List(items) = &node.value else {
        reader.expected("a list", node);
        return None;
    };
    let mut done = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let step = format!("[{number}]");
        done.push(reader.within(&step, item.at, |reader| read(item, reader)));
    }
    Some(done)
}

fn read_item<T: Item>(node: &Node, reader: &mut Reader<'_>) -> T {
    let mut item = T::default();
    item.slot().read(node, reader);
    item
}
