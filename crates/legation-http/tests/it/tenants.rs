//! Whatever names something of somebody else is answered as if it named nothing: every parameter that
//! takes a name, on every binding, version and mount, for a stranger of another tenant and for one of
//! the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Attempts, Carrier, Chain, Scheme, Token, Tokens, Verifier};
use legation_core::Caller;
use legation_http::Security;
use legation_wire::grpc::Package;
use legation_wire::operation::{self, Operation, Row};
use legation_wire::version::Version;

use crate::client::{Ask, ask, rpc};
use crate::grpc_client::{GrpcAsk, call};
use crate::server::{self, Server};

const ANN: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";
const BOB: &str = "lgn_bob-has-a-token-of-enough-bytes-0002";
/// Of Ann's tenant.
const CAT: &str = "lgn_cat-has-a-token-of-enough-bytes-0003";

/// What nobody has.
const RANDOM: &str = "0190f3a0-0000-7000-8000-000000000000";

async fn start() -> Server {
    let known = |token, tenant: &str, subject: &str| {
        let caller = Caller { scheme: "bearer".into(), ..Caller::new(tenant, subject) };
        Token::new(token, caller).expect("a good token")
    };
    let tokens =
        vec![known(ANN, "acme", "ann"), known(BOB, "other", "bob"), known(CAT, "acme", "cat")];
    let verifier = Verifier::Tokens(Tokens::new(tokens));
    let attempts = Attempts { count: u32::MAX, within: Duration::from_secs(60) };
    let chain = Chain::new(vec![Scheme::new("bearer", Carrier::Bearer, verifier)], attempts);
    let change = |settings: &mut legation_http::Settings| settings.security = Security::bearer();
    server::start_with(Arc::new(chain), change).await
}

/// A way to call the server.
#[derive(Clone, Copy, Debug)]
struct Cell {
    version: Version,
    binding: Binding,
    mount: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Binding {
    Rpc,
    Rest,
    Grpc(Package),
}

/// The mounts of the agent that Ann's tasks are of, and of the crew.
const MOUNTS: [&str; 3] = ["", "/a2a/agents/echo", "/a2a/echo"];

fn cells() -> impl Iterator<Item = Cell> {
    let plain = Version::SERVED
        .into_iter()
        .flat_map(|version| [Binding::Rpc, Binding::Rest].map(|binding| (version, binding)));
    let grpc = Package::ALL.map(|package| (package.version(), Binding::Grpc(package)));
    plain
        .chain(grpc)
        .flat_map(|(version, binding)| MOUNTS.map(|mount| Cell { version, binding, mount }))
}

/// A request of any binding.
#[derive(Clone)]
enum Request {
    Http(Ask),
    Grpc(GrpcAsk),
}

/// What came of it: a status and all that was said.
type Said = (i32, String);

impl Request {
    fn and(self, name: &str, value: &str) -> Self {
        match self {
            Self::Http(ask) => Self::Http(ask.with(name, value)),
            Self::Grpc(call) => Self::Grpc(call.and(name, value)),
        }
    }

    async fn by(self, token: &str, address: SocketAddr) -> Said {
        match self.and("authorization", &format!("Bearer {token}")) {
            Self::Http(ask) => {
                let reply = ask.to(address).await;
                (reply.status.into(), reply.body)
            }
            Self::Grpc(call) => {
                let reply = call.to(address).await;
                let code = reply.code();
                let told = reply.metadata("grpc-message").unwrap_or_default().to_owned();
                let details = if code == 0 { Default::default() } else { reply.details() };
                (code, format!("{told} {details:?} {}", reply.json().join("\n")))
            }
        }
    }
}

impl Cell {
    fn row(self, operation: Operation) -> Option<&'static Row> {
        let mut rows = operation::rows(self.version).iter();
        rows.find(|row| {
            row.operation == operation
                && match self.binding {
                    Binding::Rpc => !row.method.is_empty(),
                    Binding::Rest => !row.path.is_empty(),
                    Binding::Grpc(_) => !row.grpc.is_empty(),
                }
        })
    }

