//! What a fetch brought, partition by partition.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use super::{
    Fetcher, Fetching, Stage,
    head::{batch_end, first_batch},
};
use crate::{
    Error, Instant,
    budget::Class,
    cluster::{Cluster, TopicIndex, is_stale_metadata},
    code::ErrorCode,
    config::{FETCH_LEAST, ResetPolicy, StartAt},
    consumer::{Aborted, NoMemory, shared::Fetched},
    error::PeerFault,
    event::Event,
    link::LinkId,
    machine::Frame,
    record::{BatchError, Batches},
    sync::Arc,
    wire::{
        Decode, Reader,
        api::FETCH,
        fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData},
    },
};

/// A sound broker answers at once, though it has nothing, when something has changed; not more often than this in a row.
const HASTY_MAX: u32 = 8;

impl Fetcher {
    /// A whole answer.
    pub(crate) fn on_fetched(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        fetching: Fetching,
        mut frame: Frame<'_>,
    ) {
        let response = match FetchResponse::decode(&mut frame.reader, version) {
            Ok(response) => response,
            Err(error) => {
                let fault = PeerFault::Malformed { api: FETCH.name, error };
                cluster.on_fault(now, link, fault);
                return self.on_fetch_lost(now, cluster, fetching);
            }
        };
        self.landed(&fetching);
        cluster.throttle(now, link, response.throttle_time_ms);
        let code = ErrorCode(response.error_code);
        if !code.is_ok() {
            return self.session_refused(now, cluster, &fetching, code);
        }
        if fetching.alone.is_none()
            && let Some(session) = self.sessions.get_mut(&fetching.node)
        {
            session.advance(response.session_id);
        }
        for node in response.node_endpoints.iter().take(cluster.config.max_brokers) {
            cluster.hint_broker(now, node.node_id, node.host, node.port);
        }
        if let Some(part) = fetching.alone.and_then(|at| self.parts.get_mut(at)) {
            part.alone = None;
        }
        let (mut agrees, mut pieces, mut cut) = (true, Vec::new(), Vec::new());
        for topic in response.responses.iter() {
            let index = topic_of(cluster, &topic);
            agrees &= index.is_some();
            for answer in topic.partitions.iter() {
                // What was not asked for, or was asked for before a seek, is dropped (traps 74 and 82).
                let Some((at, generation, offset)) = self.asked_for(&fetching, index, answer.partition_index) else {
                    agrees = false;
                    continue;
                };
                if self.parts[at].generation == generation && self.parts[at].stage == Stage::Fetch(offset) {
                    match self.on_partition(now, cluster, at, offset, &answer, &frame) {
                        Brought::Piece(piece) => pieces.push(piece),
                        Brought::Cut(batch) => cut.push((at, offset, batch)),
                        Brought::Lacks(lacks) => self.lacks_memory(now, cluster, &fetching, (at, offset), lacks),
                        Brought::Nothing => {}
                    }
                }
            }
        }
        self.slow_down(now, &fetching, pieces.is_empty() && cut.is_empty() && response.throttle_time_ms <= 0);
        if pieces.is_empty() {
            self.ask_again(cluster, &fetching, cut);
        } else {
            cluster.used(link);
            self.shared.deliver(pieces.into_iter());
        }
        self.agreed(now, cluster, &fetching, agrees);
    }

