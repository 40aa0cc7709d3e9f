//! The way of a record into its batch: one short lock, one copy.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::{
    batch::{BATCH_KNOWN, OpenBatch},
    in_batch::InBatch,
    outcome::{Outcome, Ticket},
    run::Tickets,
    shared::{Place, ProducerShared, Refusal, Topic},
    spares::SPARES_MAX,
    summed::Summed,
};
use crate::{
    Error,
    api::whole_ms,
    budget::{Budget, Chunk, Class, Lease},
    compress::Codec,
    error::Fate,
    record::{
        BATCH_HEADER_LEN, Header, RecordParts, encode_record, encode_record_pieces, record_size, record_size_max,
    },
    sync::{Arc, LockGuard},
};

/// Locks a topic's open batches are spread over, so that threads on different partitions seldom meet.
pub(super) const SHARDS: usize = if cfg!(feature = "std") { 8 } else { 1 };

/// Records that are taken under one lock, so that nobody else waits for long.
const RUN_MAX: usize = 64;

/// The open batches of every [`SHARDS`]th partition.
#[derive(Default)]
pub(super) struct Shard {
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    open: Option<OpenBatch>,
    /// Bytes since the partition was chosen for keyless records (KIP-794).
    sticky_bytes: usize,
}

/// A record to append, all borrowed.
pub(crate) struct Appending<'a> {
    /// Its place in the batch is filled in where the batch is known.
    pub(crate) parts: RecordParts<'a>,
    pub(crate) timestamp_ms: Option<i64>,
    /// Whether the partition was chosen because the record has no key.
    pub(crate) sticky: bool,
}

impl<'a> Appending<'a> {
    #[inline]
    pub(crate) fn new(key: Option<&'a [u8]>, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Self {
        let parts = RecordParts { timestamp_delta: 0, offset_delta: 0, key, value, headers };
        Appending { parts, timestamp_ms: None, sticky: false }
    }

    /// The most bytes that it takes in a batch.
    #[inline]
    fn size_max(&self) -> usize {
        let (key, value) = (self.parts.key.map_or(0, <[u8]>::len), self.parts.value.map_or(0, <[u8]>::len));
        record_size_max(key, value, self.parts.headers)
    }
}

impl ProducerShared {
    /// Takes a record into the open batch of its partition. The driver is told if that was opened or sealed.
    #[inline]
    pub(crate) fn append(&self, topic: &Topic, partition: u32, mut record: Appending<'_>) -> Result<Ticket, Refusal> {
        let size_max = record.size_max();
        // Given back where the record is not taken after all, so that nothing is looked at again where it is.
        if !self.places.take() {
            return Err(Refusal::Full { bytes: size_max });
        }
        let mut guard = lock_slot(topic, partition);
        if self.is_closed() {
            // Looked at under the lock: whoever ends the producer goes through all of them once more after closing it.
            self.places.give(1);
            return Err(Refusal::Error(Error::Closed { fate: Fate::NotPersisted }));
        }
        let slot = slot_of(&mut guard, topic, partition);
        match self.append_short(topic, partition, slot, &mut record, size_max) {
            Some((outcome, index, timestamp_ms)) => Ok(Ticket::new(Arc::clone(outcome), index, timestamp_ms)),
            None => self.append_with_room(topic, partition, record, size_max, guard),
        }
    }

