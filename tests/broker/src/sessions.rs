//! Fetch sessions (KIP-227): what a consumer fetches, kept by the broker, so that requests and answers say only what
//! has changed.

use crate::random::Random;
use klamm::ErrorCode;
use klamm::wire::Uuid;
use std::collections::BTreeMap;

/// How a request names a topic: by its id since Fetch 13 (KIP-516).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicKey {
    Name(String),
    Id(Uuid),
}

/// One partition that a consumer wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicKey,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: usize,
    pub(crate) leader_epoch: i32,
    pub(crate) last_epoch: i32,
}

#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    /// What the consumer was told last.
    high_watermark: i64,
    log_start: i64,
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    by_id: bool,
    /// By the order in which they are served: those that gave records go to the end.
    partitions: BTreeMap<u64, Cached>,
    places: BTreeMap<(TopicKey, i32), u64>,
    next_place: u64,
}

/// The sessions of one broker.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<i32, Session>);

/// In which kind of fetch an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything asked for is answered, and nothing is kept.
    Sessionless,
    /// The same, and a session begins with the answer.
    Full,
    /// Only changes are answered.
    Incremental(i32),
}

/// What an answer says of a partition, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// −1 with an error, so that its end is a change too.
    pub(crate) high_watermark: i64,
    pub(crate) log_start: i64,
    pub(crate) failed: bool,
    pub(crate) has_records: bool,
}

/// The session part of a request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    pub(crate) by_id: bool,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) forgotten: Vec<(TopicKey, i32)>,
}

impl Sessions {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What a request means, with all partitions that it is about.
    pub(crate) fn begin(&mut self, asked: Asked) -> Result<(Kind, Vec<Wanted>), ErrorCode> {
        if asked.epoch <= 0 {
            // Epoch 0 begins a session and −1 does without one; both end the one that is named.
            self.0.remove(&asked.id);
            let kind = if asked.epoch == 0 { Kind::Full } else { Kind::Sessionless };
            return Ok((kind, asked.wanted));
        }
        let session = self.0.get_mut(&asked.id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != asked.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != asked.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        asked.wanted.into_iter().for_each(|wanted| session.want(wanted));
        asked.forgotten.iter().for_each(|key| session.forget(key));
        let wanted: Vec<Wanted> = session.partitions.values().map(|cached| cached.wanted.clone()).collect();
        if wanted.is_empty() {
            self.0.remove(&asked.id);
            return Ok((Kind::Sessionless, wanted));
        }
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        Ok((Kind::Incremental(asked.id), wanted))
    }

    /// Keeps what a full fetch asked for and was told, and gives the session's id; 0 when there is no room.
    pub(crate) fn create(
        &mut self,
        by_id: bool,
        told: impl Iterator<Item = (Wanted, Told)>,
        max: usize,
        random: &mut Random,
    ) -> i32 {
        if self.0.len() >= max {
            return 0;
        }
        let mut session =
            Session { epoch: 1, by_id, partitions: BTreeMap::new(), places: BTreeMap::new(), next_place: 0 };
        for (wanted, told) in told {
            let key = (wanted.topic.clone(), wanted.partition);
            session.want(wanted);
            if let Some(cached) = session.cached(&key) {
                cached.note(told);
            }
        }
        let id = core::iter::repeat_with(|| random.positive()).find(|id| !self.0.contains_key(id));
        let id = id.expect("the iterator is endless");
        self.0.insert(id, session);
        id
    }

    /// Whether an incremental answer has to mention this partition; takes note of it.
    pub(crate) fn tell(&mut self, id: i32, key: &(TopicKey, i32), told: Told) -> bool {
        // A session that has ended since cannot say what is old.
        let Some(session) = self.0.get_mut(&id) else { return true };
        let Some(cached) = session.cached(key) else { return true };
        let changed = cached.note(told);
        if told.has_records {
            session.move_last(key);
        }
        changed
    }
}

impl Session {
    fn cached(&mut self, key: &(TopicKey, i32)) -> Option<&mut Cached> {
        self.partitions.get_mut(self.places.get(key)?)
    }

    fn want(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition);
        if let Some(cached) = self.cached(&key) {
            cached.wanted = wanted;
            return;
        }
        self.partitions.insert(self.next_place, Cached { wanted, high_watermark: -1, log_start: -1 });
        self.places.insert(key, self.next_place);
        self.next_place += 1;
    }

    fn forget(&mut self, key: &(TopicKey, i32)) {
        if let Some(place) = self.places.remove(key) {
            self.partitions.remove(&place);
        }
    }

    fn move_last(&mut self, key: &(TopicKey, i32)) {
        let Some(place) = self.places.get_mut(key) else { return };
        if let Some(cached) = self.partitions.remove(place) {
            *place = self.next_place;
            self.partitions.insert(self.next_place, cached);
            self.next_place += 1;
        }
    }
}

impl Cached {
    fn note(&mut self, told: Told) -> bool {
        let same = self.high_watermark == told.high_watermark && self.log_start == told.log_start;
        self.high_watermark = told.high_watermark;
        self.log_start = told.log_start;
        !same || told.failed || told.has_records
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
