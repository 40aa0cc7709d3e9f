//! Zigzag varints: a record's numbers. 32-bit ones are lengths and offset deltas, 64-bit ones are timestamp deltas.

/// The most bytes that a 64-bit varint takes.
pub const VARLONG_MAX_LEN: usize = 10;
/// The most bytes that a 32-bit varint takes.
pub const VARINT_MAX_LEN: usize = 5;

/// The unsigned form, small for small magnitudes of either sign.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The signed value of an unsigned form.
#[inline]
pub const fn unzigzag(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ ((raw & 1) as i64).wrapping_neg()
}

/// How many bytes an unsigned form takes: 1 to 10.
#[inline]
pub const fn raw_size(raw: u64) -> usize {
    // 64 - leading zeros is 1 to 64 bits; times 37 over 256 is a division by 7 that is exact enough for all of them.
    let bits = 64_u32.wrapping_sub((raw | 1).leading_zeros());
    (bits.wrapping_mul(37).wrapping_add(219) >> 8) as usize
}

/// How many bytes `value` takes as a varint.
#[inline]
pub const fn size(value: i64) -> usize {
    raw_size(zigzag(value))
}

/// Takes an unsigned form of at most 64 bits off the front of `bytes`. `None` if it is cut short or does not fit.
#[inline(always)]
pub fn get_raw64(bytes: &mut &[u8]) -> Option<u64> {
    match **bytes {
        [a, ref rest @ ..] if a < 0x80 => {
            *bytes = rest;
            Some(u64::from(a))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *bytes = rest;
            Some(u64::from(a & 0x7f) | (u64::from(b) << 7))
        }
        _ => get_long(bytes),
    }
}

/// Takes an unsigned form of at most 32 bits off the front of `bytes`. `None` if it is cut short or does not fit.
#[inline(always)]
pub fn get_raw32(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(get_raw64(bytes)?).ok()
}

/// Three bytes and more.
fn get_long(bytes: &mut &[u8]) -> Option<u64> {
    let mut raw = 0_u64;
    let mut shift = 0_u32;
    let mut rest = *bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        // The tenth byte has room for one bit only.
        if shift == 63 && byte > 1 {
            return None;
        }
        raw |= u64::from(byte & 0x7f).wrapping_shl(shift);
        rest = tail;
        if byte < 0x80 {
            *bytes = rest;
            return Some(raw);
        }
        shift = shift.wrapping_add(7);
    }
    None
}

/// Takes a 64-bit varint off the front of `bytes`. `None` if it is cut short or does not fit.
#[inline(always)]
pub fn get_varlong(bytes: &mut &[u8]) -> Option<i64> {
    Some(unzigzag(get_raw64(bytes)?))
}

/// Takes a 32-bit varint off the front of `bytes`. `None` if it is cut short or does not fit.
#[inline(always)]
pub fn get_varint(bytes: &mut &[u8]) -> Option<i32> {
    let raw = get_raw32(bytes)?;
    Some(((raw >> 1) as i32) ^ ((raw & 1) as i32).wrapping_neg())
}
