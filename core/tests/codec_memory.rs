//! What codecs hold, counted by the allocator, against what they say that they hold.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use klamm::compress::{BuiltIn, Codec, Codecs, Full, Room, Sink};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
    CALLS.set(CALLS.get() + usize::from(bytes > 0));
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counts are cells of the thread without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
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
        if self.0.len().saturating_add(more) > limit { Err(Full { limit }) } else { Ok(()) }
    }
}

/// The most that `work` had live at once, beyond what was before, and how often it allocated.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let (live, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(live);
    let result = work();
    ((PEAK.get() - live).max(0) as usize, CALLS.get() - calls, result)
}

/// Noise, text, letters, and what is worst for codecs that note their matches: many short ones.
fn kinds(len: usize) -> Vec<Vec<u8>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let noise: Vec<u8> = (0..len).map(|_| next() as u8).collect();
    let text: Vec<u8> =
        (0..).flat_map(|i| format!("{{\"id\":{i},\"u\":\"{}\"}}", next() % 1000).into_bytes()).take(len).collect();
    let words: Vec<[u8; 6]> = (0..2000).map(|_| next().to_le_bytes()[..6].try_into().unwrap()).collect();
    let short: Vec<u8> = (0..).flat_map(|_| words[next() as usize % 2000]).take(len).collect();
    let sparse: Vec<u8> = (0..).flat_map(|i| [0, 0, 0, 0, 0, ((i * 0x9e37_79b9u64) >> 16) as u8]).take(len).collect();
    // Letters that differ in frequency only.
    let skewed: Vec<u8> = (0..len).map(|_| (next() % 16 * (next() % 16)) as u8).collect();
    vec![noise, text, short, sparse, skewed, vec![0; len]]
}

fn levels(codec: Codec) -> Vec<Option<i32>> {
    match codec {
        Codec::Gzip => vec![None, Some(0), Some(1), Some(9)],
        Codec::Lz4 => vec![None, Some(3), Some(9)],
        Codec::Zstd => [-7, -5, -3, -1, 1, 2, 3, 4].map(Some).to_vec(),
        _ => vec![None],
    }
}

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

#[test]
fn encoders_hold_what_they_say() {
    for codec in CODECS {
        for level in levels(codec) {
            for len in [5_000, 150_000] {
                let kinds = kinds(len);
                let mut packed = Fixed(Vec::with_capacity(2 * len + 1000));
                let (held, _, mut encoder) = peak(|| {
                    let mut encoder = BuiltIn.compressor(codec, level).expect("a level of a codec of this build");
                    // Small ones first, so that buffers grow.
                    for len in [len / 7, len / 3, len] {
                        for data in &kinds {
                            packed.0.clear();
                            encoder.compress(&mut data[..len].chunks(1000), &mut packed).expect("room");
                        }
                    }
                    encoder
                });
                let said = encoder.memory(len);
                assert!(held <= said, "{codec} {level:?} at {len}: {held} held, {said} said");
                // Without std zrip's tables are as small as the batch.
                let spare = if cfg!(feature = "std") { 512 << 10 } else { 3 << 20 };
                assert!(said <= held * 2 + spare, "{codec} {level:?} at {len}: {said} said, only {held} held");
                if codec != Codec::Zstd {
                    packed.0.clear();
                    let again = peak(|| encoder.compress(&mut kinds[1].chunks(1000), &mut packed).expect("room"));
                    assert_eq!((again.0, again.1), (0, 0), "{codec} {level:?} at {len} allocates each time");
                }
            }
        }
    }
}

#[test]
fn decoders_hold_what_they_say() {
    for codec in CODECS {
        let mut inputs = Vec::new();
        for level in levels(codec) {
            for data in kinds(200_000) {
                let mut packed = Fixed(Vec::with_capacity(700_000));
                let mut encoder = BuiltIn.compressor(codec, level).expect("a level of a codec of this build");
                encoder.compress(&mut data.chunks(1000), &mut packed).expect("room");
                inputs.push(packed.0);
            }
        }
        if codec == Codec::Zstd {
            inputs.extend(
                kinds(200_000).iter().flat_map(|data| [5, 19].map(|level| zstd::bulk::compress(data, level).unwrap())),
            );
        }
        let mut room = Fixed(Vec::with_capacity(310_000));
        let (held, _, mut decoder) = peak(|| {
            let mut decoder = BuiltIn.decompressor(codec, 1 << 20).expect("a codec of this build");
            for src in &inputs {
                room.0.clear();
                decoder.decompress(src, &mut room).expect("a batch");
            }
            decoder
        });
        assert!(held <= decoder.memory(), "{codec}: {held} held, {} said", decoder.memory());
        assert!(decoder.memory() <= held * 2, "{codec}: {} said, only {held} held", decoder.memory());
        for src in &inputs {
            room.0.clear();
            let again = peak(|| decoder.decompress(src, &mut room).expect("a batch"));
            assert!(again.0 <= 1000, "{codec} allocates each time: {} bytes", again.0);
        }
    }
}

/// Trap 40: whatever data claims, a decoder holds no more than it says, and asks for the rest.
#[test]
fn damage_costs_no_memory() {
    for codec in CODECS {
        let data = &kinds(3000)[1];
        let mut packed = Fixed(Vec::with_capacity(10_000));
        BuiltIn
            .compressor(codec, None)
            .expect("a codec")
            .compress(&mut [&data[..]].into_iter(), &mut packed)
            .expect("room");
        let (mut room, bad) = (Fixed(Vec::with_capacity(20_000)), &mut packed.0);
        let (held, _, said) = peak(|| {
            let mut decoder = BuiltIn.decompressor(codec, 1 << 20).expect("a codec of this build");
            for bit in 0..bad.len() * 8 {
                bad[bit / 8] ^= 1 << (bit % 8);
                room.0.clear();
                let _ = decoder.decompress(bad, &mut room);
                bad[bit / 8] ^= 1 << (bit % 8);
            }
            decoder.memory()
        });
        assert!(held <= said, "{codec}: {held} held, {said} said");
        assert_eq!(room.0.capacity(), 20_000, "{codec}");
    }
}
