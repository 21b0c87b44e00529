//! What a configuration is made of. A key is described once, by a [`Row`]: its name, what it is, and
//! where its value goes. Reading, the schema for editors, the page of documentation and
//! `config explain` all go by the rows.

use serde_json::{Map, Value as Json};

use super::form::Form;
use super::reader::{Reader, join};
use super::words;
use super::yaml::{Node, Scalar, Value};

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

fn read_items<T>(
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
            let member = |(key, value): &(super::yaml::Key, Node)| {
                let value = reader.within(&key.name, value.at, |reader| json(value, reader));
                (key.name.clone(), value)
            };
            Json::Object(members.iter().map(member).collect())
        }
    }
}

/// Something whose keys depend on its `type`.
pub(crate) trait Tagged: Sized + 'static {
    const VARIANTS: &'static [Variant<Self>];
    /// The name of what it is, and its keys.
    fn inside(&mut self) -> (&'static str, Slot<'_>);
}

/// A value of `type`.
pub(crate) struct Variant<T> {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    /// Makes one, or says what does not exist yet.
    pub(crate) make: Result<fn() -> T, &'static str>,
}

/// The place of something that has a `type`.
pub(crate) fn tagged<T: Tagged>(place: &mut Option<T>) -> Slot<'_> {
    Box::new(ByType(place))
}

struct ByType<'a, T>(&'a mut Option<T>);

impl<T: Tagged> Setting for ByType<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let names = || words::any_of(T::VARIANTS.iter().map(|variant| variant.name));
        if !matches!(node.value, Value::Map(_)) {
            return reader.expected("keys with their values, `type` among them", node);
        }
        let Some(kind) = node.get("type") else {
            return reader.missing(node, "type", &names());
        };
        let variant = reader.within("type", kind.at, |reader| {
            let Value::Scalar(scalar) = &kind.value else {
                reader.expected(&names(), kind);
                return None;
            };
            let text = reader.expand(kind.at, scalar)?;
            let variant = T::VARIANTS.iter().find(|variant| variant.name == text.text);
            match variant.map(|variant| variant.make) {
                None => {
                    reader.expected(&names(), kind);
                    words::suggest(&text.text, T::VARIANTS.iter().map(|v| v.name), reader);
                    None
                }
                Some(Err(what)) => {
                    reader.fault(kind.at, not_yet(what));
                    None
                }
                Some(Ok(make)) => Some(make),
            }
        });
        if let Some(make) = variant {
            self.0.insert(make()).inside().1.read(&node.without("type"), reader);
        }
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let Some(value) = self.0 else { return };
        let (name, mut keys) = value.inside();
        let (path_of_type, value) = (join(path, "type"), Some(name.into()));
        see(Shown { path: path_of_type, value, unset: None, is_secret: false });
        keys.show(path, see);
    }

    fn shape(&mut self) -> Shape {
        let entry = |variant: &Variant<T>| {
            let (later, shape) = match variant.make {
                Ok(make) => (None, Some(make().inside().1.shape())),
                Err(what) => (Some(what), None),
            };
            let Variant { name, says, .. } = *variant;
            Entry { name, says, is_required: false, unset: None, later, shape }
        };
        Shape::Tagged(T::VARIANTS.iter().map(entry).collect())
    }
}

/// A place with a short form, which is a scalar, and a long one.
pub(crate) struct Either<'a, T> {
    pub(crate) place: &'a mut T,
    pub(crate) short: fn(&mut T) -> Slot<'_>,
    pub(crate) long: fn(&mut T) -> Slot<'_>,
    /// Whether the value is one that has the short form only.
    pub(crate) is_short: fn(&T) -> bool,
}

impl<T> Setting for Either<'_, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let form = match &node.value {
            Value::Scalar(Scalar { .. }) if !node.is_nothing() => self.short,
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => self.long,
        };
        form(self.place).read(node, reader);
    }

    fn show(&mut self, path: &str, see: &mut dyn FnMut(Shown)) {
        let form = if (self.is_short)(self.place) { self.short } else { self.long };
        form(self.place).show(path, see);
    }

    fn shape(&mut self) -> Shape {
        let short = (self.short)(self.place).shape();
        Shape::Either(Box::new(short), Box::new((self.long)(self.place).shape()))
    }
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
