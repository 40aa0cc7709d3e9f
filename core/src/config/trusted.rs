//! Without the feature `sasl` no broker asks who the client is.

use super::Config;
use crate::Error;

impl Config {
    pub(super) fn shown_sasl(&self) -> Option<()> {
        None
    }

    pub(super) fn check_sasl(&self) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn exchange_bytes(&self) -> usize {
        0
    }
}
