//! YAML as a tree that knows where everything stands, within bounds: a file of this size cannot
//! grow by aliases, nest without end, or mean two things by saying a key twice.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::fault::Fault;

/// The longest file, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The most values, each use of an alias counted in full.
const MAX_NODES: usize = 50_000;
/// A text counts as one value more for each so many bytes, because aliases repeat it.
const BYTES_A_NODE: usize = 256;
/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 32;

/// Where something stands: both counted from one, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Marker> for At {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    /// The keys in the order of the file, each once.
    Map(Vec<(Key, Node)>),
}

/// A scalar as it stands in the file, variables and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) raw: String,
    /// Without quotes, so that it may be a number, a truth value or nothing.
    pub(crate) is_plain: bool,
}

/// A key with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) at: At,
}

impl Node {
    fn scalar(at: At, raw: &str, is_plain: bool) -> Self {
        Self { at, value: Value::Scalar(Scalar { raw: raw.to_owned(), is_plain }) }
    }

    /// Whether there is nothing: `null`, `~`, or no text at all.
    pub(crate) fn is_nothing(&self) -> bool {
        let Value::Scalar(scalar) = &self.value else { return false };
        scalar.is_plain && matches!(&*scalar.raw, "" | "~" | "null" | "Null" | "NULL")
    }

    /// The value of a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(members) = &self.value else { return None };
        members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The same mapping without a key.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut node = self.clone();
        if let Value::Map(members) = &mut node.value {
            members.retain(|(key, _)| key.name != name);
        }
        node
    }
}

/// Reads a file. Faults that leave a tree to go on with are added to those given; of others there
/// is one, because nothing behind it can be trusted.
pub(crate) fn parse(text: &str, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut tree = Tree { faults, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    if text.len() > MAX_BYTES {
        let what = format!("the file is longer than {} MiB", MAX_BYTES >> 20);
        return tree.give_up(At { line: 1, column: 1 }, what);
    }
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => tree.take(event, span),
            Err(error) => {
                Err((At::from(*error.marker()), format!("this is not YAML: {}", error.info())))
            }
        };
        if let Err((at, what)) = step {
            return tree.give_up(at, what);
        }
    }
    // A file without any value states nothing.
    Some(tree.root.unwrap_or_else(|| Node::scalar(At { line: 1, column: 1 }, "", true)))
}

/// A tree that is being read.
struct Tree<'f> {
    faults: &'f mut Vec<Fault>,
    /// The lists and mappings that are not at their end yet.
    open: Vec<Open>,
    /// What aliases stand for, with its number of nodes and its depth.
    anchors: HashMap<usize, (Node, usize, usize)>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or mapping that is not at its end yet.
struct Open {
    node: Node,
    anchor: usize,
    /// How many nodes there were before it, and how deep what is in it nests.
    before: usize,
    depth: usize,
    /// The key whose value comes next.
    key: Option<Key>,
    names: HashSet<String>,
}

type Step = Result<(), (At, String)>;

impl Tree<'_> {
    fn give_up<T>(&mut self, at: At, what: impl Into<String>) -> Option<T> {
        self.faults.push(Fault { at, path: String::new(), what: what.into() });
        None
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Step {
        let at = At::from(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(at, tag.is_some())?;
                let node = Node::scalar(at, &text, style == ScalarStyle::Plain);
                let size = 1 + text.len() / BYTES_A_NODE;
                self.count(at, size)?;
                self.add(node, anchor, (size, 0))
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(at, tag.is_some())?;
                self.begin(at, Value::List(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(at, tag.is_some())?;
                self.begin(at, Value::Map(Vec::new()), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let size = (self.nodes - open.before, open.depth + 1);
                self.add(open.node, open.anchor, size)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let (node, nodes, depth) =
                    known.ok_or((at, "the alias is of something that is not complete".into()))?;
                self.count(at, nodes)?;
                self.add(node, 0, (nodes, depth))
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err((at, "the file must hold one document, and here a second one begins".into()))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn count(&mut self, at: At, nodes: usize) -> Step {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err((at, format!("the file holds more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn begin(&mut self, at: At, value: Value, anchor: usize) -> Step {
        let before = self.nodes;
        self.count(at, 1)?;
        let node = Node { at, value };
        self.open.push(Open { node, anchor, before, depth: 0, key: None, names: HashSet::new() });
        self.check_depth(at, 0)
    }

    fn check_depth(&self, at: At, depth: usize) -> Step {
        if self.open.len() + depth > MAX_DEPTH {
            return Err((at, format!("lists and mappings nest deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node, anchor: usize, (nodes, depth): (usize, usize)) -> Step {
        self.check_depth(node.at, depth)?;
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), nodes, depth));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth);
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(members), Some(key)) => {
                if open.names.insert(key.name.clone()) {
                    members.push((key, node));
                } else {
                    let what = format!("the key `{}` is there already", key.name);
                    self.faults.push(Fault { at: key.at, path: String::new(), what });
                }
            }
            (Value::Map(_), None) => {
                let Value::Scalar(Scalar { raw, .. }) = node.value else {
                    return Err((node.at, "a key must be plain text".into()));
                };
                open.key = Some(Key { name: raw, at: node.at });
            }
            (Value::Scalar(_), _) => {}
        }
        Ok(())
    }
}

fn refuse_tag(at: At, is_tagged: bool) -> Step {
    if is_tagged { Err((at, "tags (`!`) have no meaning here".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        parse(text, &mut faults);
        faults.iter().map(|fault| fault.in_file("f")).collect()
    }

    #[test]
    fn everything_knows_where_it_stands() {
        let mut faults = Vec::new();
        let text = "a: é\nb:\n  - 'x'\n  - {c: &n 1}\nd: *n\n";
        let node = parse(text, &mut faults).expect("good YAML");
        assert!(faults.is_empty());
        assert_eq!(node.get("a").expect("a").at, At { line: 1, column: 4 });
        let Value::List(items) = &node.get("b").expect("b").value else { panic!("a list") };
        assert_eq!(items[0], Node::scalar(At { line: 3, column: 5 }, "x", false));
        assert_eq!(items[1].get("c").expect("c").at.line, 4);
        assert_eq!(node.get("d"), items[1].get("c"));
    }

    #[test]
    fn what_is_no_sound_tree_is_refused_where_it_stands() {
        let deep = "[".repeat(40);
        let cases = [
            ("a: 1\na: 2\n", "f:2:1: the key `a` is there already"),
            ("a: !!str 1\n", "f:1:4: tags (`!`) have no meaning here"),
            ("? [a]\n: 1\n", "f:1:3: a key must be plain text"),
            ("a: 1\n---\nb: 2\n", "f:2:1: the file must hold one document, and here a second"),
            (&deep, "f:1:33: lists and mappings nest deeper than 32"),
            ("a: &x [*x]\n", "f:1:8: "),
            ("a: [1\nb: 2\n", "f:"),
            ("a: \"x\n", "f:"),
        ];
        for (text, expected) in cases {
            let said = faults(text);
            assert!(said.len() == 1 && said[0].starts_with(expected), "{text:?}: {said:?}");
        }
    }

    #[test]
    fn aliases_are_no_bomb() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{uses}]\n");
        }
        let said = faults(&bomb);
        assert!(said.len() == 1 && said[0].contains("more than 50000 values"), "{said:?}");
        let long = "#".repeat(MAX_BYTES + 1);
        assert_eq!(faults(&long), ["f:1:1: the file is longer than 1 MiB"]);
    }
}
