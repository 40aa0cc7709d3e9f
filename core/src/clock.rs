//! The clocks that handles may read.

use crate::Instant;

/// The transport's clocks, for what handles stamp: when a batch opened, and what time a record says it was made.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock that the driver's timers use too.
    fn now(&self) -> Instant;

    /// Milliseconds since 1970-01-01 UTC, or `None` on a device that does not know the time: its records then carry
    /// timestamp −1, because a made-up one lets retention delete the segment.
    fn unix_ms(&self) -> Option<i64>;
}
