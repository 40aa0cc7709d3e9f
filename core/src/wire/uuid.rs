use core::fmt;

/// A 128-bit identifier of a topic, a directory or a member.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All bits zero: Kafka's "no id".
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

/// Kafka's own form: url-safe base64 without padding, 22 characters.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = [0; 22];
        let number = u128::from_be_bytes(self.0);
        for (i, c) in text.iter_mut().enumerate() {
            // The 22nd character holds the last two bits, with four zeros below them.
            let low = u32::try_from(i).unwrap_or(0).wrapping_mul(6);
            let six = (number.wrapping_shl(low) >> 122) as usize;
            *c = ALPHABET.get(six).copied().unwrap_or(b'?');
        }
        f.pad(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The texts are what Kafka's own `Uuid` prints for these numbers.
    #[test]
    fn prints_as_kafka_does() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let one = Uuid(1u128.to_be_bytes());
        assert_eq!(one.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let ones = Uuid([0xff; 16]);
        assert_eq!(ones.to_string(), "_____________________w");
        let counting = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(counting.to_string(), "AAECAwQFBgcICQoLDA0ODw");
        assert!(Uuid::ZERO.is_zero() && !one.is_zero());
    }
}
