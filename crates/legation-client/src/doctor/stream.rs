//! Says something and follows the stream of what happens, event by event as it comes.

use std::time::Duration;

use legation_model::{A2aError, ErrorKind, Request, StreamResponse, TaskState};
use legation_net::Response;
use legation_wire::fault;
use legation_wire::grpc::frame;
use legation_wire::speech::NoResult;
use legation_wire::sse::{self, Frame};
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{Answer, words};
use super::checks::{ENDS, EVENTS, FINAL, FIRST, HEARTBEATS, ONE_TASK, STREAM_TYPE, STREAMING};
use super::heard::{Opened, Refusal};
use super::interface::denied;
use super::line::Line;
use super::message::hello;
use super::reach::Arrival;
use super::{Checked, Notes, Plan, Reader, excerpt, spent};
use crate::transport::grpc_status;
use crate::{Binding, Version};

/// How long an agent may take to close a stream after its last event.
const LINGER: Duration = Duration::from_secs(5);
/// One event, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// A stream as it came.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) items: Vec<StreamResponse>,
    pub(super) answer: Answer,
    /// What each status said of being the last one, where that is seen.
    finals: Vec<Option<bool>>,
    /// An event that is not of the protocol, or not in one line.
    oddity: Option<String>,
    /// The longest silence, and the signs of life between events.
    silence: Duration,
    signs: usize,
    lived: Duration,
    end: End,
}

/// How a stream ended.
#[derive(Debug)]
enum End {
    Closed,
    /// It says so itself.
    Failed(A2aError),
    Broken(String),
    /// It was still open when the time was up.
    Open,
}

/// Says the plan's text, and judges the stream.
pub(super) async fn examine(notes: &mut Notes<'_>, arrival: &Arrival, line: &Line, plan: &Plan) {
    let declared = arrival.card().capabilities.streaming == Some(true);
    let opened = line.open(&mut Request::SendStreamingMessage(hello(plan))).await;
    let checked = match opened {
        Ok(Opened::Stream(response)) => {
            let media_type = response.media_type();
            let course = follow(line, response, |_| false).await;
            match course.refusal().filter(|_| course.items.is_empty()) {
                // Some begin the stream before they look.
                Some(error) => refused(&Refusal::Error(error.clone(), None), declared),
                None => {
                    note(notes, line, declaration(declared));
                    note(notes, line, STREAM_TYPE.passed(format!("it is `{media_type}`")));
                    return judge(notes, line, &course, plan);
                }
            }
        }
        Ok(Opened::Whole(heard, _)) if heard.is_denied() => STREAMING.skipped(denied(line, &heard)),
        Ok(Opened::Whole(heard, media_type)) => match (&heard.result, declared) {
            (Ok(_), true) => {
                STREAM_TYPE.failed(format!("the answer to a stream is `{}`", excerpt(&media_type)))
            }
            (Ok(_), false) => STREAMING.warned("the card offers no streams, and the agent answers"),
            (Err(refusal), _) => refused(refusal, declared),
        },
        Err(trouble) => STREAMING.failed(trouble.to_string()),
    };
    note(notes, line, checked);
}

fn refused(refusal: &Refusal, declared: bool) -> Checked {
    let is_known = matches!(refusal, Refusal::Error(error, _)
        if error.kind == ErrorKind::UnsupportedOperation);
    match (declared, is_known) {
        (true, _) => {
            STREAMING.failed(format!("the card offers streams, and the agent says {refusal}"))
        }
        (false, true) => {
            STREAMING.passed(format!("the card offers no streams, and the agent says {refusal}"))
        }
        (false, false) => STREAMING.warned(format!("streams are refused with {refusal}")),
    }
}

fn note(notes: &mut Notes<'_>, line: &Line, checked: Checked) {
    notes.add(checked.among(line.readers()).at(&*line.at));
}

fn declaration(declared: bool) -> Checked {
    if declared {
        return STREAMING.passed("the card offers streams, and the agent has them");
    }
    STREAMING.warned("the card offers no streams, and the agent has them: clients will not ask")
}

