//! Where a peer ends a stream of server-sent events, and what it says of that.

use super::peer::Act::{Hush, Reset};
use super::peer::{Act, Asked};
use super::variant::Ask::Stream;
use super::variant::{Variant, check, rest, rpc};
use super::{TASK, http, json, say};

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_is_resumed_behind_its_last_event() {
    check(CUTS).await;
}

#[tokio::test]
async fn a_cut_is_never_an_end() {
    check(ENDS).await;
}

pub(super) const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
pub(super) const END: &str = "0\r\n\r\n";
pub(super) const WHOLE: &str = "1:task-submitted 2:working 3:completed settled";

/// What is said of event 3 before the stream breaks. Two events came before it, and who asks again
/// gets the third.
const CUTS: &[Variant] = &[
    cut("between events", |asked| resumed(asked, say(""))),
    cut("between events, in due form", |asked| resumed(asked, say(END))),
    cut("within the size of a chunk", |asked| resumed(asked, say("f"))),
    cut("behind the size of a chunk", |asked| resumed(asked, say("ff\r\n"))),
    cut("within a chunk", |asked| resumed(asked, say("ff\r\nid: 3\ndata: {}\n"))),
    cut("behind a chunk of nothing", |asked| resumed(asked, say("0\r\n"))),
    cut("within a name", |asked| resumed(asked, chunk("id: 3\nda"))),
    cut("within a name, in due form", |asked| resumed(asked, chunk_and_end("id: 3\nda"))),
    cut("within the data", |asked| resumed(asked, chunk("id: 3\ndata: {\"jsonrpc\":"))),
    cut("within the data, in due form", |asked| {
        resumed(asked, chunk_and_end("id: 3\ndata: {\"js"))
    }),
    cut("within a character", |asked| resumed(asked, chunk(b"id: 3\ndata: \"\xf0\x9f\xa6"))),
    cut("within a character, in due form", |asked| resumed(asked, chunk_and_end(b"data: \xc3"))),
    cut("behind the data", |asked| resumed(asked, chunk(&completed(3).trim_end()))),
    cut("behind the data, in due form", |asked| {
        resumed(asked, chunk_and_end(&completed(3).trim_end()))
    }),
    cut("before the blank line", |asked| {
        resumed(asked, chunk_and_end(&format!("{}\n", completed(3).trim_end())))
    }),
    cut("between CR and LF", |asked| resumed(asked, chunk("id: 3\r"))),
    cut("within a comment", |asked| resumed(asked, chunk(": still h"))),
    cut("with silence", |asked| resumed(asked, Hush)),
    cut("with silence within an event", |asked| {
        let mut acts = resumed(asked, chunk("id: 3\ndata: "));
        acts.push(Hush);
        acts
    }),
    cut("with a reset", |asked| resumed(asked, Reset)),
];

const ENDS: &[Variant] = &[
    rpc(
        "a cut before the first event",
        Stream,
        |_| vec![say(HEAD)],
        "Lost: ...the connection broke",
    ),
    rpc("an end before the first event", Stream, |_| vec![say(HEAD), say(END)], "Empty: "),
    rest(
        "an end within the first event",
        Stream,
        |_| vec![say(HEAD), chunk_and_end("data: {\"task\":")],
        "Empty: ",
    ),
    rpc(
        "silence before the first event",
        Stream,
        |_| vec![say(HEAD), Hush],
        "Lost: ...no answer for",
    ),
    rpc(
        "a cut again and again",
        Stream,
        |asked| stream(asked, &[&submitted(1)], &[], ""),
        "1:task-submitted GaveUp: ",
    )
    .times(2),
    rpc(
        "an end again and again",
        Stream,
        |asked| stream(asked, &[&submitted(1)], &[], END),
        "1:task-submitted GaveUp: ",
    )
    .times(2),
    // What was asked for are the events; that the task ended is not one of them.
    rpc(
        "a header that says the task ended",
        Stream,
        |asked| stream(asked, &[&submitted(1)], &[&header("COMPLETED")], END),
        "1:task-submitted GaveUp: ",
    )
    .times(2),
    rpc(
        "a page for an answer to going on",
        Stream,
        |asked| afterwards(asked, http("200 OK", "Content-Type: text/html\r\n", b"<html>")),
        "1:task-submitted BadAnswer: ",
    )
    .times(2),
    rpc(
        "a redirect for an answer to going on",
        Stream,
        |asked| {
            afterwards(asked, http("307 Moved", &format!("Location: {}\r\n", asked.elsewhere), b""))
        },
        "1:task-submitted BadAnswer: ...redirects",
    )
    .times(2),
    rpc(
        "a century for an answer to going on",
        Stream,
        |asked| afterwards(asked, http("503 Busy", "Retry-After: 3155760000\r\n", b"")),
        "1:task-submitted GaveUp Unavailable: ",
    )
    .times(2),
    rpc(
        "a refusal to go on that does not end",
        Stream,
        |asked| {
            let refusal = say("HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\n\r\n");
            let mut acts = afterwards(asked, refusal);
            acts.extend(asked.subscribes().then_some(Hush));
            acts
        },
        "1:task-submitted GaveUp: ",
    )
    .times(2),
    rpc(
        "another task where the task was asked for",
        Stream,
        |asked| {
            let other = TASK.replace("\"t\"", "\"u\"").replace("WORKING", "COMPLETED");
            ended(asked, &other)
        },
        "1:task-submitted BadAnswer: ...task u",
    )
    .times(3),
    rpc(
        "the task where it was asked for",
        Stream,
        |asked| ended(asked, &TASK.replace("WORKING", "COMPLETED")),
        "1:task-submitted task-completed settled",
    )
    .times(3),
    rpc(
        "a task that goes on where the end was claimed",
        Stream,
        |asked| ended(asked, TASK),
        "1:task-submitted task-working listening",
    )
    .times(12),
    rpc(
        "more behind the end",
        Stream,
        |asked| {
            stream(asked, &[&submitted(1), &completed(2), &working(3), "data: {\n\n"], &[], END)
        },
        "1:task-submitted 2:completed settled",
    ),
    rpc(
        "silence behind the end",
        Stream,
        |_| vec![say(HEAD), chunk(&completed(1)), Hush],
        "1:completed settled",
    ),
    rpc(
        "an error behind the end",
        Stream,
        |asked| {
            stream(
                asked,
                &[&completed(1), "data: {\"error\":{\"code\":-32603,\"message\":\"m\"}}\n\n"],
                &[],
                END,
            )
        },
        "1:completed settled",
    ),
    rpc(
        "a message within a task",
        Stream,
        |asked| stream(asked, &[&submitted(1), &event(2, MESSAGE), &completed(3)], &[], END),
        "1:task-submitted 2:message open",
    ),
    rpc(
        "a task behind a message",
        Stream,
        |asked| stream(asked, &[&event(1, MESSAGE), &completed(2)], &[], END),
        "1:message open",
    ),
];

