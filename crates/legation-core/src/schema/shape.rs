//! What a schema is made of, and what it costs to check a value against it.
//!
//! The validator follows `$ref` and combinators as they come, so a schema of a kilobyte can keep it
//! at work for years. Two counts prevent that. When the schema comes, [`Shape::of`] counts what it
//! may apply to one single value. Before an answer is checked, [`Shape::price`] walks the answer as
//! the validator would if nothing ever spared it a branch. Both stop at a bound.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Applications of subschemas to one value.
const MOST_EXPANSIONS: u64 = 10_000;
/// Applications within applications to one value; each is a few frames of the validator's stack.
const MOST_CHAINED: u32 = 32;
/// The same over a whole value: its depth multiplies.
const MOST_NESTED: u32 = 400;
/// Schemas that `$ref`s name; compiling follows one from within the other.
const MOST_TARGETS: usize = 128;
/// `$ref`s.
const MOST_REFERENCES: usize = 1_000;
/// Patterns, each of which is compiled.
const MOST_PATTERNS: usize = 50;
/// Steps of one check, each about as long as looking at one value.
const MOST_STEPS: u64 = 2_000_000;
/// States of a pattern per step: each byte of text may have to visit all of them.
const STATES_PER_STEP: u64 = 8;
/// Bytes of text per step, for keywords that read all of it.
const BYTES_PER_STEP: u64 = 64;

/// The dialects that are taken, without their empty fragment.
const DIALECTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// Keywords that are refused: the cost of the first ones cannot be told, and the others make a
/// `$ref` mean something else than a place in this schema.
const REFUSED: [&str; 6] =
    ["unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "$id", "$schema"];

/// Every keyword that holds schemas, how it holds them, and what they are applied to.
const APPLICATORS: [(&str, Holds, Reach); 20] = [
    ("allOf", Holds::List, Reach::Same),
    ("anyOf", Holds::List, Reach::Same),
    ("oneOf", Holds::List, Reach::Same),
    ("not", Holds::One, Reach::Same),
    ("if", Holds::One, Reach::Same),
    ("then", Holds::One, Reach::Same),
    ("else", Holds::One, Reach::Same),
    ("contentSchema", Holds::One, Reach::Same),
    ("dependentSchemas", Holds::Map, Reach::Same),
    ("dependencies", Holds::Map, Reach::Same),
    ("properties", Holds::Map, Reach::Member),
    ("patternProperties", Holds::Map, Reach::Members),
    ("additionalProperties", Holds::One, Reach::Members),
    ("propertyNames", Holds::One, Reach::Names),
    ("items", Holds::One, Reach::Items),
    ("prefixItems", Holds::List, Reach::Items),
    ("additionalItems", Holds::One, Reach::Items),
    ("contains", Holds::One, Reach::Items),
    ("$defs", Holds::Map, Reach::Nothing),
    ("definitions", Holds::Map, Reach::Nothing),
];

/// How a keyword holds schemas. A list where one schema is expected holds several.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    One,
    List,
    Map,
}

/// What a subschema is applied to, when its parent is applied to a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The value itself.
    Same,
    /// The member of the same name.
    Member,
    Members,
    Items,
    /// The names of the members.
    Names,
    /// Only a `$ref` leads there.
    Nothing,
}

/// A schema as a graph.
#[derive(Debug)]
pub(super) struct Shape {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// One, and the values in lists of the schema itself, such as an `enum`.
    weight: u64,
    /// Steps per byte of text for the patterns it is matched with.
    matching: u64,
    compares_items: bool,
    same: Vec<usize>,
    /// By name.
    member: Vec<(String, usize)>,
    members: Vec<usize>,
    items: Vec<usize>,
    names: Vec<usize>,
}

