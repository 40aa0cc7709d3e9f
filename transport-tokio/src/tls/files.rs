//! What lies on this host.

use std::{fs, path::Path};

use klamm::tls::TlsBuilder;

/// Settings from files, which are read at once. What cannot be read is told by [`TlsBuilder::build`], with the file's name.
///
/// Where certificates are renewed in place, build again and give that to [`Tls::replace`](klamm::tls::Tls::replace).
pub trait Files {
    /// Trusts the CAs that this system trusts, beside those that it was told of before. Where the environment has
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR`, these are taken in their place. CAs that cannot be used are passed over.
    fn system_cas(self) -> Self;

    /// Trusts the CAs of a PEM file.
    fn ca_file(self, path: impl AsRef<Path>) -> Self;

    /// Shows brokers the certificate of one PEM file and holds the key of another, or of the same: see
    /// [`TlsBuilder::client_auth_pem`].
    fn client_auth_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self;
}

impl Files for TlsBuilder {
    fn system_cas(self) -> Self {
        let found = rustls_native_certs::load_native_certs();
        match found.errors.first() {
            Some(error) if found.certs.is_empty() => self.lacking(format!("the system's CAs: {error}")),
            _ => self.cas(found.certs),
        }
    }

    fn ca_file(self, path: impl AsRef<Path>) -> Self {
        match read(path.as_ref()) {
            Ok(pem) => self.ca_pem(pem),
            Err(why) => self.lacking(why),
        }
    }

    fn client_auth_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        match (read(chain.as_ref()), read(key.as_ref())) {
            (Ok(chain), Ok(key)) => self.client_auth_pem(chain, key),
            (Err(why), _) | (_, Err(why)) => self.lacking(why),
        }
    }
}

/// A file, or what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use klamm::Error;

    #[test]
    #[cfg(feature = "ring")]
    fn a_file_that_is_not_there_is_named() {
        let nowhere = "no/such/file.pem";
        let all = [
            crate::tls::builder().ca_file(nowhere).build(),
            crate::tls::builder().client_auth_files(nowhere, nowhere).build(),
        ];
        for built in all {
            let Err(Error::Config { knob: "tls", why, .. }) = built.map(drop) else { panic!("there is no such file") };
            assert!(why.starts_with(nowhere), "{why}");
        }
    }

    /// Every system that runs this has some.
    #[test]
    #[cfg(feature = "ring")]
    fn the_systems_cas_are_found() {
        crate::tls::builder().system_cas().build().expect("some");
    }
}
