//! Whose turn it is among clients that share a budget.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use super::Budget;
use crate::{
    kick::Kick,
    sync::{Arc, LeafLock, Weak},
};

/// Clients that found no room for a fetch, the one that waits longest first. As within a client, nobody passes it: one
/// whose answers are small would ask again at once, for ever, and the others would never see what they wait for.
#[derive(Default)]
pub(super) struct Line {
    clients: LeafLock<Vec<Weak<Kick>>>,
    /// Somebody stands there: read alone where nobody does.
    any: AtomicBool,
}

impl Budget {
    /// Whether a client may ask for room to fetch: nobody waits for it, or nobody longer than this one.
    pub(crate) fn may_fetch(&self, client: &Arc<Kick>) -> bool {
        if !self.line.any.load(Ordering::SeqCst) {
            return true;
        }
        let mut clients = self.line.clients.lock();
        clients.retain(|c| c.strong_count() > 0);
        clients.first().is_none_or(|first| is(first, client))
    }

    /// A client has asked for what it wants, and was refused some of it or not: it keeps its place, or leaves, and then
    /// it is another one's turn.
    pub(crate) fn has_asked(&self, client: &Arc<Kick>, refused: bool) {
        if !refused && !self.line.any.load(Ordering::SeqCst) {
            return;
        }
        let next = {
            let mut clients = self.line.clients.lock();
            let place = clients.iter().position(|c| is(c, client));
            let next = match (place, refused) {
                (None, true) => {
                    clients.push(Arc::downgrade(client));
                    None
                }
                (Some(0), false) => {
                    clients.remove(0);
                    clients.first().and_then(Weak::upgrade)
                }
                (Some(place), false) => {
                    clients.remove(place);
                    None
                }
                (Some(_), true) | (None, false) => None,
            };
            self.line.any.store(!clients.is_empty(), Ordering::SeqCst);
            next
        };
        if let Some(next) = next {
            next.wake();
        }
    }
}

fn is(place: &Weak<Kick>, client: &Arc<Kick>) -> bool {
    core::ptr::eq(place.as_ptr(), Arc::as_ptr(client))
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, Memory};
    use crate::kick::Kick;

    #[test]
    fn nobody_passes_the_one_that_waits_longest() {
        let budget = Budget::new(Memory::of(256 << 10));
        let (a, b) = (Kick::new(), Kick::new());
        budget.has_asked(&a, false);
        assert!(budget.may_fetch(&a) && budget.may_fetch(&b));
        budget.has_asked(&a, true);
        budget.has_asked(&b, true);
        assert!(budget.may_fetch(&a) && !budget.may_fetch(&b));
        b.begin(core::task::Waker::noop());
        budget.has_asked(&a, false);
        assert!(b.is_woken() && budget.may_fetch(&b), "it is its turn, and it knows");
        budget.has_asked(&a, true);
        assert!(!budget.may_fetch(&a));
        drop(b);
        assert!(budget.may_fetch(&a), "who is gone waits for nothing");
    }
}
