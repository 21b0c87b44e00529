//! What a traced server did to its database's files, read from the files that strace wrote.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// The calls that change a file or make it last.
const CALLS: &str = "pwrite64,pwritev,write,writev,lseek,ftruncate,fdatasync,fsync,openat,unlink,\
                     rename,fallocate";

/// The files that hold the database. Its shared index is rebuilt after a crash.
const FILES: [&str; 3] = ["legation.db", "legation.db-wal", "legation.db-journal"];

/// A change of a file, with the microseconds at which the call began and was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) begin: u64,
    pub(super) end: u64,
    /// The name of the file in the data directory.
    pub(super) file: String,
    pub(super) change: Change,
}

/// What a call did to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        length: usize,
    },
    /// What was written before lasts from now on.
    Sync,
    Remove,
}

/// The words before the server's own, with which it is traced into a directory.
pub(super) fn tracer(data: &Path, into: &Path) -> Vec<OsString> {
    // As a grandchild, so that the server stays our child; a file to a thread, so that no call is
    // broken in two.
    let mut words: Vec<OsString> = ["strace", "-D", "-ff", "-q", "-y", "-xx", "-ttt", "-T"]
        .into_iter()
        .map(OsString::from)
        .collect();
    words.extend(["-s".into(), "1000000".into(), "-e".into(), format!("trace={CALLS}").into()]);
    for file in FILES {
        words.extend(["-P".into(), data.join(file).into()]);
    }
    words.extend(["-o".into(), into.join("trace").into()]);
    words
}

/// Reads what all threads did, in the order in which it was done.
pub(super) fn read(directory: &Path) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        let text = fs::read_to_string(&path)?;
        let mut places = HashMap::new();
        for line in text.lines() {
            let step = step(line, &mut places);
            let short = || line.chars().take(200).collect::<String>();
            steps.extend(step.with_context(|| format!("cannot read `{}`", short()))?);
        }
    }
    steps.sort_by_key(|step: &Step| step.end);
    Ok(steps)
}

/// Whether every thread's file says how the thread ended.
pub(super) fn is_complete(directory: &Path) -> anyhow::Result<bool> {
    let mut complete = true;
    for file in fs::read_dir(directory)? {
        let text = fs::read(file?.path())?;
        complete &= text.ends_with(b"+++\n");
    }
    Ok(complete)
}

/// Reads a line; `None` when it changes no file of the database. `places` holds where the next
/// plain write goes in each open file.
fn step(line: &str, places: &mut HashMap<String, usize>) -> anyhow::Result<Option<Step>> {
    let Some((at, call)) = line.split_once(' ') else { return Ok(None) };
    if call.starts_with(['+', '-']) {
        return Ok(None);
    }
    let (name, rest) = call.split_once('(').context("no call")?;
    let (arguments, outcome) = rest.rsplit_once(" = ").context("no outcome")?;
    let result = outcome.split(['<', ' ']).next().unwrap_or_default();
    // A call that the kill broke off has no result, and one that failed did nothing.
    let Ok(result) = result.parse::<usize>() else { return Ok(None) };
    let took = outcome.rsplit_once(" <").context("no duration")?.1;
    let arguments: Vec<&str> = arguments.trim_end_matches(')').split(", ").collect();
    let Some(file) = file(name, &arguments)? else { return Ok(None) };
    let begin = micros(at)?;
    let end = begin + micros(took.trim_end_matches('>'))?;
    let change = match (name, arguments.as_slice()) {
        ("openat", _) | ("rename", _) => return Ok(None),
        ("lseek", _) => {
            places.insert(file, result);
            return Ok(None);
        }
        ("pwrite64", [_, bytes, _, offset]) => {
            Change::Write { offset: offset.parse()?, bytes: written(bytes, result)? }
        }
        ("write", [_, bytes, _]) => {
            let place = places.entry(file.clone()).or_default();
            let offset = std::mem::replace(place, *place + result);
            Change::Write { offset, bytes: written(bytes, result)? }
        }
        ("ftruncate", [_, length]) => Change::Truncate { length: length.parse()? },
        ("fdatasync" | "fsync", _) => Change::Sync,
        ("unlink", _) => Change::Remove,
        _ => bail!("a call that the simulation does not know"),
    };
    Ok(Some(Step { begin, end, file, change }))
}

