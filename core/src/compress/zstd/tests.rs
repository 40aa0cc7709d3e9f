use std::io::{Read, Write};
use std::{vec, vec::Vec};

use ::zstd as native;
use proptest::prelude::*;

use super::super::testing::*;
use super::super::{BuiltIn, Codec::Zstd, CodecError, Codecs, inflated_hint};
use super::*;

const LEVELS: [i32; 12] = [-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4];

/// Frames as Java's producers make them: in a stream, so that they do not know their size.
fn streamed(data: &[u8], level: i32) -> Vec<u8> {
    let mut encoder = native::Encoder::new(Vec::new(), level).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn sized(data: &[u8], level: i32, checksum: bool) -> Vec<u8> {
    let mut encoder = native::bulk::Compressor::new(level).unwrap();
    encoder.include_checksum(checksum).unwrap();
    encoder.compress(data).unwrap()
}

/// Trap 39: every level that there is, read by the C library and by ruzstd.
#[test]
fn frames_are_read_by_others() {
    for level in LEVELS {
        let mut ours = encoder(Zstd, Some(level));
        for data in kinds() {
            let packed = packed(&mut *ours, &data, 5000);
            assert_eq!(native::decode_all(&packed[..]).expect("a frame"), data);
            let mut second = Vec::new();
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(&packed[..]).expect("a frame");
            decoder.read_to_end(&mut second).expect("a frame");
            assert_eq!(second, data);
        }
    }
    let none = CodecError::Level { codec: Zstd, level: 5, least: -7, most: 4 };
    assert_eq!(compressor(Some(5)).err(), Some(none));
}

/// Trap 39: Java's levels, with and without content sizes and checksums.
#[test]
fn frames_of_every_level_are_read() {
    let mut ours = decoder(Zstd);
    for data in kinds() {
        for level in [-50, -7, -1, 1, 2, 3, 5, 9, 15, 19] {
            for frame in [streamed(&data, level), sized(&data, level, true), sized(&data, level, false)] {
                let room = data.len() + SLACK;
                assert!(inflated(&mut *ours, &frame, room).as_ref() == Ok(&data), "level {level}, {room}");
                assert!(inflated_hint(Zstd, &frame).unwrap() >= data.len());
            }
            assert_eq!(inflated_hint(Zstd, &sized(&data, level, true)), Some(data.len() + SLACK));
        }
        let other = ruzstd::encoding::compress_to_vec(&data[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(inflated(&mut *ours, &other, data.len() + SLACK).unwrap(), data);
    }
}

/// Trap 39: several frames, and some to be skipped.
#[test]
fn frames_follow_each_other() {
    let skipped = [&0x184d_2a5fu32.to_le_bytes()[..], &3u32.to_le_bytes(), b"xyz"].concat();
    let all = [&streamed(b"one", 3)[..], &skipped, &sized(b"two", 1, true), &skipped].concat();
    assert_eq!(inflated(&mut *decoder(Zstd), &all, 6 + SLACK).unwrap(), b"onetwo");
    assert_eq!(inflated(&mut *decoder(Zstd), &[&all[..], b"x"].concat(), 100), Err(CORRUPT));
    assert_eq!(inflated(&mut *decoder(Zstd), &[], 100), Err(CORRUPT));
}

/// Trap 39: windows are limited, except where the content is the window.
#[test]
fn large_windows() {
    let data = &kinds()[18];
    let mut encoder = native::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(data).unwrap();
    let frame = encoder.finish().unwrap();
    let window = CodecError::Window { codec: Zstd, window: 1 << 27, window_max: 8 << 20 };
    assert_eq!(inflated(&mut *decoder(Zstd), &frame, 1 << 20), Err(window));
    let mut wide = BuiltIn.decompressor(Zstd, 1 << 27).unwrap();
    assert_eq!(inflated(&mut *wide, &frame, 1 << 20).unwrap(), *data);
    // A frame of one segment has no window of its own.
    let mut none = BuiltIn.decompressor(Zstd, 1000).unwrap();
    assert_eq!(inflated(&mut *none, &sized(data, 3, false), 1 << 20).unwrap(), *data);
    // What nobody has: 3.75 TiB.
    let mut huge = frame.clone();
    huge[5] = 0xff;
    let refused = inflated(&mut *BuiltIn.decompressor(Zstd, usize::MAX).unwrap(), &huge, 1 << 20);
    assert!(matches!(refused, Err(CodecError::Window { window: 4_123_168_604_160, .. })), "{refused:?}");
}

#[test]
fn dictionaries_are_told() {
    let dictionary = &kinds()[18][..20_000];
    let mut encoder = native::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
    let mut frame = encoder.compress(&kinds()[18]).unwrap();
    // A raw dictionary has no number; its matches lead before the beginning.
    assert_eq!(inflated(&mut *decoder(Zstd), &frame, 1 << 20), Err(CORRUPT));
    frame[4] |= 1;
    frame.insert(5, 7);
    assert_eq!(inflated(&mut *decoder(Zstd), &frame, 1 << 20), Err(CORRUPT));
}

/// Trap 40: sizes that lie cost nothing, and a bomb ends at the limit.
#[test]
fn sizes_that_lie() {
    let data = &kinds()[18][..3000];
    let good = sized(data, 3, false);
    assert_eq!(u16::from_le_bytes([good[5], good[6]]), 3000 - 256);
    for claimed in [0, 1, 2999, 3001, 60_000] {
        let mut lie = good.clone();
        lie[5..7].copy_from_slice(&(claimed as u16).to_le_bytes());
        assert_eq!(inflated(&mut *decoder(Zstd), &lie, 1 << 20), Err(CORRUPT));
    }
    // A single segment with a size of eight bytes, and one empty block.
    let empty = [&0xfd2f_b528u32.to_le_bytes()[..], &[0xe0], &[0xff; 8], &[1, 0, 0]].concat();
    let mut room = Limited::new(usize::MAX);
    assert_eq!(decoder(Zstd).decompress(&empty, &mut room), Err(CORRUPT));
    assert_eq!((room.granted(), inflated_hint(Zstd, &empty)), (0, None));

    let full = CodecError::LimitExceeded { codec: Zstd, limit: 100_000 };
    for bomb in [streamed(&vec![0; 1 << 24], 3), sized(&vec![0; 1 << 24], 3, false)] {
        assert_eq!(inflated(&mut *decoder(Zstd), &bomb, 100_000), Err(full.clone()));
        assert!(inflated(&mut *decoder(Zstd), &bomb, (1 << 24) + SLACK).is_ok(), "at the limit");
    }
}

/// A frame of unknown size gets room as it turns out to need it.
#[test]
fn frames_of_unknown_size_begin_again() {
    let data = vec![7; 1 << 24];
    let frame = streamed(&data, 3);
    assert!(frame.len() * BELIEVED_RATIO * 4 < data.len());
    assert_eq!(inflated(&mut *decoder(Zstd), &frame, usize::MAX).unwrap(), data);
}

#[test]
fn an_output_that_is_full() {
    let mut sink = Bounded { bytes: Vec::new(), limit: 5000 };
    let full = CodecError::LimitExceeded { codec: Zstd, limit: 5000 };
    assert_eq!(encoder(Zstd, None).compress(&mut [&kinds()[20][..]].into_iter(), &mut sink), Err(full));
}

#[test]
fn damage_is_told() {
    let json = &kinds()[18][..600];
    survives_damage(Zstd, &streamed(json, 3), 4096);
    survives_damage(Zstd, &sized(json, 19, true), 4096);
    survives_damage(Zstd, &packed(&mut *encoder(Zstd, None), json, 100), 4096);
}

proptest! {
    #[test]
    fn there_and_back(data in repetitive(), piece in 1usize..3000, level in -7i32..=4) {
        let packed = packed(&mut *encoder(Zstd, Some(level)), &data, piece);
        prop_assert_eq!(inflated(&mut *decoder(Zstd), &packed, data.len() + SLACK).unwrap(), data.clone());
        let streamed = streamed(&data, level);
        prop_assert_eq!(inflated(&mut *decoder(Zstd), &streamed, 1 << 20).unwrap(), data);
    }

    /// As one block of a frame, too, which is as far as noise can come.
    #[test]
    fn noise_is_no_trouble(noise in prop::collection::vec(any::<u8>(), 1..300)) {
        let header = ((noise.len() as u32) << 3 | 2 << 1 | 1).to_le_bytes();
        let block = [&0xfd2f_b528u32.to_le_bytes()[..], &[0, 0x58], &header[..3], &noise].concat();
        for src in [noise, block] {
            typed(Zstd, inflated(&mut *decoder(Zstd), &src, 300_000), 300_000);
            let _ = inflated_hint(Zstd, &src);
        }
    }
}
