//! How connections are encrypted.

use super::Config;
use crate::tls::{CONNECTION, Tls};

impl Config {
    /// Encrypts every connection: see [`tls`](crate::tls). Needs the feature `tls`.
    ///
    /// Each connection takes 84 KiB more of the Control class. Memory that is still the default is shared out anew for that, as
    /// [`memory_total`](Config::memory_total) does it.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What one connection's TLS holds at most.
    pub(crate) fn tls_bytes(&self) -> usize {
        if self.is_encrypted() { CONNECTION } else { 0 }
    }
}
