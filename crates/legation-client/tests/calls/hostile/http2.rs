//! What a peer does in the frames of HTTP/2.

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, data, frame, head, headers, list, message, settings, trailers,
};
use super::grpc::{TASK, answer};
use super::peer::Act::{Hush, Repeat, Reset};
use super::peer::{Act, Asked};
use super::say;
use super::variant::Ask::{Get, Send};
use super::variant::{Variant, check, grpc};

#[tokio::test]
async fn frames_of_http2_are_what_they_say() {
    check(FRAMES).await;
}

#[tokio::test]
async fn floods_of_http2_are_bounded() {
    check(FLOODS).await;
}

const BROKE: &str = "Lost: ...the connection broke";
const LOST: &str = "Lost: ";
const SLOW: &str = "Lost: ...no answer for";

const FRAMES: &[Variant] = &[
    grpc("a reset at once", Get, |_| vec![Reset], BROKE).at_once(),
    grpc("an end at once", Get, |_| vec![], BROKE).at_once(),
    grpc("an answer of HTTP/1.1", Get, |_| vec![say("HTTP/1.1 400 Bad\r\n\r\n")], BROKE).at_once(),
    grpc("silence", Send, |_| vec![Hush], SLOW),
    grpc("silence behind the head", Get, |asked| vec![say(head(asked.stream)), Hush], SLOW),
    grpc("GOAWAY at once", Get, |_| vec![goaway(0, 0)], "...").at_once().times(6),
    grpc("GOAWAY for a request that was not begun", Send, |_| vec![goaway(0, 0)], "...").times(4),
    grpc("GOAWAY for a request that was", Send, |asked| vec![goaway(asked.stream, 0)], BROKE),
    grpc("GOAWAY and silence", Send, |asked| vec![goaway(asked.stream, 0), Hush], SLOW),
    grpc("GOAWAY for calm", Send, |_| vec![goaway(0, 11)], BROKE),
    grpc(
        "a reset behind the head",
        Send,
        |asked| vec![say(head(asked.stream)), reset(asked, 8)],
        BROKE,
    ),
    grpc("a reset before the head", Get, |asked| vec![reset(asked, 2)], BROKE),
    grpc("a refused request, for ever", Send, |asked| vec![reset(asked, 7)], BROKE).times(4),
    grpc("a reset for HTTP/1.1", Get, |asked| vec![reset(asked, 13), Hush], LOST),
    grpc(
        "half a list of headers",
        Get,
        |asked| vec![say(frame(HEADERS, END_HEADERS, asked.stream, &[0, 200, b'a']))],
        BROKE,
    ),
    grpc(
        "a list of garbage",
        Get,
        |asked| vec![say(frame(HEADERS, END_HEADERS, asked.stream, &[0xff; 16]))],
        BROKE,
    ),
    grpc(
        "a list of 1 MB by reference",
        Get,
        |asked| vec![say(frame(HEADERS, END_HEADERS, asked.stream, &by_reference()))],
        BROKE,
    ),
    grpc(
        "a head without a status",
        Get,
        |asked| vec![say(headers(asked.stream, &[("content-type", "application/grpc")]))],
        BROKE,
    ),
    grpc(
        "a head with a status of words",
        Get,
        |asked| vec![say(headers(asked.stream, &[(":status", "ok")]))],
        BROKE,
    ),
    grpc(
        "a head in capitals",
        Get,
        |asked| vec![say(headers(asked.stream, &[(":status", "200"), ("Content-Type", "x")]))],
        BROKE,
    ),
    grpc(
        "a header of HTTP/1.1",
        Get,
        |asked| {
            vec![
                say(headers(asked.stream, &[(":status", "200"), ("transfer-encoding", "chunked")])),
                Hush,
            ]
        },
        LOST,
    ),
    grpc(
        "two heads",
        Get,
        |asked| vec![say(head(asked.stream)), say(head(asked.stream)), Hush],
        LOST,
    ),
    grpc("DATA before the head", Get, |asked| vec![say(message(asked.stream, TASK)), Hush], LOST),
    grpc("DATA of a request that was not made", Get, |_| vec![say(data(99, b"x"))], BROKE),
    grpc("DATA of no request", Get, |_| vec![say(data(0, b"x"))], BROKE),
    grpc(
        "a frame of 1 MB",
        Get,
        |asked| vec![say(frame(DATA, 0, asked.stream, &vec![0; 1 << 20]))],
        BROKE,
    ),
    grpc(
        "a frame of no known kind",
        Get,
        |asked| vec![say(frame(0xbe, 0xff, asked.stream, b"x")), answer(asked, TASK)],
        "task t WORKING",
    ),
    grpc(
        "a promise",
        Get,
        |asked| vec![say(frame(PUSH_PROMISE, END_HEADERS, asked.stream, &[0, 0, 0, 2]))],
        BROKE,
    ),
    grpc(
        "SETTINGS of garbage",
        Get,
        |_| vec![say(frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]))],
        BROKE,
    ),
    grpc("SETTINGS of half a value", Get, |_| vec![say(frame(SETTINGS, 0, 0, &[0, 4, 0]))], BROKE),
    grpc(
        "SETTINGS without room",
        Get,
        |_| vec![say(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])), Hush],
        SLOW,
    )
    .at_once(),
    grpc(
        "SETTINGS of no requests",
        Send,
        |_| vec![say(frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0])), Hush],
        LOST,
    )
    .at_once(),
    grpc(
        "PINGs that nobody sent are answered",
        Get,
        |asked| vec![say(frame(PING, ACK, 0, &[7; 8])), answer(asked, TASK)],
        "task t WORKING",
    ),
    grpc(
        "a window beyond 2^31",
        Get,
        |_| vec![say(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))],
        BROKE,
    ),
    grpc(
        "a redirect",
        Get,
        |asked| {
            vec![say(trailers(asked.stream, &[(":status", "307"), ("location", &asked.elsewhere)]))]
        },
        "BadAnswer: ...redirects are not followed",
    ),
];

