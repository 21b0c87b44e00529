//! The axum floors: one router each, the card on all of them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use bytes::Bytes;
use tokio::net::TcpListener;

use super::{
    model::Request,
    postgres::Rows,
    reply::echo,
    store::{Page, Store},
    stream,
};
use crate::contract::{CARD_PATH, RPC_PATH};

/// Tasks by id.
type Tasks = Arc<RwLock<HashMap<String, Bytes>>>;

const CARD: &str = r#"{"name":"floor","description":"A floor of the bench.","version":"1"}"#;

/// Serves `router` until the process ends.
pub(super) async fn listen(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    let router = router.route(CARD_PATH, get(async || json(CARD.into())));
    let listener = listener.tap_io(|stream| {
        // Without it a small frame of a stream would wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.context("cannot serve")
}

/// F1: decode, encode.
pub(super) fn stateless() -> Router {
    Router::new().route(
        RPC_PATH,
        post(async |body: Bytes| {
            answer(|| Ok(json(echo(serde_json::from_slice(&body)?, body.len())?.into_bytes())))
        }),
    )
}

/// F2: decode, encode, store, answer when stored. Without a message: a page.
pub(super) fn stored(store: Store) -> Router {
    Router::new().route(RPC_PATH, post(send_or_list)).with_state(Arc::new(store))
}

/// F3: decode, encode, store elsewhere, answer when stored.
pub(super) fn appended(rows: Rows) -> Router {
    let append = async |State(rows): State<Arc<Rows>>, body: Bytes| {
        let append = async {
            let reply = echo(serde_json::from_slice(&body)?, body.len())?;
            rows.append(reply.task_id.clone(), reply.task()).await?;
            anyhow::Ok(json(reply.into_bytes()))
        };
        append.await.unwrap_or_else(|error| refuse(&error))
    };
    Router::new().route(RPC_PATH, post(append)).with_state(Arc::new(rows))
}

/// Tasks in memory: a message is kept, an id is looked up.
pub(super) fn mapped() -> Router {
    Router::new()
        .route(
            RPC_PATH,
            post(async |State(tasks): State<Tasks>, body: Bytes| {
                answer(|| keep_or_get(&tasks, &body))
            }),
        )
        .with_state(Tasks::default())
}

/// Streams of events, nothing stored.
pub(super) fn streaming() -> Router {
    Router::new().route(
        RPC_PATH,
        post(async |body: Bytes| {
            answer(|| {
                let frames = stream::answer(serde_json::from_slice(&body)?)?;
                let headers = [(CONTENT_TYPE, "text/event-stream")];
                Ok((headers, Body::from_stream(frames)).into_response())
            })
        }),
    )
}

async fn send_or_list(State(store): State<Arc<Store>>, body: Bytes) -> Response {
    let reply = match answer_or_page(&store, &body) {
        Ok(Sent::Task(reply)) => reply,
        Ok(Sent::Page(page)) => return json(page),
        Err(error) => return refuse(&error),
    };
    match store.append(reply.task_id.clone(), reply.task()).await {
        Ok(()) => json(reply.into_bytes()),
        Err(error) => refuse(&error),
    }
}

/// What F2 was asked for.
enum Sent {
    Task(super::reply::Reply),
    Page(Bytes),
}

fn answer_or_page(store: &Store, body: &[u8]) -> anyhow::Result<Sent> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    if request.params.message.is_some() {
        return Ok(Sent::Task(echo(request, body.len())?));
    }
    let size = request.params.page_size.unwrap_or(50);
    let before = match request.params.page_token {
        None | Some("") => None,
        Some(token) => Some(token.parse().context("params.pageToken: not a number")?),
    };
    Ok(Sent::Page(write_page(request.id.get(), size, &store.page(before, size)?)))
}

fn write_page(rpc_id: &str, size: u32, page: &Page) -> Bytes {
    let next = page.next.map(|key| key.to_string()).unwrap_or_default();
    let tasks = page.bodies.join(&b","[..]);
    let mut out = Vec::with_capacity(tasks.len() + 200);
    out.extend_from_slice(
        format!(r#"{{"jsonrpc":"2.0","id":{rpc_id},"result":{{"tasks":["#).as_bytes(),
    );
    out.extend_from_slice(&tasks);
    out.extend_from_slice(
        format!(r#"],"nextPageToken":"{next}","pageSize":{size},"totalSize":{}}}}}"#, page.total)
            .as_bytes(),
    );
    out.into()
}

fn keep_or_get(tasks: &Tasks, body: &[u8]) -> anyhow::Result<Response> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let Some(id) = request.params.id else {
        let reply = echo(request, body.len())?;
        let mut tasks = tasks.write().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(reply.task_id.clone(), reply.task());
        return Ok(json(reply.into_bytes()));
    };
    let task = tasks.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
    let task = task.with_context(|| format!("no task `{id}`"))?;
    let mut out = Vec::with_capacity(task.len() + 64);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(request.id.get().as_bytes());
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(&task);
    out.push(b'}');
    Ok(json(out.into()))
}

fn answer(work: impl FnOnce() -> anyhow::Result<Response>) -> Response {
    work().unwrap_or_else(|error| refuse(&error))
}

fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn refuse(error: &anyhow::Error) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response()
}
