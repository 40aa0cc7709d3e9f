//! Cryptography by AWS-LC.

use klamm::tls::{Tls, TlsBuilder};
pub(super) use rustls::crypto::aws_lc_rs::default_provider as provider;

/// Begins settings with the cryptography of AWS-LC.
pub fn builder() -> TlsBuilder {
    Tls::builder(provider())
}
