//! The one file that decides what `Arc` and a lock are.
//!
//! Under `std` a `Lock` is a mutex. Without it, it is a cell: such programs have one thread, and because the cell is
//! not `Sync` the compiler refuses a handle that is shared with an interrupt, where spinning would hang for ever.
//! `LeafLock` guards what must be `Send` in every build (buffers return from whatever thread drops them last); it is
//! held for a few instructions and a drop only ever *tries* it.

pub use alloc::sync::{Arc, Weak};

#[cfg(all(test, feature = "std"))]
std::thread_local! {
    /// How often this thread took a `Lock`.
    pub(crate) static LOCKED: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// A short lock. Nothing is woken, dropped or called back while it is held.
#[cfg(feature = "std")]
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

#[cfg(feature = "std")]
pub(crate) type LockGuard<'a, T> = std::sync::MutexGuard<'a, T>;

#[cfg(feature = "std")]
impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Lock(std::sync::Mutex::new(value))
    }

    /// A panic of another holder does not make the data wrong: no user code runs under a lock, and every section
    /// leaves its data whole before it can panic.
    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        #[cfg(test)]
        LOCKED.set(LOCKED.get() + 1);
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What only one can reach needs no lock.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A short lock. Nothing is woken, dropped or called back while it is held.
#[cfg(not(feature = "std"))]
pub(crate) struct Lock<T>(core::cell::RefCell<T>);

#[cfg(not(feature = "std"))]
pub(crate) type LockGuard<'a, T> = core::cell::RefMut<'a, T>;

#[cfg(not(feature = "std"))]
impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Lock(core::cell::RefCell::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.0.borrow_mut()
    }

    /// What only one can reach needs no lock.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// What goes with the driver into another thread: `Send` where there are threads. Without std locks are cells, and what
/// holds one stays where it is.
#[cfg(feature = "std")]
pub(crate) trait MaySend: Send {}
#[cfg(feature = "std")]
impl<T: Send> MaySend for T {}
#[cfg(not(feature = "std"))]
pub(crate) trait MaySend {}
#[cfg(not(feature = "std"))]
impl<T> MaySend for T {}

/// A lock of a few instructions that is `Sync` in every build.
pub(crate) type LeafLock<T> = spin::Mutex<T>;
