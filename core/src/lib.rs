//! Klamm's core: an Apache Kafka client without I/O, clock, randomness or threads of its own.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod clock;
pub mod code;
pub mod compress;
pub mod driver;
pub mod producer;
pub mod record;
pub mod sync;
mod time;
pub mod wire;

pub use clock::Clock;
pub use code::ErrorCode;
pub use driver::{ByteStream, Endpoint, Phase, Transport, TransportError};
pub use time::Instant;
