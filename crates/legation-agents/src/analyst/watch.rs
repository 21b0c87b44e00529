//! Between the analysis, which keeps a thread busy, and the run it works for: notes on progress in
//! one direction, the wish to stop in the other.

use tokio::sync::mpsc;

use super::bad_data::{BadData, Place};

/// Says how far the work is, and asks whether anybody still wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Option<mpsc::Sender<String>>);

/// How many notes may wait; further ones are dropped, since newer ones say more.
const NOTES: usize = 4;

impl Watch {
    /// A watch and where its notes arrive. Dropping the receiver stops the work.
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(NOTES);
        (Self(Some(sender)), receiver)
    }

    /// Says what is being done.
    pub(crate) fn note(&self, note: impl FnOnce() -> String) {
        if let Some(sender) = &self.0 {
            // Nobody is held up by a reader that is slow.
            let _ = sender.try_send(note());
        }
    }

    /// Goes on, unless nobody waits for the result any more.
    pub(crate) fn go_on(&self, source: &str) -> Result<(), BadData> {
        if self.0.as_ref().is_some_and(mpsc::Sender::is_closed) {
            // Nobody reads this: whoever would has gone away.
            return Err(BadData::new(source, Place::Whole, "the work was stopped", "Ask again"));
        }
        Ok(())
    }
}