    /// Takes records one after the other under one lock, as long as `next` gives one and the open batch has room for it
    /// where it is.
    pub(crate) fn append_run<'r>(
        &self,
        topic: &Topic,
        partition: u32,
        mut next: impl FnMut() -> Option<Appending<'r>>,
        taken: &mut Tickets,
    ) {
        let mut guard = lock_slot(topic, partition);
        if self.is_closed() {
            return;
        }
        let slot = slot_of(&mut guard, topic, partition);
        for _ in 0..RUN_MAX {
            let Some(mut record) = next() else { return };
            let size_max = record.size_max();
            if !self.places.take() {
                return;
            }
            let Some((outcome, index, timestamp_ms)) = self.append_short(topic, partition, slot, &mut record, size_max)
            else {
                return self.places.give(1);
            };
            taken.add(outcome, index, timestamp_ms);
        }
    }

    /// The short way, for a record that the last chunk of the open batch has room for: its place, or `None` if it has not.
    #[inline(always)]
    fn append_short<'s>(
        &self,
        topic: &Topic,
        partition: u32,
        slot: &'s mut Slot,
        record: &mut Appending<'_>,
        size_max: usize,
    ) -> Option<(&'s Arc<Outcome>, u32, i64)> {
        let open = slot.open.as_mut().filter(|open| open.room() >= size_max)?;
        let timestamp_ms = self.time_of(open, record);
        if !self.takes(open, size_max, timestamp_ms) {
            return None;
        }
        let index = admit(open, record, timestamp_ms);
        let chunk = open.chunks.last_mut()?;
        let before = chunk.bytes().len();
        encode_record(chunk.bytes_mut(), &record.parts);
        open.len += chunk.bytes().len() - before;
        if record.sticky {
            self.stick(topic, partition, &mut slot.sticky_bytes, size_max);
        }
        Some((&open.outcome, index, timestamp_ms))
    }

    /// The same where the record needs memory, in a new batch or in the one that is open.
    #[cold]
    #[inline(never)]
    fn append_with_room(
        &self,
        topic: &Topic,
        partition: u32,
        mut record: Appending<'_>,
        size_max: usize,
        mut guard: LockGuard<'_, Shard>,
    ) -> Result<Ticket, Refusal> {
        // Here, because a record that had room is small enough.
        if size_max > self.config.batch_bytes - BATCH_HEADER_LEN
            && let Err(refusal) = self.check_size(topic, &record.parts)
        {
            self.places.give(1);
            return Err(refusal);
        }
        // Dropped after the lock: a chunk's drop may wake somebody.
        let mut spare = Spare::default();
        let slot = slot_of(&mut guard, topic, partition);
        let mut kick = false;
        if let Some(open) = &slot.open {
            let timestamp_ms = self.time_of(open, &record);
            if self.takes(open, size_max, timestamp_ms) {
                // For good: the driver's clock may go on before it is asked again.
                record.timestamp_ms = Some(timestamp_ms);
            } else {
                self.seal(topic, partition, slot);
                kick = true;
            }
        }
        // All of the record's room first: a batch is never open without a record, and none is written in part.
        let room = slot.open.as_ref().map_or(0, OpenBatch::room);
        let taken = spare.take(&self.client.budget, size_max.saturating_sub(room), slot.open.is_none());
        let result = taken.and_then(|()| {
            let open = match (&mut slot.open, spare.known.take()) {
                (Some(open), _) => open,
                (none, Some(memory)) => {
                    kick = true;
                    let open = none.insert(self.open(topic, partition, record.timestamp_ms, memory));
                    record.timestamp_ms = Some(open.base_timestamp_ms);
                    open
                }
                (None, None) => return Err(size_max),
            };
            let timestamp_ms = self.time_of(open, &record);
            let index = admit(open, &mut record, timestamp_ms);
            encode_over(open, &record.parts, &mut spare, self.config.compression == Codec::None);
            Ok(Ticket::new(Arc::clone(&open.outcome), index, timestamp_ms))
        });
        if record.sticky && result.is_ok() {
            self.stick(topic, partition, &mut slot.sticky_bytes, size_max);
        }
        drop(guard);
        if kick {
            self.client.kick.drive();
        }
        if result.is_ok() {
            // Who waits may find room in what it left of its chunk, or the batch too full now, which sends it.
            self.waits.wake_all();
        }
        result.map_err(|bytes| {
            self.places.give(1);
            Refusal::Full { bytes }
        })
    }

    /// The time of a record that joins an open batch.
    #[inline(always)]
    fn time_of(&self, open: &OpenBatch, record: &Appending<'_>) -> i64 {
        record.timestamp_ms.unwrap_or_else(|| self.client.coarse_unix_ms(open))
    }

    /// Whether a batch that has records may have this one, too.
    #[inline(always)]
    fn takes(&self, open: &OpenBatch, size_max: usize, timestamp_ms: i64) -> bool {
        open.len + size_max <= self.full_bytes
            && open.count < self.full_records
            && InBatch::is_near(open.base_timestamp_ms, timestamp_ms)
    }

    /// Counts what a partition got of keyless records; after a batch's worth the next one is theirs (KIP-794).
    #[inline]
    fn stick(&self, topic: &Topic, partition: u32, sticky_bytes: &mut usize, size: usize) {
        *sticky_bytes += size;
        if *sticky_bytes >= self.full_bytes {
            *sticky_bytes = 0;
            topic.move_on(partition);
        }
    }

    /// Opens a batch. The clock is read here and, coarsely, for the records that follow.
    fn open(&self, topic: &Topic, partition: u32, timestamp_ms: Option<i64>, memory: Lease) -> OpenBatch {
        let unix_ms = self.client.clock.unix_ms().unwrap_or(-1);
        let opened = self.client.clock.now();
        let base = timestamp_ms.unwrap_or(unix_ms);
        let chunks = {
            let mut inbox = self.inbox.lock();
            inbox.opened.push(Place { topic: topic.index, partition });
            inbox.lists.pop().unwrap_or_default()
        };
        OpenBatch {
            chunks,
            len: 0,
            summed: Summed::default(),
            count: 0,
            base_timestamp_ms: base,
            max_timestamp_ms: base,
            unix_ms,
            // Not the driver's reading, which is as old as its last turn.
            coarse_ms: whole_ms(opened),
            opened,
            outcome: Outcome::new(Arc::clone(&topic.name), partition as i32, base),
            memory,
        }
    }

    /// Hands the open batch on. The inbox is locked inside the shard's lock, so that a partition's batches arrive in
    /// the order in which they were sealed, whoever seals them.
    fn seal(&self, topic: &Topic, partition: u32, slot: &mut Slot) {
        if let Some(open) = slot.open.take() {
            self.inbox.lock().sealed.push_back((Place { topic: topic.index, partition }, open));
        }
    }

    /// The driver seals a partition's batch that is due.
    pub(super) fn seal_open(&self, topic: &Topic, partition: u32) {
        let mut guard = lock_slot(topic, partition);
        let slot = slot_of(&mut guard, topic, partition);
        self.seal(topic, partition, slot);
    }

    /// The producer has ended: whatever is still open in any partition of a topic is handed on.
    pub(super) fn seal_all(&self, topic: &Topic) {
        for (at, shard) in topic.shards.iter().enumerate() {
            let mut shard = shard.lock();
            for (row, slot) in shard.slots.iter_mut().enumerate() {
                self.seal(topic, (row * SHARDS + at) as u32, slot);
            }
        }
    }

    /// When the open batch of a partition was opened, and how large it is; `None` if there is none.
    pub(super) fn peek_open(&self, topic: &Topic, partition: u32) -> Option<crate::Instant> {
        let mut guard = lock_slot(topic, partition);
        slot_of(&mut guard, topic, partition).open.as_ref().map(|open| open.opened)
    }

    /// Takes everything sealed so far, and gives empty lists for what will be.
    pub(super) fn take_sealed(&self, into: &mut VecDeque<(Place, OpenBatch)>, lists: &mut Vec<Vec<Chunk>>) {
        let mut inbox = self.inbox.lock();
        core::mem::swap(&mut inbox.sealed, into);
        while inbox.lists.len() < SPARES_MAX
            && let Some(list) = lists.pop()
        {
            inbox.lists.push(list);
        }
    }

    /// A record near the limit is measured to the byte, as the first of its batch, which it then is.
    #[cold]
    fn check_size(&self, topic: &Topic, parts: &RecordParts<'_>) -> Result<(), Refusal> {
        let needed = record_size(parts).map_or(usize::MAX, |size| size + BATCH_HEADER_LEN);
        if needed <= self.config.batch_bytes { Ok(()) } else { Err(Refusal::Error(self.too_large(topic, needed))) }
    }

    fn too_large(&self, topic: &Topic, needed: usize) -> Error {
        let limit = self.config.batch_bytes;
        let because = Error::Budget { class: Class::Produce, needed, limit, knob: "batch_bytes" };
        let what = alloc::format!("a record to {}", topic.name);
        Error::TooLarge { what, because: Box::new(because), next_offset: None }
    }
}

