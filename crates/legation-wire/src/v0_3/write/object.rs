//! An object in the making.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Each, Form, In};

/// An object of which each member is written at once.
pub(super) struct Object<S: Serializer>(S::SerializeMap);

impl<S: Serializer> Object<S> {
    pub(super) fn plain(serializer: S) -> Result<Self, S::Error> {
        serializer.serialize_map(None).map(Self)
    }

    /// Begins an object that in JSON says its kind.
    pub(super) fn begin(form: Form, kind: &'static str, serializer: S) -> Result<Self, S::Error> {
        let mut object = Self::plain(serializer)?;
        if form != Form::Proto {
            object.put("kind", kind)?;
        }
        Ok(object)
    }

    pub(super) fn put(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), S::Error> {
        self.0.serialize_entry(name, value)
    }

    pub(super) fn put_some(
        &mut self,
        name: &'static str,
        value: Option<impl Serialize>,
    ) -> Result<(), S::Error> {
        value.map_or(Ok(()), |value| self.put(name, &value))
    }

    pub(super) fn put_list<'m, T>(
        &mut self,
        name: &'static str,
        form: Form,
        list: &'m [T],
    ) -> Result<(), S::Error>
    where
        In<'m, T>: Serialize,
    {
        self.put_some(name, some(list).map(|list| Each(form, list)))
    }

    /// Writes what is true; what is not is absent, as in 1.0.
    pub(super) fn put_true(&mut self, name: &'static str, value: bool) -> Result<(), S::Error> {
        self.put_some(name, value.then_some(true))
    }

    pub(super) fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

/// A list, if it holds anything.
pub(super) fn some<T>(list: &[T]) -> Option<&[T]> {
    Some(list).filter(|list| !list.is_empty())
}
