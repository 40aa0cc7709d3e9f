//! No feature brings cryptography.

use rustls::crypto::CryptoProvider;

pub(crate) fn default_provider() -> Option<CryptoProvider> {
    None
}
