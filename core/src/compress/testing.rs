//! What the codecs' tests share: rooms, sinks, and data of several kinds.

use std::{format, string::String, vec, vec::Vec};

use proptest::{prelude::*, strategy::Strategy};

use super::{BuiltIn, Codec, CodecError, Codecs, Compress, Decompress, Full, Room, Sink};

/// A room that gives up to `limit` bytes, and exactly what is wanted. It notices growth that nobody asked for.
pub(super) struct Limited {
    out: Vec<u8>,
    granted: usize,
    limit: usize,
}

impl Limited {
    pub(super) fn new(limit: usize) -> Self {
        Limited { out: Vec::new(), granted: 0, limit }
    }

    pub(super) fn into_inner(self) -> Vec<u8> {
        assert!(self.out.capacity() <= self.granted, "the output grew by itself");
        self.out
    }

    /// The most that was ever granted.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }
}

impl Room for Limited {
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        assert!(self.out.capacity() <= self.granted, "the output grew by itself");
        if self.out.len().saturating_add(more) > self.limit {
            return Err(Full { limit: self.limit });
        }
        self.out.reserve_exact(more);
        self.granted = self.granted.max(self.out.capacity());
        Ok(())
    }
}

/// A sink of at most `limit` bytes.
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
    pub(super) limit: usize,
}

impl Sink for Bounded {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(Full { limit: self.limit });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn encoder(codec: Codec, level: Option<i32>) -> std::boxed::Box<dyn Compress> {
    BuiltIn.compressor(codec, level).unwrap()
}

pub(super) fn decoder(codec: Codec) -> std::boxed::Box<dyn Decompress> {
    BuiltIn.decompressor(codec, 8 << 20).unwrap()
}

/// Compresses `data`, which comes in pieces of `piece` bytes.
pub(super) fn packed(encoder: &mut dyn Compress, data: &[u8], piece: usize) -> Vec<u8> {
    let mut sink = Bounded { bytes: Vec::new(), limit: usize::MAX };
    encoder.compress(&mut data.chunks(piece.max(1)), &mut sink).unwrap();
    sink.bytes
}

/// What `src` inflates to, in at most `limit` bytes.
pub(super) fn inflated(decoder: &mut dyn Decompress, src: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut room = Limited::new(limit);
    decoder.decompress(src, &mut room)?;
    Ok(room.into_inner())
}

/// Records as they are: text, numbers, noise, runs, nothing.
pub(super) fn kinds() -> Vec<Vec<u8>> {
    let mut noise = Vec::new();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    while noise.len() < 200_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        noise.extend_from_slice(&seed.to_le_bytes());
    }
    let json: String = (0..4000).map(|i| format!("{{\"id\":{i},\"user\":\"u{:05}\"}}", i * 7919 % 99_991)).collect();
    let numbers = (0..40_000u32).flat_map(|i| (i / 3).to_be_bytes()).collect();
    let mixed = [&json.as_bytes()[..70_000], &noise[..70_000], &[7; 70_000]].concat();
    let short = (0..18).map(|len| vec![len as u8; len]);
    let near = [&b"abc".repeat(30_000)[..], &b"0123456789abc".repeat(5000)].concat();
    short.chain([json.into_bytes(), numbers, noise, mixed, vec![0; 300_000], near]).collect()
}

/// Arbitrary data in which things repeat at arbitrary distances.
pub(super) fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let step = (0usize..5000, 1usize..300, prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(step, 0..60).prop_map(|steps| {
        let mut data: Vec<u8> = Vec::new();
        for (back, len, fresh) in steps {
            data.extend_from_slice(&fresh);
            for _ in 0..if back < data.len() { len } else { 0 } {
                data.push(data[data.len() - 1 - back]);
            }
        }
        data
    })
}

/// Damage of every kind: cut at every byte, each bit flipped. The outcome is typed, never a panic, and small.
pub(super) fn survives_damage(codec: Codec, good: &[u8], limit: usize) {
    let mut decoder = decoder(codec);
    for end in 0..good.len() {
        typed(codec, inflated(&mut *decoder, &good[..end], limit), limit);
    }
    let mut bad = good.to_vec();
    for bit in 0..bad.len() * 8 {
        bad[bit / 8] ^= 1 << (bit % 8);
        typed(codec, inflated(&mut *decoder, &bad, limit), limit);
        bad[bit / 8] ^= 1 << (bit % 8);
    }
    inflated(&mut *decoder, good, limit).expect("the decoder still reads what is whole");
}

/// One of the errors that a decoder may answer.
pub(super) fn typed(codec: Codec, outcome: Result<Vec<u8>, CodecError>, limit: usize) {
    match outcome {
        Ok(out) => assert!(out.len() <= limit),
        Err(CodecError::Corrupt(of)) => assert_eq!(of, codec),
        Err(CodecError::LimitExceeded { codec: of, limit: at }) => assert_eq!((of, at), (codec, limit)),
        Err(CodecError::Window { codec: of, .. }) => assert_eq!(of, codec),
        Err(other) => panic!("{other}"),
    }
}
