//! What moves bytes: the traits a transport implements, and the driver that polls it.

mod embedded;
mod run;
#[cfg(test)]
mod tests;
mod transport;

pub use embedded::EmbeddedIo;
pub use run::Driver;
pub use transport::{ByteStream, Endpoint, Phase, Transport, TransportError};
