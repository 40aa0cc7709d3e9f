use std::io::{Read, Write};
use std::{vec, vec::Vec};

use flate2::{Compression, GzBuilder, read::MultiGzDecoder, write::GzEncoder};
use proptest::prelude::*;

use super::super::testing::*;
use super::super::{Codec::Gzip, CodecError, inflated_hint};
use super::*;

fn flate(data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Trap 38: every level, from level 0, which stores, to 9, is read by flate2.
#[test]
fn members_are_read_by_flate2() {
    for level in [None, Some(-1), Some(0), Some(1), Some(6), Some(9)] {
        let mut ours = encoder(Gzip, level);
        for data in kinds() {
            for piece in [1000, usize::MAX] {
                let packed = packed(&mut *ours, &data, piece);
                let mut inflated = Vec::new();
                MultiGzDecoder::new(&packed[..]).read_to_end(&mut inflated).expect("members");
                assert_eq!(inflated, data, "level {level:?}");
            }
        }
    }
    assert_eq!(compressor(Some(10)).err(), Some(CodecError::Level { codec: Gzip, level: 10, least: -1, most: 9 }));
}

/// Trap 38: several members, of every level.
#[test]
fn members_follow_each_other() {
    let mut ours = decoder(Gzip);
    for data in kinds() {
        let all = [0, 1, 6, 9].map(|level| flate(&data, level)).concat();
        assert_eq!(inflated(&mut *ours, &all, data.len() * 4).unwrap(), data.repeat(4));
        assert_eq!(inflated_hint(Gzip, &all), Some(data.len()));
        let garbage = [&all[..], &[0]].concat();
        assert_eq!(inflated(&mut *ours, &garbage, data.len() * 4), Err(CORRUPT));
    }
    assert_eq!(inflated(&mut *ours, &[], 10), Err(CORRUPT));
}

/// Everything that a header may hold is passed over, and its checksum looked at.
#[test]
fn optional_fields() {
    let builder = GzBuilder::new().extra(&b"extra"[..]).filename("a name").comment("a comment").mtime(7);
    let mut encoder = builder.write(Vec::new(), Compression::new(6));
    encoder.write_all(b"hello").unwrap();
    let all = encoder.finish().unwrap();
    assert_eq!(inflated(&mut *decoder(Gzip), &all, 5).unwrap(), b"hello");

    let plain = flate(b"hello", 6);
    let mut summed = plain[..10].to_vec();
    summed[3] = FHCRC;
    let sum = crc32fast::hash(&summed) as u16;
    summed.extend_from_slice(&sum.to_le_bytes());
    summed.extend_from_slice(&plain[10..]);
    assert_eq!(inflated(&mut *decoder(Gzip), &summed, 5).unwrap(), b"hello");
    summed[10] ^= 1;
    assert_eq!(inflated(&mut *decoder(Gzip), &summed, 5), Err(CORRUPT));
    for (at, value) in [(0, 0), (2, 7), (3, 0x20)] {
        let mut bad = plain.clone();
        bad[at] = value;
        assert_eq!(inflated(&mut *decoder(Gzip), &bad, 5), Err(CORRUPT));
    }
}

#[test]
fn checksum_and_size_are_looked_at() {
    let good = flate(&kinds()[20], 6);
    for at in 1..=8 {
        let mut bad = good.clone();
        let at = bad.len() - at;
        bad[at] ^= 0x10;
        assert_eq!(inflated(&mut *decoder(Gzip), &bad, 1 << 20), Err(CORRUPT));
    }
}

/// Trap 40: a size that lies is believed within reason only, and a bomb ends at the limit.
#[test]
fn sizes_that_lie() {
    let mut lie = flate(&kinds()[20][..5000], 6);
    let at = lie.len() - 4;
    lie[at..].copy_from_slice(&[0xff; 4]);
    let mut room = Limited::new(usize::MAX);
    assert_eq!(decoder(Gzip).decompress(&lie, &mut room), Err(CORRUPT));
    assert!(room.granted() <= lie.len() * BELIEVED_RATIO);
    assert!(inflated_hint(Gzip, &lie).unwrap() <= lie.len() * MOST_RATIO);

    let bomb = flate(&vec![0; 1 << 20], 9);
    let full = CodecError::LimitExceeded { codec: Gzip, limit: 100_000 };
    assert_eq!(inflated(&mut *decoder(Gzip), &bomb, 100_000), Err(full));
    assert!(inflated(&mut *decoder(Gzip), &bomb, 1 << 20).is_ok(), "exactly at the limit");
}

#[test]
fn an_output_that_is_full() {
    let mut ours = encoder(Gzip, None);
    for limit in [3, 14, 5000] {
        let mut sink = Bounded { bytes: Vec::new(), limit };
        let full = CodecError::LimitExceeded { codec: Gzip, limit };
        assert_eq!(ours.compress(&mut [&kinds()[20][..]].into_iter(), &mut sink), Err(full));
    }
    // And it works again.
    let packed = packed(&mut *ours, b"hello", 2);
    assert_eq!(inflated(&mut *decoder(Gzip), &packed, 5).unwrap(), b"hello");
}

#[test]
fn damage_is_told() {
    let json = &kinds()[18][..600];
    survives_damage(Gzip, &flate(json, 6), 4096);
    survives_damage(Gzip, &packed(&mut *encoder(Gzip, None), json, 100), 4096);
}

proptest! {
    #[test]
    fn there_and_back(data in repetitive(), piece in 1usize..3000, level in -1i32..=9) {
        let packed = packed(&mut *encoder(Gzip, Some(level)), &data, piece);
        prop_assert_eq!(inflated(&mut *decoder(Gzip), &packed, data.len()).unwrap(), data);
    }

    #[test]
    fn noise_is_no_trouble(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let member = [&HEADER[..], &noise].concat();
        for src in [noise, member] {
            typed(Gzip, inflated(&mut *decoder(Gzip), &src, 1000), 1000);
            let _ = inflated_hint(Gzip, &src);
        }
    }
}