    /// A broker that tells of more than it was asked for has another idea of the session, and would do so at once each time: as in
    /// Java's client, the session begins anew.
    fn agreed(&mut self, now: Instant, cluster: &mut Cluster, fetching: &Fetching, agrees: bool) {
        if !agrees {
            self.session_refused(now, cluster, fetching, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        } else if fetching.alone.is_none()
            && let Some(session) = self.sessions.get_mut(&fetching.node)
        {
            session.failures = 0;
        }
    }

    /// A broker that again and again has nothing and does not wait for it to come would be asked as fast as the network is:
    /// its partitions wait instead.
    fn slow_down(&mut self, now: Instant, fetching: &Fetching, has_nothing: bool) {
        let Some(session) = self.sessions.get_mut(&fetching.node) else { return };
        let is_hasty = has_nothing && now < fetching.waits_until;
        session.hasty = if is_hasty { session.hasty.saturating_add(1) } else { 0 };
        if session.hasty <= HASTY_MAX || fetching.alone.is_some() {
            return;
        }
        for at in fetching.parts.keys() {
            if let Some(part) = self.parts.get_mut(*at).filter(|part| part.retry_at <= now) {
                part.retry_at = fetching.waits_until;
            }
        }
    }

    /// Batches of which not even one came whole. Only one that nothing else came with is too large for its fetch; one that
    /// was cut off behind others comes first another time.
    fn ask_again(&mut self, cluster: &Cluster, fetching: &Fetching, cut: Vec<(usize, i64, TooLong)>) {
        for (at, offset, batch) in cut {
            let needed = batch.needed;
            if fetching.alone.is_some() && needed <= fetching.max_bytes {
                // It was asked for alone, with room for all of it: to ask once more would go on for ever.
                let error = self.damaged(at, offset, BatchError::Truncated { needed, have: fetching.max_bytes });
                self.stop(cluster, at, error);
            } else {
                self.ask_alone(at, offset, batch, cluster);
            }
        }
    }

    /// The partition that an answer tells of, with the generation and offset that were asked.
    fn asked_for(&self, fetching: &Fetching, index: Option<TopicIndex>, partition: i32) -> Option<(usize, u32, i64)> {
        let at = self.at(index?, u32::try_from(partition).ok()?)?;
        let (generation, offset) = fetching.parts.get(&at).copied()?;
        Some((at, generation, offset))
    }

    fn landed(&mut self, fetching: &Fetching) {
        if let Some(session) = self.sessions.get_mut(&fetching.node) {
            session.in_flight = false;
        }
    }

    /// The broker no longer knows the session, or our topic ids: begin anew with a full fetch (traps 14 and 74).
    fn session_refused(&mut self, now: Instant, cluster: &mut Cluster, fetching: &Fetching, code: ErrorCode) {
        let mut again = false;
        if let Some(session) = self.sessions.get_mut(&fetching.node) {
            session.forget();
            again = session.failures > 0;
            session.failures = session.failures.saturating_add(1);
        }
        let forgotten = matches!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND | ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        if forgotten && !again {
            return;
        }
        if !(code.is_retriable() || is_stale_metadata(code)) {
            // It may pass all the same, but somebody should know why nothing comes.
            let what = alloc::format!("fetch from {}", cluster.address(fetching.node));
            self.shared.report(Error::broker(code, what, None));
        }
        cluster.refresh_metadata();
        for at in fetching.parts.keys() {
            self.refused(now, cluster, *at, code);
        }
    }

    fn on_partition(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: usize,
        offset: i64,
        answer: &PartitionData<'_>,
        frame: &Frame<'_>,
    ) -> Brought {
        let code = ErrorCode(answer.error_code);
        if !code.is_ok() {
            self.on_partition_error(now, cluster, at, offset, answer, code);
            return Brought::Nothing;
        }
        let records = answer.records.unwrap_or_default();
        if records.is_empty() {
            return Brought::Nothing;
        }
        let (len, next_offset) = match whole_batches(records, offset) {
            Ok(Whole::Batches { len, next_offset }) => (len, next_offset),
            Ok(Whole::Partial { needed }) => {
                return Brought::Cut(TooLong { needed, next_offset: batch_end(Reader::new(records)).ok() });
            }
            Err(error) => {
                let error = self.damaged(at, offset, error);
                self.stop(cluster, at, error);
                return Brought::Nothing;
            }
        };
        let records = records.get(..len).unwrap_or_default();
        let kept = match frame.leased {
            Some(leased) => Some(leased.slice_ref(records)),
            // Small answers are read where connections read ahead; their records move to memory of their own.
            None => cluster.budget.copied(Class::Fetch, records),
        };
        let Some(bytes) = kept else {
            self.rest(now, cluster, at);
            return Brought::Nothing;
        };
        let held = frame.leased.map_or(records.len(), Bytes::len);
        let aborted = match self.left_out(cluster, answer, records, held) {
            Ok(aborted) => aborted,
            Err(lacks) => return Brought::Lacks((lacks, next_offset)),
        };
        let part = &mut self.parts[at];
        part.failures = 0;
        part.alone = None;
        if next_offset <= offset {
            // A broker that gives only what was before would be asked for the same at once, for ever.
            self.rest(now, cluster, at);
            return Brought::Nothing;
        }
        part.stage = Stage::Fetch(next_offset);
        Brought::Piece(Fetched {
            part: at,
            generation: part.generation,
            bytes,
            start: offset,
            next_offset,
            high_watermark: answer.high_watermark,
            aborted,
        })
    }

    /// What nobody is to see of these batches, where only committed records are read.
    fn left_out(
        &self,
        cluster: &Cluster,
        answer: &PartitionData<'_>,
        batches: &[u8],
        held: usize,
    ) -> Result<Option<Arc<Aborted>>, NoMemory> {
        let committed = self.shared.config.reads_committed();
        let list = answer.aborted_transactions.filter(|list| committed && !list.is_empty());
        list.map(|list| Aborted::new(list, batches, held, &cluster.budget)).transpose()
    }

    /// No room for that: it is asked for again when others have given theirs back, or without the others of its answer. Where it
    /// came alone and will never fit, to ask once more would go on for ever.
    fn lacks_memory(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        fetching: &Fetching,
        (at, offset): (usize, i64),
        (lacks, next_offset): (NoMemory, i64),
    ) {
        if !lacks.is_for_good() {
            return self.rest(now, cluster, at);
        }
        let next_offset = Some(next_offset).filter(|next| *next > offset);
        if fetching.parts.len() > 1 {
            // So much its answer may have, that what must be known of it still fits beside it.
            let needed = cluster.budget.limit(Class::Fetch) / 2;
            return self.ask_alone(at, offset, TooLong { needed, next_offset }, cluster);
        }
        let part = &self.parts[at];
        let error = lacks.error(&part.name, part.partition as i32, offset, next_offset);
        self.stop(cluster, at, error);
    }

    fn on_partition_error(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: usize,
        offset: i64,
        answer: &PartitionData<'_>,
        code: ErrorCode,
    ) {
        let (topic, partition) = (self.parts[at].topic, self.parts[at].partition);
        let what = || alloc::format!("fetch of {}-{partition} at offset {offset}", self.parts[at].name);
        if code == ErrorCode::OFFSET_OUT_OF_RANGE {
            // Only this code resets, and only this partition (trap 68).
            let policy = self.parts[at].reset;
            cluster.events.tell(|| Event::OffsetOutOfRange { place: self.parts[at].place(), offset, policy });
            let to = match policy {
                ResetPolicy::Earliest => StartAt::Earliest,
                ResetPolicy::Latest => StartAt::Latest,
                ResetPolicy::Fail => {
                    let error = Error::broker(code, what(), None);
                    return self.stop(cluster, at, error);
                }
            };
            self.parts[at].stage = Stage::Begin(to);
            let again = self.parts[at].failures > 0;
            self.parts[at].failures = self.parts[at].failures.saturating_add(1);
            if again {
                // What ListOffsets said was out of range too.
                self.rest(now, cluster, at);
            }
            return;
        }
        if !(code.is_retriable() || is_stale_metadata(code)) {
            // Trap 35: KIP-110. A newer version is not to be had, or else it would have been asked with.
            let zstd = code == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE;
            let why = zstd.then_some("records compressed with zstd need a broker that speaks Fetch 10");
            let error = Error::broker(code, what(), why);
            return self.stop(cluster, at, error);
        }
        let hint = &answer.current_leader;
        if cluster.hint_leader(topic, partition, hint.leader_id, hint.leader_epoch) {
            return;
        }
        if is_stale_metadata(code) {
            cluster.refresh_metadata();
        }
        self.refused(now, cluster, at, code);
    }

    fn damaged(&self, at: usize, offset: i64, error: BatchError) -> Error {
        let part = &self.parts[at];
        let (topic, partition) = (String::from(&*part.name), part.partition as i32);
        Error::Peer { address: "fetched records".into(), fault: PeerFault::Batch { topic, partition, offset, error } }
    }

    /// A batch larger than what it was asked with: the next fetch has it alone, with the room that it needs. One that
    /// can never fit is reported once, with what a seek must pass (traps 21 and 77).
    fn ask_alone(&mut self, at: usize, offset: i64, batch: TooLong, cluster: &Cluster) {
        let TooLong { needed, next_offset } = batch;
        let limit = cluster.budget.limit(Class::Fetch);
        let room = needed.saturating_add(ONE_PARTITION);
        if room <= limit {
            let part = &mut self.parts[at];
            part.alone = Some(room);
            if !core::mem::replace(&mut part.told_alone, true) {
                cluster.events.tell(|| Event::FetchedAlone { place: part.place(), offset, bytes: room });
            }
            return;
        }
        let part = &self.parts[at];
        let what = alloc::format!("the batch of {}-{} at offset {offset}", part.name, part.partition);
        let error = Error::Budget { class: Class::Fetch, needed: room, limit, knob: Class::Fetch.knob() };
        // What is not behind it would only bring it again.
        let next_offset = next_offset.filter(|next| *next > offset);
        self.stop(cluster, at, Error::TooLarge { what, because: alloc::boxed::Box::new(error), next_offset });
    }

    /// An answer for which there was no buffer: its partitions are asked for one by one.
    pub(crate) fn on_fetch_refused(&mut self, cluster: &mut Cluster, fetching: Fetching, refused: Refused<'_>) {
        let Refused { version, head, len } = refused;
        self.landed(&fetching);
        if let Some(session) = self.sessions.get_mut(&fetching.node) {
            session.forget();
        }
        let alone = fetching.alone.is_some() || fetching.parts.len() == 1;
        for (at, (generation, offset)) in fetching.parts.iter() {
            let Some(part) = self.parts.get(*at).filter(|p| p.generation == *generation) else { continue };
            let partition = part.partition as i32;
            let needed = if alone { len } else { cluster.budget.limit(Class::Fetch) / 2 };
            let first = first_batch(head, version).filter(|first| first.partition == partition);
            let next_offset = first.map(|first| first.next_offset);
            self.ask_alone(*at, *offset, TooLong { needed, next_offset }, cluster);
        }
    }

    /// No answer came: ask again after a pause.
    pub(crate) fn on_fetch_lost(&mut self, now: Instant, cluster: &mut Cluster, fetching: Fetching) {
        self.landed(&fetching);
        if let Some(session) = self.sessions.get_mut(&fetching.node) {
            session.forget();
        }
        for (at, (generation, _)) in fetching.parts {
            if self.parts.get(at).is_some_and(|p| p.generation == generation) {
                self.rest(now, cluster, at);
            }
        }
    }
}

/// What an answer has for a partition.
enum Brought {
    Piece(Fetched),
    /// Not even one whole batch.
    Cut(TooLong),
    /// It is whole, but there is no room for what must be known beside it; behind it is that offset.
    Lacks((NoMemory, i64)),
    Nothing,
}

/// A batch that did not come whole.
struct TooLong {
    /// Bytes that it takes.
    needed: usize,
    /// After its last record, if that much of it came.
    next_offset: Option<i64>,
}

/// An answer for which there was no buffer.
pub(crate) struct Refused<'a> {
    pub(crate) version: i16,
    /// Its first bytes.
    pub(crate) head: Reader<'a>,
    /// All of its bytes.
    pub(crate) len: usize,
}

