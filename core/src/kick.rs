//! How handles reach the driver: the one seam between "there is work" and "somebody does it".

use core::{
    sync::atomic::{AtomicBool, Ordering},
    task::Waker,
};

use atomic_waker::AtomicWaker;

use crate::sync::{Arc, LeafLock, Weak};

/// A driver that a handle may poll in its own thread instead of waking the driver's.
///
/// It halves what a lone record costs where the two threads differ. A transport that keeps its driver behind a lock
/// registers it with [`Client::drive_inline`](crate::Client::drive_inline).
pub trait Drive: Send + Sync {
    /// Polls the driver with `waker`, the one that its own task was last polled with, unless somebody polls it right
    /// now: then answers `false` at once.
    fn try_drive(&self, waker: &Waker) -> bool;
}

/// Wakes the driver, once between two of its turns.
///
/// The flag is cleared at the *start* of a turn, before any queue is looked at: work that arrives later sets it anew,
/// so no wake-up is lost.
#[derive(Default)]
pub(crate) struct Kick {
    woken: AtomicBool,
    waker: AtomicWaker,
    inline: LeafLock<Option<Inline>>,
}

/// The driver to poll in place, and the waker its own task was last polled with. Kept apart from `waker`, which an
/// interrupt may wake and which therefore is never taken out, not even for a moment.
struct Inline {
    driver: Weak<dyn Drive>,
    waker: Option<Waker>,
}

impl Kick {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Kick::default())
    }

    /// The driver's turn begins, to be woken through `waker`.
    pub(crate) fn begin(&self, waker: &Waker) {
        self.waker.register(waker);
        self.woken.store(false, Ordering::SeqCst);
        if let Some(mut inline) = self.inline.try_lock()
            && let Some(inline) = inline.as_mut()
            && !inline.waker.as_ref().is_some_and(|w| w.will_wake(waker))
        {
            inline.waker = Some(waker.clone());
        }
    }

    /// Wakes the driver's task.
    pub(crate) fn wake(&self) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// Has the driver do a turn: in this thread if it is idle and may be driven here, else by its own task.
    pub(crate) fn drive(&self) {
        if self.woken.load(Ordering::SeqCst) {
            return;
        }
        if let Some((driver, waker)) = self.idle_driver()
            && driver.try_drive(&waker)
        {
            return;
        }
        self.wake();
    }

    fn idle_driver(&self) -> Option<(Arc<dyn Drive>, Waker)> {
        let inline = self.inline.try_lock()?;
        let inline = inline.as_ref()?;
        Some((inline.driver.upgrade()?, inline.waker.clone()?))
    }

    pub(crate) fn set_inline(&self, driver: Weak<dyn Drive>) {
        *self.inline.lock() = Some(Inline { driver, waker: None });
    }

    #[cfg(test)]
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }
}
