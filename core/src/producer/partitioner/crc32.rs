//! The hash that librdkafka places keyed records by, unless it is told otherwise.

/// CRC-32 (that of zlib) of `key`. Keys are short: sixteen steps of four bits are enough of a table.
pub(super) fn crc32(key: &[u8]) -> u32 {
    let half = |crc: u32| (crc >> 4) ^ TABLE[(crc & 15) as usize];
    !key.iter().fold(!0, |crc, byte| half(half(crc ^ u32::from(*byte))))
}

const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 4 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of every catalogue of CRCs");
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }
}
