//! The places of faults in the words of the schema.

use legation_model::A2aError;

use super::schema::Message;

/// Makes of an error that names members by their JSON one that names fields by their schema.
pub(super) fn in_schema(input: &'static Message, error: A2aError) -> A2aError {
    match &error.violations[..] {
        [violation] if !violation.field.is_empty() => {
            A2aError::invalid(path(input, &violation.field), &*violation.description)
        }
        _ => error,
    }
}

/// The path of a field in the schema, by the path of the member in its JSON.
fn path(input: &'static Message, members: &str) -> String {
    let mut message = Some(input);
    let steps = members.split('.').map(|step| {
        let (name, index) = step.split_at(step.find('[').unwrap_or(step.len()));
        let field = message.and_then(|message| message.field_of_json(name));
        let here = message.take();
        message = field.and_then(|field| field.kind.message());
        let name = match (field, here) {
            (Some(field), _) => field.name,
            (None, Some(here)) => said_otherwise(here, name),
            (None, None) => name,
        };
        [name, index].concat()
    });
    steps.collect::<Vec<_>>().join(".")
}

/// The field of 0.3 that says what other bindings have another member for: it names tasks and
/// webhooks by one text.
fn said_otherwise<'n>(message: &'static Message, member: &'n str) -> &'n str {
    let known = |name: &'static str| message.field_of_json(name).map(|field| field.name);
    match member {
        "parts" => known("content"),
        "pushNotificationConfig" => known("config").map(|_| "config.push_notification_config"),
        "id" | "taskId" | "pushNotificationConfigId" => known("name").or(known("parent")),
        _ => None,
    }
    .unwrap_or(member)
}
