//! The bell: by which replicas that share a store tell each other that there is something to look at.
//!
//! It is a hint. What was rung may be heard late, twice or not at all; whoever hears it looks into the
//! store, and everybody looks there now and then anyway.

use async_trait::async_trait;

use crate::store::{Replica, Seq, TaskKey};

/// What is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A task has this event.
    Grown(TaskKey, Seq),
    /// There is a letter for this replica.
    Letter(Replica),
    /// A replica has gone, and leaves to the others what it was at work on.
    Gone,
    /// Runs wait at this replica that others may take.
    Queued(Replica),
    /// Something may not have been heard.
    Missed,
}

/// Carries [`News`] between replicas.
#[async_trait]
pub trait Bell: Send + Sync + 'static {
    /// Rings for the others. It returns at once; what is rung close together goes together.
    fn ring(&self, news: News);

    /// What another one rings next. One task listens.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    async fn heard(&self) -> News;
}
