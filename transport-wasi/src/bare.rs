//! What a component without std lacks. The only unsafe code of the crates that are published.
#![allow(unsafe_code)]

use alloc::format;
use core::panic::PanicInfo;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Whether anybody reads it or not, the program ends.
    let _ = wasip2::cli::stderr::get_stderr().blocking_write_and_flush(format!("{info}\n").as_bytes());
    core::arch::wasm32::unreachable()
}

/// Where the host puts what it answers. On other targets wit-bindgen brings it; here it expects wasi-libc to.
///
/// # Safety
/// Called by the component's glue alone, with a live block of `old_len` bytes, or none if that is 0, and an alignment
/// that is a power of two, as the canonical ABI says.
#[cfg(target_env = "p2")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, len: usize) -> *mut u8 {
    use alloc::alloc::{Layout, alloc, realloc};
    if len == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the caller's promise above; `len` is not 0.
    let block = unsafe {
        if old_len == 0 {
            alloc(Layout::from_size_align_unchecked(len, align))
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_len, align), len)
        }
    };
    if block.is_null() {
        core::arch::wasm32::unreachable()
    }
    block
}

/// Compares as C's function of this name: on this target the compiler calls it and expects wasi-libc to bring it.
///
/// # Safety
/// `a` and `b` point to `len` readable bytes.
#[cfg(target_env = "p2")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let mut at = 0;
    while at < len {
        // SAFETY: `at` is less than `len`, and the caller promises that many bytes. Slices are not compared here,
        // because comparing slices calls this function.
        let (x, y) = unsafe { (*a.add(at), *b.add(at)) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
        at += 1;
    }
    0
}