    /// A request for an operation with these params, or the path with this query in REST; `None` when
    /// the version or binding has no such operation.
    fn request(
        self,
        operation: Operation,
        (id, query): (&str, &str),
        params: &str,
    ) -> Option<Request> {
        let row = self.row(operation)?;
        Some(match self.binding {
            Binding::Grpc(package) => {
                let call = call(package, row.grpc).json(params);
                Request::Grpc(call.below(self.mount))
            }
            Binding::Rpc => Request::Http(self.rpc(row.method, params)),
            Binding::Rest => {
                let verb = row.verbs.last().expect("a verb").name();
                let mut path = row.path.to_owned();
                for (name, value) in
                    [("id", id), ("taskId", id), ("pushNotificationConfigId", "config")]
                {
                    path = path.replacen(&format!("{{{name}}}"), value, 1);
                }
                let ask = ask(verb, &format!("{}{path}{query}", self.mount));
                let ask = if verb == "POST" { ask.body(params) } else { ask };
                Request::Http(ask.with("a2a-version", self.version.name()))
            }
        })
    }

    fn rpc(self, method: &str, params: &str) -> Ask {
        let path = if self.mount.is_empty() { "/a2a" } else { self.mount };
        let ask = ask("POST", path).body(rpc(method, params));
        ask.with("a2a-version", self.version.name())
    }

