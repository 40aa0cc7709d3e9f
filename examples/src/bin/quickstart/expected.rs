//! What each record must be: its key and value follow from its number.

/// Keys that records share; each key's records must stay in order.
pub(crate) const KEYS: u64 = 10_000;

/// The key of record number `i`.
pub(crate) fn key(i: u64) -> [u8; 12] {
    let mut key = *b"key-00000000";
    write_number(&mut key[4..], i % KEYS);
    key
}

/// Writes the value of record number `i` into `value`, whose length it keeps: the number, then bytes that follow from
/// it.
pub(crate) fn write_value(i: u64, value: &mut [u8]) {
    let (number, filling) = value.split_at_mut(20);
    write_number(number, i);
    let mut state = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in filling {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = b'a' + (state % 26) as u8;
    }
}

/// The number that a value begins with.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value.get(..20)?).ok()?.parse().ok()
}

fn write_number(into: &mut [u8], mut n: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
}
