//! What a peer says in a stream of server-sent events: too much, what is no event, and odd numbers.

use super::peer::Act::{Drip, Repeat};
use super::peer::{Act, Asked};
use super::streams::{
    END, HEAD, WHOLE, chunk, chunk_and_end, completed, event, header, item, status, stream,
    submitted, unnumbered, working,
};
use super::variant::Ask::{Follow, Stream};
use super::variant::{Variant, check, rest, rpc};
use super::{TASK, say};

#[tokio::test]
async fn a_stream_without_end_is_heard_for_as_long_as_anybody_listens() {
    check(ENDLESS).await;
}

#[tokio::test]
async fn what_is_no_event_of_the_task_is_not_one() {
    check(ITEMS).await;
}

#[tokio::test]
async fn numbers_are_believed_as_far_as_they_go_on() {
    check(NUMBERS).await;
}

const ENDLESS: &[Variant] = &[
    rpc(
        "an event of one line",
        Stream,
        |_| endless("data: ", &"x".repeat(9_000)),
        "BadAnswer: ...larger than 16384 bytes",
    ),
    rpc(
        "an event of many lines",
        Stream,
        |_| endless("", &"data: x\n".repeat(900)),
        "BadAnswer: ...larger than 16384 bytes",
    ),
    rpc(
        "an event of empty lines of data",
        Stream,
        |_| endless("", &"data\n".repeat(900)),
        "BadAnswer: ...larger than 16384 bytes",
    ),
    rpc(
        "a comment",
        Stream,
        |_| endless(":", &"x".repeat(9_000)),
        "BadAnswer: ...larger than 16384 bytes",
    ),
    rest(
        "a number",
        Stream,
        |_| endless("id: ", &"1".repeat(9_000)),
        "BadAnswer: ...larger than 16384 bytes",
    ),
    rpc("comments", Stream, |_| endless("", &": x\n\n".repeat(900)), "listening"),
    rpc("blank lines", Stream, |_| endless("", &"\n".repeat(9_000)), "listening"),
    rpc(
        "events of nothing",
        Stream,
        |_| endless("", &"event: ping\ndata:\n\n".repeat(90)),
        "listening",
    ),
    rpc("numbers without events", Stream, |_| endless("", &"id: 7\n\n".repeat(900)), "listening"),
    rpc("times to wait", Stream, |_| endless("", &"retry: 0\n".repeat(900)), "listening"),
    rpc(
        "an event in drips",
        Stream,
        |_| vec![say(HEAD), say("ffff\r\ndata: "), Drip(vec![b'x'; 999])],
        "listening",
    ),
    rpc(
        "the task",
        Stream,
        |_| endless("", &unnumbered(&item("task", TASK)).repeat(20)),
        "task-working of 3000",
    ),
    rest(
        "chunks of an artifact",
        Stream,
        |_| endless("", &format!("data: {CHUNK}\n\n").repeat(20)),
        "chunk of 3000",
    ),
    rpc(
        "one event again and again",
        Stream,
        |_| endless("", &submitted(1).repeat(20)),
        "1:task-submitted listening",
    ),
    rpc(
        "an event above the bound",
        Stream,
        |asked| {
            stream(
                asked,
                &[
                    &submitted(1),
                    &event(2, &CHUNK.replace("\"x\"", &format!("\"{}\"", "x".repeat(17_000)))),
                ],
                &[],
                END,
            )
        },
        "1:task-submitted BadAnswer: ...larger than 16384 bytes",
    ),
];

