//! What is sent: text that looks like events, the same for every client that is measured.

/// 1,024 payloads of `size` bytes, about 4 : 1 under lz4.
pub fn payloads(size: usize) -> Vec<Vec<u8>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut payload = |i: usize| {
        let mut bytes = Vec::with_capacity(size + 64);
        while bytes.len() < size {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let (user, at) = (seed % 99_991, seed % 1_000_003);
            bytes.extend_from_slice(
                format!("{{\"id\":{i},\"user\":\"u{user:05}\",\"kind\":\"click\",\"at\":{at}}}").as_bytes(),
            );
        }
        bytes.truncate(size);
        bytes
    };
    (0..1024).map(&mut payload).collect()
}
