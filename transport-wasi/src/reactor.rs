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
    clocks::monotonic_clock::{self, subscribe_duration, subscribe_instant},
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
    /// When it gets ready, if that is a matter of time only, in the monotonic clock's nanoseconds.
    due: Option<u64>,
}

struct Slots {
    next: u32,
    all: BTreeMap<u32, Slot>,
    /// When the host was last asked what is ready.
    looked: u64,
}

/// There is one thread, so the lock is never contended; and no code of others runs under it.
static SLOTS: Mutex<Slots> = Mutex::new(Slots { next: 0, all: BTreeMap::new(), looked: 0 });

/// A timer that is so late, or a program that has not asked the host for so long, was frozen, or busy. Then time is over for
/// everything that waits for an answer, though the answers have come: sockets are asked before anybody reads the clock.
const LATE: u64 = 50_000_000;

/// How long a host is then given to find out about its sockets: some look at timers first.
const CATCH_UP: u64 = 1_000_000;

impl Watch {
    pub(crate) fn new(pollable: Pollable) -> Self {
        Watch::with(pollable, None)
    }

    /// One that is ready when this time has come.
    pub(crate) fn timer(due: u64) -> Self {
        Watch::with(subscribe_instant(due), Some(due))
    }

    fn with(pollable: Pollable, due: Option<u64>) -> Self {
        let mut slots = SLOTS.lock();
        while slots.all.contains_key(&slots.next) {
            slots.next = slots.next.wrapping_add(1);
        }
        let key = slots.next;
        slots.next = key.wrapping_add(1);
        slots.all.insert(key, Slot { pollable, waker: None, due });
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
    let (woken, late) = slots.poll(if wait { None } else { Some(0) }, |_| true);
    drop(slots);
    woken.iter().for_each(Waker::wake_by_ref);
    if late {
        catch_up();
    }
}

/// Wakes those whose sockets are ready, after a while in which nobody could see to them.
fn catch_up() {
    let mut slots = SLOTS.lock();
    let (woken, _) = slots.poll(Some(CATCH_UP), |slot| slot.due.is_none());
    drop(slots);
    woken.iter().for_each(Waker::wake_by_ref);
}

/// The monotonic clock, in nanoseconds. Where it has jumped, sockets are seen to first. What that wakes are tasks of this
/// reactor, whose wakers set a flag: it may happen wherever the core reads its clock.
pub(crate) fn clock() -> u64 {
    let now = monotonic_clock::now();
    let looked = SLOTS.try_lock().map_or(now, |slots| slots.looked);
    if looked == 0 || now.saturating_sub(looked) < LATE {
        return now;
    }
    catch_up();
    monotonic_clock::now()
}

impl Slots {
    /// Waits for one of those that somebody waits for, and that are `wanted`; at most so long. The wakers of all that are
    /// ready, and whether a timer among them should have gone off long ago.
    fn poll(&mut self, within: Option<u64>, wanted: impl Fn(&Slot) -> bool) -> (Vec<Waker>, bool) {
        let armed = self.all.iter().filter(|(_, slot)| slot.waker.is_some() && wanted(slot)).map(|(key, _)| *key);
        let armed: Vec<u32> = armed.collect();
        let limit = within.map(subscribe_duration);
        let mut pollables: Vec<&Pollable> = armed.iter().filter_map(|key| Some(&self.all.get(key)?.pollable)).collect();
        pollables.extend(&limit);
        assert!(!pollables.is_empty(), "every future waits, and none of them for the host: nothing can go on");
        let ready = poll::poll(&pollables);
        self.looked = monotonic_clock::now();
        let (mut woken, mut late) = (Vec::new(), false);
        for at in ready {
            if let Some(slot) = armed.get(at as usize).and_then(|key| self.all.get_mut(key)) {
                woken.extend(slot.waker.take());
                late |= slot.due.is_some_and(|due| due.saturating_add(LATE) <= self.looked);
            }
        }
        (woken, late)
    }
}
