//! An Apache Kafka cluster in memory, for tests: of several brokers, with the errors and the order of a real one, and
//! with faults on demand.
//!
//! [`Cluster`] does no I/O and reads no clock: bytes, connections and the time are handed in, answers are taken out. The
//! same calls give the same bytes, so a simulator can drive it on virtual time. With the feature `tokio`, [`serve`]
//! puts it on loopback sockets.
//!
//! There is one copy of each partition's log, and it survives every broker's death: what was acknowledged is there, and
//! replication is instant. Groups, transactions and storage limits are not modelled. A request for anything else than
//! the APIs that are advertised closes the connection, as Kafka does.
//!
//! ```
//! use klamm_broker::{Cluster, ClusterConfig, Now};
//!
//! let mut cluster = Cluster::new(ClusterConfig::default());
//! cluster.create_topic("orders", 6, 3);
//! let conn = cluster.open(1).expect("broker 1 is up");
//! cluster.receive(conn, b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff", Now::default());
//! let answer = cluster.poll_transmit(conn).expect("the answer to ApiVersions");
//! assert_eq!(answer[4..8], [0, 0, 0, 7]);
//! ```
#![forbid(unsafe_code)]

mod api;
mod cluster;
mod config;
mod connection;
mod fault;
#[cfg(feature = "tokio")]
mod front;
pub mod r#gen;
mod log;
mod packing;
mod producers;
mod random;
mod sessions;
#[cfg(test)]
mod testing;
mod topic;

pub use cluster::{Cluster, Now};
pub use config::{AutoCreate, ClusterConfig};
pub use connection::ConnId;
pub use fault::{Action, Fault};
#[cfg(feature = "tokio")]
pub use front::{Guard, Running, serve};
pub use klamm::{ErrorCode, wire};
pub use log::StoredBatch;
