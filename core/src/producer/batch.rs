//! A batch: open while it grows, sealed when it is queued to be sent.

use alloc::{boxed::Box, vec::Vec};

use super::{
    outcome::{Acknowledged, Failed, Outcome, Told},
    packer::Packer,
    places::Held,
    split::{Split, Splitter, Whole},
    stamp::Stamp,
    summed::Summed,
};
use crate::{
    Error, Instant,
    budget::{Chunk, Lease},
    compress::Codec,
    error::Fate,
    record::{Attributes, BATCH_HEADER_LEN, BatchHeader, LOG_OVERHEAD, seal_crc_over},
    sync::Arc,
};

/// What is known of a batch beside its records, in bytes, with what the tasks that wait for it leave there: its part of
/// the Produce class. The same on every target, so that a run of the simulator is, too.
pub(crate) const BATCH_KNOWN: usize = 832;

/// The records of a sealed batch as they go out. Shared by the queue that may have to send them again and the
/// connection that is writing them: the memory returns when both are done with it.
pub(crate) struct BatchBody {
    chunks: Vec<Chunk>,
    len: usize,
    summed: Summed,
}

impl BatchBody {
    pub(crate) fn of(chunks: Vec<Chunk>, summed: Summed) -> Self {
        let mut body = BatchBody { chunks: Vec::new(), len: 0, summed };
        body.replace(chunks, summed);
        body
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(Chunk::bytes)
    }

    /// Bytes of all records together.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Its chunks, emptied, for other records.
    pub(super) fn empty(&mut self) -> Vec<Chunk> {
        let mut chunks = self.replace(Vec::new(), Summed::default());
        chunks.iter_mut().for_each(|chunk| chunk.bytes_mut().clear());
        chunks
    }

    /// Puts other chunks in the place of its own, which it answers.
    pub(super) fn replace(&mut self, chunks: Vec<Chunk>, summed: Summed) -> Vec<Chunk> {
        self.len = chunks.iter().map(|c| c.bytes().len()).sum();
        self.summed = summed;
        core::mem::replace(&mut self.chunks, chunks)
    }
}

/// A batch that records are still appended to.
pub(crate) struct OpenBatch {
    pub(crate) chunks: Vec<Chunk>,
    /// Bytes of all records together.
    pub(crate) len: usize,
    pub(super) summed: Summed,
    pub(crate) count: u32,
    pub(crate) base_timestamp_ms: i64,
    pub(crate) max_timestamp_ms: i64,
    /// What the time was when the batch opened; −1 if nobody knows.
    pub(crate) unix_ms: i64,
    /// The coarse clock's reading at that moment: its difference later dates the records that follow.
    pub(crate) coarse_ms: usize,
    pub(crate) opened: Instant,
    pub(crate) outcome: Arc<Outcome>,
    /// [`BATCH_KNOWN`] bytes.
    pub(super) memory: Lease,
}

impl OpenBatch {
    /// Bytes that its last chunk still takes.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.chunks.last().map_or(0, Chunk::room)
    }
}

/// Records that are sent together: all of a batch, unless the broker found it too large.
pub(super) struct Step {
    pub(super) body: Arc<BatchBody>,
    pub(super) codec: Codec,
    pub(super) count: u32,
    pub(super) base_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
}

/// What must be done to a batch before it can be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Work {
    None,
    Compress,
    /// It is being compressed, maybe in another thread.
    UnderWay,
    Split,
}

/// A batch that is complete.
///
/// One that was split stays one batch, with one number and one place in its partition's order: its parts are sent one after
/// the other, each with the sequence numbers that its records had from the beginning.
pub(crate) struct Batch {
    /// What is sent now.
    step: Step,
    /// What it was split into, of which that is the part at hand.
    split: Option<Box<Split>>,
    /// The broker found that too large.
    too_large: bool,
    pub(super) work: Work,
    /// When its first record was accepted: the delivery timeout runs from here (trap 63).
    pub(crate) opened: Instant,
    outcome: Arc<Outcome>,
    /// Its number among all batches of the producer, for flushes and for the order of retries.
    pub(crate) number: u64,
    /// The request that it is in flight with, by number.
    pub(super) request: u64,
    /// Who wrote it and where in that writer's sequence: given once, at the first send.
    pub(crate) stamp: Option<Stamp>,
    /// Its number among all batches of its partition that were stamped.
    pub(crate) ordinal: u64,
    header: [u8; BATCH_HEADER_LEN],
    /// It was sent, and what became of it is not known.
    pub(crate) unsure: bool,
    /// It was split while it was unsure. A broker that has it knows it by its number and size, and would not know its parts:
    /// until it has taken the first of them, none may get another number.
    pub(crate) doubtful: bool,
    /// Its tickets were told that its time is over; its memory still waits for the request's end.
    pub(crate) expired: bool,
    /// What went wrong last, for the delivery timeout's error.
    pub(crate) because: Option<Error>,
    /// How often it was sent again.
    pub(super) retries: u32,
    _held: Held,
    _memory: Lease,
}

