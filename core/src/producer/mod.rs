//! Records into batches, batches into requests, answers into tickets.
//!
//! Handles append to open batches, one a partition, in shards with a short lock each; the driver's [`Sender`] seals,
//! stamps, sends and retries them. The two meet in [`ProducerShared`].

mod accumulator;
mod batch;
mod halves;
mod in_batch;
mod job;
mod outcome;
mod packer;
mod partition;
mod partitioner;
mod places;
mod run;
mod sender;
mod shared;
mod spares;
mod split;
mod stamp;
mod summed;

pub(crate) use accumulator::Appending;
pub(crate) use batch::{BATCH_KNOWN, BatchBody, OpenBatch};
pub use job::Job;
pub use outcome::{RecordMetadata, Ticket};
pub(crate) use packer::Packer;
pub use partitioner::Partitioner;
pub use run::{Sent, Tickets};
pub(crate) use sender::{Produced, Sender};
pub(crate) use shared::{ProducerShared, Refusal, Topic};
