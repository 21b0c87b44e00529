//! How names become numbers, and the guard's place in it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::guard::Guard;

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

/// Resolves names for the HTTP library, which connects to these numbers and asks nobody else.
pub(crate) struct Resolver {
    pub(crate) names: Arc<dyn Names>,
    /// Absent where any address is called.
    pub(crate) guard: Option<Guard>,
    /// The proxy's own name. Its operator chose it, and it is in a private network more often than
    /// not; calls to it by this name are refused before they come here.
    pub(crate) proxy: Option<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = Arc::clone(&self.names);
        let is_proxy = self.proxy.as_deref() == Some(name.as_str());
        let guard = self.guard.clone().filter(|_| !is_proxy);
        Box::pin(async move {
            let found = names.find(name.as_str()).await?;
            if found.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            if let Some(guard) = guard {
                guard.check_resolved(name.as_str(), &found)?;
            }
            // The library puts the port of the address in.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}
