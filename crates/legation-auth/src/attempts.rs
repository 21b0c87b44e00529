//! A bound on bad attempts: whoever shows too many bad credentials has to wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How many addresses are remembered at most, in some 4 MiB. When they are more, the oldest memories
/// go; more of them would not help, because whoever has so many addresses has more.
const ADDRESSES: usize = 65_536;

/// How many bad credentials an address may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// So many.
    pub count: u32,
    /// In this time.
    pub within: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { count: 100, within: Duration::from_secs(60) }
    }
}

/// The bad attempts of late.
#[derive(Debug)]
pub(crate) struct Ledger {
    bound: Attempts,
    /// By address: how many in a window, and when that began.
    bad: Mutex<HashMap<IpAddr, (u32, Instant)>>,
    /// When those that are over were removed last.
    pruned: Mutex<Option<Instant>>,
}

/// How often those that are over are removed at most: every request waits for it.
const BETWEEN: Duration = Duration::from_secs(1);

impl Ledger {
    pub(crate) fn new(bound: Attempts) -> Self {
        Self { bound, bad: Mutex::default(), pruned: Mutex::default() }
    }

    /// How long an address has to wait, if it has to.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let bad = self.bad.lock();
        let (count, since) = bad.get(&network(address))?;
        let rest = self.bound.within.checked_sub(now.duration_since(*since))?;
        (*count >= self.bound.count && !rest.is_zero()).then_some(rest)
    }

    /// Notes a bad attempt; whether it was the one that filled the measure.
    pub(crate) fn note(&self, address: IpAddr, now: Instant) -> bool {
        let mut bad = self.bad.lock();
        let within = self.bound.within;
        let is_over = |since: &Instant| now.duration_since(*since) >= within;
        if bad.len() >= ADDRESSES && !bad.contains_key(&network(address)) {
            let mut pruned = self.pruned.lock();
            if pruned.is_none_or(|pruned| now.duration_since(pruned) >= BETWEEN) {
                *pruned = Some(now);
                bad.retain(|_, (_, since)| !is_over(since));
            }
            if bad.len() >= ADDRESSES
                && let Some(any) = bad.keys().next().copied()
            {
                bad.remove(&any);
            }
        }
        let (count, since) = bad.entry(network(address)).or_insert((0, now));
        if is_over(since) {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
        *count == self.bound.count
    }
}

/// What counts as one address: of IPv6 the network, all of which is one household's.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_attempts_make_wait_until_the_window_is_over() {
        let ledger = Ledger::new(Attempts { count: 3, within: Duration::from_secs(60) });
        let [one, other] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let begin = Instant::now();
        let filled: Vec<_> = (0..4).map(|_| ledger.note(one, begin)).collect();
        assert_eq!(filled, [false, false, true, false], "told once");
        let later = begin + Duration::from_secs(20);
        assert_eq!(ledger.wait(one, later), Some(Duration::from_secs(40)));
        assert_eq!(ledger.wait(other, later), None);
        let over = begin + Duration::from_secs(60);
        assert_eq!(ledger.wait(one, over), None);
        assert!(!ledger.note(one, over), "a new window");
        assert_eq!(ledger.wait(one, over), None);
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_memory_is_bounded() {
        let ledger = Ledger::new(Attempts { count: 1, within: Duration::from_secs(60) });
        let now = Instant::now();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        ledger.note(address("2001:db8::1"), now);
        assert!(ledger.wait(address("2001:db8::2"), now).is_some());
        assert!(ledger.wait(address("2001:db8:0:1::1"), now).is_none());
        let begin = now;
        for number in 0..u32::try_from(ADDRESSES).expect("small") + 2 {
            ledger.note(IpAddr::from(number.to_be_bytes()), begin);
            if number > 70_000 {
                break;
            }
        }
        assert!(ledger.bad.lock().len() <= ADDRESSES);
    }
}
