//! What a program may turn on when it runs, and mostly does not have: found out by the linker.
//!
//! A mark is set by the function that turns a thing on, and asked by the code that does the thing. A program in which nothing calls that
//! function has nothing that writes to the mark, so an optimizer that sees the whole program (`lto = true`) knows what the answer
//! is and leaves the code out. Elsewhere the mark is a byte that is read. It never tells that something *is* wanted: that is for
//! whoever was asked to say, beside it.

use core::sync::atomic::{AtomicBool, Ordering};

/// Whether any client of this program may have a thing.
pub(crate) struct Used(AtomicBool);

impl Used {
    pub(crate) const fn not_yet() -> Self {
        Used(AtomicBool::new(false))
    }

    /// From here on a client may have it. Called before the client that has it is made, in its own thread or one that hands its
    /// settings on, so no order of memory must be asked for.
    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn may_be(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
