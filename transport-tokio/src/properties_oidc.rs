//! From names of OAUTHBEARER to a source of tokens.

use std::path::Path;

use klamm::{
    Error,
    properties::{Material, OidcProperties, Properties},
    sasl::Sasl,
};

use crate::{oidc::ClientCredentials, tls::read};

/// Goes on from what the properties name, and reads the CAs' files: for what [`ClientCredentials`] has beside it, such as
/// cryptography that no feature brings. The result, in a [`Sasl::oauthbearer`], is for [`Properties::authenticated`].
///
/// # Errors
/// [`Error::Config`] for a file that cannot be read.
pub fn oidc(properties: &OidcProperties) -> Result<ClientCredentials, Error> {
    let OidcProperties { endpoint, client_id, client_secret, .. } = properties;
    let mut tokens = ClientCredentials::new(endpoint, client_id, client_secret.clone()).urlencode(properties.urlencode);
    if let Some(scope) = &properties.scope {
        tokens = tokens.scope(scope);
    }
    for (name, value) in &properties.extensions {
        tokens = tokens.extension(name, value);
    }
    for ca in &properties.cas {
        tokens = match ca {
            Material::Pem(pem) => tokens.ca_pem(pem.as_str()),
            Material::File(path) => tokens.ca_pem(read(Path::new(path)).map_err(|why| properties.lacking(why))?),
        };
    }
    Ok(tokens)
}

pub(super) fn finished(properties: Properties) -> Result<Properties, Error> {
    let Some(material) = &properties.oidc else { return Ok(properties) };
    let tokens = oidc(material)?;
    tokens.check().map_err(|error| material.lacking(error.to_string()))?;
    Ok(properties.authenticated(Sasl::oauthbearer(tokens)))
}
