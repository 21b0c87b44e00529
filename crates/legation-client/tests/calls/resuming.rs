//! Streams that break: nothing is repeated, left out, or taken for an end that it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use legation_client::{Events, Options, Patience};
use legation_model::{Message, Part, Role, SendMessageRequest, StreamResponse, TaskId, TaskState};

use crate::server::{Answer, Asked, BOTH, End, Server, hasty};

/// How many events the scripted task has: its creation, chunks, its end.
const LAST: u64 = 12;

fn task_json(state: &str) -> String {
    format!(r#"{{"task":{{"id":"t","contextId":"c","status":{{"state":"TASK_STATE_{state}"}}}}}}"#)
}

fn status_json(state: &str) -> String {
    let status = format!(r#"{{"state":"TASK_STATE_{state}"}}"#);
    format!(r#"{{"statusUpdate":{{"taskId":"t","contextId":"c","status":{status}}}}}"#)
}

fn chunk_json(number: u64) -> String {
    let artifact = format!(r#"{{"artifactId":"a","parts":[{{"text":"{number}"}}]}}"#);
    format!(
        r#"{{"artifactUpdate":{{"taskId":"t","contextId":"c","artifact":{artifact},"append":true}}}}"#
    )
}

/// The event of the task's log with this number.
fn logged(number: u64) -> String {
    match number {
        1 => task_json("SUBMITTED"),
        LAST => status_json("COMPLETED"),
        _ => chunk_json(number),
    }
}

/// An item as the binding frames it.
fn framed(asked: &Asked, id: Option<u64>, item: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    if asked.path.starts_with("/rpc") {
        return format!("{id}data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{item}}}\n\n");
    }
    format!("{id}data: {item}\n\n")
}

fn error(asked: &Asked, code: i32, reason: &str) -> Answer {
    let info = format!(r#"[{{"@type":"x","reason":"{reason}","domain":"a2a-protocol.org"}}]"#);
    if asked.path.starts_with("/rpc") {
        let body = format!(r#"{{"code":{code},"message":"no","data":{info}}}"#);
        return Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"error":{body}}}"#));
    }
    Answer::json(400, format!(r#"{{"error":{{"code":400,"message":"no","details":{info}}}}}"#))
}

/// The events after a number, as our server gives them: at most this many, then the end.
fn page(asked: &Asked, after: u64, most: u64, end: End) -> Answer {
    let mut pieces = Vec::new();
    if asked.header("last-event-id").is_some() {
        pieces.push(framed(asked, None, &task_json("WORKING")));
    }
    let until = LAST.min(after + most);
    pieces.extend((after + 1..=until).map(|id| framed(asked, Some(id), &logged(id))));
    let end = if until == LAST { End::Proper } else { end };
    Answer::stream(pieces, end)
}

fn cursor(asked: &Asked) -> u64 {
    asked.header("last-event-id").map_or(0, |id| id.parse().expect("a number"))
}

fn request() -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text("go")]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

fn both(options: Options) -> [Options; 2] {
    BOTH.map(|binding| Options { binding: Some(binding), ..options.clone() })
}

/// What a stream says: numbers, `task:STATE` for a snapshot without one, and the end in words.
async fn told(mut events: Events) -> String {
    let mut told = Vec::new();
    loop {
        match events.next().await {
            Some(Ok((Some(number), _))) => told.push(number.to_string()),
            Some(Ok((None, StreamResponse::Task(task)))) => {
                told.push(format!("task:{}", &task.status.state.name()["TASK_STATE_".len()..]));
            }
            Some(Ok((None, item))) => told.push(short(&item).to_owned()),
            Some(Err(error)) => told.push(format!("error: {error}")),
            None => break,
        }
    }
    told.push(if events.is_settled() { "settled" } else { "open" }.to_owned());
    told.join(" ")
}

fn short(item: &StreamResponse) -> &'static str {
    match item {
        StreamResponse::Task(_) => "task",
        StreamResponse::Message(_) => "message",
        StreamResponse::StatusUpdate(_) => "status",
        StreamResponse::ArtifactUpdate(_) => "chunk",
    }
}

/// What `stream` says when the server answers like this, over both bindings. Some error, when what
/// is expected does not go on to the end.
async fn check(
    script: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
    options: Options,
    expected: &str,
) {
    for options in both(options) {
        let binding = options.binding;
        let server = Server::start(script.clone()).await;
        let events = server.client(options).await.stream(request()).await;
        let told = match events {
            Ok(events) => told(events).await,
            Err(error) => format!("refused: {error}"),
        };
        let whole = expected.ends_with("settled") || expected.ends_with("open");
        let good = if whole { told == expected } else { told.contains(expected) };
        assert!(good, "{binding:?}: {told}");
        assert_eq!(server.count("SendStreamingMessage", "/message:stream"), 1, "sent twice");
    }
}

fn all() -> String {
    let numbers: Vec<_> = (1..=LAST).map(|number| number.to_string()).collect();
    format!("{} settled", numbers.join(" "))
}

#[tokio::test]
async fn a_stream_cut_after_every_k_events_loses_and_repeats_nothing() {
    for end in [End::Cut, End::Proper] {
        for most in 1..=LAST {
            let script = move |asked: &Asked| page(asked, cursor(asked), most, end);
            check(script, hasty(), &all()).await;
        }
    }
}

#[tokio::test]
async fn a_stream_cut_within_an_event_loses_and_repeats_nothing() {
    for keep in [1, 5, 20] {
        let script = move |asked: &Asked| {
            let after = cursor(asked);
            let mut answer = page(asked, after, 3, End::Cut);
            let half: String =
                framed(asked, Some(after + 4), &logged(2)).chars().take(keep).collect();
            if after + 3 < LAST {
                answer.pieces.push(half);
            }
            answer
        };
        check(script, hasty(), &all()).await;
    }
}

#[tokio::test]
async fn duplicates_are_dropped_and_odd_frames_are_passed_over() {
    let script = |asked: &Asked| {
        let after = cursor(asked);
        let mut answer = page(asked, after, 4, End::Cut);
        let again = (1..=after).map(|id| framed(asked, Some(id), &logged(id)));
        let at = answer.pieces.len().min(1);
        answer.pieces.splice(at..at, again);
        answer
            .pieces
            .insert(0, "\u{feff}: hello\r\r\nretry: 5\r\n\r\nevent: ping\ndata:\n\n".into());
        // One byte at a time, in other line ends.
        let text = answer.pieces.concat().replace("\n", "\r\n");
        answer.pieces = text.chars().map(String::from).collect();
        answer
    };
    check(script, hasty(), &all()).await;
}

#[tokio::test]
async fn a_subscription_goes_on_behind_its_number() {
    for options in both(hasty()) {
        let script = |asked: &Asked| page(asked, cursor(asked), 2, End::Cut);
        let server = Server::start(script).await;
        let client = server.client(options).await;
        let id = TaskId::parse("t").expect("a valid id");
        let events = client.subscribe(id, Some(9)).await.expect("a stream");
        assert_eq!(told(events).await, "10 11 12 settled");
    }
}

#[tokio::test]
async fn a_subscription_outlives_a_break_while_the_task_waits() {
    for (end, expected) in [(End::Cut, "10 11 12 settled"), (End::Proper, "10 settled")] {
        let script = move |asked: &Asked| match cursor(asked) {
            9 => {
                let asks = framed(asked, Some(10), &status_json("INPUT_REQUIRED"));
                Answer::stream(vec![framed(asked, None, &task_json("WORKING")), asks], end)
            }
            after => page(asked, after, LAST, End::Cut),
        };
        let server = Server::start(script).await;
        let client = server.client(hasty()).await;
        let id = TaskId::parse("t").expect("a valid id");
        let events = client.subscribe(id, Some(9)).await.expect("a stream");
        assert_eq!(told(events).await, expected);
    }
}

#[tokio::test]
async fn a_server_that_restarts_is_waited_for() {
    for options in both(hasty()) {
        let patience = Patience { attempts: 1000, ..options.patience };
        let script = |asked: &Asked| page(asked, cursor(asked), 5, End::Cut);
        let mut server = Server::start(script).await;
        let client = server.client(Options { patience, ..options }).await;
        let events = client.stream(request()).await.expect("a stream");
        let reader = tokio::spawn(told(events));
        server.restart(Duration::from_millis(300)).await;
        assert_eq!(reader.await.expect("no panic"), all());
    }
}

#[tokio::test]
async fn a_cut_stream_is_never_an_end() {
    let stubborn = Patience { attempts: 3, ..hasty().patience };
    let options = Options { patience: stubborn, ..hasty() };
    for end in [End::Cut, End::Proper] {
        let script = move |asked: &Asked| {
            let after = cursor(asked);
            page(asked, after, if after == 0 { 2 } else { 0 }, end)
        };
        let gave_up = "error: gave up following task t after 3 attempts open";
        check(script, options.clone(), &format!("1 2 {gave_up}")).await;

        let unnumbered = move |asked: &Asked| {
            Answer::stream(vec![framed(asked, None, &task_json("WORKING"))], end)
        };
        let again = "task:WORKING task:WORKING task:WORKING task:WORKING";
        check(unnumbered, options.clone(), &format!("{again} {gave_up}")).await;
    }
}

#[tokio::test]
async fn silence_is_an_outage() {
    let mut options = hasty();
    options.limits.silence = Duration::from_millis(50);
    let script = |asked: &Asked| page(asked, cursor(asked), 5, End::Silence);
    check(script, options, &all()).await;
}

#[tokio::test]
async fn missing_events_are_asked_for_and_then_reported() {
    let leap = |asked: &Asked| {
        let ids = [(1, 1), (2, 2), (5, 5)].into_iter().filter(|(id, _)| *id > cursor(asked));
        let mut pieces: Vec<_> =
            ids.map(|(id, number)| framed(asked, Some(id), &logged(number))).collect();
        if cursor(asked) > 0 {
            pieces.insert(0, framed(asked, None, &task_json("WORKING")));
        }
        Answer::stream(pieces, End::Silence)
    };
    let missing = "1 2 error: events of task t are missing: number 3 should come, 5 came open";
    check(leap, hasty(), missing).await;

    let heals = |asked: &Asked| match cursor(asked) {
        0 => {
            let ids = [1, 2, 5].map(|id| framed(asked, Some(id), &logged(id)));
            Answer::stream(ids.to_vec(), End::Silence)
        }
        after => page(asked, after, LAST, End::Cut),
    };
    check(heals, hasty(), &all()).await;
}

/// An agent that numbers nothing: what was missed is in the task it begins with.
#[tokio::test]
async fn without_numbers_the_task_stands_for_what_was_missed() {
    let script = |asked: &Asked| {
        let snapshot = framed(asked, None, &task_json("WORKING"));
        if asked.is("SendStreamingMessage", "/message:stream") {
            return Answer::stream(vec![snapshot, framed(asked, None, &chunk_json(1))], End::Cut);
        }
        assert_eq!(asked.header("last-event-id"), None);
        if asked.is("SubscribeToTask", ":subscribe") {
            let end = framed(asked, None, &status_json("COMPLETED"));
            return Answer::stream(vec![snapshot, end], End::Cut);
        }
        completed(asked)
    };
    let expected = "task:WORKING chunk task:WORKING status task:COMPLETED settled";
    check(script, hasty(), expected).await;
}

#[tokio::test]
async fn an_item_without_a_number_does_not_move_the_cursor() {
    let script = |asked: &Asked| {
        let after = cursor(asked);
        let mut answer = page(asked, after, 5, End::Cut);
        answer.pieces.extend((after == 0).then(|| framed(asked, None, &chunk_json(0))));
        answer
    };
    check(script, hasty(), "1 2 3 4 5 chunk 6 7 8 9 10 11 12 settled").await;
}

/// Numbers that count the events of each connection are no numbers of the task's log.
#[tokio::test]
async fn an_agent_that_counts_anew_is_believed() {
    let script = |asked: &Asked| {
        let snapshot = framed(asked, Some(0), &task_json("WORKING"));
        let chunk = framed(asked, Some(1), &chunk_json(1));
        let end = framed(asked, Some(2), &status_json("COMPLETED"));
        match asked.header("last-event-id") {
            None => Answer::stream(vec![snapshot, chunk], End::Cut),
            Some(_) => Answer::stream(vec![snapshot, chunk, end], End::Cut),
        }
    };
    check(script, hasty(), "0 1 0 1 2 settled").await;
}

/// The answer to whoever looks at the task when it has ended.
fn completed(asked: &Asked) -> Answer {
    let task = task_json("COMPLETED");
    let task = &task["{\"task\":".len()..task.len() - 1];
    match asked.path.starts_with("/rpc") {
        true => Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{task}}}"#)),
        false => Answer::json(200, task),
    }
}

/// After a cut the Python SDK of 0.3 goes on with what happens next, so that what happened in between was
/// left out; that of 1.0 with the task, and may say again what is in it. Both looked like a whole stream.
#[tokio::test]
async fn a_task_without_numbers_that_was_cut_is_looked_at_in_the_end() {
    fn forgetful(asked: &Asked, first: &str, last: &str) -> Answer {
        if asked.is("SendStreamingMessage", "/message:stream") {
            let begun = [task_json("SUBMITTED"), chunk_json(2)];
            return Answer::stream(begun.map(|item| framed(asked, None, &item)).into(), End::Cut);
        }
        if asked.is("SubscribeToTask", ":subscribe") {
            let goes_on = [first.to_owned(), status_json(last)];
            return Answer::stream(
                goes_on.map(|item| framed(asked, None, &item)).into(),
                End::Proper,
            );
        }
        completed(asked)
    }

    let cases = [(chunk_json(4), "chunk"), (task_json("WORKING"), "task:WORKING")];
    for (first, told) in cases {
        for last in ["COMPLETED", "INPUT_REQUIRED"] {
            let first = first.clone();
            let script = move |asked: &Asked| forgetful(asked, &first, last);
            let expected = format!("task:SUBMITTED chunk {told} status task:COMPLETED settled");
            check(script, hasty(), &expected).await;
        }
    }
}

/// REST of the Python SDK of 0.3 begins a stream and breaks it off when the task has ended; that was
/// taken for an outage.
#[tokio::test]
async fn a_subscription_that_breaks_off_at_once_may_be_that_of_a_task_that_ended() {
    for end in [End::Cut, End::Proper] {
        let breaks = move |asked: &Asked| {
            if asked.is("SendStreamingMessage", "/message:stream") {
                return Answer::stream(vec![framed(asked, None, &task_json("WORKING"))], End::Cut);
            }
            if asked.is("SubscribeToTask", ":subscribe") {
                return Answer::stream(Vec::new(), end);
            }
            completed(asked)
        };
        check(breaks, hasty(), "task:WORKING task:COMPLETED settled").await;
    }
}

#[tokio::test]
async fn a_task_that_ended_meanwhile_is_looked_at() {
    fn ended(asked: &Asked, code: i32, reason: &str) -> Answer {
        if asked.is("SendStreamingMessage", "/message:stream") {
            return page(asked, 0, 3, End::Cut);
        }
        if asked.is("SubscribeToTask", ":subscribe") {
            return error(asked, code, reason);
        }
        completed(asked)
    }

    // The second is what servers of 0.3 say, which had no error for it.
    for (code, reason) in [(-32004, "UNSUPPORTED_OPERATION"), (-32602, "INVALID_PARAMS")] {
        check(move |asked| ended(asked, code, reason), hasty(), "1 2 3 task:COMPLETED settled")
            .await;
        // Some say it in a stream, which used to end with that error.
        let in_stream = move |asked: &Asked| {
            let mut answer = ended(asked, code, reason);
            if asked.is("SubscribeToTask", ":subscribe") {
                answer =
                    Answer::stream(vec![format!("data: {}\n\n", answer.pieces[0])], End::Proper);
            }
            answer
        };
        check(in_stream, hasty(), "1 2 3 task:COMPLETED settled").await;
    }
}

#[tokio::test]
async fn errors_that_no_further_try_changes_end_a_stream() {
    let gone = |asked: &Asked| match cursor(asked) {
        0 => page(asked, 0, 2, End::Cut),
        _ => error(asked, -32001, "TASK_NOT_FOUND"),
    };
    check(gone, hasty(), "1 2 error: SubscribeToTask: no open").await;

    let locked = |asked: &Asked| match cursor(asked) {
        0 => page(asked, 0, 2, End::Cut),
        _ => Answer::json(401, ""),
    };
    check(locked, hasty(), "1 2 error: SubscribeToTask: HTTP status 401").await;

    let garbage = |asked: &Asked| {
        let first = framed(asked, Some(1), &logged(1));
        Answer::stream(vec![first, "data: {\n\n".into()], End::Silence)
    };
    check(garbage, hasty(), "that is not A2A").await;

    let fails = |asked: &Asked| {
        let first = framed(asked, Some(1), &logged(1));
        let fault = r#"event: error
data: {"error":{"code":500,"message":"broke","details":[{"reason":"INTERNAL_ERROR"}]}}

"#;
        Answer::stream(vec![first, fault.into()], End::Silence)
    };
    check(fails, hasty(), "1 error: SendStreamingMessage: broke open").await;

    let mut small = hasty();
    small.limits.event_bytes = 200;
    let huge = |asked: &Asked| {
        Answer::stream(vec![framed(asked, Some(1), &"x".repeat(300))], End::Silence)
    };
    check(huge, small, "error: http://127.0.0.1").await;
}

#[tokio::test]
async fn trouble_that_passes_does_not_end_a_stream() {
    let refusals = Arc::new(AtomicU64::new(0));
    let script = move |asked: &Asked| match cursor(asked) {
        0 => page(asked, 0, 2, End::Cut),
        _ if refusals.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
            error(asked, -32603, "UNAVAILABLE")
        }
        after => page(asked, after, 6, End::Cut),
    };
    check(script, hasty(), &all()).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_task_waits_for_the_caller_or_was_a_message() {
    let waits = |asked: &Asked| {
        let asks = framed(asked, Some(2), &status_json("INPUT_REQUIRED"));
        Answer::stream(vec![framed(asked, Some(1), &logged(1)), asks], End::Proper)
    };
    check(waits, hasty(), "1 2 settled").await;

    let message = r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hi"}]}}"#;
    let speaks =
        move |asked: &Asked| Answer::stream(vec![framed(asked, None, message)], End::Silence);
    check(speaks, hasty(), "message open").await;

    // The task as it was waiting, before it received the message that this stream answers.
    let stale = |asked: &Asked| match cursor(asked) {
        0 => {
            let waited = framed(asked, Some(3), &task_json("INPUT_REQUIRED"));
            Answer::stream(vec![waited], End::Cut)
        }
        after => page(asked, after, LAST, End::Cut),
    };
    check(stale, hasty(), "3 4 5 6 7 8 9 10 11 12 settled").await;
}

#[tokio::test]
async fn a_message_whose_fate_is_unknown_is_not_sent_again() {
    let cut = |_: &Asked| Answer::stream(Vec::new(), End::Cut);
    check(cut, hasty(), "the connection broke").await;
    let ends = |_: &Asked| Answer::stream(Vec::new(), End::Proper);
    check(ends, hasty(), "before it said which task").await;
    let busy = |asked: &Asked| error(asked, -32603, "UNAVAILABLE");
    check(busy, hasty(), "refused: SendStreamingMessage: no").await;
}

#[tokio::test]
async fn states_are_told_as_they_are() {
    let script = |asked: &Asked| page(asked, cursor(asked), 5, End::Cut);
    let server = Server::start(script).await;
    let client = server.client(hasty()).await;
    let mut events = client.stream(request()).await.expect("a stream");
    let mut last = None;
    while let Some(event) = events.next().await {
        if let (_, StreamResponse::StatusUpdate(update)) = event.expect("a good event") {
            last = Some(update.status.state);
        }
    }
    assert_eq!(last, Some(TaskState::Completed));
}
