//! Randomness for jitter and for spreading load: seeded once from the transport, the same from the same seed.

/// SplitMix64: 2⁶⁴ states in order, mixed. Not for secrets.
#[derive(Clone)]
pub(crate) struct Rng {
    state: u64,
    seed: [u8; 32],
}

impl Rng {
    /// The first eight bytes decide.
    pub(crate) fn from_entropy(seed: &[u8; 32]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&seed[..8]);
        Rng { state: u64::from_le_bytes(first), seed: *seed }
    }

    /// Everything that the transport gave, for what must not be guessed.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which must not be zero. The bias of `n / 2⁶⁴` does not matter here.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_and_meets_every_value() {
        let mut rng = Rng::from_entropy(&[7; 32]);
        let mut seen = [0u32; 5];
        for _ in 0..1000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|n| *n > 120), "{seen:?}");
    }
}
