//! What the gRPC codec takes of memory and of time.

use legation_wire::grpc::{self, Package};
use legation_wire::json::JsonBounds;
use legation_wire::operation::Operation;

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
