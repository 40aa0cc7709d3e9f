//! What the applications did, record by record, and what they were told.

use std::cell::RefCell;
use std::collections::BTreeMap;

use klamm::{Error, OwnedRecord, Record, RecordMetadata, RecordView};

use crate::rng::Rng;
use crate::transport::Shared;

/// What a record carries. Its number is in its value, or in a header if it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What became of a record.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Nobody was told yet.
    Open,
    Acked {
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
    },
    /// It was accepted and failed.
    Failed(Error),
    /// It was never accepted.
    Refused(Error),
    /// Whoever would have been told let go: it may be in the log or not.
    Dropped,
    /// The call was cancelled before it was accepted.
    Cancelled,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) producer: usize,
    pub(crate) topic: usize,
    /// The partition that was asked for.
    pub(crate) explicit: Option<i32>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) content: Content,
    /// Between which moments it was accepted.
    pub(crate) accepted: Option<(u64, u64)>,
    pub(crate) outcome: Outcome,
}

/// What a consumer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) topic: usize,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) digest: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    /// Counts acceptances.
    pub(crate) moment: u64,
    pub(crate) given: Vec<Vec<Given>>,
    /// By consumer, topic and partition: the offset that comes next.
    pub(crate) positions: BTreeMap<(usize, usize, i32), i64>,
    /// What an application saw that must not be.
    pub(crate) wrong: Vec<String>,
    pub(crate) producing: usize,
    pub(crate) stop: bool,
}

/// What all applications of a run share.
pub(crate) struct Ctx {
    pub(crate) world: Shared,
    pub(crate) ledger: RefCell<Ledger>,
}

impl Ctx {
    pub(crate) fn wrong(&self, what: String) {
        self.ledger.borrow_mut().wrong.push(what);
    }

    /// The number of a new entry.
    pub(crate) fn enter(&self, entry: Entry) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        ledger.entries.push(entry);
        ledger.entries.len() - 1
    }

    /// A moment in the order of acceptances.
    pub(crate) fn moment(&self) -> u64 {
        let mut ledger = self.ledger.borrow_mut();
        ledger.moment += 1;
        ledger.moment
    }

    pub(crate) fn accepted(&self, entry: usize, from: u64, to: u64) {
        self.ledger.borrow_mut().entries[entry].accepted = Some((from, to));
    }

    /// Notes what became of a record; also in the trace.
    pub(crate) fn settle(&self, entry: usize, outcome: Outcome) {
        let mut world = self.world.lock();
        let now = world.now();
        match &outcome {
            Outcome::Acked { partition, offset, .. } => {
                world.trace.note(now, format_args!("record {entry} is at {partition}:{offset}"));
            }
            Outcome::Refused(error) => world.trace.note(now, format_args!("record {entry} is refused: {error}")),
            other => world.trace.note(now, format_args!("record {entry}: {other:?}")),
        }
        drop(world);
        self.ledger.borrow_mut().entries[entry].outcome = outcome;
    }

    pub(crate) fn told(&self, entry: usize, result: Result<RecordMetadata, Error>) {
        let outcome = match result {
            Ok(meta) => {
                Outcome::Acked { partition: meta.partition(), offset: meta.offset(), timestamp_ms: meta.timestamp_ms() }
            }
            Err(error) => Outcome::Failed(error),
        };
        self.settle(entry, outcome);
    }
}

impl Content {
    /// Content that nobody else has, because `number` is in it; its bytes have these bits.
    pub(crate) fn new(rng: &mut Rng, number: u64, value_max: usize, bits: u8) -> Content {
        let mut headers: Vec<(String, Option<Vec<u8>>)> = Vec::new();
        if rng.chance(2_000) {
            for _ in 0..rng.range(1, 3) {
                let value = rng.chance(7_000).then(|| bytes(rng, 12, bits));
                headers.push((format!("h{}", rng.below(2)), value));
            }
        }
        let value = if rng.chance(500) {
            headers.push(("number".into(), Some(number.to_be_bytes().to_vec())));
            None
        } else {
            let mut value = number.to_be_bytes().to_vec();
            let more = rng.index(value_max.max(9) - 8);
            value.extend(bytes(rng, more + 1, bits));
            Some(value)
        };
        let key = match rng.below(10) {
            0..4 => None,
            4 => Some(Vec::new()),
            _ => Some(format!("key {}", rng.below(40)).into_bytes()),
        };
        Content { key, value, headers }
    }

    pub(crate) fn record<'a>(&'a self, topic: &'a str) -> Record<'a> {
        let mut record = Record::to(topic);
        if let Some(key) = &self.key {
            record = record.key(key);
        }
        if let Some(value) = &self.value {
            record = record.value(value);
        }
        for (name, value) in &self.headers {
            record = match value {
                Some(value) => record.header(name, value),
                None => record.null_header(name),
            };
        }
        record
    }

    pub(crate) fn of_view(record: &RecordView<'_>) -> Content {
        let header = |h: klamm::RecordHeader<'_>| {
            (String::from_utf8_lossy(h.key_bytes).into_owned(), h.value.map(<[u8]>::to_vec))
        };
        Content {
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record.headers().map(header).collect(),
        }
    }

    /// The number that is in it.
    pub(crate) fn number(&self) -> Option<usize> {
        let from = match &self.value {
            Some(value) => value.as_slice(),
            None => self.headers.iter().find(|(name, _)| name == "number")?.1.as_deref()?,
        };
        Some(u64::from_be_bytes(*from.first_chunk::<8>()?) as usize)
    }
}

fn bytes(rng: &mut Rng, len: usize, bits: u8) -> Vec<u8> {
    (0..len).map(|_| rng.draw() as u8 & bits).collect()
}

/// A number for a record's offset, time and content.
pub(crate) fn digest(offset: i64, timestamp_ms: i64, content: &Content) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut put = |bytes: Option<&[u8]>| {
        let len = bytes.map_or(u64::MAX, |b| b.len() as u64).to_le_bytes();
        for byte in len.iter().chain(bytes.unwrap_or_default()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    put(Some(&offset.to_le_bytes()));
    put(Some(&timestamp_ms.to_le_bytes()));
    put(content.key.as_deref());
    put(content.value.as_deref());
    for (name, value) in &content.headers {
        put(Some(name.as_bytes()));
        put(value.as_deref());
    }
    hash
}

/// The digest of what a consumer was given.
pub(crate) fn digest_owned(record: OwnedRecord) -> u64 {
    let content = Content {
        key: record.key,
        value: record.value,
        headers: record.headers.into_iter().map(|h| (h.key, h.value)).collect(),
    };
    digest(record.offset, record.timestamp_ms, &content)
}
