//! How each interface answers questions whose answers are known.

use http::{HeaderValue, header};
use legation_model::{
    ErrorKind, GetExtendedAgentCardRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    Request, TaskId,
};
use legation_wire::error::{ErrorProfile, row_of};
use legation_wire::speech::envelope;
use legation_wire::version::VERSION;

use super::checks::{
    ANSWERS, CREDENTIALS, EXTENDED, NOT_FOUND, PUSH, UNKNOWN_METHOD, VERSION as VERSION_CHECK,
};
use super::heard::{Heard, Refusal, Trouble};
use super::line::{Caller, Line};
use super::reach::Arrival;
use super::{Checked, Notes, Outcome, excerpt};
use crate::{Binding, Version};

/// A version that nobody serves.
const NO_VERSION: &str = "9.9";

/// Asks every interface.
pub(super) async fn examine(notes: &mut Notes<'_>, arrival: &Arrival, lines: &mut [Line]) {
    let mut answers = Vec::new();
    for line in lines.iter_mut() {
        let heard = line.ask(&mut unknown_task(), Caller::Known).await;
        let checked = answer(line, &heard);
        line.is_dead = checked.outcome != Outcome::Pass;
        answers.push((heard, checked));
    }
    let alive: Vec<_> =
        lines.iter().filter(|line| line.is_usable()).map(|line| line.readers()).collect();
    for (line, (heard, checked)) in lines.iter().zip(answers) {
        // Readers of a dead one go on to the next.
        let has_others = alive.contains(&line.readers());
        note(notes, line, if has_others { checked.harmless() } else { checked });
        if let (Ok(heard), true) = (heard, line.is_usable()) {
            look(notes, arrival, line, &heard).await;
        }
    }
}

async fn look(notes: &mut Notes<'_>, arrival: &Arrival, line: &Line, heard: &Heard) {
    credentials(notes, arrival, line, heard).await;
    if heard.is_denied() {
        note(notes, line, NOT_FOUND.skipped(denied(line, heard)));
        return;
    }
    note(notes, line, numbered(&NOT_FOUND, line, heard, ErrorKind::TaskNotFound));
    let method = unknown_method(line).await;
    note(notes, line, method);
    if line.endpoint.version() == Version::V1_0 {
        let version = version(line).await;
        note(notes, line, version);
    }
    let declared = arrival.card().capabilities.push_notifications == Some(true);
    if let Some(checked) = push(line, declared).await {
        note(notes, line, checked);
    }
    let declared = arrival.card().capabilities.extended_agent_card == Some(true);
    if let Some(checked) = extended(line, declared).await {
        note(notes, line, checked);
    }
}

fn note(notes: &mut Notes<'_>, line: &Line, checked: Checked) {
    notes.add(checked.among(line.readers()).at(line.at.as_str()));
}

fn unknown_task() -> Request {
    Request::GetTask(GetTaskRequest { tenant: None, id: TaskId::generate(), history_length: None })
}

/// Whether somebody answers there in the binding and the version.
fn answer(line: &Line, heard: &Result<Heard, Trouble>) -> Checked {
    let heard = match heard {
        Ok(heard) => heard,
        Err(trouble) => return ANSWERS.failed(trouble.to_string()),
    };
    let version = line.endpoint.version().name();
    if heard.is_denied() {
        return ANSWERS.passed("it asks for credentials");
    }
    let unknown =
        [ErrorKind::MethodNotFound, ErrorKind::MethodNotAllowed, ErrorKind::VersionNotSupported];
    let does_not_know = heard.kind().is_some_and(|kind| unknown.contains(&kind));
    match &heard.result {
        Err(Refusal::Error(..)) if !does_not_know => ANSWERS.passed(format!("it speaks {version}")),
        Ok(_) => ANSWERS.passed(format!("it speaks {version}")),
        Err(_) if line.is_guess() => {
            ANSWERS.skipped(format!("the agent may not be of {version}")).harmless()
        }
        Err(refusal @ Refusal::Error(..)) => {
            ANSWERS.failed(format!("it does not speak {version}: {refusal}"))
        }
        Err(Refusal::Nonsense(reason)) => {
            ANSWERS.failed(format!("it answers something else: {}", excerpt(reason)))
        }
    }
}

