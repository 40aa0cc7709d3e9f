//! Buffers that carry their lease and go back to their pool when dropped.

use alloc::vec::Vec;
use core::{mem, sync::atomic::Ordering};

use bytes::Bytes;

use super::{Budget, Class};
use crate::sync::Arc;

/// Room for a piece of a batch: always of the budget's chunk size, never regrown.
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    budget: Arc<Budget>,
}

impl Chunk {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For appending; whoever appends has compared with [`room`](Chunk::room) first.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        self.budget.put_chunk(bytes);
    }
}

/// A frame that was read from a broker; as the owner of a `Bytes` it is returned when the last slice drops.
pub(crate) struct FetchBuf {
    /// Its length stays at the high mark, so that a reused buffer is not zeroed again.
    bytes: Vec<u8>,
    len: usize,
    class: Class,
    budget: Arc<Budget>,
}

impl FetchBuf {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for FetchBuf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for FetchBuf {
    fn drop(&mut self) {
        self.budget.put_fetched(self.class, mem::take(&mut self.bytes));
    }
}

/// Room for records that are decompressed, or laid out anew; as the owner of a `Bytes` it is returned when the last slice
/// drops.
pub(crate) struct InflateBuf {
    bytes: Vec<u8>,
    budget: Arc<Budget>,
}

impl InflateBuf {
    /// For appending; whoever appends has compared with the capacity first.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Moves to a buffer of its own size if more than half of this one is empty and there is room for both meanwhile.
    pub(crate) fn fit(&mut self) {
        let len = self.bytes.len();
        if len < self.bytes.capacity() / 2
            && let Some(mut smaller) = self.budget.inflate_buf(len, len)
        {
            smaller.bytes.extend_from_slice(&self.bytes);
            mem::swap(self, &mut smaller);
        }
    }
}

impl AsRef<[u8]> for InflateBuf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for InflateBuf {
    fn drop(&mut self) {
        self.budget.put_inflated(mem::take(&mut self.bytes));
    }
}

/// Free inflate buffers worth keeping: one being filled, one being consumed.
const INFLATED_KEPT: usize = 2;

/// Free fetch buffers worth keeping: one being read, one being consumed, two for more brokers.
const FETCHED_KEPT: usize = 4;

impl Budget {
    /// The size of every chunk, in bytes.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// A free chunk, or `None` when the Produce class is full.
    #[inline]
    pub(crate) fn chunk(self: &Arc<Self>) -> Option<Chunk> {
        let free = self.chunks.lock().pop();
        let bytes = match free {
            Some(bytes) => bytes,
            None => self.new_chunk()?,
        };
        Some(Chunk { bytes, budget: Arc::clone(self) })
    }

    #[cold]
    pub(super) fn new_chunk(&self) -> Option<Vec<u8>> {
        if !self.take(Class::Produce, self.chunk_bytes) {
            return None;
        }
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(self.chunk_bytes).is_err() {
            self.give(Class::Produce, self.chunk_bytes);
            return None;
        }
        Some(bytes)
    }

    /// Chunks stay held for reuse. Someone may wait for one, so a return counts as room.
    fn put_chunk(&self, bytes: Vec<u8>) {
        // A drop may come at any moment, also from an interrupt: it only tries. What finds no place is let go.
        let Some(mut free) = self.chunks.try_lock() else {
            drop(bytes);
            return self.give(Class::Produce, self.chunk_bytes);
        };
        free.push(bytes);
        drop(free);
        self.feed(Class::Produce);
    }

    /// Takes so many chunks, or none of them: what is taken and put back again looks like room to whoever waits.
    #[cold]
    pub(crate) fn take_chunks(self: &Arc<Self>, count: usize, into: &mut Vec<Chunk>) -> bool {
        if !self.has_room(Class::Produce, count * self.chunk_bytes) {
            return false;
        }
        for _ in 0..count {
            let Some(chunk) = self.chunk() else { return false };
            into.push(chunk);
        }
        true
    }

