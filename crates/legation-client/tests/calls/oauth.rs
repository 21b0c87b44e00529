//! Tokens from a small authorization server that checks what it is asked: clients by their secret, codes
//! by PKCE, refresh tokens by their one use.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use futures::future::join_all;
use http::Method;
use legation_client::credentials::{Fault, Flow, Issuer, OAuth, TokenCache, Visit};
use legation_client::{Client, Credential, Error};
use legation_model::ErrorKind;
use legation_net::{Http, Request};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::{Url, form_urlencoded};

use crate::credentials::{agent, client, get, needing, refuse, task};
use crate::server::{Answer, Asked, Server};

const SECRET: &str = "s3cret of the client";

/// What the authorization server knows.
#[derive(Debug)]
pub(crate) struct State {
    /// How long tokens are good, in seconds.
    life: Option<u64>,
    /// Whether the agent takes nobody.
    is_closed: bool,
    /// Tokens that are good.
    good: Vec<String>,
    /// Refresh tokens that are good; each is once.
    refresh: Vec<String>,
    /// Codes that are good, with the challenge of PKCE and the address to come back to.
    codes: HashMap<String, (String, String)>,
    /// How often a device is told to wait.
    pending: u32,
    /// The grants that were asked for.
    pub(crate) grants: Vec<String>,
    /// What the metadata has instead.
    metadata: Value,
}

pub(crate) type Shared = Arc<Mutex<State>>;

pub(crate) fn state() -> Shared {
    Arc::new(Mutex::new(State {
        life: Some(3600),
        is_closed: false,
        good: Vec::new(),
        refresh: Vec::new(),
        codes: HashMap::new(),
        pending: 2,
        grants: Vec::new(),
        metadata: json!({}),
    }))
}

fn refusal(code: &str) -> Answer {
    let text = json!({ "error": code, "error_description": "because\u{1b}[31m" });
    Answer::json(400, text.to_string())
}

/// An authorization server.
pub(crate) async fn issuer(state: &Shared) -> Server {
    let state = Arc::clone(state);
    Server::start(move |asked: &Asked| {
        let base = format!("http://{}", asked.header("host").expect("HTTP/1.1 has one"));
        match asked.path.as_str() {
            "/.well-known/oauth-authorization-server" => {
                let mut document = json!({
                    "issuer": base,
                    "token_endpoint": format!("{base}/token"),
                    "authorization_endpoint": format!("{base}/authorize"),
                    "device_authorization_endpoint": format!("{base}/device"),
                    "revocation_endpoint": format!("{base}/revoke"),
                    "authorization_response_iss_parameter_supported": true,
                });
                let changes = state.lock().metadata.clone();
                for (name, value) in changes.as_object().expect("an object") {
                    document[name] = value.clone();
                }
                Answer::json(200, document.to_string())
            }
            "/token" => token(&mut state.lock(), asked),
            "/revoke" => {
                let form = form_urlencoded::parse(asked.body.as_bytes()).into_owned();
                let token = form.into_iter().find(|(name, _)| name == "token");
                state.lock().grants.push(format!("revoked {}", token.expect("a token").1));
                Answer::json(200, "")
            }
            "/device" => Answer::json(
                200,
                json!({ "device_code": "device-1", "user_code": "AB-\u{7}12", "interval": 0,
                    "verification_uri": format!("{base}/enter"), "expires_in": 60 })
                .to_string(),
            ),
            _ => Answer::json(404, "{}"),
        }
    })
    .await
}

fn token(state: &mut State, asked: &Asked) -> Answer {
    let form: HashMap<String, String> =
        form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // Encoded as in a form before it is encoded for the header.
    let expected = BASE64_STANDARD.encode("my%3Aclient:s3cret+of+the+client");
    let known = asked.header("authorization") == Some(&format!("Basic {expected}"))
        // The public client of people.
        || (asked.header("authorization").is_none() && given("client_id") == "people");
    if !known {
        return refusal("invalid_client");
    }
    let grant = given("grant_type");
    state.grants.push(grant.to_owned());
    match grant {
        "client_credentials" => {
            assert_eq!(given("scope"), "read send");
            issue(state, false)
        }
        "refresh_token" => {
            let position = state.refresh.iter().position(|it| it == given("refresh_token"));
            let Some(position) = position else { return refusal("invalid_grant") };
            state.refresh.remove(position);
            issue(state, true)
        }
        "authorization_code" => {
            let Some((challenge, redirect)) = state.codes.remove(given("code")) else {
                return refusal("invalid_grant");
            };
            let proof = digest(&SHA256, given("code_verifier").as_bytes());
            let fits = BASE64_URL_SAFE_NO_PAD.encode(proof) == challenge;
            if fits && given("redirect_uri") == redirect {
                issue(state, true)
            } else {
                refusal("invalid_grant")
            }
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            assert_eq!(given("device_code"), "device-1");
            if state.pending > 0 {
                state.pending -= 1;
                return refusal("authorization_pending");
            }
            issue(state, true)
        }
        other => panic!("{other}"),
    }
}

