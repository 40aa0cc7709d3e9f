//! Tokens for OAUTHBEARER from an OAuth 2 server, which gives them for a client's own name and secret (RFC 6749, section 4.4;
//! KIP-768).
//!
//! ```no_run
//! # #[cfg(feature = "ring")]
//! # async fn run(secret: String) -> Result<(), klamm_tokio::Error> {
//! use klamm_tokio::{Config, oidc::ClientCredentials, sasl::Sasl, tls::{self, Files}};
//! let tokens = ClientCredentials::new("https://example.com/oauth2/token", "orders", secret).scope("kafka");
//! let tls = tls::builder().system_cas().build()?;
//! let config = Config::new("broker-1:9093").tls(tls).sasl(Sasl::oauthbearer(tokens));
//! let client = klamm_tokio::connect_with(config).await?;
//! # Ok(()) }
//! ```
//!
//! A token is kept until a fifth of its time is left, or a minute where that is more, but for half of its time at least; every
//! connection that begins until then is given it. The server is asked in a thread of its own, which lives as long as the answer takes.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding as _};
use klamm::sasl::{Secret, Token, TokenError, TokenFuture, TokenRefused, TokenSource};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::sync::oneshot;
use ureq::{
    Agent,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

use crate::tls::default_provider;

/// The most bytes of an answer. A token that is longer than 8,000 could not be said to a broker anyway.
const ANSWER_MAX: u64 = 64 << 10;

/// The most characters of a server's own words that are passed on.
const WORDS_MAX: usize = 200;

/// A source of tokens for [`Sasl::oauthbearer`](klamm::sasl::Sasl::oauthbearer). Clones share the token. Its `Debug` has neither the
/// secret nor a token in it.
///
/// Whoever has the secret is the client, so that it goes to an `https` address only, or to this very host. Redirections are not
/// followed, because they would carry it to somebody else.
#[derive(Clone)]
pub struct ClientCredentials {
    settings: Settings,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Clone)]
struct Settings {
    endpoint: String,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    extensions: Vec<(String, String)>,
    urlencodes: bool,
    timeout: Duration,
    /// PEM; none: those of the system.
    cas: Vec<Vec<u8>>,
    provider: Option<Arc<CryptoProvider>>,
}

struct Kept {
    token: Token,
    until: Instant,
}

/// Why there is no token. It is in the text of a [`SaslFault::NoToken`](klamm::sasl::SaslFault::NoToken), and it is asked for again
/// as long as a connection may take. What [is for good](OidcError::is_for_good) is in that of a
/// [`SaslFault::TokenRefused`](klamm::sasl::SaslFault::TokenRefused), at once, and [`ClientCredentials::token`] has it in a
/// [`TokenRefused`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(&'static str),
    /// No server could be asked.
    #[error("the token endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// The server refused.
    #[error("the token endpoint refused with status {status}{}{error}", if error.is_empty() { "" } else { ": " })]
    #[non_exhaustive]
    Refused {
        /// HTTP's status.
        status: u16,
        /// The server's reason, and what it says of it (RFC 6749, section 5.2); empty if it has none. At most 200 characters, and
        /// nothing if the secret stands in it.
        error: String,
    },
    /// What the server answered is no token.
    #[error("the token endpoint's answer {0}")]
    Malformed(&'static str),
}

impl OidcError {
    /// Whether asking again cannot help before something is changed: a setting is wrong, or the server says that the client, its
    /// secret or what it asks for is (status 4xx; RFC 6749, section 5.2), and not that it is late or asked too often.
    pub fn is_for_good(&self) -> bool {
        match self {
            OidcError::Settings(_) => true,
            // Some servers have this status for what is no fault of the client's, and say so by a word that the RFC has elsewhere.
            OidcError::Refused { status: 400, error } => {
                !["temporarily_unavailable", "server_error", "slow_down"].iter().any(|word| error.starts_with(word))
            }
            OidcError::Refused { status, .. } => (400..500).contains(status) && ![408, 425, 429].contains(status),
            OidcError::Unreachable(_) | OidcError::Malformed(_) => false,
        }
    }

