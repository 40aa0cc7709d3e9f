//! What a ticket knows of its record, in one word.

/// A record's index in its batch, its time after that of the batch's first one, and where the waker of its ticket stands.
///
/// One word, because a ticket is passed on in registers then, and in more it goes through memory each time: that cost as much
/// as a tenth of producing a record. So a batch takes no more records and no other times than fit in here.
#[derive(Clone, Copy)]
pub(super) struct InBatch(u64);

const INDEX_BITS: u32 = 18;
const SEAT_BITS: u32 = 19;
const AFTER_BITS: u32 = u64::BITS - INDEX_BITS - SEAT_BITS;

impl InBatch {
    /// The most records of a batch: a MiB of the smallest ones has not as many.
    pub(super) const RECORDS_MAX: u32 = 1 << INDEX_BITS;

    /// Whether a batch whose first record is of `base_ms` may have one of `timestamp_ms`: those of
    /// eighteen hours before and after.
    #[inline(always)]
    pub(super) const fn is_near(base_ms: i64, timestamp_ms: i64) -> bool {
        let most = 1 << (AFTER_BITS - 1);
        let after_ms = timestamp_ms.wrapping_sub(base_ms);
        -most <= after_ms && after_ms < most
    }

    /// Of a ticket that has left no waker yet.
    #[inline(always)]
    pub(super) const fn new(index: u32, after_ms: i64) -> Self {
        InBatch((after_ms as u64) << (INDEX_BITS + SEAT_BITS) | index as u64).seated(Seat::NONE)
    }

    #[inline(always)]
    pub(super) const fn index(self) -> u32 {
        self.0 as u32 % Self::RECORDS_MAX
    }

    #[inline(always)]
    pub(super) const fn after_ms(self) -> i64 {
        self.0 as i64 >> (INDEX_BITS + SEAT_BITS)
    }

    #[inline]
    pub(super) const fn seat(self) -> Seat {
        Seat((self.0 >> INDEX_BITS) as u32 % (1 << SEAT_BITS))
    }

    #[inline(always)]
    pub(super) const fn seated(self, seat: Seat) -> Self {
        let others = !(Seat::NONE.0 as u64) << INDEX_BITS | (Self::RECORDS_MAX as u64 - 1);
        InBatch(self.0 & others | (seat.0 as u64) << INDEX_BITS)
    }
}

/// Where a ticket's waker stands among its batch's. There are two places a ticket at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seat(u32);

impl Default for Seat {
    fn default() -> Self {
        Seat::NONE
    }
}

impl Seat {
    const NONE: Seat = Seat((1 << SEAT_BITS) - 1);

    pub(super) fn of(place: usize) -> Seat {
        u32::try_from(place).map_or(Seat::NONE, |place| Seat(place.min(Seat::NONE.0)))
    }

    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is changed of it leaves the rest as it was.
    #[test]
    fn its_parts_are_told_apart() {
        let most = (1 << (AFTER_BITS - 1)) - 1;
        for index in [0, 1, 77, InBatch::RECORDS_MAX - 1] {
            for after_ms in [0, 1, -1, 5_000, most, -most - 1] {
                let fresh = InBatch::new(index, after_ms);
                assert_eq!((fresh.index(), fresh.after_ms(), fresh.seat()), (index, after_ms, Seat::NONE));
                for place in [0, 1, 4_711, 2 * InBatch::RECORDS_MAX as usize - 2] {
                    let seated = fresh.seated(Seat::of(3)).seated(Seat::of(place));
                    assert_eq!((seated.index(), seated.after_ms()), (index, after_ms));
                    assert_eq!(seated.seat().place(), place);
                }
            }
        }
        assert_eq!(Seat::of(usize::MAX), Seat::NONE);
    }

    #[test]
    fn near_is_what_it_holds() {
        let most = 1_i64 << (AFTER_BITS - 1);
        assert!(most > 18 * 3_600_000);
        for base in [0, -1, 1_700_000_000_000, i64::MAX, i64::MIN] {
            for after_ms in [0, 1, -1, most - 1, -most] {
                let timestamp = base.wrapping_add(after_ms);
                assert!(InBatch::is_near(base, timestamp), "{base} {after_ms}");
                assert_eq!(base.wrapping_add(InBatch::new(9, timestamp.wrapping_sub(base)).after_ms()), timestamp);
            }
            for after_ms in [most, -most - 1, i64::MAX, i64::MIN] {
                assert!(!InBatch::is_near(base, base.wrapping_add(after_ms)), "{base} {after_ms}");
            }
        }
    }
}
