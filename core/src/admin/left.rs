//! What is still to be done, each of which an earlier try may have done.

use alloc::vec::Vec;

use crate::code::ErrorCode;

/// What is still to be done. Whoever asks again for what was done already is refused, though that is what was wanted: so
/// each is kept with whether an earlier try may have done it.
pub(super) struct Left<T> {
    items: Vec<(T, bool)>,
    /// How a broker says that there is nothing to do.
    nothing: ErrorCode,
}

/// What a broker's code means for one of them.
pub(super) enum Judged<T> {
    /// It was done, by this try or by an earlier one.
    Done(T),
    /// It is still to be done, and may be at another try.
    Again,
    Refused(T),
}

impl<T> Left<T> {
    pub(super) fn new(items: Vec<T>, nothing: ErrorCode) -> Self {
        Left { items: items.into_iter().map(|item| (item, false)).collect(), nothing }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    pub(super) fn position(&self, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        self.iter().position(is_it)
    }

    /// All were asked for, and no answer came.
    pub(super) fn lost(&mut self) {
        self.items.iter_mut().for_each(|(_, maybe_done)| *maybe_done = true);
    }

    pub(super) fn judge(&mut self, at: usize, code: ErrorCode) -> Judged<T> {
        let says_nothing = code == self.nothing;
        if code.is_ok() || (says_nothing && self.items[at].1) {
            return Judged::Done(self.items.swap_remove(at).0);
        }
        // Somebody else may be the controller now (trap 110).
        if (code.is_retriable() && !says_nothing) || code == ErrorCode::NOT_CONTROLLER {
            // The broker waited for it to be done everywhere, and may have begun.
            self.items[at].1 |= code == ErrorCode::REQUEST_TIMED_OUT;
            return Judged::Again;
        }
        Judged::Refused(self.items.swap_remove(at).0)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.items.drain(..).map(|(item, _)| item)
    }
}