/// Memory for one record: mostly one chunk, for which no list is made.
#[derive(Default)]
struct Spare {
    one: Option<Chunk>,
    more: Vec<Chunk>,
    /// What a batch takes that is opened for it.
    known: Option<Lease>,
}

impl Spare {
    /// Takes chunks for so many bytes, and what a new batch needs, or nothing: then it tells how many bytes that is together.
    #[cold]
    fn take(&mut self, budget: &Arc<Budget>, bytes: usize, opens: bool) -> Result<(), usize> {
        let count = bytes.div_ceil(budget.chunk_bytes());
        let known = if opens { BATCH_KNOWN } else { 0 };
        let needed = count * budget.chunk_bytes() + known;
        if !budget.has_room(Class::Produce, needed) {
            return Err(needed);
        }
        let taken = if count > 1 {
            budget.take_chunks(count, &mut self.more)
        } else {
            self.one = budget.chunk();
            self.one.is_some()
        };
        if opens {
            self.known = budget.lease(Class::Produce, known);
        }
        if taken && self.known.is_some() == opens { Ok(()) } else { Err(needed) }
    }

    fn next(&mut self) -> Option<Chunk> {
        self.one.take().or_else(|| self.more.pop())
    }
}

/// Encodes into the last chunk and on into `more`, which have room enough for the record's largest size. Records that are
/// sent as they are here are summed where a chunk is full.
fn encode_over(open: &mut OpenBatch, parts: &RecordParts<'_>, more: &mut Spare, as_they_are: bool) {
    let OpenBatch { chunks, summed, .. } = open;
    let mut len = 0;
    encode_record_pieces(parts, &mut |mut piece: &[u8]| {
        len += piece.len();
        while !piece.is_empty() {
            let space = chunks.last().map_or(0, Chunk::room);
            if space == 0 {
                let Some(chunk) = more.next() else { return };
                if as_they_are && let Some(full) = chunks.last() {
                    summed.add(full);
                }
                chunks.push(chunk);
                continue;
            }
            let (now, later) = piece.split_at(space.min(piece.len()));
            if let Some(chunk) = chunks.last_mut() {
                chunk.bytes_mut().extend_from_slice(now);
            }
            piece = later;
        }
    });
    open.len += len;
}

