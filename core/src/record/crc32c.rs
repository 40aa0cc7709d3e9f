//! CRC-32C (Castagnoli), which guards a batch from its attributes to its end.
//!
//! Under `std` the CPU's instructions do it, at eight bytes a cycle; with the feature `simd` its carry-less products, at up
//! to four times that. Without them the CRC leads a small device's profile, so the software takes eight bytes a step with
//! 8 KiB of tables, or half a byte a step with 64 bytes (feature `small-tables`).

/// From so many bytes on vectors win, although they have more to prepare.
#[cfg(feature = "simd")]
const VECTORS_LEAST: usize = 512;

/// A CRC-32C that is computed piece by piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Crc(u32);

impl Crc {
    /// Of nothing yet.
    #[inline]
    pub const fn new() -> Self {
        Crc(0)
    }

    /// Takes in the next bytes.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        #[cfg(feature = "std")]
        {
            self.0 = instructions(self.0, bytes);
        }
        #[cfg(not(feature = "std"))]
        {
            self.0 = software(self.0, bytes);
        }
    }

    /// Of everything taken in, and then of `next_len` bytes that `next` has taken in.
    pub const fn then(self, next: Crc, next_len: usize) -> Crc {
        Crc(times(self.0, byte_power(next_len)) ^ next.0)
    }

    /// The CRC of everything taken in.
    #[inline]
    pub const fn finish(self) -> u32 {
        self.0
    }
}

/// The polynomial, lowest power in the highest bit, as in all that follows.
const POLY: u32 = 0x82f6_3b78;
/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// The product of two polynomials, less what the CRC's takes away.
const fn times(mut a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    while a != 0 {
        if a & ONE != 0 {
            product ^= b;
        }
        a <<= 1;
        b = by_x(b);
    }
    product
}

const fn by_x(crc: u32) -> u32 {
    if crc & 1 == 1 { (crc >> 1) ^ POLY } else { crc >> 1 }
}

/// What so many bytes of zeros multiply a CRC by: x to the power of eight times as many.
const fn byte_power(mut bytes: usize) -> u32 {
    let (mut power, mut square) = (ONE, ONE >> 8);
    while bytes != 0 {
        if bytes & 1 == 1 {
            power = times(power, square);
        }
        square = times(square, square);
        bytes >>= 1;
    }
    power
}

/// `crc` of some bytes, continued over `bytes`, by the CPU's instructions where it has them.
#[cfg(feature = "std")]
#[inline]
fn instructions(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(feature = "simd")]
    if bytes.len() >= VECTORS_LEAST {
        let mut digest = crc_fast::Digest::new_with_init_state(crc_fast::CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
        digest.update(bytes);
        return digest.finalize() as u32;
    }
    ::crc32c::crc32c_append(crc, bytes)
}

/// The CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.finish()
}

#[cfg(any(test, not(feature = "std")))]
pub(crate) use software::software;

#[cfg(any(test, not(feature = "std")))]
mod software {
    /// `crc` of some bytes, continued over `bytes`.
    pub(crate) fn software(crc: u32, bytes: &[u8]) -> u32 {
        #[cfg(not(feature = "small-tables"))]
        return !sliced(!crc, bytes);
        #[cfg(feature = "small-tables")]
        return !nibbles(!crc, bytes);
    }

    /// The remainder of `crc` after `bits` more zero bits.
    const fn shift(mut crc: u32, bits: u32) -> u32 {
        let mut i = 0_u32;
        while i < bits {
            crc = super::by_x(crc);
            i = i.wrapping_add(1);
        }
        crc
    }

    /// `TABLES[n][b]`: what byte `b` leaves after `n` more bytes of zeros.
    #[cfg(any(test, not(feature = "small-tables")))]
    static TABLES: [[u32; 256]; 8] = tables();

