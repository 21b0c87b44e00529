//! Makes connections, driven by the store's thread whoever asks for them.

use std::time::Duration;

use futures::future::poll_fn;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Notification};

use super::Options;
use super::failure::Failure;
use super::place::Place;
use super::schema::Schema;
use super::session::Session;
use super::tls::Tls;

/// Makes connections to one database.
#[derive(Clone)]
pub(super) struct Connector {
    config: tokio_postgres::Config,
    tls: Tls,
    /// What a connection is told first.
    settings: String,
    pub(super) patience: Duration,
    pub(super) runtime: Handle,
}

impl Connector {
    pub(super) fn new(
        (place, tls): (Place, Tls),
        schema: &Schema,
        options: &Options,
        runtime: Handle,
    ) -> Self {
        // Every statement goes by an index, and its plan is made once: one made while the tables were
        // empty has to be good for full ones. What the planner thinks of them then is no guide, so
        // statements join by `LATERAL` and `OFFSET 0`, which leave it one way. A transaction that nobody
        // ends shall hold no lock, and a statement gives up before those who wait for it do, so that
        // they learn why.
        let settings = format!(
            "SET search_path = {schema}; SET statement_timeout = {patience};
             SET idle_in_transaction_session_timeout = {idle};
             SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off;
             SET client_min_messages = warning; SET standard_conforming_strings = on",
            schema = schema.name,
            patience = options.patience.as_millis() * 5 / 8,
            idle = options.patience.as_millis(),
        );
        let patience = options.patience;
        let mut config = place.config;
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(patience));
        Self { config, tls, settings, patience, runtime }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        self.connect_and_hear(|_| {}).await
    }

    /// A new connection, with what becomes of notifications that come over it.
    pub(super) async fn connect_and_hear(
        &self,
        hear: impl Fn(Notification) + Send + 'static,
    ) -> Result<Session, Failure> {
        let this = self.clone();
        let connecting = self.runtime.spawn(async move {
            timeout(this.patience, this.try_connect(hear)).await.unwrap_or(Err(Failure::Late))
        });
        connecting.await.unwrap_or(Err(Failure::Closed))
    }

    async fn try_connect(
        &self,
        hear: impl Fn(Notification) + Send + 'static,
    ) -> Result<Session, Failure> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        // It ends with the session; what it ends with is told to whoever waits for an answer.
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message {
                    hear(notification);
                }
            }
        });
        let session = Session::new(client, driver.abort_handle(), self.patience);
        session.run(&self.settings).await?;
        Ok(session)
    }
}
