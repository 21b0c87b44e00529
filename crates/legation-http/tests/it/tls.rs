//! TLS: who is believed, what is spoken, and files that change under load.

pub(crate) mod authority;
pub(crate) mod peer;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use legation_auth::{Anonymous, Attempts, Certificates, Chain, Scheme};
use legation_core::Scopes;
use legation_http::{Bounds, ClientCertificates, Tls, TlsSettings};
use legation_wire::grpc::Package;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::client::{ask, exchange_over, read_to_end, read_until, say};
use crate::connections::{completes, grpc_request, http2_over, request as request_of};
use crate::grpc_client::call;
use crate::server::{self, Server};
use authority::{Authority, Files, Kind};
use peer::{Outcome, Peer, Witness};

async fn start(files: &Files) -> Server {
    start_within(files, Bounds::default()).await
}

async fn start_within(files: &Files, bounds: Bounds) -> Server {
    let tls = Tls::open(files.settings()).expect("good files");
    let change = |settings: &mut legation_http::Settings| settings.bounds = bounds;
    server::start_secured(Arc::new(Anonymous), Some(tls), change).await
}

#[tokio::test]
async fn callers_get_an_answer_over_tls_with_hsts_and_an_address_to_match() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let server = start(&files).await;
    let peer = Peer::believing(&authority);
    let stream = peer.connect(server.address).await.expect("TLS");
    let request = ask("GET", "/.well-known/agent-card.json").bytes();
    let reply = exchange_over(stream, &request).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=31536000"));
    let url = reply.text_after(r#""url":""#);
    assert_eq!(url, format!("https://{}/a2a", server.address));
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_for_trying_out_binds_nobody_to_tls() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    files.restore(&authority.own_pem());
    let tls = Tls::open(files.settings()).expect("good files");
    assert!(tls.is_self_signed());
    let server = server::start_secured(Arc::new(Anonymous), Some(tls.clone()), |_| {}).await;
    let peer = Peer::believing(&authority);
    assert!(peer.connect(server.address).await.is_err(), "it is for nobody's name");
    // One that callers believe, which is taken up later, lets them look.
    files.write(&authority, Kind::Server);
    tls.reload().expect("good files");
    let stream = peer.connect(server.address).await.expect("TLS");
    let reply = exchange_over(stream, &ask("GET", "/healthz").bytes()).await;
    assert_eq!((reply.status, reply.header("strict-transport-security")), (200, None));
    server.stop().await;
}

