//! Idempotence (KIP-98, KIP-360): who writes, and which number each batch has in that writer's sequence.
//!
//! A batch is stamped once. It keeps its stamp over retries, so that a broker which has it already says so. A stamp is
//! only ever replaced after the broker has said that it does not have the batch.

use crate::record::next_sequence;

/// Producer id, epoch and first sequence number of a batch; all −1 without idempotence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

impl Stamp {
    pub(crate) const NONE: Stamp = Stamp { producer_id: -1, epoch: -1, sequence: -1 };

    /// The stamp of what follows `count` records.
    pub(crate) fn after(self, count: u32) -> Stamp {
        if self == Stamp::NONE {
            return self;
        }
        Stamp { sequence: next_sequence(self.sequence, i32::try_from(count).unwrap_or(i32::MAX)), ..self }
    }
}

/// A producer id and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// The producer's identity: asked for once, renewed when its epochs are used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Identification {
    /// Not idempotent.
    Off,
    /// To be asked for.
    Wanted,
    /// Asked for.
    Asked,
    Known(Identity),
}

impl Identification {
    pub(crate) fn known(&self) -> Option<Identity> {
        match self {
            Identification::Known(identity) => Some(*identity),
            _ => None,
        }
    }

    /// A new epoch begins every partition's sequence anew. Without a transactional id nobody else shares the producer
    /// id, so the client counts epochs itself (as Java does since KIP-360); when they are used up it asks for a new id.
    pub(crate) fn bump(&mut self) {
        if let Identification::Known(identity) = self {
            *self = match identity.epoch.checked_add(1) {
                Some(epoch) if epoch < i16::MAX => Identification::Known(Identity { epoch, ..*identity }),
                _ => Identification::Wanted,
            };
        }
    }
}

/// One partition's place in the producer's sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sequence {
    identity: Option<Identity>,
    next: i32,
    /// The next batch must not continue this sequence: one before it may or may not be in the log (trap 49).
    broken: bool,
    /// The newest batch of this sequence that the broker has taken, by number.
    newest: Option<u64>,
}

impl Sequence {
    /// What follows has no known predecessor.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    /// The broker has taken a batch of this sequence.
    pub(crate) fn confirm(&mut self, number: u64) {
        self.newest = self.newest.max(Some(number));
    }

    /// Whether a batch is surely in the log, whatever its own answer says: one behind it in the sequence was taken. A
    /// broker that looks back over five batches only may call such a one out of order.
    pub(crate) fn proves(&self, number: u64) -> bool {
        self.newest.is_some_and(|newest| newest > number)
    }

    /// The stamp of a batch of `count` records, or `None` while an identity must be asked for.
    ///
    /// A new sequence begins only when no stamped batch of the partition is unresolved: a broker that saw the new
    /// epoch refuses the old one. Other partitions keep the epoch that they have, because a broker counts by partition.
    pub(crate) fn next(&mut self, identification: &mut Identification, count: u32, unresolved: bool) -> Next {
        if *identification == Identification::Off {
            return Next::Stamp(Stamp::NONE);
        }
        let Some(current) = identification.known() else { return Next::Wait };
        if self.identity.is_none() || self.broken {
            if unresolved {
                return Next::Wait;
            }
            let current = if self.identity == Some(current) {
                identification.bump();
                match identification.known() {
                    Some(bumped) => bumped,
                    None => return Next::Wait,
                }
            } else {
                current
            };
            *self = Sequence { identity: Some(current), next: 0, broken: false, newest: None };
        } else if unresolved && self.newest.is_none() {
            // A broker that knows nothing of a producer takes any number for its first. Were the batch of number 0
            // refused for the moment and one behind it taken, the order would be lost: so that one goes alone.
            return Next::Wait;
        }
        let Some(identity) = self.identity else { return Next::Wait };
        let sequence = self.next;
        self.next = next_sequence(sequence, i32::try_from(count).unwrap_or(i32::MAX));
        Next::Stamp(Stamp { producer_id: identity.producer_id, epoch: identity.epoch, sequence })
    }
}

/// What [`Sequence::next`] answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Stamp(Stamp),
    /// Not now: an identity is missing, or older batches must be settled first.
    Wait,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Identification = Identification::Known(Identity { producer_id: 7, epoch: 0 });

    fn stamp(epoch: i16, sequence: i32) -> Next {
        Next::Stamp(Stamp { producer_id: 7, epoch, sequence })
    }

    #[test]
    fn a_sequence_counts_records_and_wraps() {
        let (mut id, mut s) = (KNOWN, Sequence::default());
        assert_eq!(s.next(&mut id, 10, false), stamp(0, 0));
        s.confirm(0);
        assert_eq!(s.next(&mut id, 5, true), stamp(0, 10));
        s.next = i32::MAX;
        assert_eq!(s.next(&mut id, 1, true), stamp(0, i32::MAX));
        // Trap 30: after the largest number comes zero.
        assert_eq!(s.next(&mut id, 1, true), stamp(0, 0));
    }

    /// Trap 49: after a batch whose fate is unknown, the next one begins a new epoch, and not before all is settled.
    #[test]
    fn a_broken_sequence_begins_a_new_epoch_once_all_is_settled() {
        let (mut id, mut s) = (KNOWN, Sequence::default());
        let mut other = Sequence::default();
        assert_eq!(s.next(&mut id, 3, false), stamp(0, 0));
        assert_eq!(other.next(&mut id, 2, false), stamp(0, 0));
        s.confirm(0);
        other.confirm(1);
        s.break_off();
        assert_eq!(s.next(&mut id, 3, true), Next::Wait);
        assert_eq!(s.next(&mut id, 3, false), stamp(1, 0));
        // Trap 52: a broker counts by partition, so another partition goes on undisturbed in its own epoch.
        assert_eq!(other.next(&mut id, 2, true), stamp(0, 2));
        assert_eq!(Sequence::default().next(&mut id, 1, false), stamp(1, 0));
    }

    /// Trap 48: the first batch of a sequence may be refused for the moment. Nothing flies behind it before the broker
    /// has taken it, or else the broker would begin with that one.
    #[test]
    fn the_first_of_a_sequence_goes_alone() {
        let (mut id, mut s) = (KNOWN, Sequence::default());
        assert_eq!(s.next(&mut id, 3, false), stamp(0, 0));
        assert_eq!(s.next(&mut id, 2, true), Next::Wait);
        s.confirm(0);
        assert_eq!(s.next(&mut id, 2, true), stamp(0, 3));
        s.break_off();
        assert_eq!(s.next(&mut id, 1, false), stamp(1, 0));
        assert_eq!(s.next(&mut id, 1, true), Next::Wait);
    }

    #[test]
    fn used_up_epochs_ask_for_a_new_id() {
        let mut id = Identification::Known(Identity { producer_id: 7, epoch: i16::MAX - 1 });
        let mut s = Sequence::default();
        assert!(matches!(s.next(&mut id, 1, false), Next::Stamp(_)));
        s.break_off();
        assert_eq!(s.next(&mut id, 1, false), Next::Wait);
        assert_eq!(id, Identification::Wanted);
    }
}
