//! Bad requests: the specified code, the member named, never a 500 and never a hang.

use std::time::{Duration, Instant};

use crate::client::{Ask, Reply, ask, exchange, rpc, say};
use crate::server;

/// Sends with one thing wrong, by what the answer has to say about it.
fn wrong_params() -> Vec<(String, &'static str)> {
    let send = say("x");
    let part = |part: &str| send.replace(r#"{"text":"x"}"#, part);
    let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
    vec![
        ("{}".into(), r#""field":"message""#),
        (send.replace(r#""messageId":"m-1","#, ""), r#""field":"message.messageId""#),
        (send.replace(r#""m-1""#, "5"), r#""field":"message.messageId""#),
        (send.replace(r#""m-1""#, r#""""#), r#""field":"message.messageId""#),
        (send.replace(r#""m-1""#, r#""a\u0000b""#), r#""field":"message.messageId""#),
        (
            send.replace(r#""m-1""#, &format!("{:?}", "x".repeat(300))),
            r#""field":"message.messageId""#,
        ),
        (send.replace("ROLE_USER", "ROLE_KING"), r#""field":"message.role""#),
        (send.replace(r#""ROLE_USER""#, "99"), r#""field":"message.role""#),
        (send.replace(r#"[{"text":"x"}]"#, "[]"), r#""field":"message.parts""#),
        (send.replace(r#"[{"text":"x"}]"#, "7"), r#""field":"message.parts""#),
        (part("{}"), r#""field":"message.parts[0]""#),
        (part(r#"{"text":7}"#), r#""field":"message.parts[0].text""#),
        (part(r#"{"text":"\ud800"}"#), r#""field":"message.parts[0].text""#),
        (part(r#"{"text":"a","url":"b"}"#), r#""field":"message.parts[0]""#),
        (part(r#"{"text":"a"},{"raw":"!"}"#), r#""field":"message.parts[1].raw""#),
        (part(&format!(r#"{{"data":{deep}}}"#)), r#""field":"message.parts[0].data""#),
        (part(r#"{"text":"a","metadata":[]}"#), r#""field":"message.parts[0].metadata""#),
        (
            send.replace(r#""role""#, r#""messageId":"m-2","role""#),
            r#""field":"message.messageId""#,
        ),
        (
            send.replace("}}", r#"},"configuration":{"historyLength":-1}}"#),
            r#""field":"configuration.historyLength""#,
        ),
        (
            send.replace("}}", r#"},"configuration":{"historyLength":1e400}}"#),
            r#""field":"configuration.historyLength""#,
        ),
        (
            send.replace("}}", r#"},"configuration":{"historyLength":99999999999}}"#),
            r#""field":"configuration.historyLength""#,
        ),
        (send.replace("}}", r#"},"configuration":7}"#), r#""field":"configuration""#),
        (send.replace("}}", r#"},"tenant":"another"}"#), r#""field":"tenant""#),
    ]
}

fn check(name: &str, reply: &Reply, status: u16, says: &str) {
    assert_eq!(reply.status, status, "{name:.200}: {reply:?}");
    assert!(reply.body.contains(says), "{name:.200}: no {says} in {reply:?}");
}

#[tokio::test]
async fn wrong_members_are_invalid_params_and_named() {
    let server = server::start().await;
    for (params, says) in wrong_params() {
        for method in ["SendMessage", "SendStreamingMessage"] {
            let reply = ask("POST", "/a2a").body(rpc(method, &params)).to(server.address).await;
            check(&params, &reply, 200, says);
            check(&params, &reply, 200, r#""id":1,"error":{"code":-32602,"#);
        }
        for path in ["/message:send", "/message:stream"] {
            let reply = ask("POST", path).body(params.clone()).to(server.address).await;
            check(&params, &reply, 400, says);
            check(&params, &reply, 400, r#""reason":"INVALID_PARAMS""#);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_params_of_other_operations_are_named() {
    let server = server::start().await;
    let cases = [
        ("GetTask", "{}", "/tasks/%00", r#""field":"id""#),
        ("GetTask", r#"{"id":5}"#, "/tasks/a%2Fb", r#""field":"id""#),
        (
            "GetTask",
            r#"{"id":"x","historyLength":-1}"#,
            "/tasks/x?historyLength=-1",
            r#""field":"historyLength""#,
        ),
        ("ListTasks", r#"{"pageSize":0}"#, "/tasks?pageSize=0", r#""field":"pageSize""#),
        ("ListTasks", r#"{"pageSize":101}"#, "/tasks?pageSize=101", r#""field":"pageSize""#),
        ("ListTasks", r#"{"pageSize":"many"}"#, "/tasks?pageSize=many", r#""field":"pageSize""#),
        ("ListTasks", r#"{"pageToken":"x"}"#, "/tasks?pageToken=x", r#""field":"pageToken""#),
        ("ListTasks", r#"{"status":"BUSY"}"#, "/tasks?status=BUSY", r#""field":"status""#),
        (
            "ListTasks",
            r#"{"statusTimestampAfter":"noon"}"#,
            "/tasks?statusTimestampAfter=noon",
            r#""field":"statusTimestampAfter""#,
        ),
        (
            "ListTasks",
            r#"{"includeArtifacts":"yes"}"#,
            "/tasks?includeArtifacts=yes",
            r#""field":"includeArtifacts""#,
        ),
        (
            "ListTasks",
            r#"{"contextId":"a\nb"}"#,
            "/tasks?contextId=a%0Ab",
            r#""field":"contextId""#,
        ),
    ];
    for (method, params, path, says) in cases {
        let reply = ask("POST", "/a2a").body(rpc(method, params)).to(server.address).await;
        check(params, &reply, 200, says);
        check(params, &reply, 200, r#""code":-32602"#);
        let reply = ask("GET", path).to(server.address).await;
        check(path, &reply, 400, says);
    }
    server.stop().await;
}

#[tokio::test]
async fn envelopes_that_are_none_are_told_apart() {
    let server = server::start().await;
    let good = rpc("ListTasks", "{}");
    let wide = format!("[{}0]", "0,".repeat(1_000_000));
    let keys: String = (0..1_000_000).map(|n| format!("\"{n}\":0,")).collect();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".into(), r#""id":null,"error":{"code":-32700"#),
        (b"{".into(), r#""id":null,"error":{"code":-32700"#),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".into(), r#""code":-32700"#),
        (b"\xef\xbb\xbf{}".into(), r#""code":-32700"#),
        ("[".repeat(100_000).into(), r#""code":-32700"#),
        (r#"{"a":"#.repeat(100_000).into(), r#""code":-32700"#),
        (wide.into(), r#""code":-32700"#),
        (format!("{{{keys}\"x\":0}}").into(), r#""code":-32700"#),
        (rpc("ListTasks", &format!("{{{keys}\"x\":0}}")).into(), r#""code":-32700"#),
        (format!("[{good}]").into(), r#""id":null,"error":{"code":-32600"#),
        (b"[]".into(), r#""code":-32600"#),
        (b"\"x\"".into(), r#""code":-32600"#),
        (b"{}".into(), r#""code":-32600"#),
        (good.replace("2.0", "1.0").into(), r#""id":1,"error":{"code":-32600"#),
        (good.replace(r#""id":1"#, r#""id":{}"#).into(), r#""id":null,"error":{"code":-32600"#),
        (good.replace(r#""id":1"#, r#""id":1,"id":2"#).into(), r#""code":-32600"#),
        (good.replace(r#""ListTasks""#, "7").into(), r#""id":1,"error":{"code":-32600"#),
        (rpc("ListTasks", "[]").into(), r#""id":1,"error":{"code":-32602"#),
        (rpc("ListTasks", "7").into(), r#""id":1,"error":{"code":-32602"#),
        (rpc("message/send", "{}").into(), r#""id":1,"error":{"code":-32601"#),
        (rpc("Nonsense", "{}").into(), r#""code":-32601"#),
    ];
    for (body, says) in cases {
        let name = String::from_utf8_lossy(&body).into_owned();
        let begin = Instant::now();
        let reply = ask("POST", "/a2a").body(body).to(server.address).await;
        check(&name, &reply, 200, says);
        assert!(begin.elapsed() < Duration::from_secs(5), "{name:.80}");
    }
    server.stop().await;
}

#[tokio::test]
async fn rest_bodies_and_paths_that_are_none() {
    let server = server::start().await;
    let post = |path: &str, body: &str| ask("POST", path).body(body);
    let cases: [(Ask, u16, &str); 15] = [
        (post("/message:send", "{"), 400, "PARSE_ERROR"),
        (post("/message:send", &"[".repeat(100_000)), 400, "PARSE_ERROR"),
        (post("/message:send", "[]"), 400, "INVALID_PARAMS"),
        (post("/message:send", ""), 400, r#""field":"message""#),
        (post("/message:sand", &say("x")), 404, "METHOD_NOT_FOUND"),
        (ask("GET", "/message:send"), 405, "METHOD_NOT_ALLOWED"),
        (ask("DELETE", "/tasks"), 405, "METHOD_NOT_ALLOWED"),
        (ask("GET", "/tasks/unknown"), 404, "TASK_NOT_FOUND"),
        (ask("POST", "/tasks/unknown:cancel"), 404, "TASK_NOT_FOUND"),
        (ask("GET", "/nowhere"), 404, "METHOD_NOT_FOUND"),
        (ask("GET", "/a2a/agents/nobody"), 404, "METHOD_NOT_FOUND"),
        (ask("GET", "/"), 405, "METHOD_NOT_ALLOWED"),
        (ask("PUT", "/a2a"), 405, "METHOD_NOT_ALLOWED"),
        (ask("GET", "/tasks/x/pushNotificationConfigs"), 400, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
        (ask("GET", "/extendedAgentCard"), 400, "UNSUPPORTED_OPERATION"),
    ];
    for (request, status, says) in cases {
        let reply = request.to(server.address).await;
        let name = String::from_utf8_lossy(&request.bytes()).into_owned();
        check(&name, &reply, status, says);
        check(&name, &reply, status, &format!(r#"{{"error":{{"code":{status},"status":""#));
        assert_eq!(status == 405, reply.header("allow").is_some(), "{reply:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn versions_that_are_not_served() {
    let server = server::start().await;
    let with = |ask: Ask, stated: Option<&str>| match stated {
        None => ask.without("a2a-version"),
        Some(stated) => ask.with("a2a-version", stated),
    };
    for stated in [None, Some(""), Some("9.9"), Some("nonsense")] {
        let ask_rpc = ask("POST", "/a2a").body(rpc("ListTasks", "{}"));
        let reply = with(ask_rpc, stated).to(server.address).await;
        check("rpc", &reply, 200, r#""id":1,"error":{"code":-32009"#);
        assert!(reply.body.contains("1.0"), "says what to send: {reply:?}");
        let reply = with(ask("GET", "/tasks"), stated).to(server.address).await;
        check("rest", &reply, 400, "VERSION_NOT_SUPPORTED");
    }
    // A version that is stated decides, whatever the method or the path suggest.
    for stated in ["0.3", "0.2.6", "0.1"] {
        let ask_rpc = ask("POST", "/a2a").body(rpc("ListTasks", "{}"));
        let reply = with(ask_rpc, Some(stated)).to(server.address).await;
        check("rpc", &reply, 200, r#""id":1,"error":{"code":-32601"#);
        let reply = with(ask("GET", "/tasks"), Some(stated)).to(server.address).await;
        check("rest", &reply, 404, r#"{"error":"MethodNotFoundError","code":-32601,"#);
    }
    let path = "/tasks?A2A-Version=1.0";
    assert_eq!(ask("GET", path).without("a2a-version").to(server.address).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn the_content_type_is_judged_before_the_body() {
    let server = server::start().await;
    for content_type in [None, Some("text/plain"), Some("application/jsonx"), Some("")] {
        let with = |path: &str| {
            let ask = ask("POST", path).without("content-type").body("not json");
            content_type.into_iter().fold(ask, |ask, value| ask.and("content-type", value))
        };
        check("rpc", &with("/a2a").to(server.address).await, 415, r#""code":-32005"#);
        let reply = with("/message:send").to(server.address).await;
        check("rest", &reply, 400, "CONTENT_TYPE_NOT_SUPPORTED");
    }
    let a2a = ask("POST", "/a2a").with("content-type", "application/a2a+json").body("{}");
    assert_eq!(a2a.to(server.address).await.status, 415, "that is the REST binding's");
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_large_or_lie_about_it() {
    let server = server::start().await;
    let limit = 16 << 20;
    let huge = vec![b' '; limit + 1];
    let chunked = |ask: Ask, piece: &[u8], times: usize| {
        let head = ask.and("transfer-encoding", "chunked").bytes();
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        [head, chunk.repeat(times), b"0\r\n\r\n".to_vec()].concat()
    };
    for path in ["/a2a", "/message:send"] {
        let post = || ask("POST", path);
        let announced = post().with("content-length", "1000000000000").bytes();
        check("announced", &exchange(server.address, &announced).await, 413, "TOO_LARGE");
        let reply = post().body(huge.clone()).to(server.address).await;
        check("sent", &reply, 413, "TOO_LARGE");
        let endless = chunked(post(), &vec![b' '; 1 << 20], 20);
        let reply = exchange(server.address, &endless).await;
        // The reset for the unread rest may overtake the answer.
        assert!([413, 0].contains(&reply.status), "{reply:?}");
        let good = if path == "/a2a" { rpc("SendMessage", &say("x")) } else { say("x") };
        let pieces = chunked(post(), good.as_bytes(), 1);
        check("chunked", &exchange(server.address, &pieces).await, 200, "TASK_STATE_COMPLETED");
        // Longer than it says: what is over is not a request.
        let long = [post().body(good.clone()).bytes(), b"trailing rubbish".to_vec()].concat();
        check("long", &exchange(server.address, &long).await, 200, "TASK_STATE_COMPLETED");
        for length in ["-1", "x", "18446744073709551616"] {
            let lying = post().body(good.clone()).with("content-length", length);
            assert_eq!(lying.to(server.address).await.status, 400, "{length}");
        }
    }
    server.stop().await;
}

/// Sends of older generations with one thing wrong, by the member that the answer has to name.
fn wrong_older_params() -> Vec<(String, &'static str)> {
    let send = r#"{"message":{"kind":"message","messageId":"m-1","role":"user","parts":[{"kind":"text","text":"x"}]}}"#;
    let part = |part: &str| send.replace(r#"{"kind":"text","text":"x"}"#, part);
    let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
    vec![
        ("{}".into(), "message"),
        (send.replace(r#""m-1""#, "5"), "message.messageId"),
        (send.replace(r#""m-1""#, r#""a\u0000b""#), "message.messageId"),
        (send.replace(r#""m-1""#, &format!("{:?}", "x".repeat(300))), "message.messageId"),
        (send.replace(r#""user""#, r#""king""#), "message.role"),
        (send.replace(r#""role":"user","#, ""), "message.role"),
        (send.replace(r#"[{"kind":"text","text":"x"}]"#, "[]"), "message.parts"),
        (send.replace(r#"[{"kind":"text","text":"x"}]"#, "7"), "message.parts"),
        (part("{}"), "message.parts[0]"),
        (part(r#"{"kind":"video","text":"x"}"#), "message.parts[0].kind"),
        (part(r#"{"kind":"text"}"#), "message.parts[0].text"),
        (part(r#"{"kind":"text","text":7}"#), "message.parts[0].text"),
        (part(r#"{"kind":"text","text":"\ud800"}"#), "message.parts[0].text"),
        (part(r#"{"kind":"file","file":{}}"#), "message.parts[0].file"),
        (part(r#"{"kind":"file","file":{"bytes":"!"}}"#), "message.parts[0].file.bytes"),
        (part(&format!(r#"{{"kind":"data","data":{deep}}}"#)), "message.parts[0].data"),
        (
            send.replace("}}", r#"},"configuration":{"historyLength":-1}}"#),
            "configuration.historyLength",
        ),
        (send.replace("}}", r#"},"configuration":{"blocking":"no"}}"#), "configuration.blocking"),
        (send.replace("}}", r#"},"configuration":7}"#), "configuration"),
    ]
}

#[tokio::test]
async fn wrong_members_of_older_versions_are_named_as_well() {
    let server = server::start().await;
    let unstated = |path: &str| ask("POST", path).without("a2a-version");
    for (params, field) in wrong_older_params() {
        let names = format!(r#""field":"{field}"#);
        for method in ["message/send", "message/stream"] {
            let reply = unstated("/a2a").body(rpc(method, &params)).to(server.address).await;
            check(&params, &reply, 200, &names);
            check(&params, &reply, 200, r#""id":1,"error":{"code":-32602,"#);
        }
        for path in ["/v1/message:send", "/v1/message:stream"] {
            let reply = unstated(path).body(params.clone()).to(server.address).await;
            check(&params, &reply, 422, &names);
            check(&params, &reply, 422, r#"{"error":"InvalidParamsError","code":-32602,"#);
        }
        if field.starts_with("configuration") {
            continue; // 0.1 has none.
        }
        let params = params.replace(r#""kind""#, r#""type""#);
        let names = names.replace(".kind", ".type");
        for method in ["tasks/send", "tasks/sendSubscribe"] {
            let reply = unstated("/a2a").body(rpc(method, &params)).to(server.address).await;
            check(&params, &reply, 200, &names);
            check(&params, &reply, 200, r#""id":1,"error":{"code":-32602,"#);
        }
        for path in ["/tasks/send", "/tasks/sendSubscribe"] {
            let reply = unstated(path).body(params.clone()).to(server.address).await;
            check(&params, &reply, 422, &names);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_params_of_other_older_operations_are_named() {
    let server = server::start().await;
    let cases = [
        ("tasks/get", "{}", r#""field":"id""#),
        ("tasks/get", r#"{"id":5}"#, r#""field":"id""#),
        ("tasks/get", r#"{"id":"x","historyLength":-1}"#, r#""field":"historyLength""#),
        ("tasks/cancel", r#"{"id":"a\nb"}"#, r#""field":"id""#),
        ("tasks/resubscribe", "{}", r#""field":"id""#),
        (
            "tasks/pushNotificationConfig/set",
            r#"{"taskId":"t"}"#,
            r#""field":"pushNotificationConfig"#,
        ),
        ("tasks/pushNotificationConfig/get", "{}", r#""field":"id""#),
        (
            "tasks/pushNotificationConfig/delete",
            r#"{"id":"t"}"#,
            r#""field":"pushNotificationConfigId""#,
        ),
        ("tasks/send", r#"{"id":7,"message":{}}"#, r#""field":"id""#),
    ];
    for (method, params, says) in cases {
        let reply = ask("POST", "/a2a").without("a2a-version").body(rpc(method, params));
        let reply = reply.to(server.address).await;
        check(params, &reply, 200, says);
        check(params, &reply, 200, r#""code":-32602"#);
    }
    let cases = [
        ("POST", "/v1/message:send", "{", 400, "JSONParseError"),
        ("POST", "/v1/message:send", "[]", 422, "InvalidParamsError"),
        ("GET", "/v1/tasks/x?historyLength=-1", "", 422, "InvalidParamsError"),
        ("GET", "/v1/tasks/%00", "", 422, "InvalidParamsError"),
        ("GET", "/v1/tasks/unknown", "", 404, "TaskNotFoundError"),
        ("POST", "/v1/tasks/unknown:cancel", "", 404, "TaskNotFoundError"),
        ("DELETE", "/v1/tasks/x", "", 405, "MethodNotFoundError"),
        ("GET", "/v1/card", "", 501, "UnsupportedOperationError"),
        ("GET", "/agent/authenticatedExtendedCard", "", 501, "UnsupportedOperationError"),
        ("POST", "/tasks/send", "{", 400, "JSONParseError"),
        ("GET", "/tasks/unknown", "", 404, "TaskNotFoundError"),
        ("GET", "/tasks/send", "", 404, "TaskNotFoundError"),
        ("PUT", "/tasks/send", "", 405, "MethodNotFoundError"),
        (
            "POST",
            "/tasks/x/pushNotification/set",
            r#"{"url":"http://x"}"#,
            501,
            "PushNotificationNotSupportedError",
        ),
    ];
    for (method, path, body, status, class) in cases {
        let request = ask(method, path).without("a2a-version");
        let request = if body.is_empty() { request } else { request.body(body) };
        let reply = request.to(server.address).await;
        check(path, &reply, status, &format!(r#"{{"error":"{class}","code":-32"#));
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    }
    server.stop().await;
}
