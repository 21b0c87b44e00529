//! Streams, and the credentials of their readers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use legation_core::{Caller, Limits, Reply, Standing, StillGood};
use legation_model::{ErrorKind, Request, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::bench::{Bench, message};

/// Credentials of which this is said, one after the other, and then that they are good.
#[derive(Debug)]
struct Said(Mutex<VecDeque<Standing>>);

impl StillGood for Said {
    fn standing(self: Arc<Self>) -> BoxFuture<'static, Standing> {
        let said = self.0.lock().pop_front().unwrap_or(Standing::Good);
        Box::pin(async move {
            // As long as it may take to ask somebody.
            tokio::time::sleep(Duration::from_secs(1)).await;
            said
        })
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_credentials_of_its_reader() {
    use ErrorKind::{Unauthenticated, Unavailable};
    use Standing::{Ended, Good, Unknown};
    /// What is said of the credentials, when they end by themselves; then how the stream ends, after
    /// how many seconds, and whether the log has it.
    type Case<'c> = (Option<&'c [Standing]>, Option<u64>, ErrorKind, u64, bool);
    let cases: [Case<'_>; 6] = [
        (Some(&[Ended]), None, Unauthenticated, 31, true),
        (Some(&[Good, Good, Ended]), None, Unauthenticated, 93, true),
        (Some(&[Unknown, Good, Unknown, Unknown]), None, Unavailable, 124, false),
        (Some(&[Unknown, Ended]), Some(3_600), Unauthenticated, 62, true),
        (Some(&[]), Some(45), Unauthenticated, 45, false),
        (None, Some(45), Unauthenticated, 45, false),
    ];
    for (said, expires, kind, after, is_noted) in cases {
        let limits = Limits { recheck: Duration::from_secs(30), ..Limits::default() };
        let bench = Bench::with(legation_core::OnRestart::Fail, limits);
        let credentials =
            said.map(|said| Arc::new(Said(Mutex::new(said.iter().copied().collect()))));
        let expires = expires.map(|seconds| {
            let end = Timestamp::now().as_millis() + 1_000 * seconds as i64;
            Timestamp::from_millis(end).expect("in range")
        });
        let credentials = credentials.map(|said| said as Arc<dyn StillGood>);
        let caller = Caller { credentials, expires, ..Caller::new("t", "ann") };
        let call = legation_core::Call::by(caller);
        let request = Request::SendStreamingMessage(message("wait"));
        let Ok(Reply::Stream(mut stream)) = bench.service.call(&call, request).await else {
            panic!("not a stream")
        };
        // The task is at work from here on, and everything that was said is durable.
        for _ in 0..2 {
            stream.next().await.expect("an event").expect("no error");
        }
        tokio::time::pause();
        let begin = Instant::now();
        let error = stream.next().await.expect("a last word").expect_err("the end");
        let took = begin.elapsed();
        tokio::time::resume();
        assert_eq!(error.kind, kind, "{said:?}");
        let expected = Duration::from_secs(after);
        // The first look is earlier by chance, by half of the time at most.
        assert!(took > expected.saturating_sub(Duration::from_secs(17)), "{said:?}: {took:?}");
        // Timers go by whole milliseconds.
        assert!(took < expected + Duration::from_millis(100), "{said:?}: {took:?}");
        assert!(stream.next().await.is_none(), "nothing comes after an error");
        let noted = bench.audited();
        assert_eq!(!noted.is_empty(), is_noted, "{said:?}: {noted:?}");
        assert!(noted.iter().all(|entry| entry.event.action.name() == "stream"));
        bench.gate.notify_waiters();
    }
}
