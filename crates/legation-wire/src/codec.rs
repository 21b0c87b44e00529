//! How one call is spoken: its version, and the shape of its request and of its answer.

use bytes::Bytes;
use legation_model::{A2aError, ErrorKind, Request};

use crate::answer::Answer;
use crate::card::{self, CardForm};
use crate::operation::{self, Found, Operation, Route};
use crate::v0_3::{self, Asked, Form};
use crate::v1::{self, Frame};
use crate::version::{MissingVersion, Version, not_stated};

/// The version of a call and the shape of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    version: Version,
    /// The form before 1.0.
    older: Option<Form>,
}

/// What a JSON-RPC method or a REST path leads to, and how the call is spoken.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoken<T> {
    /// The operation, with what a path says.
    pub target: T,
    /// How the call is spoken.
    pub codec: Codec,
}

/// Which versions a request may be in, the likeliest first: the one that it states, or those that
/// know no header to state it with, and then 1.0.
fn candidates(stated: Option<Version>) -> impl Iterator<Item = Version> {
    let unstated = [Version::V0_3, Version::V0_1, Version::V1_0];
    stated.into_iter().chain(unstated.into_iter().filter(move |_| stated.is_none()))
}

/// Refuses what only 1.0 has when the request does not state 1.0.
fn check_stated(
    version: Version,
    stated: Option<Version>,
    missing: MissingVersion,
) -> Result<(), A2aError> {
    match (version, stated, missing) {
        (Version::V1_0, None, MissingVersion::Strict) => Err(not_stated()),
        _ => Ok(()),
    }
}

/// Finds the operation of a JSON-RPC method. A version that is stated decides alone; without one
/// the method does, and where 0.1 and 0.3 share it, the answer is for readers of either.
///
/// # Errors
/// `MethodNotFound`, and `VersionNotSupported` when the request had to state 1.0.
pub fn of_method(
    stated: Option<Version>,
    missing: MissingVersion,
    method: &str,
) -> Result<Spoken<Operation>, A2aError> {
    let found = candidates(stated)
        .find_map(|version| Some((version, Operation::of_method(version, method)?)));
    let Some((version, operation)) = found else { return Err(no_method(stated, method)) };
    check_stated(version, stated, missing)?;
    let shared = stated.is_none() && Operation::of_method(Version::V0_1, method).is_some();
    let older = match version {
        Version::V1_0 => None,
        Version::V0_1 => Some(Form::Json0_1),
        Version::V0_3 | Version::V0_2 if shared => Some(Form::JsonAnd0_1),
        Version::V0_3 | Version::V0_2 => Some(Form::Json),
    };
    Ok(Spoken { target: operation, codec: Codec { version, older } })
}

fn no_method(stated: Option<Version>, method: &str) -> A2aError {
    let method: String = method.chars().take(80).collect();
    let text = match stated {
        Some(version) => format!("there is no method `{method}` in A2A {}", version.name()),
        None => format!("there is no method `{method}` in any version of A2A"),
    };
    A2aError::new(ErrorKind::MethodNotFound, text)
}

/// Where a REST path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Place<'p> {
    /// To an operation.
    Route(Spoken<Route<'p>>),
    /// To operations that go by these HTTP methods, in this version.
    OtherVerbs(Version, Vec<operation::Verb>),
    /// Nowhere.
    Nothing,
}

