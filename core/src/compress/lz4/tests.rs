use std::io::{Read, Write};
use std::{vec, vec::Vec};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::super::testing::*;
use super::super::{Codec::Lz4, CodecError, inflated_hint};
use super::*;

const LEVELS: [Option<i32>; 5] = [None, Some(2), Some(3), Some(9), Some(17)];

fn flex(data: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Trap 37: frames that lz4_flex reads, and begins as Java begins them.
#[test]
fn frames_are_read_by_lz4_flex() {
    for level in LEVELS {
        let mut ours = encoder(Lz4, level);
        for data in kinds() {
            for piece in [1000, 50_000, usize::MAX] {
                let packed = packed(&mut *ours, &data, piece);
                assert!(packed.starts_with(&HEADER) && packed.ends_with(&[0; 4]));
                let mut inflated = Vec::new();
                FrameDecoder::new(&packed[..]).read_to_end(&mut inflated).expect("a frame");
                assert_eq!(inflated, data);
            }
        }
    }
}

/// Trap 37: linked and independent blocks of all sizes, with and without sizes and checksums, one frame or several.
#[test]
fn every_kind_of_frame_is_read() {
    let mut ours = decoder(Lz4);
    for data in kinds() {
        for mode in [BlockMode::Linked, BlockMode::Independent] {
            for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
                for sums in [false, true] {
                    let content = sums.then_some(data.len() as u64);
                    let info = FrameInfo::new().block_mode(mode).block_size(size).content_size(content);
                    let frame = flex(&data, info.block_checksums(sums).content_checksum(sums));
                    assert_eq!(inflated(&mut *ours, &frame, data.len()).unwrap(), data, "{mode:?} {size:?} {sums}");
                    let hint = inflated_hint(Lz4, &frame).unwrap();
                    assert!(hint >= data.len() && (!sums || hint == data.len()));
                }
            }
        }
    }
}

#[test]
fn frames_follow_each_other() {
    let (a, b) = (flex(b"one", FrameInfo::new()), packed(&mut *encoder(Lz4, None), b"two", 2));
    let skipped = [&(SKIPPED + 7).to_le_bytes()[..], &3u32.to_le_bytes(), b"xyz"].concat();
    let all = [&a[..], &skipped, &b, &skipped].concat();
    assert_eq!(inflated(&mut *decoder(Lz4), &all, 6).unwrap(), b"onetwo");
    assert_eq!(inflated(&mut *decoder(Lz4), &[&a[..], b"x"].concat(), 6), Err(CORRUPT));
    assert_eq!(inflated(&mut *decoder(Lz4), &[], 6), Err(CORRUPT));
}

/// High compression is worth its name, and each of its levels is at least as good as the one before.
#[test]
fn levels_differ() {
    for data in kinds().into_iter().filter(|data| data.len() > 1000) {
        let size = |level| packed(&mut *encoder(Lz4, Some(level)), &data, usize::MAX).len();
        let sizes: Vec<usize> = [1, 3, 6, 9, 12].map(size).to_vec();
        assert!(sizes.windows(2).all(|pair| pair[1] <= pair[0] + pair[0] / 200), "{sizes:?}");
    }
    let json = &kinds()[18];
    let size = |level| packed(&mut *encoder(Lz4, Some(level)), json, usize::MAX).len();
    assert!(size(9) * 100 < size(1) * 92, "{} {}", size(9), size(1));
    assert!(matches!(compressor(Some(0)), Err(CodecError::Level { codec: Lz4, level: 0, least: 1, most: 17 })));
    assert!(compressor(Some(18)).is_err());
}

