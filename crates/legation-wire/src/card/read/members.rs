//! The members of a card, read leniently, with a finding for each that is not what it should be.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::{EVERYBODY, Finding};
use crate::version::Version;

/// What was found, so far.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(
        &mut self,
        path: String,
        readers: &'static [Version],
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (problem, remedy) = (problem.into(), remedy.into());
        self.0.push(Finding { path, readers, problem, remedy, refused_by: &[] });
    }

    /// The same for which readers before 1.0 refuse the card: those of 1.0 have protobuf, to which all
    /// members are optional.
    pub(super) fn grave(
        &mut self,
        path: String,
        readers: &'static [Version],
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let older = readers.split_first().filter(|(newest, _)| **newest == Version::V1_0);
        let refused_by = older.map_or(readers, |(_, older)| older);
        let (problem, remedy) = (problem.into(), remedy.into());
        self.0.push(Finding { path, readers, problem, remedy, refused_by });
    }

    /// The same for which all these readers refuse the card.
    pub(super) fn unreadable(
        &mut self,
        path: String,
        readers: &'static [Version],
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (problem, remedy) = (problem.into(), remedy.into());
        self.0.push(Finding { path, readers, problem, remedy, refused_by: readers });
    }

    pub(super) fn missing(&mut self, path: String, readers: &'static [Version]) {
        self.grave(path, readers, "is missing", "add it");
    }

    /// A list without elements. An empty one is taken by most readers, one that is missing is not.
    pub(super) fn none(
        &mut self,
        object: &Object<'_>,
        name: &str,
        readers: &'static [Version],
        problem: &str,
        remedy: &str,
    ) {
        if object.has(name) {
            self.add(object.path(name), readers, problem, remedy);
        } else {
            self.grave(object.path(name), readers, problem, remedy);
        }
    }

    fn odd(&mut self, path: String, wanted: &str) {
        let remedy = format!("make it {wanted}");
        self.unreadable(path, EVERYBODY, format!("is not {wanted}"), remedy);
    }
}

/// An object in a card, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Object<'v> {
    members: &'v Map<String, Value>,
    place: String,
}

impl<'v> Object<'v> {
    /// The card itself.
    pub(super) fn of(members: &'v Map<String, Value>) -> Self {
        Self { members, place: String::new() }
    }

    pub(super) const fn members(&self) -> &'v Map<String, Value> {
        self.members
    }

    /// The path of a member.
    pub(super) fn path(&self, name: &str) -> String {
        if self.place.is_empty() { name.into() } else { format!("{}.{name}", self.place) }
    }

    /// A member that is there and not `null`, in either spelling.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        let value = self.members.get(name).or_else(|| self.members.get(&snake(name)));
        value.filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str, findings: &mut Findings) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            // Versions are written so.
            Value::Number(number) => {
                findings.odd(self.path(name), "a text");
                Some(number.to_string())
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => {
                findings.odd(self.path(name), "a text");
                None
            }
        }
    }

    /// A text that has to be there; empty when it is not.
    pub(super) fn required_text(
        &self,
        name: &str,
        readers: &'static [Version],
        findings: &mut Findings,
    ) -> String {
        if !self.has(name) {
            findings.missing(self.path(name), readers);
        }
        self.text(name, findings).unwrap_or_default()
    }

    pub(super) fn truth(&self, name: &str, findings: &mut Findings) -> Option<bool> {
        let value = self.get(name)?;
        if !value.is_boolean() {
            findings.odd(self.path(name), "true or false");
        }
        value.as_bool()
    }

    pub(super) fn object(&self, name: &str, findings: &mut Findings) -> Option<Self> {
        let value = self.get(name)?;
        if !value.is_object() {
            findings.odd(self.path(name), "an object");
        }
        Some(Self { members: value.as_object()?, place: self.path(name) })
    }

    /// The objects of an object, by name.
    pub(super) fn named(&self, findings: &mut Findings) -> Vec<(&'v str, Self)> {
        let mut named = Vec::new();
        for (name, value) in self.members {
            let place = self.path(name);
            match value.as_object() {
                Some(members) => named.push((name.as_str(), Self { members, place })),
                None => findings.odd(place, "an object"),
            }
        }
        named
    }

    fn elements(&self, name: &str, findings: &mut Findings) -> &'v [Value] {
        match self.get(name) {
            None => &[],
            Some(Value::Array(elements)) => elements,
            Some(_) => {
                findings.odd(self.path(name), "a list");
                &[]
            }
        }
    }

    pub(super) fn objects(&self, name: &str, findings: &mut Findings) -> Vec<Self> {
        let mut objects = Vec::new();
        for (index, element) in self.elements(name, findings).iter().enumerate() {
            let place = format!("{}[{index}]", self.path(name));
            match element.as_object() {
                Some(members) => objects.push(Self { members, place }),
                None => findings.odd(place, "an object"),
            }
        }
        objects
    }

    pub(super) fn texts(&self, name: &str, findings: &mut Findings) -> Vec<String> {
        // A single one often stands without its list.
        if let Some(Value::String(text)) = self.get(name) {
            findings.odd(self.path(name), "a list");
            return vec![text.clone()];
        }
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("not a text");
        self.list(name, text, findings)
    }

    /// The elements of a list that can be read.
    pub(super) fn list<T, E: Display>(
        &self,
        name: &str,
        read: impl Fn(&Value) -> Result<T, E>,
        findings: &mut Findings,
    ) -> Vec<T> {
        let mut list = Vec::new();
        for (index, element) in self.elements(name, findings).iter().enumerate() {
            match read(element) {
                Ok(element) => list.push(element),
                Err(fault) => {
                    let path = format!("{}[{index}]", self.path(name));
                    let problem = format!("cannot be read: {fault}");
                    findings.unreadable(
                        path,
                        EVERYBODY,
                        problem,
                        "write it as the protocol has it",
                    );
                }
            }
        }
        list
    }
}

/// A name as the protobuf schema spells it.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