/// Judges a refusal by its meaning, then by its number.
fn numbered(check: &super::Check, line: &Line, heard: &Heard, expected: ErrorKind) -> Checked {
    let number = match &heard.result {
        Err(Refusal::Error(error, number)) if error.kind == expected => *number,
        Ok(_) | Err(_) => return check.failed(format!("it is answered with {}", refusal(heard))),
    };
    let numbers = numbers(line, expected);
    match number {
        Some(number) if !numbers.is_empty() && !numbers.contains(&number) => {
            check.warned(format!("its number is {number}, not {}", numbers[0]))
        }
        Some(number) => check.passed(format!("{expected:?} ({number})")),
        None => check.warned("it has no number"),
    }
}

/// The numbers of an error there; none where the version's texts have none.
fn numbers(line: &Line, kind: ErrorKind) -> Vec<i64> {
    let (row, version) = (row_of(kind), line.endpoint.version());
    let profiles = [ErrorProfile::V1_0_1, ErrorProfile::V1_0_0];
    match (line.endpoint.binding(), version) {
        (Binding::JsonRpc, _) => vec![row.code_in(version).into()],
        (_, Version::V0_3 | Version::V0_2 | Version::V0_1) => Vec::new(),
        (Binding::HttpJson, Version::V1_0) => {
            profiles.map(|profile| row.http_in(version, profile).into()).to_vec()
        }
        (Binding::Grpc, Version::V1_0) => {
            profiles.map(|profile| row.grpc_in(version, profile).number().into()).to_vec()
        }
    }
}

fn refusal(heard: &Heard) -> String {
    match &heard.result {
        Ok(_) => "a result".into(),
        Err(refusal) => refusal.to_string(),
    }
}

async fn unknown_method(line: &Line) -> Checked {
    let binding = line.endpoint.binding();
    let heard = line
        .ask_changed(&mut unknown_task(), |request| match binding {
            Binding::JsonRpc => request.body = envelope("legation/unknown", b"{}").into(),
            Binding::HttpJson => {
                // In 0.3 all paths are below a common one, which stays.
                let path = request.url.path().replace("/tasks/", "/legation-unknown/");
                request.url.set_path(&path);
            }
            Binding::Grpc => {
                let path = request.url.path().replace("/GetTask", "/LegationUnknown");
                request.url.set_path(&path);
            }
        })
        .await;
    let heard = match heard {
        Ok(heard) => heard,
        Err(trouble) => return UNKNOWN_METHOD.failed(trouble.to_string()),
    };
    if binding == Binding::HttpJson {
        // A path that nobody serves is HTTP's affair, and so is its body.
        return match heard.status.as_u16() {
            404 | 405 => UNKNOWN_METHOD.passed("an unknown path is not found"),
            other => UNKNOWN_METHOD.failed(format!("an unknown path is answered {other}")),
        };
    }
    numbered(&UNKNOWN_METHOD, line, &heard, ErrorKind::MethodNotFound)
}

async fn version(line: &Line) -> Checked {
    let change = |request: &mut legation_net::Request| {
        request.headers.insert(VERSION, HeaderValue::from_static(NO_VERSION));
    };
    match line.ask_changed(&mut unknown_task(), change).await {
        Ok(heard) if heard.kind() == Some(ErrorKind::TaskNotFound) => {
            VERSION_CHECK.failed(format!("it takes version {NO_VERSION} for its own"))
        }
        Ok(heard) => numbered(&VERSION_CHECK, line, &heard, ErrorKind::VersionNotSupported),
        Err(trouble) => VERSION_CHECK.failed(trouble.to_string()),
    }
}

