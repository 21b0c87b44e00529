//! The outbound client against real listeners: where it goes, by what way, and how much it takes.

mod guard;
mod http2;
mod limits;
mod proxy;
mod server;
mod tls;
