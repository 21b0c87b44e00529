//! A transport that does not wait for ever: peers that send or take too slowly are cut.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use crate::bounds::Bounds;

/// What a connection's peer is expected to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing; it may begin a request.
    Idle = 0,
    /// To finish the head of its request.
    Head = 1,
    /// To send the body of its request.
    Body = 2,
    /// To wait for the response.
    Response = 3,
}

/// The phase of a connection, shared by its transport and its handler. Only they know together
/// when a read is for a head, a body or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Phases(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    stamp: AtomicU32,
    /// Microseconds from `origin` to the beginning of the phase.
    since: AtomicU64,
    origin: Instant,
}

/// A phase with the number of its beginning, which tells it from the same phase later.
type Stamp = u32;

impl Phases {
    pub(crate) fn begin(phase: Phase) -> Self {
        let (stamp, since) = (AtomicU32::new(phase as u32), AtomicU64::new(0));
        Self(Arc::new(Clock { stamp, since, origin: Instant::now() }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        // One task drives a connection, so there is no other writer at the same time.
        let number = (self.stamp() >> 2).wrapping_add(1);
        let since = u64::try_from(self.0.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.since.store(since, Ordering::Relaxed);
        self.0.stamp.store(number << 2 | phase as u32, Ordering::Relaxed);
    }

    fn stamp(&self) -> Stamp {
        self.0.stamp.load(Ordering::Relaxed)
    }

    fn since(&self) -> Instant {
        self.0.origin + Duration::from_micros(self.0.since.load(Ordering::Relaxed))
    }
}

fn phase_of(stamp: Stamp) -> Phase {
    match stamp & 3 {
        0 => Phase::Idle,
        1 => Phase::Head,
        2 => Phase::Body,
        _ => Phase::Response,
    }
}

/// How late a timer of a process at work may be.
const LATE: Duration = Duration::from_millis(100);

/// How long a peer is waited for when this process was not there at its deadline.
const AFTER_ABSENCE: Duration = Duration::from_secs(1);

/// Until when to wait instead, when this process comes to a deadline so late that it was stopped, suspended or
/// starved: it finds its timers over before it sees what arrived in time, and the peer is not to blame.
fn put_off(deadline: Instant) -> Option<Instant> {
    let now = Instant::now();
    (now > deadline + LATE).then(|| now + AFTER_ABSENCE)
}

/// What comes of this within a time; `None` when nothing does although this process was there.
pub(crate) async fn within<T>(bound: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut deadline) = (pin!(work), Instant::now() + bound);
    loop {
        if let Ok(done) = timeout_at(deadline, work.as_mut()).await {
            return Some(done);
        }
        deadline = put_off(deadline)?;
    }
}

/// A transport whose reads and writes fail when the peer is too slow.
///
/// A timer is armed only while a read waits, and is left armed when the read goes through, so a
/// connection in good use touches its timer about once in the idle time, not once a request.
pub(crate) struct Paced<S> {
    stream: S,
    phases: Phases,
    bounds: Arc<Bounds>,
    /// The phase that `since` and `received` are about.
    stamp: Stamp,
    since: Instant,
    received: u64,
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, phases: Phases, bounds: Arc<Bounds>) -> Self {
        let (stamp, since) = (phases.stamp(), phases.since());
        Self { stream, phases, bounds, stamp, since, received: 0, timer: None, stall: None }
    }

    /// Until when a read may wait; `None` when there is nothing to wait for.
    fn deadline(&self) -> Option<Instant> {
        let bounds = &self.bounds;
        match phase_of(self.stamp) {
            Phase::Idle => Some(self.since + bounds.idle),
            Phase::Head => Some(self.since + bounds.header),
            Phase::Body => {
                let earned = Duration::from_secs(self.received / bounds.body_rate.max(1));
                Some(self.since + bounds.body_grace + earned)
            }
            Phase::Response => None,
        }
    }

    /// Takes up that there is another phase. It may have begun long ago: a read that waits in one
    /// phase, such as one ahead for a body, is not asked again when the next begins.
    fn notice(&mut self) {
        if self.stamp != self.phases.stamp() {
            (self.stamp, self.since, self.received) = (self.phases.stamp(), self.phases.since(), 0);
        }
    }

    /// Ready when the read that waits has waited too long.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.notice();
        let Some(mut deadline) = self.deadline() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                let Some(later) = put_off(deadline) else { return Poll::Ready(()) };
                self.since += later - deadline;
                deadline = later;
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// Lets a write through, or fails it when it has waited too long.
    fn pace<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.stall = None;
            return write;
        }
        let bound = self.bounds.write_stall;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(bound)));
        loop {
            ready!(stall.as_mut().poll(cx));
            let Some(later) = put_off(stall.deadline()) else {
                return Poll::Ready(Err(too_slow()));
            };
            stall.as_mut().reset(later);
        }
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer is too slow")
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) else {
            return self.poll_overdue(cx).map(|()| Err(too_slow()));
        };
        self.notice();
        let count = buf.filled().len() - before;
        self.received += count as u64;
        if count > 0 && phase_of(self.phases.stamp()) == Phase::Idle {
            self.phases.enter(Phase::Head);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.pace(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.pace(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.stream).poll_flush(cx);
        self.pace(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.pace(cx, shutdown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn bounds() -> Arc<Bounds> {
        let second = Duration::from_secs;
        Arc::new(Bounds {
            idle: second(75),
            header: second(10),
            body_grace: second(5),
            body_rate: 10,
            write_stall: second(60),
            ..Bounds::default()
        })
    }

    /// How many seconds a peer that sends a byte a second keeps a read alive in a phase.
    async fn lasts(phase: Phase, bytes: usize) -> u64 {
        let (mut peer, stream) = duplex(64);
        let mut paced = Paced::new(stream, Phases::begin(phase), bounds());
        let begin = Instant::now();
        let drip = async {
            for _ in 0..bytes {
                sleep(Duration::from_secs(1)).await;
                // The reader may be gone.
                let _ = peer.write_all(b"x").await;
            }
            std::future::pending::<()>().await;
        };
        let read = async { while paced.read(&mut [0; 8]).await.is_ok() {} };
        tokio::select! { () = drip => {}, () = read => {} }
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_deadline() {
        assert_eq!(lasts(Phase::Idle, 0).await, 75);
        assert_eq!(lasts(Phase::Head, 0).await, 10);
        assert_eq!(lasts(Phase::Head, 100).await, 10, "a drip does not extend it");
        assert_eq!(lasts(Phase::Idle, 100).await, 11, "the first byte begins a head");
        assert_eq!(lasts(Phase::Body, 0).await, 5);
        assert_eq!(lasts(Phase::Body, 100).await, 5, "ten bytes earn a second");
    }

    /// A stop of the process: its clock jumps, and only then it sees what arrived meanwhile.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_sees_what_arrived_before_it_cuts() {
        let (mut peer, stream) = duplex(64);
        let mut paced = Paced::new(stream, Phases::begin(Phase::Head), bounds());
        let begin = Instant::now();
        let read = tokio::spawn(async move {
            paced.read_exact(&mut [0; 1]).await.expect("the byte that came");
            paced.read(&mut [0; 8]).await.is_err()
        });
        let silent = tokio::spawn(within(Duration::from_secs(5), std::future::pending::<()>()));
        let (told, tell) = tokio::sync::oneshot::channel();
        let heard = tokio::spawn(within(Duration::from_secs(5), tell));
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(20)).await;
        sleep(Duration::from_millis(10)).await;
        peer.write_all(b"x").await.expect("an open pipe");
        told.send(()).expect("somebody listens");
        assert!(heard.await.expect("no panic").is_some());
        assert!(silent.await.expect("no panic").is_none());
        assert!(read.await.expect("no panic"));
        assert_eq!(begin.elapsed().as_secs(), 21, "a second, and then the peer is at fault");
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_begins_anew_each_time() {
        let (mut peer, stream) = duplex(64);
        let phases = Phases::begin(Phase::Idle);
        let mut paced = Paced::new(stream, phases.clone(), bounds());
        for _ in 0..5 {
            sleep(Duration::from_secs(50)).await;
            peer.write_all(b"x").await.expect("an open pipe");
            paced.read_exact(&mut [0; 1]).await.expect("not overdue");
            phases.enter(Phase::Response);
            phases.enter(Phase::Idle);
            let mut buffer = [0; 8];
            let wait = tokio::time::timeout(Duration::from_secs(24), paced.read(&mut buffer));
            assert!(wait.await.is_err(), "not overdue");
        }
        assert!(paced.read(&mut [0; 8]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_counts_from_its_beginning_also_when_a_read_waits_already() {
        let (_peer, stream) = duplex(64);
        let phases = Phases::begin(Phase::Head);
        let mut paced = Paced::new(stream, phases.clone(), bounds());
        let begin = Instant::now();
        let read = tokio::spawn(async move { paced.read(&mut [0; 8]).await.is_err() });
        // Before the read's deadline, which is that of a head.
        sleep(Duration::from_secs(7)).await;
        phases.enter(Phase::Body);
        assert!(read.await.expect("no panic"));
        assert_eq!(begin.elapsed().as_secs(), 12, "not 5 seconds from when it was noticed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut() {
        let (mut peer, stream) = duplex(4);
        let mut paced = Paced::new(stream, Phases::begin(Phase::Response), bounds());
        let begin = Instant::now();
        let slow = tokio::spawn(async move {
            sleep(Duration::from_secs(50)).await;
            peer.read_exact(&mut [0; 4]).await.expect("an open pipe");
            std::future::pending::<()>().await;
        });
        assert!(paced.write_all(&[0; 12]).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 110);
        slow.abort();
    }

    /// A transport that keeps what it is given, as TLS does whose peer takes nothing.
    struct Keeps;

    impl AsyncWrite for Keeps {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut_when_all_is_written() {
        let mut paced = Paced::new(Keeps, Phases::begin(Phase::Response), bounds());
        let begin = Instant::now();
        paced.write_all(b"x").await.expect("taken");
        assert!(paced.flush().await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 60);
        let mut paced = Paced::new(Keeps, Phases::begin(Phase::Response), bounds());
        assert!(paced.shutdown().await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 120);
    }
}
