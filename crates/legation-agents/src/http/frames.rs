//! An answer that comes in pieces: events of a stream, or lines.

use std::collections::VecDeque;

use legation_net::Response;
use legation_wire::sse::{Frame, Reader};

use super::fault::Fault;

/// One event or line.
const MAX_BYTES: usize = 4 << 20;

/// Takes an answer apart, whichever way it is put together.
#[derive(Debug)]
pub(super) struct Frames {
    response: Response,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Events(Reader),
    Lines { ready: VecDeque<String>, rest: Vec<u8> },
}

/// What an answer is by its media type.
#[derive(Debug)]
pub(super) enum Answered {
    Stream(Frames),
    Whole(Response),
}

impl Answered {
    pub(super) fn of(response: Response) -> Self {
        let form = match &*response.media_type() {
            "text/event-stream" => Form::Events(Reader::new(MAX_BYTES)),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Form::Lines { ready: VecDeque::new(), rest: Vec::new() },
            _ => return Self::Whole(response),
        };
        Self::Stream(Frames { response, form })
    }
}

impl Frames {
    /// All that has arrived of it since, waiting for something to arrive; `None` at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>, Fault> {
        loop {
            let Some(piece) = self.response.chunk().await? else { return self.form.rest() };
            let found = self.form.push(&piece)?;
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
    }
}

impl Form {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, Fault> {
        match self {
            Self::Events(reader) => {
                reader.push(bytes).map_err(|large| Fault::Unreadable(large.to_string()))?;
                let frames = std::iter::from_fn(|| reader.pop());
                Ok(frames
                    .filter_map(|frame| match frame {
                        Frame::Event(event) => Some(event.data),
                        Frame::Activity => None,
                    })
                    .collect())
            }
            Self::Lines { ready, rest } => {
                for byte_line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    rest.extend_from_slice(byte_line);
                    if rest.len() > MAX_BYTES {
                        let text = format!("a line is larger than {MAX_BYTES} bytes");
                        return Err(Fault::Unreadable(text));
                    }
                    if rest.ends_with(b"\n") {
                        ready.extend(line(&std::mem::take(rest))?);
                    }
                }
                Ok(ready.drain(..).collect())
            }
        }
    }

    /// What stands behind the last line break. An event that was not ended is none.
    fn rest(&mut self) -> Result<Option<Vec<String>>, Fault> {
        match self {
            Self::Events(_) => Ok(None),
            Self::Lines { rest, .. } => Ok(line(&std::mem::take(rest))?.map(|line| vec![line])),
        }
    }
}

/// A line as text; none when it is empty.
fn line(bytes: &[u8]) -> Result<Option<String>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Unreadable("not UTF-8".into()))?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
