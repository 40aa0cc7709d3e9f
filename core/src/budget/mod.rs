//! One ceiling over every byte that a peer or the application can make the client hold.
//!
//! Classes have hard limits of their own, so that a full one starves no other: a producer that fills its class still
//! has room to read acknowledgements. Buffers carry their lease: dropping the last slice of one returns it, in whatever
//! thread that happens. Free buffers that are kept for reuse count as held, so live bytes never pass the limit.

mod buffers;
mod line;
mod plan;
mod prealloc;

pub(crate) use buffers::{Chunk, FetchBuf, InflateBuf, Promise};
use line::Line;
pub(crate) use plan::{ANSWER_PARTITION_BYTES, PARTITION_BYTES, known_bytes};
pub use plan::{MemoryLine, MemoryPlan};

use alloc::vec::Vec;
use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{
    Error,
    config::FETCH_LEAST,
    kick::Kick,
    sync::{Arc, LeafLock, Weak},
};

/// What memory is held for. Each class has a limit of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Class {
    /// Connections, requests, responses other than records, metadata. Reserved before all others.
    Control,
    /// Records that wait to be acknowledged, and what compresses them.
    Produce,
    /// Fetched record batches, until the application drops them.
    Fetch,
    /// Records that were decompressed, until the application drops them, and what decompresses them.
    Inflate,
    /// What tasks that wait cost: their wakers.
    Tickets,
}

impl Class {
    pub(crate) const ALL: [Class; 5] = [Class::Control, Class::Produce, Class::Fetch, Class::Inflate, Class::Tickets];

    /// The setting that limits this class.
    pub(crate) const fn knob(self) -> &'static str {
        match self {
            Class::Control => "memory.control_bytes",
            Class::Produce => "memory.produce_bytes",
            Class::Fetch => "memory.fetch_bytes",
            Class::Inflate => "memory.inflate_bytes",
            Class::Tickets => "memory.tickets_bytes",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Control => "control",
            Class::Produce => "produce",
            Class::Fetch => "fetch",
            Class::Inflate => "inflate",
            Class::Tickets => "tickets",
        })
    }
}

/// The limit of each class, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Connections, requests, responses other than records, metadata.
    pub control_bytes: usize,
    /// Records that wait to be acknowledged, and what compresses them.
    pub produce_bytes: usize,
    /// Fetched batches, until the application drops them.
    pub fetch_bytes: usize,
    /// Decompressed records, until the application drops them, and what decompresses them.
    pub inflate_bytes: usize,
    /// Wakers of waiting tasks.
    pub tickets_bytes: usize,
}

/// What Control has, if a total is small.
const CONTROL_WANTED: usize = 18 << 10;

