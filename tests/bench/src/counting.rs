//! An allocator that counts, for threads that ask for it, and a cluster in threads that do not.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use klamm_broker::{ClusterConfig, Fault, Guard, Running, serve};
use klamm_tokio::Class;

/// What memory is held for.
pub const CLASSES: [Class; 5] = [Class::Control, Class::Produce, Class::Fetch, Class::Inflate, Class::Tickets];

/// Counts what threads with [`COUNTED`] allocate and free. A program makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// Bytes that are live now.
pub static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The most that were, since somebody set it.
pub static PEAK: AtomicIsize = AtomicIsize::new(0);
/// The most that may be live: what would pass it is refused.
pub static MOST: AtomicIsize = AtomicIsize::new(isize::MAX);
/// How often memory was asked for.
pub static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is counted.
    pub static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Counts what is asked for; `false`: it is refused.
fn grow(bytes: isize) -> bool {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        if live > MOST.load(Relaxed) {
            LIVE.fetch_sub(bytes, Relaxed);
            return false;
        }
        PEAK.fetch_max(live, Relaxed);
        CALLS.fetch_add(1, Relaxed);
    }
    true
}

fn shrink(bytes: isize) {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        LIVE.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged, or nowhere; only sizes are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size() as isize) {
            return ptr::null_mut();
        }
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
        if !grow(size as isize) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        shrink(layout.size() as isize);
        moved
    }
}

/// Does something in a thread that is counted, without counting it: what is not the client's work.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let counted = COUNTED.replace(false);
    let done = work();
    COUNTED.set(counted);
    done
}

/// A cluster in threads of its own, which are not counted, until it is dropped.
#[derive(Debug)]
pub struct Brokers {
    running: Arc<Running>,
    _stop: mpsc::Sender<()>,
}

impl Brokers {
    /// The addresses of all brokers, separated by commas.
    pub fn bootstrap(&self) -> &str {
        self.running.bootstrap()
    }

    /// The cluster, locked: no broker answers meanwhile. Not for a thread that is counted.
    pub fn cluster(&self) -> Guard<'_> {
        self.running.cluster()
    }

    /// [`Cluster::create_topic`](klamm_broker::Cluster::create_topic).
    pub fn create_topic(&self, name: &str, partitions: usize, replication: usize) {
        uncounted(|| self.cluster().create_topic(name, partitions, replication));
    }

    /// [`Cluster::inject`](klamm_broker::Cluster::inject).
    pub fn inject(&self, fault: Fault) {
        uncounted(|| self.cluster().inject(fault));
    }
}

/// Three brokers with Kafka's own limits.
pub fn cluster() -> Brokers {
    cluster_of(ClusterConfig::default())
}

/// A cluster with these settings.
pub fn cluster_of(config: ClusterConfig) -> Brokers {
    let (told, running) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let running = Arc::new(serve(config).expect("loopback"));
        told.send(running).expect("somebody waits");
        let _ = stopped.recv();
    });
    Brokers { running: running.recv().expect("the cluster is up"), _stop: stop }
}
