//! What encryption needs, before anybody has read it.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::draft::DraftTls;
use crate::Error;

/// A certificate or a key. The `Debug` of what was given as it is has nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Material {
    /// A PEM file's path.
    File(String),
    /// PEM.
    Pem(String),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Material::File(path) => f.debug_tuple("File").field(path).finish(),
            Material::Pem(_) => f.debug_struct("Pem").finish_non_exhaustive(),
        }
    }
}

/// What encryption needs.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TlsProperties {
    /// The CAs to trust; none: those of the system.
    pub cas: Vec<Material>,
    /// The client's certificate, with those up to its CA, and the key to it.
    pub client: Option<(Material, Material)>,
}

impl DraftTls {
    /// # Errors
    /// For stores that are not PEM, and for halves.
    pub(super) fn finish(mut self) -> Result<TlsProperties, Error> {
        const NO_JKS: &str =
            "only PEM is read: set its type to PEM as well (`keytool` and `openssl pkcs12` convert it)";
        if let Some(store) = self.truststore.take() {
            if !self.truststore_is_pem {
                return Err(Error::config("ssl.truststore.location", NO_JKS));
            }
            self.cas.push(store);
        }
        if let Some(store) = self.keystore.take() {
            if !self.keystore_is_pem {
                return Err(Error::config("ssl.keystore.location", NO_JKS));
            }
            self.chain.get_or_insert(("ssl.keystore.location", store.clone()));
            self.key.get_or_insert(("ssl.keystore.location", store));
        }
        let client = match (self.chain, self.key) {
            (Some((_, chain)), Some((_, key))) => Some((chain, key)),
            (None, None) => None,
            (Some((name, _)), None) => return Err(Error::config(name, "needs the key to it as well")),
            (None, Some((name, _))) => return Err(Error::config(name, "needs the certificate to it as well")),
        };
        Ok(TlsProperties { cas: self.cas, client })
    }

    /// # Errors
    /// For what would not be used.
    pub(super) fn unused(&self) -> Result<(), Error> {
        let why = "does nothing unless security.protocol is SSL or SASL_SSL";
        self.first.map_or(Ok(()), |name| Err(Error::config(name, why)))
    }
}
