//! Structured output: data in a shape that the caller chooses, asked for where agents look for the wish
//! and checked when it comes.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use legation_model::{
    Content, Json, Message, Metadata, Part, SendMessageRequest, SendMessageResponse, TaskState,
};
use serde_json::Value;

const MEDIA_TYPE: &str = "application/json";
/// Bytes of a compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// A JSON Schema that answers shall satisfy.
pub struct Schema {
    json: Json,
    validator: Validator,
}

/// A text is no schema that answers could be checked by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Schema, which is a JSON object: {0}")]
pub struct BadSchema(String);

/// An answer is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is no data in it.
    #[error("the answer holds no data")]
    NoData,
    /// The task did not complete. What it has produced is no answer.
    #[error("the task did not complete")]
    Incomplete,
    /// The data has another shape.
    #[error("the answer's data is not as asked: {0}")]
    Violation(String),
}

impl Schema {
    /// Reads a schema. Patterns must be such as are matched in linear time: agents choose what they are
    /// tried on.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadSchema> {
        let bad = |fault: &dyn fmt::Display| BadSchema(fault.to_string());
        let json = Json::parse(text.trim()).map_err(|fault| bad(&root(&fault)))?;
        if !json.as_str().starts_with('{') {
            return Err(BadSchema("it is no object".into()));
        }
        let root: Value = json.read().map_err(|fault| bad(&fault))?;
        let options = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES));
        let validator = options.build(&root).map_err(|fault| bad(&fault))?;
        Ok(Self { json, validator })
    }

    /// Puts the wish into a message: beside its first part, where CrewAI puts it and so most servers
    /// look for it, and among the media types that the caller takes.
    pub fn ask(&self, request: &mut SendMessageRequest) {
        request.configuration.accepted_output_modes = vec![MEDIA_TYPE.into()];
        let Some(first) = request.message.parts.first_mut() else { return };
        let wish = Metadata::single("mimeType", &MEDIA_TYPE);
        let wish = wish.and_then(|wish| Metadata::with(Some(&wish), "schema", self.json.clone()));
        // A schema as deep as JSON may be has no room around it; then the server gets to say so.
        let wish = wish.or_else(|_| Metadata::single("schema", &"too deep"));
        first.metadata = wish.ok();
    }

    /// The data of an answer. Agents that know text only may say it as text that is JSON.
    ///
    /// # Errors
    /// When there is none, or it has another shape.
    pub fn data(&self, answer: &SendMessageResponse) -> Result<Json, Unfit> {
        let parts: Vec<&Part> = match answer {
            SendMessageResponse::Message(message) => message.parts.iter().collect(),
            SendMessageResponse::Task(task) if task.status.state == TaskState::Completed => {
                let given = task.artifacts.iter().flat_map(|artifact| &artifact.parts);
                let said = task.status.message.iter().flat_map(|message: &Message| &message.parts);
                given.chain(said).collect()
            }
            SendMessageResponse::Task(_) => return Err(Unfit::Incomplete),
        };
        let data = parts.iter().find_map(|part| match &part.content {
            Content::Data(data) => Some(data.clone()),
            Content::Text(_) | Content::Raw(_) | Content::Url(_) => None,
        });
        let spoken = || parts.iter().find_map(|part| Json::parse(part.as_text()?.trim()).ok());
        let data = data.or_else(spoken).ok_or(Unfit::NoData)?;
        let value: Value = data.read().map_err(|fault| Unfit::Violation(fault.to_string()))?;
        match self.validator.validate(&value) {
            Ok(()) => Ok(data),
            Err(fault) => {
                let place = fault.instance_path().to_string();
                let place = if place.is_empty() { place } else { format!(" at `{place}`") };
                // Without the value at fault, which may be large.
                Err(Unfit::Violation(format!("{}{place}", fault.masked())))
            }
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.json.as_str()).finish()
    }
}

/// The innermost cause, which says where.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use legation_model::{Role, Task};

    use super::*;

    const MEAN: &str =
        r#"{"type":"object","required":["mean"],"properties":{"mean":{"type":"number"}}}"#;

    #[test]
    fn a_schema_is_an_object_that_says_a_shape() {
        for good in [MEAN, "{}", r#" {"pattern": "^a+$"} "#] {
            assert!(Schema::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "true", "[]", "{", r#"{"type": "numbr"}"#, r#"{"pattern": "(?=a)"}"#] {
            assert!(Schema::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_is_what_was_asked_for_or_none() {
        let schema = Schema::parse(MEAN).expect("a schema");
        let said = |content: &str| -> SendMessageResponse {
            let text = format!(r#"{{"messageId":"m","role":"ROLE_AGENT","parts":[{content}]}}"#);
            SendMessageResponse::Message(serde_json::from_str(&text).expect("a message"))
        };
        let task = |state: &str, content: &str| -> SendMessageResponse {
            let artifact = format!(r#"{{"artifactId":"a","parts":[{content}]}}"#);
            let text = format!(
                r#"{{"id":"t","status":{{"state":"TASK_STATE_{state}"}},"artifacts":[{artifact}]}}"#
            );
            SendMessageResponse::Task(serde_json::from_str::<Task>(&text).expect("a task"))
        };
        let cases = [
            (said(r#"{"data":{"mean":4}}"#), r#"{"mean":4}"#),
            (said(r#"{"text":"the mean"},{"data":{"mean":4}}"#), r#"{"mean":4}"#),
            (said(r#"{"text":" {\"mean\":4} "}"#), r#"{"mean":4}"#),
            (task("COMPLETED", r#"{"data":{"mean":4}}"#), r#"{"mean":4}"#),
            (task("FAILED", r#"{"data":{"mean":4}}"#), "the task did not complete"),
            (said(r#"{"text":"four"}"#), "the answer holds no data"),
            (said(r#"{"data":{"mean":"4"}}"#), "is not of type \"number\" at `/mean`"),
            (said(r#"{"data":{}}"#), "\"mean\" is a required property"),
        ];
        for (answer, expected) in cases {
            let got = match schema.data(&answer) {
                Ok(data) => data.as_str().to_owned(),
                Err(unfit) => unfit.to_string(),
            };
            assert!(got.contains(expected), "{got}");
        }
    }

    #[test]
    fn the_wish_goes_where_agents_look() {
        let message = Message::new(Role::User, vec![Part::text("mean of 3, 5")]);
        let configuration = Default::default();
        let mut request =
            SendMessageRequest { tenant: None, message, configuration, metadata: None };
        Schema::parse(MEAN).expect("a schema").ask(&mut request);
        let metadata = request.message.parts[0].metadata.as_ref().expect("a wish");
        assert_eq!(metadata.get("schema").expect("a schema").as_str(), MEAN);
        assert_eq!(metadata.get("mimeType").expect("a type").as_str(), r#""application/json""#);
        assert_eq!(request.configuration.accepted_output_modes, ["application/json"]);
    }
}