const MESSAGE: &str =
    r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hi"}]}}"#;

const fn cut(name: &'static str, plays: fn(&Asked) -> Vec<Act>) -> Variant {
    rpc(name, Stream, plays, WHOLE).times(2)
}

pub(super) fn item(name: &str, value: &str) -> String {
    format!("{{\"{name}\":{value}}}")
}

pub(super) fn status(state: &str) -> String {
    let status = format!(r#"{{"state":"TASK_STATE_{state}"}}"#);
    item("statusUpdate", &format!(r#"{{"taskId":"t","contextId":"c","status":{status}}}"#))
}

pub(super) fn unnumbered(item: &str) -> String {
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{item}}}\n\n")
}

pub(super) fn event(number: u64, item: &str) -> String {
    format!("id: {number}\n{}", unnumbered(item))
}

pub(super) fn submitted(number: u64) -> String {
    event(number, &item("task", &TASK.replace("WORKING", "SUBMITTED")))
}

pub(super) fn working(number: u64) -> String {
    event(number, &status("WORKING"))
}

pub(super) fn completed(number: u64) -> String {
    event(number, &status("COMPLETED"))
}

/// What an answer to going on behind a number begins with.
pub(super) fn header(state: &str) -> String {
    unnumbered(&item("task", &TASK.replace("WORKING", state)))
}

pub(super) fn chunk(data: &(impl AsRef<[u8]> + ?Sized)) -> Act {
    let data = data.as_ref();
    let size = format!("{:x}\r\n", data.len());
    say([size.as_bytes(), data, b"\r\n"].concat())
}

/// A piece of the body, and behind it the end in due form.
pub(super) fn chunk_and_end(data: &(impl AsRef<[u8]> + ?Sized)) -> Act {
    let Act::Say(piece) = chunk(data) else { unreachable!("it is said") };
    say([&piece[..], END.as_bytes()].concat())
}

/// Two events and this, and behind them the third for whoever asks again.
fn resumed(asked: &Asked, cut: Act) -> Vec<Act> {
    if asked.subscribes() {
        assert!(asked.text.to_lowercase().contains("last-event-id: 2"), "{}", asked.text);
        return vec![say(HEAD), chunk(&header("WORKING")), chunk_and_end(&completed(3))];
    }
    vec![say(HEAD), chunk(&submitted(1)), chunk(&working(2)), cut]
}

/// A stream of these events, of those for whoever asks again, and what is at the end of both.
pub(super) fn stream(asked: &Asked, events: &[&str], again: &[&str], end: &str) -> Vec<Act> {
    let events = if asked.subscribes() { again } else { events };
    let events = events.iter().map(|event| chunk(*event));
    [say(HEAD)].into_iter().chain(events).chain([say(end)]).collect()
}

/// A stream that is cut behind its first event, and this for whoever asks again.
fn afterwards(asked: &Asked, answer: Act) -> Vec<Act> {
    if asked.subscribes() { vec![answer] } else { stream(asked, &[&submitted(1)], &[], "") }
}

/// A stream that is cut, a refusal to go on with a task that has ended, and this task.
fn ended(asked: &Asked, task: &str) -> Vec<Act> {
    if asked.text.contains("GetTask") {
        return vec![super::result(task)];
    }
    let error = r#"{"code":-32004,"message":"m","data":[{"reason":"UNSUPPORTED_OPERATION"}]}"#;
    afterwards(asked, json(format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#)))
}
