//! The core linked into a program for a microcontroller: no std, no threads, 64 KiB of heap.
//!
//! It is built and measured, not run. What the core offers without std is used here, so that the linker keeps it.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::ToString as _;
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::time::Duration;

#[global_allocator]
static HEAP: embedded_alloc::LlffHeap = embedded_alloc::LlffHeap::empty();
const HEAP_BYTES: usize = 64 * 1024;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: done once, before anything allocates; `entry` gives the memory to this function alone.
    unsafe { HEAP.init(MEMORY.as_mut_ptr() as usize, HEAP_BYTES) }
    let due = klamm::Instant::from_nanos(black_box(1)).after(Duration::from_millis(5));
    black_box(due.as_nanos().to_string());
    loop {
        cortex_m::asm::wfi();
    }
}
