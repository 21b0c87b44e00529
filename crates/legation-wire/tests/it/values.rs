//! Values of the model, as proptest makes them up.

use legation_model::{
    Artifact, ArtifactId, Base64, Content, ContextId, Json, Message, MessageId, Metadata, Part,
    Role, StreamResponse, Task, TaskArtifactUpdateEvent, TaskId, TaskState, TaskStatus,
    TaskStatusUpdateEvent, Timestamp,
};
use legation_wire::operation::Operation;
use legation_wire::v0_3::{DATA_PART_COMPAT, FILENAME, MEDIA_TYPE};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn free() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (any::<i16>(), select(&[8.0, 0.000_001_f64][..]))
            .prop_map(|(number, divisor)| Value::from((f64::from(number) / divisor).round() / 8.0)),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = prop_oneof!["[a-c]", Just("value".to_owned()), Just("data".to_owned())];
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(key, inner, 0..3).prop_map(Value::from_iter),
        ]
    })
}

fn object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Metadata> {
    let kept = prop_oneof![
        3 => Just(None),
        1 => (select(&[MEDIA_TYPE, FILENAME][..]), "[a-z]{1,3}").prop_map(|(key, text)| Some((key, text.into()))),
        1 => Just(Some((DATA_PART_COMPAT, Value::Bool(true)))),
    ];
    (btree_map("[a-z]{0,3}", values, 0..3), kept).prop_map(|(mut map, kept)| {
        map.extend(kept.map(|(key, value)| (key.to_owned(), value)));
        Metadata::new(Json::from_value(&map).expect("JSON")).expect("an object")
    })
}

fn metadata() -> impl Strategy<Value = Option<Metadata>> {
    of(object(free()))
}

fn id<T: Clone + std::fmt::Debug>(make: fn(&str) -> T) -> impl Strategy<Value = T> {
    prop_oneof!["[a-z0-9/ é-]{1,8}", "artifact-[0-9]{1,12}"].prop_map(move |text| make(&text))
}

fn task_id() -> impl Strategy<Value = TaskId> {
    id(|text| TaskId::parse(text).expect("an id"))
}

fn context_id() -> impl Strategy<Value = ContextId> {
    id(|text| ContextId::parse(text).expect("an id"))
}

fn names() -> impl Strategy<Value = Vec<String>> {
    vec("urn:[a-z]{1,3}", 0..3)
}

fn part() -> impl Strategy<Value = Part> {
    let content = prop_oneof![
        ".{0,8}".prop_map(Content::Text),
        vec(any::<u8>(), 0..8).prop_map(|bytes| Content::Raw(Base64::encode(&bytes))),
        ".{0,8}".prop_map(Content::Url),
        free().prop_map(|json| Content::Data(Json::from_value(&json).expect("JSON"))),
    ];
    let name = || of(".{1,6}");
    (content, metadata(), name(), name()).prop_map(|(content, metadata, filename, media_type)| {
        Part { content, metadata, filename, media_type }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let message_id = id(|text| MessageId::parse(text).expect("an id"));
    let ids = (message_id, of(context_id()), of(task_id()), vec(task_id(), 0..2));
    (ids, select(Role::ALL), vec(part(), 1..4), metadata(), names()).prop_map(
        |(
            (message_id, context_id, task_id, reference_task_ids),
            role,
            parts,
            metadata,
            extensions,
        )| Message {
            message_id,
            context_id,
            task_id,
            role,
            parts,
            metadata,
            extensions,
            reference_task_ids,
        },
    )
}

fn artifact() -> impl Strategy<Value = Artifact> {
    let artifact_id = id(|text| ArtifactId::parse(text).expect("an id"));
    let text = || of(".{1,6}");
    (artifact_id, text(), text(), vec(part(), 0..4), metadata(), names()).prop_map(
        |(artifact_id, name, description, parts, metadata, extensions)| Artifact {
            artifact_id,
            name,
            description,
            parts,
            metadata,
            extensions,
        },
    )
}

fn status() -> impl Strategy<Value = TaskStatus> {
    let moment = (0..4_000_000_000_000_i64)
        .prop_map(|millis| Timestamp::from_millis(millis).expect("a time"));
    (select(TaskState::ALL), of(message()), of(moment))
        .prop_map(|(state, message, timestamp)| TaskStatus { state, message, timestamp })
}

/// A task.
pub(crate) fn task() -> impl Strategy<Value = StreamResponse> {
    let ids = (task_id(), of(context_id()));
    (ids, status(), vec(artifact(), 0..3), vec(message(), 0..3), metadata()).prop_map(
        |((id, context_id), status, artifacts, history, metadata)| {
            StreamResponse::Task(Task { id, context_id, status, artifacts, history, metadata })
        },
    )
}

/// A direct message.
pub(crate) fn direct_message() -> impl Strategy<Value = StreamResponse> {
    message().prop_map(StreamResponse::Message)
}

/// An item of a stream.
pub(crate) fn item() -> impl Strategy<Value = StreamResponse> {
    let status = (task_id(), context_id(), status(), metadata()).prop_map(
        |(task_id, context_id, status, metadata)| {
            StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
                task_id,
                context_id,
                status,
                metadata,
            })
        },
    );
    let flags = (any::<bool>(), any::<bool>());
    let artifact = (task_id(), context_id(), artifact(), flags, metadata()).prop_map(
        |(task_id, context_id, artifact, (append, last_chunk), metadata)| {
            StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                task_id,
                context_id,
                artifact,
                append,
                last_chunk,
                metadata,
            })
        },
    );
    prop_oneof![task(), direct_message(), status, artifact]
}

