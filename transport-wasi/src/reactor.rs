//! An executor for the one thread that a component has: it polls what was woken, and when nothing was, it waits for the
//! host.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, task::Wake, vec::Vec};
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use spin::Mutex;
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    io::poll::{self, Pollable},
};

/// After so many turns without a pause the host is asked whether anything is ready, so that a future that wakes itself
/// does not starve those that wait for sockets.
const TURNS_MAX: u32 = 32;

/// Runs futures, and waits for the host's pollables on their behalf. There is one for a component.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reactor {}

impl Reactor {
    /// A future that is ready when the pollable is: for what else the program waits for, beside Kafka.
    ///
    /// Dropping it gives up waiting. It must be awaited inside [`block_on`](crate::block_on) or
    /// [`run`](Reactor::run), because nothing else wakes it.
    pub fn wait(pollable: Pollable) -> Wait {
        Wait(Watch::new(pollable))
    }

    /// Runs a future to its end, with nothing beside it.
    ///
    /// # Panics
    /// When it waits for something that is not the host's and that nothing can bring about any more.
    pub fn run<F: Future>(main: F) -> F::Output {
        Reactor::run_beside(async {}, main)
    }

    /// Runs `main` to its end with `driver` beside it, then the driver to its own end: that of a client ends, with its
    /// buffers sent, when the last handle is dropped, so `main` must keep none outside of it.
    ///
    /// # Panics
    /// As [`run`](Reactor::run).
    pub fn run_beside<F: Future>(driver: impl Future<Output = ()>, main: F) -> F::Output {
        let (mut driver, mut main) = (Task::new(driver), Task::new(main));
        let mut output = None;
        let mut turns = 0;
        loop {
            let mut idle = true;
            if main.is_woken() {
                idle = false;
                output = main.turn();
            }
            if driver.is_woken() {
                idle = false;
                driver.turn();
            }
            if driver.is_done()
                && let Some(output) = output.take()
            {
                return output;
            }
            turns = if idle { 0 } else { turns + 1 };
            if idle || turns == TURNS_MAX {
                turns = 0;
                look(idle);
            }
        }
    }
}

/// See [`Reactor::wait`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Wait(Watch);

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_ready(cx)
    }
}

/// A future with a waker of its own, so that it is polled only when it was woken itself.
struct Task<F> {
    /// `None` when it has ended: what it owned is dropped then.
    future: Option<Pin<Box<F>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Task { future: Some(Box::pin(future)), waker: Waker::from(Arc::clone(&woken)), woken }
    }

    fn is_woken(&self) -> bool {
        self.future.is_some() && self.woken.0.load(Ordering::Relaxed)
    }

    fn is_done(&self) -> bool {
        self.future.is_none()
    }

    fn turn(&mut self) -> Option<F::Output> {
        self.woken.0.store(false, Ordering::Relaxed);
        match self.future.as_mut()?.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(output) => {
                self.future = None;
                Some(output)
            }
            Poll::Pending => None,
        }
    }
}

/// A pollable in the reactor's care. Dropping it drops the pollable, which must happen before what it was made from is
/// dropped: hosts refuse to lose a parent before its children.
#[derive(Debug)]
pub(crate) struct Watch(u32);

struct Slot {
    pollable: Pollable,
    /// Whom to wake when it is ready; `None` while nobody waits for it.
    waker: Option<Waker>,
}

struct Slots {
    next: u32,
    all: BTreeMap<u32, Slot>,
}

/// There is one thread, so the lock is never contended; and no code of others runs under it.
static SLOTS: Mutex<Slots> = Mutex::new(Slots { next: 0, all: BTreeMap::new() });

impl Watch {
    pub(crate) fn new(pollable: Pollable) -> Self {
        let mut slots = SLOTS.lock();
        while slots.all.contains_key(&slots.next) {
            slots.next = slots.next.wrapping_add(1);
        }
        let key = slots.next;
        slots.next = key.wrapping_add(1);
        slots.all.insert(key, Slot { pollable, waker: None });
        Watch(key)
    }

    /// Has this waker woken, once, when the pollable is ready.
    pub(crate) fn arm(&self, waker: &Waker) {
        let waker = waker.clone();
        let before = SLOTS.lock().all.get_mut(&self.0).and_then(|slot| slot.waker.replace(waker));
        drop(before);
    }

    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if SLOTS.lock().all.get(&self.0).is_none_or(|slot| slot.pollable.ready()) {
            return Poll::Ready(());
        }
        self.arm(cx.waker());
        Poll::Pending
    }

    pub(crate) async fn ready(&self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let slot = SLOTS.lock().all.remove(&self.0);
        drop(slot);
    }
}

/// Wakes those whose pollables are ready; when `wait`, sleeps until one is.
fn look(wait: bool) {
    let mut slots = SLOTS.lock();
    let armed: Vec<u32> = slots.all.iter().filter(|(_, slot)| slot.waker.is_some()).map(|(key, _)| *key).collect();
    let at_once = (!wait).then(|| subscribe_duration(0));
    let mut pollables: Vec<&Pollable> = armed.iter().filter_map(|key| Some(&slots.all.get(key)?.pollable)).collect();
    pollables.extend(&at_once);
    assert!(!pollables.is_empty(), "every future waits, and none of them for the host: nothing can go on");
    let ready = poll::poll(&pollables);
    let keys = ready.iter().filter_map(|at| armed.get(*at as usize));
    let woken: Vec<Waker> = keys.filter_map(|key| slots.all.get_mut(key)?.waker.take()).collect();
    drop(slots);
    woken.iter().for_each(Waker::wake_by_ref);
}
