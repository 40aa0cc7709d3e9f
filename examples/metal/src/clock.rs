//! A clock that ticks each millisecond and is read to the cycle, and a timer for each task.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use critical_section::Mutex;

/// The processor's.
const HZ: u32 = if cfg!(feature = "mps2") { 25_000_000 } else { 12_500_000 };
const CYCLES: u32 = HZ / 1_000;
const NANOS_A_CYCLE: u64 = 1_000_000_000 / HZ as u64;

/// Who may wait for a moment, one at a time.
#[derive(Clone, Copy)]
pub enum Timer {
    Network,
    Driver,
    SecondDriver,
    Application,
}

struct State {
    millis: u64,
    timers: [Option<(u64, Waker)>; 4],
}

static STATE: Mutex<RefCell<State>> = Mutex::new(RefCell::new(State { millis: 0, timers: [const { None }; 4] }));

/// Starts the clock.
pub fn start(mut timer: SYST) {
    timer.set_reload(CYCLES - 1);
    timer.set_clock_source(SystClkSource::Core);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// The timer's interrupt.
pub fn tick() {
    critical_section::with(|cs| {
        let mut state = STATE.borrow_ref_mut(cs);
        state.millis += 1;
        let now = state.millis * 1_000_000;
        for timer in &mut state.timers {
            if let Some((_, waker)) = timer.take_if(|(until, _)| *until <= now) {
                waker.wake();
            }
        }
    });
}

/// Nanoseconds since the start.
pub fn nanos() -> u64 {
    critical_section::with(|cs| {
        let state = STATE.borrow_ref(cs);
        let left = SYST::get_current();
        // A tick that has come and was not counted yet, because interrupts are off.
        let ticked = cortex_m::peripheral::SCB::is_pendst_pending();
        let left = if ticked { SYST::get_current() } else { left };
        (state.millis + u64::from(ticked)) * 1_000_000 + u64::from(CYCLES - 1 - left) * NANOS_A_CYCLE
    })
}

/// Milliseconds since the start.
pub fn millis() -> u64 {
    nanos() / 1_000_000
}

/// Ready when `until`, in nanoseconds since the start, has come.
pub fn poll(timer: Timer, until: u64, cx: &mut Context<'_>) -> Poll<()> {
    if nanos() >= until {
        return Poll::Ready(());
    }
    critical_section::with(|cs| STATE.borrow_ref_mut(cs).timers[timer as usize] = Some((until, cx.waker().clone())));
    Poll::Pending
}

/// What the application waits for, if it comes within that span.
pub async fn within<T>(span: Duration, future: impl Future<Output = T>) -> Option<T> {
    let until = nanos() + span.as_nanos() as u64;
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => poll(Timer::Application, until, cx).map(|()| None),
    })
    .await
}

/// What both come to.
pub async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(|cx| {
        if of_a.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            of_a = Some(value);
        }
        if of_b.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            of_b = Some(value);
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