    /// A free buffer of a class, which is still accounted for.
    pub(super) fn free_buffer(&self, class: Class) -> Option<Vec<u8>> {
        match class {
            Class::Produce => self.chunks.lock().pop(),
            Class::Fetch => self.fetched.lock().pop(),
            Class::Inflate => self.inflated.lock().pop(),
            Class::Control | Class::Tickets => None,
        }
    }

    /// An empty buffer of the Inflate class with room for at least `least` bytes, better for `wish`. If there is none,
    /// the driver is woken when one comes back.
    pub(crate) fn inflate_buf(self: &Arc<Self>, least: usize, wish: usize) -> Option<InflateBuf> {
        let wish = rounded(wish.max(least)).min(self.limit(Class::Inflate)).max(least);
        let mut bytes = self.free_inflated(least, wish).or_else(|| self.new_inflated(least, wish))?;
        bytes.clear();
        Some(InflateBuf { bytes, budget: Arc::clone(self) })
    }

    fn free_inflated(&self, least: usize, wish: usize) -> Option<Vec<u8>> {
        let mut free = self.inflated.lock();
        let at = free.iter().position(|b| b.capacity() >= least && b.capacity() / 2 <= wish.max(4096))?;
        Some(free.swap_remove(at))
    }

    fn new_inflated(&self, least: usize, wish: usize) -> Option<Vec<u8>> {
        let taken = self.take_some(Class::Inflate, least, wish)?;
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(taken).is_err() {
            self.give(Class::Inflate, taken);
            return None;
        }
        Some(bytes)
    }

    fn put_inflated(&self, bytes: Vec<u8>) {
        let capacity = bytes.capacity();
        // Records may be dropped where nobody may wait for a lock.
        if capacity >= 4096
            && let Some(mut free) = self.inflated.try_lock()
            && free.len() < INFLATED_KEPT
        {
            free.push(bytes);
            drop(free);
            self.feed(Class::Inflate);
            return;
        }
        drop(bytes);
        self.give(Class::Inflate, capacity);
    }

    /// A buffer of `len` bytes for a frame, from the free ones where one fits.
    pub(crate) fn fetch_buf(self: &Arc<Self>, class: Class, len: usize) -> Option<FetchBuf> {
        let wanted = self.fetch_buf_bytes(class, len);
        // Room was promised for what comes, not for what makes a buffer fit the next frame too.
        let made = || self.new_fetched(class, wanted).or_else(|| self.new_fetched(class, len));
        let mut bytes = self.free_fetched(class, len).or_else(made)?;
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        Some(FetchBuf { bytes, len, class, budget: Arc::clone(self) })
    }

    /// What a buffer that is made for `len` bytes takes of its class.
    pub(crate) fn fetch_buf_bytes(&self, class: Class, len: usize) -> usize {
        rounded(len).min(self.limit(class)).max(len)
    }

    /// A copy in such a buffer.
    pub(crate) fn copied(self: &Arc<Self>, class: Class, bytes: &[u8]) -> Option<Bytes> {
        let mut buffer = self.fetch_buf(class, bytes.len())?;
        buffer.bytes_mut().copy_from_slice(bytes);
        Some(Bytes::from_owner(buffer))
    }

    /// The next buffer of a frame that comes back is not kept for another: it may be larger than need be, and what it is larger
    /// is wanted.
    pub(crate) fn keep_no_buffer(&self) {
        self.keeps_none.store(true, Ordering::SeqCst);
    }

    fn free_fetched(&self, class: Class, len: usize) -> Option<Vec<u8>> {
        if class != Class::Fetch {
            return None;
        }
        let mut free = self.fetched.lock();
        let fits = |b: &Vec<u8>| b.capacity() >= len && b.capacity() / 2 <= len.max(4096);
        let at = free.iter().position(fits)?;
        Some(free.swap_remove(at))
    }

