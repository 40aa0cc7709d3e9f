//! A record with memory of its own, on its way into Kafka.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use super::Record;
use crate::OwnedRecord;

/// A record to be produced that borrows nothing: what an [`Aggregator`](crate::Aggregator) makes and keeps.
///
/// ```
/// use klamm::RecordBuf;
/// let record = RecordBuf::new().key("42").value(vec![1, 2, 3]).header("source", "web");
/// assert_eq!(record.approximate_size(), 2 + 3 + 6 + 3);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RecordBuf {
    /// The key; `None`: null.
    pub key: Option<Bytes>,
    /// The value; `None`: null.
    pub value: Option<Bytes>,
    /// Names and values, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// When it was made, in milliseconds since 1970-01-01 UTC; `None`: the client's clock tells.
    pub timestamp_ms: Option<i64>,
}

impl RecordBuf {
    /// No key, and a null value.
    pub fn new() -> Self {
        RecordBuf::default()
    }

    /// The key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// When it was made, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// Bytes of key, value, and headers.
    pub fn approximate_size(&self) -> usize {
        let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value)).sum();
        len(&self.key) + len(&self.value) + headers
    }

    /// The same, borrowed, for a [`PartitionClient`](crate::PartitionClient).
    pub fn as_record(&self) -> Record<'_> {
        let mut record = Record::new();
        record.timestamp_ms = self.timestamp_ms;
        record.key = self.key.as_deref().map(Into::into);
        record.value = self.value.as_deref().map(Into::into);
        self.headers.iter().fold(record, |record, (name, value)| match value {
            Some(value) => record.header(name, value),
            None => record.null_header(name),
        })
    }
}

impl From<OwnedRecord> for RecordBuf {
    /// What was read, to be written again; its offset is left behind.
    fn from(read: OwnedRecord) -> Self {
        RecordBuf {
            key: read.key.map(Bytes::from),
            value: read.value.map(Bytes::from),
            headers: read.headers.into_iter().map(|h| (h.key, h.value.map(Bytes::from))).collect(),
            timestamp_ms: (read.timestamp_ms >= 0).then_some(read.timestamp_ms),
        }
    }
}
