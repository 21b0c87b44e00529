//! Plan `bombs`: requests made to cost much or to confuse. Each gets the right answer at a bounded
//! price in processor time and memory, and the server goes on.

mod grpc;
mod http1;
mod http2;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use legation::Bounds;

use super::target::{Form, Target};
use super::{Outcome, Setup};

/// Processor time that a bomb may cost. What was not made for speed is slower.
const CPU: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });

/// What is counted comes in steps, and a server at rest counts on.
const CPU_STEP: Duration = Duration::from_millis(20);

/// Memory that a bomb may cost at its height: twice what the bounds let a body have, and some pages.
const MEMORY_SLACK: u64 = 8 << 20;

type Act<'t> = Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send + 't>>;

/// A bomb: its name, what it does, and what it should come to.
pub(super) struct Bomb {
    name: &'static str,
    act: for<'t> fn(&'t Target) -> Act<'t>,
    /// Answers that are right, each by its beginning.
    right: &'static [&'static str],
    /// How often its price may be that of others, because it sends that much, or to both packages.
    price: u32,
    /// How often its memory may be that of others, because it is work that the server takes on.
    memory: u64,
    /// Whether it waits for a bound that is too long for every commit.
    is_long: bool,
    /// Whether it is for a server that unpacks messages, and for no other.
    is_unpacked: bool,
}

const fn bomb(
    name: &'static str,
    act: for<'t> fn(&'t Target) -> Act<'t>,
    right: &'static [&'static str],
) -> Bomb {
    Bomb { name, act, right, price: 1, memory: 1, is_long: false, is_unpacked: false }
}

/// The same, which may cost so many times as much.
const fn dear(price: u32, bomb: Bomb) -> Bomb {
    Bomb { price, ..bomb }
}

/// The same, which may take so many times as much memory.
const fn heavy(memory: u64, bomb: Bomb) -> Bomb {
    Bomb { memory, ..bomb }
}

/// The same, for a server that unpacks messages.
const fn unpacked(bomb: Bomb) -> Bomb {
    Bomb { is_unpacked: true, ..bomb }
}

const fn long(bomb: Bomb) -> Bomb {
    Bomb { is_long: true, ..bomb }
}

pub(super) fn run(setup: &Setup, outcome: &mut Outcome) -> anyhow::Result<()> {
    setup.runtime.block_on(async {
        for form in [Form::Plaintext, Form::Tls, Form::Unpacks] {
            let is_chosen = |bomb: &&Bomb| {
                let is_named = setup.bomb.as_ref().is_none_or(|name| name == bomb.name);
                let is_for_it = bomb.is_unpacked == (form == Form::Unpacks);
                is_named && is_for_it && !(setup.short && bomb.is_long)
            };
            let all = http1::BOMBS.iter().chain(http2::BOMBS).chain(grpc::BOMBS);
            let mut chosen = all.filter(is_chosen).peekable();
            if chosen.peek().is_none() {
                continue;
            }
            let target = setup.start(form).await?;
            // One of each kind of transport makes what is made once.
            anyhow::ensure!(target.is_alive().await, "the server does not answer");
            anyhow::ensure!(target.takes_grpc().await, "the server does not answer to gRPC");
            for bomb in chosen {
                throw(&target, bomb, outcome).await.context(bomb.name)?;
            }
        }
        anyhow::Ok(())
    })
}

async fn throw(target: &Target, bomb: &Bomb, outcome: &mut Outcome) -> anyhow::Result<()> {
    let name = format!("{}: {}", target.form.name(), bomb.name);
    let process = target.server.id();
    let resident = target.server.resident()?;
    forget_height(process);
    let (cpu, begin) = (target.cpu()?, Instant::now());
    let answer = (bomb.act)(target).await.unwrap_or_else(|error| format!("failed: {error:#}"));
    let cost = target.cpu()?.saturating_sub(cpu);
    let memory = height(process)?.saturating_sub(resident);
    let is_right = bomb.right.iter().any(|right| answer.starts_with(right));
    outcome.says(format!(
        "{name}: {answer} ({cost:.0?} of processor time, {} MiB, {:.1?})",
        memory >> 20,
        begin.elapsed()
    ));
    outcome.check(is_right, || format!("{name}: {answer}, not {:?}", bomb.right));
    let most = CPU * bomb.price + CPU_STEP;
    outcome.check(cost <= most, || format!("{name}: {cost:?} of processor time, not {most:?}"));
    let most = 2 * Bounds::default().body as u64 * bomb.memory + MEMORY_SLACK;
    outcome.check(memory <= most, || format!("{name}: {} MiB of memory", memory >> 20));
    outcome.check(target.is_alive().await, || format!("{name}: the server is gone"));
    Ok(())
}

/// Lets the kernel measure the height of a process's memory anew.
fn forget_height(process: u32) {
    // Where it may not, the height is that of all time, which is no less.
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// The most memory a process has had resident since.
fn height(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kilobytes.context("no height of memory")? << 10)
}
