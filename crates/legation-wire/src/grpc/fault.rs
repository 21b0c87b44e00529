//! What is wrong with a message or a document, and where in it.

use std::fmt::Write as _;

use legation_model::{A2aError, ErrorKind};

/// The longest name or number of a caller's that a text repeats, in characters.
const MAX_KEY: usize = 80;

/// The longest path, in characters: it travels in a header.
const MAX_PLACE: usize = 300;

/// A fault and its place. It is small, so that all that goes well is not moved about in its room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault(Box<Placed>);

#[derive(Debug, PartialEq, Eq)]
struct Placed {
    what: What,
    /// The way to the place, the last step first.
    path: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// The bytes are not what they should be.
    Malformed(String),
    /// A value is not one that is taken.
    Value(String),
    /// A number that protobuf cannot carry.
    Number(String),
    /// More than this many bytes of JSON.
    Large(usize),
}

/// A step into a message.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Index(usize),
    Key(String),
}

impl Fault {
    fn new(what: What) -> Self {
        Self(Box::new(Placed { what, path: Vec::new() }))
    }

    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::new(What::Malformed(what.into()))
    }

    pub(super) fn value(what: impl Into<String>) -> Self {
        Self::new(What::Value(what.into()))
    }

    pub(super) fn number(text: &str) -> Self {
        let text = text.chars().take(MAX_KEY).collect();
        Self::new(What::Number(text))
    }

    pub(super) fn large(bound: usize) -> Self {
        Self::new(What::Large(bound))
    }

    pub(super) fn in_field(mut self, name: &'static str) -> Self {
        self.0.path.push(Step::Field(name));
        self
    }

    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }

    pub(super) fn at_key(mut self, key: &str) -> Self {
        self.0.path.push(Step::Key(key.chars().take(MAX_KEY).collect()));
        self
    }

    /// The path with the names of the schema, such as `message.parts[1].data.k`.
    fn place(&self) -> String {
        let mut place = String::new();
        for step in self.0.path.iter().rev() {
            let dot = if place.is_empty() { "" } else { "." };
            let _ = match step {
                Step::Field(name) => write!(place, "{dot}{name}"),
                Step::Key(key) => write!(place, "{dot}{key}"),
                Step::Index(index) => write!(place, "[{index}]"),
            };
        }
        place.chars().take(MAX_PLACE).collect()
    }

    /// The error for whoever sent the message.
    pub(super) fn of_message(self) -> A2aError {
        let place = self.place();
        match self.0.what {
            What::Value(what) => A2aError::invalid(place, what),
            What::Malformed(what) if place.is_empty() => A2aError::new(ErrorKind::Parse, what),
            What::Malformed(what) => A2aError::new(ErrorKind::Parse, format!("{place}: {what}")),
            What::Number(text) => A2aError::invalid(place, beyond(&text)),
            What::Large(bound) => {
                let text = format!("the message is more than {bound} bytes of JSON");
                A2aError::new(ErrorKind::TooLarge, text)
            }
        }
    }

    /// The error for whoever asked for the document.
    pub(super) fn of_document(self) -> A2aError {
        match &self.0.what {
            What::Number(text) => {
                let text = format!(
                    "{}: {}; JSON-RPC and HTTP+JSON can carry it",
                    self.place(),
                    beyond(text)
                );
                A2aError::new(ErrorKind::UnsupportedOperation, text)
            }
            What::Malformed(_) | What::Value(_) | What::Large(_) => {
                A2aError::new(ErrorKind::Internal, "internal error")
            }
        }
    }
}

fn beyond(number: &str) -> String {
    format!("{number} is a number that protobuf cannot carry exactly")
}
