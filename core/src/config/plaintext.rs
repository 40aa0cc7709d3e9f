//! Without the feature `tls` no connection is encrypted.

use super::Config;

impl Config {
    pub(super) fn shown_tls(&self) -> Option<()> {
        None
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        false
    }

    pub(crate) fn tls_bytes(&self) -> usize {
        0
    }

    pub(crate) fn tls_working_bytes(&self) -> usize {
        0
    }
}
