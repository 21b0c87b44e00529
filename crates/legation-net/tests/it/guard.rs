//! Where calls go: names that change their mind, redirects, and what is no web address.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, Method};
use legation_net::{Egress, Error, Http, Names, Network, Reach, Request};
use parking_lot::Mutex;
use url::Url;

use crate::server::{Server, ok, redirect};

/// Numbers, time after time.
type Answers<'a> = &'a [&'a [&'a str]];

/// Answers one question after the other, the last answer for ever, and counts.
#[derive(Debug)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<usize>,
}

impl Script {
    pub(crate) fn new(answers: Answers<'_>) -> Arc<Self> {
        let read = |answer: &&[&str]| -> Vec<IpAddr> {
            answer.iter().map(|text| text.parse().expect("a number")).collect()
        };
        let answers = Mutex::new(answers.iter().map(read).collect());
        Arc::new(Self { answers, asked: Mutex::new(0) })
    }
}

#[async_trait]
impl Names for Script {
    async fn find(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        *self.asked.lock() += 1;
        let mut answers = self.answers.lock();
        let is_last = answers.len() == 1;
        let next = if is_last { answers.front().cloned() } else { answers.pop_front() };
        Ok(next.expect("the last answer stays"))
    }
}

fn allowing(networks: &[&str]) -> Reach {
    let read = |text: &&str| text.parse::<Network>().expect("a network");
    Reach::Public(networks.iter().map(read).collect())
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, Url::parse(url).expect("a URL"))
}

async fn told(sent: Result<legation_net::Response, Error>) -> String {
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.bytes().await.expect("a short body");
            format!("{status} {}", String::from_utf8_lossy(&body))
        }
        Err(error) => error.to_string(),
    }
}

/// 127.0.0.1 plays a host that may be called, and 127.0.0.2 one that may not.
#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere() {
    let outer = Server::start("127.0.0.1:0", |_| ok("outer")).await;
    let port = outer.address.port();
    let inner = Server::start(&format!("127.0.0.2:{port}"), |_| ok("inner")).await;
    const GOOD: &[&str] = &["127.0.0.1"];
    const BAD: &[&str] = &["127.0.0.2"];
    const MIXED: &[&str] = &["127.0.0.1", "127.0.0.2"];
    // What the name resolves to, time after time; what two calls get; and how often it is asked.
    let cases: [(Answers<'_>, [&str; 2], usize); 5] = [
        (&[GOOD], ["200 outer", "200 outer"], 2),
        // The second answer would have been inner already if anybody had asked twice for one call.
        (&[GOOD, BAD], ["200 outer", "elsewhere: 127.0.0.2"], 2),
        (&[BAD, GOOD], ["elsewhere: 127.0.0.2", "200 outer"], 2),
        (&[MIXED], ["elsewhere: 127.0.0.2", "elsewhere: 127.0.0.2"], 2),
        (&[&[]], ["no address", "no address"], 2),
    ];
    for (answers, expected, asked) in cases {
        let names = Script::new(answers);
        let reach = allowing(&["127.0.0.1"]);
        let egress = Egress { reach, names: Some(names.clone()), ..Egress::default() };
        let http = Http::by(egress).expect("a client");
        for expected in expected {
            let got = told(http.send(get(&format!("http://a.example:{port}/"))).await).await;
            assert!(got.contains(expected), "{answers:?}: {got}");
        }
        assert_eq!(*names.asked.lock(), asked, "{answers:?}");
    }
    // Where HTTP/2 alone is spoken, which the one that may be called does not understand.
    let names = Script::new(&[GOOD, BAD, MIXED]);
    let reach = allowing(&["127.0.0.1"]);
    let egress = Egress { reach, names: Some(names.clone()), ..Egress::default() };
    let http = Http::by(egress).expect("a client");
    for expected in ["broke", "elsewhere: 127.0.0.2", "elsewhere: 127.0.0.2"] {
        let request = Request { http2: true, ..get(&format!("http://a.example:{port}/")) };
        let got = told(http.send(request).await).await;
        assert!(got.contains(expected), "{got}");
    }
    assert_eq!(*names.asked.lock(), 3);
    assert_eq!(inner.calls(), 0);
}

