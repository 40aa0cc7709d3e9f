//! Connections through a SOCKS5 proxy (RFC 1928), with or without a password (RFC 1929).

use std::fmt;

use klamm::{Endpoint, Phase, TransportError, sasl::Secret};
use tokio_socks::{Error, tcp::Socks5Stream};

use crate::{
    Dial, TcpStream,
    dial::{Buffers, open, transport_error},
};

/// Dials through a SOCKS5 proxy, which looks the brokers' names up: they need not be known here. The proxy's own name is
/// looked up at each dial.
///
/// ```no_run
/// # async fn run() -> Result<(), klamm_tokio::Error> {
/// use klamm_tokio::{Config, Socks5};
/// let proxy = Socks5::new("proxy.example", 1080).password("user", "secret");
/// let client = klamm_tokio::connect_through(Config::new("broker-1:9092"), proxy).await?;
/// # Ok(()) }
/// ```
///
/// With [`Config::tls`](klamm::Config) the proxy sees only who is called: TLS is agreed on with the broker, whose name is
/// checked. What the proxy itself is told, name and password, is not encrypted.
#[derive(Clone)]
pub struct Socks5 {
    proxy: Endpoint,
    login: Option<(String, Secret)>,
}

impl Socks5 {
    /// The proxy, which wants no password.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Socks5 { proxy: Endpoint { host: host.into(), port, attempt: 0 }, login: None }
    }

    /// Says to the proxy who the client is. Both are text of 1 to 255 bytes; anything else is an error of the first dial.
    #[must_use]
    pub fn password(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    async fn reach(self, to: Endpoint) -> Result<TcpStream, TransportError> {
        let of_proxy = |mut error: TransportError| {
            error.text = format!("SOCKS5 proxy {}: {}", self.proxy, error.text);
            error
        };
        let stream = open(&self.proxy, Buffers::default()).await.map_err(of_proxy)?;
        let target = (to.host.as_str(), to.port);
        let told = match &self.login {
            None => Socks5Stream::connect_with_socket(stream, target).await,
            Some((user, password)) => {
                let password = str::from_utf8(password.bytes()).unwrap_or_default();
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
        };
        let stream = told.map_err(|error| of_proxy(refused(&error)))?;
        TcpStream::tcp(stream.into_inner()).map_err(|e| transport_error(Phase::Connect, &e))
    }
}

impl Dial for Socks5 {
    type Stream = TcpStream;

    fn dial(&mut self, to: &Endpoint) -> impl Future<Output = Result<TcpStream, TransportError>> + Send + 'static {
        // The core counts the dials of a broker; the proxy's addresses take turns by the same count.
        let mut through = self.clone();
        through.proxy.attempt = to.attempt;
        through.reach(to.clone())
    }
}

impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.login.as_ref().map(|(user, _)| user);
        f.debug_struct("Socks5").field("proxy", &self.proxy).field("user", &user).finish_non_exhaustive()
    }
}

/// What the proxy said, in the core's terms. Only what is wrong in the settings is not tried again.
fn refused(error: &Error) -> TransportError {
    use embedded_io::ErrorKind;
    let (kind, retriable) = match error {
        Error::Io(error) => return transport_error(Phase::Connect, error),
        Error::ConnectionRefused => (ErrorKind::ConnectionRefused, true),
        Error::TtlExpired => (ErrorKind::TimedOut, true),
        Error::PasswordAuthFailure(_) | Error::NoAcceptableAuthMethods | Error::UnknownAuthMethod => {
            (ErrorKind::PermissionDenied, false)
        }
        Error::InvalidAuthValues(_) | Error::InvalidTargetAddress(_) => (ErrorKind::InvalidInput, false),
        _ => (ErrorKind::Other, true),
    };
    let mut refused = TransportError::new(Phase::Connect, kind, error.to_string());
    refused.retriable = retriable;
    refused
}
