//! The transport that clients get: the virtual network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use klamm::{ByteStream, Clock, Endpoint, Instant, Job, Transport, TransportError};

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
    /// Work in other threads, as it were, and when it is done.
    pub(crate) jobs: Vec<Running>,
}

/// A job that is under way.
pub(crate) struct Running {
    job: Job,
    until: u64,
    armed: bool,
}

/// The longest that a job takes, in nanoseconds.
const JOB_MAX: u64 = 50_000_000;

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

    fn submit(&mut self, mut job: Job) -> Result<(), Job> {
        job.run();
        let until = self.world.lock().now() + self.rng.below(JOB_MAX);
        self.jobs.push(Running { job, until, armed: false });
        Ok(())
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Job> {
        let mut world = self.world.lock();
        let done = self.jobs.iter_mut().position(|r| world.poll_until(r.until, &mut r.armed, cx).is_ready());
        done.map_or(Poll::Pending, |at| Poll::Ready(self.jobs.swap_remove(at).job))
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
