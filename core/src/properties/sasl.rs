//! Who the client is.

use alloc::{string::String, vec::Vec};

use super::{Material, draft::DraftTokens};
use crate::{
    Config, Error,
    sasl::{Sasl, ScramHash, Secret},
};

/// Where OAUTHBEARER's tokens come from: an OAuth 2 server, by the client's own name and secret (KIP-768). Its `Debug` has no
/// secret in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OidcProperties {
    /// The address that is asked for tokens.
    pub endpoint: String,
    /// The client's name there.
    pub client_id: String,
    /// And its secret.
    pub client_secret: Secret,
    /// What the token is to be good for.
    pub scope: Option<String>,
    /// What brokers are told besides (KIP-342).
    pub extensions: Vec<(String, String)>,
    /// Whether name and secret are encoded before they are joined (RFC 6749, section 2.3.1).
    pub urlencode: bool,
    /// The CAs to trust for that server; none: those of the system.
    pub cas: Vec<Material>,
}

impl OidcProperties {
    /// An [`Error::Config`] that says why nothing can be made of it: for transports.
    pub fn lacking(&self, why: impl Into<String>) -> Error {
        Error::config("sasl.oauthbearer.token.endpoint.url", why)
    }
}

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

/// # Errors
/// For what is missing.
pub(super) fn oidc(client: &mut Config, tokens: DraftTokens, encrypted: bool) -> Result<OidcProperties, Error> {
    client.allow_plain_without_tls = !encrypted;
    let of = |value: Option<String>, name| {
        value.filter(|text| !text.is_empty()).ok_or_else(|| Error::config(name, "must be given"))
    };
    Ok(OidcProperties {
        endpoint: of(tokens.endpoint, "sasl.oauthbearer.token.endpoint.url")?,
        client_id: of(tokens.client_id, "sasl.oauthbearer.client.credentials.client.id")?,
        client_secret: of(tokens.client_secret, "sasl.oauthbearer.client.credentials.client.secret")?.into(),
        scope: tokens.scope,
        extensions: tokens.extensions,
        urlencode: tokens.urlencode,
        cas: tokens.cas,
    })
}
