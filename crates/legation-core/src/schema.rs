//! Structured output: the JSON Schema a caller asks for, and the check of an answer against it.
//!
//! | the caller writes | who does |
//! |---|---|
//! | `message.parts[n].metadata.schema`, any part | CrewAI 1.x, with `mimeType: application/json` |
//! | `message.metadata.schema` | callers of CrewAI's platform, by its documentation |
//! | `metadata.schema`, beside the message | callers that keep their messages free of it |
//!
//! The first one found counts, in this order. A schema comes from a stranger, so it is bounded before
//! anything works on it: see [`shape`], and for patterns [`options`].

mod shape;

use std::num::NonZero;
use std::sync::OnceLock;
use std::thread;

use jsonschema::{PatternOptions, ValidationError, Validator};
use legation_model::{
    A2aError, Content, ErrorKind, Json, Message, Metadata, Part, Role, SendMessageRequest,
};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use crate::{AgentError, Limits};
use shape::Shape;

/// The member of metadata that holds a schema.
const MEMBER: &str = "schema";
/// Bytes of a compiled pattern.
const PATTERN_BYTES: usize = 512 << 10;
/// Bytes of stack: twice what the deepest schema takes that the bounds allow, without optimization.
const STACK_BYTES: usize = 32 << 20;
/// Bytes of a reason and of a place: both may quote as much as the schema holds.
const REASON_BYTES: usize = 300;

/// A schema that was asked for and is taken. It stays text for as long as a run takes: compiled, it
/// may be a hundred times as large.
#[derive(Clone, Debug)]
pub(crate) struct Schema(Json);

/// A schema ready to check answers.
struct Compiled {
    shape: Shape,
    validator: Validator,
}

impl Schema {
    /// The schema that a request asks for.
    ///
    /// # Errors
    /// Names the field when it is not a schema, or one that could keep the server at work for long.
    pub(crate) async fn read(
        request: &SendMessageRequest,
        limits: &Limits,
    ) -> Result<Option<Self>, A2aError> {
        let beside = || asked_at("metadata", request.metadata.as_ref());
        Self::prepare(asked_by(&request.message).or_else(beside), limits).await
    }

    /// The schema that the caller asked for last in a task, for a run that goes on with it.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub(crate) async fn asked_in(
        history: &[Message],
        limits: &Limits,
    ) -> Result<Option<Self>, A2aError> {
        let said = history.iter().rev().filter(|message| message.role != Role::Agent);
        let last = said.filter_map(asked_by).next();
        Self::prepare(last, limits).await
    }

    /// Puts a schema that stands beside a message into it, because only what is in a message is
    /// kept: another run may have to find it again.
    pub(crate) fn keep_in_message(request: &mut SendMessageRequest) {
        if asked_by(&request.message).is_some() {
            return;
        }
        let Some((_, json)) = asked_at("metadata", request.metadata.as_ref()) else { return };
        // What nests too deeply there is no schema that is taken.
        let metadata = Metadata::with(request.message.metadata.as_ref(), MEMBER, json);
        request.message.metadata = metadata.ok().or(request.message.metadata.take());
    }

    async fn prepare(
        asked: Option<(String, Json)>,
        limits: &Limits,
    ) -> Result<Option<Self>, A2aError> {
        let Some((field, json)) = asked else { return Ok(None) };
        let bytes = json.as_str().len();
        if bytes > limits.schema_bytes {
            let most = limits.schema_bytes;
            let text = format!("must be a schema of at most {most} bytes, not {bytes}");
            return Err(A2aError::invalid(field, text));
        }
        let schema = Self(json);
        let taken = schema.clone();
        match aside(move || Compiled::of(&taken).map(drop)).await {
            Ok(()) => Ok(Some(schema)),
            Err(reason) => Err(A2aError::invalid(field, reason)),
        }
    }

    /// The schema as it was sent.
    pub(crate) fn json(&self) -> &Json {
        &self.0
    }

    /// The parts of an answer, with text that is JSON turned into data when it is what was asked.
    ///
    /// # Errors
    /// Says what is wrong with the answer.
    pub(crate) async fn fulfil(&self, parts: Vec<Part>) -> Result<Vec<Part>, String> {
        let schema = self.clone();
        aside(move || Compiled::of(&schema)?.fulfil(parts)).await
    }

    /// The same for a message that an agent answers with at once, without a turn to answer again.
    ///
    /// # Errors
    /// When the message is not what was asked for.
    pub(crate) async fn fulfil_directly(&self, answer: &mut Message) -> Result<(), A2aError> {
        let parts = std::mem::take(&mut answer.parts);
        answer.parts = self.fulfil(parts).await.map_err(|reason| {
            A2aError::new(ErrorKind::InvalidAgentResponse, AgentError::Unfit(reason).to_string())
        })?;
        Ok(())
    }
}

