//! What a peer says in gRPC: messages, statuses and streams.

use super::frames::{
    DATA, END_STREAM, data, frame, head, headers, message, prefixed, refusal, trailers,
};
use super::http2::{goaway, reset};
use super::peer::Act::{Hush, Repeat};
use super::peer::{Act, Asked};
use super::say;
use super::variant::Ask::{Get, Send, Stream};
use super::variant::{Variant, check, grpc};

#[tokio::test]
async fn an_answer_of_grpc_is_one_message_and_a_status() {
    check(ANSWERS).await;
}

#[tokio::test]
async fn a_status_of_grpc_is_read_as_far_as_it_is_one() {
    check(STATUSES).await;
}

#[tokio::test]
async fn a_stream_of_grpc_ends_when_its_task_does() {
    check(STREAMS).await;
}

const BROKE: &str = "Lost: ...the connection broke";
const SLOW: &str = "Lost: ...no answer for";
const BAD: &str = "BadAnswer: ";
const OK: &[(&str, &str)] = &[("grpc-status", "0")];

/// A task of 1.0, working, and as an item of a stream.
pub(super) const TASK: &[u8] = b"\n\x01t\x12\x01c\x1a\x02\x08\x02";
const ITEM: &[u8] = b"\n\x0a\n\x01t\x12\x01c\x1a\x02\x08\x02";
/// Its end.
const ENDED: &[u8] = b"\x1a\x0a\n\x01t\x12\x01c\x1a\x02\x08\x03";

const ANSWERS: &[Variant] = &[
    grpc("a good one", Get, |asked| vec![answer(asked, TASK)], "task t WORKING"),
    grpc("no message", Get, |asked| raw(asked, b""), "BadAnswer: ...one message"),
    grpc(
        "two messages",
        Get,
        |asked| raw(asked, &prefixed(0, TASK.len(), TASK).repeat(2)),
        "BadAnswer: ...one message",
    ),
    grpc(
        "half a message",
        Get,
        |asked| raw(asked, &prefixed(0, TASK.len(), &TASK[..4])),
        "BadAnswer: ",
    ),
    grpc("half a length", Get, |asked| raw(asked, &[0, 0, 0]), "BadAnswer: ...one message"),
    grpc(
        "a message and a half",
        Get,
        |asked| raw(asked, &[prefixed(0, TASK.len(), TASK), vec![0]].concat()),
        "BadAnswer: ...one message",
    ),
    grpc(
        "a length of 4 GiB",
        Get,
        |asked| raw(asked, &prefixed(0, u32::MAX as usize, TASK)),
        "BadAnswer: ...larger than",
    ),
    grpc("a length of nothing", Get, |asked| raw(asked, &prefixed(0, 0, TASK)), "BadAnswer: "),
    grpc(
        "a packed message",
        Get,
        |asked| raw(asked, &prefixed(1, TASK.len(), TASK)),
        "BadAnswer: ...compressed",
    ),
    grpc(
        "a message packed by name",
        Get,
        |asked| {
            let packed = headers(
                asked.stream,
                &[
                    (":status", "200"),
                    ("content-type", "application/grpc"),
                    ("grpc-encoding", "gzip"),
                ],
            );
            vec![
                say(packed),
                say(data(asked.stream, &prefixed(1, TASK.len(), TASK))),
                say(trailers(asked.stream, OK)),
            ]
        },
        "BadAnswer: ...compressed",
    ),
    grpc("an odd flag", Get, |asked| raw(asked, &prefixed(0xfe, TASK.len(), TASK)), BAD),
    grpc(
        "another task",
        Get,
        |asked| vec![answer(asked, b"\n\x01u\x12\x01c\x1a\x02\x08\x02")],
        "BadAnswer: ...task u",
    ),
    grpc("bytes that are no message", Get, |asked| vec![answer(asked, &[0xff; 99])], BAD),
    grpc("a member beyond the message", Get, |asked| vec![answer(asked, b"\n\x7ft")], BAD),
    grpc("text that is none", Get, |asked| vec![answer(asked, b"\n\x02\xff\xfe")], BAD),
    grpc("a task of nothing", Get, |asked| vec![answer(asked, b"")], BAD),
    grpc(
        "groups of 5,000 levels",
        Get,
        |asked| vec![answer(asked, &[0x9b, 0x06].repeat(5_000))],
        BAD,
    ),
    grpc("metadata of 500 levels", Get, |asked| vec![answer(asked, &deep())], BAD),
    grpc(
        "a state that nobody knows",
        Get,
        |asked| vec![answer(asked, b"\n\x01t\x12\x01c\x1a\x02\x08\x63")],
        "task t UNSPECIFIED",
    ),
    grpc(
        "more than is taken",
        Get,
        |asked| {
            [say(head(asked.stream))]
                .into_iter()
                .chain((0..9).map(|_| say(data(asked.stream, &[0; 16_000]))))
                .chain([Hush])
                .collect()
        },
        "Lost: ...larger than 65536 bytes",
    ),
    grpc(
        "a page",
        Get,
        |asked| {
            vec![
                say(headers(asked.stream, &[(":status", "200"), ("content-type", "text/html")])),
                say(frame(DATA, END_STREAM, asked.stream, b"<html>")),
            ]
        },
        "BadAnswer: ...no answer of gRPC but `text/html`",
    ),
    grpc(
        "a page behind 502",
        Get,
        |asked| {
            vec![
                say(headers(asked.stream, &[(":status", "502")])),
                say(frame(DATA, END_STREAM, asked.stream, b"<html>")),
            ]
        },
        "Agent Unavailable: ",
    ),
];

