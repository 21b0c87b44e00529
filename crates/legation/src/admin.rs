//! What operators look at: metrics, beside health and readiness.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use legation_core::metric::{Kind, Metric};
use legation_http::Metrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::server::StartError;

/// How often durations are sorted into their buckets where nobody reads them: until then each is kept.
const SORT_EVERY: Duration = Duration::from_secs(5);

/// Every metric there is, by the crates that count them.
pub(crate) const METRICS: [&[&Metric]; 3] =
    [legation_http::METRICS, legation_core::metric::SERVICE, legation_store::METRICS];

/// What operators may look at, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Whether calls, streams, commits and more are measured and shown at `/metrics`. There is one such
    /// record in a process, which all its servers share.
    pub metrics: bool,
    /// An address for operators alone, where there is HTTP without TLS and nobody is asked who calls. It
    /// has `/metrics`, `/healthz` and `/readyz`. Without it `/metrics` is shown on the server's own
    /// address, only where that is loopback and no proxy stands before it.
    pub listen: Option<SocketAddr>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { metrics: true, listen: None }
    }
}

/// What there is for operators.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) recorded: Option<Recorded>,
    pub(crate) listener: Option<TcpListener>,
}

impl Opened {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }
}

impl Admin {
    /// Begins to measure, and listens.
    ///
    /// # Errors
    /// When another recorder has the metrics, or the address cannot be had.
    pub(crate) fn open(self) -> Result<Opened, StartError> {
        let recorded = self.metrics.then(Recorded::begin).transpose()?;
        let listener = self
            .listen
            .map(|address| listen(address).map_err(|source| StartError::Admin { address, source }));
        Ok(Opened { recorded, listener: listener.transpose()? })
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// What was measured in this process.
#[derive(Clone)]
pub(crate) struct Recorded(PrometheusHandle);

impl Recorded {
    /// Begins to measure, unless that was begun before.
    fn begin() -> Result<Self, StartError> {
        static RECORDED: OnceLock<Option<Recorded>> = OnceLock::new();
        RECORDED.get_or_init(Self::set).clone().ok_or(StartError::Recorder)
    }

    /// `None` when there is another recorder.
    fn set() -> Option<Self> {
        let all = || METRICS.into_iter().flatten();
        let recorder = all().fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
            Kind::Durations(bounds) => {
                let name = Matcher::Full(metric.name.to_owned());
                builder.set_buckets_for_metric(name, bounds).expect("there are bounds")
            }
            Kind::Counter | Kind::Gauge => builder,
        });
        let recorder = recorder.build_recorder();
        let recorded = Self(recorder.handle());
        metrics::set_global_recorder(recorder).ok()?;
        all().for_each(|metric| metric.describe());
        Some(recorded)
    }

    /// What writes it.
    pub(crate) fn metrics(&self) -> Metrics {
        let handle = self.0.clone();
        Arc::new(move || handle.render())
    }

    /// Keeps durations from piling up where nobody reads them, until it is aborted.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(SORT_EVERY).await;
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Metric> {
        METRICS.into_iter().flatten().copied()
    }

    fn table() -> String {
        let mut table =
            "\n| Metric | Kind | Labels | What it tells |\n|---|---|---|---|\n".to_owned();
        for Metric { name, kind, labels, tells } in all() {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Durations(_) => "histogram",
            };
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = labels.join(", ");
            writeln!(table, "| `{name}` | {kind} | {labels} | {tells} |").expect("a text");
        }
        table + "\n"
    }

    /// Set `UPDATE_DOCS=1` to write the table.
    #[test]
    fn the_documentation_has_every_metric() {
        const BEGIN: &str = "<!-- metrics: made by a test of legation -->\n";
        const END: &str = "<!-- end -->\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let text = std::fs::read_to_string(&path).expect("the page on metrics");
        let (before, rest) = text.split_once(BEGIN).expect("the place of the table");
        let (_, after) = rest.split_once(END).expect("the end of the table");
        let expected = [before, BEGIN, &table(), END, after].concat();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &expected).expect("a writable page");
            return;
        }
        assert!(text == expected, "run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn names_are_unique_and_say_what_they_are() {
        let mut names = HashSet::new();
        for Metric { name, kind, .. } in all() {
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("legation_"), "{name}");
            let ends_well = match kind {
                Kind::Counter => name.ends_with("_total"),
                Kind::Durations(_) => name.ends_with("_seconds"),
                Kind::Gauge => !name.ends_with("_total"),
            };
            assert!(ends_well, "{name}");
        }
    }
}
