//! A batch: open while it grows, sealed when it is queued to be sent.

use alloc::vec::Vec;

use super::{
    outcome::{Acknowledged, Failed, Outcome},
    packer::Packer,
    stamp::Stamp,
};
use crate::{
    Error, Instant,
    budget::Chunk,
    compress::Codec,
    error::Fate,
    record::{Attributes, BATCH_HEADER_LEN, BatchHeader, LOG_OVERHEAD, seal_crc},
    sync::Arc,
};

/// The records of a sealed batch as they go out. Shared by the queue that may have to send them again and the
/// connection that is writing them: the memory returns when both are done with it.
pub(crate) struct BatchBody {
    chunks: Vec<Chunk>,
    len: usize,
}

impl BatchBody {
    pub(crate) fn of(chunks: Vec<Chunk>) -> Self {
        let len = chunks.iter().map(|c| c.bytes().len()).sum();
        BatchBody { chunks, len }
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(Chunk::bytes)
    }

    /// Bytes of all records together.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// A batch that records are still appended to.
pub(crate) struct OpenBatch {
    pub(crate) chunks: Vec<Chunk>,
    /// Bytes of all records together.
    pub(crate) len: usize,
    pub(crate) count: u32,
    pub(crate) base_timestamp_ms: i64,
    pub(crate) max_timestamp_ms: i64,
    /// What the time was when the batch opened; −1 if nobody knows.
    pub(crate) unix_ms: i64,
    /// The coarse clock's reading at that moment: its difference later dates the records that follow.
    pub(crate) coarse_ms: usize,
    pub(crate) opened: Instant,
    pub(crate) outcome: Arc<Outcome>,
}

/// A batch that is complete.
pub(crate) struct Batch {
    pub(crate) body: Arc<BatchBody>,
    codec: Codec,
    /// It must be compressed before it is sent.
    pub(crate) unpacked: bool,
    pub(crate) count: u32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    /// When its first record was accepted: the delivery timeout runs from here (trap 63).
    pub(crate) opened: Instant,
    outcome: Arc<Outcome>,
    /// Its number among all batches of the producer, for flushes and for the order of retries.
    pub(crate) number: u64,
    /// Who wrote it and where in that writer's sequence: given once, at the first send.
    pub(crate) stamp: Option<Stamp>,
    /// Its number among all batches of its partition that were stamped.
    pub(crate) ordinal: u64,
    header: [u8; BATCH_HEADER_LEN],
    /// It was sent, and what became of it is not known.
    pub(crate) unsure: bool,
    /// Its tickets were told that its time is over; its memory still waits for the request's end.
    pub(crate) expired: bool,
    /// What went wrong last, for the delivery timeout's error.
    pub(crate) because: Option<Error>,
}

impl Batch {
    pub(crate) fn seal(open: OpenBatch, number: u64) -> Self {
        Batch {
            body: Arc::new(BatchBody::of(open.chunks)),
            codec: Codec::None,
            unpacked: false,
            count: open.count,
            base_timestamp_ms: open.base_timestamp_ms,
            max_timestamp_ms: open.max_timestamp_ms,
            opened: open.opened,
            outcome: open.outcome,
            number,
            stamp: None,
            ordinal: 0,
            header: [0; BATCH_HEADER_LEN],
            unsure: false,
            expired: false,
            because: None,
        }
    }

    /// Bytes on the wire.
    pub(crate) fn wire_len(&self) -> usize {
        BATCH_HEADER_LEN + self.body.len()
    }

    /// Compresses the records, all together, unless that makes them no smaller. Before the first stamp, which the header
    /// is written with.
    pub(crate) fn pack(&mut self, packer: &mut Packer) {
        self.unpacked = false;
        let Some(body) = Arc::get_mut(&mut self.body) else { return };
        let packed = packer.pack(body.len, &mut body.chunks());
        if let Some(chunks) = packed {
            let plain = core::mem::replace(body, BatchBody::of(chunks));
            packer.refill(plain.chunks);
            self.codec = packer.codec();
        }
    }

    /// How its records are compressed.
    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Writes the header. The CRC covers it and all records, so a new stamp costs a new CRC.
    pub(crate) fn stamp(&mut self, stamp: Stamp) {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: i32::try_from(self.wire_len() - LOG_OVERHEAD).unwrap_or(i32::MAX),
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Attributes::of(self.codec),
            last_offset_delta: self.count as i32 - 1,
            base_timestamp: self.base_timestamp_ms,
            max_timestamp: self.max_timestamp_ms,
            producer_id: stamp.producer_id,
            producer_epoch: stamp.epoch,
            base_sequence: stamp.sequence,
            record_count: self.count as i32,
        };
        self.header = header.write();
        seal_crc(&mut self.header, self.body.chunks());
        self.stamp = Some(stamp);
    }

    /// The broker does not have it, and cannot take it under the stamp that it had.
    pub(crate) fn unstamp(&mut self) {
        self.stamp = None;
        self.unsure = false;
    }

    pub(crate) fn header(&self) -> [u8; BATCH_HEADER_LEN] {
        self.header
    }

    /// What a failure of this batch means for its records.
    pub(crate) fn fate(&self) -> Fate {
        if self.unsure { Fate::MaybePersisted } else { Fate::NotPersisted }
    }

    /// Tells the tickets that the delivery timeout is over, and why it was not enough.
    pub(crate) fn expire(&mut self, after: core::time::Duration, what: alloc::string::String, in_flight: bool) {
        let fate = if in_flight { Fate::MaybePersisted } else { self.fate() };
        let because = self.because.take().map(alloc::boxed::Box::new);
        let error = Error::TimedOut { what, after, knob: "delivery_timeout_ms", fate, because };
        self.outcome.resolve(Err(Failed { error, records: Vec::new() }));
        self.expired = true;
    }

    /// A broker that had the batch already answers with its greatest timestamp, whoever stamps the topic's records:
    /// that is no append time.
    pub(crate) fn acknowledge(self, base_offset: i64, append_time_ms: i64) {
        let is_echo = self.unsure && append_time_ms == self.max_timestamp_ms;
        let append_time_ms = if is_echo { -1 } else { append_time_ms };
        self.outcome.resolve(Ok(Acknowledged { base_offset, append_time_ms }));
    }

    pub(crate) fn fail(self, error: Error) {
        self.outcome.resolve(Err(Failed { error, records: Vec::new() }));
    }

    pub(crate) fn fail_records(self, failed: Failed) {
        self.outcome.resolve(Err(failed));
    }
}
