use klamm::compress::{BuiltIn, Codec, CodecError, Codecs, Decompress, Full, Room, Sink};

use super::FastCodecs;

/// Like the core's own tests: what is granted is exactly what was asked for, up to a limit.
struct Limited {
    out: Vec<u8>,
    granted: usize,
    limit: usize,
}

impl Room for Limited {
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        assert!(self.out.capacity() <= self.granted, "the output grew by itself");
        if self.out.len() + more > self.limit {
            return Err(Full { limit: self.limit });
        }
        self.out.reserve_exact(more);
        self.granted = self.granted.max(self.out.capacity());
        Ok(())
    }
}

struct Bytes(Vec<u8>, usize);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.0.len() + bytes.len() > self.1 {
            return Err(Full { limit: self.1 });
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn packed(codecs: &dyn Codecs, codec: Codec, level: Option<i32>, data: &[u8]) -> Vec<u8> {
    let mut sink = Bytes(Vec::new(), usize::MAX);
    let mut encoder = codecs.compressor(codec, level).expect("a level");
    // Twice, because it is used again and again.
    for _ in 0..2 {
        sink.0.clear();
        encoder.compress(&mut data.chunks(10_000), &mut sink).expect("no limit");
    }
    sink.0
}

fn inflated(decoder: &mut dyn Decompress, src: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut room = Limited { out: Vec::new(), granted: 0, limit };
    decoder.decompress(src, &mut room)?;
    assert!(room.out.capacity() <= room.granted);
    Ok(room.out)
}

fn json() -> Vec<u8> {
    (0..6000).flat_map(|i| format!("{{\"id\":{i},\"user\":\"u{:05}\"}}", i * 7919 % 99_991).into_bytes()).collect()
}

/// The codecs that are replaced here, and levels that both have.
fn replaced() -> Vec<(Codec, Vec<Option<i32>>)> {
    let gzip = (Codec::Gzip, vec![None, Some(-1), Some(0), Some(1), Some(6), Some(9)]);
    let zstd = (Codec::Zstd, vec![None, Some(-7), Some(1), Some(4)]);
    if cfg!(feature = "zstd-native") { vec![gzip, zstd] } else { vec![gzip] }
}

/// Trap 38: members follow each other, of every level. Each implementation reads the other's.
#[test]
fn the_cores_and_these_read_each_other() {
    for (codec, levels) in replaced() {
        let (mut fast, mut core) =
            (FastCodecs.decompressor(codec, 1 << 23).unwrap(), BuiltIn.decompressor(codec, 1 << 23).unwrap());
        for data in [json(), Vec::new(), vec![7; 500_000], b"x".to_vec()] {
            for level in &levels {
                let (a, b) = (packed(&FastCodecs, codec, *level, &data), packed(&BuiltIn, codec, *level, &data));
                let both = [&a[..], &b].concat();
                assert_eq!(inflated(&mut *fast, &both, usize::MAX).unwrap(), data.repeat(2), "{codec} {level:?}");
                assert_eq!(inflated(&mut *core, &both, usize::MAX).unwrap(), data.repeat(2), "{codec} {level:?}");
                assert_eq!(inflated(&mut *fast, &b, data.len()).unwrap(), data, "exactly at the limit");
            }
        }
        assert!(matches!(FastCodecs.compressor(codec, Some(23)), Err(CodecError::Level { level: 23, .. })));
    }
    if cfg!(feature = "zstd-native") {
        let data = json();
        let best = packed(&FastCodecs, Codec::Zstd, Some(22), &data);
        assert!(best.len() < packed(&FastCodecs, Codec::Zstd, Some(3), &data).len());
        assert_eq!(inflated(&mut *BuiltIn.decompressor(Codec::Zstd, 0).unwrap(), &best, 1 << 20).unwrap(), data);
    }
    // The others are the core's.
    let snappy = packed(&FastCodecs, Codec::Snappy, None, &json());
    assert_eq!(inflated(&mut *BuiltIn.decompressor(Codec::Snappy, 0).unwrap(), &snappy, 1 << 20).unwrap(), json());
}

/// Trap 40: a bomb ends at the limit, whatever is claimed.
#[test]
fn limits_and_damage() {
    for (codec, _) in replaced() {
        let mut decoder = FastCodecs.decompressor(codec, 1 << 23).unwrap();
        let bomb = packed(&FastCodecs, codec, None, &vec![0; 1 << 20]);
        let full = CodecError::LimitExceeded { codec, limit: 100_000 };
        assert_eq!(inflated(&mut *decoder, &bomb, 100_000), Err(full));

        let mut bad = packed(&FastCodecs, codec, None, &json()[..600]);
        let good = bad.clone();
        let garbage = [&good[..], b"x"].concat();
        assert_eq!(inflated(&mut *decoder, &garbage, 4096), Err(CodecError::Corrupt(codec)));
        for end in 0..good.len() {
            assert!(inflated(&mut *decoder, &good[..end], 4096).is_err(), "{codec}, cut at {end}");
        }
        for bit in 0..bad.len() * 8 {
            bad[bit / 8] ^= 1 << (bit % 8);
            match inflated(&mut *decoder, &bad, 4096) {
                Ok(out) => assert!(out.len() <= 4096),
                Err(CodecError::Corrupt(_) | CodecError::LimitExceeded { .. } | CodecError::Window { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            bad[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(inflated(&mut *decoder, &good, 4096).unwrap(), json()[..600]);

        let mut sink = Bytes(Vec::new(), 1000);
        let refused = FastCodecs.compressor(codec, None).unwrap().compress(&mut [&json()[..]].into_iter(), &mut sink);
        assert_eq!(refused, Err(CodecError::LimitExceeded { codec, limit: 1000 }));
    }
}
