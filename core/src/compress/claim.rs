//! Room for output that nobody knows the size of.

use super::{Full, Room};

/// Room for output whose size is not known yet.
pub(super) struct Claim {
    /// How many bytes may come.
    pub(super) granted: usize,
    /// Why it is less than was asked for.
    pub(super) full: Option<Full>,
}

/// Makes room for `most` bytes, or for as many as there can be: only an output that comes needs them, so a decoder
/// complains when it does.
pub(super) fn claim(room: &mut dyn Room, most: usize) -> Claim {
    let Err(full) = room.want(most) else { return Claim { granted: most, full: None } };
    let out = room.out();
    let spare = out.capacity().saturating_sub(out.len());
    let left = full.limit.saturating_sub(out.len()).min(most);
    let granted = if left > spare && room.want(left).is_ok() { left } else { spare.min(left) };
    Claim { granted, full: Some(full) }
}