/// Nobody used to watch over the files any more when the first listener was gone.
#[tokio::test]
async fn files_are_watched_when_the_listener_that_did_so_is_gone() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let tls = Tls::open(files.settings()).expect("good files");
    let first = server::start_secured(Arc::new(Anonymous), Some(tls.clone()), |_| {}).await;
    // So that it is the first.
    let peer = Peer::believing(&authority);
    peer.connect(first.address).await.expect("TLS");
    let second = server::start_secured(Arc::new(Anonymous), Some(tls), |_| {}).await;
    first.stop().await;
    files.write(&authority, Kind::Server);
    let begin = Instant::now();
    loop {
        let stream = peer.connect(second.address).await.expect("TLS");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec();
        if shown == files.leaf() {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "never taken up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    second.stop().await;
}

#[tokio::test]
async fn a_certificate_is_not_believed_for_another_name_time_or_authority() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let peer = Peer::believing(&authority);
    let cases = [
        (&authority, Kind::Server, None),
        (&authority, Kind::OtherName, Some("not valid for name")),
        (&authority, Kind::Expired, Some("expired")),
        (&authority, Kind::NotYet, Some("not valid yet")),
        (&other, Kind::Server, Some("UnknownIssuer")),
    ];
    for (by, kind, expected) in cases {
        let files = Files::of(by, kind);
        let server = start(&files).await;
        match (peer.connect(server.address).await, expected) {
            (Ok(_), None) => {}
            (Ok(_), Some(_)) => panic!("{kind:?}: believed"),
            (Err(said), expected) => {
                assert!(expected.is_some_and(|part| said.contains(part)), "{kind:?}: {said}");
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn alpn_says_which_http_is_spoken() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let server = start(&files).await;
    let cases: [(&[&str], Option<&str>); 5] = [
        (&["h2", "http/1.1"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&[], Some("")),
        (&["spdy/3"], None),
    ];
    for (offered, expected) in cases {
        let peer = Peer::believing(&authority).offering(offered);
        let Ok(stream) = peer.connect(server.address).await else {
            assert_eq!(expected, None, "{offered:?}");
            continue;
        };
        let spoken = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
        let spoken = String::from_utf8(spoken).expect("text");
        assert_eq!(Some(&*spoken), expected, "{offered:?}");
        let status = if spoken == "h2" {
            peer::get_by_http2(stream, "/healthz").await
        } else {
            exchange_over(stream, &ask("GET", "/healthz").bytes()).await.status
        };
        assert_eq!(status, 200, "{offered:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn grpc_is_served_over_tls_as_cards_say() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let server = start(&files).await;
    let peer = Peer::believing(&authority).offering(&["h2"]);
    let stream = peer.connect(server.address).await.expect("TLS");
    let call = call(Package::V1_0, "SendMessage").json(&say("hi"));
    let reply = call.open_over(stream, server.address).await.collect().await;
    assert_eq!((reply.code(), reply.messages.len()), (0, 1), "{reply:?}");
    let stream = Peer::believing(&authority).connect(server.address).await.expect("TLS");
    let card =
        exchange_over(stream, &ask("GET", "/.well-known/agent-card.json?profile=hybrid").bytes())
            .await;
    for (url, kind) in [
        (format!("https://{}", server.address), "transport"),
        (server.address.to_string(), "protocolBinding"),
    ] {
        let listed = format!(r#""url":"{url}","{kind}":"GRPC""#);
        assert!(card.body.contains(&listed), "no {listed} in {card:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let server = start(&files).await;
    for (version, is_refused) in [([3, 1], true), ([3, 2], true), ([3, 3], false)] {
        let mut stream = TcpStream::connect(server.address).await.expect("a server");
        stream.write_all(&peer::client_hello(version)).await.expect("an open connection");
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.expect("an answer");
        // An alert of the level fatal with the description `protocol_version`, or a ServerHello.
        let alert = answer[0] == 21 && answer[5..] == [2, 70];
        assert_eq!(alert, is_refused, "{version:?}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn certificates_of_callers_are_verified_and_handed_on() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let cases = [
        (None, [Outcome::Anonymous, Outcome::Refused]),
        (Some((&authority, Kind::Client)), [Outcome::Known, Outcome::Known]),
        (Some((&other, Kind::Client)), [Outcome::Refused, Outcome::Refused]),
        (Some((&authority, Kind::Expired)), [Outcome::Refused, Outcome::Refused]),
        (Some((&authority, Kind::NotYet)), [Outcome::Refused, Outcome::Refused]),
        (Some((&authority, Kind::Server)), [Outcome::Refused, Outcome::Refused]),
        (Some((&authority, Kind::Revoked)), [Outcome::Refused, Outcome::Refused]),
    ];
    for (number, required) in [false, true].into_iter().enumerate() {
        let mut files = Files::of(&authority, Kind::Server);
        files.ask_clients(&authority, required);
        let witness = Arc::new(Witness::default());
        let tls = Tls::open(files.settings()).expect("good files");
        let server = server::start_secured(witness.clone(), Some(tls), |_| {}).await;
        for (shown, expected) in &cases {
            let mut peer = Peer::believing(&authority);
            let mut der = None;
            if let Some((by, kind)) = shown {
                let (chain, key) = by.issue(*kind);
                der = Some(chain.to_vec());
                peer = peer.showing(chain, key);
            }
            let outcome = peer.call(&server, &witness).await;
            let kind = shown.map(|(_, kind)| kind);
            assert_eq!(outcome, expected[number], "{kind:?}, required: {required}");
            if outcome == Outcome::Known {
                assert_eq!(witness.leaf(), der, "the leaf as it was shown");
            }
        }
        server.stop().await;
    }
}

/// A connection used to outlive the certificate that it was begun with.
#[tokio::test]
async fn a_revoked_certificate_loses_its_connections_and_others_keep_theirs() {
    let authority = Authority::new("A");
    let mut files = Files::of(&authority, Kind::Server);
    files.ask_clients(&authority, true);
    let tls = Tls::open(files.settings()).expect("good files");
    let server = server::start_secured(Arc::new(Anonymous), Some(tls.clone()), |_| {}).await;
    let mut streams = Vec::new();
    for offered in ["http/1.1", "h2", "http/1.1"] {
        let (certificate, key) = authority.issue(Kind::Client);
        let peer = Peer::believing(&authority).showing(certificate, key).offering(&[offered]);
        let mut stream = peer.connect(server.address).await.expect("TLS");
        if offered == "h2" {
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("open");
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("open");
        } else {
            let request = ask("POST", "/a2a/agents/counter/message:stream");
            let request = request.body(say("count 40 every 100")).bytes();
            stream.write_all(&request).await.expect("open");
            read_until(&mut stream, "TASK_STATE_WORKING").await;
        }
        streams.push((authority.last(), stream));
    }
    let revoked: Vec<u64> = streams[..2].iter().map(|(number, _)| *number).collect();
    files.revoke(&authority, &revoked, SystemTime::now() + Duration::from_secs(3600));
    tls.reload().expect("good files");
    for (number, (_, mut stream)) in streams.into_iter().enumerate() {
        let began = Instant::now();
        let heard = read_to_end(&mut stream).await;
        let heard = String::from_utf8_lossy(&heard);
        if number < 2 {
            assert!(!heard.contains("TASK_STATE_COMPLETED"), "{number}: {heard}");
            assert!(began.elapsed() < Duration::from_secs(2), "{number}: not cut");
        } else {
            assert!(heard.contains("TASK_STATE_COMPLETED"), "{number}: {heard}");
        }
    }
    server.stop().await;
}

/// After its `nextUpdate` a list says nothing of what was revoked since.
#[tokio::test]
async fn a_list_that_is_overdue_vouches_for_nobody_unless_it_shall() {
    let authority = Authority::new("A");
    let now = SystemTime::now();
    let (past, soon) = (now - Duration::from_secs(60), now + Duration::from_secs(2));
    for (until, believe, expected) in [
        (past, false, Outcome::Refused),
        (past, true, Outcome::Known),
        (soon, false, Outcome::Refused),
    ] {
        let mut files = Files::of(&authority, Kind::Server);
        files.ask_clients(&authority, false);
        files.revoke(&authority, &[], until);
        let mut settings = files.settings();
        settings.clients.as_mut().expect("asked for").believe_overdue = believe;
        let witness = Arc::new(Witness::default());
        let tls = Tls::open(settings).expect("good files");
        let server = server::start_secured(witness.clone(), Some(tls), |_| {}).await;
        let (certificate, key) = authority.issue(Kind::Client);
        let peer = Peer::believing(&authority).showing(certificate, key);
        if until == soon {
            // Begun while the list was good, and cut when it is not: nothing else ends it so early.
            let mut stream = peer.connect(server.address).await.expect("TLS");
            let request = ask("GET", "/healthz").without("connection").bytes();
            stream.write_all(&request).await.expect("open");
            read_until(&mut stream, r#""ok""#).await;
            let began = Instant::now();
            read_to_end(&mut stream).await;
            assert!(began.elapsed() < Duration::from_secs(8), "not cut");
        }
        assert_eq!(peer.call(&server, &witness).await, expected, "{until:?} {believe}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_says_who_calls() {
    let authority = Authority::new("A");
    let mut files = Files::of(&authority, Kind::Server);
    files.ask_clients(&authority, false);
    let certificates = Certificates::new("mtls", "acme", Scopes::All);
    let scheme = Scheme::certificates("mtls", certificates);
    let chain = Arc::new(Chain::new(vec![scheme], Attempts::default()));
    let tls = Tls::open(files.settings()).expect("good files");
    let server = server::start_secured(chain, Some(tls), |_| {}).await;
    let (certificate, key) = authority.issue(Kind::Client);
    let known = Peer::believing(&authority).showing(certificate, key);
    for (peer, status) in [(Peer::believing(&authority), 401), (known, 200)] {
        let stream = peer.connect(server.address).await.expect("TLS");
        let send = ask("POST", "/acme/message:send").body(say("hi")).bytes();
        assert_eq!(exchange_over(stream, &send).await.status, status);
        let stream = peer.offering(&["h2"]).connect(server.address).await.expect("TLS");
        let call = call(Package::V1_0, "SendMessage").json(&say("hi"));
        let reply = call.open_over(stream, server.address).await.collect().await;
        assert_eq!(reply.code(), if status == 200 { 0 } else { 16 }, "{reply:?}");
    }
    server.stop().await;
}

/// How the server comes to know of a new certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It looks at the files now and then.
    Looks,
    /// It is told, as by a hangup.
    IsTold,
}

#[tokio::test]
async fn nothing_is_dropped_when_the_certificate_changes_under_load() {
    for (news, count) in [(News::Looks, "count 150 every 40"), (News::IsTold, "count 30 every 40")]
    {
        let authority = Authority::new("A");
        let files = Files::of(&authority, Kind::Server);
        let tls = Tls::open(files.settings()).expect("good files");
        let server = server::start_secured(Arc::new(Anonymous), Some(tls.clone()), |_| {}).await;
        let peer = Peer::believing(&authority);
        let (mut reads, mut handles) = (JoinSet::new(), Vec::new());
        for _ in 0..4 {
            let mut stream = peer.connect(server.address).await.expect("TLS");
            let request = ask("POST", "/a2a/agents/counter/message:stream");
            let request = request.body(say(count)).bytes();
            stream.write_all(&request).await.expect("an open connection");
            handles.push(reads.spawn(async move {
                let heard = read_to_end(&mut stream).await;
                let heard = String::from_utf8_lossy(&heard);
                assert!(heard.contains("TASK_STATE_COMPLETED"), "a stream broke off: {heard}");
            }));
            let peer = Peer::believing(&authority).offering(&["h2"]);
            let stream = peer.connect(server.address).await.expect("TLS");
            let (mut sender, driver) = http2_over(stream).await;
            let requests = [
                request_of("/a2a/agents/counter/message:stream", say(count)),
                grpc_request("counter", "SendStreamingMessage", count),
                grpc_request("counter", "SendMessage", count),
            ];
            let reading = join_all(requests.map(|request| completes(&mut sender, request)));
            handles.push(reads.spawn(async move {
                reading.await;
                // The connection ends without it.
                drop((sender, driver));
            }));
        }
        let before = peer.shown_by(server.address).await;
        files.write(&authority, Kind::Server);
        if news == News::IsTold {
            tls.reload().expect("good files");
        }
        let shown = files.leaf();
        let began = Instant::now();
        // Meanwhile every new connection gets one of the two, and an answer.
        loop {
            let now = peer.shown_by(server.address).await;
            if now == shown {
                break;
            }
            assert!(now == before && news == News::Looks, "{news:?}");
            assert!(began.elapsed() < Duration::from_secs(10), "not taken up");
        }
        assert!(!handles.iter().any(AbortHandle::is_finished), "all were at work meanwhile");
        reads.join_all().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn files_that_do_not_go_together_change_nothing_and_are_named() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let tls = Tls::open(files.settings()).expect("good files");
    let server = server::start_secured(Arc::new(Anonymous), Some(tls.clone()), |_| {}).await;
    let peer = Peer::believing(&authority);
    let shown = files.leaf();
    let good = files.contents();
    let (_, other_key) = Files::of(&authority, Kind::Server).contents();
    let broken = [
        ("tls-key.pem", other_key, "cannot be used with the key"),
        ("tls-key.pem", good.0.clone(), "not a key in PEM"),
        ("tls-cert.pem", good.1.clone(), "not certificates in PEM"),
        ("tls-cert.pem", "garbage".into(), "not certificates in PEM"),
    ];
    for (name, text, expected) in broken {
        files.put(name, &text);
        let error = tls.reload().expect_err("bad files").to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
        assert_eq!(peer.shown_by(server.address).await, shown);
        files.restore(&good);
    }
    tls.reload().expect("good files again");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let missing = files.path("nowhere.pem");
    let settings = files.settings();
    let clients = |authorities: &str, revoked: &str| {
        let revoked = (!revoked.is_empty()).then(|| files.path(revoked));
        let authorities = files.path(authorities);
        TlsSettings {
            clients: Some(ClientCertificates {
                required: true,
                authorities,
                revoked,
                believe_overdue: false,
            }),
            ..settings.clone()
        }
    };
    let cases = [
        (TlsSettings::new(&missing, &settings.key), "nowhere.pem"),
        (TlsSettings::new(&settings.certificate, &missing), "nowhere.pem"),
        (clients("nowhere.pem", ""), "nowhere.pem"),
        (clients("tls-key.pem", ""), "not certificates"),
        (clients("tls-cert.pem", "tls-key.pem"), "not lists of revoked certificates"),
    ];
    for (settings, expected) in cases {
        let error = Tls::open(settings).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[tokio::test]
async fn peers_that_dawdle_are_cut() {
    let authority = Authority::new("A");
    let files = Files::of(&authority, Kind::Server);
    let short = Duration::from_millis(300);
    let bounds = Bounds {
        first_byte: short,
        handshake: short,
        header: short,
        idle: short,
        ..Bounds::default()
    };
    let server = start_within(&files, bounds).await;
    let hello = peer::client_hello([3, 3]);
    for bytes in [&b""[..], &hello[..1], &hello[..40], &hello, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.expect("a server");
        let began = Instant::now();
        stream.write_all(bytes).await.expect("an open connection");
        read_to_end(&mut stream).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{} bytes", bytes.len());
    }
    for (offered, bytes) in
        [("http/1.1", "POST /a2a HTT"), ("h2", ""), ("h2", "PRI * HTTP/2.0\r\n")]
    {
        let peer = Peer::believing(&authority).offering(&[offered]);
        let mut stream = peer.connect(server.address).await.expect("TLS");
        let began = Instant::now();
        stream.write_all(bytes.as_bytes()).await.expect("an open connection");
        read_to_end(&mut stream).await;
        let took = began.elapsed().as_millis();
        assert!((200..3_000).contains(&took), "{offered} {bytes}: {took}");
    }
    let peer = Peer::believing(&authority);
    let mut stream = peer.connect(server.address).await.expect("TLS");
    let request = ask("GET", "/healthz").without("connection").bytes();
    stream.write_all(&request).await.expect("an open connection");
    read_until(&mut stream, r#""ok""#).await;
    read_to_end(&mut stream).await;
    server.stop().await;
}
