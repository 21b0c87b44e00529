//! TLS: the certificate that the server shows, and what it asks of its peers.
//!
//! All of it comes from files, which are read again when they change: connections that begin then
//! get what is in them. Those that are open stay, unless their peer showed a certificate that is no
//! longer good. Files that do not go together change nothing.

mod certificate;
mod clients;
mod config;
mod error;
mod files;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use tokio::sync::watch;

use certificate::Certificate;
use clients::{Clients, Lists};
use files::{Content, Digest};

pub(crate) use config::H2;
pub use error::TlsError;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is said that a certificate ends soon.
const REMIND_EVERY: Duration = Duration::from_secs(12 * 3600);

/// Where the material for TLS is, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate in PEM, the server's own first, then those between it and the authority.
    pub certificate: PathBuf,
    /// The key of the certificate in PEM, not encrypted.
    pub key: PathBuf,
    /// The certificates that callers show; without this they are not asked for any.
    pub clients: Option<ClientCertificates>,
    /// For how long browsers shall call this host by TLS only (RFC 6797); nothing is said when zero,
    /// and by a server that begins with a certificate that is its own authority.
    pub hsts: Duration,
}

/// How the certificates of callers are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Whether a connection without a certificate is refused. Otherwise its calls have none.
    pub required: bool,
    /// The authorities in PEM whose certificates are taken.
    pub authorities: PathBuf,
    /// Lists in PEM of revoked certificates (RFC 5280). With these, a certificate of an authority
    /// that has no list is refused.
    pub revoked: Option<PathBuf>,
    /// Whether lists count that should have been replaced by now. Otherwise no certificate is taken
    /// then, because whatever was revoked since is not in them.
    pub believe_overdue: bool,
}

impl TlsSettings {
    /// TLS with this certificate and key, without client certificates, and HSTS for a year.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (certificate, key) = (certificate.into(), key.into());
        Self { certificate, key, clients: None, hsts: Duration::from_secs(365 * 86_400) }
    }
}

/// The material in force. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: TlsSettings,
    current: RwLock<Current>,
    /// Whoever showed a certificate is told here that it may no longer be good.
    changes: watch::Sender<()>,
    watched: Mutex<Watched>,
    /// Held by the one that watches over the files: several listeners may share them.
    watcher: tokio::sync::Mutex<()>,
}

/// What connections get that begin now.
#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    certificate: Certificate,
    clients: Option<Arc<Clients>>,
}

/// What was in the files, or why they could not be read.
type Sight = Result<Digest, String>;

/// What was seen of the files.
#[derive(Debug)]
struct Watched {
    last: Sight,
    /// What was taken up, or found to be bad.
    settled: Sight,
    lists: Lists,
}

