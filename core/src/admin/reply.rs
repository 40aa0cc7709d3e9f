//! What an operation answers, on its way from the driver to the task that waits.

use core::{
    future::poll_fn,
    task::{Poll, Waker},
};

use crate::sync::{Arc, Lock};

/// An answer's place: filled once by the driver, taken once by the handle.
pub(crate) struct Reply<T>(Lock<(Option<T>, Option<Waker>)>);

impl<T> Reply<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Reply(Lock::new((None, None))))
    }

    /// Waits for the answer.
    pub(crate) async fn taken(&self) -> T {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut state = self.0.lock();
            let answer = state.0.take();
            let old = if answer.is_none() { state.1.replace(waker) } else { None };
            drop(state);
            drop(old);
            answer.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    pub(crate) fn give(&self, answer: T) {
        let waker = {
            let mut state = self.0.lock();
            state.0 = Some(answer);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
