//! Any bytes for a stream, in any pieces: a caller never panics, and how they were split changes
//! nothing of what it hears.

use std::sync::Arc;

use legation_client::{Binding, Client};
use parking_lot::Mutex;

use super::frames;
use super::peer::{Act, Asked, Peer};
use super::streams::{END, HEAD, chunk, completed, submitted, working};
use super::told::{of_error, of_events};
use super::variant;
use super::{json, say};

/// Bodies for each binding.
const BODIES: u64 = 120;
/// Ways to split each.
const SPLITS: u64 = 3;

/// What breaks readers, to be put anywhere.
const PIECES: [&[u8]; 16] = [
    b"\r",
    b"\n",
    b"\n\n",
    b":",
    b"data:",
    b"id: 3\n",
    b"id",
    b"event",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xf0\x9f",
    b"{",
    b"}",
    b"\"",
    b"\x00\x00\x00\x00\x01",
];

#[tokio::test]
async fn events_are_heard_alike_in_any_pieces() {
    let seed =
        [submitted(1), working(2), ": still here\n\n".into(), working(3), completed(4)].concat();
    check(Binding::JsonRpc, seed.as_bytes(), |_, pieces| {
        let pieces = pieces.iter().map(chunk);
        [say(HEAD)].into_iter().chain(pieces).chain([say(END)]).collect()
    })
    .await;
}

#[tokio::test]
async fn messages_are_heard_alike_in_any_pieces() {
    let items: [&[u8]; 3] = [
        b"\n\x0a\n\x01t\x12\x01c\x1a\x02\x08\x01",
        b"\x1a\x0a\n\x01t\x12\x01c\x1a\x02\x08\x02",
        b"\x1a\x0a\n\x01t\x12\x01c\x1a\x02\x08\x03",
    ];
    let seed = items.map(|item| frames::prefixed(0, item.len(), item)).concat();
    check(Binding::Grpc, &seed, |stream, pieces| {
        let pieces = pieces.iter().map(|piece| say(frames::data(stream, piece)));
        let end = say(frames::trailers(stream, &[("grpc-status", "5")]));
        [say(frames::head(stream))].into_iter().chain(pieces).chain([end]).collect()
    })
    .await;
}

/// Has bodies made of this one heard whole and in pieces.
async fn check(binding: Binding, seed: &[u8], framed: fn(u32, &[Vec<u8>]) -> Vec<Act>) {
    let played = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let script = Arc::clone(&played);
    let answers = move |asked: &Asked| {
        if asked.is_for_card() {
            return vec![json(super::card(&asked.base))];
        }
        if asked.subscribes() {
            return vec![json(r#"{"error":{"code":-32001,"message":"gone"}}"#)];
        }
        framed(asked.stream, &script.lock())
    };
    let peer = Peer::start(Arc::new(answers), "", false).await;
    let mut options = variant::options(binding);
    options.patience.attempts = 0;
    let client = Client::discover(&peer.url(), options).await.expect("a good card");
    let mut good = 0;
    for number in 0..BODIES {
        let mut random = Random(number);
        // The first is as it should be.
        let body = if number == 0 { seed.to_vec() } else { random.changed(seed) };
        *played.lock() = vec![body.clone()];
        let whole = hear(&client).await;
        good += usize::from(whole.contains("completed settled"));
        for _ in 0..SPLITS {
            *played.lock() = random.split(&body);
            let split = hear(&client).await;
            assert_eq!(split, whole, "{number}: {:?}", String::from_utf8_lossy(&body));
        }
    }
    let good = good as u64;
    assert!(good > 0 && good < BODIES, "{good} bodies went to the end");
}

async fn hear(client: &Client) -> String {
    match client.stream(variant::message()).await {
        Ok(events) => of_events(events).await,
        Err(error) => of_error(&error),
    }
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    /// These bytes with a few others among them, or in their place.
    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let end = (at + self.below(9)).min(bytes.len());
            let end = if self.below(2) == 0 { at } else { end };
            bytes.splice(at..end, PIECES[self.below(PIECES.len())].iter().copied());
        }
        bytes
    }

    fn split(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut rest, mut pieces) = (bytes, Vec::new());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + self.below(rest.len().min(40)));
            pieces.push(piece.to_vec());
            rest = behind;
        }
        pieces
    }
}