/// They wait for each other, so that time may be what ends them.
const FLOODS: &[Variant] = &[
    grpc("endless CONTINUATION", Get, |asked| continued(asked, &list(&[("a", "b")])), LOST),
    grpc("endless CONTINUATION of nothing", Get, |asked| continued(asked, &[]), LOST),
    grpc(
        "a head of 100,000 headers",
        Get,
        |asked| long_head(asked, &[("a", "b")].repeat(100_000)),
        LOST,
    ),
    grpc(
        "heads of 103 for ever",
        Get,
        |asked| vec![Repeat(headers(asked.stream, &[(":status", "103")]).repeat(99))],
        LOST,
    ),
    grpc(
        "DATA of nothing for ever",
        Send,
        |asked| vec![say(head(asked.stream)), Repeat(data(asked.stream, b"").repeat(99))],
        LOST,
    ),
    grpc(
        "DATA beyond the window",
        Get,
        |asked| vec![say(head(asked.stream)), Repeat(data(asked.stream, &[0; 16_384]))],
        LOST,
    ),
    grpc("SETTINGS for ever", Send, |_| vec![Repeat(settings().repeat(99))], LOST),
    grpc("PING for ever", Send, |_| vec![Repeat(frame(PING, 0, 0, &[0; 8]).repeat(99))], LOST),
    grpc(
        "WINDOW_UPDATE for ever",
        Send,
        |_| vec![Repeat(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(99))],
        LOST,
    ),
];

pub(super) fn goaway(last: u32, code: u32) -> Act {
    say(frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat()))
}

pub(super) fn reset(asked: &Asked, code: u32) -> Act {
    say(frame(RST_STREAM, 0, asked.stream, &code.to_be_bytes()))
}

/// A head that goes on in such pieces for ever.
fn continued(asked: &Asked, piece: &[u8]) -> Vec<Act> {
    let begin = frame(HEADERS, 0, asked.stream, &list(&[(":status", "200")]));
    vec![say(begin), Repeat(frame(CONTINUATION, 0, asked.stream, piece).repeat(99))]
}

/// A head in as many frames as it needs.
fn long_head(asked: &Asked, fields: &[(&str, &str)]) -> Vec<Act> {
    let fields = list(&[&[(":status", "200")], fields].concat());
    let mut pieces = fields.chunks(16_000).map(|piece| frame(CONTINUATION, 0, asked.stream, piece));
    let begin = frame(HEADERS, 0, asked.stream, &[]);
    let mut acts = vec![say(begin)];
    acts.extend(pieces.by_ref().map(say));
    acts.push(say(frame(CONTINUATION, END_HEADERS, asked.stream, &[])));
    acts
}

/// A header of 3,000 bytes that is kept, and named by one byte four hundred times.
fn by_reference() -> Vec<u8> {
    let kept = &list(&[("a", &"b".repeat(3_000))])[1..];
    [&[0x88, 0x40], kept, &[0xbe; 400]].concat()
}