const STATUSES: &[Variant] = &[
    grpc(
        "none, and no trailers",
        Get,
        |asked| {
            vec![
                say(head(asked.stream)),
                say(frame(DATA, END_STREAM, asked.stream, &prefixed(0, TASK.len(), TASK))),
            ]
        },
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc(
        "none, and a cut",
        Get,
        |asked| vec![say(head(asked.stream)), say(message(asked.stream, TASK))],
        BROKE,
    ),
    grpc(
        "trailers without one",
        Get,
        |asked| vec![told(asked, &[("x", "y")])],
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc(
        "nothing at all",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "")])],
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc(
        "words",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "OK")])],
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc(
        "less than nothing",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "-1")])],
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc(
        "256",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "256")])],
        "BadAnswer: ...no answer of gRPC",
    ),
    grpc("99", Get, |asked| vec![told(asked, &[("grpc-status", "99")])], "Agent Internal: "),
    grpc(
        "two of them",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "5"), ("grpc-status", "0")])],
        "Agent TaskNotFound: ",
    ),
    grpc(
        "a good one in the head, a bad one behind",
        Get,
        |asked| {
            let early = headers(
                asked.stream,
                &[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0")],
            );
            vec![
                say(early),
                say(message(asked.stream, TASK)),
                say(trailers(asked.stream, &[("grpc-status", "5")])),
            ]
        },
        "Agent TaskNotFound: ",
    ),
    grpc(
        "a good one and nothing else",
        Get,
        |asked| vec![say(refusal(asked.stream, OK))],
        "BadAnswer: ...one message",
    ),
    grpc(
        "a good one and nothing else, for a stream",
        Stream,
        |asked| vec![say(refusal(asked.stream, OK))],
        "...",
    ),
    grpc(
        "a message behind which there is a failure",
        Get,
        |asked| vec![told(asked, &[("grpc-status", "13"), ("grpc-message", "no")])],
        "Agent Internal: GetTask: no",
    ),
    grpc(
        "a text of broken escapes",
        Get,
        |asked| {
            vec![say(refusal(asked.stream, &[("grpc-status", "5"), ("grpc-message", "%zz%%ff%")]))]
        },
        "Agent TaskNotFound: ",
    ),
    grpc(
        "a text of 32 KB",
        Get,
        |asked| {
            vec![say(refusal(
                asked.stream,
                &[("grpc-status", "5"), ("grpc-message", &"%41".repeat(5_000))],
            ))]
        },
        "Agent TaskNotFound: GetTask: AAA",
    ),
    grpc(
        "details that are no base64",
        Get,
        |asked| {
            vec![say(refusal(
                asked.stream,
                &[("grpc-status", "5"), ("grpc-status-details-bin", "%%%")],
            ))]
        },
        "Agent TaskNotFound: ",
    ),
    grpc(
        "details of garbage",
        Get,
        |asked| {
            vec![say(refusal(
                asked.stream,
                &[("grpc-status", "5"), ("grpc-status-details-bin", "/////////w==")],
            ))]
        },
        "Agent TaskNotFound: ",
    ),
    grpc(
        "16 for ever",
        Get,
        |asked| vec![say(refusal(asked.stream, &[("grpc-status", "16")]))],
        "Denied Unauthenticated: ",
    )
    .times(1),
    grpc(
        "14 for ever",
        Get,
        |asked| vec![say(refusal(asked.stream, &[("grpc-status", "14")]))],
        "Agent Unavailable: ",
    ),
    grpc(
        "14 for ever, for a message",
        Send,
        |asked| vec![say(refusal(asked.stream, &[("grpc-status", "14")]))],
        "Agent Unavailable: ",
    ),
    grpc(
        "a refusal that does not end",
        Send,
        |asked| vec![say(headers(asked.stream, &[(":status", "401")])), Hush],
        SLOW,
    ),
];

