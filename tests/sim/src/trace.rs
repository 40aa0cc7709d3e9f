//! What happened: as one number that two runs can be compared by, and as lines that a person can read.

/// FNV-1a over 64-bit words, and over bytes where there are fewer than eight left.
#[derive(Clone, Copy, Debug)]
struct Hash(u64);

impl Hash {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            let mut whole = [0; 8];
            whole.copy_from_slice(word);
            self.word(u64::from_le_bytes(whole));
        }
        for byte in words.remainder() {
            self.word(u64::from(*byte));
        }
        self.word(bytes.len() as u64);
    }
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: Hash,
    /// Lines are printed as they come.
    print: bool,
}

impl Trace {
    /// An empty one.
    pub fn new(print: bool) -> Self {
        Trace { hash: Hash(0xcbf2_9ce4_8422_2325), print }
    }

    /// The number for all that has happened so far.
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Bytes on the wire, with who sent them when.
    pub fn bytes(&mut self, now: u64, conn: u64, up: bool, bytes: &[u8]) {
        self.hash.word(now);
        self.hash.word(conn << 1 | u64::from(up));
        self.hash.bytes(bytes);
    }

    /// Something else that happened.
    pub fn note(&mut self, now: u64, what: core::fmt::Arguments<'_>) {
        let text = what.to_string();
        self.hash.word(now);
        self.hash.bytes(text.as_bytes());
        if self.print {
            println!("{:>12.6} {text}", now as f64 / 1e9);
        }
    }

    /// Whether anybody reads.
    pub(crate) fn is_told(&self) -> bool {
        self.print
    }

    /// A line for people only, which costs nothing when nobody reads it.
    pub fn tell(&mut self, now: u64, what: core::fmt::Arguments<'_>) {
        if self.print {
            println!("{:>12.6} {what}", now as f64 / 1e9);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: impl FnOnce(&mut Trace)) -> u64 {
        let mut trace = Trace::new(false);
        of(&mut trace);
        trace.hash()
    }

    #[test]
    fn time_direction_connection_and_every_byte_count() {
        let base = hash(|t| t.bytes(5, 1, true, b"0123456789"));
        assert_eq!(base, hash(|t| t.bytes(5, 1, true, b"0123456789")));
        assert_ne!(base, hash(|t| t.bytes(6, 1, true, b"0123456789")));
        assert_ne!(base, hash(|t| t.bytes(5, 2, true, b"0123456789")));
        assert_ne!(base, hash(|t| t.bytes(5, 1, false, b"0123456789")));
        for at in 0..10 {
            let mut other = *b"0123456789";
            other[at] ^= 1;
            assert_ne!(base, hash(|t| t.bytes(5, 1, true, &other)), "byte {at}");
        }
    }
}
