//! Agents whose every step a test knows beforehand.

mod counter;
mod echo;
mod tck;
mod tck_0_3;

pub use counter::Counter;
pub use echo::Echo;
pub use tck::Tck;
pub use tck_0_3::Tck03;