/// Gives a record its place in a batch. Before the record is written: the processor would have to wait for all of that
/// to reach memory first.
#[inline]
fn admit(open: &mut OpenBatch, record: &mut Appending<'_>, timestamp_ms: i64) -> u32 {
    record.parts.timestamp_delta = timestamp_ms.wrapping_sub(open.base_timestamp_ms);
    let index = open.count;
    record.parts.offset_delta = index;
    open.max_timestamp_ms = open.max_timestamp_ms.max(timestamp_ms);
    open.count += 1;
    index
}

#[inline]
fn lock_slot(topic: &Topic, partition: u32) -> LockGuard<'_, Shard> {
    topic.shards[partition as usize % SHARDS].lock()
}

/// As many slots as are needed, in memory for all that the topic will need: a list that doubles would be half empty.
#[cold]
fn add_slots(shard: &mut Shard, topic: &Topic, at: usize) {
    let all = (topic.partitions() as usize).div_ceil(SHARDS).max(at + 1);
    shard.slots.reserve_exact(all - shard.slots.len());
    shard.slots.resize_with(at + 1, Slot::default);
}

#[inline]
fn slot_of<'a>(shard: &'a mut LockGuard<'_, Shard>, topic: &Topic, partition: u32) -> &'a mut Slot {
    let at = partition as usize / SHARDS;
    if shard.slots.len() <= at {
        add_slots(shard, topic, at);
    }
    &mut shard.slots[at]
}
