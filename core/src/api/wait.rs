//! Programs without async: any future, waited for by the thread that asks.

use core::{
    future::{Future, IntoFuture},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};
use std::{
    task::{Wake, Waker},
    thread::{self, Thread},
};

use spin::Once;

use crate::sync::Arc;

/// Gives every future `.wait()`, for programs without async.
///
/// ```no_run
/// use klamm::{Record, Wait};
/// # fn with(client: klamm::Client) -> Result<(), klamm::Error> {
/// let producer = client.producer().build()?;
/// let meta = producer.send(Record::to("orders").value("{}")).wait()?;
/// # let _ = meta; Ok(()) }
/// ```
///
/// Somebody else must drive the client meanwhile: `klamm_tokio::blocking` has a thread that does, and any runtime in
/// other threads will do.
pub trait Wait: IntoFuture + Sized {
    /// Parks this thread until the future is ready, and returns what it answers. It waits as long as the future does: the
    /// client's own limits (`max_block_ms`, `delivery_timeout_ms`, …) count, and there is no other.
    ///
    /// Never to be called in a thread that runs async tasks: it would keep the runtime from running the very task that
    /// this waits for, in a runtime of one thread for ever.
    ///
    /// # Panics
    /// In such a thread, in builds with debug assertions, if the transport can tell (tokio's can: the panic is tokio's own,
    /// "Cannot start a runtime from within a runtime", and means this call). Threads of `spawn_blocking` may wait.
    fn wait(self) -> Self::Output {
        #[cfg(debug_assertions)]
        if let Some(check) = CHECK.get() {
            check();
        }
        let parked = Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&parked));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(self.into_future());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            // A thread is unparked for other reasons too.
            while !parked.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

impl<F: IntoFuture> Wait for F {}

static CHECK: Once<fn()> = Once::new();

/// For transports: what [`Wait::wait`] calls first, in builds with debug assertions. It should panic where waiting would
/// keep the caller's own runtime from working. The first one that is given stays.
pub fn check_waits_with(check: fn()) {
    CHECK.call_once(|| check);
}

/// A thread that waits.
struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // a JS engine spawns no threads
mod tests {
    use super::*;
    use core::{
        future::{poll_fn, ready},
        sync::atomic::AtomicUsize,
    };
    use std::{sync::mpsc, time::Duration};

    #[test]
    fn what_is_ready_is_not_waited_for() {
        assert_eq!(ready(7).wait(), 7);
    }

    /// However often the thread is unparked for nothing, it polls only when it was woken: once for each time, also for one
    /// that came while it polled. Who wakes it after its end does no harm.
    #[test]
    fn a_thread_sleeps_until_it_is_woken() {
        let (to, from) = mpsc::channel::<Waker>();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let other = thread::spawn(move || {
            let mut last = None;
            for waker in from {
                thread::sleep(Duration::from_millis(5));
                count.fetch_add(1, Ordering::SeqCst);
                waker.wake_by_ref();
                last = Some(waker);
            }
            last.expect("it was polled").wake();
        });
        let mut polls = 0;
        let waited = poll_fn(|cx| {
            polls += 1;
            assert_eq!(woken.load(Ordering::SeqCst), polls - 1, "polled without being woken");
            match polls {
                1 => {
                    woken.fetch_add(1, Ordering::SeqCst);
                    cx.waker().wake_by_ref();
                }
                2 | 3 => {
                    thread::current().unpark();
                    to.send(cx.waker().clone()).expect("it listens");
                }
                _ => return Poll::Ready("done"),
            }
            Poll::Pending
        })
        .wait();
        assert_eq!((waited, polls), ("done", 4));
        drop(to);
        other.join().expect("no panic");
    }
}
