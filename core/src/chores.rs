//! What handles have the driver do for them beside requests: small state machines that need no task of the application, so
//! that nothing depends on one that was dropped.

use alloc::{boxed::Box, task::Wake, vec::Vec};
use core::{
    sync::atomic::{AtomicBool, Ordering},
    task::{Poll, Waker},
};

use crate::{
    Instant,
    kick::Kick,
    sync::{Arc, MaySend},
};

/// A small state machine that the driver runs.
pub(crate) trait Chore: MaySend {
    /// Does everything that can be done now, and leaves the waker wherever more may come from; ready when it is over.
    fn run(&mut self, now: Instant, waker: &Waker) -> Poll<()>;

    /// When [`run`](Chore::run) is due without being woken.
    fn deadline(&self) -> Instant;
}

/// Sets a chore's flag and wakes the driver.
struct Ready {
    flag: AtomicBool,
    kick: Arc<Kick>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        self.kick.wake();
    }
}

struct Entry {
    chore: Box<dyn Chore>,
    ready: Arc<Ready>,
    waker: Waker,
}

impl Entry {
    /// The flag is cleared first: what comes while it runs has it run again.
    fn run(&mut self, now: Instant) -> bool {
        let woken = self.ready.flag.swap(false, Ordering::SeqCst);
        (woken || self.chore.deadline() <= now) && self.chore.run(now, &self.waker).is_ready()
    }
}

/// All of a client's chores.
#[derive(Default)]
pub(crate) struct Chores(Vec<Entry>);

impl Chores {
    pub(crate) fn add(&mut self, chore: Box<dyn Chore>, kick: &Arc<Kick>) {
        let ready = Arc::new(Ready { flag: AtomicBool::new(true), kick: Arc::clone(kick) });
        let waker = Waker::from(Arc::clone(&ready));
        self.0.push(Entry { chore, ready, waker });
    }

    /// A turn.
    pub(crate) fn run(&mut self, now: Instant) {
        self.0.retain_mut(|entry| !entry.run(now));
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.0.iter().map(|e| e.chore.deadline()).min().unwrap_or(Instant::FAR)
    }

    /// The client ends: each has one more turn, to tell what it knows.
    pub(crate) fn end(&mut self, now: Instant) {
        self.run(now);
        self.0.clear();
    }
}
