//! What the drivers of a board's devices share: registers, and a task that waits for an interrupt.

use core::cell::Cell;
use core::task::Waker;

use cortex_m::peripheral::NVIC;
use critical_section::{CriticalSection, Mutex};

/// Reads one of a device's registers.
pub fn read(register: usize) -> u32 {
    // SAFETY: a driver names its own device's registers, which are words.
    unsafe { (register as *const u32).read_volatile() }
}

/// Writes one of a device's registers.
pub fn write(register: usize, value: u32) {
    // SAFETY: as in `read`; each device has one driver, which alone writes to it.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The task that waits for a device.
pub struct Waiting(Mutex<Cell<Option<Waker>>>);

impl Waiting {
    /// Nobody yet.
    pub const fn new() -> Self {
        Waiting(Mutex::new(Cell::new(None)))
    }

    /// This one from now on.
    pub fn set(&self, cs: CriticalSection<'_>, waker: &Waker) {
        self.0.borrow(cs).set(Some(waker.clone()));
    }

    /// Wakes it, once.
    pub fn wake(&self) {
        critical_section::with(|cs| self.0.borrow(cs).take().map(Waker::wake));
    }
}

#[derive(Clone, Copy)]
struct Number(i16);

// SAFETY: it is that of a device that exists, and does not change.
unsafe impl cortex_m::interrupt::InterruptNumber for Number {
    fn number(self) -> u16 {
        self.0 as u16
    }
}

/// Turns a device's interrupt on.
pub fn unmask(interrupt: i16) {
    // SAFETY: nothing relies on this interrupt being off.
    unsafe { NVIC::unmask(Number(interrupt)) };
}
