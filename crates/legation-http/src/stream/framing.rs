//! How each binding writes the items of a stream, and its end.

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use legation_core::Item;
use legation_core::store::Seq;
use legation_model::A2aError;
use legation_wire::answer::Answer;
use legation_wire::codec::Codec;
use legation_wire::error::ErrorProfile;
use legation_wire::fault;
use legation_wire::grpc::Items;
use legation_wire::jsonrpc::Id;

use super::LARGE;
use crate::answer::{EVENTS, NO_STORE};
use crate::call::LAST_EVENT_ID;
use crate::grpc::{self, Writer};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How a binding writes a stream.
pub(crate) enum Framing {
    /// Events that hold JSON-RPC responses; the text is what stands before the result.
    Rpc(Box<str>, Codec),
    /// Events that hold the items as they are.
    Rest(ErrorProfile, Codec),
    /// Messages, and a status in trailers.
    Grpc(Writer, Items),
}

/// An item as it goes out: what stands before it, and itself.
pub(super) type Piece = Bytes;

impl Framing {
    /// The framing of a JSON-RPC call.
    pub(crate) fn rpc(id: Id<'_>, codec: Codec) -> Self {
        Self::Rpc(format!(r#"{{"jsonrpc":"2.0","id":{id},"#).into(), codec)
    }

    /// The headers of the answer that carries the stream, whose items begin behind this event.
    pub(super) fn head(&self, behind: Option<Seq>, headers: &mut HeaderMap) {
        match self {
            Self::Rpc(..) | Self::Rest(..) => {
                headers.insert(CONTENT_TYPE, EVENTS);
                headers.insert(CACHE_CONTROL, NO_STORE);
                headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
            }
            // Messages have no place for numbers, so their reader counts from here.
            Self::Grpc(writer, _) => {
                writer.head(headers);
                headers.extend(behind.map(|behind| (LAST_EVENT_ID, HeaderValue::from(behind))));
            }
        }
    }

    /// Writes what stands before an item, and gives the item, behind which [`Framing::after`] stands.
    /// It is empty where it was written as well.
    ///
    /// # Errors
    /// When the item cannot be written for this caller.
    pub(super) fn before(&mut self, item: &Item, out: &mut BytesMut) -> Result<Piece, A2aError> {
        let codec = match self {
            Self::Rpc(_, codec) | Self::Rest(_, codec) => codec,
            Self::Grpc(writer, items) => return writer.item(&item.json, items, out, LARGE),
        };
        // An item stands by itself in every version, so its frame is empty.
        let json = codec.write(Answer::Item, item.json.bytes())?.document;
        if let Some(seq) = item.seq {
            out.extend_from_slice(format!("id: {seq}\n").as_bytes());
        }
        out.extend_from_slice(b"data: ");
        if let Self::Rpc(envelope, _) = self {
            out.extend_from_slice(envelope.as_bytes());
            out.extend_from_slice(br#""result":"#);
        }
        Ok(json)
    }

    /// What stands behind every item.
    pub(super) fn after(&self) -> &'static [u8] {
        match self {
            Self::Rpc(..) => b"}\n\n",
            Self::Rest(..) => b"\n\n",
            Self::Grpc(..) => b"",
        }
    }

    /// Writes that the stream ends with an error; gives the trailers, if that is where it is told.
    pub(super) fn fail(&self, error: &A2aError, out: &mut BytesMut) -> Option<HeaderMap> {
        let event = match self {
            Self::Rpc(envelope, codec) => {
                let error = fault::write_rpc(error, codec.version());
                format!("data: {envelope}\"error\":{error}}}\n\n")
            }
            Self::Rest(profile, codec) => {
                let error = fault::write_rest(error, codec.version(), *profile);
                format!("event: error\ndata: {error}\n\n")
            }
            Self::Grpc(writer, _) => return Some(writer.failed(error)),
        };
        out.extend_from_slice(event.as_bytes());
        None
    }

    /// Writes the end of a stream; with the number to go on from when the server stops.
    pub(super) fn end(&self, cursor: Option<u64>, out: &mut BytesMut) -> Option<HeaderMap> {
        match (self, cursor) {
            (Self::Grpc(writer, _), Some(cursor)) => Some(writer.interrupted(cursor)),
            (Self::Grpc(..), None) => Some(grpc::went_well()),
            (Self::Rpc(..) | Self::Rest(..), None) => None,
            (Self::Rpc(..) | Self::Rest(..), Some(cursor)) => {
                let comment = format!(": resume with Last-Event-ID: {cursor}\n\n");
                out.extend_from_slice(comment.as_bytes());
                None
            }
        }
    }

    /// What goes out when a stream was silent for a while. gRPC has the pings of its connection.
    pub(super) fn heartbeat(&self) -> Option<Bytes> {
        match self {
            Self::Rpc(..) | Self::Rest(..) => Some(Bytes::from_static(b": keep-alive\n\n")),
            Self::Grpc(..) => None,
        }
    }
}
