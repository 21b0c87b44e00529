//! What a peer says in a whole answer: envelopes, results and JSON that are none.

use super::peer::Act;
use super::variant::Ask::{Get, Send};
use super::variant::{Variant, check, rest, rpc};
use super::{TASK, json, result, task};

#[tokio::test]
async fn an_envelope_holds_a_result_or_it_is_none() {
    check(ENVELOPES).await;
}

#[tokio::test]
async fn a_result_is_what_was_asked_for_or_it_is_none() {
    check(RESULTS).await;
}

#[tokio::test]
async fn json_is_read_as_it_is_written_or_not_at_all() {
    check(JSON).await;
}

const BAD: &str = "BadAnswer: ";
const INTERNAL: &str = "Agent Internal: ";
const GOOD: &str = "task t WORKING";

const ENVELOPES: &[Variant] = &[
    // A call has an exchange of its own, so the id has nothing to tell apart.
    rpc("another id", Get, |_| envelope(r#""id":2,"result":RESULT"#), GOOD),
    rpc("no id", Get, |_| envelope(r#""result":RESULT"#), GOOD),
    rpc("an id of null", Get, |_| envelope(r#""id":null,"result":RESULT"#), GOOD),
    rpc("an id that is an object", Get, |_| envelope(r#""id":{"a":[]},"result":RESULT"#), GOOD),
    rpc("another JSON-RPC", Get, |_| envelope(r#""jsonrpc":"1.0","id":1,"result":RESULT"#), GOOD),
    rpc(
        "a result and an error",
        Get,
        |_| envelope(r#""result":RESULT,"error":{"code":-32001,"message":"m"}"#),
        "Agent TaskNotFound: ",
    ),
    rpc("a result and no error", Get, |_| envelope(r#""result":RESULT,"error":null"#), GOOD),
    rpc("neither", Get, |_| envelope(r#""id":1"#), BAD),
    rpc("two results", Get, |_| envelope(r#""result":RESULT,"result":RESULT"#), BAD),
    rpc("an error of nothing", Get, |_| error("{}"), INTERNAL),
    rpc(
        "an error without a code",
        Get,
        |_| error(r#"{"message":"m"}"#),
        "Agent Internal: GetTask: m",
    ),
    rpc(
        "an error with a code in quotes",
        Get,
        |_| error(r#"{"code":"-32001","message":"m"}"#),
        INTERNAL,
    ),
    rpc(
        "an error with a code of 10^30",
        Get,
        |_| error(r#"{"code":1000000000000000000000000000000,"message":"m"}"#),
        INTERNAL,
    ),
    rpc(
        "an error with half a code",
        Get,
        |_| error(r#"{"code":-32001.5,"message":"m"}"#),
        INTERNAL,
    ),
    rpc(
        "an error with a text that is none",
        Get,
        |_| error(r#"{"code":-32001,"message":{"a":1}}"#),
        "Agent TaskNotFound: ",
    ),
    rpc(
        "an error with data of anything",
        Get,
        |_| error(r#"{"code":-32001,"message":"m","data":{"reason":5}}"#),
        "Agent TaskNotFound: GetTask: m",
    ),
    rpc(
        "an error of 10,000 levels",
        Get,
        |_| error(&format!(r#"{{"data":{}}}"#, nested(10_000))),
        BAD,
    ),
    rpc("an error of a text", Get, |_| error(r#""boom""#), INTERNAL),
    rpc("an error of true", Get, |_| error("true"), INTERNAL),
    rpc("an error of a list", Get, |_| error("[1,2]"), INTERNAL),
    rpc("a batch", Get, |_| body(&format!("[{}]", rpc_task())), BAD),
    rpc("an empty batch", Get, |_| body("[]"), BAD),
    rpc("a request", Get, |_| envelope(r#""id":1,"method":"GetTask","params":{}"#), BAD),
    rpc("a text", Get, |_| body(r#""ok""#), BAD),
    rpc("a number", Get, |_| body("1"), BAD),
    rpc("null", Get, |_| body("null"), BAD),
    rpc("nothing", Get, |_| body(""), BAD),
    rest(
        "an error behind 200",
        Get,
        |_| body(r#"{"error":{"code":404,"message":"m","details":[{"reason":"TASK_NOT_FOUND"}]}}"#),
        "Agent TaskNotFound: ",
    ),
    rest("an error of nothing behind 200", Get, |_| body(r#"{"error":{}}"#), INTERNAL),
    rest("an envelope", Get, |_| vec![task()], BAD),
];

const RESULTS: &[Variant] = &[
    rpc(
        "another task",
        Get,
        |_| vec![result(&TASK.replace("\"t\"", "\"u\""))],
        "BadAnswer: ...task u",
    ),
    rest("another task", Get, |_| body(&TASK.replace("\"t\"", "\"u\"")), "BadAnswer: ...task u"),
    rpc("null", Get, |_| vec![result("null")], BAD),
    rest("null", Get, |_| body("null"), BAD),
    rest("nothing", Get, |_| body(""), BAD),
    rpc("a text", Get, |_| vec![result(r#""t""#)], BAD),
    rpc("a list of the task", Get, |_| vec![result(&format!("[{TASK}]"))], BAD),
    rpc(
        "a message for a task",
        Get,
        |_| vec![result(r#"{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"x"}]}"#)],
        BAD,
    ),
    rpc("a bare task for an outcome", Send, |_| vec![task()], BAD),
    rpc(
        "a task and a message",
        Send,
        |_| {
            vec![result(&format!(
                r#"{{"task":{TASK},"message":{{"messageId":"m","role":"ROLE_AGENT","parts":[]}}}}"#
            ))]
        },
        BAD,
    ),
    rpc(
        "an update for an outcome",
        Send,
        |_| {
            vec![result(
                r#"{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}"#,
            )]
        },
        BAD,
    ),
    rest("an outcome of nothing", Send, |_| body("{}"), BAD),
    rpc("a task without a status", Get, |_| vec![result(r#"{"id":"t","contextId":"c"}"#)], BAD),
    rpc(
        "a task without an id",
        Get,
        |_| vec![result(r#"{"status":{"state":"TASK_STATE_COMPLETED"}}"#)],
        BAD,
    ),
    rpc("an id of nothing", Get, |_| vec![result(&TASK.replace("\"t\"", "\"\""))], BAD),
    rpc(
        "an id of 10,000 characters",
        Get,
        |_| vec![result(&TASK.replace("\"t\"", &format!("\"{}\"", "t".repeat(10_000))))],
        BAD,
    ),
    rpc("a state of null", Get, |_| vec![state("null")], BAD),
    rpc("a state that is an object", Get, |_| vec![state("{}")], BAD),
    rpc(
        "a state that nobody knows",
        Get,
        |_| vec![state(r#""TASK_STATE_DONE""#)],
        "task t UNSPECIFIED",
    ),
    rpc("a state of a number that nobody knows", Get, |_| vec![state("99")], "task t UNSPECIFIED"),
    rpc("a state of 2^70", Get, |_| vec![state("1180591620717411303424")], BAD),
    rpc(
        "parts that are a number",
        Get,
        |_| vec![artifacts(r#"[{"artifactId":"a","parts":5}]"#)],
        BAD,
    ),
    rpc(
        "a part of everything",
        Get,
        |_| vec![artifacts(r#"[{"artifactId":"a","parts":[{"text":"x","data":1,"url":"u"}]}]"#)],
        BAD,
    ),
    rpc(
        "bytes that are none",
        Get,
        |_| vec![artifacts(r#"[{"artifactId":"a","parts":[{"raw":"%%%"}]}]"#)],
        BAD,
    ),
    rpc("metadata of 10,000 levels", Get, |_| vec![metadata(&nested(10_000))], BAD),
    rpc(
        "metadata of large numbers",
        Get,
        |_| vec![metadata("[1e999,-1e999,123456789012345678901234567890]")],
        GOOD,
    ),
    rpc(
        "a time that is none",
        Get,
        |_| vec![result(&TASK.replace(r#"WORKING""#, r#"WORKING","timestamp":"yesterday""#))],
        BAD,
    ),
    rpc(
        "members that nobody knows",
        Get,
        |_| vec![result(&TASK.replace("\"id\"", &format!("\"x\":{},\"id\"", nested(100))))],
        GOOD,
    ),
];

const JSON: &[Variant] = &[
    rpc("10,000 levels", Get, |_| body(&nested(10_000)), BAD),
    rpc("10,000 levels that do not end", Get, |_| body(&"[".repeat(10_000)), BAD),
    rpc(
        "10,000 levels beside the result",
        Get,
        |_| envelope(&format!(r#""x":{},"result":RESULT"#, nested(10_000))),
        BAD,
    ),
    rpc(
        "members twice",
        Get,
        |_| vec![result(&TASK.replace("\"id\"", "\"id\":\"u\",\"id\""))],
        BAD,
    ),
    rpc("no number", Get, |_| vec![metadata("NaN")], BAD),
    rpc("no end of numbers", Get, |_| vec![metadata("Infinity")], BAD),
    rpc("a number of 60,000 digits", Get, |_| vec![metadata(&"9".repeat(60_000))], GOOD),
    rpc(
        "bytes that are no text",
        Get,
        |_| vec![json([&b"{\"result\":{\"id\":\"\xff\xfe"[..], b"\"}}"].concat())],
        BAD,
    ),
    rpc(
        "half a surrogate",
        Get,
        |_| vec![artifacts(r#"[{"artifactId":"a","parts":[{"text":"\ud800"}]}]"#)],
        BAD,
    ),
    rpc("half a surrogate in metadata", Get, |_| vec![metadata(r#""\udfff""#)], BAD),
    rpc(
        "UTF-16",
        Get,
        |_| vec![json(rpc_task().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())],
        BAD,
    ),
    rpc("a byte order mark", Get, |_| body(&format!("\u{feff}{}", rpc_task())), BAD),
    rpc("a NUL behind it", Get, |_| body(&format!("{}\0", rpc_task())), BAD),
    rpc("two documents", Get, |_| body(&rpc_task().repeat(2)), BAD),
    rpc("a comment", Get, |_| body(&format!("/* hello */{}", rpc_task())), BAD),
    rpc("half a document", Get, |_| body(&rpc_task()[..40]), BAD),
    rest("half a document", Get, |_| body(&TASK[..30]), BAD),
    rest("bytes that are no text", Get, |_| vec![json(b"{\"id\":\"\xc3\x28\"}")], BAD),
];

fn rpc_task() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{TASK}}}"#)
}

fn body(text: &str) -> Vec<Act> {
    vec![json(text)]
}

fn envelope(members: &str) -> Vec<Act> {
    vec![json(format!("{{{}}}", members.replace("RESULT", TASK)))]
}

fn error(error: &str) -> Vec<Act> {
    envelope(&format!(r#""id":1,"error":{error}"#))
}

fn state(state: &str) -> Act {
    result(&TASK.replace(r#""TASK_STATE_WORKING""#, state))
}

/// The task with one more member.
fn with(name: &str, value: &str) -> Act {
    result(&TASK.replace("\"id\"", &format!("\"{name}\":{value},\"id\"")))
}

fn artifacts(artifacts: &str) -> Act {
    with("artifacts", artifacts)
}

fn metadata(value: &str) -> Act {
    with("metadata", &format!("{{\"k\":{value}}}"))
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}
