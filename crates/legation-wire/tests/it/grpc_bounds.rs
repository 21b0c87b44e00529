//! What the gRPC codec takes of memory and of time, and how deep it goes.

use std::fmt::Write as _;
use std::time::Duration;

use legation_model::{ErrorKind, MAX_DEPTH, Request};
use legation_wire::answer::Answer;
use legation_wire::grpc::{self, Numbers, Package};
use legation_wire::json::JsonBounds;
use legation_wire::operation::Operation;
use prost_reflect::DynamicMessage;

use crate::grpc::{json_of, method, operation_of, theirs};
use crate::grpc_faults::{field, send};

/// The most memory that this process ever had, in MiB.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib >> 10
}

/// Each level used to hold a copy of all that is in it.
#[cfg(target_os = "linux")]
#[test]
fn messages_in_pieces_are_not_copied() {
    const MIB: usize = 8;
    let innermost = field(3, &vec![b'x'; MIB << 20]);
    // A list in two pieces, of which the second is empty.
    let list = |value: Vec<u8>| [&*field(6, &field(1, &value)), b"\x32\x00"].concat();
    let message = send(&field(4, &(0..90).fold(innermost, |value, _| list(value))));
    let before = peak();
    let read = grpc::read(Package::V1_0, Operation::SendMessage, &message, JsonBounds::default());
    assert!(read.is_ok());
    let taken = peak() - before;
    assert!(taken < 16 * MIB, "{taken} MiB for {MIB}");
}

/// A task with this data.
fn task_with(data: &str) -> String {
    format!(
        r#"{{"id":"t","status":{{"state":"TASK_STATE_WORKING"}},"artifacts":[{{"artifactId":"a","parts":[{{"data":{data}}}]}}]}}"#
    )
}

fn objects(levels: usize, innermost: &str) -> String {
    let (open, close) = (r#"{"k":"#.repeat(levels), "}".repeat(levels));
    [&open, innermost, &close].concat()
}

#[test]
fn data_as_deep_as_the_model_has_it_is_carried() {
    let lists = ["[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)].concat();
    for data in [objects(MAX_DEPTH, "1"), lists] {
        let task = task_with(&data);
        let page = format!(r#"{{"tasks":[{task}],"nextPageToken":"","pageSize":1,"totalSize":1}}"#);
        let update = format!(
            r#"{{"artifactUpdate":{{"taskId":"t","contextId":"c","artifact":{{"artifactId":"a","parts":[{{"data":{data}}}]}}}}}}"#
        );
        let answers = [
            (Package::V1_0, Answer::Tasks, &page),
            (Package::V1_0, Answer::SentTask, &task),
            (Package::V1_0, Answer::Item, &update),
            (Package::V0_3, Answer::SentTask, &task),
            (Package::V0_3, Answer::Item, &update),
        ];
        for (package, answer, document) in answers {
            let written = grpc::write(package, answer, document.as_bytes(), Numbers::Refuse);
            let written = written.unwrap_or_else(|error| panic!("{package:?} {answer:?} {error}"));
            let operation = operation_of(answer);
            let bounds = JsonBounds::default();
            let back = grpc::read_answer(package, operation, &written, bounds).expect("an answer");
            assert!(back.contains(&data), "{package:?} {answer:?}");
        }
    }
}

/// The independent implementation has no deep messages, so these are shallow.
#[test]
fn lengths_of_any_size_are_written_in_front() {
    let sizes = [0, 1, 100, 110, 120, 124, 126, 127, 128, 129, 16_200, 16_370, 16_384, 2_097_152];
    for size in sizes {
        let text = format!("\"{}\"", "x".repeat(size));
        let mut data = format!("[{text},1,{text}");
        let _ = write!(data, ",{},[],{}]", objects(5, &text), objects(2, "[1,[2],\"y\"]"));
        let task = task_with(&data);
        for package in Package::ALL {
            let written = grpc::write(package, Answer::Task, task.as_bytes(), Numbers::Refuse);
            let message = method(package, Operation::GetTask).output();
            let decoded = DynamicMessage::decode(message.clone(), &*written.expect("a document"));
            let json = json_of(package, Answer::Task, task.as_bytes());
            assert!(decoded.expect("a message") == theirs(message, &json), "{package:?} {size}");
        }
    }
}

/// How long this thread was at work; waiting for a processor does not count.
#[cfg(target_os = "linux")]
fn worked() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").expect("times");
    let nanos = times.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// What is inside used to move once for every level around it.
#[cfg(target_os = "linux")]
#[test]
fn deep_documents_are_written_as_fast_as_flat_ones() {
    let text = format!("\"{}\"", "x".repeat(16 << 20));
    let took = |task: &str| {
        let begin = worked();
        let written = grpc::write(Package::V1_0, Answer::Task, task.as_bytes(), Numbers::Refuse);
        assert!(written.is_ok());
        worked() - begin
    };
    let tasks = [1, MAX_DEPTH].map(|levels| task_with(&objects(levels, &text)));
    let (mut flat, mut deep) = (Duration::MAX, Duration::MAX);
    // Whatever else the machine does only makes it slower.
    for _ in 0..8 {
        flat = flat.min(took(&tasks[0]));
        deep = deep.min(took(&tasks[1]));
    }
    assert!(deep < flat * 5 / 2 + Duration::from_millis(20), "{deep:?} after {flat:?}");
}

/// A control character takes six bytes of JSON.
#[test]
fn messages_become_no_more_json_than_they_may() {
    let bounds = |text| JsonBounds { text, ..JsonBounds::default() };
    let cases = [
        send(&field(1, "\u{1}\n\"\\x\u{7f}ä\r\t\u{8}\u{c}\u{1f}".repeat(1_000).as_bytes())),
        send(&field(2, &[7; 1_000])),
        send(&field(4, &field(6, &field(1, b"\x20\x01").repeat(1_000)))),
        send(&[field(1, b"x"), field(5, &field(1, &field(1, &[2; 1_000])))].concat()),
    ];
    for message in cases {
        let read = |text| grpc::read(Package::V1_0, Operation::SendMessage, &message, bounds(text));
        assert!(read(usize::MAX).is_ok());
        let (mut too_little, mut enough) = (0, message.len() * 7);
        while enough - too_little > 1 {
            let middle = (too_little + enough) / 2;
            match read(middle) {
                Ok(_) => enough = middle,
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::TooLarge);
                    too_little = middle;
                }
            }
        }
        let Ok(Request::SendMessage(request)) = read(enough) else { panic!("not a message") };
        let text = serde_json::to_vec(&request.message).expect("JSON");
        assert!(enough >= text.len(), "{enough} for {}", text.len());
    }
    let whole = send(&field(1, &vec![1; 16 << 20]));
    let refused = grpc::read(Package::V1_0, Operation::SendMessage, &whole, bounds(32 << 20));
    assert_eq!(refused.expect_err("too much").kind, ErrorKind::TooLarge);
}
