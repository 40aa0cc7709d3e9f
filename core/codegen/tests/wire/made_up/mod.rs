//! Messages of no use, with every feature that a schema can have.

// Kafka's messages are public, so these are generated public too.
#[allow(unreachable_pub)]
pub(crate) mod broker;
#[allow(unreachable_pub)]
pub(crate) mod client;
pub(crate) mod samples;

mod expected;