/// Every connection begins with the task.
const GAVE_UP: &str = "task-working task-working GaveUp: ";

const STREAMS: &[Variant] = &[
    grpc(
        "to the end",
        Stream,
        |asked| stream(asked, &[ITEM, ENDED], say(trailers(asked.stream, OK))),
        "task-working completed settled",
    ),
    grpc(
        "an end before the first message",
        Stream,
        |asked| stream(asked, &[], say(trailers(asked.stream, OK))),
        "Empty: ",
    ),
    grpc("a cut before the first message", Stream, |asked| stream(asked, &[], say("")), BROKE),
    grpc(
        "an end without a status",
        Stream,
        |asked| stream(asked, &[ITEM], say(frame(DATA, END_STREAM, asked.stream, b""))),
        GAVE_UP,
    )
    .times(2),
    grpc(
        "an end with a good status",
        Stream,
        |asked| stream(asked, &[ITEM], say(trailers(asked.stream, OK))),
        GAVE_UP,
    )
    .times(2),
    grpc(
        "a status that is none",
        Stream,
        |asked| stream(asked, &[ITEM], say(trailers(asked.stream, &[("grpc-status", "x")]))),
        GAVE_UP,
    )
    .times(2),
    grpc("a cut between messages", Stream, |asked| stream(asked, &[ITEM], say("")), GAVE_UP)
        .times(2),
    grpc(
        "a cut within a frame",
        Stream,
        |asked| stream(asked, &[ITEM], say(&message(asked.stream, ENDED)[..12])),
        GAVE_UP,
    )
    .times(2),
    grpc(
        "a cut within a length",
        Stream,
        |asked| stream(asked, &[ITEM], say(data(asked.stream, &[0, 0]))),
        GAVE_UP,
    )
    .times(2),
    grpc(
        "a cut within a message",
        Stream,
        |asked| {
            stream(asked, &[ITEM], say(data(asked.stream, &prefixed(0, ENDED.len(), &ENDED[..3]))))
        },
        GAVE_UP,
    )
    .times(2),
    grpc(
        "an end within a message",
        Stream,
        |asked| {
            stream(
                asked,
                &[ITEM],
                say([
                    data(asked.stream, &prefixed(0, ENDED.len(), &ENDED[..3])),
                    trailers(asked.stream, OK),
                ]
                .concat()),
            )
        },
        GAVE_UP,
    )
    .times(2),
    grpc(
        "a reset of the request",
        Stream,
        |asked| stream(asked, &[ITEM], reset(asked, 2)),
        GAVE_UP,
    )
    .times(2),
    grpc("GOAWAY", Stream, |asked| stream(asked, &[ITEM], goaway(0, 0)), GAVE_UP).times(2),
    grpc(
        "a failure that passes",
        Stream,
        |asked| stream(asked, &[ITEM], say(trailers(asked.stream, &[("grpc-status", "14")]))),
        "task-working task-working GaveUp Unavailable: ",
    )
    .times(2),
    grpc(
        "a failure that stays",
        Stream,
        |asked| stream(asked, &[ITEM], say(trailers(asked.stream, &[("grpc-status", "5")]))),
        "task-working Agent TaskNotFound: ",
    ),
    grpc(
        "more behind the end",
        Stream,
        |asked| {
            stream(
                asked,
                &[ITEM, ENDED, ITEM, &[0xff]],
                say(trailers(asked.stream, &[("grpc-status", "13")])),
            )
        },
        "task-working completed settled",
    ),
    grpc(
        "another task",
        Stream,
        |asked| stream(asked, &[ITEM, b"\x1a\x0a\n\x01u\x12\x01c\x1a\x02\x08\x03"], Hush),
        "task-working BadAnswer: ...speaks of task u",
    ),
    grpc(
        "a packed message",
        Stream,
        |asked| stream(asked, &[ITEM], say(data(asked.stream, &prefixed(1, ENDED.len(), ENDED)))),
        "task-working BadAnswer: ...compressed",
    ),
    grpc(
        "a length of 4 GiB",
        Stream,
        |asked| {
            stream(asked, &[ITEM], say(data(asked.stream, &prefixed(0, u32::MAX as usize, b""))))
        },
        "task-working BadAnswer: ...larger than 16384 bytes",
    ),
    grpc(
        "a message of nothing",
        Stream,
        |asked| stream(asked, &[ITEM, b""], Hush),
        "task-working BadAnswer: ",
    ),
    grpc(
        "a message of garbage",
        Stream,
        |asked| stream(asked, &[ITEM, &[0xff; 9]], Hush),
        "task-working BadAnswer: ",
    ),
    grpc(
        "the task for ever",
        Stream,
        |asked| vec![say(head(asked.stream)), Repeat(message(asked.stream, ITEM))],
        "task-working of 3000",
    ),
    grpc("silence", Stream, |asked| stream(asked, &[ITEM], Hush), "task-working listening"),
    grpc("silence before the head", Stream, |_| vec![Hush], SLOW),
    grpc(
        "a page that does not end",
        Stream,
        |asked| {
            vec![
                say(headers(asked.stream, &[(":status", "200"), ("content-type", "text/html")])),
                Hush,
            ]
        },
        SLOW,
    ),
    grpc(
        "a refusal that does not end",
        Stream,
        |asked| vec![say(headers(asked.stream, &[(":status", "403")])), Hush],
        SLOW,
    ),
];