const fn least_of(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn most_of(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Default for Memory {
    /// 16 MiB.
    fn default() -> Self {
        Memory::of(16 << 20)
    }
}

impl Memory {
    /// Shares `total` bytes out: half to produce, a quarter to fetch, an eighth each to inflate and to the rest. Where that is
    /// small, the rest has 18 KiB, as far as nine sixteenths go, because so much takes a producer and a consumer with a
    /// connection to each of three brokers; fetch has 4 KiB at least, as far as that is half of what is left.
    pub const fn of(total: usize) -> Self {
        let tickets_bytes = total / 64;
        let small = least_of(total / 16 * 9, CONTROL_WANTED);
        let control_bytes = most_of(total / 8 - tickets_bytes, small);
        let left = total - control_bytes - tickets_bytes;
        let fetch_bytes = most_of(left / 7 * 2, least_of(left / 2, FETCH_LEAST));
        let inflate_bytes = left / 7;
        let produce_bytes = left - fetch_bytes - inflate_bytes;
        Memory { control_bytes, produce_bytes, fetch_bytes, inflate_bytes, tickets_bytes }
    }

    /// Shares `total` bytes out where connections are encrypted, which takes more of Control: a quarter each to produce and to
    /// fetch, an eighth to inflate, and what is left, three eighths, to the rest.
    pub const fn encrypted(total: usize) -> Self {
        Memory {
            control_bytes: total / 8 * 3 - total / 64,
            produce_bytes: total / 4,
            fetch_bytes: total / 4,
            inflate_bytes: total / 8,
            tickets_bytes: total / 64,
        }
    }

    /// All classes together, in bytes.
    pub const fn total(&self) -> usize {
        self.control_bytes + self.produce_bytes + self.fetch_bytes + self.inflate_bytes + self.tickets_bytes
    }

    pub(crate) const fn limit(&self, class: Class) -> usize {
        match class {
            Class::Control => self.control_bytes,
            Class::Produce => self.produce_bytes,
            Class::Fetch => self.fetch_bytes,
            Class::Inflate => self.inflate_bytes,
            Class::Tickets => self.tickets_bytes,
        }
    }
}

#[derive(Default)]
struct Account {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// What is held for as long as a producer or consumer lives, and so is no room for records.
    standing: AtomicUsize,
    /// Somebody was refused and waits for a return.
    starving: AtomicBool,
}

/// The accounts of one client, or of several that share them.
pub struct Budget {
    accounts: [Account; 5],
    chunk_bytes: usize,
    chunks: LeafLock<Vec<Vec<u8>>>,
    fetched: LeafLock<Vec<Vec<u8>>>,
    inflated: LeafLock<Vec<Vec<u8>>>,
    /// The next of the fetched is not kept.
    keeps_none: AtomicBool,
    /// Bytes of the Fetch class that answers on their way may take.
    promised: AtomicUsize,
    /// Whom to wake when a class that somebody waits for has room again.
    kicks: LeafLock<Vec<Weak<Kick>>>,
    /// Clients that found no room for a fetch, in that order.
    line: Line,
}

/// Clients that may share one budget.
const CLIENTS_MAX: usize = 64;

impl Budget {
    /// A budget with these limits.
    pub fn new(memory: Memory) -> Arc<Self> {
        let account = |class: Class| Account { limit: memory.limit(class), ..Account::default() };
        Arc::new(Budget {
            accounts: Class::ALL.map(account),
            chunk_bytes: chunk_bytes(memory.produce_bytes),
            chunks: LeafLock::new(Vec::new()),
            fetched: LeafLock::new(Vec::new()),
            inflated: LeafLock::new(Vec::new()),
            keeps_none: AtomicBool::new(false),
            promised: AtomicUsize::new(0),
            kicks: LeafLock::new(Vec::new()),
            line: Line::default(),
        })
    }

    fn account(&self, class: Class) -> &Account {
        &self.accounts[class as usize]
    }

    /// Bytes that a class holds now, free buffers kept for reuse included.
    pub fn used(&self, class: Class) -> usize {
        self.account(class).used.load(Ordering::Relaxed)
    }

    /// Bytes of a class that are in use now: what it holds without free buffers kept for reuse.
    pub fn leased(&self, class: Class) -> usize {
        let kept = match class {
            Class::Produce => self.chunks.lock().len() * self.chunk_bytes,
            Class::Fetch => self.fetched.lock().iter().map(Vec::capacity).sum(),
            Class::Inflate => self.inflated.lock().iter().map(Vec::capacity).sum(),
            Class::Control | Class::Tickets => 0,
        };
        self.used(class).saturating_sub(kept)
    }

    /// The most that a class ever held, in bytes.
    pub fn peak(&self, class: Class) -> usize {
        self.account(class).peak.load(Ordering::Relaxed)
    }

    /// A class's limit, in bytes.
    pub fn limit(&self, class: Class) -> usize {
        self.account(class).limit
    }

    /// The most that all classes held, each at its own worst moment, in bytes.
    pub fn peak_total(&self) -> usize {
        Class::ALL.iter().map(|c| self.peak(*c)).sum()
    }

    pub(crate) fn register(&self, kick: &Arc<Kick>) -> Result<(), Error> {
        let mut kicks = self.kicks.lock();
        kicks.retain(|k| k.strong_count() > 0);
        if kicks.len() >= CLIENTS_MAX {
            return Err(Error::config("budget", "is shared by 64 clients already"));
        }
        kicks.push(Arc::downgrade(kick));
        Ok(())
    }

    /// Takes `bytes` of a class, or leaves a mark so that the driver is woken at the next return.
    fn take(&self, class: Class, bytes: usize) -> bool {
        let account = self.account(class);
        let grown = account.used.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= account.limit)
        });
        match grown {
            Ok(before) => {
                account.peak.fetch_max(before + bytes, Ordering::Relaxed);
                true
            }
            Err(_) => {
                account.starving.store(true, Ordering::SeqCst);
                false
            }
        }
    }

    fn give(&self, class: Class, bytes: usize) {
        self.account(class).used.fetch_sub(bytes, Ordering::SeqCst);
        self.feed(class);
    }

    /// A class has room again: wakes whoever was refused, if anybody was. The list is only tried: it is locked while a
    /// client is built, and a driver that starves looks again by itself after [`STARVED_AGAIN`].
    fn feed(&self, class: Class) {
        let account = self.account(class);
        if !account.starving.load(Ordering::SeqCst) {
            return;
        }
        let Some(kicks) = self.kicks.try_lock() else { return };
        if !account.starving.swap(false, Ordering::SeqCst) {
            return;
        }
        let woken: Vec<Arc<Kick>> = kicks.iter().filter_map(Weak::upgrade).collect();
        drop(kicks);
        for kick in woken {
            kick.wake();
        }
    }

    /// Takes as much of a class as there is, up to `wish`; `None` if that is less than `least`. Free buffers make room.
    fn take_some(&self, class: Class, least: usize, wish: usize) -> Option<usize> {
        let account = self.account(class);
        loop {
            let mut taken = 0;
            let grown = account.used.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |used| {
                taken = wish.max(least).min(account.limit.saturating_sub(used));
                (taken >= least).then_some(used + taken)
            });
            if let Ok(before) = grown {
                account.peak.fetch_max(before + taken, Ordering::Relaxed);
                return Some(taken);
            }
            let Some(free) = self.free_buffer(class) else {
                account.starving.store(true, Ordering::SeqCst);
                return None;
            };
            let capacity = free.capacity();
            drop(free);
            // A free buffer was room before: nobody is to be told.
            account.used.fetch_sub(capacity, Ordering::SeqCst);
        }
    }

    /// A lease without a buffer, for what lives in maps and queues, or in somebody else's memory.
    pub(crate) fn lease(self: &Arc<Self>, class: Class, bytes: usize) -> Option<Lease> {
        self.take_some(class, bytes, bytes).map(|bytes| Lease { budget: Arc::clone(self), class, bytes })
    }

    /// Notes that `bytes`, which are leased already, stay so for long. What [`most`](Budget::most) answers is less by that.
    pub(crate) fn standing(self: &Arc<Self>, class: Class, bytes: usize) -> Standing {
        self.account(class).standing.fetch_add(bytes, Ordering::SeqCst);
        Standing { budget: Arc::clone(self), class, bytes }
    }

    /// The most that one thing can ever have of a class, in bytes.
    pub(crate) fn most(&self, class: Class) -> usize {
        self.limit(class).saturating_sub(self.account(class).standing.load(Ordering::SeqCst))
    }

    /// Whether so much of a class could be had now. If not, the driver is woken when something comes back.
    pub(crate) fn has_room(&self, class: Class, bytes: usize) -> bool {
        let fits = || self.leased(class).saturating_add(bytes) <= self.limit(class);
        if fits() {
            return true;
        }
        // Marked before the second look, so that what comes back in between is not missed.
        self.account(class).starving.store(true, Ordering::SeqCst);
        fits()
    }

    pub(crate) fn refuse(&self, class: Class, needed: usize) -> Error {
        Error::Budget { class, needed, limit: self.limit(class), knob: class.knob() }
    }
}

