//! Writing a record into a batch.

use alloc::vec::Vec;

use super::varint::{self, VARINT_MAX_LEN, VARLONG_MAX_LEN, raw_size, zigzag};

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
    usize::try_from(body).ok()?.checked_add(varint::size(i64::from(body)))
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
/// [`record_size`] is not `None`.
#[inline]
pub fn encode_record(out: &mut Vec<u8>, parts: &RecordParts<'_>) {
    encode(&mut Contiguous(out), parts);
}

/// Gives `put` the same bytes in pieces, for a record that does not fit the room that is left in one buffer.
pub fn encode_record_pieces(parts: &RecordParts<'_>, put: &mut dyn FnMut(&[u8])) {
    encode(&mut Pieces(put), parts);
}

/// Where a record's bytes go.
trait Sink {
    fn head(&mut self, head: &Head);
    fn bytes(&mut self, bytes: &[u8]);
}

struct Contiguous<'a>(&'a mut Vec<u8>);

impl Sink for Contiguous<'_> {
    #[inline(always)]
    fn head(&mut self, head: &Head) {
        // A copy of a fixed size is two instructions; one of a size that varies is a call.
        if self.0.capacity().wrapping_sub(self.0.len()) >= HEAD_LEN {
            let end = self.0.len().wrapping_add(head.len);
            self.0.extend_from_slice(&head.bytes);
            self.0.truncate(end);
        } else {
            self.0.extend_from_slice(head.written());
        }
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

struct Pieces<'a>(&'a mut dyn FnMut(&[u8]));

impl Sink for Pieces<'_> {
    fn head(&mut self, head: &Head) {
        (self.0)(head.written());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            (self.0)(bytes);
        }
    }
}

/// A power of two with room for the longest run of numbers: length, attributes, timestamp, offset and the lengths of a
/// null key and a value.
const HEAD_LEN: usize = 32;
const _: () = assert!(VARINT_MAX_LEN + 1 + VARLONG_MAX_LEN + VARINT_MAX_LEN + 1 + 2 * VARINT_MAX_LEN <= HEAD_LEN);

/// Numbers that are gathered before they are copied.
struct Head {
    bytes: [u8; HEAD_LEN],
    len: usize,
}

impl Head {
    #[inline(always)]
    fn new() -> Self {
        Head { bytes: [0; HEAD_LEN], len: 0 }
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        // The mask is for the compiler, which then knows that the index is in bounds.
        if let Some(slot) = self.bytes.get_mut(self.len & (HEAD_LEN - 1)) {
            *slot = byte;
        }
        self.len = self.len.wrapping_add(1);
    }

    #[inline(always)]
    fn raw(&mut self, mut raw: u64) {
        while raw >= 0x80 {
            self.byte(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The unsigned form of a length.
#[inline(always)]
const fn raw_len(len: usize) -> u64 {
    (len as u64) << 1
}

/// The bytes of a nullable part, its length included.
#[inline(always)]
fn part_size(part: Option<&[u8]>) -> u64 {
    // Null is length −1, one byte.
    part.map_or(1, |part| (raw_size(raw_len(part.len())) as u64).wrapping_add(part.len() as u64))
}

/// The bytes of the record after its length. Nothing wraps as long as the parts' own lengths fit 32 bits.
#[inline(always)]
fn body_size(parts: &RecordParts<'_>) -> u64 {
    let numbers = 1_usize
        .wrapping_add(raw_size(zigzag(parts.timestamp_delta)))
        .wrapping_add(raw_size(u64::from(parts.offset_delta) << 1));
    let headers = if parts.headers.is_empty() { 1 } else { headers_size(parts.headers) };
    (numbers as u64).wrapping_add(part_size(parts.key)).wrapping_add(part_size(parts.value)).wrapping_add(headers)
}

fn headers_size(headers: &[Header<'_>]) -> u64 {
    headers.iter().fold(raw_size(raw_len(headers.len())) as u64, |size, header| {
        size.wrapping_add(part_size(Some(header.key.as_bytes()))).wrapping_add(part_size(header.value))
    })
}

#[inline(always)]
fn encode(sink: &mut impl Sink, parts: &RecordParts<'_>) {
    let mut head = Head::new();
    head.raw(body_size(parts) << 1);
    head.byte(0);
    head.raw(zigzag(parts.timestamp_delta));
    head.raw(u64::from(parts.offset_delta) << 1);
    encode_part(sink, &mut head, parts.key);
    encode_part(sink, &mut head, parts.value);
    head.raw(raw_len(parts.headers.len()));
    if !parts.headers.is_empty() {
        encode_headers(sink, &mut head, parts.headers);
    }
    sink.head(&head);
}

/// Leaves a null part's length in `head`; else `head` is empty afterwards.
#[inline(always)]
fn encode_part(sink: &mut impl Sink, head: &mut Head, part: Option<&[u8]>) {
    let Some(bytes) = part else { return head.byte(1) };
    head.raw(raw_len(bytes.len()));
    sink.head(head);
    head.len = 0;
    sink.bytes(bytes);
}

#[inline(never)]
fn encode_headers(sink: &mut impl Sink, head: &mut Head, headers: &[Header<'_>]) {
    for header in headers {
        encode_part(sink, head, Some(header.key.as_bytes()));
        encode_part(sink, head, header.value);
    }
}
