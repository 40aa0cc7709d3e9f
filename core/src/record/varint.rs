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

/// Takes an unsigned form of at most 64 bits and ten bytes off the front of `bytes`. `None` if it is cut short or does
/// not fit.
#[inline(always)]
pub fn get_raw64(bytes: &mut &[u8]) -> Option<u64> {
    match get_short(bytes) {
        Some(raw) => Some(u64::from(raw)),
        None => get_long(bytes),
    }
}

/// Takes an unsigned form of at most 32 bits and five bytes off the front of `bytes`. `None` if it is cut short or does
/// not fit.
#[inline(always)]
pub fn get_raw32(bytes: &mut &[u8]) -> Option<u32> {
    match get_short(bytes) {
        Some(raw) => Some(raw),
        None => get_long32(bytes),
    }
}

/// One or two bytes, which nearly all numbers have; `None` for more, and nothing is taken.
#[inline(always)]
fn get_short(bytes: &mut &[u8]) -> Option<u32> {
    match **bytes {
        [a, ref rest @ ..] if a < 0x80 => {
            *bytes = rest;
            Some(u32::from(a))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *bytes = rest;
            Some(u32::from(a & 0x7f) | (u32::from(b) << 7))
        }
        _ => None,
    }
}

fn get_long32(bytes: &mut &[u8]) -> Option<u32> {
    let before = bytes.len();
    let raw = u32::try_from(get_long(bytes)?).ok()?;
    (before.wrapping_sub(bytes.len()) <= VARINT_MAX_LEN).then_some(raw)
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn put(mut raw: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while raw >= 0x80 {
            out.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        out.push(raw as u8);
        out
    }

    /// Every length's first and last number, both signs.
    fn edges() -> impl Iterator<Item = i64> {
        let near = |power: u32| [-2_i64, -1, 0, 1].map(|n| (1_i64 << power).wrapping_add(n));
        (0..64).flat_map(near).flat_map(|v| [v, v.wrapping_neg()])
    }

    fn check(value: i64) {
        let bytes = put(zigzag(value));
        assert_eq!(unzigzag(zigzag(value)), value);
        assert_eq!(size(value), bytes.len());
        let mut rest = &*[&*bytes, &[7]].concat();
        assert_eq!(get_varlong(&mut rest), Some(value));
        assert_eq!(rest, [7]);
        let mut rest = &*bytes;
        assert_eq!(get_varint(&mut rest), i32::try_from(value).ok());
        for end in 0..bytes.len() {
            assert_eq!(get_varlong(&mut &bytes[..end]), None);
        }
    }

    #[test]
    fn edges_come_back() {
        edges().for_each(check);
        assert_eq!([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
        assert_eq!(size(i64::from(i32::MIN)), VARINT_MAX_LEN);
        assert_eq!(size(i64::MIN), VARLONG_MAX_LEN);
    }

    /// Trap 11: a varint that is longer than its type.
    #[test]
    fn numbers_that_do_not_fit() {
        let ones = [0xff; 9];
        assert_eq!(get_raw64(&mut &*[&ones[..], &[1]].concat()), Some(u64::MAX));
        assert_eq!(get_raw64(&mut &*[&ones[..], &[2]].concat()), None);
        assert_eq!(get_raw64(&mut &*[&ones[..], &[0x81, 0]].concat()), None);
        assert_eq!(get_raw32(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]), Some(u32::MAX));
        assert_eq!(get_raw32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(get_raw32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 1][..]), None);
        assert_eq!(get_raw32(&mut &[0x82, 0x80, 0x80, 0x80, 0][..]), Some(2), "longer than need be, and sound");
        assert_eq!(get_raw32(&mut &[0x82, 0x80, 0x80, 0x80, 0x80, 0][..]), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: i64, shift in 0..64_u32) {
            check(value >> shift);
        }
    }
}
