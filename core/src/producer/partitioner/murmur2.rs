//! The hash that Java's producer places keyed records by, so that both put a key into the same partition.

const M: u32 = 0x5bd1_e995;
const SEED: u32 = 0x9747_b28c;

/// Murmur2 of `key`, as Java's `Utils.murmur2`.
pub(super) const fn murmur2(key: &[u8]) -> u32 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 43: Java's hashes and partitions, a thousand of them with the top bit set; see tests/golden/Batches.java.
    #[test]
    fn keys_go_where_java_puts_them() {
        let mut vectors =
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/batches/murmur2.bin")).as_slice();
        let (mut all, mut top_bit) = (0, 0);
        while let Some((&len, rest)) = vectors.split_first() {
            let (key, rest) = rest.split_at(usize::from(len));
            let (hash, rest) = rest.split_first_chunk().unwrap();
            let (partition, rest) = rest.split_first_chunk().unwrap();
            let hash = u32::from_be_bytes(*hash);
            assert_eq!(murmur2(key), hash, "{key:?}");
            assert_eq!((hash & 0x7fff_ffff) % 1000, u32::from(u16::from_be_bytes(*partition)), "{key:?}");
            all += 1;
            top_bit += hash >> 31;
            vectors = rest;
        }
        assert!(all > 1200 && top_bit >= 1000, "{all} vectors, {top_bit} with the top bit set");
    }
}
