//! Klamm on tokio: TCP, names, clocks and randomness. Everything that is Kafka's is in [`klamm`], which this crate
//! re-exports whole, so that a program needs no other name.
#![forbid(unsafe_code)]

mod connect;
mod dial;
mod stream;
mod transport;

pub use connect::{connect, connect_with};
pub use dial::Connecting;
pub use klamm::*;
pub use stream::TcpStream;
pub use transport::Tokio;
