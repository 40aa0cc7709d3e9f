//! What applications hold: plain types without generics, whose async methods wait for the driver.

mod admin;
mod client;
mod consumer;
mod enqueue;
mod producer;
mod record;
mod shared;

pub use admin::{
    Admin, AdminError, BrokerDescription, ClusterDescription, CreatedTopic, DeletedRecords, ListedOffset, NewTopic,
    OffsetSpec,
};
#[cfg(test)]
pub(crate) use client::client_of;
pub use client::{Client, new};
pub use consumer::{Consumer, ConsumerBuilder};
pub use enqueue::{Enqueue, Refused};
pub use producer::{Producer, ProducerBuilder};
pub use record::{Payload, Record};
pub(crate) use shared::{Command, Contact, Held, Shared, whole_ms};