impl Tls {
    /// Reads the material.
    ///
    /// # Errors
    /// When a file cannot be read, or they do not go together.
    pub fn open(settings: TlsSettings) -> Result<Self, TlsError> {
        let content = Content::read(&settings)?;
        let current = Current::new(&content, &settings)?;
        let sight: Sight = Ok(content.digest());
        let watched = Watched { last: sight.clone(), settled: sight, lists: Lists::Current };
        let (current, watched) = (RwLock::new(current), Mutex::new(watched));
        let (changes, watcher) = (watch::Sender::new(()), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { settings, current, changes, watched, watcher })))
    }

    /// Reads the files again; those of before stay in force when something is wrong with them.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let Inner { settings, current, changes, watched, .. } = &*self.0;
        let content = Content::read(settings);
        watched.lock().settled = sight_of(&content);
        let new = Current::new(&content?, settings)?;
        *current.write() = new;
        changes.send_replace(());
        Ok(())
    }

    /// Whether the certificate is its own authority, so that callers have to be given it.
    pub fn is_self_signed(&self) -> bool {
        self.0.current.read().certificate.is_self_signed
    }

    /// How the material is used.
    pub fn settings(&self) -> &TlsSettings {
        &self.0.settings
    }

    /// What a connection that begins now gets.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.current.read().config.clone()
    }

    /// What tells of changes after which certificates of callers may no longer be good; `None` where
    /// they are not asked for any.
    pub(crate) fn changes(&self) -> Option<watch::Receiver<()>> {
        self.0.settings.clients.as_ref().map(|_| self.0.changes.subscribe())
    }

    /// Completes when a chain that was good before the changes is not any more.
    ///
    /// # Cancel safety
    /// Safe: between two waits nothing is left undone.
    pub(crate) async fn disbelief(&self, changes: &mut watch::Receiver<()>, chain: &[Vec<u8>]) {
        // `self` holds the sender.
        while changes.changed().await.is_ok() {
            let clients = self.0.current.read().clients.clone();
            if !clients.is_some_and(|clients| clients.believe(chain, SystemTime::now())) {
                return;
            }
        }
    }

    /// Takes up what the files say whenever they change, and says when the certificate ends soon.
    /// Of several watchers the first does so, and when it is gone the next.
    ///
    /// # Cancel safety
    /// Safe: a reload is one step.
    pub(crate) async fn watch(&self) {
        let _only = self.0.watcher.lock().await;
        let (mut looks, every) = (0_u64, REMIND_EVERY.as_secs() / LOOK_EVERY.as_secs());
        loop {
            if looks.is_multiple_of(every) {
                self.remind();
            }
            looks += 1;
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = self.clone();
            // A disk may be slow; a panic there was reported already, and the next look comes.
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    fn look(&self) {
        self.look_at_lists(SystemTime::now());
        let sight = sight_of(&Content::read(&self.0.settings));
        let mut watched = self.0.watched.lock();
        // Twice the same, so that nobody is in the middle of writing them.
        let is_steady = watched.last == sight;
        watched.last = sight.clone();
        if !is_steady || watched.settled == sight {
            return;
        }
        drop(watched);
        let result = self.reload();
        // What cannot be read now has been seen as that, however it failed.
        self.0.watched.lock().settled = sight;
        self.tell(result);
    }

    /// Says once that the lists of revoked certificates come to their end, and once that they have;
    /// then the certificates that are in use have to be looked at again.
    fn look_at_lists(&self, now: SystemTime) {
        let clients = self.0.current.read().clients.clone();
        let lists = clients.map_or(Lists::Current, |clients| clients.lists(now));
        let before = std::mem::replace(&mut self.0.watched.lock().lists, lists);
        if std::mem::discriminant(&before) == std::mem::discriminant(&lists) {
            return;
        }
        self.remind_of_lists(lists);
        if lists == Lists::Overdue {
            self.0.changes.send_replace(());
        }
    }

    fn remind_of_lists(&self, lists: Lists) {
        let Some(clients) = &self.0.settings.clients else { return };
        let file = clients.revoked.as_deref().unwrap_or("".as_ref()).display();
        match lists {
            Lists::Current => {}
            Lists::Ending(rest) => {
                let hours = rest.as_secs().div_ceil(3600);
                tracing::warn!(%file, "a list of revoked certificates is overdue within {hours} h");
            }
            Lists::Overdue if clients.believe_overdue => {
                tracing::warn!(%file, "a list of revoked certificates is overdue, and is believed");
            }
            Lists::Overdue => {
                tracing::error!(
                    %file,
                    "a list of revoked certificates is overdue: certificates of callers are refused \
                     until it is replaced"
                );
            }
        }
    }

    /// Says in the log how a reload went.
    pub fn tell(&self, result: Result<(), TlsError>) {
        let file = self.0.settings.certificate.display();
        match result {
            Ok(()) => {
                tracing::info!(%file, "the certificate was read again");
                self.remind();
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot take up the changed TLS files; those of before stay in force"
            ),
        }
    }

    fn remind(&self) {
        let current = self.0.current.read();
        let file = self.0.settings.certificate.display();
        if let Some(warning) = current.certificate.warning(SystemTime::now()) {
            tracing::warn!(%file, "the server's certificate {warning}");
        }
        drop(current);
        let lists = self.0.watched.lock().lists;
        self.remind_of_lists(lists);
    }
}

impl Current {
    fn new(content: &Content, settings: &TlsSettings) -> Result<Self, TlsError> {
        let (config, certificate, clients) = config::build(content, settings)?;
        Ok(Self { config: Arc::new(config), certificate, clients: clients.map(Arc::new) })
    }
}

fn sight_of(content: &Result<Content, TlsError>) -> Sight {
    content.as_ref().map(Content::digest).map_err(ToString::to_string)
}
