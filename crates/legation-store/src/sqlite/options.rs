//! What can be chosen about a SQLite store.

/// How a SQLite store behaves, with defaults that suit a server.
pub struct Options {
    /// Bytes of database pages that all connections together keep in memory.
    pub cache_bytes: usize,
    /// Connections for reading that are kept open while nobody reads.
    pub idle_readers: usize,
    /// Bytes the write-ahead log may reach before it is written back to the database.
    pub checkpoint_bytes: u64,
    /// Bytes the database may reach; what would exceed them is refused as if the disk were full.
    pub max_bytes: Option<u64>,
    /// Whether what tenants and callers use is counted, for quotas. Where it was not before, all that
    /// is stored is counted once when the store is opened.
    pub count_usage: bool,
    /// Called when nothing can be promised any more: a write or its sync failed, or the database
    /// is damaged. What the disk holds is uncertain then, so the process must end without
    /// confirming anything. Should the hook return, the store refuses everything from then on.
    pub on_fatal: Box<dyn Fn(&str) + Send + Sync>,
}

/// The exit status of the default `on_fatal`: `EX_IOERR` of sysexits.
const EXIT_IO_ERROR: i32 = 74;

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            idle_readers: 4,
            checkpoint_bytes: 16 << 20,
            max_bytes: None,
            count_usage: false,
            on_fatal: Box::new(|reason| {
                tracing::error!(reason, "the store cannot go on; the process ends");
                std::process::exit(EXIT_IO_ERROR)
            }),
        }
    }
}

impl Options {
    /// The share of the cache that one connection gets, in KiB as SQLite counts it.
    pub(super) fn cache_kib(&self) -> usize {
        // One more connection writes.
        self.cache_bytes / (self.idle_readers + 1) / 1024
    }
}
