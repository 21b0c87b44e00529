//! What a configuration is made of. A key is described once, by a [`Row`]: its name, what it is, and
//! where its value goes. Reading, the schema for editors, the page of documentation and
//! `config explain` all go by the rows.

mod free;
mod leaf;
mod many;
mod tagged;

use serde_json::Value as Json;

use super::reader::{Reader, join};
use super::words;
use super::yaml::{Node, Value};

pub(crate) use free::free;
pub(crate) use leaf::{leaf, leaves, maybe, maybe_leaves};
pub(crate) use many::{Named, each, named};
pub(crate) use tagged::{Either, Tagged, Variant, tagged};

/// A place that the file may say something of.
pub(crate) trait Setting {
    /// Takes what the file says.
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>);
    /// Shows the value, or each value below, as it is now.
    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown));
    /// What may be said.
    fn shape(&mut self) -> Shape;
}

pub(crate) type Slot<'a> = Box<dyn Setting + 'a>;

/// A value with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) path: String,
    /// `None` when nothing is said and nothing stands for it.
    pub(crate) value: Option<Json>,
    /// What holds where nothing is said, in words.
    pub(crate) unset: Option<&'static str>,
    pub(crate) is_secret: bool,
}

/// What may be said at a place.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// One value.
    Leaf { expects: String, schema: Json, default: Option<Json> },
    /// Keys, each with its own meaning.
    Group(Vec<Entry>),
    /// A list of the same.
    List(Box<Shape>),
    /// Names of the user's choice, each for the same.
    Named(Box<Shape>),
    /// Keys that depend on `type`.
    Tagged(Vec<Entry>),
    /// A short form or a long one.
    Either(Box<Shape>, Box<Shape>),
}

/// A key, or a value of `type`, as documents describe it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) is_required: bool,
    pub(crate) unset: Option<&'static str>,
    /// What the key is for, while that does not exist.
    pub(crate) later: Option<&'static str>,
    pub(crate) shape: Option<Shape>,
}

/// A key of a group: its name, what it is, and where its value goes.
pub(crate) struct Row<T: 'static> {
    name: &'static str,
    says: &'static str,
    place: Place<T>,
    is_required: bool,
    unset: Option<&'static str>,
}

enum Place<T: 'static> {
    At(fn(&mut T) -> Slot<'_>),
    /// There is no such feature yet; its key is known, so that nobody believes it was heard.
    Later(&'static str),
}

/// A key.
pub(crate) const fn row<T>(
    name: &'static str,
    says: &'static str,
    at: fn(&mut T) -> Slot<'_>,
) -> Row<T> {
    Row { name, says, place: Place::At(at), is_required: false, unset: None }
}

/// A key whose feature does not exist yet.
pub(crate) const fn later<T>(name: &'static str, says: &'static str, what: &'static str) -> Row<T> {
    Row { name, says, place: Place::Later(what), is_required: false, unset: None }
}

/// The same key, which has to be there.
pub(crate) const fn required<T>(row: Row<T>) -> Row<T> {
    Row { is_required: true, ..row }
}

/// The same key; this holds when it is not there.
pub(crate) const fn unset<T>(words: &'static str, row: Row<T>) -> Row<T> {
    Row { unset: Some(words), ..row }
}

/// Something with keys.
pub(crate) trait Group: Sized + 'static {
    /// Its keys.
    const ROWS: &'static [Row<Self>];
}

/// Something that a list or a map of names may hold.
pub(crate) trait Item: Default + 'static {
    fn slot(&mut self) -> Slot<'_>;
}

impl<T: Group + Default> Item for T {
    fn slot(&mut self) -> Slot<'_> {
        group(self)
    }
}

/// The place of a group.
pub(crate) fn group<T: Group>(place: &mut T) -> Slot<'_> {
    Box::new(Keys(place))
}

struct Keys<'a, T>(&'a mut T);

impl<T: Group> Setting for Keys<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let members = match &node.value {
            Value::Map(members) => &members[..],
            // A key whose own keys are all in comments.
            Value::Scalar(_) if node.is_nothing() => &[],
            Value::Scalar(_) | Value::List(_) => {
                return reader.expected("keys with their values", node);
            }
        };
        for (key, value) in members {
            let Some(row) = T::ROWS.iter().find(|row| row.name == key.name) else {
                let known = T::ROWS.iter().map(|row| row.name);
                let what =
                    format!("there is no such key here; {}", words::instead(&key.name, known));
                reader.within(&key.name, key.at, |reader| reader.fault(key.at, what));
                continue;
            };
            reader.within(row.name, value.at, |reader| match row.place {
                Place::At(at) => at(self.0).read(value, reader),
                Place::Later(what) => reader.fault(key.at, not_yet(what)),
            });
        }
        for row in T::ROWS.iter().filter(|row| row.is_required && node.get(row.name).is_none()) {
            reader.missing(node, row.name, row.says);
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        for row in T::ROWS {
            let Place::At(at) = row.place else { continue };
            at(self.0).show(&join(path, row.name), &mut |shown| {
                see(Shown { unset: row.unset.or(shown.unset), ..shown });
            });
        }
    }

    fn shape(&mut self) -> Shape {
        let entry = |row: &Row<T>| {
            let Row { name, says, is_required, unset, .. } = *row;
            let (later, shape) = match row.place {
                Place::At(at) => (None, Some(at(self.0).shape())),
                Place::Later(what) => (Some(what), None),
            };
            Entry { name, says, is_required, unset, later, shape }
        };
        Shape::Group(T::ROWS.iter().map(entry).collect())
    }
}

fn not_yet(what: &str) -> String {
    format!("not available yet: {what}; leave it out")
}

/// The place of a group that need not be.
pub(crate) fn maybe_group<T: Group + Default>(place: &mut Option<T>) -> Slot<'_> {
    Box::new(MaybeKeys(place))
}

struct MaybeKeys<'a, T>(&'a mut Option<T>);

impl<T: Group + Default> Setting for MaybeKeys<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        group(self.0.insert(T::default())).read(node, reader);
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        if let Some(value) = self.0 {
            group(value).show(path, see);
        }
    }

    fn shape(&mut self) -> Shape {
        group(&mut T::default()).shape()
    }
}
