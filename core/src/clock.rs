//! The clocks that handles may read.

use crate::Instant;

/// The transport's clocks, for what handles stamp: when a batch opened, and what time a record says it was made.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock that the driver's timers use too.
    fn now(&self) -> Instant;

    /// Milliseconds since 1970-01-01 UTC, or `None` on a device that does not know the time: its records then carry
    /// timestamp −1, because a made-up one lets retention delete the segment.
    ///
    /// Brokers remember a producer by the time of its last batch, so with −1 they forget it when they start again: a batch that was
    /// written, and whose acknowledgement was lost by that, is there twice although producers are idempotent. A topic with
    /// `message.timestamp.type=LogAppendTime` has the broker's times instead, and no such hole.
    fn unix_ms(&self) -> Option<i64>;
}
