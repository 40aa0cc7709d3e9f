//! Compressed batches, as a broker looks into them and writes them anew.

use klamm::compress::{BuiltIn, Codec, CodecError, Codecs, Full, Room, Sink, inflated_hint};
use klamm::record::{BatchError, BatchView};

/// As much room as anybody wants, up to what no batch of a test needs.
struct Plenty(Vec<u8>);

const MOST: usize = 256 << 20;

impl Room for Plenty {
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        if self.0.len().saturating_add(more) > MOST {
            return Err(Full { limit: MOST });
        }
        self.0.reserve(more);
        Ok(())
    }
}

impl Sink for Plenty {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The records of a batch as they were before compression.
pub(crate) fn inflated(batch: &BatchView<'_>) -> Result<Vec<u8>, BatchError> {
    let offset = batch.header.base_offset;
    let wrong = |error| BatchError::Codec { offset, error };
    let codec = batch.header.attributes.codec().map_err(wrong)?;
    if codec == Codec::None {
        return Ok(batch.payload().to_vec());
    }
    let mut room = Plenty(Vec::with_capacity(inflated_hint(codec, batch.payload()).unwrap_or(0).min(1 << 20)));
    let result = BuiltIn.decompressor(codec, usize::MAX).and_then(|mut d| d.decompress(batch.payload(), &mut room));
    result.map_err(wrong)?;
    Ok(room.0)
}

/// What a batch's records become in a topic that wants another codec than they come in; `None`: they come in it.
pub(crate) fn packed_anew(batch: &BatchView<'_>, codec: Codec) -> Option<Vec<u8>> {
    if batch.header.attributes.codec() == Ok(codec) {
        return None;
    }
    let records = inflated(batch).ok()?;
    if codec == Codec::None {
        return Some(records);
    }
    let mut out = Plenty(Vec::new());
    let result: Result<(), CodecError> = BuiltIn
        .compressor(codec, None)
        .and_then(|mut c| c.compress(&mut core::iter::once(records.as_slice()), &mut out));
    result.ok().map(|()| out.0)
}
