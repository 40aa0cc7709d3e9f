//! Topics that are to be made, and that were.

use alloc::{string::String, vec::Vec};

/// A topic to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic of this many partitions and replicas of each. −1 for either: the broker's default
    /// (KIP-464; brokers from 2.4 on, older ones refuse it).
    pub fn new(name: impl Into<String>, partitions: i32, replication_factor: i16) -> Self {
        NewTopic { name: name.into(), partitions, replication_factor, configs: Vec::new() }
    }

    /// A setting of the topic, by Kafka's name for it.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }
}

/// A topic that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// How many partitions it has; −1 if the broker does not say.
    pub partitions: i32,
    /// How many replicas each has; −1 if the broker does not say.
    pub replication_factor: i16,
}

/// A topic, as one of its cluster's brokers knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Whether Kafka keeps it for itself, as it does `__consumer_offsets`.
    pub is_internal: bool,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition, as one of its cluster's brokers knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The node id of its leader; `None` if it has none now.
    pub leader: Option<i32>,
    /// The node ids of all its replicas.
    pub replicas: Vec<i32>,
    /// The node ids of those that have all that the leader has.
    pub in_sync: Vec<i32>,
}
