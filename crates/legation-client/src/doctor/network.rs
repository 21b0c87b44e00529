//! Where a host is: on the public internet, in a private network, on this machine.

use std::net::IpAddr;

use legation_net::{Names as _, SystemNames, is_public};
use url::{Host, Url};

use crate::is_loopback;

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Public,
    /// With the number that is not public.
    Private(IpAddr),
    Machine,
    /// Its name has no number here.
    Unknown,
}

impl Network {
    /// Finds the host of an address.
    pub(super) async fn of(url: &Url) -> Self {
        if is_loopback(url) {
            return Self::Machine;
        }
        let numbers = match url.host() {
            Some(Host::Ipv4(number)) => vec![IpAddr::V4(number)],
            Some(Host::Ipv6(number)) => vec![IpAddr::V6(number)],
            Some(Host::Domain(name)) => SystemNames.find(name).await.unwrap_or_default(),
            None => Vec::new(),
        };
        match numbers.iter().find(|number| !is_public(**number)) {
            Some(number) => Self::Private(*number),
            None if numbers.is_empty() => Self::Unknown,
            None => Self::Public,
        }
    }
}
