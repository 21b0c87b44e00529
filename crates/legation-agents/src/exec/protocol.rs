//! The lines of the protocol, as `docs/exec.md` describes them.

use legation_core::Turn;
use legation_model::Message;
use serde::Serialize;

use crate::history::of_own;
use crate::said::{Kind, Members, Said, Unfit, Work};

/// What a program is told of a run at work.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told<'a> {
    /// The caller said more while the run is at work.
    Further { run: u64, text: String, message: &'a Message },
    /// Nobody waits for the run any more.
    Cancel { run: u64 },
}

/// How the line begins with which a run does.
pub(super) const MESSAGE: &[u8] = br#"{"type":"message""#;

/// What a run begins with beside its turn.
pub(super) struct Brief {
    /// What was said in other tasks, oldest first.
    pub(super) earlier: Vec<Message>,
    /// The answer that did not do, when it is another try.
    pub(super) unfit: Option<Unfit>,
}

/// Writes the line with which a run begins.
pub(super) fn begin(run: u64, turn: &Turn, brief: &Brief, out: &mut Vec<u8>) {
    let task = turn.task();
    let mut history = brief.earlier.clone();
    history.extend(of_own(turn, &task));
    line(&Work::of(Some(run), turn, &task, &history, brief.unfit.as_ref()), out);
}

impl Told<'_> {
    /// Adds the line to others.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        line(self, out);
    }
}

fn line(told: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, told).expect("texts and maps with text keys are JSON");
    out.push(b'\n');
}

/// What a run hears of its program; else why that makes no sense.
pub(super) type Heard = Result<Said, String>;

/// One line of the program.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// It speaks the protocol and waits for work, so much of it at once; and whether it takes
    /// answers back that did not do.
    Ready { concurrency: Option<usize>, unfit: bool },
    /// Something about a run; one that is not named is the only one.
    Of(Option<u64>, Heard),
}

/// The version of the protocol that is spoken here.
pub(super) const PROTOCOL: u32 = 1;

/// Reads a line; an error says what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Line, String> {
    let members: Members = serde_json::from_slice(line).map_err(|error| {
        let kind = if error.is_data() { "is not of the protocol" } else { "is not JSON" };
        format!("wrote a line that {kind}: {error}")
    })?;
    if members.kind == Kind::Ready {
        return match members.protocol {
            None | Some(PROTOCOL) => {
                Ok(Line::Ready { concurrency: members.concurrency, unfit: members.unfit })
            }
            Some(other) => Err(format!("speaks version {other} of the protocol, not {PROTOCOL}")),
        };
    }
    let run = members.run;
    Ok(Line::Of(run, members.said().map_err(|fault| format!("wrote {fault}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        match read(line.as_bytes()) {
            Ok(Line::Ready { concurrency, unfit }) => format!("ready {concurrency:?} {unfit}"),
            Ok(Line::Of(run, Err(fault))) => format!("{run:?} broken: {fault}"),
            Ok(Line::Of(run, Ok(Said::Complete(parts)))) => {
                format!("{run:?} complete {}", parts.len())
            }
            Ok(Line::Of(run, Ok(said))) => format!("{run:?} {said:?}"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn every_line_is_read_or_refused_with_a_reason() {
        let cases = [
            (r#"{"type":"ready"}"#, "ready None false"),
            (r#"{"type":"ready","protocol":1,"concurrency":8,"new":1}"#, "ready Some(8) false"),
            (r#"{"type":"ready","unfit":true}"#, "ready None true"),
            (r#"{"type":"ready","protocol":2}"#, "speaks version 2 of the protocol, not 1"),
            (r#"{"type":"status","run":1}"#, "Some(1) Status(None)"),
            (
                r#"{"run":7,"type":"chunk","text":"a","last":true}"#,
                "Some(7) Chunk { artifact: None, text: \"a\", last: true }",
            ),
            (r#"{"type":"chunk"}"#, "None broken: wrote a `chunk` without `text`"),
            (
                r#"{"type":"chunk","artifact":"","text":"a"}"#,
                "None broken: wrote an id of an artifact that must not be empty",
            ),
            (
                r#"{"type":"artifact","run":1}"#,
                "Some(1) broken: wrote an `artifact` without `text`, `data` or `parts`",
            ),
            (
                r#"{"type":"complete","text":"a","data":null,"parts":[{"text":"b"}]}"#,
                "None complete 3",
            ),
            (r#"{"type":"failure","text":"no"}"#, "None Failure(\"no\")"),
            (r#"{"type":"usage","data":{"tokens":3}}"#, "None Usage({\"tokens\":3})"),
        ];
        for (line, expected) in cases {
            assert_eq!(said(line), expected, "{line}");
        }
        let broken = [
            (r#"{"type":"#, "wrote a line that is not JSON: "),
            ("hello", "wrote a line that is not JSON: "),
            (r#"{"type":"dance"}"#, "wrote a line that is not of the protocol: unknown variant"),
            (r#"{"run":1}"#, "wrote a line that is not of the protocol: missing field `type`"),
            (r#"{"type":"status","run":-1}"#, "wrote a line that is not of the protocol: "),
        ];
        for (line, expected) in broken {
            let got = said(line);
            assert!(got.starts_with(expected), "{line}: {got}");
        }
    }
}
