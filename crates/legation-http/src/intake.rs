//! Request bodies: taken whole, within bounds of size, time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use legation_model::{A2aError, ErrorKind};
use tokio::time::{Instant, timeout_at};

use crate::bounds::Bounds;

/// How much room is made for a body before its bytes are there: a length is only a claim.
const FIRST_ROOM: usize = 1 << 20;

/// Bytes that the pieces of a body of many pieces have on the average.
const PIECE: usize = 64;

/// The bytes of bodies that are being put together, over all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered(Arc<AtomicUsize>);

/// A request body. Its bytes count as gathered while it lives.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    share: Share,
}

impl Taken {
    /// Counts what a body unfolds to as gathered as well.
    ///
    /// # Errors
    /// `Unavailable` when too much is being gathered already.
    pub(crate) fn unfolds_to(&mut self, bytes: usize, bounds: &Bounds) -> Result<(), A2aError> {
        self.share.grow(bytes, bounds.bodies)
    }
}

#[derive(Debug, Default)]
struct Share {
    of: Gathered,
    bytes: usize,
}

impl Share {
    fn grow(&mut self, bytes: usize, bound: usize) -> Result<(), A2aError> {
        self.bytes += bytes;
        if self.of.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= bound {
            return Ok(());
        }
        let message = "the server takes in too many large requests at once; try later";
        Err(A2aError::unavailable(message, Duration::from_secs(1)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Takes a body.
///
/// On HTTP/1.1 the transport sees to it that the bytes come in time; `timed` does so here.
///
/// # Errors
/// `TooLarge`, `Unavailable` when too much is being gathered already, and `InvalidRequest` when
/// the body breaks off, takes too long or comes in too many tiny pieces.
pub(crate) async fn take(
    body: &mut Incoming,
    bounds: &Bounds,
    gathered: &Gathered,
    timed: bool,
) -> Result<Taken, A2aError> {
    let stated = body.size_hint();
    if stated.lower() > bounds.body as u64 {
        return Err(too_large(bounds));
    }
    let begin = Instant::now();
    let (mut whole, mut pieces) = (BytesMut::new(), 0);
    let mut share = Share { of: gathered.clone(), bytes: 0 };
    while !body.is_end_stream() {
        let frame = if timed {
            let earned = whole.len() as u64 / bounds.body_rate.max(1);
            let deadline = begin + bounds.body_grace + Duration::from_secs(earned);
            timeout_at(deadline, body.frame()).await.map_err(|_| too_slow())?
        } else {
            body.frame().await
        };
        let Some(frame) = frame else { break };
        let Ok(piece) = frame.map_err(|_| broken_off())?.into_data() else { continue };
        if whole.is_empty() && body.is_end_stream() && piece.len() <= bounds.body {
            // The common case: it came in one piece, which is used as it is.
            return Ok(Taken { bytes: piece, share });
        }
        if whole.len() + piece.len() > bounds.body {
            return Err(too_large(bounds));
        }
        share.grow(piece.len(), bounds.bodies)?;
        if whole.is_empty() {
            let stated = usize::try_from(stated.lower()).unwrap_or(FIRST_ROOM);
            whole.reserve(stated.clamp(piece.len(), FIRST_ROOM.max(piece.len())));
        }
        whole.extend_from_slice(&piece);
        pieces += 1;
        if pieces > bounds.body_pieces && whole.len() / PIECE < pieces {
            return Err(too_tiny());
        }
    }
    Ok(Taken { bytes: whole.freeze(), share })
}

fn too_large(bounds: &Bounds) -> A2aError {
    let message = format!("the body is larger than {} bytes", bounds.body);
    A2aError::new(ErrorKind::TooLarge, message)
}

/// What a caller is told whose body is late.
pub(crate) fn too_slow() -> A2aError {
    A2aError::new(ErrorKind::InvalidRequest, "the body did not arrive in time")
}

fn too_tiny() -> A2aError {
    A2aError::new(ErrorKind::InvalidRequest, "the body comes in too many tiny pieces")
}

fn broken_off() -> A2aError {
    A2aError::new(ErrorKind::InvalidRequest, "the body broke off")
}
