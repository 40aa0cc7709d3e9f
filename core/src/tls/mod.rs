//! TLS 1.3 and 1.2, over every transport alike (feature `tls`). By rustls, with the cryptography of the user's choice.
//!
//! ```
//! # fn with(provider: klamm::tls::rustls::crypto::CryptoProvider, ca: &[u8]) -> Result<(), klamm::Error> {
//! use klamm::{Config, tls::Tls};
//! let tls = Tls::builder(provider).ca_pem(ca).build()?;
//! let config = Config::new("broker-1:9093").tls(tls);
//! # Ok(()) }
//! ```
//!
//! A broker must show a certificate that a trusted CA signed, for the host that the cluster advertises it by. What is wrong
//! with TLS stands in [`TransportError::tls`](crate::TransportError::tls), by cause. Where trying again cannot mend it,
//! [`connected`](crate::Client::connected) fails at once, and a running client leaves that broker alone for ten seconds.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod config;
mod engine;
mod fault;
mod records;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod time;

pub use config::{Tls, TlsBuilder};
pub use rustls;
pub use stream::TlsStream;
pub(crate) use stream::{CONNECTION, WORKING};

use crate::Phase;

/// What is known of a connection when it fails.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The handshake is over.
    established: bool,
    /// A whole record has come.
    heard: bool,
}

impl Known {
    fn phase(self) -> Phase {
        if self.established { Phase::Io } else { Phase::Tls }
    }
}
