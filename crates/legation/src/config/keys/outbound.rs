//! By what way calls leave.

use legation_net::{BadProxy, Network, Proxy};

use crate::config::form::{self, Secret};
use crate::config::setting::{Group, Row, leaves, maybe, row, unset};

/// By what way calls leave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outbound {
    pub(crate) proxy: Option<Secret>,
    pub(crate) no_proxy: Vec<String>,
    pub(crate) allow_networks: Vec<Network>,
}

impl Outbound {
    /// The proxy, if there is one.
    pub(crate) fn proxy(&self) -> Option<Result<Proxy, BadProxy>> {
        let proxy = self.proxy.as_ref()?;
        Some(Proxy::new(proxy.reveal(), &self.no_proxy))
    }
}

impl Group for Outbound {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "calls go directly; the variables of the environment are not heard",
            row(
                "proxy",
                "The HTTP proxy that connects, with a user name and a password if need be",
                |o| maybe(&mut o.proxy, form::any_text().secret()),
            ),
        ),
        row(
            "no_proxy",
            "Names, with all below them, and networks that it is passed over for",
            |o| leaves(&mut o.no_proxy, form::text()),
        ),
        row(
            "allow_networks",
            "Networks beside the public internet that may be called, whoever chose the address",
            |o| leaves(&mut o.allow_networks, form::network()),
        ),
    ];
}
