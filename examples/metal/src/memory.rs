//! The heap, which is a fixed array, and how much of it and of the stack was ever used.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::{self, addr_of};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// All that is ever allocated.
pub const HEAP_BYTES: usize = if cfg!(feature = "mps2") { 1_024 } else { 52 } * 1024;

static HEAP: LlffHeap = LlffHeap::empty();
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The most that may be in use.
static MOST: AtomicUsize = AtomicUsize::new(HEAP_BYTES);

struct Counted;

// SAFETY: everything is done by the heap itself, or not at all.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if HEAP.used() + layout.size() > MOST.load(Ordering::Relaxed) {
            return ptr::null_mut();
        }
        // SAFETY: as promised to this function.
        let place = unsafe { HEAP.alloc(layout) };
        PEAK.fetch_max(HEAP.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as promised to this function.
        unsafe { HEAP.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Gives the heap its array.
pub fn start() {
    static mut ARRAY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: `main` calls this once, before anything is allocated, and nobody else knows the array.
    unsafe { HEAP.init(&raw mut ARRAY as usize, HEAP_BYTES) }
}

/// From now on the heap grows by so many bytes at most, and refuses what is more.
pub fn seal(bytes: usize) {
    MOST.store(HEAP.used() + bytes, Ordering::Relaxed);
}

/// Bytes of the heap that are in use, from which the most counts anew.
#[cfg(feature = "hostile")]
pub fn begin() -> usize {
    PEAK.store(HEAP.used(), Ordering::Relaxed);
    heap_peak()
}

/// The most bytes of the heap that were ever in use.
pub fn heap_peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Bytes of the heap that are in use.
pub fn heap_used() -> usize {
    HEAP.used()
}

/// The most bytes of the stack that were ever used, which was painted before `main`, and how many there are.
pub fn stack_peak() -> (usize, usize) {
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (top, mut lowest) = (addr_of!(_stack_start), addr_of!(_stack_end));
    let all = top.addr() - lowest.addr();
    // SAFETY: these are the words between the end of the statics and that of the RAM.
    while lowest < top && unsafe { lowest.read_volatile() } == 0xcccc_cccc {
        lowest = lowest.wrapping_add(1);
    }
    (top.addr() - lowest.addr(), all)
}
