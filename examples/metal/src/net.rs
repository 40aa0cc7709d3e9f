//! smoltcp over the controller: sockets as halves of `embedded-io-async`, and the task that moves their frames.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embedded_io::ErrorKind;
use embedded_io_async::{ErrorType, Read, Write};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, IpEndpoint, Ipv4Address};

use klamm::{EmbeddedIo, Endpoint, Phase, TransportError};

use crate::clock::{self, Timer};
use crate::ethernet::Ethernet;
use crate::transport::Link;

/// Where QEMU's network has this board, and the host, which is the gateway too.
const HERE: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const HOST: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// What a connection holds of what it sends, and as much of what it receives, in bytes.
const SOCKET_BYTES: usize = 2_048;

struct Stack {
    ethernet: Ethernet,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// The next connection's port here.
    port: u16,
    /// The task, when a socket has something for it.
    task: Option<Waker>,
}

/// The network, for as many as want it.
#[derive(Clone, Copy)]
pub struct Net(&'static RefCell<Stack>);

impl Net {
    /// A network with a port of its own for each connection, of which the first one is by chance.
    pub fn new(seed: u64) -> Net {
        let ethernet = [2, 0, 0, 0, 0, 1];
        let mut device = Ethernet::new(ethernet);
        let mut config = Config::new(EthernetAddress(ethernet).into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|list| {
            let _ = list.push(IpCidr::new(IpAddress::Ipv4(HERE), 24));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(HOST);
        let port = 49_152 + (seed & 0x3fff) as u16;
        let stack = Stack { ethernet: device, interface, sockets: SocketSet::new(vec![]), port, task: None };
        Net(Box::leak(Box::new(RefCell::new(stack))))
    }

    /// Moves frames for ever.
    pub async fn run(self) {
        poll_fn(|cx| self.0.borrow_mut().turn(cx)).await
    }

    fn dial(self, to: (Ipv4Address, u16)) -> Dial {
        let stack = &mut *self.0.borrow_mut();
        let buffer = || SocketBuffer::new(vec![0; SOCKET_BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        stack.port = stack.port.checked_add(1).unwrap_or(49_152);
        // It fails only for an address of nobody, and then the socket stays closed, which `Dial` sees.
        let _ = socket.connect(stack.interface.context(), IpEndpoint::new(IpAddress::Ipv4(to.0), to.1), stack.port);
        let handle = stack.sockets.add(socket);
        stack.wake();
        Dial::Begun(Connection { net: self, handle })
    }
}

impl Link for Net {
    type Stream = EmbeddedIo<Reader, Writer>;
    type Connecting = Dial;

    fn connect(&mut self, to: &Endpoint) -> Dial {
        let Ok(address) = to.host.parse::<Ipv4Address>() else { return Dial::Nameless };
        // QEMU's network has the host itself at 10.0.2.2, and the broker says that it is at 127.0.0.1.
        self.dial((if address.is_loopback() { HOST } else { address }, to.port))
    }
}

impl Stack {
    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn poll(&mut self) {
        let now = Instant::from_micros((clock::nanos() / 1_000) as i64);
        self.interface.poll(now, &mut self.ethernet, &mut self.sockets);
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll();
        let now = clock::nanos();
        let delay = self.interface.poll_delay(Instant::from_micros((now / 1_000) as i64), &self.sockets);
        if let Some(delay) = delay
            && clock::poll(Timer::Network, now + delay.total_micros() * 1_000, cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
        self.task = Some(cx.waker().clone());
        self.ethernet.listen(cx.waker());
        Poll::Pending
    }
}

/// A socket, which is closed when this is dropped.
pub struct Connection {
    net: Net,
    handle: SocketHandle,
}

impl Connection {
    fn with<R>(&self, f: impl FnOnce(&mut Socket<'_>) -> R) -> R {
        let stack = &mut *self.net.0.borrow_mut();
        let result = f(stack.sockets.get_mut(self.handle));
        stack.wake();
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let stack = &mut *self.net.0.borrow_mut();
        stack.sockets.get_mut::<Socket<'_>>(self.handle).abort();
        stack.poll(); // tells the other side
        stack.sockets.remove(self.handle);
    }
}

/// A connection that is being opened.
pub enum Dial {
    /// It was begun.
    Begun(Connection),
    /// It is open, or failed.
    Done,
    /// Its host is a name, and this board looks no names up.
    Nameless,
}

impl Future for Dial {
    type Output = Result<EmbeddedIo<Reader, Writer>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let failed = |phase, kind, words| Poll::Ready(Err(TransportError::new(phase, kind, words)));
        let Dial::Begun(connection) = &*self else {
            return failed(Phase::Resolve, ErrorKind::InvalidInput, "not an IPv4 address");
        };
        let state = connection.with(|socket| {
            socket.register_send_waker(cx.waker());
            socket.state()
        });
        if !matches!(state, State::Established | State::Closed) {
            return Poll::Pending;
        }
        match mem::replace(&mut *self, Dial::Done) {
            Dial::Begun(connection) if state == State::Established => {
                let shared = Rc::new(connection);
                let reader = Reader(Rc::clone(&shared));
                Poll::Ready(Ok(EmbeddedIo::assert_cancel_safe(reader, Writer(shared))))
            }
            _ => failed(Phase::Connect, ErrorKind::ConnectionRefused, "nobody listens there"),
        }
    }
}

/// What comes in on a connection. A read that is dropped has taken nothing, and smoltcp keeps its waker.
pub struct Reader(Rc<Connection>);

/// What goes out on a connection. A write that is dropped has sent nothing.
pub struct Writer(Rc<Connection>);

impl ErrorType for Reader {
    type Error = ErrorKind;
}

impl ErrorType for Writer {
    type Error = ErrorKind;
}

impl Read for Reader {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            self.0.with(|socket| match socket.recv_slice(buf) {
                Ok(0) => {
                    socket.register_recv_waker(cx.waker());
                    Poll::Pending
                }
                Ok(count) => Poll::Ready(Ok(count)),
                Err(RecvError::Finished) => Poll::Ready(Ok(0)),
                Err(RecvError::InvalidState) => Poll::Ready(Err(ErrorKind::ConnectionReset)),
            })
        })
        .await
    }
}

impl Write for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            self.0.with(|socket| match socket.send_slice(bytes) {
                Ok(0) => {
                    socket.register_send_waker(cx.waker());
                    Poll::Pending
                }
                Ok(count) => Poll::Ready(Ok(count)),
                Err(_) => Poll::Ready(Err(ErrorKind::ConnectionReset)),
            })
        })
        .await
    }

    /// What was written goes out without being asked to.
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