/// How long a starved driver sleeps before it looks again, should a wake-up have been missed.
pub(crate) const STARVED_AGAIN: core::time::Duration = core::time::Duration::from_millis(20);

/// The size of the pieces that batches grow by: small enough that many partitions find room, large enough that a
/// full batch of 1 MB is a few dozen slices of one vectored write.
const fn chunk_bytes(produce_bytes: usize) -> usize {
    let share = produce_bytes / 128;
    if share > 32 << 10 {
        32 << 10
    } else if share < 256 {
        256
    } else {
        share
    }
}

/// Bytes of a class, until dropped.
pub(crate) struct Lease {
    budget: Arc<Budget>,
    class: Class,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.give(self.class, self.bytes);
    }
}

/// Leased bytes that are no room for records, until dropped.
pub(crate) struct Standing {
    budget: Arc<Budget>,
    class: Class,
    bytes: usize,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.budget.account(self.class).standing.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_never_passed_and_starves_no_other() {
        let budget = Budget::new(Memory::of(64 << 10));
        let limit = budget.limit(Class::Fetch);
        let all = budget.lease(Class::Fetch, limit).expect("room");
        assert!(budget.lease(Class::Fetch, 1).is_none());
        assert!(budget.lease(Class::Control, 1).is_some());
        drop(all);
        assert_eq!(budget.used(Class::Fetch), 0);
        assert_eq!(budget.peak(Class::Fetch), limit);
    }

    #[test]
    fn shares_add_up_to_the_total() {
        for total in [0, 1, 999, 24 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 4 << 20, 16 << 20] {
            assert_eq!(Memory::of(total).total(), total);
        }
        for total in [64 << 10, 256 << 10, 4 << 20, 16 << 20] {
            assert_eq!(Memory::encrypted(total).total(), total);
        }
    }

    #[test]
    fn a_return_wakes_who_was_refused() {
        let budget = Budget::new(Memory::of(64 << 10));
        let kick = Kick::new();
        budget.register(&kick).expect("room for one");
        kick.begin(core::task::Waker::noop());
        let all = budget.lease(Class::Fetch, budget.limit(Class::Fetch)).expect("room");
        assert!(budget.lease(Class::Fetch, 1).is_none());
        assert!(!kick.is_woken());
        drop(all);
        assert!(kick.is_woken());
    }
}
