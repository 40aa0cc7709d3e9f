//! Taking a budget's memory from the allocator at once, rather than as it is needed.

use alloc::{format, vec::Vec};

use super::{Budget, Class, Memory};
use crate::{
    Error,
    sync::{Arc, LeafLock},
};

impl Budget {
    /// A budget that takes what records may hold from the allocator here and now: the classes Produce, Fetch and Inflate to their
    /// limits. Give it to [`Config::budget`](crate::Config::budget).
    ///
    /// From then on buffers are made of what was taken, so that all of a client's memory together grows by no more than the
    /// Control and Tickets classes. Of these, which are many small things, the allocator is asked as they come; here it is only asked
    /// whether it has as much. Where it has not, that is an error of the start, and not of some later day.
    ///
    /// A buffer of another size is made of one that is given back first, so on a heap that others share with the client what was
    /// given back may be gone; a heap of the client's own has it.
    ///
    /// # Errors
    /// [`Error::Config`] with `memory`, when the allocator has not so much.
    pub fn preallocated(memory: Memory) -> Result<Arc<Self>, Error> {
        let budget = Budget::new(memory);
        let taken = budget.take_chunks_now().is_some()
            && budget.take_one_now(Class::Fetch, &budget.fetched).is_some()
            && budget.take_one_now(Class::Inflate, &budget.inflated).is_some()
            && Vec::<u8>::new().try_reserve_exact(memory.control_bytes.saturating_add(memory.tickets_bytes)).is_ok();
        let refused = || Error::config("memory", format!("the allocator has no {} bytes together", memory.total()));
        taken.then_some(budget).ok_or_else(refused)
    }

    fn take_chunks_now(&self) -> Option<()> {
        let count = self.limit(Class::Produce) / self.chunk_bytes();
        let mut chunks = self.chunks.lock();
        chunks.try_reserve_exact(count).ok()?;
        for _ in 0..count {
            chunks.push(self.new_chunk()?);
        }
        Some(())
    }

    /// One buffer of the whole class; who wants a smaller one lets go of it first.
    fn take_one_now(&self, class: Class, free: &LeafLock<Vec<Vec<u8>>>) -> Option<()> {
        let buffer = self.new_fetched(class, self.limit(class))?;
        free.lock().push(buffer);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [Class; 3] = [Class::Produce, Class::Fetch, Class::Inflate];

    #[test]
    fn everything_is_held_and_nothing_is_in_use() {
        let budget = Budget::preallocated(Memory::of(64 << 10)).expect("so much there is");
        for class in RECORDS {
            // A chunk that does not fit any more is none.
            assert!(budget.limit(class) - budget.used(class) < budget.chunk_bytes(), "{class}");
            assert_eq!(budget.leased(class), 0, "{class}");
        }
        assert_eq!((budget.used(Class::Control), budget.used(Class::Tickets)), (0, 0));
    }

    /// What was taken is what buffers are made of, whatever their sizes, and comes back to the same accounts.
    #[test]
    fn buffers_of_all_sizes_are_made_of_it() {
        let budget = Budget::preallocated(Memory::of(64 << 10)).expect("so much there is");
        let most = |class| budget.limit(class);
        let chunks: Vec<_> = core::iter::from_fn(|| budget.chunk()).collect();
        assert_eq!(chunks.len(), most(Class::Produce) / budget.chunk_bytes());
        drop(chunks);
        // A batch's place among chunks.
        drop(budget.lease(Class::Produce, crate::producer::BATCH_KNOWN).expect("chunks make room"));
        let small = budget.fetch_buf(Class::Fetch, 100).expect("the large one makes room");
        drop(budget.fetch_buf(Class::Fetch, 4_096).expect("there is more"));
        drop(small);
        drop(budget.fetch_buf(Class::Fetch, most(Class::Fetch)).expect("all of it again"));
        drop(budget.inflate_buf(most(Class::Inflate), 0).expect("all of it"));
        for class in RECORDS {
            assert!(budget.used(class) <= most(class) && budget.leased(class) == 0, "{class}");
        }
    }

    /// An allocator says no, and nobody aborts. Where addresses are short it might be had.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn more_than_there_is_is_an_error() {
        for class in RECORDS {
            let mut memory = Memory::of(64 << 10);
            match class {
                Class::Produce => memory.produce_bytes = isize::MAX as usize,
                Class::Fetch => memory.fetch_bytes = isize::MAX as usize,
                _ => memory.inflate_bytes = isize::MAX as usize,
            }
            let refused = Budget::preallocated(memory).err();
            assert!(matches!(refused, Some(Error::Config { knob: "memory", .. })), "{class}: {refused:?}");
        }
        let refused = Budget::preallocated(Memory { control_bytes: isize::MAX as usize, ..Memory::of(64 << 10) });
        assert!(refused.is_err());
    }
}