/// Finds the operation of a REST request by the path below the interface's URL. A version that is
/// stated decides alone; without one the path does.
///
/// # Errors
/// As [`operation::find`], and `VersionNotSupported` when the request had to state 1.0; with the
/// version whose path it is.
pub fn of_path<'p>(
    stated: Option<Version>,
    missing: MissingVersion,
    verb: &str,
    path: &'p str,
) -> Result<Place<'p>, (Version, A2aError)> {
    let mut others: Option<(Version, Vec<operation::Verb>)> = None;
    for version in candidates(stated) {
        match operation::find(version, verb, path).map_err(|error| (version, error))? {
            Found::Nothing => {}
            Found::OtherVerbs(verbs) => {
                let (_, known) = others.get_or_insert((version, Vec::new()));
                known.extend(
                    verbs.into_iter().filter(|verb| !known.contains(verb)).collect::<Vec<_>>(),
                );
            }
            Found::Route(route) => {
                check_stated(version, stated, missing).map_err(|error| (version, error))?;
                // Only readers of 0.2 look for a card there.
                let is_of_0_2 = stated.is_none() && path == operation::EXTENDED_CARD_0_2;
                let version = if is_of_0_2 { Version::V0_2 } else { version };
                let older = match version {
                    Version::V1_0 => None,
                    Version::V0_1 => Some(Form::Json0_1),
                    // Until the body says otherwise.
                    Version::V0_3 | Version::V0_2 => Some(Form::Proto),
                };
                return Ok(Place::Route(Spoken { target: route, codec: Codec { version, older } }));
            }
        }
    }
    Ok(others.map_or(Place::Nothing, |(version, verbs)| Place::OtherVerbs(version, verbs)))
}

/// An answer as it goes out: the document between two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What stands around the document.
    pub frame: Frame,
    /// The document.
    pub document: Bytes,
}

impl Codec {
    /// The newest version's.
    pub const NEWEST: Self = Self { version: Version::V1_0, older: None };

    /// That of a method which is not the protocol's: its answer has no shape of a version.
    pub fn of_extension(stated: Option<Version>) -> Self {
        Self { version: stated.unwrap_or(Self::NEWEST.version), older: None }
    }

    /// The version that is spoken.
    pub const fn version(self) -> Version {
        self.version
    }

    /// Reads the params of a JSON-RPC request.
    ///
    /// # Errors
    /// `InvalidParams` with a violation that names the member by its path within the params.
    pub fn read_params(
        self,
        operation: Operation,
        params: Option<&str>,
    ) -> Result<(Request, Self), A2aError> {
        match self.older {
            None => v1::read_params(operation, params).map(|request| (request, self)),
            Some(form) => v0_3::read_params(operation, form, params).map(|asked| self.asked(asked)),
        }
    }

    /// Reads a REST request. What its path says wins over its query and its body.
    ///
    /// # Errors
    /// `InvalidParams` with a violation that names the member or the parameter, and `Parse` when
    /// the body is not JSON.
    pub fn read_rest(
        self,
        route: &Route<'_>,
        query: Option<&str>,
        body: Option<&str>,
    ) -> Result<(Request, Self), A2aError> {
        match self.older {
            None => v1::read_rest(route, query, body).map(|request| (request, self)),
            Some(form) => v0_3::read_rest(route, form, query, body).map(|asked| self.asked(asked)),
        }
    }

    fn asked(self, Asked { request, form }: Asked) -> (Request, Self) {
        (request, Self { older: Some(form), ..self })
    }

