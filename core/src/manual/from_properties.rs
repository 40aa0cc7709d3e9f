//! From Java's client or librdkafka (rdkafka): their settings, by their names.
//!
//! ```text
//! // use klamm_tokio::properties::{self, Dialect};
//! let pairs = [
//!     ("bootstrap.servers", "broker-1:9093"), ("security.protocol", "SASL_SSL"), ("ssl.ca.location", "ca.pem"),
//!     ("sasl.mechanisms", "SCRAM-SHA-512"), ("sasl.username", "alice"), ("sasl.password", &password),
//! ];
//! let properties = klamm_tokio::from_properties(Dialect::Librdkafka, pairs)?;
//! let client = klamm_tokio::connect_with(properties.client()?).await?;
//! let producer = client.producer().config(properties.producer.clone()).build()?;
//! let consumer = client.consumer().config(properties.consumer.clone()).topics(["orders"]).build()?;
//! ```
//!
//! What is not said is as that client has it by default, the partitioner above all: a key goes where it went before. A name
//! that is not in the table is an error that has the nearest one; a value that cannot be honoured is an error that says why.
//! Nothing is passed over, but with four names nothing is done yet, because there are no groups: `group.id`, `enable.auto.commit`,
//! `session.timeout.ms` and `max.poll.interval.ms`. Pairs may also come from
//!
//! - the text of a `.properties` file: [`pairs_of_text`](crate::properties::pairs_of_text);
//! - `KAFKA_*` environment variables, `KAFKA_BOOTSTRAP_SERVERS` for `bootstrap.servers`: `klamm_tokio::properties::environment`.
//!   Variables that are near no name (`KAFKA_HEAP_OPTS`) are others', and passed over.
//!
//! Chained behind one another, the last of a name counts. Paths are read by the transport, on tokio when
//! `klamm_tokio::from_properties` is called; elsewhere [`Properties::tls`](crate::properties::Properties::tls) has them, and
//! there are no settings for a client before somebody has made of them what encrypts. On tokio `SSL` needs the feature `ring` or
//! `aws-lc-rs`. So it is with [`Properties::oidc`](crate::properties::Properties::oidc), for tokens of an OAuth 2 server: on tokio
//! the feature `oidc` makes a source of it.
//!
//! # What differs
//!
//! - **Memory** is a ceiling for the whole client: `buffer.memory` or `queue.buffering.max.kbytes` become the class Produce,
//!   and what is fetched has a ceiling, too. The defaults of those clients are large: with librdkafka's, 1 GiB for Produce. Nothing of it
//!   is taken before it is needed; lower the two, and `fetch.max.bytes`, where memory is scarce.
//! - **Consumers** read positions that the program gives: there are no groups yet, so that
//!   [`GroupProperties`](crate::properties::GroupProperties) are parsed and kept for later. With them no offset is committed, and none
//!   restored: every start begins where `auto.offset.reset` says. A program keeps offsets of its own, and goes on there by
//!   [`assign_at`](crate::ConsumerBuilder::assign_at), as by rdkafka's `assign` of a list with offsets, or by
//!   [`Consumer::seek`](crate::Consumer::seek).
//! - **Topics** are not made by being written to or read, whatever the broker's `auto.create.topics.enable` says:
//!   [`create_topics`](crate::Admin::create_topics) makes them. Brokers before 0.11 cannot be told so, and follow their setting.
//! - **`isolation.level`**: librdkafka's consumers read committed records only, Java's all; so do these.
//! - **Order**: without idempotence, librdkafka's default, one batch a partition is in flight, so that retries reorder nothing;
//!   with `enable.idempotence=true` there are five, and it is faster.
//!
//! # All names
//!
//! A dash: that client has no such name. Java's is its release 4, librdkafka's 2. `Config`, `ProducerConfig`, `ConsumerConfig`
//! and `Memory` are [`Config`](crate::Config), [`ProducerConfig`](crate::ProducerConfig),
//! [`ConsumerConfig`](crate::ConsumerConfig) and [`Memory`](crate::Memory). Several names in one cell are one setting of
//! librdkafka; Java knows the first.
//!
#![doc = include_str!("properties_table.md")]
