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

/// A small state machine that the driver runs. It keeps its own waker: a program without any then has nothing of that in it.
pub(crate) trait Chore: MaySend {
    /// A turn of the driver: if it was woken, or its time has come, it does everything that can be done now. Ready when it
    /// is over.
    fn run(&mut self, now: Instant) -> Poll<()>;

    /// When [`run`](Chore::run) is due without being woken.
    fn deadline(&self) -> Instant;
}

/// Wakes a chore: sets its flag, and wakes the driver.
pub(crate) struct ChoreWaker {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    is_woken: AtomicBool,
    kick: Arc<Kick>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.kick.wake();
    }
}

impl ChoreWaker {
    /// A chore that has not run yet counts as woken.
    pub(crate) fn new(kick: &Arc<Kick>) -> Self {
        let flag = Arc::new(Flag { is_woken: AtomicBool::new(true), kick: Arc::clone(kick) });
        ChoreWaker { waker: Waker::from(Arc::clone(&flag)), flag }
    }

    /// Whether it was woken since this was last asked. To be asked before anything is looked at: what comes while the chore
    /// runs has it run again.
    pub(crate) fn take(&self) -> bool {
        self.flag.is_woken.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// All of a client's chores.
#[derive(Default)]
pub(crate) struct Chores(Vec<Box<dyn Chore>>);

impl Chores {
    pub(crate) fn add(&mut self, chore: Box<dyn Chore>) {
        self.0.push(chore);
    }

    /// A turn.
    pub(crate) fn run(&mut self, now: Instant) {
        self.0.retain_mut(|chore| chore.run(now).is_pending());
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.0.iter().map(|chore| chore.deadline()).min().unwrap_or(Instant::FAR)
    }

    /// The client ends: each has one more turn, to tell what it knows.
    pub(crate) fn end(&mut self, now: Instant) {
        self.run(now);
        self.0.clear();
    }
}