/// Reads a stream until it ends, its task does, or enough was seen.
pub(super) async fn follow(
    line: &Line,
    mut response: Response,
    is_enough: impl Fn(&Course) -> bool,
) -> Course {
    let mut course = Course {
        items: Vec::new(),
        answer: Answer::default(),
        finals: Vec::new(),
        oddity: None,
        silence: Duration::ZERO,
        signs: 0,
        lived: Duration::ZERO,
        end: End::Open,
    };
    let mut reader = match line.endpoint.binding() {
        Binding::Grpc => Pieces::Messages(frame::Reader::new(MAX_BYTES)),
        Binding::JsonRpc | Binding::HttpJson => Pieces::Events(sse::Reader::new(MAX_BYTES)),
    };
    let (since, mut last) = (Instant::now(), Instant::now());
    while !is_enough(&course) {
        let is_over = course.answer.is_settled();
        let piece = match is_over {
            true => tokio::time::timeout(LINGER, response.chunk()).await,
            false => Ok(response.chunk().await),
        };
        // Who waits for the end of the response waits for nothing that is said.
        if !is_over {
            course.silence = course.silence.max(last.elapsed());
        }
        last = Instant::now();
        match piece {
            Err(_) | Ok(Err(legation_net::Error::Slow(_))) => break,
            Ok(Err(error)) => {
                course.end = End::Broken(excerpt(&error.to_string()));
                break;
            }
            Ok(Ok(None)) => {
                course.end = end(line, &response);
                break;
            }
            Ok(Ok(Some(piece))) => {
                if let Err(end) = course.take(line, &mut reader, &piece) {
                    course.end = end;
                    break;
                }
            }
        }
    }
    course.lived = since.elapsed();
    course
}

/// What the end of the body says.
fn end(line: &Line, response: &Response) -> End {
    let status = response.trailers().and_then(grpc_status).filter(|status| status.code != 0);
    match status {
        Some(status) => End::Failed(fault::read_grpc(line.endpoint.version(), &status)),
        None => End::Closed,
    }
}

/// What makes events of pieces.
#[derive(Debug)]
enum Pieces {
    Events(sse::Reader),
    Messages(frame::Reader),
}

impl Course {
    /// The error by which it ended.
    pub(super) const fn refusal(&self) -> Option<&A2aError> {
        match &self.end {
            End::Failed(error) => Some(error),
            End::Closed | End::Broken(_) | End::Open => None,
        }
    }