pub(super) fn answer(asked: &Asked, task: &[u8]) -> Act {
    let stream = asked.stream;
    say([head(stream), message(stream, task), trailers(stream, OK)].concat())
}

/// A head, these bytes, and that all is well.
fn raw(asked: &Asked, bytes: &[u8]) -> Vec<Act> {
    vec![say(head(asked.stream)), say(data(asked.stream, bytes)), say(trailers(asked.stream, OK))]
}

/// The task, and these trailers.
fn told(asked: &Asked, fields: &[(&str, &str)]) -> Act {
    let stream = asked.stream;
    say([head(stream), message(stream, TASK), trailers(stream, fields)].concat())
}

fn stream(asked: &Asked, items: &[&[u8]], end: Act) -> Vec<Act> {
    let items = items.iter().map(|item| say(message(asked.stream, item)));
    [say(head(asked.stream))].into_iter().chain(items).chain([end]).collect()
}

/// The task with lists in lists as its metadata.
fn deep() -> Vec<u8> {
    // `Value.list_value` of `ListValue.values`, from within.
    let mut value = Vec::new();
    for _ in 0..500 {
        value = [member(1, &value)].concat();
        value = member(6, &value);
    }
    let entry = [member(1, b"k"), member(2, &value)].concat();
    [TASK, &member(6, &member(1, &entry))].concat()
}

/// A member of a message that holds bytes.
fn member(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (mut length, mut rest) = (Vec::new(), bytes.len());
    while rest >= 128 {
        length.push(u8::try_from(rest % 128).expect("below 128") | 128);
        rest /= 128;
    }
    length.push(u8::try_from(rest).expect("below 128"));
    [&[number << 3 | 2], &length[..], bytes].concat()
}
