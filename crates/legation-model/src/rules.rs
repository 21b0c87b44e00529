//! The reading rules of ProtoJSON that serde does not have by itself (Spec 5.5, 5.7), for
//! `deserialize_with`. The codecs of older versions read by the same rules.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// Reads `null` as the default: in ProtoJSON `null` is absence.
///
/// # Errors
/// When the value is neither `null` nor what is wanted.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a text where the empty one means the same as none, as proto3 has it.
///
/// # Errors
/// When the value is neither a text nor `null`.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Reads a text into what a function makes of it, without a copy between.
///
/// # Errors
/// When the value is not a text, and those of the function.
pub fn parsed<'de, D, T, E>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    deserializer.deserialize_str(Text(parse))
}

/// Reads a text as [`parsed`] does, where `null` and the empty text mean none, as proto3 has it.
///
/// # Errors
/// When the value is neither a text nor `null`, and those of the function.
pub fn parsed_if_any<'de, D, T, E>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    let parse = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    deserializer.deserialize_option(OptionalText(parse))
}

struct Text<F>(F);

impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<R: Error>(self, text: &str) -> Result<T, R> {
        self.0(text).map_err(R::custom)
    }
}

struct OptionalText<F>(F);

impl<'de, T, E, F> Visitor<'de> for OptionalText<F>
where
    E: fmt::Display,
    F: FnOnce(&str) -> Result<Option<T>, E>,
{
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<R: Error>(self) -> Result<Option<T>, R> {
        Ok(None)
    }

    fn visit_unit<R: Error>(self) -> Result<Option<T>, R> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        parsed(deserializer, self.0)
    }
}

/// Reads an object as one. What serde derives would read an array as well, member by member.
///
/// # Errors
/// When the value is not an object, or not the one that is wanted.
pub fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_any(Members(PhantomData))
}

/// Reads an object as one, where it may be absent.
///
/// # Errors
/// As [`object`].
pub fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Object<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Self)
        }
    }

    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// How many elements a list that comes with a message may have, whatever a server allows: they are
/// counted while they are read, so that a long list is refused before it takes its memory.
pub const MAX_ELEMENTS: usize = 10_000;

/// Reads a list of at most [`MAX_ELEMENTS`].
///
/// # Errors
/// When the value is not a list, is longer, or holds an element of another shape.
pub fn bounded<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Elements<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_ELEMENTS} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = list.next_element()? {
                if elements.len() == MAX_ELEMENTS {
                    return Err(A::Error::invalid_length(MAX_ELEMENTS + 1, &self));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_seq(Elements(PhantomData))
}

/// Reads an int32, which may arrive as `5`, `5.0` or `"5"`; `null` is absence.
///
/// # Errors
/// When the value is no whole number of 32 bits.
pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    deserializer.deserialize_any(Int)
}

struct Int;

impl Visitor<'_> for Int {
    type Value = Option<i32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from -2147483648 to 2147483647")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        let fit = i32::try_from(value);
        fit.map(Some).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        let fit = i32::try_from(value);
        fit.map(Some).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        let whole = value.fract() == 0.0;
        if whole && value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX) {
            // The range was just checked, so the cast is exact.
            return Ok(Some(value as i32));
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        let number = value.parse();
        number.map(Some).map_err(|_| E::invalid_value(Unexpected::Str(value), &self))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Declares an enum of the protocol: written by name, read by name or number (ProtoJSON).
macro_rules! proto_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = ($number:literal, $text:literal), )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$vmeta])* $variant = $number, )+ }

        impl $name {
            /// Every value, in the order of the protocol's numbers.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The number in the protocol's schema.
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The value with this wire name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $text => Some(Self::$variant), )+ _ => None }
            }

            /// The value with this number of the protocol's schema.
            pub fn from_number(number: i64) -> Option<Self> {
                match number { $( $number => Some(Self::$variant), )+ _ => None }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ByNameOrNumber;
                impl serde::de::Visitor<'_> for ByNameOrNumber {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("one of", $( " ", $text ),+))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::from_name(text)
                            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
                    }
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$name, E> {
                        i64::try_from(number).ok().and_then($name::from_number)
                            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
                    }
                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$name, E> {
                        $name::from_number(number)
                            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
                    }
                }
                deserializer.deserialize_any(ByNameOrNumber)
            }
        }
    };
}
pub(crate) use proto_enum;
