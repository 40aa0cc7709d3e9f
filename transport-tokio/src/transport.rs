//! The runtime as the core sees it: connections, one timer, clocks and randomness.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use klamm::{Clock, Endpoint, Instant, Job, Transport};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::Sleep,
};

use crate::{Connecting, Dial, Direct};

/// A [`Transport`] on tokio's sockets and timer.
///
/// It keeps a handle of its runtime, so that a driver on it may be polled from any thread; the runtime must have its
/// I/O and its timer enabled and must live as long as the driver is polled.
#[derive(Debug)]
pub struct Tokio<D = Direct> {
    dialler: D,
    runtime: Handle,
    clock: Arc<HostClock>,
    timer: Option<Timer>,
    /// Made when there is a job.
    jobs: Option<Jobs>,
}

/// Where jobs come back: never more than were submitted.
#[derive(Debug)]
struct Jobs {
    done: UnboundedSender<Job>,
    finished: UnboundedReceiver<Job>,
}

/// The runtime's timer, and what it was armed for last: never later than what is waited for.
#[derive(Debug)]
struct Timer {
    due: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    fn arm(&mut self, due: Instant, at: tokio::time::Instant) {
        self.due = due;
        self.sleep.as_mut().reset(at);
    }
}

impl Tokio {
    /// A transport on this runtime.
    pub fn new(runtime: Handle) -> Self {
        Tokio::through(Direct::default(), runtime)
    }

    /// A transport on the runtime that runs the caller.
    ///
    /// # Panics
    /// Outside a tokio runtime, as [`Handle::current`] does.
    pub fn current() -> Self {
        Tokio::new(Handle::current())
    }
}

impl<D: Dial> Tokio<D> {
    /// A transport on this runtime whose connections are opened by `dialler`.
    pub fn through(dialler: D, runtime: Handle) -> Self {
        klamm::check_waits_with(refuse_to_wait_in_tasks);
        let clock = Arc::new(HostClock { start: std::time::Instant::now() });
        Tokio { dialler, runtime, clock, timer: None, jobs: None }
    }
}

/// Panics in a thread that runs async tasks: tokio itself knows which do, and says it only in this way.
fn refuse_to_wait_in_tasks() {
    if let Ok(runtime) = Handle::try_current() {
        runtime.block_on(std::future::ready(()));
    }
}

impl<D: Dial> Transport for Tokio<D> {
    type Stream = D::Stream;
    type Connecting = Connecting<D::Stream>;

    fn connect(&mut self, to: &Endpoint) -> Self::Connecting {
        Connecting::new(self.runtime.clone(), self.dialler.dial(to))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let at = self.clock.start.checked_add(Duration::from_nanos(until.as_nanos()));
        let Some(at) = at.map(tokio::time::Instant::from_std) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| {
            // Only a timer's creation asks for the runtime around it.
            let _inside = self.runtime.enter();
            Timer { due: until, sleep: Box::pin(tokio::time::sleep_until(at)) }
        });
        // A deadline that moves away leaves the timer as it is: it fires early then, and is armed anew. Most deadlines are
        // those of requests, which move away with every answer, and each earlier one would wake the runtime's own timer.
        if until < timer.due {
            timer.arm(until, at);
        }
        ready!(timer.sleep.as_mut().poll(cx));
        if self.clock.now() >= until {
            return Poll::Ready(());
        }
        timer.arm(until, at);
        timer.sleep.as_mut().poll(cx)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// To the runtime's threads for what blocks.
    fn submit(&mut self, mut job: Job) -> Result<(), Job> {
        let jobs = self.jobs.get_or_insert_with(|| {
            let (done, finished) = mpsc::unbounded_channel();
            Jobs { done, finished }
        });
        let done = jobs.done.clone();
        self.runtime.spawn_blocking(move || {
            job.run();
            // The driver may be gone; nobody waits for the job then.
            drop(done.send(job));
        });
        Ok(())
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Job> {
        match &mut self.jobs {
            Some(jobs) => jobs.finished.poll_recv(cx).map(|job| job.expect("the transport holds a sender, too")),
            None => Poll::Pending,
        }
    }

    /// # Panics
    /// When the system gives no randomness, which only a broken one does: guessable nonces would be worse.
    fn entropy(&mut self, out: &mut [u8; 32]) {
        getrandom::fill(out).expect("the system's source of randomness works");
    }
}

/// The system's clocks.
#[derive(Debug)]
struct HostClock {
    start: std::time::Instant,
}

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::ZERO.after(self.start.elapsed())
    }

    fn unix_ms(&self) -> Option<i64> {
        unix_ms(SystemTime::now())
    }
}

/// `None` before 1970: a clock that was never set, whose timestamps would let retention delete the records.
fn unix_ms(now: SystemTime) -> Option<i64> {
    i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What the driver does: one timer, whose deadline moves both ways.
    #[tokio::test]
    async fn the_timer_can_be_moved_both_ways() {
        let mut tokio = Tokio::current();
        let clock = tokio.clock();
        let start = clock.now();
        for until in [Instant::FAR, start.after(ms(60_000))] {
            assert!(poll_fn(|cx| Poll::Ready(tokio.poll_sleep(cx, until).is_pending())).await);
        }
        let earlier = start.after(ms(20));
        let fired = tokio::time::timeout(ms(10_000), poll_fn(|cx| tokio.poll_sleep(cx, earlier))).await;
        fired.expect("the earlier deadline is taken");
        assert!(clock.now() >= earlier, "fired {:?} early", earlier.since(clock.now()));
        poll_fn(|cx| tokio.poll_sleep(cx, earlier)).await; // what has come stays so
        let later = clock.now().after(ms(20));
        assert!(poll_fn(|cx| Poll::Ready(tokio.poll_sleep(cx, later).is_pending())).await);
        poll_fn(|cx| tokio.poll_sleep(cx, later)).await;
        assert!(clock.now() >= later);
    }

    /// A deadline that stays is polled again with another waker, and that one is woken.
    #[tokio::test]
    async fn the_last_waker_is_woken() {
        let mut tokio = Tokio::current();
        let until = tokio.clock().now().after(ms(20));
        assert!(tokio.poll_sleep(&mut Context::from_waker(std::task::Waker::noop()), until).is_pending());
        tokio::time::timeout(ms(10_000), poll_fn(|cx| tokio.poll_sleep(cx, until))).await.expect("woken");
    }

    #[test]
    fn a_clock_before_1970_is_none() {
        assert_eq!(unix_ms(UNIX_EPOCH - ms(1)), None);
        assert_eq!(unix_ms(UNIX_EPOCH + ms(1_234)), Some(1_234));
    }

    #[tokio::test]
    async fn randomness_differs_from_draw_to_draw() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        Tokio::current().entropy(&mut a);
        Tokio::current().entropy(&mut b);
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
    }

    /// Features and inner types must not take this away: the driver moves between the runtime's threads.
    #[test]
    fn everything_may_change_threads() {
        fn is_send<T: Send + Unpin>() {}
        is_send::<(Tokio, crate::TcpStream, Connecting)>();
    }
}
