//! Entry points for fuzzing: each takes any bytes and panics when something is wrong. The targets are in `fuzz/`.
//!
//! Not for applications, and **not stable**.

mod assembly;
mod batches;
mod headers;
mod link;
mod responses;
#[cfg(feature = "sasl")]
mod scram;

pub use assembly::assembly;
pub use batches::batches;
pub use headers::headers;
pub use link::link;
pub use responses::{apis, response, responses};
#[cfg(feature = "sasl")]
pub use scram::scram;

/// What the fuzzer has chosen, taken off from the front; zeros once there is no more.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    fn are_over(&self) -> bool {
        self.0.is_empty()
    }
}
