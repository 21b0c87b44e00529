//! Things that are written in one of several ways: by their `type`, or in short and at length.

use super::{Entry, Setting, Shape, Shown, Slot, not_yet};
use crate::config::reader::{Reader, join};
use crate::config::words;
use crate::config::yaml::{Node, Scalar, Value};

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
