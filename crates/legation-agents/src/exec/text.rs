//! Programs that know no protocol: they read text and print text.
//!
//! A program that speaks the protocol says so before it reads anything. So a program of which
//! nothing is known gets the text, and when its first line says that it speaks the protocol, it is
//! started once more and gets lines. It could also be a caller's text that says so, repeated by
//! the program; therefore the second process gets nothing at all before it has greeted. And a text
//! that such a program could take for lines of the protocol is not written before it was seen what
//! the program says to an empty input.

use legation_core::{AgentError, Turn};
use legation_model::{Content, Message, Part};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout};

use super::bounds::Bounds;
use super::process::{House, Process};
use super::protocol::{self, Line};
use super::stderr::{self, Writer};
use crate::answer::Answer;

/// What a program turned out to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Text,
    Protocol,
}

/// The longest first line that may be a greeting.
const GREETING: usize = 1_000;

/// Whether a program that speaks the protocol could take some of the message's text for a line of
/// it. What ends a line differs from language to language, so no line is looked for.
pub(super) fn may_command(message: &Message) -> bool {
    input(message).contains('{')
}

/// Starts the program for a turn; what it writes to its error output goes to the log.
fn start(house: &House, turn: &Turn) -> Result<(Process, ChildStdin, ChildStdout), AgentError> {
    let started = Process::start(house, Some(turn.attempt()));
    let (process, pipes) = started.map_err(|reason| super::unusable(&reason))?;
    let silence = process.silence(house.settings.stop_grace);
    house.tasks.spawn(stderr::log(pipes.stderr, Writer::Task(turn.task().id), silence));
    Ok((process, pipes.stdin, pipes.stdout))
}

/// Finds out whether the program greets when its input is empty.
pub(super) async fn probe(
    house: &House,
    turn: &mut Turn,
    bounds: &mut Bounds,
) -> Result<Speaks, AgentError> {
    let (process, stdin, mut stdout) = start(house, turn)?;
    // At its end at once: a program that reads text would wait for ever.
    drop(stdin);
    let mut silence = std::pin::pin!(process.silence(house.settings.stop_grace));
    let mut printed = Printed::default();
    let greets = loop {
        let read = tokio::select! {
            biased;
            () = turn.stopped() => return super::stop(process).await,
            late = bounds.passed() => return Err(late),
            read = stdout.read_buf(&mut printed.bytes) => read.unwrap_or(0),
            () = &mut silence => 0,
        };
        if let Some(greets) = printed.greets(read == 0) {
            break greets;
        }
    };
    process.end();
    process.ended().await;
    bounds.heard(0)?;
    Ok(if greets { Speaks::Protocol } else { Speaks::Text })
}

/// Runs the program on the message's text. The task has its answer, unless the program greeted.
pub(super) async fn run(
    house: &House,
    turn: &mut Turn,
    bounds: &mut Bounds,
) -> Result<Speaks, AgentError> {
    let (process, stdin, stdout) = start(house, turn)?;
    let silence = process.silence(house.settings.stop_grace);
    house.tasks.spawn(write(stdin, input(turn.message()), silence));
    let silence = process.silence(house.settings.stop_grace);
    let outcome = read(turn, bounds, stdout, silence).await;
    match outcome {
        Ok(Some(mut answer)) => {
            let ended = tokio::select! {
                () = turn.stopped() => return super::stop(process).await,
                late = bounds.passed() => return Err(late),
                ended = process.ended() => ended,
            };
            if !ended.is_success {
                return Err(AgentError::failed(format!("the program {}", ended.how)));
            }
            answer.complete(turn, Vec::new()).await?;
            Ok(Speaks::Text)
        }
        Ok(None) => Ok(Speaks::Protocol),
        Err(AgentError::Stopped) => super::stop(process).await,
        Err(error) => Err(error),
    }
}

/// The text parts of a message; files that are text and data stand for text when there is none.
fn input(message: &Message) -> String {
    let text = message.text();
    if !text.is_empty() {
        return text;
    }
    let other = |part: &Part| match &part.content {
        Content::Raw(raw) => String::from_utf8(raw.decode()).ok(),
        Content::Data(data) => Some(data.as_str().to_owned()),
        Content::Text(_) | Content::Url(_) => None,
    };
    message.parts.iter().filter_map(other).collect::<Vec<_>>().join("\n")
}

