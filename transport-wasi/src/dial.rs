//! From an endpoint to a connection: the name is looked up at each dial, and all its addresses are tried.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};
use core::{
    fmt::Write as _,
    future::{Future, poll_fn},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use embedded_io::ErrorKind;
use klamm::{Endpoint, Phase, TransportError};
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{
            ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, Network,
        },
        tcp_create_socket::create_tcp_socket,
    },
};

use crate::{TcpStream, reactor::Watch};

/// How long an address may be silent while others wait for their turn; the core's connect timeout bounds them all.
/// Three seconds see a lost SYN repeated once.
const TURN: Duration = Duration::from_secs(3);

/// More addresses of one name than these are not tried in one dial; `attempt` moves on through all of them.
const ADDRESSES_MAX: usize = 16;

/// A connection that is being opened. Dropping it gives up.
pub struct Connecting(Pin<Box<dyn Future<Output = Result<TcpStream, TransportError>>>>);

impl Connecting {
    pub(crate) fn new(to: Endpoint) -> Self {
        Connecting(Box::pin(open(to)))
    }
}

impl Future for Connecting {
    type Output = Result<TcpStream, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl core::fmt::Debug for Connecting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

async fn open(to: Endpoint) -> Result<TcpStream, TransportError> {
    let network = instance_network();
    let addresses = look_up(&network, &to.host).await.map_err(no_address)?;
    let addresses = in_turn(addresses, to.attempt);
    let mut last = None;
    let mut text = String::new();
    let mut left = addresses.len();
    for address in addresses {
        let address = SocketAddr::new(address, to.port);
        left -= 1;
        // The last one may use what is left of the connect timeout, as a single address may.
        let (why, e) = match dial(&network, address, (left > 0).then_some(TURN)).await {
            Ok(stream) => return Ok(stream),
            Err(ErrorCode::Timeout) if left > 0 => (format!("no answer within {TURN:?}"), ErrorCode::Timeout),
            Err(e) if is_grant(e) => (NO_TCP.to_string(), e),
            Err(e) => (e.message().to_string(), e),
        };
        let gap = if text.is_empty() { "" } else { "; " };
        // The core names the endpoint; only what stands behind a name is news.
        let _ = match address.to_string() == to.to_string() {
            true => write!(text, "{gap}{}", why.trim_end()),
            false => write!(text, "{gap}{address}: {}", why.trim_end()),
        };
        last = Some(e);
    }
    let Some(last) = last else {
        return Err(TransportError::new(Phase::Resolve, ErrorKind::NotFound, "the name has no address"));
    };
    let mut error = TransportError::new(Phase::Connect, kind(last), text);
    // What the component may do does not change while it runs.
    error.retriable = !is_grant(last);
    Err(error)
}

/// What a host says of something that it has not granted: it refuses, or does as if there were no such thing.
fn is_grant(e: ErrorCode) -> bool {
    matches!(e, ErrorCode::AccessDenied | ErrorCode::NotSupported)
}

const NO_LOOK_UP: &str = "the host does not grant this component name look-up (wasi:sockets/ip-name-lookup)";
const NO_TCP: &str = "the host does not grant this component TCP to that address (wasi:sockets/tcp)";

fn no_address(e: ErrorCode) -> TransportError {
    // wasmtime says of a look-up that it does not grant what its own resolver's failures are never called.
    if is_grant(e) || e == ErrorCode::PermanentResolverFailure {
        let mut error = TransportError::new(Phase::Resolve, ErrorKind::PermissionDenied, NO_LOOK_UP);
        error.retriable = false;
        return error;
    }
    TransportError::new(Phase::Resolve, kind(e), e.message().trim_end())
}

async fn look_up(network: &Network, host: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let names = resolve_addresses(network, host)?;
    let ready = Watch::new(names.subscribe());
    let mut addresses = Vec::new();
    loop {
        match names.resolve_next_address() {
            Ok(Some(address)) => {
                let address = from_host(address);
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => ready.ready().await,
            Err(e) => return Err(e),
        }
    }
}

/// The order of this attempt: the address that failed first the last time is not the first again (KAFKA-15817).
fn in_turn(mut addresses: Vec<IpAddr>, attempt: u32) -> Vec<IpAddr> {
    let first = (attempt as usize).checked_rem(addresses.len()).unwrap_or(0);
    addresses.rotate_left(first);
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// Connects to one address; a turn that is over is a timeout.
async fn dial(network: &Network, to: SocketAddr, turn: Option<Duration>) -> Result<TcpStream, ErrorCode> {
    let family = if to.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
    let socket = create_tcp_socket(family)?;
    let ready = Watch::new(socket.subscribe());
    let over = turn.map(|turn| Watch::new(subscribe_duration(turn.as_nanos() as u64)));
    socket.start_connect(network, to_host(to))?;
    let (input, output) = poll_fn(|cx| match socket.finish_connect() {
        Err(ErrorCode::WouldBlock) => {
            if over.as_ref().is_some_and(|over| over.poll_ready(cx).is_ready()) {
                return Poll::Ready(Err(ErrorCode::Timeout));
            }
            ready.arm(cx.waker());
            Poll::Pending
        }
        done => Poll::Ready(done),
    })
    .await?;
    drop(ready);
    Ok(TcpStream::new(socket, input, output))
}

fn to_host(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(ip) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: ip.octets().into() }),
        IpAddr::V6(ip) => {
            let address = ip.segments().into();
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

fn from_host(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(octets) => Ipv4Addr::from(<[u8; 4]>::from(octets)).into(),
        IpAddress::Ipv6(segments) => Ipv6Addr::from(<[u16; 8]>::from(segments)).into(),
    }
}

fn kind(e: ErrorCode) -> ErrorKind {
    match e {
        ErrorCode::AccessDenied | ErrorCode::NotSupported => ErrorKind::PermissionDenied,
        ErrorCode::InvalidArgument => ErrorKind::InvalidInput,
        ErrorCode::OutOfMemory => ErrorKind::OutOfMemory,
        ErrorCode::Timeout => ErrorKind::TimedOut,
        ErrorCode::ConnectionRefused => ErrorKind::ConnectionRefused,
        ErrorCode::ConnectionReset => ErrorKind::ConnectionReset,
        ErrorCode::ConnectionAborted => ErrorKind::ConnectionAborted,
        ErrorCode::NameUnresolvable => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    }
}
