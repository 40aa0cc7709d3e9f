//! Who the client is.

use alloc::string::String;

use crate::{
    Config, Error,
    sasl::{Sasl, ScramHash},
};

/// Whether there is a mechanism of that name.
pub(super) fn is_there(mechanism: &str) -> bool {
    matches!(mechanism, "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512")
}

/// A user and a password for a mechanism that is there. `SASL_PLAINTEXT` says by name that nothing is encrypted.
pub(super) fn apply(
    client: &mut Config,
    mechanism: &str,
    (user, password): (String, String),
    encrypted: bool,
) -> Result<(), Error> {
    let sasl = match mechanism {
        "SCRAM-SHA-256" => Sasl::scram(ScramHash::Sha256, user, password),
        "SCRAM-SHA-512" => Sasl::scram(ScramHash::Sha512, user, password),
        _ => Sasl::plain(user, password),
    };
    sasl.check()?;
    client.allow_plain_without_tls = !encrypted;
    client.sasl = Some(sasl);
    Ok(())
}
