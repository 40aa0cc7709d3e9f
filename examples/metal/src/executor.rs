//! Tasks, of which each is polled when it was woken, and the processor sleeps when none was.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

/// What is done beside the others, for ever.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One bit a task: it was woken.
static WOKEN: AtomicU32 = AtomicU32::new(0);

/// A waker is the number of its task.
static TABLE: RawWakerVTable =
    RawWakerVTable::new(|task| RawWaker::new(task, &TABLE), |task| wake(task.addr()), |task| wake(task.addr()), |_| ());

fn wake(task: usize) {
    WOKEN.fetch_or(1 << task, Ordering::Release);
}

/// How often tasks were polled.
static POLLS: AtomicU32 = AtomicU32::new(0);

/// How often tasks were polled so far.
pub fn polls() -> u32 {
    POLLS.load(Ordering::Relaxed)
}

/// Runs these tasks, 32 at most, for ever; one of them ends the program.
pub fn run(mut tasks: Vec<Task>) -> ! {
    (0..tasks.len()).for_each(wake);
    loop {
        let woken = WOKEN.swap(0, Ordering::Acquire);
        for (number, task) in tasks.iter_mut().enumerate().filter(|(number, _)| woken >> number & 1 == 1) {
            // SAFETY: the table treats the pointer as a number only, and its functions may be called from anywhere.
            let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::without_provenance(number), &TABLE)) };
            POLLS.fetch_add(1, Ordering::Relaxed);
            let _ = task.as_mut().poll(&mut Context::from_waker(&waker));
        }
        // With interrupts off `wfi` still ends when one is pending, so none is lost between the look and the sleep.
        cortex_m::interrupt::disable();
        if WOKEN.load(Ordering::Acquire) == 0 {
            cortex_m::asm::wfi();
        }
        // SAFETY: they were on before, and no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}
