//! Cryptography by ring.

use klamm::tls::{Tls, TlsBuilder};
pub(super) use rustls::crypto::ring::default_provider as provider;

/// Begins settings with the cryptography of ring.
pub fn builder() -> TlsBuilder {
    Tls::builder(provider())
}