    pub(super) fn new_fetched(&self, class: Class, wanted: usize) -> Option<Vec<u8>> {
        while !self.take(class, wanted) {
            // Free buffers of the wrong size make room for one of the right size.
            let dropped = self.free_buffer(class)?;
            let capacity = dropped.capacity();
            drop(dropped);
            self.give(class, capacity);
        }
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(wanted).is_err() {
            self.give(class, wanted);
            return None;
        }
        // The allocator may give more than was asked for; returning accounts by capacity, so take the difference too.
        debug_assert!(bytes.capacity() == wanted);
        Some(bytes)
    }

    fn put_fetched(&self, class: Class, bytes: Vec<u8>) {
        let capacity = bytes.capacity();
        if class == Class::Fetch
            && capacity >= 4096
            && !self.keeps_none.swap(false, Ordering::SeqCst)
            && let Some(mut free) = self.fetched.try_lock()
            && free.len() < FETCHED_KEPT
        {
            free.push(bytes);
            drop(free);
            self.feed(class);
            return;
        }
        drop(bytes);
        self.give(class, capacity);
    }

    /// Bytes of the Fetch class that are promised to answers on their way.
    pub(crate) fn promised(&self) -> usize {
        self.promised.load(Ordering::SeqCst)
    }

    /// Promises room for a fetch of `bytes` before it is asked for. If there is none the driver is woken when a frame
    /// is dropped.
    pub(crate) fn promise(self: &Arc<Self>, bytes: usize) -> Option<Promise> {
        let account = self.account(Class::Fetch);
        for _ in 0..2 {
            let before = self.promised.fetch_add(bytes, Ordering::SeqCst);
            if self.leased(Class::Fetch).saturating_add(before).saturating_add(bytes) <= account.limit {
                return Some(Promise { budget: Arc::clone(self), bytes });
            }
            self.promised.fetch_sub(bytes, Ordering::SeqCst);
            // Marked before the second look, so that a frame dropped in between is not missed.
            account.starving.store(true, Ordering::SeqCst);
        }
        None
    }
}

/// Room in the Fetch class for an answer that is on its way, until dropped.
pub(crate) struct Promise {
    budget: Arc<Budget>,
    bytes: usize,
}

impl core::fmt::Debug for Promise {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Promise").field(&self.bytes).finish()
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.budget.promised.fetch_sub(self.bytes, Ordering::SeqCst);
        // Another client of the budget may wait for just this.
        self.budget.feed(Class::Fetch);
    }
}

