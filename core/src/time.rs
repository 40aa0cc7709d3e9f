//! Time as the core sees it: a number that somebody else's clock gave.

use core::time::Duration;

/// A moment of the transport's monotonic clock, in nanoseconds since an origin of its choice.
///
/// The core only compares and adds; it never reads a clock. 2⁶⁴ ns are 584 years, so arithmetic saturates and
/// nobody meets the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ZERO: Instant = Instant(0);
    /// Later than every moment a clock gives: "never".
    pub const FAR: Instant = Instant(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment and `span` more, or [`Instant::FAR`].
    // Sixty bytes on a processor of 32 bits, in as many places.
    #[must_use]
    #[inline(never)]
    pub const fn after(self, span: Duration) -> Self {
        let nanos = span.as_nanos();
        if nanos > u64::MAX as u128 { Instant::FAR } else { Instant(self.0.saturating_add(nanos as u64)) }
    }

    /// The time since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturates_at_both_ends() {
        let early = Instant::from_nanos(5);
        assert_eq!(early.after(Duration::MAX), Instant::FAR);
        assert_eq!(early.since(Instant::FAR), Duration::ZERO);
        assert_eq!(Instant::FAR.after(Duration::from_secs(1)), Instant::FAR);
        assert_eq!(early.after(Duration::from_nanos(3)).since(early), Duration::from_nanos(3));
    }
}
