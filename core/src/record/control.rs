//! Control records: the markers that end transactions (KIP-98).

/// What a control record says. Its key is a version and a type, 16 bits each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlType {
    /// The producer's open transaction was aborted.
    Abort,
    /// The producer's open transaction was committed.
    Commit,
    /// Something for brokers, for clients of the future, or nothing that can be read: to be skipped.
    Other,
}

impl ControlType {
    /// The type in a control record's key.
    ///
    /// A version after 0 is read like 0, as Java does: a marker that went unnoticed would leave a transaction open for
    /// ever. Keys that cannot be read are [`Other`](ControlType::Other), because a control record is never worth
    /// stopping a consumer.
    pub fn of_key(key: Option<&[u8]>) -> ControlType {
        let Some(&[v1, v0, t1, t0, ..]) = key else { return ControlType::Other };
        match (i16::from_be_bytes([v1, v0]), i16::from_be_bytes([t1, t0])) {
            (0.., 0) => ControlType::Abort,
            (0.., 1) => ControlType::Commit,
            _ => ControlType::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 27: what is not known is skipped.
    #[test]
    fn unknown_keys_are_skipped() {
        let of = |key: &[u8]| ControlType::of_key(Some(key));
        assert_eq!(of(&[0, 0, 0, 0]), ControlType::Abort);
        assert_eq!(of(&[0, 0, 0, 1]), ControlType::Commit);
        assert_eq!(of(&[0, 0, 0, 2]), ControlType::Other);
        assert_eq!(of(&[0, 0, 0x7f, 0xff]), ControlType::Other);
        assert_eq!(of(&[0, 0, 0xff, 0xff]), ControlType::Other);
        assert_eq!(of(&[0, 9, 0, 0]), ControlType::Abort);
        assert_eq!(of(&[0, 9, 0, 1]), ControlType::Commit);
        assert_eq!(of(&[0, 9, 0, 1, 5, 5]), ControlType::Commit);
        assert_eq!(of(&[0xff, 0xff, 0, 1]), ControlType::Other);
        assert_eq!(of(&[0, 0, 0]), ControlType::Other);
        assert_eq!(of(&[]), ControlType::Other);
        assert_eq!(ControlType::of_key(None), ControlType::Other);
    }
}
