//! Writing a record into a batch.

use alloc::vec::Vec;

use super::varint::{VARINT_MAX_LEN, VARLONG_MAX_LEN, raw_size, zigzag};

/// A header of a record to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// The name.
    pub key: &'a str,
    /// The value. Null and empty differ.
    pub value: Option<&'a [u8]>,
}

/// A record to be written, relative to its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordParts<'a> {
    /// The timestamp in ms, less the batch's base timestamp (wrapping, like Java's).
    pub timestamp_delta: i64,
    /// The offset, less the batch's base offset: the record's index in a batch that is being produced.
    pub offset_delta: u32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

/// The bytes of the record, its length prefix included. `None` if a part or the whole does not fit 31 bits.
pub fn record_size(parts: &RecordParts<'_>) -> Option<usize> {
    let max = i32::MAX as usize;
    let fits = |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| bytes.len() <= max);
    let headers_fit = parts.headers.len() <= max && parts.headers.iter().all(|h| h.key.len() <= max && fits(h.value));
    // Each summand fits 32 bits, and the sum is one of 64 bits.
    let body = (headers_fit && fits(parts.key) && fits(parts.value)).then(|| body_size(parts))?;
    let body = i32::try_from(body).ok()?;
    usize::try_from(body).ok()?.checked_add(raw_size(zigzag(i64::from(body))))
}

/// No less than [`record_size`], and cheap: for asking whether a record has room before its deltas are known.
/// Saturates at `usize::MAX`.
#[inline]
pub fn record_size_max(key_len: usize, value_len: usize, headers: &[Header<'_>]) -> usize {
    const FIXED: usize = VARINT_MAX_LEN + 1 + VARLONG_MAX_LEN + 4 * VARINT_MAX_LEN;
    let mut size = FIXED.saturating_add(key_len).saturating_add(value_len);
    for header in headers {
        let value_len = header.value.map_or(0, <[u8]>::len);
        size = size.saturating_add(2 * VARINT_MAX_LEN).saturating_add(header.key.len()).saturating_add(value_len);
    }
    size
}

/// Appends the record to `out`.
///
/// The caller has made sure that `out` has [`record_size`] bytes of room, so that it is not reallocated, and that
/// [`record_size`] is not `None`: such a record has no encoding, and what is written then is not one.
#[inline]
pub fn encode_record(out: &mut Vec<u8>, parts: &RecordParts<'_>) {
    encode(&mut Contiguous(out), parts);
}

/// Gives `put` the same bytes in pieces, for a record that does not fit the room that is left in one buffer.
pub fn encode_record_pieces(parts: &RecordParts<'_>, put: &mut dyn FnMut(&[u8])) {
    encode_large(&mut Pieces(put), *parts);
}

/// Where a record's bytes go.
trait Sink {
    /// A few numbers, gathered in a register.
    fn word(&mut self, word: Word);
    /// A key, a value or a header's name.
    fn bytes(&mut self, bytes: &[u8]);
}

struct Contiguous<'a>(&'a mut Vec<u8>);

impl Contiguous<'_> {
    /// Appends the first `len` of `bytes`.
    #[inline(always)]
    fn front<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        // A copy of a fixed size is a store or two; one of a size that varies is a call. So all bytes are written where
        // there is room for them, and those that are too many are taken back.
        if self.0.capacity().wrapping_sub(self.0.len()) >= N {
            let end = self.0.len().wrapping_add(len);
            self.0.extend_from_slice(&bytes);
            self.0.truncate(end);
        } else {
            self.0.extend_from_slice(bytes.get(..len).unwrap_or_default());
        }
    }

    /// Two words, of which the first is not empty.
    #[inline(always)]
    fn words(&mut self, first: Word, second: Word) {
        let bytes = u128::from(first.bytes) | u128::from(second.bytes).wrapping_shl(first.bits);
        self.front(bytes.to_le_bytes(), first.bits.wrapping_add(second.bits) as usize / 8);
    }
}

impl Sink for Contiguous<'_> {
    #[inline(always)]
    fn word(&mut self, word: Word) {
        self.front(word.bytes.to_le_bytes(), word.len());
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

struct Pieces<'a>(&'a mut dyn FnMut(&[u8]));

impl Sink for Pieces<'_> {
    fn word(&mut self, word: Word) {
        (self.0)(word.bytes.to_le_bytes().get(..word.len()).unwrap_or_default());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        (self.0)(bytes);
    }
}

/// Up to eight bytes, the first one lowest; those beyond `bits` are 0.
#[derive(Clone, Copy)]
struct Word {
    bytes: u64,
    bits: u32,
}

impl Word {
    /// The bits that four bytes of a varint hold.
    const NUMBER_BITS: u32 = 28;

    /// A number of at most 28 bits.
    #[inline(always)]
    const fn number(raw: u32) -> Word {
        if raw < 0x80 {
            Word { bytes: raw as u64, bits: 8 }
        } else if raw < 0x4000 {
            Word { bytes: (raw & 0x7f | 0x80 | (raw & 0x3f80) << 1) as u64, bits: 16 }
        } else {
            Word::large(raw)
        }
    }

    /// Three or four bytes.
    const fn large(raw: u32) -> Word {
        let spread = raw & 0x7f | (raw & 0x3f80) << 1 | (raw & 0x1f_c000) << 2 | (raw & 0xfe0_0000) << 3;
        if raw < 0x20_0000 {
            Word { bytes: (spread | 0x8080) as u64, bits: 24 }
        } else {
            Word { bytes: (spread | 0x80_8080) as u64, bits: 32 }
        }
    }

