//! Settings for tests elsewhere.

use super::Tls;

/// Whatever is trusted.
pub(crate) fn tls() -> Tls {
    let ca = include_str!("tests/sec1.pem");
    Tls::builder(rustls::crypto::ring::default_provider()).ca_pem(ca).build().expect("settings")
}