/// Sizes in steps of an eighth, so that buffers of like frames fit each other's successors.
fn rounded(len: usize) -> usize {
    let step = (len.max(512) / 8).next_power_of_two();
    len.div_ceil(step).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    #[test]
    fn chunks_come_back_and_are_never_more_than_the_class_holds() {
        let budget = Budget::new(Memory::of(256 << 10));
        let mut all = Vec::new();
        while let Some(chunk) = budget.chunk() {
            all.push(chunk);
        }
        assert_eq!(all.len(), budget.limit(Class::Produce) / budget.chunk_bytes());
        assert!(budget.used(Class::Produce) <= budget.limit(Class::Produce));
        all.pop();
        assert!(budget.chunk().is_some());
        assert!(budget.has_room(Class::Produce, budget.chunk_bytes()));
        assert!(!budget.has_room(Class::Produce, budget.chunk_bytes() + 1));
    }

    #[test]
    fn free_buffers_make_room_for_one_of_another_size() {
        let budget = Budget::new(Memory::of(256 << 10));
        let limit = budget.limit(Class::Fetch);
        drop(budget.fetch_buf(Class::Fetch, limit).expect("all of it"));
        assert_eq!(budget.used(Class::Fetch), limit, "kept for reuse");
        assert_eq!(budget.leased(Class::Fetch), 0);
        let small = budget.fetch_buf(Class::Fetch, 5000).expect("the free one makes room");
        assert_eq!(small.as_ref().len(), 5000);
        assert!(budget.used(Class::Fetch) < limit);
    }

    /// What was promised is there, though a buffer that fits the next frame as well would take more.
    #[test]
    fn a_frame_gets_what_it_was_promised() {
        let budget = Budget::new(Memory::of(256 << 10));
        let (limit, len) = (budget.limit(Class::Fetch), 33_000);
        let kept = budget.lease(Class::Fetch, limit - len - 1_000).expect("room");
        let promise = budget.promise(len).expect("room");
        assert!(budget.fetch_buf_bytes(Class::Fetch, len) > limit - budget.leased(Class::Fetch));
        drop(promise);
        assert_eq!(budget.fetch_buf(Class::Fetch, len).expect("what was promised").as_ref().len(), len);
        drop(kept);
    }

    /// Clients that share a budget wait for each other's promises too.
    #[test]
    fn a_promise_given_back_wakes_who_was_refused() {
        let budget = Budget::new(Memory::of(256 << 10));
        let kick = crate::kick::Kick::new();
        budget.register(&kick).expect("room for one");
        kick.begin(core::task::Waker::noop());
        let all = budget.promise(budget.limit(Class::Fetch)).expect("room");
        assert!(budget.promise(1).is_none());
        assert!(!kick.is_woken());
        drop(all);
        assert!(kick.is_woken());
        assert_eq!(budget.promised(), 0);
    }

    /// What is inflated takes what there is, lets go of what it has too much where there is room to move, and comes back.
    #[test]
    fn inflate_buffers_take_what_there_is() {
        let budget = Budget::new(Memory::of(256 << 10));
        let limit = budget.limit(Class::Inflate);
        let mut buf = budget.inflate_buf(5_000, 12_000).expect("room");
        buf.bytes_mut().extend_from_slice(b"abc");
        buf.fit();
        assert_eq!(buf.as_ref(), b"abc");
        let small = budget.leased(Class::Inflate);
        assert!((3..=512).contains(&small), "{small}");
        let mut rest = budget.inflate_buf(limit - small, usize::MAX).expect("what there is");
        assert_eq!(budget.leased(Class::Inflate), limit);
        rest.bytes_mut().push(1);
        rest.fit();
        assert_eq!(budget.leased(Class::Inflate), limit, "there is no room to move to");
        assert!(budget.inflate_buf(1, 1).is_none());
        assert!(budget.peak(Class::Inflate) <= limit);
        drop((rest, buf));
        assert_eq!(budget.leased(Class::Inflate), 0);
        assert!(budget.used(Class::Inflate) > 0, "kept for reuse");
        assert!(budget.inflate_buf(limit, limit).is_some(), "free buffers make room");
    }

    /// What stands for as long as its owner lives is no room for anything else.
    #[test]
    fn standing_bytes_make_the_most_less() {
        let budget = Budget::new(Memory::of(256 << 10));
        let limit = budget.limit(Class::Produce);
        let chunk = budget.chunk().expect("room");
        drop(chunk);
        let lease = budget.lease(Class::Produce, limit).expect("a free chunk makes room");
        let standing = budget.standing(Class::Produce, limit);
        assert_eq!(budget.most(Class::Produce), 0);
        assert!(!budget.has_room(Class::Produce, 1));
        drop((lease, standing));
        assert_eq!(budget.most(Class::Produce), limit);
        assert!(budget.has_room(Class::Produce, limit));
    }

    #[test]
    fn a_buffer_larger_than_the_class_is_refused() {
        let budget = Budget::new(Memory::of(256 << 10));
        assert!(budget.fetch_buf(Class::Fetch, budget.limit(Class::Fetch) + 1).is_none());
        assert_eq!(budget.used(Class::Fetch), 0);
    }
}
