//! What a cluster is made of.

use core::time::Duration;

/// The settings of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// How many brokers there are. Their ids count from 1.
    pub brokers: usize,
    /// The advertised host and port of each broker, in order. For those beyond its end: `broker-ID` and 9092.
    pub addresses: Vec<(String, u16)>,
    /// The port of the first broker on 127.0.0.1, when the cluster is served; the others follow. 0: any free ones.
    pub port: u16,
    /// What topics are like that a Metadata request creates, and those that ask for the broker's defaults; `None`: no
    /// request for metadata creates a topic.
    pub auto_create: Option<AutoCreate>,
    /// Everything that a real cluster would draw follows from it: ids of topics, of fetch sessions and of the cluster.
    pub seed: u64,
    /// The largest batch, in bytes, of a topic without `max.message.bytes`.
    pub max_message_bytes: usize,
    /// The largest request, in bytes; a larger one closes the connection.
    pub max_request_bytes: usize,
    /// How long a topic stays unknown to clients after a request has created it.
    pub creation_delay: Duration,
    /// How many fetch sessions a broker keeps; 0: none, so that each fetch must be a full one.
    pub fetch_sessions_max: usize,
    /// Whether a fetched partition ends in whole batches only. A real broker cuts the last one at the byte where the
    /// limit is reached.
    pub whole_batches: bool,
    /// Whether each produced record is looked at, and not only the batch's header and CRC.
    pub check_records: bool,
    /// Whether versions that Kafka calls unstable are advertised.
    pub unstable_versions: bool,
}

/// What an automatically created topic is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoCreate {
    /// How many partitions it gets.
    pub partitions: usize,
    /// How many replicas each of them gets, if there are as many brokers.
    pub replication: usize,
}

impl Default for ClusterConfig {
    /// Three brokers, no topics of their own making, and Kafka's own limits.
    fn default() -> Self {
        ClusterConfig {
            brokers: 3,
            addresses: Vec::new(),
            port: 0,
            auto_create: None,
            seed: 0,
            max_message_bytes: 1_048_588,
            max_request_bytes: 100 << 20,
            creation_delay: Duration::ZERO,
            fetch_sessions_max: 1000,
            whole_batches: false,
            check_records: false,
            unstable_versions: false,
        }
    }
}