    /// This and then `next`; together they fit eight bytes.
    #[inline(always)]
    const fn then(self, next: Word) -> Word {
        Word { bytes: self.bytes | next.bytes.wrapping_shl(self.bits), bits: self.bits.wrapping_add(next.bits) }
    }

    #[inline(always)]
    const fn len(self) -> usize {
        (self.bits / 8) as usize
    }
}

/// A record's attributes: one byte, reserved.
const ATTRIBUTES: Word = Word { bytes: 0, bits: 8 };

/// The unsigned form of a nullable part's length; null is −1.
#[inline(always)]
fn raw_len(part: Option<&[u8]>) -> u64 {
    part.map_or(1, |part| (part.len() as u64) << 1)
}

/// The bytes of a nullable part, its length included.
#[inline(always)]
fn part_size(part: Option<&[u8]>) -> u64 {
    (raw_size(raw_len(part)) as u64).wrapping_add(part.map_or(0, |part| part.len() as u64))
}

/// The bytes of the record after its length. Nothing wraps as long as the parts' own lengths fit 32 bits.
#[inline(always)]
fn body_size(parts: &RecordParts<'_>) -> u64 {
    let numbers = 1_usize
        .wrapping_add(raw_size(zigzag(parts.timestamp_delta)))
        .wrapping_add(raw_size(u64::from(parts.offset_delta) << 1));
    let headers = headers_size(parts.headers);
    (numbers as u64).wrapping_add(part_size(parts.key)).wrapping_add(part_size(parts.value)).wrapping_add(headers)
}

/// The bytes of the headers, their count included.
#[inline(always)]
fn headers_size(headers: &[Header<'_>]) -> u64 {
    if headers.is_empty() { 1 } else { some_headers_size(headers) }
}

#[inline(never)]
fn some_headers_size(headers: &[Header<'_>]) -> u64 {
    headers.iter().fold(raw_size((headers.len() as u64) << 1) as u64, |size, header| {
        size.wrapping_add(part_size(Some(header.key.as_bytes()))).wrapping_add(part_size(header.value))
    })
}

#[inline(always)]
fn encode(sink: &mut Contiguous<'_>, parts: &RecordParts<'_>) {
    let (key, value) = (parts.key.unwrap_or_default(), parts.value.unwrap_or_default());
    let (timestamp, offset) = (zigzag(parts.timestamp_delta), u64::from(parts.offset_delta) << 1);
    let (raw_key, raw_value) = (raw_len(parts.key), raw_len(parts.value));
    let headers = headers_size(parts.headers);
    // Timestamp and value's length take at most three bytes, the others four; so each word below has at most eight. The
    // record's length stays under 2²⁷, because key, headers and value stay under 2²⁵, 2²⁶ and 2²⁰.
    if (offset | raw_key | headers) >> 26 != 0 || (timestamp | raw_value) >> 21 != 0 {
        return encode_large(sink, *parts);
    }
    let timestamp = Word::number(timestamp as u32);
    let offset = Word::number(offset as u32);
    let raw_key = Word::number(raw_key as u32);
    let raw_value = Word::number(raw_value as u32);
    let bits = timestamp.bits.wrapping_add(offset.bits).wrapping_add(raw_key.bits).wrapping_add(raw_value.bits);
    let numbers = bits.wrapping_add(ATTRIBUTES.bits) as usize / 8;
    let length = numbers.wrapping_add(key.len()).wrapping_add(value.len()).wrapping_add(headers as usize);
    let first = Word::number((length as u32) << 1).then(ATTRIBUTES).then(timestamp);
    if parts.key.is_some() {
        sink.words(first, offset.then(raw_key));
        sink.bytes(key);
        sink.word(raw_value);
    } else {
        sink.words(first, offset.then(raw_key).then(raw_value));
    }
    sink.bytes(value);
    if parts.headers.is_empty() { sink.0.push(0) } else { encode_headers(sink, parts.headers) }
}

/// Any record, also one with a number of more than the usual bits. Kept apart so that the usual one stays small enough to
/// inline; it takes the parts as a copy so that the usual one need not have them in memory. There once, for all sinks.
#[cold]
#[inline(never)]
fn encode_large(sink: &mut dyn Sink, parts: RecordParts<'_>) {
    encode_number(sink, body_size(&parts) << 1);
    sink.word(ATTRIBUTES);
    encode_number(sink, zigzag(parts.timestamp_delta));
    encode_number(sink, u64::from(parts.offset_delta) << 1);
    encode_part(sink, parts.key);
    encode_part(sink, parts.value);
    encode_headers(sink, parts.headers);
}

#[inline(never)]
fn encode_headers(sink: &mut (impl Sink + ?Sized), headers: &[Header<'_>]) {
    encode_number(sink, (headers.len() as u64) << 1);
    for header in headers {
        encode_part(sink, Some(header.key.as_bytes()));
        encode_part(sink, header.value);
    }
}

#[inline(always)]
fn encode_part(sink: &mut (impl Sink + ?Sized), part: Option<&[u8]>) {
    encode_number(sink, raw_len(part));
    sink.bytes(part.unwrap_or_default());
}

#[inline(always)]
fn encode_number(sink: &mut (impl Sink + ?Sized), mut raw: u64) {
    while raw >> Word::NUMBER_BITS != 0 {
        let low = Word::large(raw as u32 & ((1 << Word::NUMBER_BITS) - 1));
        sink.word(Word { bytes: low.bytes | 0x8080_8080, bits: 32 });
        raw >>= Word::NUMBER_BITS;
    }
    sink.word(Word::number(raw as u32));
}
