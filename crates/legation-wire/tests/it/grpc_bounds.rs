//! What the gRPC codec takes of memory and of time, and how deep it goes.

use legation_model::MAX_DEPTH;
use legation_wire::answer::Answer;
use legation_wire::grpc::{self, Numbers, Package};
use legation_wire::json::JsonBounds;
use legation_wire::operation::Operation;

use crate::grpc::operation_of;
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
