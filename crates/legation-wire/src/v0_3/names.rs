//! How the older versions spell roles and states, and how a request spells its names.

use std::fmt;

use legation_model::{BadId, Role, TaskId, TaskState, rules};
use serde::de::value::{self, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::{Form, narrow};

/// Every state in JSON and, where it differs from 1.0, in protobuf JSON.
#[rustfmt::skip]
const STATES: [(TaskState, &str, &str); 9] = [
    (TaskState::Unspecified,   "unknown",        TaskState::Unspecified.name()),
    (TaskState::Submitted,     "submitted",      TaskState::Submitted.name()),
    (TaskState::Working,       "working",        TaskState::Working.name()),
    (TaskState::Completed,     "completed",      TaskState::Completed.name()),
    (TaskState::Failed,        "failed",         TaskState::Failed.name()),
    (TaskState::Canceled,      "canceled",       "TASK_STATE_CANCELLED"),
    (TaskState::InputRequired, "input-required", TaskState::InputRequired.name()),
    (TaskState::Rejected,      "rejected",       TaskState::Rejected.name()),
    (TaskState::AuthRequired,  "auth-required",  TaskState::AuthRequired.name()),
];

// The table is indexed by the state.
const _: () = {
    let mut index = 0;
    while index < STATES.len() {
        assert!(STATES[index].0 as usize == index, "a row is out of order");
        index += 1;
    }
};

pub(super) fn state_name(form: Form, state: TaskState) -> &'static str {
    let state = if form == Form::Json0_1 { narrow::state(state) } else { state };
    let (_, json, proto) = STATES[state as usize];
    if form == Form::Proto { proto } else { json }
}

fn state_of_name(name: &str) -> Option<TaskState> {
    let row = STATES.iter().find(|(_, json, proto)| [*json, *proto].contains(&name));
    row.map(|(state, ..)| *state).or_else(|| TaskState::from_name(name))
}

pub(super) fn role_name(form: Form, role: Role) -> &'static str {
    match (form, role) {
        (Form::Proto, role) => role.name(),
        (_, Role::User) => "user",
        // JSON has no word for a role that is not said; the SDKs write this.
        (_, Role::Agent | Role::Unspecified) => "agent",
    }
}

fn role_of_name(name: &str) -> Option<Role> {
    match name {
        "user" => Some(Role::User),
        "agent" => Some(Role::Agent),
        name => Role::from_name(name),
    }
}

/// Reads a role by any of its names, or by its number.
pub(super) fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let expected = "user or agent";
    deserializer.deserialize_any(Spelled {
        expected,
        name: role_of_name,
        number: Role::from_number,
    })
}

/// Reads a state by any of its names, or by its number. One that nobody here knows is one that is not
/// said: an agent may know more states than its callers.
pub(super) fn any_state<'de, D>(deserializer: D) -> Result<TaskState, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Spelled {
        expected: "the state of a task",
        name: |name| Some(state_of_name(name).unwrap_or(TaskState::Unspecified)),
        number: |number| Some(TaskState::from_number(number).unwrap_or(TaskState::Unspecified)),
    })
}

struct Spelled<T> {
    expected: &'static str,
    name: fn(&str) -> Option<T>,
    number: fn(i64) -> Option<T>,
}

impl<T> Visitor<'_> for Spelled<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        (self.name)(name).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let known = i64::try_from(number).ok().and_then(self.number);
        known.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        (self.number)(number).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

/// Reads what is made of a text, where the empty text means none, as proto3 has it.
pub(super) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    rules::parsed_if_any(deserializer, |text| {
        T::deserialize(StrDeserializer::<value::Error>::new(text))
    })
}

/// A list of no more elements than anybody needs.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rules::bounded(deserializer).map(Self)
    }
}

impl<T> List<T> {
    /// The elements of a list that may be absent.
    pub(super) fn or_empty(list: Option<Self>) -> Vec<T> {
        list.map(|Self(elements)| elements).unwrap_or_default()
    }
}

/// Names a push configuration, by the rules of every identifier.
pub(super) struct ConfigId(pub(super) String);

impl ConfigId {
    pub(super) fn parse(text: &str) -> Result<Self, BadId> {
        TaskId::parse(text).map(|_| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ConfigId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rules::parsed(deserializer, Self::parse)
    }
}

/// A resource name of the protobuf binding: `tasks/{id}`, with
/// `/pushNotificationConfigs/{configId}` behind it or without.
pub(super) struct ResourceName {
    pub(super) task_id: TaskId,
    pub(super) config_id: Option<ConfigId>,
}

impl<'de> Deserialize<'de> for ResourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rules::parsed(deserializer, |text| {
            let below = text.strip_prefix("tasks/");
            let below = below.ok_or_else(|| "must begin with `tasks/`".to_owned())?;
            let (task, config) = match below.split_once("/pushNotificationConfigs/") {
                Some((task, config)) => (task, Some(config)),
                None => (below, None),
            };
            let parse = || {
                let config_id = config.map(ConfigId::parse).transpose()?;
                Ok(Self { task_id: TaskId::parse(task)?, config_id })
            };
            parse().map_err(|fault: BadId| fault.to_string())
        })
    }
}
