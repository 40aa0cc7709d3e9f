//! TLS's records from outside: where they end, and how much goes into one.

use alloc::vec::Vec;

/// A record's header.
pub(super) const HEADER: usize = 5;

/// The most plaintext of a record (RFC 8446, 5.1).
pub(super) const PIECE_MAX: usize = 16 << 10;

/// The most that follows a record's header (RFC 5246, 6.2.3).
pub(super) const BODY_MAX: usize = PIECE_MAX + 2_048;

/// The most bytes that a record of ours has, with a key update before it.
pub(super) const OUT_MAX: usize = PIECE_MAX + 256;

/// Where the record ends that begins at `from`, if all of it is here; or its header, if that is of no record of TLS, for
/// rustls to say what is wrong with it.
pub(super) fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    let body = from.checked_add(HEADER)?;
    let [kind, major, _, high, low] = *bytes.get(from..body)?.first_chunk::<HEADER>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !(20..=24).contains(&kind) || major != 3 || len > BODY_MAX {
        return Some(body);
    }
    let end = body.checked_add(len)?;
    (end <= bytes.len()).then_some(end)
}

/// The first bytes of these slices, up to so many, as one: as they lie, where the first has enough of them.
pub(super) fn gather<'a>(bufs: &[&'a [u8]], skip: usize, most: usize, copy: &'a mut Vec<u8>) -> &'a [u8] {
    let mut skip = skip;
    copy.clear();
    for (at, buf) in bufs.iter().enumerate() {
        let Some(rest) = buf.get(skip..).filter(|rest| !rest.is_empty()) else {
            skip = skip.saturating_sub(buf.len());
            continue;
        };
        skip = 0;
        // Once: of many small slices, to add up what is behind each would be to go through all of them again and again.
        if copy.is_empty() {
            let behind = bufs.iter().skip(at.saturating_add(1)).fold(0_usize, |sum, b| sum.saturating_add(b.len()));
            if rest.len() >= most / 2 || behind == 0 {
                return rest.get(..most.min(rest.len())).unwrap_or_default();
            }
            copy.reserve_exact(most.min(rest.len().saturating_add(behind)));
        }
        let count = rest.len().min(most.saturating_sub(copy.len()));
        copy.extend_from_slice(rest.get(..count).unwrap_or_default());
        if copy.len() == most {
            break;
        }
    }
    copy
}