impl Batch {
    pub(super) fn seal(open: OpenBatch, body: Arc<BatchBody>, number: u64, held: Held) -> Box<Self> {
        Box::new(Batch {
            step: Step {
                body,
                codec: Codec::None,
                count: open.count,
                base_timestamp_ms: open.base_timestamp_ms,
                max_timestamp_ms: open.max_timestamp_ms,
            },
            split: None,
            too_large: false,
            work: Work::None,
            opened: open.opened,
            outcome: open.outcome,
            number,
            request: 0,
            stamp: None,
            ordinal: 0,
            header: [0; BATCH_HEADER_LEN],
            unsure: false,
            doubtful: false,
            expired: false,
            because: None,
            retries: 0,
            _held: held,
            _memory: open.memory,
        })
    }

    pub(crate) fn body(&self) -> &Arc<BatchBody> {
        &self.step.body
    }

    /// The records of a batch that is settled.
    pub(super) fn into_body(self) -> Arc<BatchBody> {
        self.step.body
    }

    /// Records that are sent together.
    pub(crate) fn count(&self) -> u32 {
        self.step.count
    }

    /// Records that are not settled yet: as many sequence numbers are theirs.
    pub(crate) fn left(&self) -> u32 {
        self.split.as_ref().map_or(self.step.count, |split| split.left())
    }

    /// How its records are compressed.
    pub(crate) fn codec(&self) -> Codec {
        self.step.codec
    }

    /// Bytes on the wire.
    pub(crate) fn wire_len(&self) -> usize {
        BATCH_HEADER_LEN + self.step.body.len()
    }

    /// All records have been compressed together, into these chunks of the packer's; it gets the batch's own for them. Before
    /// the first stamp, which the header is written with.
    pub(super) fn pack(&mut self, chunks: Vec<Chunk>, packer: &mut Packer) {
        let Some(body) = Arc::get_mut(&mut self.step.body) else { return };
        packer.refill(&mut body.replace(chunks, Summed::default()));
        self.step.codec = packer.codec();
    }

    /// The broker found what was sent too large: it is split before it is sent again.
    pub(super) fn halve_later(&mut self) {
        self.work = Work::Split;
        self.too_large = true;
    }

    /// Whether its records are laid out to be sent in parts.
    pub(super) fn is_laid_out(&self) -> bool {
        self.split.is_some()
    }

    /// Makes the next part what is sent, and halves it first if it was too large. The stamp stays: each record keeps its
    /// number.
    pub(super) fn split(&mut self, splitter: &mut Splitter<'_>) -> Result<(), Whole> {
        let split = match &mut self.split {
            Some(split) => split,
            None => self.split.insert(Box::new(Split::of(splitter.laid_out(&self.step)?, self.step.count))),
        };
        if core::mem::take(&mut self.too_large) {
            split.halve()?;
            self.doubtful |= self.unsure;
        }
        split.prepare(&mut self.step, splitter)?;
        self.work = Work::None;
        if let Some(stamp) = self.stamp {
            self.stamp(stamp);
        }
        Ok(())
    }

    /// Settles what was sent; whether something is left to be sent. If not, the tickets are told.
    #[must_use]
    fn go_on(&mut self, told: Told) -> bool {
        let Some(split) = self.split.as_mut().filter(|split| !self.expired && split.left() > self.step.count) else {
            self.tell(told);
            return false;
        };
        note(split, told);
        split.next();
        (self.unsure, self.doubtful) = (false, false);
        self.stamp = self.stamp.map(|stamp| stamp.after(self.step.count));
        self.work = Work::Split;
        true
    }

    /// Tells the tickets of everything that is not settled yet.
    fn tell(&mut self, told: Told) {
        match self.split.take() {
            Some(mut split) => {
                note(&mut split, told);
                self.outcome.resolve_parts(split.told);
            }
            None => self.outcome.resolve(told),
        }
    }

