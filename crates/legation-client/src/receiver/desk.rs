//! Where notifications are judged: by the place that they are for, the token, the signature and the
//! task.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, Method, StatusCode, header};
use legation_model::{StreamResponse, TaskId};
use legation_net::Secret;
use legation_wire::webhook;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Limits, Notification};

/// How many notifications of a place are remembered, so that none is told twice.
const REMEMBERED: usize = 256;

/// The places, and what counts for all of them.
pub(super) struct Desk {
    places: Mutex<HashMap<String, Arc<Place>>>,
    secret: Option<Secret>,
    limits: Limits,
}

/// A place for the notifications of one task.
pub(super) struct Place {
    token: String,
    telling: mpsc::Sender<Notification>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    task: Option<TaskId>,
    /// Digests of the newest bodies.
    told: VecDeque<[u8; 32]>,
}

/// What whoever posts is answered, with words for people.
pub(super) type Verdict = (StatusCode, String);

impl Desk {
    pub(super) fn new(secret: Option<Secret>, limits: Limits) -> Self {
        Self { places: Mutex::default(), secret, limits }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn open(&self, name: &str, place: Arc<Place>) {
        self.places.lock().insert(name.to_owned(), place);
    }

    pub(super) fn close(&self, name: &str) {
        self.places.lock().remove(name);
    }

    /// Finds the place that a request is for, before its body is read.
    pub(super) fn place(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Arc<Place>, Verdict> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let place = self.places.lock().get(name).cloned();
        let place = place.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "nobody waits here"))?;
        if method != Method::POST {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "notifications are posted"));
        }
        if place.is_known(headers) {
            return Ok(place);
        }
        Err(refuse(StatusCode::UNAUTHORIZED, "this is not the token of the configuration"))
    }

    /// Takes what was posted to a place.
    pub(super) fn take(&self, place: &Place, headers: &HeaderMap, body: &[u8]) -> Verdict {
        if let Err(verdict) = self.check_signature(headers, body) {
            return verdict;
        }
        match webhook::read(body) {
            Ok(items) => place.take(items, body),
            Err(fault) => refuse(StatusCode::BAD_REQUEST, &format!("no event of A2A: {fault}")),
        }
    }

    fn check_signature(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Verdict> {
        let Some(secret) = &self.secret else { return Ok(()) };
        let refuse = |why: &str| Err(refuse(StatusCode::UNAUTHORIZED, why));
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = (text(webhook::SIGNATURE), text(webhook::SIGNATURE_TIMESTAMP));
        let (Some(signature), Some(time)) = signed else {
            return refuse("the notification is not signed");
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (secret, tolerance) = (secret.reveal().as_bytes(), self.limits.tolerance);
        let verified = webhook::verify(secret, signature, time, body, now, tolerance);
        verified.or_else(|fault| refuse(&fault.to_string()))
    }
}

impl Place {
    /// A place with a token, and where its notifications come out.
    pub(super) fn new(token: &str, waiting: usize) -> (Self, mpsc::Receiver<Notification>) {
        let (telling, told) = mpsc::channel(waiting.max(1));
        (Self { token: token.to_owned(), telling, known: Mutex::default() }, told)
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn task(&self) -> Option<TaskId> {
        self.known.lock().task.clone()
    }

    pub(super) fn is_of(&self, task: &TaskId) {
        self.known.lock().task.get_or_insert_with(|| task.clone());
    }

    /// Whether a request shows the token: in a header of its own, or as a credential.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let own = webhook::TOKEN.into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
        let is_ours =
            |token: &str| verify_slices_are_equal(token.as_bytes(), self.token.as_bytes()).is_ok();
        own.chain(bearer).any(is_ours)
    }

    fn take(&self, items: Notification, body: &[u8]) -> Verdict {
        let mut known = self.known.lock();
        let is_other = |item| {
            task_of(item).is_some_and(|task| known.task.as_ref().is_some_and(|it| it != task))
        };
        if items.iter().any(is_other) {
            return refuse(StatusCode::BAD_REQUEST, "this is about another task");
        }
        let is_chunk = items
            .iter()
            .any(|item| matches!(item, StreamResponse::ArtifactUpdate(update) if update.append));
        let body: [u8; 32] =
            digest(&SHA256, body).as_ref().try_into().expect("SHA-256 has 32 bytes");
        if !is_chunk && known.told.contains(&body) {
            return (StatusCode::NO_CONTENT, String::new());
        }
        if self.telling.try_send(items).is_err() {
            let why = "too many notifications wait; try again later";
            return refuse(StatusCode::SERVICE_UNAVAILABLE, why);
        }
        if known.told.len() == REMEMBERED {
            known.told.pop_front();
        }
        known.told.push_back(body);
        (StatusCode::NO_CONTENT, String::new())
    }
}

pub(super) fn refuse(status: StatusCode, why: &str) -> Verdict {
    (status, why.to_owned())
}

fn task_of(item: &StreamResponse) -> Option<&TaskId> {
    match item {
        StreamResponse::Task(task) => Some(&task.id),
        StreamResponse::Message(message) => message.task_id.as_ref(),
        StreamResponse::StatusUpdate(update) => Some(&update.task_id),
        StreamResponse::ArtifactUpdate(update) => Some(&update.task_id),
    }
}
