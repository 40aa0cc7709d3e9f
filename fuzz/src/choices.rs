//! A fuzzer's bytes.

/// Takes a fuzzer's bytes as choices; zeroes when they are over.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl Choices<'_> {
    pub(crate) fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    pub(crate) fn number(&mut self) -> usize {
        self.byte() << 8 | self.byte()
    }
}
