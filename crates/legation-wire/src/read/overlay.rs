//! Fields of a path and a query laid over the members of a JSON object.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::Field;

/// Whether one of the fields has this name, in either spelling (`taskId`, `task_id`).
pub(super) fn names(fields: &[Field<'_>], name: &str) -> bool {
    let letters = |text: &'_ str| text.chars().filter(|c| *c != '_').collect::<String>();
    fields.iter().any(|(field, _)| letters(field).eq_ignore_ascii_case(&letters(name)))
}

/// Reads an object that has the fields, and those members of another object that are not fields.
pub(super) struct Overlay<'f, D> {
    fields: &'f [Field<'f>],
    object: D,
}

impl<'f, D> Overlay<'f, D> {
    pub(super) fn new(fields: &'f [Field<'f>], object: D) -> Self {
        Self { fields, object }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Overlay<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        // As a map, never as a struct, which serde would read from an array as well.
        self.object.deserialize_map(Object { fields: self.fields, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

struct Object<'f, V> {
    fields: &'f [Field<'f>],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        let Self { fields, visitor } = self;
        visitor.visit_map(Members { fields, left: fields.iter(), value: None, members })
    }
}

struct Members<'f, A> {
    fields: &'f [Field<'f>],
    left: std::slice::Iter<'f, Field<'f>>,
    /// The value of the field whose name was just given out.
    value: Option<&'f str>,
    members: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error>
    where
        K: DeserializeSeed<'de>,
    {
        if let Some((name, value)) = self.left.next() {
            self.value = Some(value);
            let name: StrDeserializer<'_, A::Error> = (**name).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        if self.fields.is_empty() {
            return self.members.next_key_seed(seed);
        }
        while let Some(name) = self.members.next_key::<Cow<'_, str>>()? {
            if !names(self.fields, &name) {
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            self.members.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        match self.value.take() {
            Some(text) => seed.deserialize(Value { text, error: std::marker::PhantomData }),
            None => self.members.next_value_seed(seed),
        }
    }
}

/// The value of a field: a text, or what the text spells where another type is wanted.
struct Value<'f, E> {
    text: &'f str,
    error: std::marker::PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for Value<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.text)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.text {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(E::invalid_value(Unexpected::Str(other), &"true or false")),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
