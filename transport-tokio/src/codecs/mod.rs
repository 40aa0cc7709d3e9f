//! Codecs that a server can have in the place of the core's.

use klamm::compress::{BuiltIn, Codec, CodecError, Codecs, Compress, Decompress};

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(all(test, feature = "gzip"))]
mod tests;
#[cfg(feature = "zstd-native")]
mod zstd;

/// The codecs of this build, with faster ones in some places: zlib-rs for gzip, and under the feature `zstd-native` the
/// zstd library, whose levels go to 22.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FastCodecs;

impl Codecs for FastCodecs {
    fn compressor(&self, codec: Codec, level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
        match codec {
            #[cfg(feature = "gzip")]
            Codec::Gzip => gzip::compressor(level),
            #[cfg(feature = "zstd-native")]
            Codec::Zstd => zstd::compressor(level),
            codec => BuiltIn.compressor(codec, level),
        }
    }

    fn decompressor(&self, codec: Codec, window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
        match codec {
            #[cfg(feature = "gzip")]
            Codec::Gzip => Ok(gzip::decompressor()),
            #[cfg(feature = "zstd-native")]
            Codec::Zstd => zstd::decompressor(),
            codec => BuiltIn.decompressor(codec, window_max),
        }
    }
}