    /// Writes a 1.0 document as the answer, or as an item of one.
    ///
    /// # Errors
    /// An internal error when the document has not the shape that it is said to have, which only a
    /// damaged store brings about.
    pub fn write(self, answer: Answer, document: &Bytes) -> Result<Written, A2aError> {
        let Some(form) = self.older else {
            return Ok(Written { frame: Frame::of(answer), document: document.clone() });
        };
        let written = if answer == Answer::Card {
            // JavaScript's client of 0.3 reads what REST answers as protobuf JSON, Python's as its own
            // JSON, and neither says so. With the members of 1.0 beside them it suits both.
            let is_0_3 = self.version == Version::V0_3;
            let form = if is_0_3 { CardForm::Hybrid } else { CardForm::of_version(self.version) };
            card::rewrite(document, form)
        } else {
            v0_3::write(form, answer, document)
        };
        let written = written.map_err(|_| A2aError::new(ErrorKind::Internal, "internal error"))?;
        Ok(Written { frame: Frame::BARE, document: written.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{V0_1, V0_2, V0_3, V1_0};

    fn spoken<T>(found: Result<Spoken<T>, A2aError>) -> Result<(Version, Option<Form>), ErrorKind> {
        found.map(|Spoken { codec, .. }| (codec.version, codec.older)).map_err(|error| error.kind)
    }

    #[test]
    fn a_stated_version_decides_and_else_the_method_does() {
        use ErrorKind::{MethodNotFound, VersionNotSupported};
        use MissingVersion::{Infer, Strict};
        let cases = [
            (Some(V1_0), Strict, "SendMessage", Ok((V1_0, None))),
            (Some(V1_0), Strict, "message/send", Err(MethodNotFound)),
            (Some(V0_3), Strict, "SendMessage", Err(MethodNotFound)),
            (Some(V0_3), Strict, "tasks/send", Err(MethodNotFound)),
            (Some(V0_3), Strict, "tasks/get", Ok((V0_3, Some(Form::Json)))),
            (Some(V0_2), Strict, "message/send", Ok((V0_2, Some(Form::Json)))),
            (Some(V0_1), Strict, "tasks/get", Ok((V0_1, Some(Form::Json0_1)))),
            (Some(V0_1), Infer, "message/send", Err(MethodNotFound)),
            (None, Strict, "SendMessage", Err(VersionNotSupported)),
            (None, Infer, "SendMessage", Ok((V1_0, None))),
            (None, Strict, "message/send", Ok((V0_3, Some(Form::Json)))),
            (None, Strict, "tasks/get", Ok((V0_3, Some(Form::JsonAnd0_1)))),
            (None, Infer, "tasks/resubscribe", Ok((V0_3, Some(Form::JsonAnd0_1)))),
            (None, Strict, "tasks/sendSubscribe", Ok((V0_1, Some(Form::Json0_1)))),
            (None, Strict, "tasks/pushNotification/set", Ok((V0_1, Some(Form::Json0_1)))),
            (None, Strict, "tasks/eat", Err(MethodNotFound)),
        ];
        for (stated, missing, method, expected) in cases {
            let got = spoken(of_method(stated, missing, method));
            assert_eq!(got, expected, "{stated:?} {missing:?} {method}");
        }
    }

    #[test]
    fn a_stated_version_decides_and_else_the_path_does() {
        let found = |stated, missing, verb, path| match of_path(stated, missing, verb, path) {
            Ok(Place::Route(Spoken { target, codec })) => {
                format!("{} {:?} {:?}", codec.version.name(), codec.older, target.operation)
            }
            Ok(Place::OtherVerbs(version, verbs)) => format!("{} {verbs:?}", version.name()),
            Ok(Place::Nothing) => "nothing".to_owned(),
            Err((_, error)) => format!("{:?}", error.kind),
        };
        use MissingVersion::{Infer, Strict};
        let cases = [
            (Some(V1_0), Strict, "GET", "/tasks/7", "1.0 None GetTask"),
            (Some(V1_0), Strict, "POST", "/v1/message:send", "nothing"),
            (Some(V0_3), Strict, "POST", "/message:send", "nothing"),
            (Some(V0_2), Strict, "GET", "/v1/tasks/7", "0.2 Some(Proto) GetTask"),
            (None, Strict, "GET", "/tasks/7", "0.1 Some(Json0_1) GetTask"),
            (None, Infer, "GET", "/tasks/7", "0.1 Some(Json0_1) GetTask"),
            (None, Strict, "POST", "/tasks/7", "0.1 [Get]"),
            (None, Strict, "GET", "/tasks", "VersionNotSupported"),
            (None, Infer, "GET", "/tasks", "1.0 None ListTasks"),
            (None, Strict, "POST", "/v1/message:stream", "0.3 Some(Proto) SendStreamingMessage"),
            (None, Strict, "PUT", "/v1/card", "0.3 [Get]"),
            (None, Strict, "GET", "/v1/card", "0.3 Some(Proto) GetExtendedAgentCard"),
            (
                None,
                Strict,
                "GET",
                "/agent/authenticatedExtendedCard",
                "0.2 Some(Proto) GetExtendedAgentCard",
            ),
            (None, Strict, "POST", "/acme/message:send", "VersionNotSupported"),
            (None, Strict, "POST", "/acme/eat", "nothing"),
        ];
        for (stated, missing, verb, path, expected) in cases {
            assert_eq!(found(stated, missing, verb, path), expected, "{stated:?} {verb} {path}");
        }
    }
}