async fn write(mut stdin: ChildStdin, text: String, silence: impl Future<Output = ()>) {
    // A program that does not read all of its input may have its reasons.
    tokio::select! {
        _ = stdin.write_all(text.as_bytes()) => {}
        () = silence => {}
    }
}

/// Streams what the program prints; `None` when it greets instead.
async fn read(
    turn: &mut Turn,
    bounds: &mut Bounds,
    mut stdout: ChildStdout,
    silence: impl Future<Output = ()>,
) -> Result<Option<Answer>, AgentError> {
    let mut silence = std::pin::pin!(silence);
    let (mut answer, mut printed) = (Answer::new(), Printed::default());
    let mut begun = false;
    loop {
        printed.bytes.reserve(64 << 10);
        let read = tokio::select! {
            biased;
            () = turn.stopped() => return Err(AgentError::Stopped),
            late = bounds.passed() => return Err(late),
            read = stdout.read_buf(&mut printed.bytes) => read.unwrap_or(0),
            () = &mut silence => 0,
        };
        bounds.heard(read as u64)?;
        if !begun {
            match printed.greets(read == 0) {
                Some(true) => return Ok(None),
                Some(false) => begun = true,
                None => continue,
            }
        }
        answer.stream(turn, printed.text(read == 0)).await?;
        if read == 0 {
            return Ok(Some(answer));
        }
    }
}

/// What was printed and not yet passed on.
#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    /// How many of the bytes were there at the last look.
    seen: usize,
    /// How many line breaks stood at their end then.
    breaks: usize,
}

impl Printed {
    /// Whether the first line is a greeting; `None` while that cannot be known.
    fn greets(&self, is_end: bool) -> Option<bool> {
        let may_greet = self.bytes.first().is_none_or(|byte| *byte == b'{');
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        match end {
            _ if !may_greet => Some(false),
            Some(end) => Some(matches!(protocol::read(&self.bytes[..end]), Ok(Line::Ready { .. }))),
            None if is_end || self.bytes.len() > GREETING => Some(false),
            None => None,
        }
    }

    /// Takes the text that is whole: without a character that was cut, and without line breaks at
    /// the end, which are no part of an answer when nothing follows.
    fn text(&mut self, is_end: bool) -> String {
        let new = &self.bytes[self.seen..];
        let breaks = new.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.breaks = if breaks == new.len() { self.breaks + breaks } else { breaks };
        let mut whole = self.bytes.len() - self.breaks;
        if !is_end && let Err(error) = std::str::from_utf8(&self.bytes[..whole]) {
            // Only what may become a character waits; what is none is replaced.
            if error.error_len().is_none() {
                whole = error.valid_up_to();
            }
        }
        let text = String::from_utf8_lossy(&self.bytes[..whole]).into_owned();
        self.bytes.drain(..whole);
        self.seen = self.bytes.len();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole_and_the_last_line_break_goes() {
        let mut printed = Printed::default();
        let mut all = Vec::new();
        for read in [&b"a\n"[..], b"\r\n", b"b\xc3", b"\xa4\xff", b"c\r\n", b"\n", b""] {
            printed.bytes.extend(read);
            all.push(printed.text(read.is_empty()));
        }
        assert_eq!(all, ["a", "", "\n\r\nb", "ä\u{fffd}", "c", "", ""]);
    }

    #[test]
    fn only_a_greeting_is_one() {
        let cases = [
            ("", false, None),
            ("", true, Some(false)),
            ("{", false, None),
            ("h", false, Some(false)),
            ("{\"type\":\"ready\"}\n", false, Some(true)),
            ("{\"type\":\"ready\"}", true, Some(false)),
            ("{\"type\":\"chunk\",\"text\":\"\"}\n", false, Some(false)),
            ("{\"a\":1}\n", false, Some(false)),
        ];
        for (text, is_end, expected) in cases {
            let printed = Printed { bytes: text.into(), ..Printed::default() };
            assert_eq!(printed.greets(is_end), expected, "{text}");
        }
    }
}