    #[cfg(any(test, not(feature = "small-tables")))]
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs in the compiler only")]
    const fn tables() -> [[u32; 256]; 8] {
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            let mut n = 0;
            let mut crc = byte as u32;
            while n < 8 {
                crc = shift(crc, 8);
                tables[n][byte] = crc;
                n += 1;
            }
            byte += 1;
        }
        tables
    }

    /// A look-up that the compiler proves to be in bounds.
    #[cfg(any(test, not(feature = "small-tables")))]
    #[inline(always)]
    fn at(table: &[u32; 256], byte: u32) -> u32 {
        table.get((byte & 0xff) as usize).copied().unwrap_or(0)
    }

    #[cfg(any(test, not(feature = "small-tables")))]
    pub(super) fn sliced(mut crc: u32, bytes: &[u8]) -> u32 {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        let (words, tail) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in words {
            let low = crc ^ u32::from_le_bytes([a, b, c, d]);
            let high = u32::from_le_bytes([e, f, g, h]);
            crc = at(t7, low)
                ^ at(t6, low >> 8)
                ^ at(t5, low >> 16)
                ^ at(t4, low >> 24)
                ^ at(t3, high)
                ^ at(t2, high >> 8)
                ^ at(t1, high >> 16)
                ^ at(t0, high >> 24);
        }
        for &byte in tail {
            crc = at(t0, crc ^ u32::from(byte)) ^ (crc >> 8);
        }
        crc
    }

    #[cfg(any(test, feature = "small-tables"))]
    static NIBBLES: [u32; 16] = nibble_table();

    #[cfg(any(test, feature = "small-tables"))]
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs in the compiler only")]
    const fn nibble_table() -> [u32; 16] {
        let mut table = [0; 16];
        let mut nibble = 0;
        while nibble < 16 {
            table[nibble] = shift(nibble as u32, 4);
            nibble += 1;
        }
        table
    }

    #[cfg(any(test, feature = "small-tables"))]
    pub(super) fn nibbles(mut crc: u32, bytes: &[u8]) -> u32 {
        let step = |crc: u32| NIBBLES.get((crc & 0xf) as usize).copied().unwrap_or(0) ^ (crc >> 4);
        for &byte in bytes {
            crc = step(step(crc ^ u32::from(byte)));
        }
        crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// RFC 3720, B.4.
    #[test]
    fn known_answers() {
        let rising: Vec<u8> = (0..32).collect();
        for (bytes, crc) in [
            (&b""[..], 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
        ] {
            assert_eq!(crc32c(bytes), crc);
            assert_eq!(software(0, bytes), crc);
            assert_eq!(!software::sliced(!0, bytes), crc);
            assert_eq!(!software::nibbles(!0, bytes), crc);
        }
    }

    /// Short ones, those from which on vectors are used, and those that fill all their steps; at any place in memory.
    #[cfg(feature = "std")]
    #[test]
    fn instructions_agree_with_software() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        for len in (0..80).chain(250..260).chain(500..1100).chain([4095, 16_384, 39_900]) {
            let (start, at) = (len as u32 ^ 0x1234_5678, len % 67);
            let bytes = &bytes[at..at + len];
            assert_eq!(instructions(start, bytes), software(start, bytes), "{len} bytes at {at}");
        }
    }

    proptest! {
        #[test]
        fn software_agrees_with_the_crate(bytes: Vec<u8>, cut: prop::sample::Index, start: u32) {
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            #[cfg(feature = "std")]
            {
                let expected = ::crc32c::crc32c_append(start, &bytes);
                prop_assert_eq!(software(start, &bytes), expected);
            }
            prop_assert_eq!(software(software(start, head), tail), software(start, &bytes));
            prop_assert_eq!(software::sliced(start, &bytes), software::nibbles(start, &bytes));
            let mut crc = Crc::new();
            crc.update(head);
            crc.update(tail);
            prop_assert_eq!(crc.finish(), crc32c(&bytes));
            let (mut before, mut after) = (Crc::new(), Crc::new());
            before.update(head);
            after.update(tail);
            prop_assert_eq!(before.then(after, tail.len()), crc);
        }
    }
}
