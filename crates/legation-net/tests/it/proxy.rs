//! Calls through a real forward proxy, which resolves and connects in our place.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use legation_net::{Egress, Error, Http, Proxy, Reach, Request};
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::guard::Script;
use crate::server::{Server, head, ok};
use crate::tls::{Authority, Site};

/// A proxy whose every name is the one server.
async fn proxy_to(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let head = head(&mut caller).await;
            let mut upstream = TcpStream::connect(server).await.expect("the server is there");
            if head.starts_with("CONNECT ") {
                let _ = caller.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await;
            } else {
                upstream.write_all(head.as_bytes()).await.expect("the server reads");
            }
            log.lock().push(head);
            tokio::spawn(async move { copy_bidirectional(&mut caller, &mut upstream).await });
        }
    });
    (address, heads)
}

#[tokio::test]
async fn all_calls_go_by_the_proxy_but_for_its_exceptions_and_the_guard_holds() {
    let server = Server::start("127.0.0.1:0", |_| ok("server")).await;
    let port = server.address.port();
    let (address, heads) = proxy_to(server.address).await;
    let proxy = format!("http://user:s3cret@proxy.test:{}", address.port());
    let exceptions = ["direct.example", "127.0.0.0/8"];
    let proxy = Proxy::new(&proxy, &exceptions).expect("a proxy");
    // The proxy's own name, and whatever is called directly, is resolved here.
    let names = Script::new(&[&["127.0.0.1"]]);
    let of = |reach| {
        let (proxy, names) = (Some(proxy.clone()), Some(names.clone() as _));
        Http::by(Egress { reach, proxy, names, ..Egress::default() }).expect("a client")
    };
    let (guarded, any) = (of(Reach::default()), of(Reach::Any));
    const INNER: &str = "public internet";
    // Who calls, what, what comes of it, and whether the proxy was asked.
    let cases = [
        (&guarded, "http://a.example/x", "server", true),
        (&guarded, "http://a.example:8080/x", "server", true),
        (&guarded, "http://8.8.8.8/x", "server", true),
        (&guarded, "http://10.0.0.1/", INNER, false),
        (&guarded, "http://169.254.169.254/", INNER, false),
        (&guarded, "http://localhost/", INNER, false),
        (&guarded, "http://metadata.google.internal/", INNER, false),
        (&guarded, "http://intranet/", INNER, false),
        (&guarded, "http://a.example:6379/", "port 6379", false),
        (&guarded, "http://proxy.test:{port}/", "the proxy itself", false),
        // Directly, so by the numbers.
        (&guarded, "http://direct.example:{port}/", INNER, false),
        (&guarded, "http://127.0.0.1:{port}/", INNER, false),
        (&any, "http://direct.example:{port}/", "server", false),
        (&any, "http://127.0.0.1:{port}/", "server", false),
        (&any, "http://10.0.0.1/", "server", true),
        (&any, "http://intranet/", "server", true),
    ];
    for (http, url, expected, asks) in cases {
        let before = heads.lock().len();
        let url = url.replace("{port}", &port.to_string());
        let request = Request::new(Method::GET, Url::parse(&url).expect("a URL"));
        let told = match http.send(request).await {
            Ok(answer) => String::from_utf8(answer.bytes().await.expect("a body").to_vec()),
            Err(error) => Ok(error.to_string()),
        };
        let told = told.expect("text");
        assert!(told.contains(expected), "{url}: {told}");
        assert_eq!(heads.lock().len() - before, usize::from(asks), "{url}");
    }
    let heads = heads.lock();
    assert!(heads[0].starts_with("GET http://a.example/x HTTP/1.1"), "{}", heads[0]);
    // `user:s3cret` in base64.
    assert!(heads.iter().all(|head| head.contains("Basic dXNlcjpzM2NyZXQ=")), "{heads:?}");
    let inner = server.heads.lock();
    let direct: Vec<_> = inner.iter().filter(|head| head.starts_with("GET / ")).collect();
    assert!(direct.iter().all(|head| !head.contains("dXNlcjpzM2NyZXQ")), "{direct:?}");
}

#[tokio::test]
async fn tls_goes_through_the_proxy_to_the_server_and_is_checked_there() {
    let authority = Authority::new();
    let site = Site::start(&authority, &["a.example"], false).await;
    let (address, heads) = proxy_to(site.address).await;
    let proxy = Proxy::new(&format!("http://{address}"), &[""; 0]).expect("a proxy");
    let authorities = Some(authority.believed());
    let egress = Egress { proxy: Some(proxy), authorities, ..Egress::default() };
    let http = Http::by(egress).expect("a client");
    let get = |url| Request::new(Method::GET, Url::parse(url).expect("a URL"));
    for http2 in [false, true] {
        let get = |url| Request { http2, ..get(url) };
        let before = heads.lock().len();
        let answer = http.send(get("https://a.example/")).await.expect("an answer");
        assert_eq!(answer.bytes().await.expect("a body"), "nobody");
        let error = http.send(get("https://b.example/")).await.expect_err("another's name");
        assert!(error.is_distrust(), "{error:?}");
        assert!(heads.lock()[before].starts_with("CONNECT a.example:443 "));
    }
    let gone = Proxy::new("http://127.0.0.1:1", &[""; 0]).expect("a proxy");
    let http = Http::by(Egress { proxy: Some(gone), ..Egress::default() }).expect("a client");
    for http2 in [false, true] {
        let request = Request { http2, ..get("https://a.example/") };
        let error = http.send(request).await.expect_err("no proxy there");
        assert!(matches!(error, Error::Connect { .. }), "never without it: {error:?}");
    }
}
