//! Klamm on tokio: TCP, names, clocks and randomness. Everything that is Kafka's is in [`klamm`], which this crate
//! re-exports whole, so that a program needs no other name.
//!
//! ```
//! use klamm_tokio::{NewTopic, Record, StartAt};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), klamm_tokio::Error> {
//! # let cluster = klamm_broker::serve(klamm_broker::ClusterConfig::default()).expect("loopback");
//! # let bootstrap = cluster.bootstrap();
//! let client = klamm_tokio::connect(bootstrap).await?; // "localhost:9092", say
//! let orders = NewTopic::new("orders", 6, -1); // -1: as many replicas as brokers give by default
//! if let Err(error) = client.admin().create_topics([orders]).await {
//!     println!("{error}"); // it is there already, say
//! }
//! let producer = client.producer().build()?;
//! let meta = producer.send(Record::to("orders").key("42").value("{}")).await?;
//! println!("partition {}, offset {}", meta.partition(), meta.offset());
//! let mut consumer = client.consumer().topics(["orders"]).from(StartAt::Earliest).build()?;
//! while let Some(records) = consumer.next().await? {
//!     records.iter().for_each(|record| println!("{:?}", record.value()));
//! #   break;
//! }
//! client.shut_down();
//! client.closed().await // sends what is in the buffers: the runtime's end is the driver's, too
//! # }
//! ```
//!
//! The driver runs as a task of the runtime that [`connect`] is called in, and ends with it. A handle that finds it idle drives it in its
//! own thread, which halves what a lone record costs; handles may be used in any thread, also outside the runtime.
//!
//! Encrypted connections: the feature `ring` (or `tls`, for other cryptography), and `klamm::manual::secure` with it.
//!
//! Settings by the names of Java's client or of librdkafka: [`from_properties`], and `klamm::manual::from_properties`.
//!
//! Programs without async: see [`blocking`]. Streams and sinks: the feature `futures`.
#![forbid(unsafe_code)]

pub mod blocking;
mod codecs;
mod connect;
mod dial;
#[cfg(feature = "msk-iam")]
pub mod msk_iam;
#[cfg(feature = "oidc")]
pub mod oidc;
pub mod properties;
#[cfg(feature = "socks5")]
mod socks5;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;

pub use codecs::FastCodecs;
pub use connect::{connect, connect_through, connect_with};
pub use dial::{Connecting, Dial, Direct};
pub use klamm::*;
pub use properties::from_properties;
#[cfg(feature = "socks5")]
pub use socks5::Socks5;
pub use stream::{Stream, TcpStream};
pub use transport::Tokio;
