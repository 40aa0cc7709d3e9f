//! The host as the core sees it: connections, one timer, clocks and randomness.

use alloc::sync::Arc;
use core::task::{Context, Poll};

use klamm::{Clock, Endpoint, Instant, Transport};
use wasip2::{clocks::wall_clock, random::random::get_random_u64};

use crate::{
    Connecting, TcpStream,
    reactor::{Watch, clock},
};

/// A [`Transport`] on `wasi:sockets`. Its driver must run in [`Reactor::run_beside`](crate::Reactor::run_beside), which
/// waits for the host on its behalf.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Wasi {
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    due: Instant,
    watch: Watch,
}

impl Wasi {
    /// A transport.
    pub fn new() -> Self {
        Wasi::default()
    }
}

impl Transport for Wasi {
    type Stream = TcpStream;
    type Connecting = Connecting;

    fn connect(&mut self, to: &Endpoint) -> Connecting {
        Connecting::new(to.clone())
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let now = HostClock.now();
        if until <= now {
            return Poll::Ready(());
        }
        // Deadlines mostly move ahead, and each pollable costs calls of the host: one that is due earlier may stay,
        // and the driver asks again when it fires.
        let timer = match self.timer.take() {
            Some(timer) if now < timer.due && timer.due <= until => timer,
            _ => Timer { due: until, watch: Watch::timer(until.as_nanos()) },
        };
        timer.watch.arm(cx.waker());
        self.timer = Some(timer);
        Poll::Pending
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(HostClock)
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        for part in out.chunks_exact_mut(8) {
            part.copy_from_slice(&get_random_u64().to_ne_bytes());
        }
    }
}

struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(clock())
    }

    /// `None` in the first second of 1970, where a host's clock stands that was never set.
    fn unix_ms(&self) -> Option<i64> {
        let now = wall_clock::now();
        let ms = i64::try_from(now.seconds).ok().filter(|s| *s > 0)?.checked_mul(1000)?;
        ms.checked_add(i64::from(now.nanoseconds / 1_000_000))
    }
}
