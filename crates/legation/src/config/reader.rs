//! What goes along while a tree is read: where we are, what was found where, what is wrong.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::yaml::{At, Node, Scalar, Value};

/// What the environment says of a variable.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Where a value in the file comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) at: At,
    /// The variables that it is made of.
    pub(crate) variables: Vec<String>,
}

/// The state of reading a tree.
pub(crate) struct Reader<'e> {
    environment: Environment<'e>,
    pub(crate) path: String,
    pub(crate) faults: Vec<Fault>,
    /// By path, every value that the file states.
    pub(crate) sources: BTreeMap<String, Source>,
}

/// A scalar whose variables have their values.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// Whether it may be a number, a truth value or nothing.
    is_plain: bool,
    /// Whether the environment has a part in it: then it may be any of these and a text as well.
    is_expanded: bool,
}

impl<'e> Reader<'e> {
    pub(crate) fn new(environment: Environment<'e>, faults: Vec<Fault>) -> Self {
        Self { environment, path: String::new(), faults, sources: BTreeMap::new() }
    }

    /// Does something one step further down: at a key, or with `[0]` at an item of a list.
    pub(crate) fn within<T>(&mut self, step: &str, at: At, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path = join(&self.path, step);
        let source = Source { at, variables: Vec::new() };
        self.sources.insert(self.path.clone(), source);
        let done = read(self);
        self.path.truncate(length);
        done
    }

    /// Notes that something is wrong here.
    pub(crate) fn fault(&mut self, at: At, what: impl Into<String>) {
        self.faults.push(Fault { at, path: self.path.clone(), what: what.into() });
    }

    /// Notes that something else is expected here.
    pub(crate) fn expected(&mut self, what: &str, node: &Node) {
        let found = describe(node);
        self.fault(node.at, format!("expected {what}, {found}"));
    }

    /// Notes that a key is missing here.
    pub(crate) fn missing(&mut self, node: &Node, key: &str, says: &str) {
        let path = join(&self.path, key);
        self.faults.push(Fault { at: node.at, path, what: format!("missing: {says}") });
    }

    /// The scalar with its variables' values; `None`, with the fault noted, when it has none.
    pub(crate) fn expand(&mut self, at: At, scalar: &Scalar) -> Option<Text> {
        let mut variables = Vec::new();
        let expanded = match expand(&scalar.raw, self.environment, &mut variables) {
            Ok(expanded) => expanded,
            Err(what) => {
                self.fault(at, what);
                return None;
            }
        };
        let is_expanded = !variables.is_empty();
        if let Some(source) = self.sources.get_mut(&self.path) {
            source.variables.extend(variables);
        }
        Some(Text { text: expanded, is_plain: scalar.is_plain, is_expanded })
    }
}

/// A path one step further down.
pub(crate) fn join(path: &str, step: &str) -> String {
    let dot = if path.is_empty() || step.starts_with('[') { "" } else { "." };
    format!("{path}{dot}{step}")
}

/// What stands there instead, as the file has it: a variable's value may be a secret.
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Scalar(_) if node.is_nothing() => "but nothing is there".into(),
        Value::Scalar(scalar) => format!("not `{}`", shortened(&scalar.raw)),
        Value::List(_) => "not a list".into(),
        Value::Map(_) => "not a mapping".into(),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.replace(['\n', '\r'], " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Puts variables' values in: `${NAME}`, `${NAME:-default}`; `$${` is the text `${`.
fn expand(
    raw: &str,
    environment: Environment<'_>,
    variables: &mut Vec<String>,
) -> Result<String, String> {
    let (mut expanded, mut rest) = (String::with_capacity(raw.len()), raw);
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            expanded += before;
            expanded += "${";
            rest = &rest[at + 2..];
            continue;
        }
        expanded += &rest[..at];
        let (inner, behind) = rest[at + 2..].split_once('}').ok_or_else(bad_variable)?;
        let (name, default) =
            inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        if !is_variable(name) {
            return Err(bad_variable());
        }
        let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
        let value = value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
            format!("the variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
        })?;
        variables.push(name.to_owned());
        expanded += &value;
        rest = behind;
    }
    Ok(expanded + rest)
}

fn bad_variable() -> String {
    "a variable looks like `${NAME}` or `${NAME:-default}`; the text `${` itself is `$${`".into()
}

pub(crate) fn is_variable(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

impl Text {
    /// The same text in quotes.
    pub(crate) fn quoted(self) -> Self {
        Self { is_plain: false, ..self }
    }

    /// The text, unless YAML takes it for something else.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_text = !self.is_plain || self.is_expanded || matches!(self.json(), Json::String(_));
        is_text.then_some(&*self.text)
    }

    /// The whole number.
    pub(crate) fn number(&self) -> Option<u64> {
        let digits = Some(&*self.text).filter(|_| self.is_plain || self.is_expanded)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    /// The truth value.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.json() {
            Json::Bool(flag) => Some(flag),
            _ if self.is_expanded => self.text.parse().ok(),
            Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                None
            }
        }
    }

    /// What YAML takes it for (the core schema of YAML 1.2).
    pub(crate) fn json(&self) -> Json {
        let text = &*self.text;
        if !self.is_plain {
            return text.into();
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Json::Null,
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            text => number(text).unwrap_or_else(|| text.into()),
        }
    }
}

type Json = serde_json::Value;

fn number(text: &str) -> Option<Json> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    let unsigned = || whole.parse::<u64>().ok().map(Json::from);
    let real = || serde_json::Number::from_f64(text.parse().ok()?).map(Json::Number);
    whole.parse::<i64>().ok().map(Json::from).or_else(unsigned).or_else(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_their_values() {
        let environment = |name: &str| {
            [("A", "1"), ("E", "")].iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        };
        let cases = [
            ("plain $ text }", Ok("plain $ text }")),
            ("${A}", Ok("1")),
            ("a${A}b${A}", Ok("a1b1")),
            ("${B:-x y}", Ok("x y")),
            ("${B:-}", Ok("")),
            ("${E:-x}", Ok("x")),
            ("${E}", Ok("")),
            ("$${A} ${A}", Ok("${A} 1")),
            ("$$", Ok("$$")),
            ("${B}", Err("the variable `B` is not set; set it, or write `${B:-default}`")),
            ("${A", Err("a variable looks like")),
            ("${}", Err("a variable looks like")),
            ("${A B}", Err("a variable looks like")),
            ("${A:?no}", Err("a variable looks like")),
        ];
        for (raw, expected) in cases {
            let got = expand(raw, &environment, &mut Vec::new());
            match (&got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{raw}"),
                (Err(got), Err(expected)) => assert!(got.starts_with(expected), "{raw}: {got}"),
                _ => panic!("{raw}: {got:?}"),
            }
        }
    }

    #[test]
    fn scalars_are_what_yaml_takes_them_for() {
        let read = |text: &str| {
            Text { text: text.into(), is_plain: true, is_expanded: false }.json().to_string()
        };
        let cases = [
            ("", "null"),
            ("~", "null"),
            ("true", "true"),
            ("yes", "\"yes\""),
            ("-7", "-7"),
            ("+7", "7"),
            ("18446744073709551615", "18446744073709551615"),
            ("1.5", "1.5"),
            ("1e3", "1000.0"),
            (".5", "0.5"),
            ("1.2.3", "\"1.2.3\""),
            ("infinity", "\"infinity\""),
            ("1e999", "\"1e999\""),
            ("nan", "\"nan\""),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
