//! The hash that Sarama places keyed records by, and librdkafka if it is told so.

/// FNV-1a of `key`, whose absolute value is taken as of a signed number.
pub(super) fn fnv1a(key: &[u8]) -> u32 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that librdkafka's own test has, which come from Go.
    #[test]
    fn the_hashes_of_sarama() {
        let known: [(&[u8], u32); 6] = [
            (b"kafka", 0x0d33_c4e1),
            (b"giberish123456789", 0x77a5_8295),
            (b"1234", 0x023b_dd03),
            (b"4", 0x310c_a263),
            (b"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x65cb_d69c),
            (b"", 0x7ee3_623b),
        ];
        for (key, hash) in known {
            assert_eq!(fnv1a(key), hash, "{key:?}");
        }
    }
}
