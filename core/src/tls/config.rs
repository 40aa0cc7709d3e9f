//! Whom a client trusts, and who it is.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject},
};

use super::{
    engine::{Engine, Rustls},
    time::WallClock,
};
use crate::{
    Clock, Error, Phase, TlsFault, TransportError,
    sync::{Arc, LeafLock},
};

/// How connections are encrypted, and whom they may lead to. Clones are the same: what is [replaced](Tls::replace) in one is
/// replaced in all.
///
/// Its `Debug` has no key in it.
#[derive(Clone)]
pub struct Tls {
    now: Arc<LeafLock<Arc<dyn Begin>>>,
}

trait Begin: Send + Sync {
    fn begin(&self, clock: &Arc<dyn Clock>, host: &str) -> Result<Box<dyn Engine>, TransportError>;

    fn has_certificate(&self) -> bool;
}

struct Settings {
    config: Arc<ClientConfig>,
    /// The clock is the transport's, not one that the user chose.
    wants_clock: bool,
}

impl Tls {
    /// Begins with this cryptography, such as rustls' `ring::default_provider()`. Versions 1.2 and 1.3 are spoken.
    pub fn builder(provider: impl Into<Arc<CryptoProvider>>) -> TlsBuilder {
        TlsBuilder { provider: provider.into(), roots: RootCertStore::empty(), client: None, wrong: None }
    }

    /// With these settings of rustls as they are, for what the [builder](Tls::builder) does not offer. Their clock is theirs,
    /// and so is what a store of sessions holds, which is not in the memory plan.
    pub fn from_config(config: Arc<ClientConfig>) -> Tls {
        Tls::of(Settings { config, wants_clock: false })
    }

    /// Takes `other`'s settings for connections that begin from now on: a certificate that was renewed, say. Those that
    /// stand go on with theirs.
    pub fn replace(&self, other: &Tls) {
        let new = Arc::clone(&other.now.lock());
        let old = core::mem::replace(&mut *self.now.lock(), new);
        // Outside the lock: it may be the last of it.
        drop(old);
    }

    /// Begins a connection's TLS with whoever is `host`.
    pub(super) fn begin(&self, clock: &Arc<dyn Clock>, host: &str) -> Result<Box<dyn Engine>, TransportError> {
        let now = Arc::clone(&self.now.lock());
        now.begin(clock, host)
    }

    fn of(settings: Settings) -> Tls {
        Tls { now: Arc::new(LeafLock::new(Arc::new(settings))) }
    }
}

impl Begin for Settings {
    fn begin(&self, clock: &Arc<dyn Clock>, host: &str) -> Result<Box<dyn Engine>, TransportError> {
        let Ok(name) = ServerName::try_from(String::from(host)) else {
            let text = format!("{} ({host:?})", TlsFault::HostName);
            return Err(TransportError::of_tls(Phase::Tls, TlsFault::HostName, text));
        };
        let mut config = Arc::clone(&self.config);
        if self.wants_clock {
            Arc::make_mut(&mut config).time_provider = Arc::new(WallClock(Some(Arc::clone(clock))));
        }
        Ok(Box::new(Rustls::new(config, name)?))
    }

    fn has_certificate(&self) -> bool {
        self.config.client_auth_cert_resolver.has_certs()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = Arc::clone(&self.now.lock());
        f.debug_struct("Tls").field("client_certificate", &now.has_certificate()).finish_non_exhaustive()
    }
}

/// Settings of [`Tls`], until they are built.
#[must_use = "nothing is encrypted before it is built"]
pub struct TlsBuilder {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// The first thing that was wrong.
    wrong: Option<Error>,
}

impl TlsBuilder {
    /// Trusts the CAs of a PEM file's content, beside those that it was told before.
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        match certificates(pem.as_ref(), "the CA") {
            Ok(list) => list.into_iter().fold(self, |builder, certificate| builder.ca(certificate)),
            Err(error) => {
                self.wrong.get_or_insert(error);
                self
            }
        }
    }

    /// Trusts a CA as DER.
    pub fn ca_der(self, der: impl Into<Vec<u8>>) -> Self {
        self.ca(CertificateDer::from(der.into()))
    }

    /// Trusts a CA.
    pub fn ca(mut self, certificate: CertificateDer<'static>) -> Self {
        if let Err(error) = self.roots.add(certificate) {
            self.wrong.get_or_insert(wrong(format!("the CA's certificate cannot be used: {error}")));
        }
        self
    }

    /// Trusts those of these CAs that can be used, and passes over others: a system's store may have some that are older than
    /// today's rules. [`build`](TlsBuilder::build) still fails where none is left.
    pub fn cas(mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.roots.add_parsable_certificates(certificates);
        self
    }

    /// Shows brokers this certificate, which is to come first in the PEM, with those between it and its CA. The key is PEM,
    /// too, and not encrypted: PKCS#8, PKCS#1 or SEC1. Both may be one text.
    pub fn client_auth_pem(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                wrong("the client's key is in no PEM section that is known: PKCS#8, PKCS#1 or SEC1, not encrypted")
            }
            error => wrong(format!("the client's key cannot be read: {error}")),
        });
        match certificates(chain.as_ref(), "the client's certificate").and_then(|chain| Ok((chain, key?))) {
            Ok(client) => self.client = Some(client),
            Err(error) => drop(self.wrong.get_or_insert(error)),
        }
        self
    }

    /// Lets [`build`](TlsBuilder::build) fail: what was to be given to this builder cannot be had. For transports, which read
    /// files.
    pub fn lacking(mut self, why: impl Into<String>) -> Self {
        self.wrong.get_or_insert(wrong(why));
        self
    }

    /// All of it.
    ///
    /// # Errors
    /// [`Error::Config`] for what cannot be read, for no CA at all, and for a key that is not the certificate's.
    pub fn build(self) -> Result<Tls, Error> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        if self.roots.is_empty() {
            return Err(wrong("no CA is trusted, so that no broker would be"));
        }
        let builder = ClientConfig::builder_with_details(self.provider, Arc::new(WallClock(None)))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_root_certificates(self.roots);
        let mut config = match self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(format!("the client's certificate and key cannot be used: {error}")))?,
        };
        // Their memory would be in no plan, and brokers' connections live long.
        config.resumption = Resumption::disabled();
        Ok(Tls::of(Settings { config: Arc::new(config), wants_clock: true }))
    }
}

impl fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.is_some();
        f.debug_struct("TlsBuilder")
            .field("cas", &self.roots.len())
            .field("client_certificate", &client)
            .finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match list {
        Ok(list) if list.is_empty() => Err(wrong(format!("{whose}: there is no certificate in the PEM"))),
        Ok(list) => Ok(list),
        Err(error) => Err(wrong(format!("{whose} cannot be read: {error}"))),
    }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::config("tls", why)
}
