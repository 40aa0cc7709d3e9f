//! The core's codecs beside the crates that are used commonly, on the batches of the codecs' benchmark.

#[path = "../../bench/src/bin/codecs/corpora.rs"]
mod corpora;

use std::io::{Read, Write};

use klamm::compress::{BuiltIn, Codec, Codecs, Full, Room, Sink};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::{Row, way};

/// Input comes in chunks of this size, as producers have it.
const CHUNK: usize = 32 * 1024;

/// Appends what it makes of a batch to a buffer.
type Work = Box<dyn FnMut(&[u8], &mut Vec<u8>)>;

/// Both directions of a codec.
struct Pair {
    who: &'static str,
    pack: Work,
    inflate: Work,
}

/// A codec of ours and its peer, and the largest part of the peer's time that ours may take to pack and to inflate.
struct Match {
    name: &'static str,
    codec: Codec,
    level: Option<i32>,
    peer: fn() -> Pair,
    most: [f64; 2],
}

const MATCHES: [Match; 5] = [
    Match { name: "zstd 1", codec: Codec::Zstd, level: Some(1), peer: zstd, most: [1.43, 1.34] },
    Match { name: "snappy", codec: Codec::Snappy, level: None, peer: snappy, most: [1.14, 1.15] },
    Match { name: "gzip 1", codec: Codec::Gzip, level: Some(1), peer: || gzip(1), most: [1.1, 1.0] },
    Match { name: "gzip 6", codec: Codec::Gzip, level: Some(6), peer: || gzip(6), most: [1.1, 1.0] },
    Match { name: "lz4", codec: Codec::Lz4, level: None, peer: lz4, most: [0.95, 1.0] },
];

/// A row for each codec, kind of record and direction.
pub(crate) fn rows() -> Vec<Row<'static>> {
    let corpora = corpora::all();
    MATCHES.iter().flat_map(|one| corpora.iter().flat_map(|(kind, data)| one.rows(kind, data))).collect()
}

impl Match {
    fn rows(&self, kind: &str, data: &[u8]) -> [Row<'static>; 2] {
        let row = |verb: &str, most: f64, ways| Row {
            what: format!("{verb} {} {kind}", self.name),
            most,
            allocates: true,
            ways,
        };
        let mut pairs = [own(self.codec, self.level), (self.peer)()];
        let packed = pairs.each_mut().map(|pair| {
            let mut packed = Vec::new();
            (pair.pack)(data, &mut packed);
            packed
        });
        let lens = packed.each_ref().map(Vec::len);
        assert!(
            lens[0] * 100 <= lens[1] * 103,
            "{} of {kind}: {} bytes, the peer's have {}",
            self.name,
            lens[0],
            lens[1]
        );
        // Both inflate what the peer packed, so that it is the same work.
        let [_, packed] = packed;
        let (mut packs, mut inflates) = (Vec::new(), Vec::new());
        for Pair { who, mut pack, mut inflate } in pairs {
            let (data, source, len) = (data.to_vec(), packed.clone(), data.len() as u64);
            let (mut to, mut out) = (Vec::with_capacity(2 * data.len()), Vec::with_capacity(2 * data.len()));
            packs.push(way(who, move || {
                to.clear();
                pack(&data, &mut to);
                len
            }));
            inflates.push(way(who, move || {
                out.clear();
                inflate(&source, &mut out);
                out.len() as u64
            }));
        }
        [row("pack", self.most[0], packs), row("inflate", self.most[1], inflates)]
    }
}

fn own(codec: Codec, level: Option<i32>) -> Pair {
    let mut encoder = BuiltIn.compressor(codec, level).expect("a level");
    let mut decoder = BuiltIn.decompressor(codec, 8 << 20).expect("a codec");
    Pair {
        who: "klamm",
        pack: Box::new(move |src, to| encoder.compress(&mut src.chunks(CHUNK), &mut Output(to)).expect("room")),
        inflate: Box::new(move |src, to| decoder.decompress(src, &mut Output(to)).expect("a batch")),
    }
}

/// A buffer that has room for everything.
struct Output<'a>(&'a mut Vec<u8>);

impl Sink for Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl Room for Output<'_> {
    fn out(&mut self) -> &mut Vec<u8> {
        self.0
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        self.0.reserve(more);
        Ok(())
    }
}

fn zstd() -> Pair {
    let mut encoder = zstd::bulk::Compressor::new(1).expect("a level");
    let mut decoder = zstd::bulk::Decompressor::new().expect("memory");
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        to.resize(zstd::zstd_safe::compress_bound(src.len()), 0);
        let len = encoder.compress_to_buffer(src, &mut to[..]).expect("room");
        to.truncate(len);
    };
    let inflate = move |src: &[u8], to: &mut Vec<u8>| {
        decoder.decompress_to_buffer(src, to).expect("a frame");
    };
    Pair { who: "zstd", pack: Box::new(pack), inflate: Box::new(inflate) }
}

/// What snappy-java's streams begin with.
const XERIAL: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// In snappy-java's framing, which the crate does not have.
fn snappy() -> Pair {
    let (mut encoder, mut decoder) = (snap::raw::Encoder::new(), snap::raw::Decoder::new());
    let mut packed = Vec::new();
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        packed.resize(snap::raw::max_compress_len(CHUNK), 0);
        to.extend_from_slice(&XERIAL);
        for block in src.chunks(CHUNK) {
            let len = encoder.compress(block, &mut packed).expect("room");
            to.extend_from_slice(&(len as u32).to_be_bytes());
            to.extend_from_slice(&packed[..len]);
        }
    };
    let inflate = move |src: &[u8], to: &mut Vec<u8>| {
        let mut src = &src[XERIAL.len()..];
        while let Some((len, rest)) = src.split_first_chunk::<4>() {
            let (block, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            let at = to.len();
            to.resize(at + snap::raw::decompress_len(block).expect("a block"), 0);
            decoder.decompress(block, &mut to[at..]).expect("a block");
            src = rest;
        }
    };
    Pair { who: "snap", pack: Box::new(pack), inflate: Box::new(inflate) }
}

fn gzip(level: u32) -> Pair {
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::new(level));
        encoder.write_all(src).expect("to memory");
        encoder.finish().expect("to memory");
    };
    let inflate = |src: &[u8], to: &mut Vec<u8>| {
        flate2::bufread::MultiGzDecoder::new(src).read_to_end(to).expect("members");
    };
    Pair { who: "flate2", pack: Box::new(pack), inflate: Box::new(inflate) }
}

fn lz4() -> Pair {
    let info = || FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let pack = move |src: &[u8], to: &mut Vec<u8>| {
        let mut encoder = FrameEncoder::with_frame_info(info(), to);
        encoder.write_all(src).expect("to memory");
        encoder.finish().expect("to memory");
    };
    let inflate = |src: &[u8], to: &mut Vec<u8>| {
        FrameDecoder::new(src).read_to_end(to).expect("a frame");
    };
    Pair { who: "lz4_flex", pack: Box::new(pack), inflate: Box::new(inflate) }
}
