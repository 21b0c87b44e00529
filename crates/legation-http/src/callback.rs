//! Where the answer to an authorization in the middle of a task arrives (Spec 7.6; RFC 6749 4.1.2):
//! by a browser, so what it gets is a page.

use http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use http::request::Parts;
use http::{StatusCode, header};
use legation_core::Service;
use legation_wire::codec::Codec;
use legation_wire::error::{ErrorProfile, row_of};

use crate::answer::{Answer, answer};
use crate::body::Body;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What pages may do: nothing. The address of this one holds a secret, so it is told to nobody.
const GUARDS: [(HeaderName, HeaderValue); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Hands the answer to the task that waits for it.
pub(crate) async fn serve(service: &Service, head: &Parts) -> Answer {
    let query = head.uri.query().unwrap_or_default();
    let parameters = form_urlencoded::parse(query.as_bytes()).into_owned();
    match service.authorized(parameters).await {
        Ok(()) => page(StatusCode::OK, "Thank you. The agent goes on; this page can be closed."),
        Err(error) => {
            let row = row_of(error.kind);
            let status = row.http_in(Codec::NEWEST.version(), ErrorProfile::default());
            let status = StatusCode::from_u16(status);
            page(status.expect("the error table has valid statuses only"), &error.message)
        }
    }
}

/// A page that says one of our own sentences.
fn page(status: StatusCode, sentence: &str) -> Answer {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Authorization</title>\
         <p>{sentence}</p></html>\n"
    );
    let mut response = answer(status, HTML, Body::full(page));
    response.headers_mut().extend(GUARDS);
    response
}
