//! The hash that Java's producer places keyed records by, so that both put a key into the same partition.

const M: u32 = 0x5bd1_e995;
const SEED: u32 = 0x9747_b28c;

/// Murmur2 of `key`, as Java's `Utils.murmur2`.
pub const fn murmur2(key: &[u8]) -> u32 {
    let mut hash = SEED ^ (key.len() as u32);
    let mut rest = key;
    while let Some((word, tail)) = rest.split_first_chunk::<4>() {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
        rest = tail;
    }
    let tail = match *rest {
        [a, b, c] => Some(u32::from_le_bytes([a, b, c, 0])),
        [a, b] => Some(u32::from_le_bytes([a, b, 0, 0])),
        [a] => Some(a as u32),
        _ => None,
    };
    if let Some(tail) = tail {
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition, of `partitions`, that Java's producer puts `key` into; 0 if there are none.
///
/// The hash's top bit is cleared before the modulus, as Java does it: its hash is signed, and clearing is not the same
/// as taking the absolute value.
pub const fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    match (murmur2(key) & 0x7fff_ffff).checked_rem(partitions) {
        Some(partition) => partition,
        None => 0,
    }
}
