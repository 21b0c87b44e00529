//! The listener of webhooks: plain HTTP/1.1 within bounds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::desk::{Desk, Verdict, refuse};

/// When the system has no place for a connection, it may soon have.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections, for ever.
pub(super) async fn run(listener: TcpListener, desk: Arc<Desk>) {
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if serving.len() < desk.limits().connections => {
                match accepted {
                    Ok((socket, _)) => drop(serving.spawn(serve(socket, Arc::clone(&desk)))),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
            Some(_) = serving.join_next() => {}
        }
    }
}

async fn serve(socket: TcpStream, desk: Arc<Desk>) {
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(desk.limits().time);
    let service = service_fn(|request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(take(request, &desk).await)) }
    });
    // How a connection ends is the affair of whoever posts.
    let _ = connection.serve_connection(TokioIo::new(socket), service).await;
}

async fn take(request: Request<Incoming>, desk: &Desk) -> Verdict {
    let (head, body) = request.into_parts();
    let place = match desk.place(&head.method, head.uri.path(), &head.headers) {
        Ok(place) => place,
        Err(verdict) => return verdict,
    };
    let body = Limited::new(body, desk.limits().bytes).collect();
    match tokio::time::timeout(desk.limits().time, body).await {
        Ok(Ok(body)) => desk.take(&place, &head.headers, &body.to_bytes()),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "the notification is too large")
        }
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "the notification broke off"),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the notification took too long"),
    }
}

fn answer((status, why): Verdict) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(why));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    answer
}