impl Compiled {
    /// Compiles a schema.
    ///
    /// # Errors
    /// Says why it is not taken.
    fn of(schema: &Schema) -> Result<Self, String> {
        let mut root: Value =
            schema.0.read().map_err(|error| format!("cannot be read: {error}"))?;
        let Value::Object(keywords) = &mut root else {
            return Err("must be a JSON Schema, which is an object".into());
        };
        let shape = Shape::of(&Value::Object(keywords.clone())).map_err(short)?;
        // References count from the root, whatever it is called elsewhere.
        keywords.remove("$id");
        let validator = options().build(&root).map_err(|error| {
            format!("is not a schema that is taken here: {}{}", violated(error), PATTERN_HINT)
        })?;
        Ok(Self { shape, validator })
    }

    fn fulfil(&self, mut parts: Vec<Part>) -> Result<Vec<Part>, String> {
        let (mut reason, mut steps) = (None, 0);
        let mut fits = |data: &Json| match self.check(data, &mut steps) {
            Ok(()) => true,
            Err(violated) => {
                reason.get_or_insert(violated);
                false
            }
        };
        // Data before text, wherever they stand: it was meant to be the answer.
        if parts.iter().filter_map(as_data).any(&mut fits) {
            return Ok(parts);
        }
        for part in &mut parts {
            let json = part.as_text().and_then(|text| Json::parse(text.trim()).ok());
            if let Some(data) = json.filter(&mut fits) {
                part.content = Content::Data(data);
                part.media_type = Some("application/json".into());
                return Ok(parts);
            }
        }
        Err(reason.unwrap_or_else(|| "it holds no JSON".into()))
    }

    fn check(&self, data: &Json, steps: &mut u64) -> Result<(), String> {
        let value = data.read().map_err(|error| format!("it cannot be read: {error}"))?;
        self.shape.price(&value, steps)?;
        self.validator.validate(&value).map_err(violated)
    }
}

fn as_data(part: &Part) -> Option<&Json> {
    match &part.content {
        Content::Data(data) => Some(data),
        Content::Text(_) | Content::Raw(_) | Content::Url(_) => None,
    }
}

/// The schema that a message asks for by itself, and its field.
fn asked_by(message: &Message) -> Option<(String, Json)> {
    let parts = message.parts.iter().enumerate().find_map(|(index, part)| {
        let metadata = part.metadata.as_ref()?;
        asked_at(&format!("message.parts[{index}].metadata"), Some(metadata))
    });
    parts.or_else(|| asked_at("message.metadata", message.metadata.as_ref()))
}

fn asked_at(place: &str, metadata: Option<&Metadata>) -> Option<(String, Json)> {
    let json = metadata?.get(MEMBER)?;
    // A schema that says nothing asks for nothing.
    let asks = !matches!(json.as_str(), "null" | "{}");
    asks.then(|| (format!("{place}.{MEMBER}"), json))
}

/// How schemas are compiled. Nothing is fetched: the crate is built without resolvers. `format` is
/// an annotation, as the newer drafts have it; some formats take long to check.
fn options() -> jsonschema::ValidationOptions<'static> {
    let linear = PatternOptions::regex().size_limit(PATTERN_BYTES);
    jsonschema::options().with_pattern_options(linear).should_validate_formats(false)
}

/// Why a pattern may have been refused, which the validator does not tell.
const PATTERN_HINT: &str =
    " (patterns: look-around, back-references and large repetitions are not taken)";

