//! What all codecs share: taking pieces off, levels, errors.

use super::{Codec, CodecError, Full, Sink};

/// The next `N` bytes of `src`, taken off; `None` if there are fewer.
pub(super) fn take<const N: usize>(src: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = src.split_first_chunk::<N>()?;
    *src = rest;
    Some(*first)
}

/// The next `count` bytes of `src`, taken off; `None` if there are fewer.
pub(super) fn take_slice<'a>(src: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (first, rest) = src.split_at_checked(count)?;
    *src = rest;
    Some(first)
}

/// The level that was asked for, or the usual one.
pub(super) fn level_in(codec: Codec, level: Option<i32>, least: i32, most: i32, usual: i32) -> Result<i32, CodecError> {
    match level {
        None => Ok(usual),
        Some(level) if (least..=most).contains(&level) => Ok(level),
        Some(level) => Err(CodecError::Level { codec, level, least, most }),
    }
}

/// An output that was full.
pub(super) fn exceeded(codec: Codec) -> impl Fn(Full) -> CodecError {
    move |full| CodecError::LimitExceeded { codec, limit: full.limit }
}

/// Puts bytes into a sink.
pub(super) fn put(sink: &mut dyn Sink, codec: Codec, bytes: &[u8]) -> Result<(), CodecError> {
    sink.put(bytes).map_err(exceeded(codec))
}
