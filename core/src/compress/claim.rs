//! Room for output of a size that nobody knows.

use super::{Full, Room};

/// Room for output whose size is not known yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// How many bytes may come.
    pub granted: usize,
    /// Why it is less than was asked for.
    pub full: Option<Full>,
}

/// For decoders: makes room for `most` bytes, or for as many as there can be. Only an output that comes needs them, so a
/// decoder complains ([`CodecError::LimitExceeded`](super::CodecError::LimitExceeded)) when more comes than was granted.
pub fn claim(room: &mut dyn Room, most: usize) -> Claim {
    let Err(full) = room.want(most) else { return Claim { granted: most, full: None } };
    let out = room.out();
    let spare = out.capacity().saturating_sub(out.len());
    let left = full.limit.saturating_sub(out.len()).min(most);
    let granted = if left > spare && room.want(left).is_ok() { left } else { spare.min(left) };
    Claim { granted, full: Some(full) }
}
