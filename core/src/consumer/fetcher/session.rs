//! Incremental fetches (KIP-227): a broker remembers what is asked for, so that only changes are sent.

use crate::{link::LinkId, map::Map, wire::Uuid};

/// What a broker's session knows of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    /// A topic that is made anew has another one, and the session would go on with the old.
    pub(super) topic_id: Uuid,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) max_bytes: i32,
}

/// How long a fetch may wait that others may stand behind, at first and after anything happened on its connection.
const SHARED_WAIT_MS: u32 = 50;

/// A session with one broker.
#[derive(Default)]
pub(super) struct Session {
    /// 0: none yet.
    id: i32,
    /// 0: the next request is full and asks for a session.
    epoch: i32,
    /// By the consumer's number for the partition.
    pub(super) known: Map<usize, Known>,
    /// Whether topics went by id: a session never changes that.
    pub(super) by_id: bool,
    pub(super) in_flight: bool,
    /// The consumer's number for its last request here.
    pub(super) asked: u64,
    /// Where a full request begins, so that a small byte limit is not always spent on the same partitions (trap 76).
    pub(super) rotation: usize,
    /// How often in a row the broker did not know the session.
    pub(super) failures: u32,
    /// How often in a row it had nothing, and did not wait for anything either.
    pub(super) hasty: u32,
    /// How long the last fetch that others might stand behind was allowed to wait, and on which connection, after how many
    /// uses of it.
    shared_wait_ms: u32,
    shared: Option<(LinkId, u32)>,
}

impl Session {
    /// Session id and epoch of the next request.
    pub(super) fn numbers(&self) -> (i32, i32) {
        (self.id, self.epoch)
    }

    /// How long the next fetch may wait that others may stand behind. It doubles while nothing else happens on the connection, so
    /// what comes after a rest finds a fetch there that waits about as long as the rest was, and never longer than `most`.
    pub(super) fn shared_wait_ms(&mut self, uses: (LinkId, u32), most: u32) -> u32 {
        let rests = self.shared.replace(uses) == Some(uses);
        let wait = if rests { self.shared_wait_ms.saturating_mul(2) } else { SHARED_WAIT_MS };
        self.shared_wait_ms = wait.min(most);
        self.shared_wait_ms
    }

    pub(super) fn is_full(&self) -> bool {
        self.epoch == 0
    }

    /// The broker answered, under this session id.
    pub(super) fn advance(&mut self, id: i32) {
        if id == 0 {
            // It keeps no session for us: every request is a full one.
            return self.forget();
        }
        self.id = id;
        // Trap 74: after the largest epoch comes 1, because 0 would ask for a new session.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
    }

    /// The broker and we no longer mean the same: begin anew.
    pub(super) fn forget(&mut self) {
        self.id = 0;
        self.epoch = 0;
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 74: epochs go 0, 1, …, and from the largest to 1; an id of 0 means that there is no session.
    #[test]
    fn epochs_count_and_wrap() {
        let mut s = Session::default();
        assert!(s.is_full());
        s.advance(77);
        assert_eq!(s.numbers(), (77, 1));
        s.epoch = i32::MAX;
        s.advance(77);
        assert_eq!(s.numbers(), (77, 1));
        s.known.insert(0, Known { topic_id: Uuid::ZERO, offset: 0, leader_epoch: 0, max_bytes: 1 });
        s.advance(0);
        assert!(s.is_full() && s.known.is_empty());
    }
}
