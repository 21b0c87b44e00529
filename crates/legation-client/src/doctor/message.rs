//! Says something and waits for the outcome.

use legation_model::{Message, Part, Request, Role, SendMessageRequest, StreamResponse};
use legation_wire::reply::Streamed;
use tokio::time::Instant;

use super::answer::Answer;
use super::checks::{SEND, SETTLED};
use super::heard::Refusal;
use super::interface::denied;
use super::line::{Caller, Line};
use super::{Notes, Plan, spent};

/// What is said.
pub(super) fn hello(plan: &Plan) -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text(plan.text.clone())]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

/// Says the plan's text.
pub(super) async fn examine(notes: &mut Notes<'_>, line: &Line, plan: &Plan) {
    let since = Instant::now();
    let heard = line.ask(&mut Request::SendMessage(hello(plan)), Caller::Known).await;
    let checked = match heard {
        Ok(heard) if heard.is_denied() && line.is_known() => {
            let remedy = "give credentials that the agent takes, and that may send messages";
            SEND.failed(denied(line, &heard)).fix(remedy)
        }
        Ok(heard) if heard.is_denied() => SEND.skipped(denied(line, &heard)),
        Ok(heard) => match heard.result.and_then(|document| read(&document)) {
            Ok(item) => {
                let answer = Answer::of(&item);
                let mut checked = answer.outcome();
                checked.seen = format!("{} ({})", checked.seen, spent(since.elapsed()));
                notes.add(checked.among(line.readers()).at(&*line.at));
                notes.add(settled(&answer).among(line.readers()).at(&*line.at));
                return answer.judge(notes, line);
            }
            Err(refusal) => SEND.failed(refusal.to_string()),
        },
        Err(trouble) => SEND.failed(trouble.to_string()),
    };
    notes.add(checked.among(line.readers()).at(&*line.at));
}

fn settled(answer: &Answer) -> super::Checked {
    if answer.is_settled() {
        return SETTLED.passed("it does");
    }
    let state = answer.state.map(super::answer::words).unwrap_or_default();
    SETTLED.warned(format!("the answer came while the task was {state}"))
}

/// The task or the message in an answer.
pub(super) fn read(document: &[u8]) -> Result<StreamResponse, Refusal> {
    let read = serde_json::from_slice(document).map(|Streamed(item)| item);
    read.map_err(|fault| Refusal::Nonsense(fault.to_string()))
}
