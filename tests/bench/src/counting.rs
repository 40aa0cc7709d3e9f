//! An allocator that counts, for threads that ask for it, and a cluster in threads that do not.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use klamm_broker::{ClusterConfig, serve};

/// Counts what threads with [`COUNTED`] allocate and free. A program makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// Bytes that are live now.
pub static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The most that were, since somebody set it.
pub static PEAK: AtomicIsize = AtomicIsize::new(0);
/// How often memory was asked for.
pub static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is counted.
    pub static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn grow(bytes: isize) {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
        CALLS.fetch_add(1, Relaxed);
    }
}

fn shrink(bytes: isize) {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        LIVE.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; only sizes are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are live while the bytes move.
        grow(size as isize);
        // SAFETY: the caller's promise is passed on.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        shrink(layout.size() as isize);
        moved
    }
}

/// A cluster in threads of its own, which are not counted, until what is answered is dropped.
pub fn cluster() -> (String, mpsc::Sender<()>) {
    let (told, bootstrap) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let running = serve(ClusterConfig::default()).expect("loopback");
        told.send(running.bootstrap().to_string()).expect("somebody waits");
        let _ = stopped.recv();
    });
    (bootstrap.recv().expect("the cluster is up"), stop)
}
