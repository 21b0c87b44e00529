//! What is looked at: a row for each check. Results and documentation are made of these.

use super::report::{Group, Reader};
use Group::{Browser, Card, CrewAi, Interface, Message, Reach, Stream, Task};
use Reader as R;

/// A check.
#[derive(Debug)]
pub struct Check {
    /// Its name, which stays the same.
    pub id: &'static str,
    /// What it is about.
    pub group: Group,
    /// Whom it may concern.
    pub readers: &'static [Reader],
    /// What should be.
    pub wants: &'static str,
    /// What to do when it is not.
    pub remedy: &'static str,
    /// Whether those whom it concerns cannot work with the agent while it is wrong.
    pub(super) blocks: bool,
}

const EVERYBODY: &[Reader] = &R::ALL;
const PROGRAMS: &[Reader] = &[R::V1_0, R::V0_3, R::Older, R::CrewAi];
const CURRENT: &[Reader] = &[R::V1_0];
const OF_0_3: &[Reader] = &[R::V0_3, R::CrewAi];
const OLDER: &[Reader] = &[R::Older];
const CREWAI: &[Reader] = &[R::CrewAi];
const BROWSER: &[Reader] = &[R::Browser];

macro_rules! checks {
    ($($name:ident = $id:literal $group:ident $readers:ident $blocks:literal
        $wants:literal => $remedy:literal;)*) => {
        $(pub(super) const $name: Check = Check {
            id: $id, group: $group, readers: $readers, wants: $wants, remedy: $remedy, blocks: $blocks,
        };)*

        /// Every check, in the order of their groups.
        pub const CHECKS: &[Check] = &[$($name),*];
    };
}

