//! What a server itself has to say in its audit log.

use std::net::SocketAddr;
use std::sync::Arc;

use legation_core::store::StoreError;
use legation_core::{Actor, AuditAction, AuditEvent, AuditLog as _, AuditOutcome, Exposed};
use legation_http::Signer;
use legation_store::Audit;

/// Says that the server begins to work, and by which keys it signs if these are others than before.
pub(crate) async fn start(
    audit: &Audit,
    address: SocketAddr,
    agents: &[Exposed],
    signers: &[Arc<Signer>],
) {
    let done = |action| AuditEvent::new(Actor::operator(), action, AuditOutcome::Done);
    let slugs: Vec<_> = agents.iter().map(|exposed| &*exposed.profile.slug).collect();
    let mut written = audit
        .record(done(AuditAction::Start).to(address.to_string()).saying(slugs.join(", ")))
        .await;
    let key = |signer: &Arc<Signer>| format!("{} {}", signer.name(), signer.public().thumbprint());
    let signing =
        done(AuditAction::Signing).to(signers.iter().map(key).collect::<Vec<_>>().join(", "));
    let is_new = audit.last(AuditAction::Signing).await.map(|last| match last {
        Some(last) => last.event.target != signing.target,
        None => !signers.is_empty(),
    });
    match is_new {
        Ok(true) => written = written.and(audit.record(signing).await),
        Ok(false) => {}
        Err(error) => written = written.and(Err(error)),
    }
    // The server works nevertheless: a store without room heals by what it removes.
    if let Err(error) = written {
        cannot_write(&error);
    }
}

pub(crate) fn cannot_write(error: &StoreError) {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "cannot write the audit log; trying again");
}
