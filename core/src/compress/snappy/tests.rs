use std::vec::Vec;

use proptest::prelude::*;

use super::super::testing::*;
use super::super::{Codec::Snappy, CodecError, inflated_hint};
use super::*;

fn raw_of(data: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(data).unwrap()
}

/// What snappy-java would make of it, with the `snap` crate's blocks.
fn xerial_of(data: &[u8], block: usize) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSIONS].concat();
    for block in data.chunks(block) {
        let raw = raw_of(block);
        bytes.extend_from_slice(&(raw.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&raw);
    }
    bytes
}

fn blocks_of(mut src: &[u8]) -> Vec<&[u8]> {
    src = xerial(src).expect("a xerial header");
    Blocks(src).collect::<Result<_, _>>().expect("whole blocks")
}

/// Trap 36: what is written is xerial, in blocks of 32 KiB that the `snap` crate reads.
#[test]
fn blocks_are_read_by_snap() {
    let mut ours = encoder(Snappy, None);
    for data in kinds() {
        for piece in [1000, 50_000, usize::MAX] {
            let packed = packed(&mut *ours, &data, piece);
            let blocks = blocks_of(&packed);
            assert_eq!(blocks.len(), data.len().div_ceil(32 * 1024));
            let snap = |block| snap::raw::Decoder::new().decompress_vec(block).expect("a raw block");
            let inflated: Vec<u8> = blocks.into_iter().flat_map(snap).collect();
            assert_eq!(inflated, data);
        }
    }
}

/// Trap 36: raw blocks are read, and xerial ones, whatever their size; streams may follow each other.
#[test]
fn raw_and_xerial_are_read() {
    let mut ours = decoder(Snappy);
    for data in kinds() {
        let two = xerial_of(&data, 32 * 1024).repeat(2);
        assert_eq!(inflated(&mut *ours, &two, usize::MAX).unwrap(), data.repeat(2));
        for src in [raw_of(&data), xerial_of(&data, 32 * 1024), xerial_of(&data, 1000), xerial_of(&data, 1 << 20)] {
            assert_eq!(inflated(&mut *ours, &src, data.len()).unwrap(), data);
            assert_eq!(inflated_hint(Snappy, &src), Some(data.len()));
        }
    }
}

#[test]
fn as_small_as_snap() {
    for data in kinds().into_iter().filter(|data| data.len() > 1000) {
        let ours = packed(&mut *encoder(Snappy, None), &data, usize::MAX).len();
        assert!(ours <= xerial_of(&data, 32 * 1024).len());
    }
}

/// Every element of the format, also those that no encoder writes.
#[test]
fn elements_by_hand() {
    let mut ours = decoder(Snappy);
    // A literal with its length in four bytes, then a copy with an offset of four.
    let four = [&[6, 63 << 2, 3, 0, 0, 0][..], b"abcd", &[1 << 2 | 3, 3, 0, 0, 0]].concat();
    assert_eq!(inflated(&mut *ours, &four, 6).unwrap(), b"abcdbc");
    for bad in [
        &[][..],                                    // no length
        &[0x80, 0x80, 0x80, 0x80, 0x10],            // a length of 33 bits
        &[2, 0, b'a'],                              // less than it says
        &[1, 1 << 2, b'a', b'b'],                   // more than it says
        &[2, 1 << 2, b'a'],                         // a literal that is cut
        &[4, 2, 0, 0],                              // offset 0
        &[8, 3 << 2, 1, 2, 3, 4, 3 << 2 | 2, 5, 0], // before the beginning
        &[2, 63 << 2, 255, 255, 255, 255],          // a literal that is longer than memory
    ] {
        assert_eq!(inflated(&mut *ours, bad, 100), Err(CodecError::Corrupt(Snappy)), "{bad:?}");
    }
}

/// Trap 40: a length that cannot be true costs nothing, one that is larger than the room is refused at once.
#[test]
fn lengths_that_lie() {
    let mut room = Limited::new(usize::MAX);
    let lie = [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0; 100]].concat();
    assert_eq!(decoder(Snappy).decompress(&lie, &mut room), Err(CodecError::Corrupt(Snappy)));
    assert_eq!(room.granted(), 0);
    assert!(inflated_hint(Snappy, &lie).unwrap() <= lie.len() * MOST_RATIO);

    let bomb = xerial_of(&[0; 1 << 20], 32 * 1024);
    let refused = inflated(&mut *decoder(Snappy), &bomb, 100_000);
    assert_eq!(refused, Err(CodecError::LimitExceeded { codec: Snappy, limit: 100_000 }));
    assert!(inflated(&mut *decoder(Snappy), &bomb, 1 << 20).is_ok());
}

#[test]
fn an_output_that_is_full() {
    let (data, mut sink) = (&kinds()[20], Bounded { bytes: Vec::new(), limit: 5000 });
    let full = CodecError::LimitExceeded { codec: Snappy, limit: 5000 };
    assert_eq!(encoder(Snappy, None).compress(&mut [&data[..]].into_iter(), &mut sink), Err(full));
}

#[test]
fn no_levels() {
    assert!(compressor(Some(0)).is_ok());
    assert!(matches!(compressor(Some(3)), Err(CodecError::Level { codec: Snappy, level: 3, .. })));
}

#[test]
fn damage_is_told() {
    let json = &kinds()[18][..700];
    survives_damage(Snappy, &raw_of(json), 4096);
    survives_damage(Snappy, &packed(&mut *encoder(Snappy, None), json, 100), 4096);
}

proptest! {
    #[test]
    fn there_and_back(data in repetitive(), piece in 1usize..3000) {
        let packed = packed(&mut *encoder(Snappy, None), &data, piece);
        prop_assert_eq!(inflated(&mut *decoder(Snappy), &packed, data.len()).unwrap(), data.clone());
        prop_assert_eq!(inflated(&mut *decoder(Snappy), &raw_of(&data), data.len()).unwrap(), data);
    }

    #[test]
    fn noise_is_no_trouble(src in prop::collection::vec(any::<u8>(), 0..300)) {
        typed(Snappy, inflated(&mut *decoder(Snappy), &src, 1000), 1000);
        let _ = inflated_hint(Snappy, &src);
    }
}
