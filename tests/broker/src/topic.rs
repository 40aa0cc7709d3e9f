//! Topics and their partitions.

use crate::log::Log;
use crate::producers::Producers;
use klamm::compress::Codec;
use klamm::wire::Uuid;
use klamm::{ErrorCode, Instant};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) settings: TopicSettings,
    pub(crate) partitions: Vec<Partition>,
    /// From then on clients see it.
    pub(crate) visible_at: Instant,
    /// A test keeps it from clients.
    pub(crate) hidden: bool,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn is_visible(&self, now: Instant) -> bool {
        !self.hidden && self.visible_at <= now
    }
}

#[derive(Debug)]
pub(crate) struct Partition {
    /// The brokers that have it, the preferred leader first.
    pub(crate) replicas: Vec<i32>,
    /// Those of them that are up, in the same order; at the end the last one that was, even if it is down.
    pub(crate) isr: Vec<i32>,
    pub(crate) leader: Option<i32>,
    pub(crate) epoch: i32,
    /// From which offset on leaders of which epoch have written, the oldest first.
    epochs: Vec<(i32, i64)>,
    pub(crate) log: Log,
    pub(crate) producers: Producers,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>, is_up: impl Fn(i32) -> bool) -> Self {
        let isr: Vec<i32> = replicas.iter().copied().filter(|&node| is_up(node)).collect();
        let leader = isr.first().copied();
        let isr = if isr.is_empty() { replicas.clone() } else { isr };
        let (log, producers) = (Log::default(), Producers::default());
        Partition { replicas, isr, leader, epoch: 0, epochs: vec![(0, 0)], log, producers }
    }

    pub(crate) fn lead(&mut self, leader: Option<i32>) {
        self.leader = leader;
        self.epoch += 1;
        if leader.is_some() {
            let end = self.log.end();
            self.epochs.retain(|(_, start)| *start < end);
            self.epochs.push((self.epoch, end));
        }
    }

    /// The epoch in which the record at `offset` was or will be written.
    pub(crate) fn epoch_at(&self, offset: i64) -> i32 {
        let after = self.epochs.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map_or(-1, |last| self.epochs[last].0)
    }

    /// The newest epoch up to `epoch` that has written, and the offset after its last record; `None` for an epoch of the
    /// future.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let after = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let known = after.checked_sub(1).map_or(epoch, |last| self.epochs[last].0);
        match self.epochs.get(after) {
            Some((_, start)) => Some((known, *start)),
            None => (known == epoch).then(|| (epoch, self.log.end())),
        }
    }

    /// Whether a client that believes in `epoch` (−1: that says nothing) may go on (KIP-320).
    pub(crate) fn check_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            -1 => Ok(()),
            _ if epoch < self.epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            _ if epoch > self.epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Whether `node` leads it, for a client that believes in `epoch`.
    pub(crate) fn check_leader(&self, node: i32, epoch: i32) -> Result<(), ErrorCode> {
        if !self.replicas.contains(&node) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        self.check_epoch(epoch)?;
        if self.leader == Some(node) { Ok(()) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }

    pub(crate) fn replica_died(&mut self, node: i32, is_up: impl Fn(i32) -> bool) {
        if self.isr.len() > 1 {
            self.isr.retain(|&replica| replica != node);
        }
        if self.leader == Some(node) {
            self.lead(self.isr.iter().copied().find(|&replica| is_up(replica)));
        }
    }

    pub(crate) fn replica_started(&mut self, node: i32) {
        if !self.replicas.contains(&node) {
            return;
        }
        if self.leader.is_none() && self.isr.contains(&node) {
            self.lead(Some(node));
        }
        if self.leader.is_some() && !self.isr.contains(&node) {
            self.isr.push(node);
        }
    }
}

/// The settings of a topic that mean something here, and all that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicSettings {
    pub(crate) log_append_time: bool,
    pub(crate) compacted: bool,
    pub(crate) max_message_bytes: Option<usize>,
    pub(crate) min_insync_replicas: Option<usize>,
    /// How its batches are compressed; `None`: as producers do it.
    pub(crate) codec: Option<Codec>,
    pub(crate) given: BTreeMap<String, String>,
}

impl TopicSettings {
    /// Takes one setting. Errors: what is wrong with it. Settings that mean nothing here are kept and do nothing.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let invalid = || format!("Invalid value {value} for configuration {name}");
        let number = || value.parse::<usize>().map_err(|_| invalid());
        match name {
            "message.timestamp.type" => {
                self.log_append_time = match value {
                    "CreateTime" => false,
                    "LogAppendTime" => true,
                    _ => return Err(invalid()),
                }
            }
            "cleanup.policy" => {
                let mut policies = value.split(',').map(str::trim);
                if !policies.all(|policy| matches!(policy, "compact" | "delete")) {
                    return Err(invalid());
                }
                self.compacted = value.contains("compact");
            }
            "max.message.bytes" => self.max_message_bytes = Some(number()?),
            "min.insync.replicas" => self.min_insync_replicas = Some(number()?).filter(|&n| n > 0),
            "compression.type" => {
                let named = if value == "uncompressed" { Some(Codec::None) } else { Codec::from_name(value) };
                // "none" is a producer's word.
                let known = value == "producer" || (value != "none" && named.is_some());
                self.codec = if known { named } else { return Err(invalid()) };
            }
            "delete.retention.ms"
            | "file.delete.delay.ms"
            | "flush.messages"
            | "flush.ms"
            | "index.interval.bytes"
            | "max.compaction.lag.ms"
            | "message.timestamp.after.max.ms"
            | "message.timestamp.before.max.ms"
            | "min.cleanable.dirty.ratio"
            | "min.compaction.lag.ms"
            | "preallocate"
            | "retention.bytes"
            | "retention.ms"
            | "segment.bytes"
            | "segment.index.bytes"
            | "segment.jitter.ms"
            | "segment.ms"
            | "unclean.leader.election.enable" => {}
            _ => return Err(format!("Unknown topic config name: {name}")),
        }
        self.given.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
