//! Records as the application gets them: borrowed from the very buffer that they were read into.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use bytes::Bytes;

use crate::{
    compress::Codec,
    record::{self, BatchError, BatchView, Batches, RecordView},
    sync::Arc,
};

/// Records of one partition, in order.
///
/// They lie in the memory of the fetch that brought them, which counts as held until this is dropped: keeping many
/// pushes back on fetching. [`to_owned`](Records::to_owned) copies what is to be kept and lets go of the rest.
#[derive(Clone)]
pub struct Records {
    topic: Arc<str>,
    partition: i32,
    /// Whole batches, checked.
    bytes: Bytes,
    /// Records before it were not asked for: a broker gives whole batches (trap 22).
    start: i64,
    next_offset: i64,
    high_watermark: i64,
    len: usize,
}

/// A fetched piece of a partition's log, as the driver hands it on: whole batches, not looked into.
pub(crate) struct Unchecked {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) bytes: Bytes,
    pub(crate) start: i64,
    pub(crate) next_offset: i64,
    pub(crate) high_watermark: i64,
}

impl Records {
    /// Checks every batch's CRC and every length in it, once, so that iterating cannot fail.
    pub(crate) fn check(from: Unchecked) -> Result<Records, BatchError> {
        let mut len = 0;
        for batch in Batches::new(&from.bytes) {
            let batch = batch?;
            batch.check_crc()?;
            if batch.is_control() {
                continue;
            }
            let records = batch.records()?;
            len += if batch.header.base_offset >= from.start {
                records.len()
            } else {
                records.filter(|r| r.offset() >= from.start).count()
            };
        }
        Ok(Records {
            topic: from.topic,
            partition: from.partition,
            bytes: from.bytes,
            start: from.start,
            next_offset: from.next_offset,
            high_watermark: from.high_watermark,
            len,
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The offset to go on from: after the last record, and after whatever the log has in its place (control records,
    /// compacted ones).
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The partition's high watermark when this was fetched: the offset after the newest record that consumers may
    /// see.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The records, borrowed.
    pub fn iter(&self) -> RecordsIter<'_> {
        RecordsIter { batches: Batches::new(&self.bytes), current: None, start: self.start }
    }

    /// Copies of all records, free of the fetch's memory.
    pub fn to_owned(&self) -> Vec<OwnedRecord> {
        self.iter().map(|r| OwnedRecord::new(&r)).collect()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = RecordView<'a>;
    type IntoIter = RecordsIter<'a>;

    fn into_iter(self) -> RecordsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("len", &self.len)
            .field("next_offset", &self.next_offset)
            .finish()
    }
}

/// The records of [`Records`], borrowed.
pub struct RecordsIter<'a> {
    batches: Batches<'a>,
    current: Option<record::Records<'a>>,
    start: i64,
}

impl<'a> Iterator for RecordsIter<'a> {
    type Item = RecordView<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordView<'a>> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(record) = current.next()
            {
                if record.offset() >= self.start {
                    return Some(record);
                }
                continue;
            }
            self.current = Some(self.next_batch()?);
        }
    }
}

impl<'a> RecordsIter<'a> {
    fn next_batch(&mut self) -> Option<record::Records<'a>> {
        loop {
            // Every batch was checked before, so an error cannot come here.
            let batch: BatchView<'a> = self.batches.next()?.ok()?;
            if !batch.is_control() && batch.header.attributes.codec() == Ok(Codec::None) {
                return Some(record::Records::of_verified(&batch.header, batch.payload()));
            }
        }
    }
}

/// A record with memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OwnedRecord {
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970-01-01 UTC; −1: unknown.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<OwnedHeader>,
}

/// A header with memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OwnedHeader {
    /// The name. Kafka says UTF-8; what is not is shown with replacement characters.
    pub key: String,
    /// The value.
    pub value: Option<Vec<u8>>,
}

impl OwnedRecord {
    fn new(record: &RecordView<'_>) -> Self {
        OwnedRecord {
            offset: record.offset(),
            timestamp_ms: record.timestamp(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record
                .headers()
                .map(|h| OwnedHeader {
                    key: String::from_utf8_lossy(h.key_bytes).to_string(),
                    value: h.value.map(<[u8]>::to_vec),
                })
                .collect(),
        }
    }
}