/// What is violated and where, without the values at fault, which may be large.
fn violated(error: ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    let text = short(error.masked().to_string());
    if place.is_empty() { text } else { format!("{text} at {}", short(place)) }
}

fn short(mut text: String) -> String {
    if text.len() > REASON_BYTES {
        text.truncate(text.floor_char_boundary(REASON_BYTES));
        text.push('…');
    }
    text
}

/// Does bounded but heavy work in a thread of its own, a few at once: the rest of the server keeps
/// its cores however many schemas come. The runtime's own threads for blocking work have stacks that
/// a deep schema can overflow, which would end the process.
async fn aside<T, F>(work: F) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, String> + Send + 'static,
{
    static AT_ONCE: OnceLock<Semaphore> = OnceLock::new();
    let at_once = AT_ONCE.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Semaphore::new(cores.div_ceil(2))
    });
    let permit = at_once.acquire().await.expect("the semaphore is never closed");
    let (done, result) = oneshot::channel();
    let thread = thread::Builder::new().name("schema".into()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        // Nobody waits any more when the caller was cancelled meanwhile.
        let _ = done.send(work());
        drop(permit);
    });
    started.map_err(|error| format!("it cannot be checked now: {error}"))?;
    result.await.unwrap_or_else(|_| Err("it crashed the validator".into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use legation_model::SendMessageConfiguration;
    use serde_json::{Map, json};

    use super::*;

    fn request(schema: &Value) -> SendMessageRequest {
        let mut message = Message::new(Role::User, vec![Part::text("go")]);
        message.metadata = Metadata::single(MEMBER, schema).ok();
        let configuration = SendMessageConfiguration::default();
        SendMessageRequest { tenant: None, message, configuration, metadata: None }
    }

    /// A hang must fail a test, not stop it; nothing here takes a noticeable part of this.
    async fn soon<T>(work: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(30), work).await.expect("bounded work")
    }

    async fn read(schema: &Value) -> Result<Option<Schema>, A2aError> {
        soon(Schema::read(&request(schema), &Limits::default())).await
    }

    /// What becomes of an answer of one part, in short: `=` when it stays, the data it becomes, or
    /// what is wrong.
    async fn outcome(schema: &Value, part: Part) -> String {
        let schema = read(schema).await.expect("a schema").expect("asked for");
        match soon(schema.fulfil(vec![part.clone()])).await {
            Ok(parts) if parts == [part] => "=".into(),
            Ok(parts) => as_data(&parts[0]).expect("data").as_str().into(),
            Err(reason) => reason,
        }
    }

    fn data(value: &Value) -> Part {
        Part::data(Json::from_value(value).expect("JSON"))
    }

    /// `{"a": {"a": .. leaf}}`.
    fn nested(depth: usize, leaf: Value) -> Value {
        (0..depth).fold(leaf, |value, _| json!({ "a": value }))
    }

    /// Definitions `d0` to the last, each made of a reference to the next.
    fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
        let mut defs: Map<String, Value> = (0..length)
            .map(|at| (format!("d{at}"), link(json!({"$ref": format!("#/$defs/d{}", at + 1)}))))
            .collect();
        defs.insert(format!("d{length}"), json!({"type": "integer"}));
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    }

    #[tokio::test]
    async fn an_answer_is_data_that_satisfies_or_text_that_becomes_it() {
        let schema = json!({
            "$id": "https://example.com/mean", "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object", "properties": {"mean": {"$ref": "#/definitions/n"}},
            "required": ["mean"], "definitions": {"n": {"type": "number", "title": "N"}},
        });
        let cases = [
            (data(&json!({"mean": 5})), "="),
            (Part::text(" {\"mean\": 5}\n"), "{\"mean\": 5}"),
            (Part::text("the mean is 5"), "it holds no JSON"),
            (data(&json!({"mean": "five"})), "value is not of type \"number\" at /mean"),
            (data(&json!([5])), "value is not of type \"object\""),
            (Part::text("{}"), "\"mean\" is a required property"),
            (Part::data(Json::parse(r#"{"mean":1e999}"#).expect("JSON")), "it cannot be read"),
            (Part::from(Content::Url("https://example.com/mean.json".into())), "it holds no JSON"),
        ];
        for (part, expected) in cases {
            let shown = format!("{part:?}");
            let got = outcome(&schema, part).await;
            assert!(got.starts_with(expected), "{shown}: {got}");
        }
    }

    #[tokio::test]
    async fn a_schema_is_found_where_callers_put_it() {
        let schema = json!({"type": "object"});
        let metadata = || Metadata::single(MEMBER, &schema).ok();
        let plain = request(&json!(null));
        let mut by_part = plain.clone();
        by_part.message.parts.push(Part { metadata: metadata(), ..Part::text("") });
        let mut beside = plain.clone();
        beside.metadata = metadata();
        for (request, asked) in
            [(request(&schema), true), (by_part, true), (beside, true), (plain, false)]
        {
            let found = soon(Schema::read(&request, &Limits::default())).await;
            let found = found.expect("a good schema or none");
            assert_eq!(found.is_some(), asked, "{request:?}");
        }
        let mut bad = request(&json!(null));
        bad.message.parts[0].metadata = Metadata::single(MEMBER, &json!([])).ok();
        let error = soon(Schema::read(&bad, &Limits::default())).await.expect_err("not a schema");
        assert_eq!(error.violations[0].field, "message.parts[0].metadata.schema");
    }

    #[tokio::test]
    async fn usual_schemas_are_taken() {
        let cases = [
            // As Pydantic writes models: optional members, unions, recursion.
            (
                json!({
                    "$defs": {"Node": {"type": "object", "title": "Node", "properties": {
                        "kind": {"const": "node", "type": "string"},
                        "value": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": null},
                        "left": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                        "right": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    }}},
                    "$ref": "#/$defs/Node",
                }),
                json!({"kind": "node", "left": {"right": {"value": 1}}, "right": null}),
            ),
            (
                json!({"type": "string", "pattern": "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$"}),
                json!("a@b.c"),
            ),
            (json!({"type": "string", "pattern": "^.{1,255}$"}), json!("a")),
            (json!({"type": "string", "pattern": "^\\p{L}+$"}), json!("é")),
            (json!({"properties": {"$ref": {"type": "string"}, "$id": {}}}), json!({"$ref": "x"})),
            // A table of many rows.
            (
                json!({"items": {"type": "object", "properties": {"a": {"type": "integer"}}}}),
                Value::Array((0..20_000).map(|a| json!({ "a": a })).collect()),
            ),
            // As deep as one can go.
            (json!({"properties": {"a": {"$ref": "#"}}}), nested(90, json!(1))),
            (chain(127, |next| json!({"properties": {"a": {"items": next}}})), json!({"a": []})),
            (chain(30, |next| next), json!(5)),
            (
                chain(60, |next| (0..90).fold(next, |schema, _| json!({ "items": schema }))),
                json!([]),
            ),
            (nested_schema(45), nested(45, json!(1))),
            (
                json!({"allOf": [{"anyOf": [{"properties": {"a": {"$ref": "#"}}}]}]}),
                nested(90, json!(1)),
            ),
        ];
        for (schema, answer) in cases {
            assert_eq!(outcome(&schema, data(&answer)).await, "=", "{:.200}", schema.to_string());
        }
    }

    fn nested_schema(depth: usize) -> Value {
        (0..depth).fold(json!({}), |schema, _| json!({"properties": {"a": schema}}))
    }

    #[tokio::test]
    async fn hostile_schemas_are_refused_at_the_door() {
        let twice = |keyword: &'static str| move |next: Value| json!({ keyword: [next, next] });
        let many = |of: Value| Value::Array(vec![of; 200]);
        let cases = [
            (json!("text"), "must be a JSON Schema, which is an object"),
            (json!({"description": "x".repeat(70_000)}), "must be a schema of at most 65536 bytes"),
            (json!({"type": "whatever"}), "is not a schema that is taken here"),
            (json!({"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}), "refers elsewhere"),
            (json!({"$defs": {"unused": {"$ref": "file:///etc/passwd"}}}), "refers elsewhere"),
            (json!({"$ref": "other.json#/a"}), "refers elsewhere"),
            (json!({"$ref": "#/$defs/missing"}), "refers to nothing at /$ref"),
            (json!({"$schema": "http://127.0.0.1:9/x"}), "is of a dialect not taken here"),
            (json!({"items": {"$id": "http://example.com/"}}), "holds `$id` at /items"),
            (json!({"$dynamicRef": "#a"}), "holds `$dynamicRef`"),
            (json!({"allOf": [{"unevaluatedProperties": false}]}), "holds `unevaluatedProperties`"),
            (json!({"pattern": "^(a|a)*(?=b)$"}), "is not a schema that is taken here"),
            (json!({"pattern": "^(a*)\\1$"}), "is not a schema that is taken here"),
            (json!({"pattern": "((a{100}){100}){100}"}), "is not a schema that is taken here"),
            (
                json!({"allOf": many(json!({"pattern": "[^a]{50}b"}))}),
                "holds more than 50 patterns",
            ),
            (json!({"$ref": "#"}), "refers to itself at its root"),
            (json!({"anyOf": [{"$ref": "#/anyOf/1"}, {"not": {"$ref": "#"}}]}), "refers to itself"),
            (chain(60, twice("allOf")), "combines too many schemas"),
            (chain(20, twice("anyOf")), "combines too many schemas"),
            (chain(60, |next| next), "combines too many schemas"),
            (chain(200, |next| json!({ "items": next })), "refers to more than 128 schemas"),
            (
                json!({"oneOf": vec![json!({"$ref": "#/$defs/a"}); 2_000], "$defs": {"a": {}}}),
                "holds more than 1000 references",
            ),
        ];
        for (schema, expected) in cases {
            let error = read(&schema).await.expect_err(expected);
            let violation = &error.violations[0];
            assert_eq!(violation.field, "message.metadata.schema");
            let text = &violation.description;
            assert!(text.contains(expected) && text.len() < 800, "{expected}: {text}");
        }
    }

    #[tokio::test]
    async fn a_check_that_would_take_long_is_refused() {
        let both = |other: Value| {
            json!({"anyOf": [
                {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
                {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
                other,
            ]})
        };
        let numbers = |count: usize| Value::Array((0..count).map(|at| json!(at)).collect());
        let wide: Vec<Value> = (0..3_000).map(|at| json!({ "minimum": at })).collect();
        let alike = vec![json!({"uniqueItems": true}); 1_000];
        let strings = Value::Array(vec![json!("b"); 5_000]);
        let cases = [
            (both(json!({"type": "integer"})), nested(60, json!("x"))),
            (json!({"items": {"oneOf": wide}}), numbers(20_000)),
            (json!({"allOf": alike}), numbers(20_000)),
            (json!({"items": {"enum": numbers(5_000)}}), strings),
            (json!({"pattern": "^(a|b|ab){200}c$"}), json!("ab".repeat(500_000))),
            (json!({"pattern": "a[ab]{400}c"}), json!("ab".repeat(12_500))),
            (json!({"pattern": "a([ab]{20}){20}c"}), json!("ab".repeat(150_000))),
            (json!({"pattern": "a((([ab]{7}){7}){7}){2}c"}), json!("ab".repeat(200_000))),
            (json!({"pattern": "a(((([ab]{5}){5}){5}){5}){3}c"}), json!("ab".repeat(200_000))),
        ];
        for (schema, answer) in cases {
            let got = outcome(&schema, data(&answer)).await;
            assert!(got.starts_with("it takes too long"), "{:.80}: {got:.80}", schema.to_string());
        }
    }

    #[tokio::test]
    async fn a_reason_is_short_and_does_not_quote_the_answer() {
        let schema = json!({"enum": (0..5_000).map(|at| at.to_string()).collect::<Vec<_>>()});
        let reason = outcome(&schema, data(&json!("secret".repeat(1_000)))).await;
        assert!(reason.len() < 500 && !reason.contains("secret"), "{reason}");
    }
}
