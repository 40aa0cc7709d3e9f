//! What the codecs of tokio's crate hold, counted by the allocator, against what they say. The core's are checked there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use klamm_tokio::{
    FastCodecs,
    compress::{Codec, Codecs, Full, Room, Sink},
};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counts are cells of the thread without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(LIVE.get()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A buffer of a size that does not change.
struct Fixed(Vec<u8>);

impl Sink for Fixed {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.want(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl Room for Fixed {
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        let limit = self.0.capacity();
        if self.0.len() + more > limit { Err(Full { limit }) } else { Ok(()) }
    }
}

#[test]
fn codecs_hold_what_they_say() {
    let record = |i: u32| format!("{{\"id\":{i},\"n\":{}}}", i * 7919 % 997).into_bytes();
    let data: Vec<u8> = (0..20_000).flat_map(record).collect();
    let (mut packed, mut out) = (Fixed(Vec::with_capacity(1 << 20)), Fixed(Vec::with_capacity(1 << 20)));
    for level in [0, 1, 6, 9] {
        let before = LIVE.get();
        PEAK.set(before);
        let mut encoder = FastCodecs.compressor(Codec::Gzip, Some(level)).expect("a level");
        let mut decoder = FastCodecs.decompressor(Codec::Gzip, 0).expect("a codec");
        for _ in 0..3 {
            packed.0.clear();
            out.0.clear();
            encoder.compress(&mut data.chunks(1000), &mut packed).expect("room");
            decoder.decompress(&packed.0, &mut out).expect("a batch");
        }
        assert!(out.0 == data);
        let (held, said) = ((PEAK.get() - before) as usize, encoder.memory(data.len()) + decoder.memory());
        assert!(held <= said && said <= 2 * held, "gzip {level}: {held} held, {said} said");
    }
}