fn issue(state: &mut State, with_refresh: bool) -> Answer {
    let number = state.grants.len();
    let mut answer = json!({ "access_token": format!("token-{number}"), "token_type": "Bearer" });
    if let Some(life) = state.life {
        answer["expires_in"] = json!(life);
    }
    state.good.push(format!("token-{number}"));
    if with_refresh {
        answer["refresh_token"] = json!(format!("refresh-{number}"));
        state.refresh.push(format!("refresh-{number}"));
    }
    Answer::json(200, answer.to_string())
}

/// An agent that takes the tokens of the authorization server.
async fn guarded(state: &Shared, token_url: &str) -> Server {
    let state = Arc::clone(state);
    let schemes = json!({ "oauth": { "oauth2SecurityScheme": { "flows": {
        "clientCredentials": { "tokenUrl": token_url, "scopes": {} } } } } });
    agent(schemes, needing(&["oauth"]), move |asked| {
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let state = state.lock();
        let is_good = token.is_some_and(|token| state.good.iter().any(|it| it == token));
        if is_good && !state.is_closed {
            task(asked)
        } else {
            refuse(&["Bearer error=\"invalid_token\""])
        }
    })
    .await
}

pub(crate) fn settings(issuer: &Server, flow: Flow, cache: Option<&Path>) -> OAuth {
    let is_machine = flow == Flow::ClientCredentials;
    OAuth {
        flow,
        client_id: if is_machine { "my:client".into() } else { "people".into() },
        client_secret: is_machine.then(|| SECRET.into()),
        issuer: Issuer::Named(Url::parse(&issuer.url()).expect("a URL")),
        scopes: vec!["read".into(), "send".into()],
        resource: None,
        cache: cache.map(TokenCache::in_directory),
    }
}

#[tokio::test]
async fn a_token_is_got_once_and_renewed_before_it_expires_and_when_it_is_refused() {
    let state = state();
    let issuer = issuer(&state).await;
    let agent = guarded(&state, "https://elsewhere.example/token").await;
    let oauth = Credential::oauth(settings(&issuer, Flow::ClientCredentials, None));
    let client = client(&agent, oauth.into()).await.expect("it fits");
    let grants = || state.lock().grants.len();
    assert_eq!(grants(), 0, "a card needs no token");
    for task in join_all((0..20).map(|_| client.get_task(get()))).await {
        task.expect("a task");
    }
    assert_eq!(grants(), 1, "one for all who need it at once");
    // It was taken back: each of those that are refused waits for the one other.
    state.lock().good.clear();
    for task in join_all((0..20).map(|_| client.get_task(get()))).await {
        task.expect("a task");
    }
    assert_eq!(grants(), 2);
    // No token is good enough: one other is asked for, and then the refusal stands.
    let before = agent.asked.lock().len();
    state.lock().is_closed = true;
    let error = client.get_task(get()).await.expect_err("closed");
    assert_eq!(error.kind(), Some(ErrorKind::Unauthenticated));
    assert_eq!((grants(), agent.asked.lock().len() - before), (3, 2));
    state.lock().is_closed = false;
    state.lock().life = Some(1);
    client.get_task(get()).await.expect("the token is good again");
    assert_eq!(grants(), 3);
    state.lock().good.clear();
    // A token that is good for a second is renewed before each call.
    for more in 1..=3 {
        let before = grants();
        client.get_task(get()).await.expect("a task");
        assert!(grants() > before, "{more}");
    }
}

#[tokio::test]
async fn tokens_are_kept_for_their_owner_alone_and_used_by_the_next_process() {
    let state = state();
    let issuer = issuer(&state).await;
    let agent = guarded(&state, "https://elsewhere.example/token").await;
    let directory = tempfile::tempdir().expect("a directory");
    let cache = directory.path().join("state/tokens");
    let fresh = || Credential::oauth(settings(&issuer, Flow::ClientCredentials, Some(&cache)));
    for _ in 0..3 {
        let client = client(&agent, fresh().into()).await.expect("it fits");
        client.get_task(get()).await.expect("a task");
    }
    assert_eq!(state.lock().grants.len(), 1);
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    let files: Vec<_> = cache.read_dir().expect("a directory").flatten().collect();
    assert!(files.iter().all(|file| mode(&file.path()) == 0o600), "{files:?}");
    // What cannot be read is as good as nothing; what is of others is left alone.
    for file in &files {
        std::fs::write(file.path(), "{ nonsense").expect("it can be written");
    }
    let last = client(&agent, fresh().into()).await.expect("it fits");
    last.get_task(get()).await.expect("a task");
    assert_eq!(state.lock().grants.len(), 2);
    assert!(last.log_out().await.expect("it can be removed"));
    assert!(!last.log_out().await.expect("nothing is there"));
    assert_eq!(state.lock().grants[2..], ["revoked token-2"], "told once, what there was");
}

