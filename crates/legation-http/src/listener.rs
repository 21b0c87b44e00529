//! The accept loop: takes connections within bounds, and lets them go at the end.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bounds::Bounds;
use crate::connection::{self, Owner};
use crate::server::{Door, Shared};

/// How often a silent peer is asked whether it is there before it counts as gone.
const PROBES: u32 = 3;

/// Accepts and serves connections until the server drains, then until they are gone.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let owner = Owner { tasks: TaskTracker::new(), stop: CancellationToken::new() };
    watch_peers(&listener, &shared.settings.bounds);
    tokio::select! {
        () = accept(&listener, &shared, &owner) => {}
        () = watch_files(&shared) => {}
        () = shared.drain.cancelled() => {}
    }
    // Closed now, so that new connections go to another server at once.
    drop(listener);
    owner.tasks.close();
    let bound = shared.settings.bounds.drain;
    if tokio::time::timeout(bound, owner.tasks.wait()).await.is_err() {
        tracing::warn!(connections = owner.tasks.len(), "connections cut at the end of the drain");
        owner.stop.cancel();
        owner.tasks.wait().await;
    }
}

/// Lets the system see to it that connections end whose peers are gone without a word. Accepted
/// connections have it from their listener.
fn watch_peers(listener: &TcpListener, bounds: &Bounds) {
    let socket = SockRef::from(listener);
    let every = (bounds.tcp_keepalive / PROBES).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(bounds.tcp_keepalive).with_interval(every);
    let mut done = socket.set_tcp_keepalive(&keepalive.with_retries(PROBES));
    #[cfg(target_os = "linux")]
    {
        // The system counts a peer that takes nothing as one that acknowledges nothing.
        let timeout = bounds.tcp_unacknowledged.max(bounds.write_stall);
        done = done.and(socket.set_tcp_user_timeout(Some(timeout)));
    }
    if let Err(error) = done {
        tracing::warn!(%error, "peers that are gone without a word stay until they time out");
    }
}

/// Takes up changes of the files for TLS, for ever.
async fn watch_files(shared: &Shared) {
    match &shared.tls {
        // One of the listeners does it for all.
        Some(tls) if matches!(shared.door, Door::Main) => tls.watch().await,
        _ => std::future::pending().await,
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, owner: &Owner) {
    let bounds = &shared.settings.bounds;
    let Slots { all, addresses } = &shared.slots;
    loop {
        let Some((stream, address)) = next(listener, bounds.accept_pause).await else { continue };
        let Some(place) = addresses.enter(address, bounds.connections_per_address) else {
            tracing::debug!(%address, "too many connections from one address");
            continue;
        };
        // Taken after accepting, so that no listener keeps one for a peer that never comes: one
        // connection over the bound waits here, more in the backlog of the system.
        let slot = all.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (shared, tasks) = (shared.clone(), owner.tasks.clone());
        let owner = owner.clone();
        tasks.spawn(async move {
            connection::serve(stream, address, shared, owner).await;
            drop((slot, place));
        });
    }
}

async fn next(listener: &TcpListener, pause: Duration) -> Option<(TcpStream, IpAddr)> {
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address.ip())),
        Err(error) if concerns_one_connection(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "cannot accept connections");
            tokio::time::sleep(pause).await;
            None
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

/// The connections that may be open at once, in all and from each address.
#[derive(Clone)]
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    addresses: Addresses,
}

impl Slots {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let all = Arc::new(Semaphore::new(bounds.connections));
        Self { all, addresses: Addresses::default() }
    }
}

/// How many connections are open from each network of a [`subscriber`].
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// What counts as one address: in IPv6 a network of 64 bits, of which whoever has one has every
/// address (RFC 6177).
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
    }
}

/// One open connection from an address.
struct Place {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn enter(&self, address: IpAddr, bound: usize) -> Option<Place> {
        let address = subscriber(address);
        let mut open = self.0.lock();
        let count = open.entry(address).or_default();
        if *count >= bound {
            return None;
        }
        *count += 1;
        Some(Place { addresses: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.0.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bound_and_leaves_nothing_behind() {
        let addresses = Addresses::default();
        let [one, two] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let places: Vec<_> = (0..2).filter_map(|_| addresses.enter(one, 2)).collect();
        assert_eq!(places.len(), 2);
        assert!(addresses.enter(one, 2).is_none());
        assert!(addresses.enter(two, 2).is_some());
        drop(places);
        assert!(addresses.0.lock().is_empty());
    }

    #[test]
    fn whoever_has_an_ipv6_network_has_one_address() {
        let addresses = Addresses::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let held = addresses.enter(address("2001:db8::1"), 1).expect("the first");
        assert!(addresses.enter(address("2001:db8::ffff:2"), 1).is_none());
        assert!(addresses.enter(address("2001:db8:0:1::1"), 1).is_some());
        let mapped = addresses.enter(address("::ffff:10.0.0.1"), 1).expect("the first");
        assert!(addresses.enter(address("10.0.0.1"), 1).is_none());
        assert!(addresses.enter(address("::ffff:10.0.0.2"), 1).is_some());
        drop((held, mapped));
    }
}