    /// The params of an operation on a task.
    fn on_task(self, id: &str) -> String {
        match self.binding {
            Binding::Grpc(Package::V0_3) => format!(r#"{{"name":"tasks/{id}"}}"#),
            Binding::Rest => "{}".to_owned(),
            Binding::Rpc | Binding::Grpc(Package::V1_0) => format!(r#"{{"id":"{id}"}}"#),
        }
    }

    /// The params of a message with a further member.
    fn message(self, member: &str) -> String {
        let message = match (self.version, self.binding) {
            (Version::V1_0, _) => r#""role":"ROLE_USER","parts":[{"text":"hi"}]"#,
            (_, Binding::Grpc(_)) => r#""role":"ROLE_USER","content":[{"text":"hi"}]"#,
            (Version::V0_1, _) => {
                return format!(
                    r#"{{{member}"message":{{"role":"user","parts":[{{"type":"text","text":"hi"}}]}}}}"#
                );
            }
            (_, _) => r#""kind":"message","role":"user","parts":[{"kind":"text","text":"hi"}]"#,
        };
        format!(r#"{{"message":{{{member}"messageId":"m",{message}}}}}"#)
    }
}

/// What of Ann's is named, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Named {
    Get,
    Cancel,
    CancelAtWork,
    Subscribe,
    SubscribeAfter,
    SendToTask,
    StreamToTask,
    SendInContext,
    SendReferring,
    ListContext,
    PageToken,
    IdempotencyKey,
    Tenant,
    EraseContext,
    SetPush,
    GetPush,
    ListPush,
    DeletePush,
}

use Named::*;

/// Every name, and whether its owner is answered otherwise than for nothing. Where she is not, she
/// gets something new by it, or nobody has such things.
const NAMES: [(Named, bool); 18] = [
    (Get, true),
    (Cancel, true),
    (CancelAtWork, false),
    (Subscribe, true),
    (SubscribeAfter, true),
    (SendToTask, true),
    (StreamToTask, true),
    (SendInContext, false),
    (SendReferring, true),
    (ListContext, true),
    (PageToken, true),
    (IdempotencyKey, false),
    (Tenant, true),
    (EraseContext, false),
    (SetPush, false),
    (GetPush, false),
    (ListPush, false),
    (DeletePush, false),
];

/// What Ann has.
struct Owned {
    ended: String,
    at_work: String,
    context: String,
    /// By mount: a page is of the agents that its listing was of.
    page_tokens: [String; MOUNTS.len()],
}

/// The key that Ann sent a message with.
const KEY: &str = "0190f3a0-1111-7000-8000-000000000000";

impl Owned {
    async fn make(server: &Server) -> Self {
        let by_ann = |ask: Ask| ask.and("authorization", &format!("Bearer {ANN}"));
        let send = |text: &str, more: &str| {
            let body = format!(
                r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"text":"{text}"}}]}}{more}}}"#
            );
            by_ann(ask("POST", "/a2a/agents/echo/message:send").body(body))
        };
        let ended = send("hi", "").and("idempotency-key", KEY).to(server.address).await;
        let waiting = r#","configuration":{"returnImmediately":true}"#;
        let at_work = send("wait", waiting).to(server.address).await;
        let mut page_tokens = MOUNTS.map(str::to_owned);
        for place in &mut page_tokens {
            let page = by_ann(ask("GET", &format!("{place}/tasks?pageSize=1")));
            let page = page.to(server.address).await;
            *place = page.text_after(r#""nextPageToken":""#).to_owned();
        }
        let of = |reply: &crate::client::Reply, piece| reply.text_after(piece).to_owned();
        Self {
            ended: of(&ended, r#""task":{"id":""#),
            context: of(&ended, r#""contextId":""#),
            at_work: of(&at_work, r#""task":{"id":""#),
            page_tokens,
        }
    }

    /// What Ann has of this kind, and what nobody has.
    fn pair(&self, cell: Cell, named: Named) -> (String, String) {
        let mount = MOUNTS.iter().position(|mount| *mount == cell.mount).expect("one of them");
        let random = RANDOM.to_owned();
        match named {
            CancelAtWork => (self.at_work.clone(), random),
            SendInContext | ListContext | EraseContext => (self.context.clone(), random),
            // Of the same form and seal, for a place that is not hers.
            PageToken => {
                let token = &self.page_tokens[mount];
                let mut made = token.clone().into_bytes();
                made.reverse();
                (token.clone(), String::from_utf8(made).expect("ASCII"))
            }
            IdempotencyKey => (KEY.to_owned(), random),
            Tenant => ("acme".to_owned(), "none".to_owned()),
            _ => (self.ended.clone(), random),
        }
    }
}

/// A request that names this.
fn naming(cell: Cell, named: Named, name: &str) -> Option<Request> {
    let is_1_0 = cell.version == Version::V1_0;
    let on_task = |operation| cell.request(operation, (name, ""), &cell.on_task(name));
    let send = |operation, member: &str| cell.request(operation, ("", ""), &cell.message(member));
    let oldest = cell.version == Version::V0_1;
    match named {
        Get => on_task(Operation::GetTask),
        Cancel | CancelAtWork => on_task(Operation::CancelTask),
        Subscribe => on_task(Operation::SubscribeToTask),
        SubscribeAfter => Some(on_task(Operation::SubscribeToTask)?.and("last-event-id", "0")),
        // Of the oldest version callers choose the names of their tasks.
        SendToTask | StreamToTask | SendReferring if oldest => None,
        SendToTask => send(Operation::SendMessage, &format!(r#""taskId":"{name}","#)),
        StreamToTask => send(Operation::SendStreamingMessage, &format!(r#""taskId":"{name}","#)),
        SendInContext => {
            let member = if oldest { "sessionId" } else { "contextId" };
            send(Operation::SendMessage, &format!(r#""{member}":"{name}","#))
        }
        SendReferring if matches!(cell.binding, Binding::Grpc(Package::V0_3)) => None,
        SendReferring => {
            send(Operation::SendMessage, &format!(r#""referenceTaskIds":["{name}"],"#))
        }
        ListContext if is_1_0 => cell.request(
            Operation::ListTasks,
            ("", &format!("?contextId={name}")),
            &format!(r#"{{"contextId":"{name}"}}"#),
        ),
        PageToken if is_1_0 => cell.request(
            Operation::ListTasks,
            ("", &format!("?pageSize=1&pageToken={name}")),
            &format!(r#"{{"pageSize":1,"pageToken":"{name}"}}"#),
        ),
        ListContext | PageToken => None,
        IdempotencyKey => Some(send(Operation::SendMessage, "")?.and("idempotency-key", name)),
        Tenant if is_1_0 => cell.request(
            Operation::ListTasks,
            ("", &format!("?tenant={name}")),
            &format!(r#"{{"tenant":"{name}"}}"#),
        ),
        Tenant => None,
        EraseContext if is_1_0 && cell.binding == Binding::Rpc => {
            Some(Request::Http(erase(cell, name)))
        }
        EraseContext => None,
        SetPush => push(cell, Operation::CreateTaskPushNotificationConfig, name),
        GetPush => push(cell, Operation::GetTaskPushNotificationConfig, name),
        ListPush => push(cell, Operation::ListTaskPushNotificationConfigs, name),
        DeletePush => push(cell, Operation::DeleteTaskPushNotificationConfig, name),
    }
}

/// The method of an extension.
fn erase(cell: Cell, context: &str) -> Ask {
    let ask = cell.rpc("EraseContext", &format!(r#"{{"contextId":"{context}"}}"#));
    ask.with("a2a-extensions", "urn:legation:a2a:extension:contexts:1")
}

fn push(cell: Cell, operation: Operation, task: &str) -> Option<Request> {
    let url = r#""url":"https://hook.example""#;
    let is_set = operation == Operation::CreateTaskPushNotificationConfig;
    let params = match (cell.binding, cell.version) {
        (Binding::Grpc(Package::V0_3), _) if is_set => {
            format!(r#"{{"parent":"tasks/{task}","configId":"c"}}"#)
        }
        (Binding::Grpc(Package::V0_3), _)
            if operation == Operation::ListTaskPushNotificationConfigs =>
        {
            format!(r#"{{"parent":"tasks/{task}"}}"#)
        }
        (Binding::Grpc(Package::V0_3), _) => {
            format!(r#"{{"name":"tasks/{task}/pushNotificationConfigs/c"}}"#)
        }
        (_, Version::V1_0) if is_set => format!(r#"{{"taskId":"{task}","id":"c",{url}}}"#),
        (_, Version::V1_0) if operation == Operation::ListTaskPushNotificationConfigs => {
            format!(r#"{{"taskId":"{task}"}}"#)
        }
        (_, Version::V1_0) => format!(r#"{{"taskId":"{task}","id":"c"}}"#),
        (_, Version::V0_1) => format!(r#"{{"id":"{task}","pushNotificationConfig":{{{url}}}}}"#),
        (_, _) if is_set => {
            format!(r#"{{"taskId":"{task}","pushNotificationConfig":{{"id":"c",{url}}}}}"#)
        }
        (_, _) => format!(r#"{{"id":"{task}","pushNotificationConfigId":"c"}}"#),
    };
    cell.request(operation, (task, ""), &params)
}

/// What was said, without what is made anew each time: names and times.
fn settled((status, said): Said, name: &str) -> Said {
    let said = said.replace(name, "NAME");
    let mut rest = &*said;
    let mut settled = String::new();
    while let Some(letter) = rest.chars().next() {
        let is_of = |form: &str| {
            rest.len() >= form.len()
                && rest.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                    b'x' => byte.is_ascii_hexdigit(),
                    b'v' => matches!(byte, b'0'..=b'9' | b'a'..=b'v'),
                    b'0' => byte.is_ascii_digit(),
                    form => byte == form,
                })
        };
        let forms = [
            "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "0000-00-00T00:00:00.000Z",
            "0000-00-00T00:00:00Z",
        ];
        let length = match forms.into_iter().find(|form| is_of(form)) {
            Some(form) => {
                settled.push('#');
                form.len()
            }
            None => {
                settled.push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    (status, settled)
}

#[tokio::test]
async fn what_names_something_of_anothers_names_nothing() {
    let server = start().await;
    let owned = Owned::make(&server).await;
    let by_ann = |id: &str| {
        let get = ask("GET", &format!("/a2a/agents/echo/tasks/{id}"));
        Request::Http(get).by(ANN, server.address)
    };
    let before = by_ann(&owned.ended).await;
    let mut count = 0;
    for cell in cells() {
        for (named, is_told_apart) in NAMES {
            let (theirs, nothing) = owned.pair(cell, named);
            let told = async |name: &str, token: &str| {
                let request = naming(cell, named, name)?;
                Some(settled(request.by(token, server.address).await, name))
            };
            for stranger in [BOB, CAT] {
                // A tenant is its members'.
                if (named, stranger) == (Tenant, CAT) {
                    continue;
                }
                let Some(got) = told(&theirs, stranger).await else { continue };
                let expected = told(&nothing, stranger).await.expect("the same request");
                assert_eq!(got, expected, "{cell:?} {named:?}");
                count += 1;
            }
            if is_told_apart && let Some(own) = told(&theirs, ANN).await {
                let nothing = told(&nothing, ANN).await.expect("the same request");
                assert_ne!(own, nothing, "{cell:?} {named:?}: the case shows nothing");
            }
        }
    }
    assert!(count > 700, "only {count} cases");
    assert_eq!(by_ann(&owned.ended).await, before, "nobody has changed it");
    let (_, at_work) = by_ann(&owned.at_work).await;
    assert!(at_work.contains("TASK_STATE_WORKING"), "nobody has ended it: {at_work}");
    let plain = cells().next().expect("a cell");
    let (_, erased) = Request::Http(erase(plain, &owned.context)).by(ANN, server.address).await;
    let is_erased = erased.contains(r#""tasks":"#) && !erased.contains(r#""tasks":0"#);
    assert!(is_erased, "its owner may: {erased}");
    server.stop().await;
}
