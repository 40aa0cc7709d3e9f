//! TLS and SASL for the components beside this, as clusters that others run want them, set in the environment.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `KAFKA_CA_PEM` | CAs that are trusted, as the content of a PEM file: all connections are then encrypted | no TLS |
//! | `KAFKA_USER`, `KAFKA_PASSWORD` | who the client is | no SASL |
//! | `KAFKA_SASL` | `SCRAM-SHA-256`, `SCRAM-SHA-512` or `PLAIN`, which needs TLS | `SCRAM-SHA-256` |
//!
//! The cryptography is rustls-rustcrypto's, which is Rust alone. It is young, an alpha, and nobody has audited it: whoever
//! cannot have that brings another `CryptoProvider` for `Tls::builder`, which is the one line here that names it.
#![no_std]

extern crate alloc;

#[cfg(feature = "sasl")]
mod user;

use alloc::string::{String, ToString as _};

use klamm_wasi::{Config, Error, tls::Tls};
use wasip2::random::random::get_random_bytes;

/// The cryptography's randomness is the host's. Called on targets without WASI in their name; on others getrandom asks the host
/// by itself.
fn random(out: &mut [u8]) -> Result<(), getrandom::Error> {
    out.copy_from_slice(&get_random_bytes(out.len() as u64));
    Ok(())
}
getrandom::register_custom_getrandom!(random);

/// TLS with whoever has a certificate of these CAs for the host that the cluster advertises.
///
/// # Errors
/// [`Error::Config`] for what is no certificate.
pub fn trusting(ca_pem: &str) -> Result<Tls, Error> {
    Tls::builder(rustls_rustcrypto::provider()).ca_pem(ca_pem).build()
}

/// The configuration, with what the environment says of TLS and SASL.
///
/// # Errors
/// The variable that makes no sense.
pub fn secured(mut config: Config, environment: &[(String, String)]) -> Result<Config, String> {
    if let Some(pem) = get(environment, "KAFKA_CA_PEM") {
        config = config.tls(trusting(pem).map_err(|error| error.to_string())?);
    }
    #[cfg(feature = "sasl")]
    if let Some(user) = user::of(environment)? {
        config = config.sasl(user);
    }
    Ok(config)
}

fn get<'e>(environment: &'e [(String, String)], name: &str) -> Option<&'e str> {
    environment.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
}