/// What a header must not say, and checksums that are wrong.
#[test]
fn bad_headers_and_checksums() {
    let good = packed(&mut *encoder(Lz4, None), b"hello hello hello hello hello", 100);
    let header = |flags: u8, sizes: u8| {
        let sum = (XxHash32::oneshot(0, &[flags, sizes]) >> 8) as u8;
        [&good[..4], &[flags, sizes, sum], &good[7..]].concat()
    };
    assert!(inflated(&mut *decoder(Lz4), &header(0x60, 0x40), 100).is_ok());
    for bad in [header(0xa0, 0x40), header(0x62, 0x40), header(0x60, 0x30), header(0x60, 0x41), header(0x60, 0xc0)] {
        assert_eq!(inflated(&mut *decoder(Lz4), &bad, 100), Err(CORRUPT));
    }
    // A dictionary that nobody can name.
    let named = [
        &good[..4],
        &[0x61, 0x40, 1, 0, 0, 0],
        &[(XxHash32::oneshot(0, &[0x61, 0x40, 1, 0, 0, 0]) >> 8) as u8],
        &good[7..],
    ];
    assert_eq!(inflated(&mut *decoder(Lz4), &named.concat(), 100), Err(CORRUPT));
    // Trap 37: the checksum of old clients covered the magic number too; no batch of format 2 has it.
    let old = (XxHash32::oneshot(0, &good[..6]) >> 8) as u8;
    let old = [&good[..6], &[old], &good[7..]].concat();
    assert_eq!(inflated(&mut *decoder(Lz4), &old, 100), Err(CORRUPT));

    let sums = flex(b"hello", FrameInfo::new().block_checksums(true).content_checksum(true));
    for at in [sums.len() - 1, sums.len() - 9] {
        let mut bad = sums.clone();
        bad[at] ^= 1;
        assert_eq!(inflated(&mut *decoder(Lz4), &bad, 100), Err(CORRUPT));
    }
}

/// Trap 40: sizes that lie cost nothing, and a bomb ends at the limit.
#[test]
fn sizes_that_lie() {
    for claimed in [4, 6, u64::MAX] {
        let mut lie = [&MAGIC.to_le_bytes()[..], &[0x68, 0x70], &claimed.to_le_bytes()].concat();
        lie.push((XxHash32::oneshot(0, &lie[4..]) >> 8) as u8);
        lie.extend_from_slice(&[6, 0, 0, 0, 0x50, b'h', b'e', b'l', b'l', b'o', 0, 0, 0, 0]);
        let mut room = Limited::new(usize::MAX);
        assert_eq!(decoder(Lz4).decompress(&lie, &mut room), Err(CORRUPT));
        assert!(room.granted() <= 6 * MOST_RATIO);
        assert!(inflated_hint(Lz4, &lie).unwrap() <= 6 * MOST_RATIO);
    }
    for size in [BlockSize::Max64KB, BlockSize::Max4MB] {
        let bomb = flex(&vec![0; 1 << 20], FrameInfo::new().block_size(size));
        let full = CodecError::LimitExceeded { codec: Lz4, limit: 100_000 };
        assert_eq!(inflated(&mut *decoder(Lz4), &bomb, 100_000), Err(full));
        assert!(inflated(&mut *decoder(Lz4), &bomb, 1 << 20).is_ok(), "exactly at the limit");
    }
}

#[test]
fn an_output_that_is_full() {
    let data = &kinds()[20];
    for limit in [3, 7, 5000] {
        let mut sink = Bounded { bytes: Vec::new(), limit };
        let full = CodecError::LimitExceeded { codec: Lz4, limit };
        assert_eq!(encoder(Lz4, None).compress(&mut [&data[..]].into_iter(), &mut sink), Err(full));
    }
}

#[test]
fn damage_is_told() {
    let json = &kinds()[18][..600];
    survives_damage(Lz4, &packed(&mut *encoder(Lz4, Some(9)), json, 100), 4096);
    let linked = FrameInfo::new().block_mode(BlockMode::Linked).content_size(Some(600)).content_checksum(true);
    survives_damage(Lz4, &flex(json, linked), 4096);
}

proptest! {
    #[test]
    fn there_and_back(data in repetitive(), piece in 1usize..3000, level in 1i32..=17) {
        let packed = packed(&mut *encoder(Lz4, Some(level)), &data, piece);
        prop_assert_eq!(inflated(&mut *decoder(Lz4), &packed, data.len()).unwrap(), data);
    }

    #[test]
    fn noise_is_no_trouble(noise in prop::collection::vec(any::<u8>(), 1..300)) {
        let block = [&HEADER[..], &(noise.len() as u32).to_le_bytes(), &noise, &[0; 4]].concat();
        for src in [noise, block] {
            typed(Lz4, inflated(&mut *decoder(Lz4), &src, 1000), 1000);
            let _ = inflated_hint(Lz4, &src);
        }
    }
}
