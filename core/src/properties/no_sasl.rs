//! Without the feature `sasl` there is no mechanism, and `security.protocol` has said so before.

use alloc::string::String;

use super::draft::DraftTokens;
use crate::{Config, Error};

/// Where OAUTHBEARER's tokens come from; there are none without the feature `sasl`.
#[derive(Clone, Debug)]
pub enum OidcProperties {}

impl OidcProperties {
    /// An [`Error::Config`] that says why nothing can be made of it: for transports.
    pub fn lacking(&self, _: impl Into<String>) -> Error {
        match *self {}
    }
}

pub(super) fn is_there(_: &str) -> bool {
    false
}

pub(super) fn oidc(_: &mut Config, _: DraftTokens, _: bool) -> Result<OidcProperties, Error> {
    Err(needs_feature())
}

pub(super) fn apply(_: &mut Config, _: &str, _: (String, String), _: bool) -> Result<(), Error> {
    Err(needs_feature())
}

fn needs_feature() -> Error {
    Error::config("sasl.mechanism", "needs the feature `sasl` of this build")
}
