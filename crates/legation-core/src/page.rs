//! Reading tasks: one, or a page of them.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use legation_model::{A2aError, GetTaskRequest, ListTasksRequest, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::call::Call;
use crate::service::Core;
use crate::store::{Place, Query, StoreError, Stored, TaskKey};
use crate::{Document, Scope};

/// The page size when a caller names none (Spec 3.1.4).
const PAGE_SIZE: i32 = 50;

/// Gives a task (Spec 3.1.3).
pub(crate) async fn get(
    core: &Core,
    call: &Call,
    request: &GetTaskRequest,
) -> Result<Document, A2aError> {
    read(core, &core.scope(call), &request.id, request.history_length).await
}

/// A task as the store has it, or its result when it was removed.
pub(crate) async fn read(
    core: &Core,
    scope: &Scope,
    id: &TaskId,
    history: Option<i32>,
) -> Result<Document, A2aError> {
    let stored = match core.store.load(scope, id).await? {
        None => core.store.result(scope, id).await?,
        stored => stored,
    };
    let stored = stored.ok_or_else(|| A2aError::task_not_found(id.as_str()))?;
    trim(document(&stored)?, history)
}

/// The JSON of a stored task: the snapshot itself when it is the newest state.
pub(crate) fn document(stored: &Stored) -> Result<Document, StoreError> {
    match stored.document() {
        Some(json) => Ok(Document::from_stored(json.clone())),
        None => Ok(Document::write(&stored.task()?)),
    }
}

/// The task with the newest messages only, when a caller asked for fewer (Spec 3.2.4).
pub(crate) fn trim(document: Document, history: Option<i32>) -> Result<Document, A2aError> {
    if history.is_none() {
        return Ok(document);
    }
    let mut view = View::of(&document)?;
    view.keep_newest(history);
    Ok(Document::write(&view))
}