/// All ways to write an address of this machine, and schemes that are not of the web, against a
/// listener that would answer.
#[tokio::test]
async fn inner_addresses_are_called_in_no_spelling() {
    let server = Server::start("127.0.0.1:0", |_| ok("inner")).await;
    let port = server.address.port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "0.0.0.0",
        "[::]",
    ];
    let guarded = Http::guarded().expect("a client");
    let any = Http::new().expect("a client");
    for host in hosts {
        let url = format!("http://{host}:{port}/");
        for http2 in [false, true] {
            let request = Request { http2, ..get(&url) };
            let error = guarded.send(request).await.expect_err(host);
            // Not every system knows the name with the dot; what it does not know is not called either.
            let judged = matches!(error, Error::Address(_)) || host == "localhost.";
            assert!(judged && error.nothing_sent(), "{url}: {error:?}");
        }
    }
    for url in ["file:///etc/passwd", "gopher://a/", "data:,x", "unix:/run/x", "ftp://a/"] {
        for (http, http2) in [(&guarded, false), (&any, false), (&guarded, true), (&any, true)] {
            let error = http.send(Request { http2, ..get(url) }).await.expect_err(url);
            assert!(matches!(error, Error::Address(_)), "{url}: {error:?}");
        }
    }
    assert_eq!(server.calls(), 0);
    let reached = told(any.send(get(&format!("http://0x7f.1:{port}/"))).await).await;
    assert_eq!(reached, "200 inner", "the listener answers whom nobody guards");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_sees_nobody() {
    let target = Server::start("127.0.0.1:0", |_| ok("target")).await;
    for status in [301, 302, 303, 307, 308] {
        let to = target.url("/").to_string();
        let server = Server::start("127.0.0.1:0", move |_| redirect(status, &to)).await;
        for method in [Method::GET, Method::POST] {
            let mut request = Request::new(method, server.url("/"));
            request.headers.insert("x-api-key", HeaderValue::from_static("secret"));
            let got = told(Http::new().expect("a client").send(request).await).await;
            assert_eq!(got, format!("{status} "));
        }
    }
    assert_eq!(target.calls(), 0);
}

/// `{port}` is that of the one server, which answers `/end`, and any other path by redirecting to what
/// stands behind the first `to=` in it.
#[tokio::test]
async fn redirects_to_public_documents_are_followed_within_bounds_and_without_credentials() {
    let cases = [
        // Within the origin, however chosen.
        ("/?to=/end", 3, "200 end"),
        ("/?to=end", 3, "200 end"),
        ("/?to=/?to=/?to=/end", 3, "200 end"),
        ("/?to=/?to=/?to=/?to=/end", 3, "more than 3 times"),
        ("/?to=/?to=/end", 0, "more than 0 times"),
        ("/end", 0, "200 end"),
        // Another origin is another server's choice.
        ("/?to=http://127.0.0.2:{port}/end", 3, "not an address of the public internet"),
        ("/?to=http://localhost:{port}/end", 3, "not an address of the public internet"),
        ("/?to=http://169.254.169.254/latest", 3, "not an address of the public internet"),
        ("/?to=//10.0.0.1/", 3, "not an address of the public internet"),
        ("/?to=http://8.8.8.8:22/", 3, "port 22"),
        ("/?to=file:///etc/passwd", 3, "scheme `file`"),
        ("/?to=http://user@8.8.8.8/", 3, "user name"),
        ("/?to=http://", 3, "no address"),
    ];
    for (path, most, expected) in cases {
        let server = Server::start("127.0.0.1:0", |head| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            match path.split_once("to=") {
                Some((_, target)) => redirect(302, target),
                None => ok("end"),
            }
        })
        .await;
        let path = path.replace("{port}", &server.address.port().to_string());
        let mut request = Request::new(Method::GET, server.url(&path));
        let headers = [
            ("authorization", "Bearer s3cret"),
            ("cookie", "k=s3cret"),
            ("x-api-key", "s3cret"),
            ("accept", "application/json"),
        ];
        for (name, value) in headers {
            request.headers.insert(name, HeaderValue::from_static(value));
        }
        let got = told(Http::new().expect("a client").follow(request, most).await).await;
        assert!(got.contains(expected), "{path}: {got}");
        let heads = server.heads.lock();
        assert!(heads[0].contains("s3cret"), "{path}");
        for head in &heads[1..] {
            assert!(!head.contains("s3cret") && head.contains("application/json"), "{head}");
        }
    }
}

#[tokio::test]
async fn only_questions_are_followed() {
    let server = Server::start("127.0.0.1:0", |_| redirect(307, "/again")).await;
    let request = Request::new(Method::POST, server.url("/"));
    let got = told(Http::new().expect("a client").follow(request, 3).await).await;
    assert_eq!((got.as_str(), server.calls()), ("307 ", 1));
}

/// The variables that other programs hear. The test starts itself with them, so that they are there
/// before anything reads them.
#[tokio::test]
async fn the_environment_names_no_proxy() {
    const INNER: &str = "LEGATION_NET_TEST_URL";
    if let Ok(url) = std::env::var(INNER) {
        let got = told(Http::new().expect("a client").send(get(&url)).await).await;
        assert_eq!(got, "200 direct");
        return;
    }
    let server = Server::start("127.0.0.1:0", |_| ok("direct")).await;
    let proxy = Server::start("127.0.0.1:0", |_| ok("by proxy")).await;
    let this = std::env::current_exe().expect("a program");
    let mut again = tokio::process::Command::new(this);
    again.args(["--exact", "guard::the_environment_names_no_proxy"]);
    again.env(INNER, server.url("/").as_str());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, proxy.url("/").as_str());
    }
    let output = again.output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((server.calls(), proxy.calls()), (1, 0));
}