    fn into_token_error(self) -> TokenError {
        if self.is_for_good() { TokenRefused::new(self).into() } else { self.into() }
    }
}

impl ClientCredentials {
    /// Who asks at which address. The cryptography for `https` is that of the feature `aws-lc-rs` or `ring`;
    /// [`crypto`](ClientCredentials::crypto) takes any other.
    pub fn new(
        endpoint: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<Secret>,
    ) -> ClientCredentials {
        let settings = Settings {
            endpoint: endpoint.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scope: None,
            extensions: Vec::new(),
            urlencodes: false,
            timeout: Duration::from_secs(10),
            cas: Vec::new(),
            provider: default_provider().map(Arc::new),
        };
        ClientCredentials { settings, kept: Arc::default() }
    }

    /// What the token is to be good for, in the server's words; several are separated by spaces.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.settings.scope = Some(scope.into());
        self
    }

    /// Tells brokers something besides (KIP-342): see [`Token::extension`].
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.extensions.push((name.into(), value.into()));
        self
    }

    /// Encodes name and secret before they are joined, as RFC 6749 (section 2.3.1) wants it and Java's client by default does not:
    /// for servers that insist, where one of them has characters that URLs do not have.
    #[must_use]
    pub fn urlencode(mut self, on: bool) -> Self {
        self.settings.urlencodes = on;
        self
    }

    /// How long an answer may take, from the look-up of the server's name on; 10 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Trusts the CAs of a PEM text for the server, in the place of the system's, beside those that it was told before.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.settings.cas.push(pem.into());
        self
    }

    /// Cryptography of the program's choice.
    #[must_use]
    pub fn crypto(mut self, provider: CryptoProvider) -> Self {
        self.settings.provider = Some(Arc::new(provider));
        self
    }

    /// Whether the settings are such that a server could be asked.
    pub(crate) fn check(&self) -> Result<(), OidcError> {
        self.settings.agent().map(drop)
    }
}

