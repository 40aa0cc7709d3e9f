//! The driver with a transport that does what the test says.

use alloc::string::String;
use core::{
    future::{Ready, ready},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use crate::{ByteStream, Clock, Config, Endpoint, Instant, Phase, Transport, TransportError, sync::Arc};

/// A clock that the test sets, how many streams there are, and how often they were written to in vain.
#[derive(Default)]
struct World {
    seconds: AtomicUsize,
    streams: AtomicUsize,
    refuses: AtomicBool,
    refused: AtomicUsize,
}

impl Clock for World {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.seconds.load(Ordering::SeqCst) as u64 * 1_000_000_000)
    }

    fn unix_ms(&self) -> Option<i64> {
        None
    }
}

/// Takes everything or refuses it, brings nothing, and never comes to an end with closing.
struct Stalled(Arc<World>);

impl ByteStream for Stalled {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        if self.0.refuses.load(Ordering::SeqCst) {
            self.0.refused.fetch_add(1, Ordering::SeqCst);
            let error = TransportError::new(Phase::Io, embedded_io::ErrorKind::BrokenPipe, "broken");
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bufs.iter().map(|b| b.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Pending
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Host(Arc<World>);

impl Transport for Host {
    type Stream = Stalled;
    type Connecting = Ready<Result<Stalled, TransportError>>;

    fn connect(&mut self, _: &Endpoint) -> Self::Connecting {
        self.0.streams.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Stalled(Arc::clone(&self.0))))
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Instant) -> Poll<()> {
        if until <= self.0.now() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::<World>::clone(&self.0)
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        out.fill(7);
    }
}

/// A connection that does not get closed is dropped in the end: a peer that takes no goodbye must not hold sockets.
#[test]
fn closing_has_an_end() {
    let world = Arc::new(World::default());
    let mut config = Config::new(String::from("a:1"));
    config.connect_timeout_ms = 10_000;
    config.backoff_ms = 3_600_000;
    config.backoff_max_ms = 3_600_000;
    let (client, mut driver) = crate::new(config, Host(Arc::clone(&world))).expect("a client");
    let mut turn = |seconds: usize| {
        world.seconds.store(seconds, Ordering::SeqCst);
        assert!(driver.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        world.streams.load(Ordering::SeqCst)
    };
    assert_eq!(turn(0), 1);
    assert_eq!(turn(11), 1, "it had no answer for too long, and is closing");
    assert_eq!(turn(12), 1);
    assert_eq!(turn(14), 0, "it has had its time");
    drop(client);
}

/// A connection that can not be written to is over, though reading does not say so: the driver would write for ever.
#[test]
fn a_write_that_fails_ends_the_connection() {
    let world = Arc::new(World::default());
    world.refuses.store(true, Ordering::SeqCst);
    let (client, mut driver) =
        crate::new(Config::new(String::from("a:1")), Host(Arc::clone(&world))).expect("a client");
    let mut count = || {
        assert!(driver.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        (world.streams.load(Ordering::SeqCst), world.refused.load(Ordering::SeqCst))
    };
    assert_eq!(count(), (0, 1));
    assert_eq!(count(), (0, 1), "the next connection comes after a pause");
    drop(client);
}
