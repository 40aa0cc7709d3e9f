//! What applications hold: plain types without generics, whose async methods wait for the driver.

mod admin;
mod batching;
mod client;
mod consumer;
mod enqueue;
#[cfg(feature = "futures")]
mod futures;
mod many;
mod partition;
mod producer;
mod record;
mod record_buf;
mod shared;
#[cfg(feature = "std")]
mod wait;

pub use admin::{
    Admin, AdminError, BrokerDescription, ClusterDescription, ConfigChange, ConfigEntry, ConfigResource, ConfigSource,
    CreatedTopic, DeletedRecords, DescribedConfigs, ListedOffset, NewTopic, OffsetSpec, PartitionDescription,
    TopicDescription,
};
pub use batching::{
    Aggregator, AggregatorError, AggregatorFault, BatchProducer, BatchProducerBuilder, ProduceError, RecordAggregator,
    RecordOffsets, StatusDeaggregator, StatusOf, TryPush,
};
#[cfg(test)]
pub(crate) use client::client_of;
pub use client::{Client, new};
pub use consumer::{Consumer, ConsumerBuilder};
pub use enqueue::{Enqueue, Refused};
#[cfg(feature = "futures")]
pub use futures::{RecordSink, SinkError};
pub use many::NotAllTaken;
pub use partition::{FetchedRecords, PartitionBuilder, PartitionClient};
pub use producer::{Producer, ProducerBuilder};
pub use record::{Payload, Record};
pub use record_buf::RecordBuf;
pub(crate) use shared::{Command, Contact, Held, Shared, whole_ms};
#[cfg(feature = "std")]
pub use wait::{Wait, check_waits_with};
