//! Where a batch's records are divided when a broker finds them too many, and what becomes of the second half.

use crate::record::varint::{get_raw32, get_raw64, raw_size, unzigzag};

/// A place between two records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    pub(super) bytes: usize,
    pub(super) count: u32,
    /// The greatest timestamp before it, relative to the batch's.
    pub(super) newest: i64,
}

/// One record: what stands before its timestamp, behind its offset, and the two.
struct Parsed {
    attributes: u8,
    timestamp: u64,
    offset_delta: u32,
    /// Where what follows the offset begins, and how much it is.
    tail: (usize, usize),
}

/// Reads the record that begins at `at`.
fn parse(records: &[u8], at: usize) -> Option<Parsed> {
    let from = records.get(at..)?;
    let mut rest = from;
    let len = (get_raw32(&mut rest)? >> 1) as usize;
    let mut body = rest.get(..len)?;
    let start = at + (from.len() - rest.len());
    let (attributes, fields) = body.split_first()?;
    body = fields;
    let timestamp = get_raw64(&mut body)?;
    let offset_delta = get_raw32(&mut body)? >> 1;
    Some(Parsed { attributes: *attributes, timestamp, offset_delta, tail: (start + len - body.len(), body.len()) })
}

/// The place that is nearest behind the middle, or the last one before it; `None` for fewer than two records.
pub(super) fn middle(records: &[u8]) -> Option<Cut> {
    let mut best = None;
    let (mut bytes, mut count, mut newest) = (0, 0, i64::MIN);
    while bytes < records.len() / 2 {
        let record = parse(records, bytes)?;
        bytes = record.tail.0 + record.tail.1;
        count += 1;
        newest = newest.max(unzigzag(record.timestamp));
        if bytes < records.len() {
            best = Some(Cut { bytes, count, newest });
        }
    }
    best
}

/// Numbers records anew from 0 on, where they lie; they become no longer by that. Answers their new length and the
/// greatest of their timestamps, relative to the batch's.
pub(super) fn renumber(records: &mut [u8]) -> Option<(usize, i64)> {
    let (mut read, mut written, mut index, mut newest) = (0, 0, 0u32, i64::MIN);
    while read < records.len() {
        let record = parse(records, read)?;
        newest = newest.max(unzigzag(record.timestamp));
        let (from, len) = record.tail;
        let offset = u64::from(index) << 1;
        let body = 1 + raw_size(record.timestamp) + raw_size(offset) + len;
        let mut head = Head::default();
        head.number((body as u64) << 1);
        head.byte(record.attributes);
        head.number(record.timestamp);
        head.number(offset);
        // A record's number is never greater than before, so its head is never longer, and nothing unread is lost.
        debug_assert!(record.offset_delta >= index && written + head.len <= from);
        records.get_mut(written..written + head.len)?.copy_from_slice(head.bytes.get(..head.len)?);
        records.copy_within(from..from + len, written + head.len);
        written += head.len + len;
        read = from + len;
        index += 1;
    }
    Some((written, newest))
}

/// A record up to its key: three varints and a byte.
#[derive(Default)]
struct Head {
    bytes: [u8; 24],
    len: usize,
}

impl Head {
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn number(&mut self, mut raw: u64) {
        while raw >= 0x80 {
            self.byte(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;
    use crate::record::{Header, RecordParts, encode_record};

    fn parts(i: u32, offset_delta: u32, value: &[u8]) -> RecordParts<'_> {
        let headers = if i.is_multiple_of(3) { &[Header { key: "h", value: None }][..] } else { &[] };
        let timestamp_delta = [0, -5, 1 << 40, 7][i as usize % 4];
        let key = i.is_multiple_of(2).then_some(&b"key"[..]);
        RecordParts { timestamp_delta, offset_delta, key, value: Some(value), headers }
    }

    fn encode(records: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        records.iter().for_each(|(i, delta, value)| encode_record(&mut out, &parts(*i, *delta, value)));
        out
    }

    /// Both halves of every number of records, with lengths and numbers on either side of a varint's limits, are what
    /// they would be had they been written as batches of their own.
    #[test]
    fn halves_are_as_if_they_had_been_written_so() {
        for count in [2u32, 3, 10, 64, 65, 130, 300] {
            for size in [0, 50, 62, 200] {
                let all: Vec<_> = (0..count).map(|i| (i, i, vec![b'v'; (size + i as usize) % 70])).collect();
                let mut bytes = encode(&all);
                let cut = middle(&bytes).expect("two records at least");
                let (first, second) = all.split_at(cut.count as usize);
                let (a, b) = bytes.split_at_mut(cut.bytes);
                assert_eq!(a, encode(first));
                let (len, newest) = renumber(b).expect("sound");
                let anew: Vec<_> = (0..).zip(second).map(|(n, (i, _, value))| (*i, n, value.clone())).collect();
                assert_eq!(&b[..len], encode(&anew));
                let newest_of = |part: &[(u32, u32, Vec<u8>)]| {
                    part.iter().map(|(i, d, v)| parts(*i, *d, v).timestamp_delta).max().expect("one at least")
                };
                assert_eq!((cut.newest, newest), (newest_of(first), newest_of(second)));
            }
        }
    }

    #[test]
    fn a_large_record_stands_alone_and_a_single_one_has_no_halves() {
        let large = |at: usize| {
            let sizes: Vec<_> = (0..4).map(|i| (i, i, vec![0; if i as usize == at { 500 } else { 5 }])).collect();
            middle(&encode(&sizes)).expect("two parts").count
        };
        assert_eq!([large(0), large(3)], [1, 3]);
        assert_eq!(middle(&encode(&[(0, 0, vec![1])])), None);
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[9, 9, 9]), None);
    }
}
