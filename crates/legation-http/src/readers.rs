//! What is at work on an HTTP/2 connection: whether its readers take their responses, and whether
//! there is anything at all.
//!
//! Flow control hides a slow reader from the transport: its body is just not asked for more. A body
//! that is read is asked at least once per heartbeat, so one that is not asked for longer is stuck.
//! Its task is ended then, by which its stream is reset, and the others of its connection go on.
//!
//! Of the requests of a connection that are at work at once, one is at work in the connection's own task, as on
//! HTTP/1.1: most connections have one at a time, which then needs no task and wakes nobody.

use std::future::Future;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::Context;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

/// Looks at a connection in the time after which it is idle. More would make it known sooner.
const LOOKS: u32 = 4;

/// The requests of one connection and the readers of their responses. It runs their tasks, each of
/// which ends with its connection at the latest, so that none needs to be told.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Inner>);

struct Inner {
    tasks: TaskTracker,
    requests: Mutex<Requests>,
    /// Weak, because the work has this executor.
    here: Weak<Slot>,
}

/// The work that a connection's own task does. Nobody else asks for it, so nobody waits for the lock.
type Slot = Mutex<Option<AtWork>>;

struct AtWork {
    work: BoxFuture<'static, ()>,
    request: Weak<Request>,
    has_begun: bool,
}

/// The request that is at work in the connection's own task. It ends with this.
pub(crate) struct Here(Arc<Slot>);

impl Here {
    /// Goes on with it, if there is one.
    pub(crate) fn go_on(&self, cx: &mut Context<'_>) {
        self.poll(cx, |_| true);
    }

    /// Begins it, if there is one that has not begun; tells whether it may have said something.
    pub(crate) fn begin(&self, cx: &mut Context<'_>) -> bool {
        self.poll(cx, |at_work| !at_work.has_begun)
    }

    fn poll(&self, cx: &mut Context<'_>, is_meant: impl FnOnce(&AtWork) -> bool) -> bool {
        let mut here = self.0.lock();
        let Some(at_work) = here.as_mut().filter(|at_work| is_meant(at_work)) else { return false };
        at_work.has_begun = true;
        if at_work.work.poll_unpin(cx).is_ready() {
            *here = None;
            return true;
        }
        at_work.request.upgrade().is_some_and(|request| request.is_answered())
    }
}

/// As many as there were at once. Most requests are short, so what one leaves is used for the next.
#[derive(Default)]
struct Requests {
    all: Vec<Arc<Request>>,
    /// The one that began last, and whether its task is still to come.
    last: usize,
    has_no_task: bool,
    /// How many there have been.
    begun: u64,
}

struct Request {
    state: AtomicU8,
    task: Mutex<Option<Work>>,
}

/// Where a request is at work.
enum Work {
    /// In the task of its connection.
    Here,
    Apart(AbortHandle),
}

impl Default for Request {
    fn default() -> Self {
        Self { state: AtomicU8::new(WORKING), task: Mutex::default() }
    }
}

/// It is being answered, which may take long.
const WORKING: u8 = 0;
/// The response was asked for more since the last look.
const TAKEN: u8 = 1;
/// It was not.
const LEFT: u8 = 2;
/// There is nothing to be read any more.
const OVER: u8 = 3;

/// A request, and later the reader of its response.
pub(crate) struct Reader(Arc<Request>);

impl Reader {
    /// Marks that the response is there, or asked for more.
    pub(crate) fn takes(&self) {
        self.0.state.store(TAKEN, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut task = self.0.task.lock();
        self.0.state.store(OVER, Ordering::Relaxed);
        // It would keep the room of the task.
        *task = None;
    }
}

impl Readers {
    /// Watches over a connection's requests, whose tasks belong here, but for the one that the connection
    /// itself has to go on with.
    pub(crate) fn new(tasks: TaskTracker) -> (Self, Here) {
        let here = Arc::new(Slot::default());
        let requests = Mutex::default();
        (Self(Arc::new(Inner { tasks, requests, here: Arc::downgrade(&here) })), Here(here))
    }

    /// Watches over one more request. Its task is the next to be run.
    pub(crate) fn add(&self) -> Reader {
        Reader(self.0.requests.lock().begin())
    }

