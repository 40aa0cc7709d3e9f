//! Kafka's wire format.
