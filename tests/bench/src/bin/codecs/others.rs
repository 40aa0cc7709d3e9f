//! Other implementations of the codecs, as they are used commonly.

use std::io::{Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::{Subject, Work};

fn subject(name: &str, level: &str, pack: Work, inflate: Work) -> Subject {
    Subject { name: name.into(), level: level.into(), pack, inflate }
}

pub(crate) fn all() -> Vec<Subject> {
    let mut all = vec![lz4(), snappy(), gzip(1), gzip(6)];
    all.extend([1, 3, 9].map(zstd));
    all
}

fn lz4() -> Subject {
    let info = || FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        let mut encoder = FrameEncoder::with_frame_info(info(), to);
        encoder.write_all(src).expect("to memory");
        encoder.finish().expect("to memory");
    };
    let inflate = |src: &[u8], to: &mut Vec<u8>| {
        FrameDecoder::new(src).read_to_end(to).expect("a frame");
    };
    subject("lz4_flex (frames)", "fast", Box::new(pack), Box::new(inflate))
}

/// Blocks of 32 KiB, as they are in snappy-java's framing.
fn snappy() -> Subject {
    let (mut encoder, mut decoder) = (snap::raw::Encoder::new(), snap::raw::Decoder::new());
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        for block in src.chunks(32 * 1024) {
            let at = to.len();
            to.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
            let len = encoder.compress(block, &mut to[at + 4..]).expect("room");
            to[at..at + 4].copy_from_slice(&(len as u32).to_le_bytes());
            to.truncate(at + 4 + len);
        }
    };
    let inflate = move |mut src: &[u8], to: &mut Vec<u8>| {
        while let Some((len, rest)) = src.split_first_chunk::<4>() {
            let (block, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
            let at = to.len();
            to.resize(at + snap::raw::decompress_len(block).expect("a block"), 0);
            decoder.decompress(block, &mut to[at..]).expect("a block");
            src = rest;
        }
    };
    subject("snap (blocks of 32 KiB)", "", Box::new(pack), Box::new(inflate))
}

fn gzip(level: u32) -> Subject {
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::new(level));
        encoder.write_all(src).expect("to memory");
        encoder.finish().expect("to memory");
    };
    let inflate = |src: &[u8], to: &mut Vec<u8>| {
        flate2::read::MultiGzDecoder::new(src).read_to_end(to).expect("members");
    };
    subject("flate2 with zlib-rs", &level.to_string(), Box::new(pack), Box::new(inflate))
}

fn zstd(level: i32) -> Subject {
    let mut encoder = zstd::bulk::Compressor::new(level).expect("a level");
    let mut decoder = zstd::bulk::Decompressor::new().expect("memory");
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        to.resize(zstd::zstd_safe::compress_bound(src.len()), 0);
        let len = encoder.compress_to_buffer(src, &mut to[..]).expect("room");
        to.truncate(len);
    };
    let inflate = move |src: &[u8], to: &mut Vec<u8>| {
        to.resize(to.capacity(), 0);
        let len = decoder.decompress_to_buffer(src, &mut to[..]).expect("a frame");
        to.truncate(len);
    };
    subject("the zstd library", &level.to_string(), Box::new(pack), Box::new(inflate))
}
