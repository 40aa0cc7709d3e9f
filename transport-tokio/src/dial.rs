//! From an endpoint to a connection: the name is looked up at each dial, and all its addresses are tried.

use std::{
    fmt::Write as _,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use klamm::{ByteStream, Config, Endpoint, Phase, TransportError};
use tokio::{net::TcpSocket, runtime::Handle, time::timeout};

use crate::TcpStream;

/// How long an address may be silent while others wait for their turn; the core's connect timeout bounds them all.
/// Three seconds see a lost SYN repeated once.
const TURN: Duration = Duration::from_secs(3);

/// More addresses of one name than these are not tried in one dial; `attempt` moves on through all of them.
const ADDRESSES_MAX: usize = 16;

/// How connections are opened. [`Direct`] is TCP; others go through a proxy, over a Unix socket, within a test's memory.
///
/// ```
/// use klamm_tokio::{Config, Dial, Endpoint, Phase, Stream, TransportError};
/// use tokio::net::UnixStream;
///
/// /// A cluster behind a socket of this host.
/// struct Local(std::path::PathBuf);
///
/// impl Dial for Local {
///     type Stream = Stream<UnixStream>;
///
///     fn dial(&mut self, _to: &Endpoint) -> impl Future<Output = Result<Self::Stream, TransportError>> + Send + 'static {
///         let path = self.0.clone();
///         async move {
///             let failed = |e: std::io::Error| TransportError::new(Phase::Connect, e.kind().into(), e.to_string());
///             UnixStream::connect(path).await.map(Stream::new).map_err(failed)
///         }
///     }
/// }
///
/// # async fn run() -> Result<(), klamm_tokio::Error> {
/// let client = klamm_tokio::connect_through(Config::new("localhost:9092"), Local("kafka.sock".into())).await?;
/// # Ok(()) }
/// ```
pub trait Dial: Send + Unpin + 'static {
    /// An open connection.
    type Stream: ByteStream + Send + Unpin + 'static;

    /// Opens a connection to a broker, as [`Transport::connect`](klamm::Transport::connect) does. The future is polled inside
    /// the runtime, and dropped when the connect timeout is over.
    fn dial(&mut self, to: &Endpoint) -> impl Future<Output = Result<Self::Stream, TransportError>> + Send + 'static;
}

/// Dials TCP. The name is looked up each time, and all its addresses are tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct {
    buffers: Buffers,
}

impl Direct {
    /// The sizes of connections' buffers in the system, in bytes; `None`: as the system likes.
    #[must_use]
    pub fn socket_buffers(self, send: Option<u32>, receive: Option<u32>) -> Self {
        Direct { buffers: Buffers { send, receive } }
    }

    pub(crate) fn of(config: &Config) -> Self {
        Direct::default().socket_buffers(config.send_buffer_bytes, config.receive_buffer_bytes)
    }
}

impl Dial for Direct {
    type Stream = TcpStream;

    fn dial(&mut self, to: &Endpoint) -> impl Future<Output = Result<TcpStream, TransportError>> + Send + 'static {
        let (to, buffers) = (to.clone(), self.buffers);
        async move {
            let stream = open(&to, buffers).await?;
            TcpStream::tcp(stream).map_err(|e| transport_error(Phase::Connect, &e))
        }
    }
}

type Dialled<S> = Pin<Box<dyn Future<Output = Result<S, TransportError>> + Send>>;

/// A connection that is being opened. Dropping it gives up.
pub struct Connecting<S = TcpStream> {
    runtime: Handle,
    dial: Dialled<S>,
}

impl<S> Connecting<S> {
    pub(crate) fn new(runtime: Handle, dial: impl Future<Output = Result<S, TransportError>> + Send + 'static) -> Self {
        Connecting { runtime, dial: Box::pin(dial) }
    }
}

impl<S> Future for Connecting<S> {
    type Output = Result<S, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Connecting { runtime, dial } = &mut *self;
        // A handle may drive from a thread that is not the runtime's, and tokio looks for one when it opens a socket.
        let _inside = runtime.enter();
        dial.as_mut().poll(cx)
    }
}

impl<S> std::fmt::Debug for Connecting<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

/// The sizes of a socket's buffers in bytes; `None`: as the system likes.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Buffers {
    pub(crate) send: Option<u32>,
    pub(crate) receive: Option<u32>,
}

impl Buffers {
    /// Sets them before the connection is made, because that is when the window's scale is agreed upon.
    async fn connect(self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = self.send {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect(address).await
    }
}

/// TCP to an endpoint.
pub(crate) async fn open(to: &Endpoint, buffers: Buffers) -> Result<tokio::net::TcpStream, TransportError> {
    let addresses = look_up(to).await.map_err(|e| transport_error(Phase::Resolve, &e))?;
    let addresses = in_turn(addresses, to.attempt);
    // The core names the endpoint; only what stands behind a name is news.
    let is_literal = addresses.iter().all(|address| address.to_string() == to.to_string());
    dial(addresses, TURN, |address| buffers.connect(address)).await.map_err(|failed| match failed {
        Some((e, text)) => {
            let text = if is_literal { e.to_string() } else { text };
            TransportError::new(Phase::Connect, e.kind().into(), text)
        }
        None => TransportError::new(Phase::Resolve, embedded_io::ErrorKind::NotFound, "the name has no address"),
    })
}

async fn look_up(to: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in tokio::net::lookup_host((to.host.as_str(), to.port)).await? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The order of this attempt: the address that failed first the last time is not the first again (KAFKA-15817).
fn in_turn(mut addresses: Vec<SocketAddr>, attempt: u32) -> Vec<SocketAddr> {
    let first = (attempt as usize).checked_rem(addresses.len()).unwrap_or(0);
    addresses.rotate_left(first);
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// The first address that answers. Otherwise the last error and a text that names every address with its own, or
/// `None` when there was nothing to try.
async fn dial<F>(
    addresses: Vec<SocketAddr>,
    turn: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<tokio::net::TcpStream, Option<(io::Error, String)>>
where
    F: Future<Output = io::Result<tokio::net::TcpStream>>,
{
    let mut failed: Option<(io::Error, String)> = None;
    let mut left = addresses.len();
    for address in addresses {
        left -= 1;
        // The last one may use what is left of the connect timeout, as a single address may.
        let outcome = if left == 0 {
            connect(address).await
        } else {
            let silent = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {turn:?}"));
            timeout(turn, connect(address)).await.unwrap_or_else(|_| Err(silent()))
        };
        match outcome {
            Ok(stream) => return Ok(stream),
            Err(e) => {
                let mut text = failed.map_or_else(String::new, |(_, text)| text + "; ");
                let _ = write!(text, "{address}: {e}");
                failed = Some((e, text));
            }
        }
    }
    Err(failed)
}

/// The system's error in the core's terms.
pub(crate) fn transport_error(phase: Phase, e: &io::Error) -> TransportError {
    TransportError::new(phase, e.kind().into(), e.to_string())
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
