//! The heap, which is a fixed array, and how much of it and of the stack was ever used.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::addr_of;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// All that is ever allocated.
pub const HEAP_BYTES: usize = if cfg!(feature = "mps2") { 1_024 } else { 52 } * 1024;

/// What is allocated until [`seal`], and the block that it takes for what comes after; that block, and where it begins.
static START: LlffHeap = LlffHeap::empty();
static LATER: LlffHeap = LlffHeap::empty();
static BLOCK: AtomicUsize = AtomicUsize::new(0);
static BLOCK_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Heap;

// SAFETY: everything is done by the one heap or the other, and each gets back what it gave: where the block is tells whose it was.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let heap = if BLOCK.load(Ordering::Relaxed) == 0 { &START } else { &LATER };
        // SAFETY: as promised to this function.
        let place = unsafe { heap.alloc(layout) };
        PEAK.fetch_max(heap_used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let into_block = place.addr().wrapping_sub(BLOCK.load(Ordering::Relaxed));
        let heap = if into_block < BLOCK_BYTES.load(Ordering::Relaxed) { &LATER } else { &START };
        // SAFETY: as promised to this function.
        unsafe { heap.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Heap = Heap;

/// Gives the heap its array.
pub fn start() {
    static mut ARRAY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: `main` calls this once, before anything is allocated, and nobody else knows the array.
    unsafe { START.init(&raw mut ARRAY as usize, HEAP_BYTES) }
}

/// Takes one block, out of which comes all that is allocated from now on: what does not fit into it is refused, whatever else of the
/// heap may be free.
///
/// # Panics
/// Where the heap has not so much, or this was done before.
pub fn seal(bytes: usize) {
    assert!(BLOCK.load(Ordering::Relaxed) == 0, "sealed twice");
    let Ok(layout) = Layout::array::<u64>(bytes / 8) else { panic!("too much") };
    // SAFETY: it is more than nothing.
    let block = unsafe { START.alloc(layout) };
    assert!(!block.is_null(), "the heap has no room for what comes later");
    // SAFETY: nobody else knows the block, and this is done once.
    unsafe { LATER.init(block.addr(), layout.size()) }
    BLOCK_BYTES.store(layout.size(), Ordering::Relaxed);
    BLOCK.store(block.addr(), Ordering::Relaxed);
}

/// Bytes of the heap that are in use, from which the most counts anew.
#[cfg(feature = "hostile")]
pub fn begin() -> usize {
    PEAK.store(heap_used(), Ordering::Relaxed);
    heap_peak()
}

/// The most bytes of the heap that were ever in use.
pub fn heap_peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Bytes of the heap that are in use; of the block, those that are.
pub fn heap_used() -> usize {
    START.used() - BLOCK_BYTES.load(Ordering::Relaxed) + LATER.used()
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
