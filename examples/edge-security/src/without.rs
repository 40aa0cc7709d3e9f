//! What stands in this crate's place in a component without TLS and SASL: settings of theirs must not pass for nothing.

use alloc::{format, string::String};

use klamm_wasi::Config;

/// The configuration as it is.
///
/// # Errors
/// The variable that asks for what this component does not have.
pub(crate) fn secured(config: Config, environment: &[(String, String)]) -> Result<Config, String> {
    let asked = ["KAFKA_CA_PEM", "KAFKA_USER", "KAFKA_PASSWORD", "KAFKA_SASL"];
    match environment.iter().find(|(key, _)| asked.contains(&&**key)) {
        Some((key, _)) => Err(format!("{key} is set, and this component was built without its feature tls")),
        None => Ok(config),
    }
}
