//! Responses that were cut or damaged are refused or read, and cost no memory, whatever they claim.
//!
//! The newest versions here; all of them with `KLAMM_ALL_VERSIONS=1 cargo test --release -p klamm-oracle --test damage --
//! --nocapture`, which says how many there were.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use klamm::fuzzing::response;
use klamm::wire::Api;
use klamm_codegen::reference::Fill;
use klamm_oracle::{reference, responses};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the count is a cell of the thread without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What was read, of how many messages.
#[derive(Default)]
struct Counts {
    messages: usize,
    cut: usize,
    flipped: usize,
    lying: usize,
    read: usize,
}

/// Reads all of a body; whether it could be.
fn reads(api: Api, version: i16, body: &[u8]) -> bool {
    let before = ALLOCATIONS.get();
    let result = response(api, version, body);
    assert_eq!(ALLOCATIONS.get(), before, "{} version {version} takes memory for {body:02x?}", api.name);
    result.is_ok()
}

/// A count or a length: as large as there is in the old encodings and in the compact one, as large as is legal, less than
/// nothing.
const LIES: [&[u8]; 7] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0x7f],
    &[0x7f, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xfe],
];

fn damage(api: Api, version: i16, good: &[u8], counts: &mut Counts) {
    assert!(reads(api, version, good), "{} version {version}: {good:02x?}", api.name);
    counts.messages += 1;
    let mut bad = good.to_vec();
    for at in 0..good.len() {
        assert!(!reads(api, version, &good[..at]), "{} version {version} cut at {at}: {good:02x?}", api.name);
        counts.cut += 1;
        for bit in 0..8 {
            bad[at] ^= 1 << bit;
            counts.read += usize::from(reads(api, version, &bad));
            counts.flipped += 1;
            bad[at] ^= 1 << bit;
        }
        for lie in LIES {
            let end = good.len().min(at + lie.len());
            bad[at..end].copy_from_slice(&lie[..end - at]);
            counts.read += usize::from(reads(api, version, &bad));
            counts.lying += 1;
            bad[at..end].copy_from_slice(&good[at..end]);
        }
    }
}

/// Trap 11: every response cut at every byte, with every bit flipped, with a lie for a count at every place.
#[test]
fn every_response_cut_and_damaged() {
    let all = std::env::var_os("KLAMM_ALL_VERSIONS").is_some();
    let (reference, mut counts) = (reference(), Counts::default());
    let fills = [Fill::Nulls, Fill::Least, Fill::Any(0), Fill::Any(1)];
    for (case, api) in responses(&reference, if all { &fills } else { &fills[1..] }) {
        if all || case.version == api.max_unstable {
            damage(api, case.version, &case.bytes(false), &mut counts);
            if all && case.is_flexible() {
                damage(api, case.version, &case.bytes(true), &mut counts);
            }
        }
    }
    let Counts { messages, cut, flipped, lying, read } = counts;
    println!(
        "note: {messages} responses: {cut} cut, {flipped} with a bit flipped, {lying} with a lie; {read} can be read"
    );
    assert!(messages >= klamm::wire::api::ALL.len() && flipped >= 40_000, "{messages} {flipped}");
}
