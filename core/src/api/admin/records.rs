//! Places in a partition's log.

use alloc::string::String;

/// A place in a partition's log that a broker can look up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum OffsetSpec {
    /// The oldest record that the log still has.
    Earliest,
    /// After the newest record that consumers may see.
    Latest,
    /// The first record made at this time or later, in milliseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// The record with the greatest timestamp (KIP-734; brokers from 3.0 on).
    MaxTimestamp,
    /// The oldest record on the leader's own disk (KIP-405; brokers from 3.4 on).
    EarliestLocal,
    /// The newest record in tiered storage (KIP-1005; brokers from 3.9 on).
    LatestTiered,
    /// The oldest record that is not yet in tiered storage (KIP-1023; brokers from 4.2 on).
    EarliestPendingUpload,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ListedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; `None` if there is no such record.
    pub offset: Option<i64>,
    /// The record's timestamp in milliseconds since 1970-01-01 UTC, where it was looked up by time.
    pub timestamp_ms: Option<i64>,
    /// The leader epoch that the record was written in, if the broker says so.
    pub leader_epoch: Option<i32>,
}

/// Where a partition's log begins now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DeletedRecords {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the oldest record that any replica still has.
    pub low_watermark: i64,
}