/// Gives a page of tasks (Spec 3.1.4).
pub(crate) async fn list(
    core: &Core,
    call: &Call,
    request: &ListTasksRequest,
) -> Result<Document, A2aError> {
    let scope = core.scope(call);
    let page_size = request.page_size.unwrap_or(PAGE_SIZE);
    let bound = Binding::of(&scope, request);
    let after = request.page_token.as_deref().map(|token| bound.open(token)).transpose()?;
    let query = Query {
        context_id: request.context_id.clone(),
        state: request.status,
        since: request.status_timestamp_after,
        after,
        limit: usize::try_from(page_size).expect("checked to be 1 to 100"),
    };
    let page = core.store.list(&scope, &query).await?;
    let documents: Vec<Document> = page.tasks.iter().map(document).collect::<Result<_, _>>()?;
    let mut tasks = Vec::with_capacity(documents.len());
    for document in &documents {
        let mut view = View::of(document)?;
        view.keep_newest(request.history_length);
        view.show_artifacts(request.include_artifacts);
        tasks.push(view);
    }
    let last = page.tasks.last().filter(|_| page.more);
    let next = last.map(|last| bound.seal(Place { status_at: last.status_at, key: last.key }));
    Ok(Document::write(&Listing {
        tasks,
        next_page_token: next.unwrap_or_default(),
        page_size,
        total_size: page.total.min(i32::MAX as u64),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing<'a> {
    tasks: Vec<View<'a>>,
    next_page_token: String,
    page_size: i32,
    total_size: u64,
}

/// A task's JSON taken apart at its first level only: what a listing leaves out is never read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    context_id: &'a RawValue,
    #[serde(borrow)]
    status: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    artifacts: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

impl<'a> View<'a> {
    fn of(document: &'a Document) -> Result<Self, StoreError> {
        serde_json::from_slice(document.bytes()).map_err(StoreError::damaged)
    }

    fn keep_newest(&mut self, history: Option<i32>) {
        if let Some(most) = history.and_then(|most| usize::try_from(most).ok()) {
            let excess = self.history.len().saturating_sub(most);
            self.history.drain(..excess);
        }
    }

    fn show_artifacts(&mut self, show: bool) {
        let none: &'static RawValue = serde_json::from_str("[]").expect("an empty list is JSON");
        self.artifacts = show.then(|| self.artifacts.unwrap_or(none));
    }
}

/// Binds a page token to the caller and the filters it was made for.
struct Binding([u8; 16]);

impl Binding {
    fn of(scope: &Scope, request: &ListTasksRequest) -> Self {
        let filters = (
            (&*scope.deployment, &*scope.tenant, scope.owner.as_deref(), scope.agent.as_deref()),
            (&request.context_id, request.status, request.status_timestamp_after),
        );
        let filters = serde_json::to_vec(&filters).expect("plain values are JSON");
        let digest = digest::digest(&digest::SHA256, &filters);
        Self(digest.as_ref()[..16].try_into().expect("SHA-256 gives 32 bytes"))
    }

    fn seal(&self, place: Place) -> String {
        let mut token = self.0.to_vec();
        token.extend(place.status_at.as_millis().to_be_bytes());
        token.extend(place.key.0.to_be_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    fn open(&self, token: &str) -> Result<Place, A2aError> {
        let bad =
            || A2aError::invalid("pageToken", "is not one of this listing; begin without a token");
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
        let place = token.strip_prefix(&self.0).ok_or_else(bad)?;
        let place: &[u8; 16] = place.try_into().map_err(|_| bad())?;
        let [time, key] = [0, 8]
            .map(|at| i64::from_be_bytes(place[at..at + 8].try_into().expect("eight bytes each")));
        let status_at = Timestamp::from_millis(time).ok_or_else(bad)?;
        Ok(Place { status_at, key: TaskKey(key) })
    }
}

/// A document as the stream response that holds it under this member.
pub(crate) fn as_stream_response(member: &str, document: &Document) -> Document {
    let mut json = Vec::with_capacity(document.bytes().len() + member.len() + 5);
    json.extend_from_slice(b"{\"");
    json.extend_from_slice(member.as_bytes());
    json.extend_from_slice(b"\":");
    json.extend_from_slice(document.bytes());
    json.push(b'}');
    Document::from_stored(Bytes::from(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(owner: &str, request: &ListTasksRequest) -> Binding {
        let scope = Scope {
            deployment: "d".into(),
            tenant: "t".into(),
            owner: Some(owner.into()),
            agent: None,
        };
        Binding::of(&scope, request)
    }

    #[test]
    fn page_tokens_open_only_where_they_were_made() {
        let plain = ListTasksRequest::default();
        let filtered =
            ListTasksRequest { status: Some(legation_model::TaskState::Working), ..plain.clone() };
        let place = Place { status_at: Timestamp::now(), key: TaskKey(7) };
        let token = binding("ann", &plain).seal(place);
        assert_eq!(binding("ann", &plain).open(&token).ok(), Some(place));
        for (owner, request, token) in [
            ("bob", &plain, token.as_str()),
            ("ann", &filtered, &token),
            ("ann", &plain, &token[1..]),
            ("ann", &plain, "%%%"),
            ("ann", &plain, "AAAA"),
        ] {
            assert!(binding(owner, request).open(token).is_err(), "{owner} {token}");
        }
    }

    #[test]
    fn trimming_keeps_the_newest_messages_and_nothing_else_changes() {
        let json = r#"{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"},"artifacts":[1],"history":[1,2,3]}"#;
        let document = || Document::from_stored(Bytes::from_static(json.as_bytes()));
        let with = |history: &str| json.replace(r#","history":[1,2,3]"#, history);
        let cases = [
            (None, json.to_owned()),
            (Some(9), json.to_owned()),
            (Some(2), with(r#","history":[2,3]"#)),
            (Some(0), with("")),
        ];
        for (history, expected) in cases {
            let got = trim(document(), history).expect("a readable task");
            assert_eq!(got.bytes(), expected.as_bytes(), "{history:?}");
        }
    }
}
