//! Klamm in WASI 0.2 components: `wasi:sockets`, clocks, randomness, and a reactor for a program of one thread, without
//! std. Everything that is Kafka's is in `klamm`, which this crate re-exports whole.
//!
//! It exists for wasm only; built for anything else this crate is empty, so that a workspace can hold it.
//!
//! ```text
//! let config = klamm_wasi::Config::new("localhost:9092");
//! klamm_wasi::block_on(config, async |client| {
//!     let producer = client.producer().build()?;
//!     producer.send(klamm_wasi::Record::to("orders").key("42").value("{}")).await
//! })??;
//! ```
//!
//! A component without std switches the feature `bare` on, which brings an allocator, a panic handler and the symbols
//! that the linker asks for.
#![no_std]
#![deny(unsafe_code)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

#[cfg(feature = "bare")]
mod bare;
mod block_on;
mod dial;
mod reactor;
mod stream;
mod transport;

pub use block_on::block_on;
pub use dial::Connecting;
pub use klamm::*;
pub use reactor::{Reactor, Wait};
pub use stream::TcpStream;
pub use transport::Wasi;
