//! Compression: what a codec must do, and the codecs of this build. A batch's records are compressed as one block; its
//! header stays plain.
//!
//! Every codec is a feature, works without std, and has neither C nor unsafe code here or in the crates that it stands on
//! (`crc32fast`, `miniz_oxide`, `lz4_flex`, `twox-hash`, `zrip`: the first, and `fearless_simd` below the last, have some
//! for the CPU's instructions, under std only). Measured on batches of 1 MiB, JSON / log lines / Protobuf, on two shared
//! cores with `cargo run --release -p klamm-bench --bin codecs`, where each is beside other implementations:
//!
//! | codec | levels | usual | ratio | MiB/s to compress | MiB/s to inflate |
//! |---|---|---|---|---|---|
//! | lz4 | 1 and 2 fast, 3 to 17 high | 1 | 3.9 / 2.6 / 1.4 | 1020 / 820 / 610 | 3300 / 3100 / 3500 |
//! | lz4, level 9 | | | 4.8 / 3.1 / 1.8 | 46 / 36 / 24 | 3400 / 2500 / 3100 |
//! | snappy | none | | 3.6 / 2.5 / 1.5 | 1030 / 730 / 560 | 2700 / 2000 / 1430 |
//! | gzip, level 1 | −1, 0 to 9 | 6 | 5.1 / 3.6 / 1.8 | 380 / 270 / 160 | 720 / 500 / 360 |
//! | gzip, level 6 | | | 7.0 / 4.4 / 2.1 | 48 / 37 / 17 | 1010 / 660 / 490 |
//! | zstd | −7 to 4 | 1 | 6.5 / 4.3 / 1.7 | 590 / 460 / 320 | 1800 / 1570 / 1000 |
//!
//! On servers `klamm-tokio`'s `FastCodecs` has zlib-rs for gzip (590 / 400 / 250 and 1460 / 1030 / 740 at level 1,
//! 114 / 112 / 53 at level 6), and under a feature the zstd library, with levels up to 22.
//!
//! `tests/peers` holds each to a part of a peer's time on the same batches: zstd at level 1 to 1.43 of the zstd library's to
//! compress and 1.34 to inflate, snappy to 1.15 of `snap`'s, gzip to 1.1 of `flate2`'s with `miniz_oxide`, lz4 to that of
//! `lz4_flex`'s frames.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::used::Used;

