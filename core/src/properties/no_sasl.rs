//! Without the feature `sasl` there is no mechanism, and `security.protocol` has said so before.

use alloc::string::String;

use crate::{Config, Error};

pub(super) fn is_there(_: &str) -> bool {
    false
}

pub(super) fn apply(_: &mut Config, _: &str, _: (String, String), _: bool) -> Result<(), Error> {
    Err(Error::config("sasl.mechanism", "needs the feature `sasl` of this build"))
}
