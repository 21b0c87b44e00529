//! One run on a worker: the program and the turn take their turns.

use legation_core::{AgentError, Turn};

use super::bounds::Bounds;
use super::worker::{Batch, Seat};
use crate::answer::{Answer, Goes};
use crate::said::Unfit;

/// How a conversation ended.
pub(super) enum End {
    /// The program has said its last word.
    Done,
    /// Its answer is not what the caller's schema asks for.
    Unfit(Unfit),
    /// The process ended before, in this way.
    Lost(String),
}

enum Heard {
    Batch(Option<Batch>),
    Further(legation_model::Message),
    Late(AgentError),
}

/// Lets the program work on the turn until it has said its last word.
pub(super) async fn converse(
    seat: &mut Seat,
    turn: &mut Turn,
    answer: &mut Answer,
    bounds: &mut Bounds,
) -> Result<End, AgentError> {
    loop {
        let heard = tokio::select! {
            // A program that floods us must not keep us from hearing anybody else.
            biased;
            () = turn.stopped() => return Err(AgentError::Stopped),
            late = bounds.passed() => Heard::Late(late),
            batch = seat.hear() => Heard::Batch(batch),
            further = turn.next_message() => Heard::Further(further?),
        };
        match heard {
            Heard::Late(reason) => return Err(reason),
            Heard::Further(message) => seat.further(&message),
            Heard::Batch(None) => return Ok(End::Lost(seat.lost().await)),
            Heard::Batch(Some(batch)) => {
                bounds.heard(batch.bytes)?;
                for said in batch.said {
                    let said =
                        said.map_err(|fault| AgentError::Failed(format!("the program {fault}")))?;
                    if said.is_last() {
                        seat.done();
                    }
                    // Nobody needs a copy where nothing can be unfit.
                    let offered = turn.schema().map(|_| answer.offered(&said)).unwrap_or_default();
                    match answer.take(turn, said).await {
                        Ok(Goes::On) => {}
                        Ok(Goes::Done) => return Ok(End::Done),
                        Err(AgentError::Unfit(reason)) => {
                            return Ok(End::Unfit(Unfit { reason, answer: offered }));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}