mod claim;
#[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
mod common;
#[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4"))]
mod counted;
#[cfg(any(feature = "snappy", feature = "lz4", feature = "zstd"))]
mod gather;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(all(test, any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")))]
mod testing;
#[cfg(any(feature = "snappy", feature = "lz4"))]
mod words;
#[cfg(feature = "zstd")]
mod zstd;

pub use claim::{Claim, claim};

/// Whether any client may have codecs that are not of this build.
pub(crate) static FOREIGN: Used = Used::not_yet();

/// Whether there may be any codec at all.
pub(crate) fn any() -> bool {
    cfg!(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")) || FOREIGN.may_be()
}

/// How a batch's records are compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952, possibly of several members.
    Gzip,
    /// Raw blocks, or Java's framing of them (xerial).
    Snappy,
    /// The LZ4 frame format (KIP-57).
    Lz4,
    /// Zstandard frames (KIP-110): Produce 7 and Fetch 10 at least.
    Zstd,
}

impl Codec {
    /// The number that stands in a batch's attributes.
    pub const fn id(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// The codec of a batch's attributes.
    ///
    /// # Errors
    /// [`CodecError::UnknownId`] for a number that Kafka 4.3 gives to no codec.
    pub const fn from_id(id: u8) -> Result<Codec, CodecError> {
        Ok(match id {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            id => return Err(CodecError::UnknownId(id)),
        })
    }

    /// The name, as in the property `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }

    /// The codec of a name, as in the property `compression.type`.
    pub fn from_name(name: &str) -> Option<Codec> {
        [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd].into_iter().find(|c| c.name() == name)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where inflated records go: one contiguous buffer that grows by permission only, because the sizes that compressed data
/// claims are a stranger's words.
pub trait Room {
    /// What was written so far. Never grown past its capacity: [`want`](Room::want) comes first.
    fn out(&mut self) -> &mut Vec<u8>;

    /// Makes room for `more` bytes behind what was written; what was written may move.
    ///
    /// # Errors
    /// [`Full`]: the budget, or a limit of the caller's, allows no more.
    fn want(&mut self, more: usize) -> Result<(), Full>;
}

/// Where compressed records go, piece by piece.
pub trait Sink {
    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// [`Full`]: the output would be larger than it may be.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full>;
}

/// An output may not grow any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full {
    /// What it is limited to, in bytes.
    pub limit: usize,
}

/// Inflates batches, one after another; keeps its working memory in between.
pub trait Decompress: Send {
    /// Which codec's format it reads.
    fn codec(&self) -> Codec;

    /// The most working memory that it ever holds besides the output, in bytes: a line in the memory plan.
    fn memory(&self) -> usize;

    /// Appends what `src`, one batch's records, holds to `out`. Room is taken as output appears.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] or [`CodecError::LimitExceeded`]. What was appended until then is of no use.
    fn decompress(&mut self, src: &[u8], out: &mut dyn Room) -> Result<(), CodecError>;
}

/// Compresses batches, one after another; keeps its working memory in between.
pub trait Compress: Send {
    /// Which codec's format it writes.
    fn codec(&self) -> Codec;

    /// The most working memory that it ever holds for batches of at most `batch_bytes`, besides the output, in bytes: a
    /// line in the memory plan.
    fn memory(&self, batch_bytes: usize) -> usize;

    /// Puts the pieces of `src`, compressed as one whole, into `out`. A batch that would grow goes out plain, so `out` is
    /// commonly limited to the size of the input.
    ///
    /// # Errors
    /// [`CodecError::LimitExceeded`]. What was put until then is of no use.
    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError>;
}

/// Makes codecs: those of this build ([`BuiltIn`]), or a transport's own in their place.
pub trait Codecs: Send + Sync {
    /// A compressor at a level of the codec's own scale; `None`: the codec's usual one.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] or [`CodecError::Level`].
    fn compressor(&self, codec: Codec, level: Option<i32>) -> Result<Box<dyn Compress>, CodecError>;

    /// A decompressor. Formats that have a window may use one of at most `window_max` bytes.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`].
    fn decompressor(&self, codec: Codec, window_max: usize) -> Result<Box<dyn Decompress>, CodecError>;
}

/// The codecs of this build: each has its feature, none needs C.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BuiltIn;

impl Codecs for BuiltIn {
    fn compressor(&self, codec: Codec, level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
        (format(codec)?.compressor)(level)
    }

    fn decompressor(&self, codec: Codec, window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
        Ok((format(codec)?.decompressor)(window_max))
    }
}

/// How much `src` inflates to, as far as its headers say it cheaply: for the first lease of room. It may be more or less in
/// truth, because it is a stranger's word; it is never more than the codec could make of so many bytes. `None` where
/// nothing is said, or by a codec that is not part of this build.
pub fn inflated_hint(codec: Codec, src: &[u8]) -> Option<usize> {
    (format(codec).ok()?.hint)(src)
}

type MakeCompressor = fn(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError>;

/// What a codec of this build brings.
struct Format {
    compressor: MakeCompressor,
    decompressor: fn(window_max: usize) -> Box<dyn Decompress>,
    hint: fn(&[u8]) -> Option<usize>,
}

const fn format(codec: Codec) -> Result<Format, CodecError> {
    match codec {
        #[cfg(feature = "gzip")]
        Codec::Gzip => Ok(gzip::FORMAT),
        #[cfg(feature = "snappy")]
        Codec::Snappy => Ok(snappy::FORMAT),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => Ok(lz4::FORMAT),
        #[cfg(feature = "zstd")]
        Codec::Zstd => Ok(zstd::FORMAT),
        codec => Err(CodecError::Unsupported(codec)),
    }
}

/// Why a batch's records could not be compressed or inflated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A number in a batch's attributes that belongs to no codec.
    #[error("unknown compression codec {0}")]
    UnknownId(u8),
    /// A codec that this build does not have.
    #[error("the codec {0} is not part of this build: switch its feature on")]
    Unsupported(Codec),
    /// The data is not what the codec writes.
    #[error("corrupt {0} data")]
    Corrupt(Codec),
    /// A window that a frame asks for and that is larger than it may be.
    #[error("{codec} data asks for a window of {window} bytes, more than {window_max}")]
    Window {
        /// The codec.
        codec: Codec,
        /// The window, in bytes.
        window: u64,
        /// The largest that was allowed, in bytes.
        window_max: usize,
    },
    /// A level that the codec does not have.
    #[error("{codec} has no level {level}: {least} to {most}")]
    Level {
        /// The codec.
        codec: Codec,
        /// What was asked for.
        level: i32,
        /// The codec's first level.
        least: i32,
        /// The codec's last level.
        most: i32,
    },
    /// The output would have more than `limit` bytes.
    #[error("{codec} output exceeds the limit of {limit} bytes")]
    LimitExceeded {
        /// The codec.
        codec: Codec,
        /// The limit, in bytes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn ids_and_names_are_kafkas() {
        for (id, name) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
            let codec = Codec::from_id(id as u8).unwrap();
            assert_eq!(usize::from(codec.id()), id);
            assert_eq!(codec.to_string(), name);
            assert_eq!(Codec::from_name(name), Some(codec));
        }
        assert_eq!(Codec::from_id(5), Err(CodecError::UnknownId(5)));
        assert_eq!(Codec::from_name("LZ4"), None);
        assert!(CodecError::Unsupported(Codec::Zstd).to_string().contains("zstd"));
    }

    #[test]
    fn codecs_are_there_by_features() {
        let features = [
            (Codec::None, false),
            (Codec::Gzip, cfg!(feature = "gzip")),
            (Codec::Snappy, cfg!(feature = "snappy")),
            (Codec::Lz4, cfg!(feature = "lz4")),
            (Codec::Zstd, cfg!(feature = "zstd")),
        ];
        for (codec, there) in features {
            let (encoder, decoder) = (BuiltIn.compressor(codec, None), BuiltIn.decompressor(codec, 1 << 20));
            match (encoder, decoder) {
                (Ok(encoder), Ok(decoder)) => assert!(there && encoder.codec() == codec && decoder.codec() == codec),
                (encoder, decoder) => {
                    let none = Some(CodecError::Unsupported(codec));
                    assert!(!there && encoder.err() == none && decoder.err() == none);
                }
            }
        }
    }

    /// Jobs carry codecs into other threads.
    #[test]
    fn codecs_are_boxed_and_sent() {
        fn sent<T: Send + ?Sized>() {}
        sent::<dyn Compress>();
        sent::<dyn Decompress>();
    }
}