#[tokio::test]
async fn a_hostile_card_lures_no_secret() {
    let state = state();
    let issuer = issuer(&state).await;
    let thief = Server::start(|_: &Asked| Answer::json(200, r#"{"access_token":"x"}"#)).await;
    let agent = guarded(&state, &format!("{}/token", thief.url())).await;
    let named = settings(&issuer, Flow::ClientCredentials, None);
    let origin = |server: &Server| Url::parse(&server.url()).expect("a URL");
    // Whoever the caller named is asked, and not the one of the card.
    let known = client(&agent, Credential::oauth(named.clone()).into()).await.expect("it fits");
    known.get_task(get()).await.expect("a task");
    // Where the card may say, it may only say what is trusted. That the card is the agent's own counts
    // for nothing: it is the agent that would be the thief.
    for trusted in [vec![], vec![origin(&issuer)], vec![origin(&agent)]] {
        let of_card = OAuth { issuer: Issuer::OfCard(trusted), ..named.clone() };
        let error =
            client(&agent, Credential::oauth(of_card).into()).await.expect_err("not trusted");
        assert!(matches!(error, Error::Unsatisfied { .. }), "{error:?}");
        assert!(error.to_string().contains(&thief.url()), "{error}");
    }
    assert!(thief.asked.lock().is_empty());
    let agent = guarded(&state, &format!("{}/token", issuer.url())).await;
    let of_card = OAuth { issuer: Issuer::OfCard(vec![origin(&issuer)]), ..named };
    let trusting = client(&agent, Credential::oauth(of_card).into()).await.expect("trusted");
    trusting.get_task(get()).await.expect("a task");
}

#[tokio::test]
async fn an_authorization_server_is_who_it_says_and_secrets_stay_out_of_errors() {
    // What the metadata has instead, the client's secret, and what is said.
    let cases = [
        (json!({ "issuer": "https://other.example" }), SECRET, "metadata of another issuer"),
        (
            json!({ "token_endpoint": "http://a.example/t" }),
            SECRET,
            "secrets do not go to http://a.example",
        ),
        (json!({ "token_endpoint": null }), SECRET, "has no token endpoint"),
        (json!({}), "s3cret that is wrong", "invalid_client (because[31m)"),
        (json!({ "token_endpoint": "http://127.0.0.1:1/t" }), SECRET, "connection refused"),
    ];
    for (metadata, secret, expected) in cases {
        let state = state();
        state.lock().metadata = metadata;
        let issuer = issuer(&state).await;
        let agent = guarded(&state, "https://elsewhere.example/token").await;
        let client_secret = Some(secret.into());
        let oauth = OAuth { client_secret, ..settings(&issuer, Flow::ClientCredentials, None) };
        assert!(!format!("{oauth:?}").contains("s3cret"));
        let client = client(&agent, Credential::oauth(oauth).into()).await.expect("it fits");
        let error = client.get_task(get()).await.expect_err("no token");
        let told = error.to_string();
        assert!(told.contains(expected), "{told}");
        assert!(!format!("{told}{error:?}").contains("s3cret"), "{error:?}");
        let calls = agent.asked.lock().iter().filter(|asked| asked.path != "/card.json").count();
        assert_eq!(calls, 0, "nothing goes without the token");
    }
}

/// Logs in with a browser that does what it is told with the address to come back to.
async fn log_in(
    client: &Client,
    state: &Shared,
    issuer: &Server,
    come_back: impl Fn(&HashMap<String, String>) -> Vec<String>,
) -> Result<usize, Error> {
    let (told, mut heard) = mpsc::unbounded_channel();
    let tell = move |visit: Visit<'_>| told.send(visit.url.clone()).expect("heard");
    let browser = async {
        let url = heard.recv().await.expect("an address");
        assert!(url.as_str().starts_with(&format!("{}/authorize?", issuer.url())));
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!((&*asked["response_type"], &*asked["client_id"]), ("code", "people"));
        assert_eq!((&*asked["code_challenge_method"], &*asked["scope"]), ("S256", "read send"));
        let (challenge, redirect) = (&asked["code_challenge"], &asked["redirect_uri"]);
        state.lock().codes.insert("code-1".into(), (challenge.clone(), redirect.clone()));
        let http = Http::new().expect("a client");
        let mut statuses = Vec::new();
        for query in come_back(&asked) {
            let url = Url::parse(&format!("{redirect}?{query}")).expect("a URL");
            let answer = http.send(Request::new(Method::GET, url)).await;
            statuses.push(answer.map_or(0, |answer| answer.status().as_u16()));
        }
        statuses
    };
    let (outcome, statuses) = tokio::join!(client.log_in(&tell), browser);
    let last = if outcome.is_ok() { 200 } else { 400 };
    assert_eq!(statuses.last(), Some(&last));
    assert!(statuses.iter().rev().skip(1).all(|status| *status == 404), "{statuses:?}");
    outcome
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser_and_stays_so() {
    let state = state();
    let issuer = issuer(&state).await;
    let agent = guarded(&state, "https://elsewhere.example/token").await;
    let directory = tempfile::tempdir().expect("a directory");
    let fresh = || {
        let oauth = settings(&issuer, Flow::AuthorizationCode, Some(directory.path()));
        client(&agent, Credential::oauth(oauth).into())
    };
    let first = fresh().await.expect("it fits");
    let error = first.get_task(get()).await.expect_err("nobody is logged in");
    assert!(matches!(error, Error::Token(Fault::LogIn { .. })), "{error:?}");

    let here = issuer.url();
    let good = |asked: &HashMap<String, String>| {
        format!("code=code-1&iss={here}&state={}", asked["state"])
    };
    // Others may knock at the port as they like.
    let attacked = |asked: &HashMap<String, String>| {
        vec!["code=evil&state=guess".into(), "error=x".into(), String::new(), good(asked)]
    };
    assert_eq!(log_in(&first, &state, &issuer, attacked).await.expect("logged in"), 1);
    first.get_task(get()).await.expect("a task");

    // The next process finds the token, and renews it by the refresh token when it is refused; so do
    // many at once, with one refresh token that is good once.
    state.lock().good.clear();
    let many = join_all((0..8).map(|_| fresh())).await;
    let tasks =
        join_all(many.iter().map(|client| client.as_ref().expect("it fits").get_task(get())));
    for task in tasks.await {
        task.expect("a task");
    }
    assert_eq!(state.lock().grants, ["authorization_code", "refresh_token"]);
    // A refresh token that was taken back means that somebody has to log in again.
    state.lock().good.clear();
    state.lock().refresh.clear();
    let error = many[0].as_ref().expect("it fits").get_task(get()).await;
    let error = error.expect_err("logged out by the server");
    assert!(matches!(error, Error::Token(Fault::LogIn { .. })), "{error:?}");
}

#[tokio::test]
async fn an_answer_of_another_server_or_a_second_use_of_a_code_logs_nobody_in() {
    let state = state();
    let issuer = issuer(&state).await;
    let agent = guarded(&state, "https://elsewhere.example/token").await;
    let oauth = settings(&issuer, Flow::AuthorizationCode, None);
    let client = client(&agent, Credential::oauth(oauth).into()).await.expect("it fits");
    let here = issuer.url();
    let cases = [
        ("code=code-1&iss=https://evil.example&state=", "not of this issuer"),
        ("code=code-1&state=", "not of this issuer"),
        (&format!("error=access_denied&iss={here}&state="), "access_denied"),
    ];
    for (query, expected) in cases {
        let come_back =
            |asked: &HashMap<String, String>| vec![format!("{query}{}", asked["state"])];
        let error = log_in(&client, &state, &issuer, come_back).await.expect_err("refused");
        assert!(error.to_string().contains(expected), "{query}: {error}");
    }
    assert!(state.lock().grants.is_empty(), "no code was handed in");
}

#[tokio::test]
async fn a_device_waits_until_somebody_has_typed_its_code() {
    let state = state();
    let issuer = issuer(&state).await;
    let agent = guarded(&state, "https://elsewhere.example/token").await;
    let oauth = settings(&issuer, Flow::DeviceCode, None);
    let client = client(&agent, Credential::oauth(oauth).into()).await.expect("it fits");
    let told = Mutex::new(Vec::new());
    let tell = |visit: Visit<'_>| {
        told.lock().push((visit.url.to_string(), visit.code.map(str::to_owned)));
    };
    assert_eq!(client.log_in(&tell).await.expect("logged in"), 1);
    let expected = (format!("{}/enter", issuer.url()), Some("AB-12".to_owned()));
    assert_eq!(*told.lock(), [expected]);
    assert_eq!(state.lock().grants.len(), 3, "two times too early");
    client.get_task(get()).await.expect("a task");
}
