//! How names become numbers, and the guard's place in it.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, io, vec};

use async_trait::async_trait;
use hyper_util::client::legacy::connect::dns::Name;
use reqwest::dns::Addrs;

use crate::error::Cause;
use crate::guard::Guard;
use crate::{Egress, Proxy};

/// Finds the numbers of a name.
#[async_trait]
pub trait Names: fmt::Debug + Send + Sync {
    /// All numbers of this name, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When nobody knows the name, or nobody can be asked.
    async fn find(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks as the programs of this system do.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn find(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Resolves names for the HTTP libraries, which connect to these numbers and ask nobody else.
#[derive(Clone)]
pub(crate) struct Resolver {
    names: Arc<dyn Names>,
    /// Absent where any address is called.
    guard: Option<Guard>,
    /// The proxy's own name. Its operator chose it, and it is in a private network more often than
    /// not; calls to it by this name are refused before they come here.
    proxy: Option<String>,
}

impl Resolver {
    pub(crate) fn of(egress: &Egress) -> Self {
        let names = egress.names.clone().unwrap_or_else(|| Arc::new(SystemNames));
        let proxy = egress.proxy.as_ref().and_then(Proxy::name).map(str::to_owned);
        Self { names, guard: egress.guard(), proxy }
    }

    async fn find(self, name: &str) -> Result<vec::IntoIter<SocketAddr>, Cause> {
        let is_proxy = self.proxy.as_deref() == Some(name);
        let found = self.names.find(name).await?;
        if found.is_empty() {
            return Err(io::Error::other("the name has no address").into());
        }
        if let Some(guard) = self.guard.filter(|_| !is_proxy) {
            guard.check_resolved(name, &found)?;
        }
        // The library puts the port of the address in.
        let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
        Ok(found.collect::<Vec<_>>().into_iter())
    }
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let this = self.clone();
        Box::pin(async move { Ok(Box::new(this.find(name.as_str()).await?) as Addrs) })
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Cause>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.find(name.as_str()).await })
    }
}
