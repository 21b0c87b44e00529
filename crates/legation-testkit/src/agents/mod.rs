//! Agents whose every step a test knows beforehand.

mod counter;
mod echo;
mod tck;

pub use counter::Counter;
pub use echo::Echo;
pub use tck::Tck;
