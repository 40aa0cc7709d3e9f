//! The transport that clients get: the virtual network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use klamm::{ByteStream, Clock, Endpoint, Instant, Transport, TransportError};

use crate::rng::Rng;
use crate::world::World;

/// The world, as everything in it holds it.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Shared(Arc::new(Mutex::new(world)))
    }

    /// The world. Nobody polls or wakes a client's code while it is held.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's host.
pub struct SimTransport {
    pub(crate) world: Shared,
    pub(crate) client: usize,
    pub(crate) rng: Rng,
}

/// A connection that is being opened.
pub struct SimConnecting {
    world: Shared,
    conn: u64,
    done: bool,
}

/// An open connection.
pub struct SimStream {
    world: Shared,
    conn: u64,
}

impl Transport for SimTransport {
    type Stream = SimStream;
    type Connecting = SimConnecting;

    fn connect(&mut self, to: &Endpoint) -> SimConnecting {
        let conn = self.world.lock().connect(self.client, to);
        SimConnecting { world: self.world.clone(), conn, done: false }
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        self.world.lock().poll_sleep(self.client, cx, until)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.world.lock().clock.clone()
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        for piece in out.chunks_mut(8) {
            piece.copy_from_slice(&self.rng.draw().to_le_bytes());
        }
    }
}

impl Future for SimConnecting {
    type Output = Result<SimStream, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let conn = self.conn;
        let result = self.world.lock().poll_connected(conn, cx);
        result.map(|result| {
            self.done = true;
            let world = self.world.clone();
            if result.is_err() {
                world.lock().client_closes(conn, true);
            }
            result.map(|()| SimStream { world, conn })
        })
    }
}

impl Drop for SimConnecting {
    fn drop(&mut self) {
        if !self.done {
            self.world.lock().client_closes(self.conn, true);
        }
    }
}

impl ByteStream for SimStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        assert!(!buf.is_empty(), "a read into nothing");
        self.world.lock().poll_read(self.conn, cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        assert!(bufs.iter().any(|b| !b.is_empty()), "a write of nothing");
        self.world.lock().poll_write(self.conn, cx, bufs)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.world.lock().client_closes(self.conn, false);
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.world.lock().client_closes(self.conn, true);
    }
}