impl Shape {
    /// Reads a schema, the root of its own references.
    ///
    /// # Errors
    /// Says what is not taken, and where it is in the schema.
    pub(super) fn of(root: &Value) -> Result<Self, String> {
        let mut survey = Survey { root, found: HashMap::new(), queue: Vec::new() };
        survey.node(root, String::new());
        let mut shape = Self { nodes: Vec::new() };
        let (mut references, mut targets, mut patterns) = (0, HashMap::new(), 0);
        while let Some((schema, place)) = survey.queue.get(shape.nodes.len()).cloned() {
            let mut node = Node::default();
            if let Value::Object(keywords) = schema {
                refuse_keywords(keywords, &place)?;
                survey.subschemas(&mut node, keywords, &place);
                if let Some(reference) = keywords.get("$ref") {
                    let target = survey.reference(reference, &place)?;
                    references += 1;
                    targets.insert(target, ());
                    node.same.push(target);
                }
                patterns += node.weigh(keywords);
            }
            shape.nodes.push(node);
        }
        bound("holds", references, MOST_REFERENCES, "references")?;
        bound("refers to", targets.len(), MOST_TARGETS, "schemas")?;
        bound("holds", patterns, MOST_PATTERNS, "patterns")?;
        shape.check_expansions(&survey)?;
        Ok(shape)
    }

    /// Bounds what is applied to one value, by going through the schemas in an order in which each
    /// comes before those that it applies to the same value.
    fn check_expansions(&self, survey: &Survey<'_>) -> Result<(), String> {
        let mut waits_for = vec![0_usize; self.nodes.len()];
        self.nodes.iter().flat_map(|node| &node.same).for_each(|&at| waits_for[at] += 1);
        let mut order: Vec<usize> =
            (0..self.nodes.len()).filter(|&at| waits_for[at] == 0).collect();
        let mut chained = vec![1_u32; self.nodes.len()];
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            next += 1;
            for &sub in &self.nodes[at].same {
                chained[sub] = chained[sub].max(chained[at] + 1);
                waits_for[sub] -= 1;
                if waits_for[sub] == 0 {
                    order.push(sub);
                }
            }
        }
        if let Some(at) = waits_for.iter().position(|&waits| waits > 0) {
            let place = survey.place(at);
            return Err(format!("refers to itself at {place} without going into a value"));
        }
        let mut expansions = vec![1_u64; self.nodes.len()];
        for &at in order.iter().rev() {
            let below: u64 = self.nodes[at].same.iter().map(|&sub| expansions[sub]).sum();
            expansions[at] = 1 + below.min(MOST_EXPANSIONS);
            if expansions[at] > MOST_EXPANSIONS || chained[at] > MOST_CHAINED {
                let place = survey.place(at);
                return Err(format!("combines too many schemas at {place}"));
            }
        }
        Ok(())
    }

    /// Adds the steps of checking a value to those taken before, which are bounded together.
    ///
    /// # Errors
    /// When the value would take too long to check.
    pub(super) fn price(&self, value: &Value, steps: &mut u64) -> Result<(), String> {
        let mut walk = Walk { shape: self, steps };
        let within = walk.apply(0, value, 1);
        within
            .ok_or_else(|| "it takes too long to check; ask for less or by a simpler schema".into())
    }
}

struct Walk<'a> {
    shape: &'a Shape,
    steps: &'a mut u64,
}