/// The file of the database that a call is about.
fn file(name: &str, arguments: &[&str]) -> anyhow::Result<Option<String>> {
    let first = arguments.first().context("no arguments")?;
    let path = match name {
        "unlink" => unquote(first)?,
        "openat" | "rename" => return Ok(None),
        _ => {
            let path = first.split_once('<').context("no path")?.1;
            unescape(path.trim_end_matches('>'))?
        }
    };
    let path = String::from_utf8(path).context("a path that is no text")?;
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(FILES.contains(&name).then(|| name.to_owned()))
}

fn written(quoted: &str, count: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = unquote(quoted)?;
    if bytes.len() < count {
        bail!("{} of {count} bytes are in the trace", bytes.len());
    }
    bytes.truncate(count);
    Ok(bytes)
}

fn unquote(quoted: &str) -> anyhow::Result<Vec<u8>> {
    let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unescape(text.context("not quoted")?)
}

/// Reads bytes of the form `\x2f\x77`.
fn unescape(text: &str) -> anyhow::Result<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let byte = |escape: &[u8]| match escape {
        [b'\\', b'x', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(4).map(byte).collect();
    bytes.context("not in hexadecimal")
}

/// Reads seconds with six decimals.
fn micros(text: &str) -> anyhow::Result<u64> {
    let (seconds, micros) = text.split_once('.').with_context(|| format!("no time: `{text}`"))?;
    Ok(seconds.parse::<u64>()? * 1_000_000 + micros.parse::<u64>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes text as strace -xx does.
    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    fn read(lines: &[String]) -> Vec<Step> {
        let mut places = HashMap::new();
        let steps = lines.iter().map(|line| step(line, &mut places).expect("a line of strace"));
        steps.flatten().collect()
    }

    #[test]
    fn lines_become_steps() {
        let wal = format!("7<{}>", hex("/d/legation.db-wal"));
        let text = hex("abc");
        let lines = [
            format!("10.000001 pwrite64({wal}, \"{text}\", 3, 32) = 3 <0.000004>"),
            format!("10.000010 lseek({wal}, 8, SEEK_SET) = 8 <0.000001>"),
            format!("10.000020 write({wal}, \"{text}\", 3) = 2 <0.000001>"),
            format!("10.000030 write({wal}, \"{text}\", 3) = 3 <0.000001>"),
            format!("10.000040 fdatasync({wal}) = 0 <0.000500>"),
            format!("10.000050 fdatasync({wal}) = -1 EIO (Input/output error) <0.000500>"),
            format!("10.000060 ftruncate({wal}, 0) = 0 <0.000001>"),
            format!("10.000070 unlink(\"{}\") = 0 <0.000001>", hex("/d/legation.db-journal")),
            format!("10.000080 write(1<{}>, \"{text}\", 3) = 3 <0.000001>", hex("/dev/null")),
            format!("10.000085 pwrite64({wal}, \"{text}\", 3, 32) = ?"),
            "10.000090 +++ killed by SIGKILL +++".into(),
        ];
        let write = |offset, text: &str| Change::Write { offset, bytes: text.into() };
        let changes: Vec<_> = read(&lines).into_iter().map(|step| step.change).collect();
        let expected = [
            write(32, "abc"),
            write(8, "ab"),
            write(10, "abc"),
            Change::Sync,
            Change::Truncate { length: 0 },
            Change::Remove,
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_step_says_when_it_began_and_ended() {
        let line = format!("10.000001 fsync(7<{}>) = 0 <0.000004>", hex("/d/legation.db"));
        let [step] = read(&[line]).try_into().expect("one step");
        assert_eq!((step.begin, step.end, &*step.file), (10_000_001, 10_000_005, "legation.db"));
    }
}