    /// Resets, for ever, the streams whose readers took nothing between two looks.
    pub(crate) async fn reset_stuck(&self, between: Duration) {
        loop {
            tokio::time::sleep(between).await;
            let stuck = self.look();
            if stuck > 0 {
                tracing::debug!(streams = stuck, "streams were reset whose readers took nothing");
            }
        }
    }

    /// Completes when there was nothing at work for so long, or somewhat longer.
    pub(crate) async fn quiet(&self, idle: Duration) {
        let (mut quiet, mut last) = (0, self.at_work());
        while quiet < LOOKS {
            tokio::time::sleep(idle / LOOKS).await;
            let now = self.at_work();
            // The same at both ends, and nothing in between.
            quiet = if now == last && !now.1 { quiet + 1 } else { 0 };
            last = now;
        }
    }

    /// How many requests there have been, and whether one is at work or being answered.
    fn at_work(&self) -> (u64, bool) {
        let requests = self.0.requests.lock();
        let is_open = |request: &Arc<Request>| Arc::strong_count(request) > 1;
        (requests.begun, requests.all.iter().any(is_open))
    }

    /// Resets the streams whose readers took nothing since the last look; gives how many.
    fn look(&self) -> usize {
        let requests = self.0.requests.lock();
        let stuck: Vec<_> = requests.all.iter().filter_map(|request| request.stuck()).collect();
        drop(requests);
        for work in &stuck {
            match work {
                Work::Here => drop(self.0.here.upgrade().and_then(|here| here.lock().take())),
                Work::Apart(task) => task.abort(),
            }
        }
        stuck.len()
    }
}

impl Requests {
    fn begin(&mut self) -> Arc<Request> {
        self.begun += 1;
        self.has_no_task = true;
        let (before, from_last) = self.all.split_at_mut(self.last);
        let free = from_last.iter_mut().chain(before).position(|request| {
            let unused = Arc::get_mut(request);
            unused.map(mem::take).is_some()
        });
        self.last = match free {
            Some(distance) => (self.last + distance) % self.all.len(),
            None => {
                self.all.push(Arc::default());
                self.all.len() - 1
            }
        };
        self.all[self.last].clone()
    }
}

impl Request {
    /// Whether something of its answer may have been given to the connection.
    fn is_answered(&self) -> bool {
        self.state.load(Ordering::Relaxed) != WORKING
    }

    fn keep(&self, work: Work) {
        let mut kept = self.task.lock();
        // It may be through already.
        if self.state.load(Ordering::Relaxed) != OVER {
            *kept = Some(work);
        }
    }

    /// Its work, which is to be ended, when it took nothing since the last look.
    fn stuck(&self) -> Option<Work> {
        let left = self.state.compare_exchange(TAKEN, LEFT, Ordering::Relaxed, Ordering::Relaxed);
        if left == Err(LEFT) { self.task.lock().take() } else { None }
    }
}

impl<F> Executor<F> for Readers
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let mut requests = self.0.requests.lock();
        // What a library runs besides is nobody's request.
        if !mem::take(&mut requests.has_no_task) {
            self.0.tasks.spawn(task);
            return;
        }
        let request = &requests.all[requests.last];
        let here = self.0.here.upgrade();
        let free = here.as_ref().map(|here| here.lock()).filter(|here| here.is_none());
        let work = match free {
            Some(mut free) => {
                // As in a task of its own, a panic ends this request and no other.
                let work = AssertUnwindSafe(task).catch_unwind().map(drop).boxed();
                let request = Arc::downgrade(request);
                *free = Some(AtWork { work, request, has_begun: false });
                Work::Here
            }
            None => Work::Apart(self.0.tasks.spawn(task).abort_handle()),
        };
        request.keep(work);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    /// Those of a connection that is gone, so that all work is apart.
    fn readers() -> Readers {
        Readers::new(TaskTracker::new()).0
    }

