//! Floors: small programs that do the same work as the product with nothing else
//! around it. What they reach is what the machine allows; the product is a ratio of it.
//!
//! They skip what a product may not (auth, limits, versions, errors), never what the
//! work is: every request is decoded into types and every reply encoded from types.

mod grpc;
mod idle;
mod model;
mod postgres;
mod reply;
mod serve;
mod store;
mod stream;

use anyhow::Context;
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::contract::{self, ServeArgs};

/// Which floor, and how it is started.
#[derive(Debug, clap::Args)]
pub(crate) struct FloorArgs {
    /// The floor to serve.
    kind: Floor,
    #[command(flatten)]
    serve: ServeArgs,
}

/// The floor programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Floor {
    /// Typed decode and encode, no state.
    F1,
    /// F1 plus one durable SQLite row per request; pages of those rows.
    F2,
    /// F1 plus one durable PostgreSQL row per request.
    F3,
    /// Tasks in a map in memory.
    Map,
    /// Three-event and chunked streams, nothing stored.
    Stream,
    /// Streams that stay open, on bare hyper.
    Idle,
    /// The echo and chunked streams over gRPC, on bare tonic.
    Tonic,
}

/// Serves a floor until the bench ends.
pub(crate) fn run(args: FloorArgs) -> anyhow::Result<()> {
    contract::exit_with_parent();
    tokio::runtime::Builder::new_multi_thread()
        // Two: the bench is made for two cores, of which the load takes one.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve(args))
}

async fn serve(args: FloorArgs) -> anyhow::Result<()> {
    let router = match args.kind {
        Floor::F1 => Some(serve::stateless()),
        Floor::F2 => Some(serve::stored(store::Store::open(&args.serve.data_dir)?)),
        Floor::F3 => {
            let url = args.serve.store.as_deref().context("F3 needs --store")?;
            Some(serve::appended(postgres::Rows::open(url, &args.serve.schema).await?))
        }
        Floor::Map => Some(serve::mapped()),
        Floor::Stream => Some(serve::streaming()),
        Floor::Idle | Floor::Tonic => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    contract::announce(&args.serve.port_file, listener.local_addr()?.port())?;
    match (router, args.kind) {
        (Some(router), _) => serve::listen(listener, router).await,
        (None, Floor::Tonic) => grpc::listen(listener).await,
        (None, _) => idle::listen(listener).await,
    }
}