const ITEMS: &[Variant] = &[
    odd("null", |_| item_alone("null")),
    odd("nothing known", |_| item_alone("{}")),
    odd("a list", |_| item_alone("[]")),
    odd("a text", |_| item_alone("\"x\"")),
    odd("a task of nothing", |_| item_alone(r#"{"task":{}}"#)),
    odd("two items in one", |_| {
        item_alone(&format!(
            r#"{{"task":{TASK},"message":{{"messageId":"m","role":"ROLE_AGENT","parts":[]}}}}"#
        ))
    }),
    odd("10,000 levels", |_| item_alone(&format!("{{\"task\":{}}}", "[".repeat(8_000)))),
    odd("no JSON", |_| vec![say(HEAD), chunk_and_end("data: {\n\n")]),
    odd("no text", |_| vec![say(HEAD), chunk_and_end(b"data: {\"result\":\xff}\n\n")]),
    odd("half a surrogate", |_| item_alone(&CHUNK.replace("\"x\"", "\"\\ud83e\""))),
    odd("one item in two events", |_| {
        vec![say(HEAD), chunk("data: {\"result\":\n\n"), chunk_and_end("data: {}}\n\n")]
    }),
    rpc(
        "an error",
        Stream,
        |_| {
            vec![
                say(HEAD),
                chunk_and_end(
                    "event: error\ndata: {\"error\":{\"code\":-32001,\"message\":\"m\"}}\n\n",
                ),
            ]
        },
        "Agent TaskNotFound: ",
    ),
    rest(
        "an error of nothing",
        Stream,
        |_| vec![say(HEAD), chunk_and_end("event: error\ndata: {\"error\":{}}\n\n")],
        "BadAnswer: ",
    ),
    rpc(
        "an event of another task",
        Stream,
        |asked| stream(asked, &[&submitted(1), &working(2).replace("\"t\"", "\"u\"")], &[], END),
        "1:task-submitted BadAnswer: ...speaks of task u",
    ),
    rpc(
        "a header of another task",
        Follow,
        |_| {
            vec![
                say(HEAD),
                chunk(&header("WORKING").replace("\"t\"", "\"u\"")),
                chunk_and_end(&completed(4)),
            ]
        },
        "BadAnswer: ...speaks of task u",
    ),
    rest(
        "the end of another task",
        Follow,
        |_| {
            vec![
                say(HEAD),
                chunk_and_end(&format!(
                    "data: {}\n\n",
                    status("COMPLETED").replace("\"t\"", "\"u\"")
                )),
            ]
        },
        "BadAnswer: ...speaks of task u",
    ),
    rpc(
        "a state that nobody knows",
        Stream,
        |asked| {
            stream(asked, &[&submitted(1), &event(2, &status("DONE")), &completed(3)], &[], END)
        },
        "1:task-submitted 2:unspecified 3:completed settled",
    ),
];

const NUMBERS: &[Variant] = &[
    rpc(
        "backwards",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(5), &working(4), &completed(3)],
                &[&header("WORKING"), &completed(6)],
                END,
            )
        },
        "5:task-submitted 6:completed settled",
    )
    .times(2),
    rpc(
        "again",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(1), &working(2), &working(1), &working(2), &completed(3)],
                &[],
                END,
            )
        },
        WHOLE,
    ),
    rpc(
        "a leap",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(1), &completed(1_000)],
                &[&header("WORKING"), &completed(1_000)],
                END,
            )
        },
        "1:task-submitted Gap: ",
    )
    .times(2),
    rpc(
        "a leap that is made good",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(1), &completed(3)],
                &[&header("WORKING"), &working(2), &completed(3)],
                END,
            )
        },
        WHOLE,
    )
    .times(2),
    rpc(
        "2^64 - 1",
        Stream,
        |asked| stream(asked, &[&submitted(u64::MAX), &completed(1)], &[], END),
        "18446744073709551615:task-submitted GaveUp: ",
    )
    .times(2),
    rpc(
        "2^64 - 1 behind another",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(1), &completed(u64::MAX)],
                &[&header("WORKING"), &completed(u64::MAX)],
                END,
            )
        },
        "1:task-submitted Gap: ",
    )
    .times(2),
    rpc(
        "2^64",
        Stream,
        |asked| {
            stream(
                asked,
                &[&submitted(1).replace("id: 1", "id: 18446744073709551616"), &completed(1)],
                &[],
                END,
            )
        },
        "task-submitted 1:completed settled",
    ),
    rpc(
        "less than nothing",
        Stream,
        |asked| stream(asked, &[&submitted(1).replace("id: 1", "id: -1"), &completed(1)], &[], END),
        "task-submitted 1:completed settled",
    ),
    rpc(
        "words",
        Stream,
        |asked| {
            stream(asked, &[&submitted(1).replace("id: 1", "id: one"), &completed(1)], &[], END)
        },
        "task-submitted 1:completed settled",
    ),
    rpc(
        "from nothing on",
        Stream,
        |asked| stream(asked, &[&submitted(0), &working(1), &completed(2)], &[], END),
        "0:task-submitted 1:working 2:completed settled",
    ),
    rpc(
        "behind what was asked for",
        Follow,
        |_| vec![say(HEAD), chunk(&header("WORKING")), chunk_and_end(&completed(9))],
        "Gap: ",
    ),
    rpc(
        "before what was asked for",
        Follow,
        |_| {
            vec![
                say(HEAD),
                chunk(&header("WORKING")),
                chunk(&working(1)),
                chunk(&working(3)),
                chunk_and_end(&completed(4)),
            ]
        },
        "4:completed settled",
    ),
    rpc(
        "snapshots again and again",
        Follow,
        |_| {
            vec![
                say(HEAD),
                chunk(&header("WORKING")),
                chunk(&submitted(4)),
                chunk(&submitted(4)),
                chunk(&submitted(5)),
                chunk_and_end(&completed(6)),
            ]
        },
        "4:task-submitted 5:task-submitted 6:completed settled",
    ),
];

const CHUNK: &str = r#"{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":"x"}]},"append":true}}"#;

const fn odd(name: &'static str, plays: fn(&Asked) -> Vec<Act>) -> Variant {
    rpc(name, Stream, plays, "BadAnswer: ")
}

fn item_alone(item: &str) -> Vec<Act> {
    vec![say(HEAD), chunk_and_end(&unnumbered(item))]
}

/// A body that begins like this and goes on like that.
fn endless(begin: &str, piece: &str) -> Vec<Act> {
    let Act::Say(piece) = chunk(piece) else { unreachable!("it is said") };
    let begin = if begin.is_empty() { say("") } else { chunk(begin) };
    vec![say(HEAD), begin, Repeat(piece)]
}