    /// A request whose task never ends by itself, and whether it was ended.
    fn begin(readers: &Readers) -> (Reader, tokio::sync::oneshot::Receiver<()>) {
        let (reader, (held, gone)) = (readers.add(), tokio::sync::oneshot::channel());
        readers.execute(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        (reader, gone)
    }

    #[tokio::test]
    async fn a_reader_is_stuck_when_it_took_nothing_since_the_last_look() {
        let readers = readers();
        let ((one, mut one_gone), (two, two_gone)) = (begin(&readers), begin(&readers));
        assert_eq!((readers.look(), readers.look()), (0, 0), "both are at work");
        one.takes();
        two.takes();
        assert_eq!(readers.look(), 0, "both are new");
        one.takes();
        assert_eq!(readers.look(), 1, "two took nothing");
        assert!(two_gone.await.is_err(), "its task was ended");
        one.takes();
        assert_eq!(readers.look(), 0, "two is gone");
        assert!(one_gone.try_recv().is_err_and(|error| error == TryRecvError::Empty));
        assert_eq!(readers.look(), 1);
        assert!(one_gone.await.is_err());
    }

    #[tokio::test]
    async fn one_request_is_at_work_in_the_task_of_its_connection() {
        let (readers, here) = Readers::new(TaskTracker::new());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(!here.begin(cx), "there is none");
        let ((one, mut one_gone), (two, _two_gone)) = (begin(&readers), begin(&readers));
        assert!(!here.begin(cx) && readers.0.tasks.len() == 1, "the second is apart");
        one.takes();
        two.takes();
        assert_eq!(readers.look(), 0);
        two.takes();
        assert_eq!(readers.look(), 1, "one took nothing");
        assert!(one_gone.try_recv().is_err_and(|error| error == TryRecvError::Closed));
        drop(one);
        for panics in [true, false] {
            let reader = readers.add();
            readers.execute(async move {
                let _reader = reader;
                assert!(!panics, "nobody else's business");
            });
            assert!(here.begin(cx) && !here.begin(cx), "through, and there is room again");
        }
        let answered = readers.add();
        readers.execute(async move {
            answered.takes();
            std::future::pending().await
        });
        assert!(here.begin(cx) && !here.begin(cx), "it is being answered, and has begun");
        here.go_on(cx);
        assert!(here.0.lock().take().is_some(), "it is not through");
        let (_three, three_gone) = begin(&readers);
        drop(here);
        assert!(three_gone.await.is_err(), "it ends with its connection");
        assert_eq!(readers.0.tasks.len(), 1);
    }

    #[tokio::test]
    async fn what_a_request_leaves_is_used_for_the_next() {
        let readers = readers();
        let mut held: Vec<_> = (0..10).map(|_| begin(&readers)).collect();
        for round in 0..1_000 {
            let (reader, _) = begin(&readers);
            held.iter().for_each(|(reader, _)| reader.takes());
            reader.takes();
            assert_eq!(readers.look(), 0, "it begins anew");
            drop(reader);
            held.swap_remove(round % 10);
            held.push(begin(&readers));
        }
        assert_eq!(readers.0.requests.lock().all.len(), held.len() + 1);
        held.clear();
        let all = readers.0.requests.lock();
        assert!(all.all.iter().all(|request| request.task.lock().is_none()), "no task is kept");
    }

    #[tokio::test]
    async fn what_runs_beside_requests_is_none() {
        let readers = readers();
        let (reader, gone) = begin(&readers);
        readers.execute(std::future::pending());
        reader.takes();
        assert_eq!((readers.look(), readers.look()), (0, 1));
        assert!(gone.await.is_err(), "its own task");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_when_nothing_was_at_work_for_long() {
        const IDLE: Duration = Duration::from_secs(60);
        let readers = readers();
        let held = readers.add();
        let watch = tokio::spawn({
            let readers = readers.clone();
            async move { readers.quiet(IDLE).await }
        });
        tokio::time::sleep(IDLE * 10).await;
        assert!(!watch.is_finished(), "a request is at work");
        drop(held);
        for _ in 0..10 {
            tokio::time::sleep(IDLE - Duration::from_secs(10)).await;
            drop(readers.add());
        }
        assert!(!watch.is_finished(), "now and then there is one");
        tokio::time::sleep(IDLE * 2).await;
        assert!(watch.is_finished());
    }
}
