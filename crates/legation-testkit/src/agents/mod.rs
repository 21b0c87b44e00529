//! Agents whose every step a test knows beforehand.

mod counter;
mod echo;
mod tck;
mod tck_0_3;
mod versatile;

pub use counter::{COUNTED, Counter};
pub use echo::Echo;
pub use tck::Tck;
pub use tck_0_3::Tck03;
pub use versatile::{Versatile, everything};
