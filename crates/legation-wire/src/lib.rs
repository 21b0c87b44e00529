//! What goes over the wire: protocol versions, operations, codecs, error tables and frames.
//!
//! Only this crate and the bindings' extractor know that there are versions. A codec turns bytes
//! into a [`legation_model::Request`] and frames documents as answers; [`operation`] and [`error`]
//! are the tables that say what each is called where. There is no IO here.

pub mod answer;
pub mod card;
pub mod codec;
pub mod error;
pub mod fault;
pub mod grpc;
pub mod header;
pub mod json;
pub mod jsonrpc;
pub mod loss;
pub mod operation;
mod percent;
mod read;
pub mod reply;
pub mod signature;
pub mod speech;
pub mod sse;
pub mod v0_3;
pub mod v1;
pub mod version;
pub mod webhook;
