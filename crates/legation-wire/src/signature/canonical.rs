//! The canonical form of a card: which members are there (Spec 8.4.1), then how they are written
//! (RFC 8785).
//!
//! The tables of the protobuf schemas say what a member is. A member that 1.0 does not know stays as it
//! is, so that nobody can add one to a signed card; but those of 0.3 that stand beside 1.0's in one
//! document are left out, as every reader of 1.0 leaves them out.

use serde_json::{Map, Value};

use crate::grpc::schema::{Field, Kind, Label, Message, Shape};

const CARD: &str = "lf.a2a.v1.AgentCard";
const SIGNATURES: &str = "signatures";

/// The fields that are written even when they are empty, by message. The schemas that are served do not
/// carry these annotations of the specification's.
const REQUIRED: [(&str, &[&str]); 12] = [
    (
        "AgentCard",
        &[
            "name",
            "description",
            "supportedInterfaces",
            "version",
            "capabilities",
            "defaultInputModes",
            "defaultOutputModes",
            "skills",
        ],
    ),
    ("AgentInterface", &["url", "protocolBinding", "protocolVersion"]),
    ("AgentProvider", &["url", "organization"]),
    ("AgentSkill", &["id", "name", "description", "tags"]),
    ("APIKeySecurityScheme", &["location", "name"]),
    ("HTTPAuthSecurityScheme", &["scheme"]),
    ("OAuth2SecurityScheme", &["flows"]),
    ("OpenIdConnectSecurityScheme", &["openIdConnectUrl"]),
    ("AuthorizationCodeOAuthFlow", &["authorizationUrl", "tokenUrl", "scopes"]),
    ("ClientCredentialsOAuthFlow", &["tokenUrl", "scopes"]),
    ("DeviceCodeOAuthFlow", &["deviceAuthorizationUrl", "tokenUrl", "scopes"]),
    ("AgentCardSignature", &["protected", "signature"]),
];

/// The members that only readers before 1.0 look at, by message.
const OLDER: [(&str, &[&str]); 4] = [
    (
        "AgentCard",
        &[
            "protocolVersion",
            "url",
            "preferredTransport",
            "additionalInterfaces",
            "supportsAuthenticatedExtendedCard",
            "security",
        ],
    ),
    ("AgentCapabilities", &["stateTransitionHistory"]),
    ("AgentSkill", &["security"]),
    (
        "SecurityScheme",
        &[
            "type",
            "description",
            "in",
            "name",
            "scheme",
            "bearerFormat",
            "flows",
            "openIdConnectUrl",
            "oauth2MetadataUrl",
        ],
    ),
];

/// What is read is no card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a card that could be signed: {0}")]
pub struct NotACard(pub(super) String);

/// The bytes that a signature of a card is over, as the specification has them.
///
/// # Errors
/// When it is no object, or a member is there in both of its spellings.
pub fn canonical(card: &Value) -> Result<Vec<u8>, NotACard> {
    present(card).and_then(|card| written(&card))
}

/// Every form of a card over which signatures are made in the field, the specification's first: the
/// official Python SDK leaves out whatever is empty, and some sign the card just as it is sent.
pub(super) fn forms(card: &Value) -> Result<Vec<Vec<u8>>, NotACard> {
    let present = present(card)?;
    let filled = without_empty(present.clone()).unwrap_or(Value::Object(Map::new()));
    let mut sent = card.clone();
    sent.as_object_mut().and_then(|members| members.remove(SIGNATURES));
    let mut forms = Vec::new();
    for form in [present, filled, sent] {
        let form = written(&form)?;
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    Ok(forms)
}

fn written(card: &Value) -> Result<Vec<u8>, NotACard> {
    serde_json_canonicalizer::to_vec(card).map_err(|error| NotACard(error.to_string()))
}

/// The card with the members that count.
fn present(card: &Value) -> Result<Value, NotACard> {
    let Value::Object(members) = card else { return Err(NotACard("it is no object".into())) };
    let schema = Message::of_name(CARD).expect("the schemas have cards");
    let mut members = members.clone();
    members.remove(SIGNATURES);
    object(schema, members)
}

fn object(message: &'static Message, members: Map<String, Value>) -> Result<Value, NotACard> {
    let (required, older) = (of(&REQUIRED, message), of(&OLDER, message));
    let mut kept = Map::new();
    for (name, value) in members {
        let known = message.fields.iter().find(|field| field.json == name || field.name == name);
        let (name, value) = match known {
            None if older.contains(&&*name) => continue,
            None => (name, value),
            Some(_) if value.is_null() => continue,
            Some(field) => {
                let value = member(field, value)?;
                if is_default(field, &value) && !required.contains(&field.json) {
                    continue;
                }
                (field.json.to_owned(), value)
            }
        };
        if kept.insert(name.clone(), value).is_some() {
            return Err(NotACard(format!("`{name}` is there in two spellings")));
        }
    }
    Ok(Value::Object(kept))
}

/// The names of a table's row for a message.
fn of(table: &[(&str, &'static [&'static str])], message: &Message) -> &'static [&'static str] {
    let name = message.name.rsplit('.').next().unwrap_or_default();
    table.iter().find(|(known, _)| *known == name).map_or(&[], |(_, names)| names)
}

fn member(field: &Field, value: Value) -> Result<Value, NotACard> {
    match (field.label, value) {
        (Label::Repeated, Value::Array(items)) => {
            let items = items.into_iter().map(|item| single(field.kind, item));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        (Label::Map, Value::Object(entries)) => {
            let entry = field.kind.message().and_then(|entry| entry.field_of_number(2));
            let Some((_, holds)) = entry else { return Ok(Value::Object(entries)) };
            let entries =
                entries.into_iter().map(|(name, value)| Ok((name, single(holds.kind, value)?)));
            Ok(Value::Object(entries.collect::<Result<_, _>>()?))
        }
        (Label::Implicit | Label::Explicit | Label::OneOf, value) => single(field.kind, value),
        // Of another type than it should be, which is for the reader of the card to refuse.
        (_, value) => Ok(value),
    }
}

fn single(kind: Kind, value: Value) -> Result<Value, NotACard> {
    match (kind.message(), value) {
        (Some(message), Value::Object(members)) if message.shape == Shape::Plain => {
            object(message, members)
        }
        (_, value) => Ok(value),
    }
}

/// Whether a field is as if it were not there.
fn is_default(field: &Field, value: &Value) -> bool {
    match field.label {
        Label::Explicit | Label::OneOf => false,
        Label::Implicit | Label::Repeated | Label::Map => match value {
            Value::Bool(flag) => !flag,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Null | Value::Number(_) => false,
        },
    }
}

/// The value without anything in it that is empty, and nothing when that is all of it.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let kept = members.into_iter();
            let kept = kept.filter_map(|(name, value)| Some((name, without_empty(value)?)));
            let kept: Map<_, _> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Bool(_) | Value::Number(_) => Some(value),
    }
}
