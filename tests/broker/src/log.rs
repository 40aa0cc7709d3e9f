//! A partition's log: batches as they go out to consumers.

use crate::packing;
use bytes::Bytes;
use klamm::compress::Codec;
use klamm::record::{
    Attributes, BATCH_HEADER_LEN, BatchError, BatchHeader, BatchView, Batches, LOG_OVERHEAD, RecordView, Records,
    seal_crc,
};
use std::sync::OnceLock;

/// One batch in a log.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    bytes: Bytes,
    header: BatchHeader,
    /// The bytes of the log in front of it.
    position: u64,
    /// The records of a compressed batch, once somebody has asked for them.
    inflated: OnceLock<Vec<u8>>,
}

impl StoredBatch {
    /// Its header, with the offset and the leader epoch that the broker gave it.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, as consumers get it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its last offset.
    pub fn last_offset(&self) -> i64 {
        self.header.base_offset + i64::from(self.header.last_offset_delta)
    }

    /// The batch with its checked header.
    pub fn view(&self) -> BatchView<'_> {
        let view = Batches::new(&self.bytes).next();
        view.expect("a stored batch is whole").expect("a stored batch has a sound header")
    }

    /// Its records, inflated if need be. Errors: those of [`BatchView::records_of`], and what a codec says.
    pub fn records(&self) -> Result<Records<'_>, BatchError> {
        let view = self.view();
        if self.header.attributes.codec() == Ok(Codec::None) {
            return view.records();
        }
        let inflated = match self.inflated.get() {
            Some(known) => known,
            None => {
                let inflated = packing::inflated(&view)?;
                self.inflated.get_or_init(|| inflated)
            }
        };
        view.records_of(inflated)
    }
}

/// The batches of a partition, in order of their offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    batches: Vec<StoredBatch>,
    start: i64,
    end: i64,
    position: u64,
}

/// What a broker writes into a batch before it stores it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) leader_epoch: i32,
    /// The wall clock in ms, for a topic with LogAppendTime.
    pub(crate) log_append_time: Option<i64>,
    /// How the topic wants its batches compressed; `None`: as they come.
    pub(crate) codec: Option<Codec>,
}

impl Log {
    pub(crate) fn batches(&self) -> &[StoredBatch] {
        &self.batches
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset of the next record: also the high watermark, because replication is instant.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Forgets records before `offset`, as retention or DeleteRecords does: batches only when all of them are gone.
    pub(crate) fn set_start(&mut self, offset: i64) {
        self.start = offset.clamp(self.start, self.end);
        let gone = self.batches.partition_point(|batch| batch.last_offset() < self.start);
        self.batches.drain(..gone);
    }

    /// Stores a checked batch and gives the offset of its first record.
    pub(crate) fn append(&mut self, batch: &BatchView<'_>, stamp: Stamp) -> i64 {
        let mut header = batch.header;
        header.base_offset = self.end;
        header.partition_leader_epoch = stamp.leader_epoch;
        let anew = stamp.codec.and_then(|codec| packing::packed_anew(batch, codec));
        let payload = anew.as_deref().unwrap_or(batch.payload());
        let codec = if anew.is_some() { stamp.codec } else { header.attributes.codec().ok() };
        let attributes = match stamp.log_append_time {
            Some(_) => header.attributes.0 | Attributes::LOG_APPEND_TIME,
            None => header.attributes.0 & !Attributes::LOG_APPEND_TIME,
        };
        let attributes = attributes & !7 | codec.map_or(0, |codec| i16::from(codec.id()));
        if let Some(time) = stamp.log_append_time {
            header.max_timestamp = time;
        }
        let mut head: [u8; BATCH_HEADER_LEN];
        if header.attributes.0 != attributes || stamp.log_append_time.is_some() || anew.is_some() {
            header.attributes = Attributes(attributes);
            header.batch_length = (BATCH_HEADER_LEN - LOG_OVERHEAD + payload.len()) as i32;
            head = header.write();
            seal_crc(&mut head, core::iter::once(payload));
            header.crc = u32::from_be_bytes(head[17..21].try_into().expect("four bytes"));
        } else {
            head = header.write();
        }
        let mut bytes = Vec::with_capacity(head.len() + payload.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(payload);
        self.push(Bytes::from(bytes), header)
    }

    fn push(&mut self, bytes: Bytes, header: BatchHeader) -> i64 {
        let position = self.position;
        self.position += bytes.len() as u64;
        self.end += i64::from(header.last_offset_delta) + 1;
        self.batches.push(StoredBatch { bytes, header, position, inflated: OnceLock::new() });
        header.base_offset
    }

    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.last_offset() < offset)
    }

    /// How many bytes there are from the batch on that holds `offset`.
    pub(crate) fn bytes_from(&self, offset: i64) -> u64 {
        self.batches.get(self.index_of(offset)).map_or(0, |batch| self.position - batch.position)
    }

    /// The batches from the one on that holds `offset`, up to `max` bytes. `one`: the first is given whole even if it
    /// is larger (KIP-74). `cut`: the last may be cut short at the limit, as a real broker does, which does not look
    /// into its files.
    pub(crate) fn read(&self, offset: i64, max: usize, one: bool, cut: bool) -> Vec<Bytes> {
        let mut parts = Vec::new();
        let mut left = max;
        for batch in &self.batches[self.index_of(offset)..] {
            let len = batch.bytes.len();
            if len <= left || (one && parts.is_empty()) {
                parts.push(batch.bytes.clone());
                left = left.saturating_sub(len);
            } else {
                if cut && left > 0 {
                    parts.push(batch.bytes.slice(..left));
                }
                break;
            }
        }
        parts
    }

    /// The first record at or after a time, as (timestamp, offset, leader epoch).
    pub(crate) fn at_time(&self, timestamp: i64) -> Option<(i64, i64, i32)> {
        let batch =
            self.batches.iter().find(|b| b.header.max_timestamp >= timestamp && b.last_offset() >= self.start)?;
        Some(found(batch, |record| record.timestamp() >= timestamp && record.offset() >= self.start))
    }

    /// The first record with the greatest timestamp, in the same form.
    pub(crate) fn max_time(&self) -> Option<(i64, i64, i32)> {
        let newest = self.batches.iter().map(|batch| batch.header.max_timestamp).max()?;
        let batch = self.batches.iter().find(|batch| batch.header.max_timestamp == newest)?;
        Some(found(batch, |record| record.timestamp() >= newest))
    }
}

/// The first such record of the batch. Of a batch that cannot be read the first offset is given.
fn found(batch: &StoredBatch, wanted: impl Fn(&RecordView<'_>) -> bool) -> (i64, i64, i32) {
    let record = batch.records().ok().and_then(|mut records| records.find(wanted));
    let (timestamp, offset) = match record {
        Some(record) => (record.timestamp(), record.offset()),
        None => (batch.header.max_timestamp, batch.header.base_offset),
    };
    (timestamp, offset, batch.header.partition_leader_epoch)
}