impl Walk<'_> {
    /// Counts the application of a schema to a value; `None` beyond a bound.
    fn apply(&mut self, at: usize, value: &Value, nested: u32) -> Option<()> {
        let node = &self.shape.nodes[at];
        *self.steps = self.steps.saturating_add(node.weight);
        if nested > MOST_NESTED || *self.steps > MOST_STEPS {
            return None;
        }
        let mut on = |sub: usize, value: &Value| self.apply(sub, value, nested + 1);
        for &sub in &node.same {
            on(sub, value)?;
        }
        match value {
            Value::Object(members) => {
                for (name, sub) in &node.member {
                    members.get(name).map_or(Some(()), |member| on(*sub, member))?;
                }
                for &sub in &node.members {
                    members.values().try_for_each(|member| on(sub, member))?;
                }
                for &sub in &node.names {
                    members.keys().try_for_each(|name| on(sub, &Value::String(name.clone())))?;
                }
                let names = members.keys().map(String::len).sum();
                self.reads(node, names);
            }
            Value::Array(items) => {
                for &sub in &node.items {
                    items.iter().try_for_each(|item| on(sub, item))?;
                }
                if node.compares_items {
                    *self.steps = self.steps.saturating_add(size(value));
                }
            }
            Value::String(text) => self.reads(node, text.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        (*self.steps <= MOST_STEPS).then_some(())
    }

    fn reads(&mut self, node: &Node, bytes: usize) {
        let bytes = bytes as u64;
        let steps = bytes.saturating_mul(node.matching).saturating_add(bytes / BYTES_PER_STEP);
        *self.steps = self.steps.saturating_add(steps);
    }
}

impl Node {
    /// Counts what checking costs beside the subschemas; gives the number of patterns.
    fn weigh(&mut self, keywords: &Map<String, Value>) -> usize {
        let of_text = keywords.get("pattern").and_then(Value::as_str);
        let of_names = keywords.get("patternProperties").and_then(Value::as_object);
        let of_names = of_names.into_iter().flat_map(Map::keys).map(String::as_str);
        let patterns: Vec<&str> = of_names.chain(of_text).collect();
        self.matching = patterns.iter().map(|pattern| steps_per_byte(pattern)).sum();
        self.compares_items = keywords.get("uniqueItems") == Some(&Value::Bool(true));
        let lists = keywords.iter().filter(|(name, value)| {
            !holds_schemas(name) && (value.is_array() || value.is_object())
        });
        self.weight = 1 + lists.map(|(_, value)| size(value)).sum::<u64>();
        patterns.len()
    }

    fn add(&mut self, reach: Reach, name: &str, sub: usize) {
        match reach {
            Reach::Same => self.same.push(sub),
            Reach::Member => self.member.push((name.to_owned(), sub)),
            Reach::Members => self.members.push(sub),
            Reach::Items => self.items.push(sub),
            Reach::Names => self.names.push(sub),
            Reach::Nothing => {}
        }
    }
}

/// The way through a schema: each of its subschemas once, breadth first.
struct Survey<'a> {
    root: &'a Value,
    /// Where a subschema is in the queue, by its address.
    found: HashMap<*const Value, usize>,
    queue: Vec<(&'a Value, String)>,
}

impl<'a> Survey<'a> {
    fn node(&mut self, schema: &'a Value, place: String) -> usize {
        *self.found.entry(std::ptr::from_ref(schema)).or_insert_with(|| {
            self.queue.push((schema, place));
            self.queue.len() - 1
        })
    }

    fn subschemas(&mut self, node: &mut Node, keywords: &'a Map<String, Value>, place: &str) {
        for (keyword, holds, reach) in APPLICATORS {
            let Some(held) = keywords.get(keyword) else { continue };
            let place = format!("{place}/{keyword}");
            match (holds, held) {
                (Holds::Map, Value::Object(map)) => {
                    for (name, schema) in map {
                        let sub = self.node(schema, format!("{place}/{name}"));
                        node.add(reach, name, sub);
                    }
                }
                (Holds::List | Holds::One, Value::Array(list)) => {
                    for (index, schema) in list.iter().enumerate() {
                        let sub = self.node(schema, format!("{place}/{index}"));
                        node.add(reach, "", sub);
                    }
                }
                (Holds::One, schema) => {
                    let sub = self.node(schema, place);
                    node.add(reach, "", sub);
                }
                // Not of this shape: compiling says so.
                (Holds::Map | Holds::List, _) => {}
            }
        }
    }

    fn reference(&mut self, reference: &Value, place: &str) -> Result<usize, String> {
        let text = reference.as_str().unwrap_or_default();
        let local = text.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        let Some(pointer) = local.filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))
        else {
            return Err(format!(
                "refers elsewhere at {place}/$ref; only references into the schema itself, such \
                 as `#/$defs/name`, are taken"
            ));
        };
        let target = self.root.pointer(pointer);
        let target = target.ok_or_else(|| format!("refers to nothing at {place}/$ref"))?;
        Ok(self.node(target, pointer.to_owned()))
    }

    fn place(&self, at: usize) -> &str {
        let place = self.queue.get(at).map_or("", |(_, place)| place.as_str());
        if place.is_empty() { "its root" } else { place }
    }
}

