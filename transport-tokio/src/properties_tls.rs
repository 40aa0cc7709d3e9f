//! From files to settings of TLS.

use std::path::Path;

use klamm::{
    Error,
    properties::{Material, Properties, TlsProperties},
    tls::{Tls, TlsBuilder},
};

use crate::tls::{Files as _, read};

/// Reads what the properties name, and goes on from `builder` with it: for cryptography that no feature brings. The result is for
/// [`Properties::encrypted`].
///
/// # Errors
/// [`Error::Config`], as [`TlsBuilder::build`], with the name of a file that cannot be read.
pub fn tls(properties: &TlsProperties, builder: TlsBuilder) -> Result<Tls, Error> {
    let mut builder = builder;
    if properties.cas.is_empty() {
        builder = builder.system_cas();
    }
    for ca in &properties.cas {
        builder = match pem(ca) {
            Ok(pem) => builder.ca_pem(pem),
            Err(why) => builder.lacking(why),
        };
    }
    if let Some((chain, key)) = &properties.client {
        builder = match (pem(chain), pem(key)) {
            (Ok(chain), Ok(key)) => builder.client_auth_pem(chain, key),
            (Err(why), _) | (_, Err(why)) => builder.lacking(why),
        };
    }
    builder.build()
}

fn pem(material: &Material) -> Result<Vec<u8>, String> {
    match material {
        Material::File(path) => read(Path::new(path)),
        Material::Pem(pem) => Ok(pem.clone().into_bytes()),
    }
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(super) fn finished(properties: Properties) -> Result<Properties, Error> {
    let Some(material) = &properties.tls else { return Ok(properties) };
    let tls = tls(material, crate::tls::builder())?;
    Ok(properties.encrypted(tls))
}

/// There is no cryptography: [`Properties::client`] says so to whoever asked for some.
#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
pub(super) fn finished(properties: Properties) -> Result<Properties, Error> {
    Ok(properties)
}
