//! What moves bytes: the traits a transport implements, and the driver that polls it.

mod transport;

pub use transport::{ByteStream, Endpoint, Phase, Transport, TransportError};
