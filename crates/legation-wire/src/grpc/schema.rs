//! The messages of both packages as tables, made of the protobuf schemas by the build.

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// The name with its package.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) fields: &'static [Field],
}

/// How a message is said in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As an object of its fields.
    Plain,
    /// As what its one field holds: free-form JSON, its objects and its lists.
    Json,
    /// As RFC 3339.
    Timestamp,
    /// As seconds with an `s` behind them.
    Duration,
    /// As an object of the fields of another message, which its `@type` names.
    Any,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    /// The name in JSON.
    pub(crate) json: &'static str,
    /// The same as it begins a member.
    pub(crate) quoted: &'static str,
    pub(crate) kind: Kind,
    pub(crate) label: Label,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    /// Nothing: the `null` of free-form JSON.
    Null,
    /// The values by number.
    Enum(&'static [(i32, &'static str)]),
    Message(&'static Message),
}

/// How often a field may be there, and what its absence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// Once; absent is the same as zero, false or empty.
    Implicit,
    /// Once or not at all.
    Explicit,
    /// Not beside another one with this label.
    OneOf,
    /// Any number of times.
    Repeated,
    /// Any number of times, as entries of a map from texts.
    Map,
}

/// A method of a service.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) input: &'static Message,
    pub(crate) output: &'static Message,
}

include!(concat!(env!("OUT_DIR"), "/schema.rs"));

impl Message {
    /// The message of this name, with its package.
    pub(crate) fn of_name(name: &str) -> Option<&'static Self> {
        MESSAGES.iter().copied().find(|message| message.name == name)
    }

    pub(crate) fn field_of_number(&'static self, number: u32) -> Option<(usize, &'static Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.number == number)
    }

    pub(crate) fn field_of_json(&'static self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.json == name)
    }
}

impl Kind {
    /// The message, when it is one.
    pub(crate) const fn message(self) -> Option<&'static Message> {
        if let Self::Message(message) = self { Some(message) } else { None }
    }
}

impl Method {
    pub(crate) fn of(service: &str, name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.service == service && method.name == name)
    }
}
