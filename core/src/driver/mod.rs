//! What moves bytes: the traits a transport implements, and the driver that polls it.

mod embedded;
#[cfg(feature = "tls")]
mod opening;
#[cfg(not(feature = "tls"))]
#[path = "plaintext.rs"]
mod opening;
mod run;
#[cfg(test)]
mod tests;
mod tls_fault;
mod transport;

pub use embedded::EmbeddedIo;
pub use run::Driver;
pub use tls_fault::TlsFault;
pub use transport::{ByteStream, Endpoint, Phase, Transport, TransportError};