/// A request of 1.0: its operation and its parameters, with nothing in them that its message cannot
/// tell from absence.
pub(crate) fn request() -> impl Strategy<Value = (Operation, String)> {
    fn params(operation: Operation) -> impl Fn(Value) -> (Operation, String) {
        move |params| (operation, params.to_string())
    }
    let send = (sent(), of(vec("[a-z]{1,3}/[a-z]", 0..3)), of(0..9_i32), any::<bool>(), metadata());
    let webhook = (of(id(str::to_owned)), id(str::to_owned), ".{1,8}", of(".{1,6}"), of(".{1,6}"));
    let webhook = webhook.prop_map(|(id, task_id, url, token, credentials)| {
        let authentication = credentials.map(|text| json!({"scheme": "Bearer", "credentials": text}));
        json!({"id": id, "taskId": task_id, "url": url, "token": token, "authentication": authentication})
    });
    let webhook = webhook.boxed();
    let send = (send, of(webhook.clone())).prop_map(
        |((message, modes, history_length, return_immediately, metadata), webhook)| {
            json!({
                "tenant": "t",
                "message": message,
                "configuration": {
                    "acceptedOutputModes": modes,
                    "historyLength": history_length,
                    "returnImmediately": return_immediately,
                    "taskPushNotificationConfig": webhook,
                },
                "metadata": metadata,
            })
        },
    );
    let send = send.boxed();
    let about = (of(".{1,6}"), id(str::to_owned), id(str::to_owned), of(0..9_i32), metadata());
    let about = about.prop_map(|(tenant, id, task_id, length, metadata)| {
        json!({"tenant": tenant, "id": id, "taskId": task_id, "historyLength": length, "metadata": metadata})
    });
    let about = about.boxed();
    let moment = (0..4_000_000_000_000_i64).prop_map(Timestamp::from_millis);
    let list = (
        of(id(str::to_owned)),
        of(select(&TaskState::ALL[1..])),
        of(1..100_i32),
        moment,
        any::<bool>(),
    );
    let list = list.prop_map(|(context_id, status, page_size, after, include_artifacts)| {
        json!({
            "contextId": context_id,
            "status": status,
            "pageSize": page_size,
            "pageToken": "p",
            "historyLength": 0,
            "statusTimestampAfter": after,
            "includeArtifacts": include_artifacts,
        })
    });
    let list_webhooks = (id(str::to_owned), of(1..100_i32), of(".{1,6}")).prop_map(
        |(task_id, page_size, token)| json!({"taskId": task_id, "pageSize": page_size, "pageToken": token}),
    );
    // A subscription has no field for metadata.
    let subscribe = id(str::to_owned).prop_map(|id| json!({"id": id}));
    prop_oneof![
        send.clone().prop_map(params(Operation::SendMessage)),
        send.prop_map(params(Operation::SendStreamingMessage)),
        about.clone().prop_map(params(Operation::GetTask)),
        list.prop_map(params(Operation::ListTasks)),
        about.clone().prop_map(params(Operation::CancelTask)),
        subscribe.prop_map(params(Operation::SubscribeToTask)),
        webhook.prop_map(params(Operation::CreateTaskPushNotificationConfig)),
        about.clone().prop_map(params(Operation::GetTaskPushNotificationConfig)),
        list_webhooks.prop_map(params(Operation::ListTaskPushNotificationConfigs)),
        about.prop_map(params(Operation::DeleteTaskPushNotificationConfig)),
        Just((Operation::GetExtendedAgentCard, r#"{"tenant":"t"}"#.to_owned())),
    ]
}

/// A message of a request, which says its role.
fn sent() -> impl Strategy<Value = Message> {
    (message(), select(&[Role::User, Role::Agent][..]))
        .prop_map(|(message, role)| Message { role, ..message })
}

/// JSON that uses the words of the protocol without its grammar.
pub(crate) fn babble() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "append",
        "artifact",
        "artifactId",
        "artifactUpdate",
        "artifacts",
        "authentication",
        "blocking",
        "bytes",
        "config",
        "configuration",
        "content",
        "contextId",
        "data",
        "file",
        "fileWithUri",
        "final",
        "history",
        "historyLength",
        "id",
        "index",
        "kind",
        "message",
        "messageId",
        "metadata",
        "name",
        "parent",
        "parts",
        "pushNotification",
        "pushNotificationConfig",
        "role",
        "schemes",
        "sessionId",
        "state",
        "status",
        "statusUpdate",
        "task",
        "taskId",
        "text",
        "timestamp",
        "type",
        "uri",
        "url",
        "value",
    ];
    const WORDS: &[&str] = &[
        "",
        "user",
        "ROLE_AGENT",
        "text",
        "file",
        "data",
        "message",
        "task",
        "status-update",
        "working",
        "TASK_STATE_CANCELLED",
        "tasks/t",
        "tasks/t/pushNotificationConfigs/c",
        "2026-01-02T03:04:05Z",
        "aGk=",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..3_i32).prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..3).prop_map(Value::from),
            4 => vec((select(NAMES), inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}
