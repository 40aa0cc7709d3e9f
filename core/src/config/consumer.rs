//! A consumer's settings.

use super::UnknownTopic;
use crate::{Error, budget::Budget, consumer::COMMITTED_ONLY};

/// Where a partition is read from when nothing else is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StartAt {
    /// The oldest record that the log still has.
    Earliest,
    /// After the newest record.
    Latest,
    /// An offset.
    Offset(i64),
    /// The first record made at this time or later, in milliseconds since 1970-01-01 UTC; after the newest record if
    /// there is none.
    Timestamp(i64),
}

impl StartAt {
    /// No log has an offset or a time that is negative.
    pub(crate) fn is_negative(self) -> bool {
        matches!(self, StartAt::Offset(..0) | StartAt::Timestamp(..0))
    }
}

/// What happens when the log no longer has, or does not yet have, the offset that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResetPolicy {
    /// `next()` answers the broker's error; the application seeks.
    Fail,
    /// Reading goes on at the oldest record.
    Earliest,
    /// Reading goes on after the newest record.
    Latest,
}

/// Which records of transactions are read (KIP-98). Those of no transaction always are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum IsolationLevel {
    /// All, in the log's order: also of transactions that are open or were aborted.
    #[default]
    ReadUncommitted,
    /// Those of committed transactions. Reading goes no further than where the oldest open transaction begins, so that the order
    /// stays the log's; [`StartAt::Latest`] is that place then.
    ReadCommitted,
}

impl IsolationLevel {
    /// As requests say it.
    pub(crate) fn as_wire(self) -> i8 {
        i8::from(self == IsolationLevel::ReadCommitted)
    }
}

/// A consumer's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// Where partitions are read from at first, where [`assign_at`](crate::ConsumerBuilder::assign_at) says nothing else.
    pub from: StartAt,
    /// What to do when an offset is out of range. `None`: as the partition's beginning says (`from`, or what `assign_at` was
    /// given for it) if that is earliest or latest, else fail. Temporary errors never reset.
    pub reset: Option<ResetPolicy>,
    /// Which records of transactions are read.
    pub isolation_level: IsolationLevel,
    /// How long a broker may wait for new records before it answers a fetch, in milliseconds. At least 1.
    pub fetch_max_wait_ms: u32,
    /// How many bytes a broker waits for.
    pub fetch_min_bytes: u32,
    /// The most bytes of one fetch, all partitions together; never more than the Fetch class shared by the brokers.
    pub fetch_max_bytes: u32,
    /// The most bytes of one partition in a fetch. A single larger batch comes all the same.
    pub partition_max_bytes: u32,
    /// What a topic means that brokers do not know.
    pub unknown_topic: UnknownTopic,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        ConsumerConfig {
            from: StartAt::Latest,
            reset: None,
            isolation_level: IsolationLevel::default(),
            fetch_max_wait_ms: 500,
            fetch_min_bytes: 1,
            fetch_max_bytes: 4 << 20,
            partition_max_bytes: 1 << 20,
            unknown_topic: UnknownTopic::Retry,
        }
    }
}

impl ConsumerConfig {
    pub(crate) fn reads_committed(&self) -> bool {
        COMMITTED_ONLY.may_be() && self.isolation_level == IsolationLevel::ReadCommitted
    }

    /// What to do out of range in a partition that was to begin at `from`.
    pub(crate) fn reset_policy(&self, from: StartAt) -> ResetPolicy {
        self.reset.unwrap_or(match from {
            StartAt::Earliest => ResetPolicy::Earliest,
            StartAt::Latest => ResetPolicy::Latest,
            StartAt::Offset(_) | StartAt::Timestamp(_) => ResetPolicy::Fail,
        })
    }

    pub(crate) fn check(&self, budget: &Budget) -> Result<(), Error> {
        if self.fetch_max_wait_ms == 0 {
            return Err(Error::config(
                "fetch_max_wait_ms",
                "must be at least 1: some brokers never answer a fetch of 0",
            ));
        }
        if self.fetch_max_bytes == 0 || self.partition_max_bytes == 0 {
            return Err(Error::config("fetch_max_bytes", "must be more than 0, as must partition_max_bytes"));
        }
        if budget.limit(crate::Class::Fetch) < FETCH_LEAST {
            return Err(Error::config("memory.fetch_bytes", "must be at least 4096 for a consumer"));
        }
        if self.from.is_negative() {
            return Err(Error::config("from", "must not be negative"));
        }
        Ok(())
    }
}

/// The smallest fetch that is worth asking for, in bytes.
pub(crate) const FETCH_LEAST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 78: some brokers never answer a fetch that must not wait, so none is sent.
    #[test]
    fn a_fetch_waits_at_least_a_millisecond() {
        let budget = Budget::new(crate::Memory::default());
        let config = ConsumerConfig { fetch_max_wait_ms: 0, ..ConsumerConfig::default() };
        assert!(matches!(config.check(&budget), Err(Error::Config { knob: "fetch_max_wait_ms", .. })));
    }

    #[test]
    fn the_reset_policy_follows_the_start_unless_it_is_given() {
        let policy = |from, reset| ConsumerConfig { reset, ..ConsumerConfig::default() }.reset_policy(from);
        assert_eq!(policy(StartAt::Earliest, None), ResetPolicy::Earliest);
        assert_eq!(policy(StartAt::Latest, None), ResetPolicy::Latest);
        assert_eq!(policy(StartAt::Offset(5), None), ResetPolicy::Fail);
        assert_eq!(policy(StartAt::Timestamp(5), None), ResetPolicy::Fail);
        assert_eq!(policy(StartAt::Offset(5), Some(ResetPolicy::Latest)), ResetPolicy::Latest);
    }
}
