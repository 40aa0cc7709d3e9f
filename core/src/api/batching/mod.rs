//! Inputs of any type, gathered into records, each of which learns what became of it.

mod aggregator;
mod chore;
mod producer;

pub use aggregator::{
    Aggregator, AggregatorError, AggregatorFault, RecordAggregator, RecordOffsets, StatusDeaggregator, StatusOf,
    TryPush,
};
pub use producer::{BatchProducer, BatchProducerBuilder, ProduceError};