async fn credentials(notes: &mut Notes<'_>, arrival: &Arrival, line: &Line, heard: &Heard) {
    let alternatives = &arrival.card().security_requirements;
    let asks = !alternatives.is_empty() && alternatives.iter().all(|it| !it.schemes.is_empty());
    let unknown = if line.is_known() {
        line.ask(&mut unknown_task(), Caller::Anonymous).await
    } else {
        Ok(heard.clone())
    };
    let unknown = match unknown {
        Ok(unknown) => unknown,
        // Mutual TLS refuses the connection.
        Err(trouble) if asks => {
            return note(notes, line, CREDENTIALS.passed(format!("refused: {trouble}")));
        }
        Err(trouble) => return note(notes, line, CREDENTIALS.failed(trouble.to_string())),
    };
    let has_challenge = unknown.headers.contains_key(header::WWW_AUTHENTICATE);
    let checked = match (asks, unknown.is_denied()) {
        (false, false) => CREDENTIALS.passed("the card asks for none, and none are needed"),
        (false, true) => {
            let remedy =
                "say in the card what callers need: `securitySchemes` and `securityRequirements`";
            CREDENTIALS.failed("the card asks for none, and they are needed").fix(remedy)
        }
        (true, false) => {
            CREDENTIALS.failed("the card asks for credentials, and they are not needed")
        }
        (true, true) if unknown.status == http::StatusCode::FORBIDDEN => {
            CREDENTIALS.warned("callers without them are answered 403, not 401")
        }
        (true, true) if !line.is_grpc() && !has_challenge => {
            CREDENTIALS.warned("the 401 has no `WWW-Authenticate`")
        }
        (true, true) => CREDENTIALS.passed(format!("callers without them get {}", needs(&unknown))),
    };
    note(notes, line, checked);
}

/// Why a caller who is not let in cannot see more.
pub(super) fn denied(line: &Line, heard: &Heard) -> String {
    if line.is_known() {
        return format!("the agent refuses the credentials that were given: {}", needs(heard));
    }
    format!("the agent asks for credentials ({}); give some to look at it", needs(heard))
}

/// What a server says when it refuses.
fn needs(heard: &Heard) -> String {
    let told = heard.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let told: Vec<_> = told.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()).collect();
    if told.is_empty() { refusal(heard) } else { excerpt(&told.join(", ")) }
}

async fn push(line: &Line, declared: bool) -> Option<Checked> {
    let list = ListTaskPushNotificationConfigsRequest {
        tenant: None,
        task_id: TaskId::generate(),
        page_size: None,
        page_token: None,
    };
    let mut asked = Request::ListTaskPushNotificationConfigs(list);
    let heard = match line.ask(&mut asked, Caller::Known).await {
        Ok(heard) => heard,
        Err(Trouble::Unsayable) => return None,
        Err(trouble) => return Some(PUSH.failed(trouble.to_string())),
    };
    let is_refused = matches!(
        heard.kind(),
        Some(
            ErrorKind::PushNotificationNotSupported
                | ErrorKind::UnsupportedOperation
                | ErrorKind::MethodNotFound
                | ErrorKind::MethodNotAllowed
        )
    );
    Some(match (declared, is_refused) {
        (true, false) => PUSH.passed("the card offers webhooks, and the agent has them"),
        (true, true) => {
            PUSH.failed(format!("the card offers webhooks, and the agent says {}", refusal(&heard)))
        }
        (false, true) => PUSH.passed("the card offers no webhooks, and the agent has none"),
        (false, false) => PUSH
            .warned(format!("the card offers no webhooks, and the agent says {}", refusal(&heard))),
    })
}

async fn extended(line: &Line, declared: bool) -> Option<Checked> {
    let mut asked = Request::GetExtendedAgentCard(GetExtendedAgentCardRequest::default());
    let heard = match line.ask(&mut asked, Caller::Known).await {
        Ok(heard) => heard,
        Err(Trouble::Unsayable) => return None,
        Err(trouble) => return Some(EXTENDED.failed(trouble.to_string())),
    };
    Some(match (declared, &heard.result) {
        (true, Ok(_)) if line.is_known() => EXTENDED.passed("callers who are known get it"),
        (true, Ok(_)) => EXTENDED.warned("callers whom nobody knows get it, too"),
        (true, Err(_)) if heard.is_denied() && !line.is_known() => {
            EXTENDED.passed("callers whom nobody knows do not get it")
        }
        (true, Err(refusal)) => {
            EXTENDED.failed(format!("the card has it, and the agent says {refusal}"))
        }
        (false, Ok(_)) => EXTENDED.warned("the card has none, and the agent gives one"),
        (false, Err(_)) => EXTENDED.passed("the card has none, and the agent gives none"),
    })
}
