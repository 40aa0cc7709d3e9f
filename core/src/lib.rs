//! Klamm: an Apache Kafka client that fits everywhere. This is its core: no I/O, no clock, no randomness, no threads.
//!
//! A transport brings those. On tokio use `klamm-tokio`, which re-exports everything here:
//!
//! ```no_run
//! # async fn with<T: klamm::Transport + Unpin>(transport: T) -> Result<(), klamm::Error> {
//! let (client, driver) = klamm::new(klamm::Config::new("localhost:9092"), transport)?;
//! // The driver is a future for a task of its own; here nothing would move without it.
//! # let _ = driver;
//! client.connected().await?;
//! let producer = client.producer().build()?;
//! let meta = producer.send(klamm::Record::to("orders").key("42").value("{}")).await?;
//! assert!(meta.offset() >= 0);
//! # Ok(()) }
//! ```
#![no_std]
#![forbid(unsafe_code)]
// Without std handles belong to one thread (see `sync`), and one shard holds every partition.
#![cfg_attr(not(feature = "std"), allow(clippy::arc_with_non_send_sync, clippy::modulo_one))]

extern crate alloc;
// What is generated for the in-memory broker names this crate, and the tests here use it too.
#[cfg(test)]
extern crate self as klamm;
#[cfg(any(feature = "std", test))]
extern crate std;
// In JS engines its `#[test]` is the one that counts.
#[cfg(all(test, target_family = "wasm"))]
#[macro_use]
extern crate klamm_js_test;

mod admin;
mod api;
#[cfg(test)]
#[path = "../../tests/broker/src/gen/mod.rs"]
pub mod broker_role;
mod budget;
mod chores;
mod clock;
mod cluster;
mod code;
pub mod compress;
mod config;
mod consumer;
mod driver;
pub mod error;
pub mod event;
#[cfg(feature = "unstable-fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod kick;
mod link;
mod machine;
pub mod manual;
mod map;
#[cfg(test)]
mod pair;
mod producer;
pub mod properties;
pub mod record;
mod rng;
#[cfg(feature = "sasl")]
pub mod sasl;
pub mod sync;
mod time;
#[cfg(feature = "tls")]
pub mod tls;
mod used;
mod waits;
pub mod wire;

pub use api::{
    Admin, AdminError, Aggregator, AggregatorError, AggregatorFault, BatchProducer, BatchProducerBuilder,
    BrokerDescription, Client, ClusterDescription, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, Consumer,
    ConsumerBuilder, CreatedTopic, DeletedRecords, DescribedConfigs, Enqueue, FetchedRecords, ListedOffset, NewTopic,
    NotAllTaken, OffsetSpec, PartitionBuilder, PartitionClient, PartitionDescription, Payload, ProduceError, Producer,
    ProducerBuilder, Record, RecordAggregator, RecordBuf, RecordOffsets, Refused, StatusDeaggregator, StatusOf,
    TopicDescription, TryPush, new,
};
#[cfg(feature = "futures")]
pub use api::{RecordSink, SinkError};
#[cfg(feature = "std")]
pub use api::{Wait, check_waits_with};
pub use budget::{Budget, Class, Memory, MemoryLine, MemoryPlan};
pub use clock::Clock;
pub use cluster::WarmState;
pub use code::ErrorCode;
pub use compress::Codec;
pub use config::{Acks, Config, ConsumerConfig, IsolationLevel, ProducerConfig, ResetPolicy, StartAt, UnknownTopic};
pub use consumer::{OwnedHeader, OwnedRecord, Records, RecordsIter};
pub use driver::{ByteStream, Driver, EmbeddedIo, Endpoint, Phase, TlsFault, Transport, TransportError};
pub use error::{Error, Fate, PeerFault};
pub use event::{Event, Level, Observe};
pub use kick::Drive;
pub use producer::{Job, Partitioner, RecordMetadata, Sent, Ticket, Tickets};
pub use record::{RecordHeader, RecordView, TimestampType};
pub use time::Instant;
