//! What a cluster is made of.

use alloc::{string::String, vec::Vec};

/// A cluster, as one of its brokers knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ClusterDescription {
    /// The cluster's id; empty if the broker does not say.
    pub cluster_id: String,
    /// The controller's node id; −1 if there is none, and with KRaft any broker that passes requests on to it.
    pub controller_id: i32,
    /// The brokers that are up.
    pub brokers: Vec<BrokerDescription>,
}

/// A broker.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BrokerDescription {
    /// Its node id.
    pub id: i32,
    /// The host that clients are to dial.
    pub host: String,
    /// The port that clients are to dial.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether it is kept from leading partitions (KIP-1073); never known of brokers before 4.1.
    pub is_fenced: bool,
}
