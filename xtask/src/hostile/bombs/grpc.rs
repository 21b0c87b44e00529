//! Bombs over gRPC, each in both packages: what messages and their framing may do to a server.

use std::io::Write as _;
use std::time::Duration;

use anyhow::ensure;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::timeout;

use super::{Act, Bomb, bomb, dear, heavy, unpacked};
use crate::hostile::grpc::{
    Caller, GROUP, METADATA, PACKAGES, PARTS, Package, VARINT, member, message, part, prefix,
    status, tag, varint,
};
use crate::hostile::target::Target;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

const MANY: usize = 100_000;
const MEGA: usize = 1 << 20;

/// Statuses of gRPC.
const OK: &[&str] = &["0"];
const INVALID: &[&str] = &["3"];
const EXHAUSTED: &[&str] = &["8"];
const UNIMPLEMENTED: &[&str] = &["12"];

/// Every bomb. An answer is the status, which has to be the same in both packages.
pub(super) const BOMBS: &[Bomb] = &[
    heavy(3, dear(8, bomb("gRPC: 5 MB of text", |t| say(t, &part(&vec![b'x'; 5 * MEGA])), OK))),
    dear(2, bomb("gRPC: 17 MB", |t| say(t, &part(&vec![b'x'; 17 * MEGA])), EXHAUSTED)),
    bomb("gRPC: a message packed unasked", |t| packed(t, zeros(17 * MEGA)), UNIMPLEMENTED),
    unpacked(dear(2, bomb("gRPC: 17 MB in 17 KB", |t| packed(t, zeros(17 * MEGA)), EXHAUSTED))),
    unpacked(dear(2, bomb("gRPC: 200 MB in 200 KB", |t| packed(t, zeros(200 * MEGA)), EXHAUSTED))),
    unpacked(bomb("gRPC: half of a gzip", |t| packed(t, half(zeros(MEGA))), INVALID)),
    unpacked(bomb("gRPC: a gzip that is none", |t| packed(t, vec![0xff; 1_000]), INVALID)),
    bomb("gRPC: a length of 1 GB", |t| body(t, |_| prefix(0, 1 << 30)), INVALID),
    bomb("gRPC: a length below the body's", |t| body(t, |_| lies(prefix(0, 10))), INVALID),
    bomb("gRPC: an unknown flag", |t| body(t, |_| lies(prefix(0xff, MANY))), INVALID),
    bomb("gRPC: a member beyond its message", |t| say(t, &[42, 100, 10]), INVALID),
    bomb("gRPC: a length of 2^64", |t| say(t, &overlong()), INVALID),
    bomb("gRPC: a number without end", |t| say(t, &vec![0xff; MEGA]), INVALID),
    bomb("gRPC: text that is none", |t| say(t, &part(b"\xff\xfe")), INVALID),
    dear(3, bomb("gRPC: a million unknown members", |t| say(t, &unknown(MEGA)), OK)),
    bomb("gRPC: groups of 100,000 levels", |t| say(t, &tag(99, GROUP).repeat(MANY)), INVALID),
    bomb("gRPC: lists of 100,000 levels", |t| say(t, &lists(MANY)), INVALID),
    bomb("gRPC: objects of 100,000 levels", |t| say(t, &objects(MANY)), INVALID),
    dear(3, bomb("gRPC: 100,000 parts", |t| say(t, &part(b"a").repeat(MANY)), INVALID)),
    // There is the message, and the JSON that is made of it.
    heavy(2, dear(4, bomb("gRPC: a million members", |t| say(t, &members(MEGA)), INVALID))),
    dear(2, bomb("gRPC: a message 100,000 times", |t| body(t, again), OK)),
];

/// Sends a message with these members, and says hello beside them where nothing else is said.
fn say<'t>(target: &'t Target, members: &[u8]) -> Act<'t> {
    let message = message(&[&part(b"hello")[..], members].concat());
    body(target, |package| {
        let send = package.send(&message);
        [prefix(0, send.len()), send].concat()
    })
}

fn body(target: &Target, body: impl Fn(Package) -> Vec<u8>) -> Act<'_> {
    let bodies = PACKAGES.map(|package| (package, body(package)));
    Box::pin(call(target, "identity", bodies))
}

fn packed(target: &Target, gzip: Vec<u8>) -> Act<'_> {
    let body = [prefix(1, gzip.len()), gzip].concat();
    Box::pin(call(target, "gzip", PACKAGES.map(|package| (package, body.clone()))))
}

async fn call(
    target: &Target,
    encoding: &str,
    bodies: [(Package, Vec<u8>); PACKAGES.len()],
) -> anyhow::Result<String> {
    let mut told = Vec::new();
    for (package, body) in bodies {
        let mut caller = Caller::open(target).await?;
        let answer =
            async { status(caller.call(package, "SendMessage", (encoding, body)).await?).await };
        told.push(timeout(PATIENCE, answer).await??);
    }
    let [one, other] = &told[..] else { unreachable!("an answer in each package") };
    ensure!(one == other, "status {one} in one package, and {other} in the other");
    Ok(told.swap_remove(0))
}

fn zeros(count: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let piece = vec![0; MEGA];
    for _ in 0..count / MEGA {
        encoder.write_all(&piece).expect("memory");
    }
    encoder.finish().expect("memory")
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn lies(prefix: Vec<u8>) -> Vec<u8> {
    [prefix, vec![0; MANY]].concat()
}

fn overlong() -> Vec<u8> {
    [tag(PARTS, 2), vec![0xff; 9], vec![1]].concat()
}

fn unknown(count: usize) -> Vec<u8> {
    [tag(99, VARINT), varint(1)].concat().repeat(count)
}

/// What is nested, made from the inside: each level stands before all within it, so the bytes are
/// gathered backwards.
fn nested(levels: usize, around: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut backwards = Vec::new();
    for _ in 0..levels {
        let mut before = around(backwards.len());
        before.reverse();
        backwards.extend(before);
    }
    backwards.reverse();
    backwards
}

/// Metadata with a member that is a list of a list of a list.
fn lists(levels: usize) -> Vec<u8> {
    // Value.list_value is 6, and ListValue.values 1.
    let list = nested(levels, |length| {
        let values = [tag(1, 2), varint(length as u64)].concat();
        let list = varint((values.len() + length) as u64);
        [tag(6, 2), list, values].concat()
    });
    member(METADATA, &entry("a", &list))
}

fn objects(levels: usize) -> Vec<u8> {
    // Value.struct_value is 5, Struct.fields 1, and the key and the value of an entry 1 and 2.
    let object = nested(levels, |length| {
        let value = [member(1, b"a"), tag(2, 2), varint(length as u64)].concat();
        let fields = [tag(1, 2), varint((value.len() + length) as u64)].concat();
        let object = varint((fields.len() + value.len() + length) as u64);
        [tag(5, 2), object, fields, value].concat()
    });
    member(METADATA, &entry("a", &object))
}

/// A member of an object.
fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    member(1, &[member(1, key.as_bytes()), member(2, value)].concat())
}

fn members(count: usize) -> Vec<u8> {
    // Value.bool_value is 4.
    let fields: Vec<u8> = (0..count).flat_map(|n| entry(&n.to_string(), &[32, 1])).collect();
    member(METADATA, &fields)
}

/// A member that is no list comes again and again: what it says is put together.
fn again(package: Package) -> Vec<u8> {
    let first = package.send(&message(&part(b"hello")));
    let send = [first, package.send(&message(&[])).repeat(MANY)].concat();
    [prefix(0, send.len()), send].concat()
}
