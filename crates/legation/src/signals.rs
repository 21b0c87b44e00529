//! The signals that tell a server to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C or SIGTERM. From then on a second one ends the process at once.
pub(crate) async fn stop_requested() {
    next_signal().await;
    tokio::spawn(async {
        next_signal().await;
        // The status of a process that a SIGINT ended, as shells count it.
        std::process::exit(130);
    });
}

async fn next_signal() {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        // A system without signals: nobody can ask to stop.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
