//! What an answer is, whatever version it is written in.

/// What a 1.0 document that answers a call holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A `Task`, as the answer of a send (Spec 3.2.3).
    SentTask,
    /// A `Message`, as the answer of a send (Spec 3.2.3).
    SentMessage,
    /// A `Task`.
    Task,
    /// A page of tasks.
    Tasks,
    /// An `AgentCard`, for one caller.
    Card,
    /// A `StreamResponse`, one item of a stream (Spec 3.2.3).
    Item,
}
