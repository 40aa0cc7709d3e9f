//! How inputs become records, and records' offsets a status for each input.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::{RecordBuf, sync::Arc};

/// An aggregator's own error.
pub type AggregatorError = Box<dyn core::error::Error + Send + Sync>;

/// What an aggregator said of an input.
#[derive(Debug)]
pub enum TryPush<I, T> {
    /// There is no room for it: it comes back, and is offered again after a flush.
    NoCapacity(I),
    /// It was taken. The tag is for its status.
    Aggregated(T),
}

/// Gathers inputs and makes records of them.
///
/// Its methods are called one at a time, `try_push` in the task that produces, `flush` in the driver's turn; they must not
/// block, nor panic. What it holds is the application's memory: at most twice what it takes between two flushes, because one
/// flush may wait for room in the producer's buffer while the next fills.
pub trait Aggregator: Send + 'static {
    /// What is produced.
    type Input: Send;
    /// What is kept of an input until its status is known.
    type Tag: Send;
    /// What tells the status of each input.
    type StatusDeaggregator: StatusDeaggregator<Tag = Self::Tag>;

    /// Takes an input, or gives it back if there is no room. An empty aggregator that gives an input back never takes it:
    /// that is [`ProduceError::TooLarge`](crate::ProduceError::TooLarge).
    ///
    /// # Errors
    /// Its own. The input is lost, and the aggregator must be as before.
    fn try_push(&mut self, input: Self::Input) -> Result<TryPush<Self::Input, Self::Tag>, AggregatorError>;

    /// Makes records of what it holds, and is empty after.
    ///
    /// # Errors
    /// Its own, which every input since the last flush is told.
    fn flush(&mut self) -> Result<(Vec<RecordBuf>, Self::StatusDeaggregator), AggregatorError>;
}

/// Tells what became of each input, from the offsets of all records of its flush.
pub trait StatusDeaggregator: Send + Sync + 'static {
    /// What an input is told.
    type Status;
    /// What was kept of it.
    type Tag;

    /// The status of the input with that tag; `offsets` has one for each record of the flush, in order.
    ///
    /// # Errors
    /// Its own, which the input is told as [`ProduceError::Status`](crate::ProduceError::Status): its records are in the log.
    fn deaggregate(&self, offsets: &[i64], tag: Self::Tag) -> Result<Self::Status, AggregatorError>;
}

/// What an aggregator's inputs are told.
pub type StatusOf<A> = <<A as Aggregator>::StatusDeaggregator as StatusDeaggregator>::Status;

/// An aggregator's error, for all inputs that it is told. Equal to its clones only.
#[derive(Clone)]
pub struct AggregatorFault(Arc<dyn core::error::Error + Send + Sync>);

impl AggregatorFault {
    pub(super) fn new(error: AggregatorError) -> Self {
        AggregatorFault(error.into())
    }

    /// The error itself.
    pub fn error(&self) -> &(dyn core::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for AggregatorFault {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AggregatorFault {}

impl fmt::Debug for AggregatorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AggregatorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a record counts with besides its bytes, so that records of no bytes come to an end too.
const RECORD_BYTES: usize = 16;

/// Gathers records up to so many bytes, and tells each its offset.
#[derive(Debug)]
pub struct RecordAggregator {
    max_bytes: usize,
    bytes: usize,
    records: Vec<RecordBuf>,
}

impl RecordAggregator {
    /// At most so many bytes of keys, values and headers between two flushes; each record counts with 16 bytes besides.
    pub fn new(max_bytes: usize) -> Self {
        RecordAggregator { max_bytes, bytes: 0, records: Vec::new() }
    }
}

impl Aggregator for RecordAggregator {
    type Input = RecordBuf;
    type Tag = usize;
    type StatusDeaggregator = RecordOffsets;

    fn try_push(&mut self, record: RecordBuf) -> Result<TryPush<RecordBuf, usize>, AggregatorError> {
        let bytes = self.bytes.saturating_add(record.approximate_size()).saturating_add(RECORD_BYTES);
        if bytes > self.max_bytes {
            return Ok(TryPush::NoCapacity(record));
        }
        self.bytes = bytes;
        self.records.push(record);
        Ok(TryPush::Aggregated(self.records.len() - 1))
    }

    fn flush(&mut self) -> Result<(Vec<RecordBuf>, RecordOffsets), AggregatorError> {
        self.bytes = 0;
        Ok((core::mem::take(&mut self.records), RecordOffsets))
    }
}

/// Tells each record of a [`RecordAggregator`] its offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordOffsets;

impl StatusDeaggregator for RecordOffsets {
    type Status = i64;
    type Tag = usize;

    fn deaggregate(&self, offsets: &[i64], tag: usize) -> Result<i64, AggregatorError> {
        offsets.get(tag).copied().ok_or_else(|| "a record without an offset".into())
    }
}
