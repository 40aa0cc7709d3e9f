//! The cryptography of the feature that brings one, for what is no connection to a broker.

use rustls::crypto::CryptoProvider;

pub(crate) fn default_provider() -> Option<CryptoProvider> {
    Some(super::provider())
}