    fn take(&mut self, line: &Line, reader: &mut Pieces, piece: &[u8]) -> Result<(), End> {
        match reader {
            Pieces::Messages(reader) => {
                reader.push(piece);
                while let Some(message) =
                    reader.pop().map_err(|fault| End::Broken(fault.to_string()))?
                {
                    self.read(line, message)?;
                }
            }
            Pieces::Events(reader) => {
                reader.push(piece).map_err(|fault| End::Broken(fault.to_string()))?;
                while let Some(frame) = reader.pop() {
                    match frame {
                        Frame::Event(event) if !event.data.trim().is_empty() => {
                            if event.data.contains('\n') {
                                let seen = "an event is in several `data:` lines";
                                self.oddity.get_or_insert_with(|| seen.into());
                            }
                            self.note_final(line, &event.data);
                            self.read(line, event.data.as_bytes())?;
                        }
                        Frame::Event(_) | Frame::Activity => self.signs += 1,
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, line: &Line, data: &[u8]) -> Result<(), End> {
        let known = self.items.len();
        match line.endpoint.speech.read_items(data, &mut self.items) {
            Ok(()) => {
                self.items[known..].iter().for_each(|item| self.answer.hear(item));
                Ok(())
            }
            Err(NoResult::Error(error)) => Err(End::Failed(error)),
            Err(NoResult::Nonsense(reason)) => {
                self.oddity.get_or_insert_with(|| excerpt(&reason));
                Ok(())
            }
        }
    }

    /// Keeps what a status of JSON-RPC before 1.0 says of being the last one.
    fn note_final(&mut self, line: &Line, data: &str) {
        let is_older = line.endpoint.version() != Version::V1_0;
        if !is_older || line.endpoint.binding() != Binding::JsonRpc {
            return;
        }
        let json: Value = serde_json::from_str(data).unwrap_or_default();
        let result = &json["result"];
        if result["kind"] == "status-update" || result.get("final").is_some() {
            self.finals.push(result["final"].as_bool());
        }
    }
}

fn judge(notes: &mut Notes<'_>, line: &Line, course: &Course, plan: &Plan) {
    if line.endpoint.version() == Version::V1_0 {
        note(
            notes,
            line,
            match course.items.first() {
                Some(StreamResponse::Task(_)) => FIRST.passed("it is the task"),
                Some(StreamResponse::Message(_)) => FIRST.passed("it is a message"),
                Some(StreamResponse::StatusUpdate(_)) => FIRST.failed("it is a status"),
                Some(StreamResponse::ArtifactUpdate(_)) => FIRST.failed("it is an artifact"),
                None => FIRST.failed("there is no event"),
            },
        );
    }
    note(
        notes,
        line,
        match &course.oddity {
            Some(oddity) => EVENTS.failed(oddity.clone()),
            None => EVENTS.passed(format!("{} events", course.items.len())),
        },
    );
    note(notes, line, ended(course));
    if !course.finals.is_empty() {
        note(notes, line, finals(course));
    }
    if line.readers().contains(&Reader::CrewAi) {
        note(
            notes,
            line,
            match course.answer.tasks {
                0 | 1 => ONE_TASK.passed("there is none"),
                tasks => ONE_TASK.failed(format!("the task comes {tasks} times")),
            },
        );
    }
    note(notes, line, heartbeats(line, course, plan));
}

fn ended(course: &Course) -> Checked {
    let (answer, lived) = (&course.answer, spent(course.lived));
    let is_terminal = answer.is_message || answer.state.is_some_and(TaskState::is_terminal);
    let state = answer.state.map_or_else(|| "unknown".to_owned(), words);
    match &course.end {
        End::Failed(error) => {
            ENDS.failed(format!("it ends with {:?}: {}", error.kind, excerpt(&error.message)))
        }
        End::Broken(reason) => ENDS.failed(format!("it broke: {reason}")),
        End::Closed if answer.is_settled() => ENDS.passed(format!("after {lived}, {state}")),
        End::Closed => ENDS.failed(format!("it closed after {lived}, when the task was {state}")),
        End::Open if is_terminal => {
            ENDS.failed(format!("it was open {} s after the end of the task", LINGER.as_secs()))
        }
        End::Open if answer.is_settled() => ENDS.passed(format!("it stays open, {state}")),
        End::Open => {
            ENDS.skipped(format!("it was still going after {lived}; give a longer --timeout"))
        }
    }
}

fn finals(course: &Course) -> Checked {
    let (last, before) = course.finals.split_last().expect("it was looked at that there are some");
    if course.finals.contains(&None) {
        return FINAL.failed("a status does not say whether it is `final`");
    }
    match (before.contains(&Some(true)), *last == Some(true)) {
        (false, true) => FINAL.passed("the last status is, and no other"),
        (true, _) => FINAL.failed("a status is `final`, and others follow"),
        (false, false) if matches!(course.end, End::Open) => {
            FINAL.skipped("the stream was still going")
        }
        (false, false) => FINAL.failed("the last status is not"),
    }
}

fn heartbeats(line: &Line, course: &Course, plan: &Plan) -> Checked {
    let (silence, allowed) = (spent(course.silence), spent(plan.silence));
    if line.is_grpc() {
        return HEARTBEATS.skipped("gRPC has no signs of life but those of its connection");
    }
    if course.silence >= plan.silence {
        return HEARTBEATS.failed(format!("it was silent for {silence}"));
    }
    if course.signs > 0 {
        return HEARTBEATS.passed(format!("it was silent for {silence} at most"));
    }
    let lived = spent(course.lived);
    HEARTBEATS.skipped(format!(
        "none seen in {lived}: a text that keeps the agent quiet for {allowed} would tell"
    ))
}