fn refuse_keywords(keywords: &Map<String, Value>, place: &str) -> Result<(), String> {
    if place.is_empty() && keywords.get("$schema").is_some_and(|dialect| !is_known(dialect)) {
        return Err(format!(
            "is of a dialect not taken here; `$schema` is {}",
            DIALECTS.join(", ")
        ));
    }
    // At the root they name the schema and its dialect.
    let inner = |name: &str| !(place.is_empty() && matches!(name, "$id" | "$schema"));
    match REFUSED.iter().find(|name| keywords.contains_key(**name) && inner(name)) {
        Some(name) => Err(format!("holds `{name}` at {place}, which is not taken here")),
        None => Ok(()),
    }
}

fn is_known(dialect: &Value) -> bool {
    let dialect = dialect.as_str().map(|uri| uri.trim_end_matches('#'));
    dialect.is_some_and(|dialect| DIALECTS.contains(&dialect))
}

fn holds_schemas(keyword: &str) -> bool {
    APPLICATORS.iter().any(|(name, ..)| *name == keyword)
}

fn bound(verb: &str, count: usize, most: usize, what: &str) -> Result<(), String> {
    if count > most { Err(format!("{verb} more than {most} {what}")) } else { Ok(()) }
}

/// Steps of matching a byte with a pattern: it may have to visit every state.
fn steps_per_byte(pattern: &str) -> u64 {
    1 + states(pattern) / STATES_PER_STEP
}

/// About how many states a pattern has: one for each of its letters, as often as the repetitions
/// around them say, one within the other.
fn states(pattern: &str) -> u64 {
    // What the open groups hold so far, and what the last atom within the innermost holds.
    let (mut groups, mut last) = (vec![0_u64], 0_u64);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let mut length = letter.len_utf8();
        match letter {
            '(' => {
                groups.push(0);
                last = 0;
            }
            ')' => last = if groups.len() > 1 { groups.pop().unwrap_or(0) } else { 0 },
            '{' => {
                length = rest.find('}').map_or(length, |end| end + 1);
                let counts = rest[1..length].trim_end_matches('}').split(',');
                let most = counts.filter_map(|count| count.parse::<u64>().ok()).max().unwrap_or(1);
                // The last atom is counted once already.
                let more = last.saturating_mul(most.saturating_sub(1));
                last = last.saturating_add(more);
                add(&mut groups, more);
            }
            '[' => {
                length = rest.find(']').map_or(length, |end| end + 1);
                last = length as u64;
            }
            _ => {
                // An escape is one letter, which may stand for a class of many.
                let escaped = rest.chars().nth(1).filter(|_| letter == '\\');
                length += escaped.map_or(0, char::len_utf8);
                last = length as u64;
            }
        }
        if !matches!(letter, '(' | '{') {
            add(&mut groups, last);
        }
        rest = &rest[length..];
    }
    groups.into_iter().fold(0, u64::saturating_add)
}

fn add(groups: &mut [u64], states: u64) {
    if let Some(innermost) = groups.last_mut() {
        *innermost = innermost.saturating_add(states);
    }
}

/// How many values a value holds, itself included.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / BYTES_PER_STEP,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}
