//! Cryptography by AWS-LC.

use klamm::tls::{Tls, TlsBuilder};
use rustls::crypto::aws_lc_rs;

/// Begins settings with the cryptography of AWS-LC.
pub fn builder() -> TlsBuilder {
    Tls::builder(aws_lc_rs::default_provider())
}
