//! A token that an agent refuses over gRPC, as over the other bindings: another is asked for, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_client::credentials::Flow;
use legation_client::{Binding, Client, Credential, Options};

use super::frames::refusal;
use super::grpc::{TASK, answer};
use super::peer::{Asked, Peer};
use super::told::{of_error, of_task};
use super::variant::options;
use super::{json, say};
use crate::credentials::get;
use crate::oauth::{issuer, settings, state};

#[tokio::test]
async fn a_token_that_grpc_refuses_is_renewed_once() {
    const SCHEMES: &str = r#""securitySchemes":{"oauth":{"oauth2SecurityScheme":{"flows":
        {"clientCredentials":{"tokenUrl":"https://elsewhere.example/token","scopes":{}}}}}},
        "securityRequirements":[{"schemes":{"oauth":{"list":[]}}}],"skills""#;
    for (refusals, expected) in [(1, "task t WORKING"), (9, "Denied Unauthenticated: ")] {
        let state = state();
        let issuer = issuer(&state).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let script = move |asked: &Asked| {
            if asked.is_for_card() {
                return vec![json(super::card(&asked.base).replace("\"skills\"", SCHEMES))];
            }
            if count.fetch_add(1, Ordering::Relaxed) < refusals {
                return vec![say(refusal(asked.stream, &[("grpc-status", "16")]))];
            }
            vec![answer(asked, TASK)]
        };
        let peer = Peer::start(Arc::new(script), "", false).await;
        let credentials =
            Credential::oauth(settings(&issuer, Flow::ClientCredentials, None)).into();
        let options = Options { credentials, ..options(Binding::Grpc) };
        let client = Client::discover(&peer.url(), options).await.expect("the card is good");
        let told = client.get_task(get()).await;
        let told = told.map_or_else(|error| of_error(&error), |task| of_task(&task));
        assert!(told.starts_with(expected), "{told}");
        let tokens = state.lock().grants.len();
        assert_eq!((asked.load(Ordering::Relaxed), tokens), (2, 2), "{expected}");
    }
}