    /// Writes the header. The CRC covers it and all records, so a new stamp costs a new CRC.
    pub(crate) fn stamp(&mut self, stamp: Stamp) {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: i32::try_from(self.wire_len() - LOG_OVERHEAD).unwrap_or(i32::MAX),
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Attributes::of(self.step.codec),
            last_offset_delta: self.step.count as i32 - 1,
            base_timestamp: self.step.base_timestamp_ms,
            max_timestamp: self.step.max_timestamp_ms,
            producer_id: stamp.producer_id,
            producer_epoch: stamp.epoch,
            base_sequence: stamp.sequence,
            record_count: self.step.count as i32,
        };
        self.header = header.write();
        let body = &self.step.body;
        seal_crc_over(&mut self.header, |head| body.summed.after(head, &body.chunks));
        self.stamp = Some(stamp);
    }

    /// The broker does not have it, and cannot take it under the stamp that it had.
    pub(crate) fn unstamp(&mut self) {
        self.stamp = None;
        (self.unsure, self.doubtful) = (false, false);
    }

    pub(crate) fn header(&self) -> [u8; BATCH_HEADER_LEN] {
        self.header
    }

    /// What a failure of this batch means for its records.
    pub(crate) fn fate(&self) -> Fate {
        if self.unsure || self.doubtful { Fate::MaybePersisted } else { Fate::NotPersisted }
    }

    /// Tells the tickets that the delivery timeout is over, and why it was not enough.
    pub(crate) fn expire(&mut self, after: core::time::Duration, what: alloc::string::String, in_flight: bool) {
        let fate = if in_flight { Fate::MaybePersisted } else { self.fate() };
        let because = self.because.take().map(Box::new);
        let error = Error::TimedOut { what, after, knob: "delivery_timeout_ms", fate, because };
        self.tell(Err(Failed { error, records: Vec::new() }));
        self.expired = true;
    }

    /// The broker has what was sent; whether something is left to be sent. A broker that had it already answers with its
    /// greatest timestamp, whoever stamps the topic's records: that is no append time.
    #[must_use]
    pub(crate) fn acknowledge(&mut self, base_offset: i64, append_time_ms: i64) -> bool {
        let is_echo = self.unsure && append_time_ms == self.step.max_timestamp_ms;
        let append_time_ms = if is_echo { -1 } else { append_time_ms };
        self.go_on(Ok(Acknowledged { base_offset, append_time_ms }))
    }

    /// What was sent is refused for good; whether something is left to be sent. If it may be in the log all the same,
    /// nothing is: what follows cannot be given other numbers then.
    #[must_use]
    pub(crate) fn refuse(&mut self, failed: Failed) -> bool {
        if self.fate() == Fate::MaybePersisted {
            self.tell(Err(failed));
            return false;
        }
        self.go_on(Err(failed))
    }

    /// Nothing of it is sent any more.
    pub(crate) fn fail(mut self, error: Error) {
        self.tell(Err(Failed { error, records: Vec::new() }));
    }
}

/// Remembers what became of a part. Parts that lie in the log as they lay in the batch count as one, and so do those that were
/// refused alike: a topic that takes nothing splits a batch down to its records.
fn note(split: &mut Split, told: Told) {
    let goes_on = match (split.told.last(), &told) {
        (Some((at, Ok(before))), Ok(now)) => {
            before.base_offset >= 0
                && before.base_offset.checked_add(i64::from(split.first - at)) == Some(now.base_offset)
                && before.append_time_ms == now.append_time_ms
        }
        // Records that are named are counted from their part's beginning.
        (Some((_, Err(before))), Err(now)) => {
            before.records.is_empty() && now.records.is_empty() && before.error == now.error
        }
        _ => false,
    };
    if !goes_on {
        split.told.push((split.first, told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ErrorCode,
        budget::{Budget, Memory},
        producer::{outcome::WAITER_SIZE, shared::Place},
    };

    /// A topic that takes nothing splits a batch down to its records, and of all together no more is known than of one.
    #[test]
    fn parts_that_are_refused_alike_are_one() {
        let budget = Budget::new(Memory::of(256 << 10));
        let mut split = Split::of(budget.inflate_buf(64, 64).expect("room"), 3);
        let refused = |what: &str, records| {
            Err(Failed { error: Error::broker(ErrorCode::MESSAGE_TOO_LARGE, what, None), records })
        };
        for (first, told) in [
            (0, refused("a", Vec::new())),
            (1, refused("a", Vec::new())),
            (2, refused("b", Vec::new())),
            (3, refused("b", alloc::vec![(0, None)])),
            (4, refused("b", Vec::new())),
        ] {
            split.first = first;
            note(&mut split, told);
        }
        assert_eq!(split.told.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 2, 3, 4]);
    }

    /// What the allocator adds to each piece of memory.
    const ADDED: usize = 16;

    /// With a list of four chunks and two tasks that wait.
    #[test]
    fn what_is_known_of_a_batch_is_no_more_than_is_leased_for_it() {
        let pieces = [
            size_of::<Batch>(),
            size_of::<Outcome>() + 2 * size_of::<usize>(),
            size_of::<BatchBody>() + 2 * size_of::<usize>(),
            4 * size_of::<Chunk>(),
            2 * WAITER_SIZE,
        ];
        let known: usize = pieces.iter().map(|bytes| bytes + ADDED).sum();
        assert!(known <= BATCH_KNOWN, "{known}");
        // Before it is sealed it is less.
        assert!(2 * size_of::<(Place, OpenBatch)>() + pieces[1] + pieces[3] <= BATCH_KNOWN);
    }
}