impl TokenSource for ClientCredentials {
    fn token(&self) -> TokenFuture {
        let (settings, kept) = (self.settings.clone(), Arc::clone(&self.kept));
        Box::pin(async move {
            if let Some(kept) = &*kept.lock().unwrap_or_else(PoisonError::into_inner)
                && kept.until > Instant::now()
            {
                return Ok(kept.token.clone());
            }
            // The driver may be polled outside any runtime, so this is no task of one.
            let (tell, told) = oneshot::channel();
            let fetching = move || drop(tell.send(settings.fetch()));
            thread::Builder::new().name("klamm-oidc".into()).spawn(fetching)?;
            let fetched = told.await.map_err(|_| "the thread that asked for a token is gone")?;
            let (token, life) = fetched.map_err(OidcError::into_token_error)?;
            let until = Instant::now() + kept_for(life);
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { token: token.clone(), until });
            Ok::<_, TokenError>(token)
        })
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("endpoint", &self.settings.endpoint)
            .field("client_id", &self.settings.client_id)
            .field("scope", &self.settings.scope)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Asks for a token; how long it is good for comes with it.
    fn fetch(&self) -> Result<(Token, Duration), OidcError> {
        let agent = self.agent()?;
        let mut body = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            body += "&scope=";
            body += &urlencoded(scope.as_bytes());
        }
        let asked = agent
            .post(&self.endpoint)
            .header("Accept", "application/json")
            .header("Authorization", self.authorization())
            .content_type("application/x-www-form-urlencoded")
            .send(&*body);
        let mut answer = asked.map_err(|error| OidcError::Unreachable(error.to_string()))?;
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
        let status = answer.status().as_u16();
        let text = text.map_err(|_| OidcError::Malformed("is cut off, too long, or no text"));
        if status != 200 {
            return Err(OidcError::Refused { status, error: self.reason(&text.unwrap_or_default()) });
        }
        let (token, life) = read_token(&text?)?;
        let extensions = self.extensions.iter();
        Ok((extensions.fold(token, |token, (name, value)| token.extension(name, value)), life))
    }

    fn agent(&self) -> Result<Agent, OidcError> {
        let uri: Uri = self.endpoint.parse().map_err(|_| OidcError::Settings("the token endpoint is no URL"))?;
        let builder = Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        match uri.scheme_str() {
            Some("https") => Ok(builder.tls_config(self.tls()?).build().into()),
            Some("http") if uri.host().is_some_and(is_this_host) => Ok(builder.build().into()),
            _ => Err(OidcError::Settings("the token endpoint must be https, or on this host")),
        }
    }

    fn tls(&self) -> Result<TlsConfig, OidcError> {
        let Some(provider) = &self.provider else {
            return Err(OidcError::Settings("there is no cryptography: see `ClientCredentials::crypto`"));
        };
        let mut cas = Vec::new();
        for pem in &self.cas {
            for ca in CertificateDer::pem_slice_iter(pem) {
                cas.push(ca.map_err(|_| OidcError::Settings("the token endpoint's CA cannot be read"))?);
            }
        }
        if self.cas.is_empty() {
            cas = rustls_native_certs::load_native_certs().certs;
        }
        let cas: Vec<_> = cas.iter().map(|ca| Certificate::from_der(ca).to_owned()).collect();
        Ok(TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::new_with_certs(&cas))
            .unversioned_rustls_crypto_provider(Arc::clone(provider))
            .build())
    }

    /// Name and secret as HTTP's basic authentication has them.
    fn authorization(&self) -> String {
        let encode = |bytes: &[u8]| if self.urlencodes { urlencoded(bytes).into_bytes() } else { bytes.to_vec() };
        let both = [&*encode(self.client_id.as_bytes()), b":", &*encode(self.client_secret.bytes())].concat();
        format!("Basic {}", Base64::encode_string(&both))
    }

    /// Why the server refused, if it says so in a form that can be passed on.
    fn reason(&self, text: &str) -> String {
        let Ok(answer) = serde_json::from_str::<serde_json::Value>(text) else { return String::new() };
        let word = |name| answer.get(name).and_then(|word| word.as_str()).unwrap_or_default();
        let (error, description) = (word("error"), word("error_description"));
        let said = if description.is_empty() { error.to_owned() } else { format!("{error} ({description})") };
        let secret = String::from_utf8_lossy(self.client_secret.bytes());
        let is_safe = !said.contains(&*secret) && !said.contains(char::is_control);
        if is_safe { said.chars().take(WORDS_MAX).collect() } else { String::new() }
    }
}

/// How long a token is given to connections: each begins a session that ends with its token, and needs time for the next.
fn kept_for(life: Duration) -> Duration {
    life - (life / 5).max(Duration::from_secs(60)).min(life / 2)
}

/// RFC 6749, section 5.1.
fn read_token(text: &str) -> Result<(Token, Duration), OidcError> {
    let Ok(answer) = serde_json::from_str::<serde_json::Value>(text) else {
        return Err(OidcError::Malformed("is no JSON"));
    };
    let Some(token) = answer.get("access_token").and_then(|token| token.as_str()).filter(|token| !token.is_empty())
    else {
        return Err(OidcError::Malformed("has no access_token"));
    };
    let kind = answer.get("token_type").and_then(|kind| kind.as_str()).unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(OidcError::Malformed("has a token that is no bearer's"));
    }
    // Some servers write it as a text. One that says nothing is asked for each connection.
    let seconds = match answer.get("expires_in") {
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64(),
        None => None,
    };
    let life = Duration::from_secs(seconds.unwrap_or(0).min(u32::MAX.into()));
    Ok((Token::new(token), life))
}

fn is_this_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// As forms are (`application/x-www-form-urlencoded`).
fn urlencoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
            text + char::from(*byte).encode_utf8(&mut [0; 4])
        }
        b' ' => text + "+",
        other => text + &format!("%{other:02X}"),
    })
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;
