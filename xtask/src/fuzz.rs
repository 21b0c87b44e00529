//! The fuzz loop over the decoders, for as long as one likes.

use std::time::{Duration, Instant};

/// Inputs between two looks at the clock.
const ROUND: u64 = 10_000;

/// How long to fuzz and where to begin.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FuzzArgs {
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The number of the first input; each number is one input, the same every time
    #[arg(long, default_value_t = 1_000_000)]
    first: u64,
}

/// Fuzzes until the time is over; an input that breaks a law ends the process with a panic.
pub(crate) fn run(args: &FuzzArgs) {
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut next = args.first;
    while Instant::now() < until {
        legation_testkit::fuzz::run(next, ROUND);
        next += ROUND;
    }
    println!("{} inputs from number {}, no failure", next - args.first, args.first);
}