checks! {
    NETWORK = "reach.network" Reach EVERYBODY false
        "the host has an address of the public internet"
        => "serve it at a public address, if callers come from outside";
    CONNECT = "reach.connect" Reach EVERYBODY true
        "a connection stands, and the certificate is believed"
        => "start the server, or correct the address";
    TLS = "reach.tls" Reach EVERYBODY false
        "calls go over TLS, unless they stay on the machine"
        => "serve it by https, or put a proxy that does before it";
    REDIRECT = "reach.redirect" Reach PROGRAMS true
        "the card is where it is asked for, without a redirect"
        => "answer with the card itself: the Python SDKs and CrewAI follow no redirects";
    WELL_KNOWN = "reach.well-known" Reach EVERYBODY true
        "`/.well-known/agent-card.json` below the address is the card, for everybody"
        => "serve the card there with status 200, without credentials; what is not for all is for the extended card";
    OLD_PLACE = "reach.old-place" Reach OLDER true
        "`/.well-known/agent.json` is the card, where the agent speaks 0.2 or 0.1"
        => "serve the card in the form of 0.2 there";
    MEDIA_TYPE = "reach.media-type" Reach EVERYBODY false
        "the card comes as `application/json`"
        => "send `Content-Type: application/json`";
    CACHING = "reach.caching" Reach CURRENT false
        "the card says how long it may be kept, and what it is known by"
        => "send `Cache-Control` with `max-age`, and `ETag` (Spec 8.6.1)";
    NOT_MODIFIED = "reach.not-modified" Reach CURRENT false
        "who has the card already is told so with status 304"
        => "answer `If-None-Match` with 304 when the card is the same";

    READ = "card.read" Card EVERYBODY true
        "it is JSON, and says where the agent is called"
        => "serve an agent card: a JSON object with `supportedInterfaces`, `url`, or both";
    MEMBERS = "card.members" Card PROGRAMS true
        "each member is there and of its type"
        => "change the member";
    CARD_1_0 = "card.v1.0" Card CURRENT false
        "`supportedInterfaces` lists an interface of 1.0"
        => "list the interfaces with `url`, `protocolBinding` and `protocolVersion`; until then only clients that also speak 0.3 can call";
    CARD_0_3 = "card.v0.3" Card OF_0_3 true
        "`url` names an interface of 0.3"
        => "add `url`, `preferredTransport` and `protocolVersion` of an interface of 0.3";
    ADDRESSES = "card.addresses" Card EVERYBODY false
        "each interface has a whole address that the card's readers can reach"
        => "write the address by which callers reach the interface, with scheme and host";
    MIXED = "card.mixed-content" Card EVERYBODY false
        "a card that came over TLS names interfaces with TLS only"
        => "give the interface an https address: browsers refuse such calls, and others send credentials in the clear";
    ORIGIN = "card.origin" Card EVERYBODY false
        "the interfaces are at the card's own origin"
        => "serve the card at the origin of the interfaces: careful clients send no credentials elsewhere";
    SIGNATURE = "card.signature" Card CURRENT false
        "the signatures of the card are good"
        => "sign the card again whenever it changes, with a key that `/.well-known/jwks.json` has";

    CREWAI_PLACE = "crewai.place" CrewAi CREWAI true
        "an address with a path is itself the card"
        => "answer GET at the agent's own address with the card, and with no redirect";
    CREWAI_SECURITY = "crewai.security" CrewAi CREWAI true
        "the first alternative of `security` is one that it has words for"
        => "put a bearer token, an API key, Basic or OAuth 2.0 first: it looks at the first alternative only, and refuses OpenID Connect and mutual TLS";
    CREWAI_EXTENSIONS = "crewai.extensions" CrewAi CREWAI true
        "no extension is required"
        => "do not require it, or answer callers without it as well: CrewAI names no extensions";
    CREWAI_ANSWER = "crewai.answer" CrewAi CREWAI false
        "the text of the answer is in the final status or in the history"
        => "say the answer as the message of the final status, too: its model does not see artifacts";

    BROWSER_CARD = "browser.card" Browser BROWSER true
        "a page of the origin may read the card"
        => "send `Access-Control-Allow-Origin` with the origin of the page";
    PREFLIGHT = "browser.preflight" Browser BROWSER true
        "a page of the origin may call an interface, with its version and credentials"
        => "answer OPTIONS with `Access-Control-Allow-Origin`, `-Methods: POST` and `-Headers: content-type, a2a-version, authorization`";

    KNOWN = "interface.known" Interface EVERYBODY false
        "its binding and version are ones that clients know"
        => "write `JSONRPC`, `HTTP+JSON` or `GRPC`, and a version such as `1.0`";
    ANSWERS = "interface.answers" Interface EVERYBODY true
        "it answers in its binding and version"
        => "serve the interface at the address in the card, or take it out of the card";
    NOT_FOUND = "interface.not-found" Interface EVERYBODY false
        "an unknown task is `TaskNotFound`, with the number of its binding and version"
        => "answer with the code or status of TaskNotFound: -32001, 404, NOT_FOUND (Spec 5.4)";
    UNKNOWN_METHOD = "interface.method" Interface EVERYBODY false
        "an unknown method is refused as one"
        => "answer with -32601, 404 or UNIMPLEMENTED (Spec 5.4)";
    VERSION = "interface.version" Interface CURRENT false
        "a version that is not served is `VersionNotSupported`"
        => "look at `A2A-Version`, and refuse what is not served with -32009, 400 or FAILED_PRECONDITION (Spec 3.6.2)";
    CREDENTIALS = "interface.credentials" Interface EVERYBODY false
        "callers without credentials are refused exactly where the card asks for credentials"
        => "answer them with 401 and `WWW-Authenticate`, or UNAUTHENTICATED, when the card has `securityRequirements`; else let them in";
    PUSH = "interface.push" Interface PROGRAMS false
        "webhooks are offered exactly where the card says so"
        => "make `capabilities.pushNotifications` say what is so; without it answer PushNotificationNotSupported";
    EXTENDED = "interface.extended-card" Interface PROGRAMS false
        "there is an extended card for callers who are known, exactly where the card says so"
        => "make `capabilities.extendedAgentCard` (before 1.0 `supportsAuthenticatedExtendedCard`) say what is so, and give that card to known callers only";

    SEND = "message.send" Message EVERYBODY true
        "a message is answered with a task or a message"
        => "look at the agent's log: a harmless text should be answered";
    SETTLED = "message.settled" Message EVERYBODY false
        "the answer comes when the task has ended or waits for the caller"
        => "answer when the task has settled, unless the caller wants to be answered at once (Spec 3.2.2)";
    CONTEXT = "message.context" Message EVERYBODY false
        "the task has a context"
        => "give each task a `contextId`, also when the caller names none (Spec 3.4.1)";
    ANSWER = "message.answer" Message EVERYBODY false
        "what the agent says is where its callers look: artifacts for results, the status for questions"
        => "put results into artifacts, and what the agent wants or why it failed into the message of the status (Spec 3.7)";

    STREAMING = "stream.declared" Stream EVERYBODY false
        "streams are offered exactly where the card says so"
        => "make `capabilities.streaming` say what is so; without it answer UnsupportedOperation";
    STREAM_TYPE = "stream.media-type" Stream EVERYBODY false
        "a stream comes as `text/event-stream`, or as gRPC"
        => "send `Content-Type: text/event-stream`";
    FIRST = "stream.first" Stream CURRENT false
        "the first event is the task or a message"
        => "begin with the task as it is (Spec 3.1.2)";
    EVENTS = "stream.events" Stream EVERYBODY false
        "each event is one of the protocol, in one `data:` line"
        => "write each event as one line of JSON of the version";
    ENDS = "stream.ends" Stream EVERYBODY false
        "the stream closes when the task has ended, and not before"
        => "close the response after the event that ends the task, and keep it open until then";
    FINAL = "stream.final" Stream OF_0_3 false
        "before 1.0 each status says whether it is `final`, and the last one is"
        => "send `final` with each status: true when the stream ends, else false";
    ONE_TASK = "stream.one-task" Stream CREWAI false
        "no second task is in the stream"
        => "send updates after the first task: CrewAI takes a second one for an error";
    HEARTBEATS = "stream.heartbeats" Stream EVERYBODY false
        "a stream with nothing to say shows that it is alive"
        => "send a comment (`: alive`) every 15 s: proxies and clients cut silent streams, CrewAI after 120 s";

    GET = "task.get" Task EVERYBODY false
        "a task can be looked at"
        => "answer GetTask with the task that was begun";
    LIST = "task.list" Task CURRENT false
        "tasks can be listed"
        => "answer ListTasks with `tasks`, `nextPageToken`, `pageSize` and `totalSize` (Spec 3.1.4)";
    SUBSCRIBE = "task.subscribe" Task EVERYBODY false
        "a task at work can be followed, beginning with the task as it is; one that has ended is refused"
        => "answer SubscribeToTask with a stream that begins with the task, and UnsupportedOperation once it has ended (Spec 3.1.6)";
    CANCEL = "task.cancel" Task EVERYBODY false
        "a task at work can be cancelled; one that has ended is `TaskNotCancelable`"
        => "answer CancelTask with the task, and TaskNotCancelable once it has ended (Spec 3.1.5)";
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    const BEGIN: &str = "<!-- checks: made by a test of legation-client -->\n";
    const END: &str = "<!-- end of checks -->\n";

    /// Set `UPDATE_DOCS=1` to write the table.
    #[test]
    fn the_documentation_has_every_check() {
        let mut table = String::new();
        for group in Group::ALL {
            write!(
                table,
                "\n### {}\n\n| check | for | wants | else |\n|---|---|---|---|\n",
                group.words()
            )
            .expect("texts grow");
            for check in CHECKS.iter().filter(|check| check.group == group) {
                let readers = match check.readers {
                    EVERYBODY => "everybody".to_owned(),
                    readers => readers.iter().map(|it| it.words()).collect::<Vec<_>>().join(", "),
                };
                let Check { id, wants, remedy, .. } = check;
                writeln!(table, "| `{id}` | {readers} | {wants} | {remedy} |").expect("texts grow");
            }
        }
        table.push('\n');
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
        let page = std::fs::read_to_string(&path).expect("the page of the doctor");
        let (before, rest) = page.split_once(BEGIN).expect("the beginning of the table");
        let (known, after) = rest.split_once(END).expect("the end of the table");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("writable");
            return;
        }
        assert_eq!(known, table, "run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn a_name_is_that_of_one_check_and_begins_with_its_group() {
        for (index, check) in CHECKS.iter().enumerate() {
            let group = serde_json::to_value(check.group).expect("a name");
            let prefix = format!("{}.", group.as_str().expect("a text"));
            assert!(check.id.starts_with(&prefix), "{}", check.id);
            assert!(!CHECKS[..index].iter().any(|other| other.id == check.id), "{}", check.id);
        }
    }
}
