//! Cryptography by ring.

use klamm::tls::{Tls, TlsBuilder};
use rustls::crypto::ring;

/// Begins settings with the cryptography of ring.
pub fn builder() -> TlsBuilder {
    Tls::builder(ring::default_provider())
}
