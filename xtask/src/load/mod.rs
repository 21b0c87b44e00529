//! Load on the product, and what its callers saw: servers as processes of their own, clients that write
//! down every answer and event, and the checked history of both. `crash` and `chaos` do the harm.

pub(crate) mod actor;
pub(crate) mod client;
pub(crate) mod outcome;
pub(crate) mod random;
pub(crate) mod readback;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod suite;
mod view;
mod wire;
pub(crate) mod work;
pub(crate) mod world;

pub(crate) use legation_wire::card::Binding;