/// What an answer has around the records of a single partition.
pub(crate) const ONE_PARTITION: usize = 512;

fn topic_of(cluster: &Cluster, answer: &FetchableTopicResponse<'_>) -> Option<TopicIndex> {
    match answer.topic_id.is_zero() {
        true => cluster.topic_by_name(answer.topic),
        false => cluster.topic_by_id(answer.topic_id),
    }
}

/// What lies at the front of a partition's records.
pub(crate) enum Whole {
    Batches { len: usize, next_offset: i64 },
    Partial { needed: usize },
}

/// How many bytes are whole batches, and where the next fetch goes on: after the last batch's last offset, which
/// compaction and control records may have left without a record (traps 23 to 26). What comes before a batch that cannot
/// be read is handed out first: the next fetch then begins with that batch, and the error names its offset (trap 20).
pub(crate) fn whole_batches(records: &[u8], offset: i64) -> Result<Whole, BatchError> {
    let mut batches = Batches::new(records);
    let mut next_offset = offset;
    let mut any = false;
    for batch in batches.by_ref() {
        match batch {
            Ok(batch) => next_offset = next_offset.max(batch.next_offset()),
            Err(_) if next_offset > offset => break,
            Err(error) => return Err(error),
        }
        any = true;
    }
    match any {
        true => Ok(Whole::Batches { len: records.len() - batches.tail(), next_offset }),
        // Too little even to say how long it is: asked for with a fetch of a usual size.
        false => Ok(Whole::Partial { needed: batches.needed().unwrap_or(FETCH_LEAST) }),
    }
}
