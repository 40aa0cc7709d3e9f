//! What is told beside the work: each kind of event, its words, and that nothing of a record is in them.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::pin::pin;

use super::{
    Pair, TopicSpec,
    broker::{batch_of, packed},
    codec::Rle,
    failure,
    fetching::{error, next, nothing, records},
    id, offset,
};
use crate::{
    Acks, Class, Codec, Config, Consumer, ErrorCode, Event, Memory, Observe, Producer, Record, ResetPolicy, StartAt,
    broker_role::produce_response::{
        BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
        TopicProduceResponse,
    },
    link::Use,
    sync::{Arc, LeafLock},
    wire::api,
};

/// What is in the records of these tests, and must be in no event.
pub(crate) const MARK: &str = "not-for-any-log";

/// Everything that was told, as `level name: words`.
#[derive(Default)]
pub(crate) struct Seen(LeafLock<Vec<String>>);

/// The kinds that any test of this process has met.
static MET: LeafLock<BTreeSet<&'static str>> = LeafLock::new(BTreeSet::new());

impl Observe for Seen {
    fn observe(&self, event: &Event<'_>) {
        let line = format!("{} {}: {event}", event.level(), event.name());
        assert!(!line.contains('\n'), "one line each");
        assert!(!format!("{line} {event:?}").contains(MARK), "{line} {event:?}");
        assert!(is_in_the_table(event), "{line}: the table in event/mod.rs says otherwise");
        MET.lock().insert(event.name());
        self.0.lock().push(line);
    }
}

impl Seen {
    /// What was told since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock())
    }

    /// What was told of a kind since anything was last asked.
    fn of(&self, name: &str) -> Vec<String> {
        let of = |line: &String| line.split(' ').nth(1) == Some(&format!("{name}:"));
        self.take().into_iter().filter(of).collect()
    }

    /// The one event of a kind.
    pub(crate) fn one(&self, name: &str) -> String {
        let mut all = self.of(name);
        assert_eq!(all.len(), 1, "{name}: {all:#?}");
        all.remove(0)
    }
}

/// Whether the documentation has the event, with its level.
fn is_in_the_table(event: &Event<'_>) -> bool {
    let kind: String = event.name().split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let row = format!("//! | [`{kind}`](Event::{kind}) | ");
    let rows = include_str!("../event/mod.rs").lines().filter_map(|line| line.strip_prefix(&*row));
    let level = event.level().to_string();
    rows.filter(|rest| rest.split('|').next().is_some_and(|levels| levels.contains(&level))).count() == 1
}

pub(crate) fn watched_with(config: Config) -> (Pair, Arc<Seen>) {
    let seen: Arc<Seen> = Arc::default();
    (Pair::with(config.observer(seen.clone())), seen)
}

fn watched() -> (Pair, Arc<Seen>) {
    watched_with(Config::new("one:9001"))
}

/// A producer whose partition 0 has been written to once.
fn producing() -> (Pair, Arc<Seen>, Producer) {
    let (mut pair, seen) = watched();
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&ticket), 0);
    (pair, seen, producer)
}

fn reading(config: Config, policy: ResetPolicy) -> (Pair, Arc<Seen>, Consumer, super::Request) {
    let (mut pair, seen) = watched_with(config);
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).on_out_of_range(policy);
    let consumer = builder.build().expect("builds");
    let request = pair.expect(api::FETCH);
    seen.take();
    (pair, seen, consumer, request)
}

/// From the first dial to the first record: who is connected to for what, what is known, and which id is given.
#[test]
fn a_beginning_is_told_in_order() {
    let (_pair, seen, _producer) = producing();
    let told = seen.take();
    let expected = [
        "debug connecting: connecting to one:9001 for control",
        "info connected: connected to one:9001 for control; it speaks Produce 13, Fetch 18",
        "debug metadata_renewed: metadata is renewed: 3 brokers, 1 topics, 3 partitions",
        "debug producer_id_given: producer id 4001 in epoch 0",
        "debug connecting: connecting to broker 1 (one:9001) for produce",
        "info connected: connected to broker 1 (one:9001) for produce; it speaks Produce 13, Fetch 18",
    ];
    assert_eq!(told, expected);
}

/// A broker that refuses: each try is told with its number and its pause, and there are no more of them than the back-off
/// lets through.
#[test]
fn failed_dials_follow_the_back_off() {
    let (mut pair, seen) = watched();
    pair.down = [1].into();
    pair.advance_ms(20_000);
    let dials = pair.dialled.len();
    let told = seen.of("connect_failed");
    assert_eq!(told.len(), dials);
    assert!((15..30).contains(&dials), "{dials}");
    let start = "warn connect_failed: could not connect to one:9001 for control: connect failed: refused; ";
    for (i, line) in (1..).zip(&told) {
        let rest = line.strip_prefix(start).unwrap_or_else(|| panic!("{line}"));
        assert!(rest.starts_with(&format!("{i} in a row, tried again after ")), "{line}");
    }
}

/// A connection that is lost with a batch open: that, the batch that goes again, and the new connection, in that order.
#[test]
fn a_lost_connection_is_told_with_what_was_open() {
    let (mut pair, seen, producer) = producing();
    seen.take();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.hang_up(request.link);
    let again = pair.await_request(api::PRODUCE, 2_000);
    pair.acknowledge(&again, 1);
    assert_eq!(offset(&ticket), 1);
    let told: Vec<String> = seen.take().into_iter().filter(|line| !line.contains("metadata")).collect();
    let starts = [
        "warn connection_lost: lost the connection to broker 1 (one:9001) for produce: I/O failed: the broker closed the \
         connection; 1 requests were open, opened again after ",
        "warn batch_retried: a batch of 1 records to t-0 is sent again after ",
        "debug connecting: connecting to broker 1 (one:9001) for produce",
        "info connected: connected to broker 1 (one:9001) for produce",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (line, start) in told.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(told[1].contains(", 1 in a row: no broker could be reached: one:9001: I/O failed"), "{}", told[1]);
}

/// Ends that nobody needs to worry about are told apart from lost connections.
#[test]
fn connections_that_nobody_needs_are_closed_quietly() {
    let (mut pair, seen, _producer) = producing();
    seen.take();
    pair.hang_up(pair.link_to(1, Use::Produce));
    let idle = "debug connection_closed: closed the connection to broker 1 (one:9001) for produce: the broker closed it, \
                nothing was open";
    assert_eq!(seen.take(), [idle]);

    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let (mut pair, seen, consumer, _request) = reading(config, ResetPolicy::Fail);
    pair.nodes[0].1 = "moved\u{1b}[2J".into();
    pair.advance_ms(1_500);
    let told = seen.take();
    let moved = "debug connection_closed: closed the connection to broker 1 (one:9001) for fetch: the cluster does not list that \
                 address any more";
    assert!(told.iter().any(|line| line == moved), "{told:#?}");
    let anew = "debug connecting: connecting to broker 1 (moved?[2J:9001) for fetch";
    assert!(told.iter().any(|line| line == anew), "what is not printable is not printed: {told:#?}");
    drop(consumer);
    pair.turn();
    let unused = seen.one("connection_closed");
    assert!(unused.ends_with(" for fetch: nobody waits for it any more"), "{unused}");
}

/// Leaders that move, go and come, and a topic that is made anew; what is first learned is no news.
#[test]
fn leaders_that_move_are_told_once() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let (mut pair, seen) = watched_with(config);
    let _consumer = pair.client().consumer().topics(["t"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.advance_ms(3_000);
    assert_eq!(seen.of("leader_changed"), Vec::<String>::new());
    pair.topic("t").leaders = vec![(2, 6), (-1, 6), (3, 5)];
    pair.advance_ms(1_500);
    let expected = [
        "info leader_changed: broker 2 leads t-0 in epoch 6; broker 1 did",
        "info leader_changed: nobody leads t-1; broker 2 did",
    ];
    assert_eq!(seen.of("leader_changed"), expected);
    pair.topic("t").leaders[1] = (1, 7);
    pair.advance_ms(3_000);
    assert_eq!(seen.one("leader_changed"), "info leader_changed: broker 1 leads t-1 in epoch 7; nobody did");
    pair.topic("t").id = id(9);
    pair.topic("t").leaders = vec![(1, 0)];
    pair.advance_ms(1_500);
    assert_eq!(seen.one("topic_replaced"), "warn topic_replaced: topic t was deleted and made anew");
    pair.advance_ms(5_000);
    assert_eq!(seen.of("leader_changed"), Vec::<String>::new());
}

/// Metadata that does not come, or not whole.
#[test]
fn metadata_that_fails_is_told() {
    let (mut pair, seen) = watched();
    pair.by_hand.insert(api::METADATA.key);
    let request = pair.expect(api::METADATA);
    pair.hang_up(request.link);
    pair.turn();
    let failed = seen.one("metadata_failed");
    assert!(failed.starts_with("debug metadata_failed: metadata was not to be had; asked again after "), "{failed}");
    let producer = pair.client().producer().build().expect("builds");
    let _ = producer.try_enqueue(Record::to("absent").value("a"));
    let request = pair.await_request(api::METADATA, 2_000);
    pair.answer_metadata(&request);
    let renewed = "debug metadata_renewed: metadata is renewed: 3 brokers, 1 topics, 0 partitions; something is missing, it is \
                   asked for again";
    assert_eq!(seen.one("metadata_renewed"), renewed);
}

/// What a broker says of batches: again, never, in parts; and what a new epoch begins.
#[test]
fn batches_are_told_with_codes_and_without_a_brokers_words() {
    let (mut pair, seen, producer) = producing();
    seen.take();
    let record = Record::to("t").partition(0).key(MARK).value(MARK).header(MARK, MARK);
    let ticket = pair.enqueue(&producer, record);
    let request = pair.expect(api::PRODUCE);
    pair.refuse(&request, ErrorCode::NOT_ENOUGH_REPLICAS);
    let retried = seen.one("batch_retried");
    assert!(retried.starts_with("warn batch_retried: a batch of 1 records to t-0 is sent again after "), "{retried}");
    assert!(retried.ends_with("ms, 1 in a row: delivery to t-0: NOT_ENOUGH_REPLICAS(19)"), "{retried}");

    // A broker may say what it likes, a record's value for instance.
    let request = pair.await_request(api::PRODUCE, 2_000);
    pair.answer_produce(&request, 0, |_, p| PartitionProduceResponse {
        error_code: ErrorCode::INVALID_RECORD.0,
        error_message: Some(MARK),
        record_errors: &[BatchIndexAndErrorMessage { batch_index: 0, batch_index_error_message: Some(MARK) }],
        ..p
    });
    assert!(failure(&ticket).to_string().contains(MARK), "the application is told");
    let failed = "error batch_failed: 1 records to t-0 failed for good: delivery to t-0: INVALID_RECORD(87)";
    assert_eq!(seen.one("batch_failed"), failed);

    let values = ["b", "c"];
    let tickets = values.map(|v| pair.enqueue(&producer, Record::to("t").partition(0).value(v)));
    let request = pair.expect(api::PRODUCE);
    let raised = "info epoch_raised: the sequence of t-0 begins anew: producer id 4001 in epoch 1";
    assert_eq!(seen.one("epoch_raised"), raised);
    pair.refuse(&request, ErrorCode::MESSAGE_TOO_LARGE);
    let split = seen.one("batch_split");
    assert!(split.starts_with("info batch_split: a batch of 2 records and "), "{split}");
    for at in 0..2 {
        let request = pair.await_request(api::PRODUCE, 2_000);
        pair.acknowledge(&request, 7 + at);
    }
    assert_eq!(tickets.each_ref().map(offset), [7, 8]);
}

/// Records that run out of time, with the last thing that went wrong.
#[test]
fn batches_that_expire_are_told_with_what_went_wrong_last() {
    let (mut pair, seen, producer) = producing();
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.down = [1, 2, 3].into();
    pair.hang_up(request.link);
    seen.take();
    pair.advance_ms(121_000);
    let expired = seen.one("batch_expired");
    let start =
        "error batch_expired: 1 records to t-0 were not delivered within 120s (delivery_timeout_ms): no broker could";
    assert!(expired.starts_with(start) && expired.ends_with("; they may be in the log"), "{expired}");
}

/// Ids that are not to be had, and producers that want none.
#[test]
fn producer_ids_are_told() {
    let (mut pair, seen) = watched();
    pair.by_hand.insert(api::INIT_PRODUCER_ID.key);
    let producer = pair.client().producer().build().expect("builds");
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::INIT_PRODUCER_ID);
    pair.hang_up(request.link);
    pair.turn();
    let failed = seen.one("producer_id_failed");
    assert!(failed.starts_with("warn producer_id_failed: no producer id; asked for again after "), "{failed}");
    let _leader = pair.client().producer().acks(Acks::Leader).build().expect("builds");
    pair.turn();
    let plain = "info not_idempotent: a producer with acks leader is not idempotent: retries may write records twice";
    assert_eq!(seen.one("not_idempotent"), plain);
}

/// A quota's pause.
#[test]
fn a_quota_is_told() {
    let (mut pair, seen, producer) = producing();
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.answer_produce(&request, 250, |_, p| p);
    let throttled = "info throttled: broker 1 (one:9001) asks for a pause of 250ms for produce: a quota is used up";
    assert_eq!(seen.one("throttled"), throttled);
}

/// Positions: found, out of range with what each policy does, refused for the moment, and stopped.
#[test]
fn positions_are_told() {
    for (policy, done) in [
        (ResetPolicy::Earliest, "reading goes on at the oldest record"),
        (ResetPolicy::Latest, "reading goes on after the newest record"),
        (ResetPolicy::Fail, "it is not read until the application seeks"),
    ] {
        let (mut pair, seen, _consumer, request) = reading(Config::new("one:9001"), policy);
        pair.fail_fetch(&request, 77, 0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let retried = seen.one("fetch_retried");
        let start = "warn fetch_retried: t-0 cannot be read now: NOT_LEADER_OR_FOLLOWER(6); asked for again after ";
        assert!(retried.starts_with(start), "{retried}");
        let request = pair.await_request(api::FETCH, 2_000);
        pair.fail_fetch(&request, 77, 0, ErrorCode::OFFSET_OUT_OF_RANGE);
        let told = seen.take();
        assert!(
            told.contains(&format!("warn offset_out_of_range: offset 10 of t-0 is out of range; {done}")),
            "{told:#?}"
        );
        if policy == ResetPolicy::Fail {
            let stopped = "error partition_stopped: t-0 is not read until the application seeks: fetch of t-0 at offset 10: \
                           OFFSET_OUT_OF_RANGE(1)";
            assert_eq!(told.last().map(|s| &**s), Some(stopped));
            continue;
        }
        let request = pair.await_request(api::LIST_OFFSETS, 2_000);
        pair.answer_offsets(&request, 0, -5);
        let retried = seen.one("fetch_retried");
        assert!(retried.contains("t-0 cannot be read now: UNKNOWN_SERVER_ERROR"), "{retried}");
        let request = pair.await_request(api::LIST_OFFSETS, 2_000);
        pair.answer_offsets(&request, 0, 3);
        assert_eq!(seen.one("position_found"), "debug position_found: t-0 is read from offset 3");
    }
}

/// A topic that nobody knows: told at the first answer that lacks it, however long it goes on, and again after it was there.
#[test]
fn a_topic_that_nobody_knows_is_told_once() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let (mut pair, seen) = watched_with(config);
    let mut consumer =
        pair.client().consumer().topics(["later", "t"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let unknown = "warn topic_unknown: brokers do not know topic later; it is read as soon as they do, and not said again \
                   until then";
    assert_eq!(seen.one("topic_unknown"), unknown);
    pair.advance_ms(60_000);
    assert_eq!(seen.of("topic_unknown"), Vec::<String>::new());
    nothing(&pair, &mut consumer);
    let later = TopicSpec { name: "later".to_string(), id: id(2), error: 0, leaders: vec![(1, 0)] };
    pair.topics.push(later);
    pair.advance_ms(2_500);
    assert_eq!(consumer.assignment().len(), 4);
    pair.topics.pop();
    pair.advance_ms(30_000);
    assert_eq!(seen.one("topic_unknown"), unknown);
    let _another = pair.client().consumer().assign([("later", 0)]).build().expect("builds");
    pair.advance_ms(2_000);
    assert_eq!(seen.one("topic_unknown"), unknown, "to each consumer");
    nothing(&pair, &mut consumer);
}

/// Batches that are too large for their fetch: told the first time only.
#[test]
fn a_batch_that_is_fetched_alone_is_told_once_a_partition() {
    let (mut pair, seen, mut consumer, mut request) = reading(Config::new("one:9001"), ResetPolicy::Fail);
    for at in 10..13 {
        let batch = batch_of(at, &["larger than its fetch"]);
        pair.bring(&request, 77, 0, &batch[..70]);
        let alone = pair.expect(api::FETCH);
        pair.bring(&alone, 0, 0, &batch);
        assert_eq!(records(&pair, &mut consumer).len(), 1);
        request = pair.expect(api::FETCH);
    }
    let told = seen.one("fetched_alone");
    assert!(told.starts_with("info fetched_alone: the batch of t-0 at offset 10 did not fit beside others"), "{told}");
}

/// Damaged batches are fetched again, unreadable ones stop their partition; the application has the error.
#[test]
fn damaged_and_unreadable_batches_are_told() {
    let config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 100 }));
    let (mut pair, seen, mut consumer, request) = reading(config, ResetPolicy::Fail);
    let mut damaged = batch_of(10, &["a"]);
    *damaged.last_mut().expect("not empty") ^= 1;
    pair.bring(&request, 77, 0, &damaged);
    let _told = error(&pair, &mut consumer);
    let request = pair.expect(api::FETCH);
    let again = "warn batch_refetched: records of t-0 came damaged, and are fetched again from offset 10";
    assert_eq!(seen.one("batch_refetched"), again);
    pair.answer_fetch(&request, 77, 0, &[]);
    let request = pair.expect(api::FETCH);
    let mut unreadable = packed(Codec::Lz4, 10, &["a"]);
    unreadable[61..].fill(0);
    let (header, records) = unreadable.split_at_mut(61);
    crate::record::seal_crc(header.first_chunk_mut().expect("a header"), core::iter::once(&*records));
    pair.bring(&request, 77, 0, &unreadable);
    let _told = error(&pair, &mut consumer);
    pair.turn();
    let stopped = "error partition_stopped: t-0 is not read until the application seeks; next() has said why";
    assert_eq!(seen.one("partition_stopped"), stopped);
}

/// Fills the Fetch class with records that the application keeps, until a fetch waits for room.
fn kept(fetch_bytes: usize) -> (Pair, Arc<Seen>, Consumer, Vec<crate::Records>) {
    let mut config = Config::new("one:9001");
    config.memory = Memory { fetch_bytes, ..config.memory };
    let (mut pair, seen, mut consumer, request) = reading(config, ResetPolicy::Fail);
    let mut request = Some(request);
    let (mut kept, mut at) = (Vec::new(), 10);
    while let Some(open) = request {
        pair.bring(&open, 77, 0, &batch_of(at, &[&"x".repeat(6_000)]));
        kept.push(records(&pair, &mut consumer));
        at += 1;
        request = pair.take(api::FETCH);
    }
    seen.take();
    (pair, seen, consumer, kept)
}

/// Records that the application keeps: told when a fetch has waited for 5 s, with who holds what, once a minute, and not any
/// more once they are dropped.
#[test]
fn kept_records_are_told_after_a_while_and_once_a_minute() {
    let (mut pair, seen, consumer, kept) = kept(32 << 10);
    pair.advance_ms(4_900);
    assert_eq!(seen.of("records_kept"), Vec::<String>::new());
    pair.advance_ms(200);
    let told = seen.one("records_kept");
    let held = pair.client().budget().leased(Class::Fetch);
    let who = format!(
        "of 32768 bytes (memory.fetch_bytes) {held} are held, {held} of them by records that the application keeps; drop"
    );
    assert!(told.starts_with("warn records_kept: a fetch has waited for 16384 bytes of fetch memory for 5"), "{told}");
    assert!(told.contains(&who), "{told}");
    pair.advance_ms(59_000);
    assert_eq!(seen.of("records_kept"), Vec::<String>::new(), "not twice in a minute");
    pair.advance_ms(1_100);
    assert_eq!(seen.of("records_kept").len(), 1);
    drop(kept);
    pair.expect(api::FETCH);
    pair.advance_ms(20_000);
    assert_eq!(seen.of("records_kept"), Vec::<String>::new());
    drop(consumer);
}

/// A full queue that the application does not read is no reason for a warning: nobody keeps anything.
#[test]
fn a_slow_reader_is_not_warned() {
    let mut config = Config::new("one:9001");
    config.memory = Memory { fetch_bytes: 32 << 10, ..config.memory };
    let (mut pair, seen, consumer, request) = reading(config, ResetPolicy::Fail);
    let (mut request, mut at) = (Some(request), 10);
    while let Some(open) = request {
        pair.bring(&open, 77, 0, &batch_of(at, &[&"x".repeat(6_000)]));
        at += 1;
        request = pair.take(api::FETCH);
    }
    pair.advance_ms(100_000);
    assert_eq!(seen.of("records_kept"), Vec::<String>::new());
    drop(consumer);
}

/// The same for room to inflate, which `next()` waits for.
#[test]
fn kept_records_that_were_inflated_are_told_too() {
    let mut config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 100 }));
    config.memory = Memory { inflate_bytes: 20 << 10, ..config.memory };
    let (mut pair, seen, mut consumer, request) = reading(config, ResetPolicy::Fail);
    let value = "x".repeat(8_000);
    let batches: Vec<u8> = (10..15).flat_map(|offset| packed(Codec::Lz4, offset, &[&value])).collect();
    pair.bring(&request, 77, 0, &batches);
    let mut kept = Vec::new();
    while let core::task::Poll::Ready(Ok(Some(records))) = next(&pair, &mut consumer) {
        kept.push(records);
    }
    pair.advance_ms(6_000);
    let told = seen.one("records_kept");
    assert!(
        told.contains("next(), or a batch that is to be split, has waited for")
            && told.contains("(memory.inflate_bytes)"),
        "{told}"
    );
    assert!(told.contains(", 100 by producers and consumers"), "{told}");
    pair.advance_ms(50_000);
    assert_eq!(seen.of("records_kept"), Vec::<String>::new());
    drop(kept);
}

/// A cluster with more brokers than may be remembered: what the others lead is led by nobody, and that is said once.
#[test]
fn brokers_that_are_left_out_are_told() {
    let (mut pair, seen) = watched_with(Config { max_brokers: 2, ..Config::new("one:9001") });
    let producer = pair.client().producer().build().expect("builds");
    let _first = pair.enqueue(&producer, Record::to("t").partition(0).value("led by one that is remembered"));
    let request = pair.expect(api::PRODUCE);
    let left_out =
        "warn brokers_left_out: 1 brokers are left out, with what they lead: only 2 are remembered (max_brokers)";
    assert_eq!(seen.one("brokers_left_out"), left_out);
    // A refusal that names the new leader names one broker, and says nothing of the others (KIP-951).
    let parts = [PartitionProduceResponse {
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER.0,
        current_leader: LeaderIdAndEpoch { leader_id: 2, leader_epoch: 6 },
        ..Default::default()
    }];
    let topics = [TopicProduceResponse { name: "", topic_id: id(1), partition_responses: &parts }];
    let endpoints = [NodeEndpoint { node_id: 2, host: "two", port: 9_002, rack: None }];
    let body = ProduceResponse { responses: &topics, node_endpoints: &endpoints, ..Default::default() };
    pair.answer(&request, &body);
    pair.advance_ms(300_000);
    assert_eq!(seen.of("brokers_left_out"), Vec::<String>::new());
    pair.nodes.truncate(2);
    pair.advance_ms(300_000);
    pair.nodes.push((3, "three".into(), 9_003));
    pair.advance_ms(300_000);
    assert_eq!(seen.one("brokers_left_out"), left_out);
}

/// A full buffer that nothing leaves, and tasks that are refused because too many wait for it.
#[test]
fn a_full_buffer_and_too_many_waiters_are_told() {
    let mut config = Config::new("one:9001").memory_total(512 << 10);
    config.max_waiters = 2;
    let (mut pair, seen) = watched_with(config);
    let builder = pair.client().producer().batch_bytes(64 << 10);
    let producer = builder.build().expect("builds");
    let value = "x".repeat(20_000);
    let record = || Record::to("t").partition(0).value(&value);
    let mut tickets = Vec::from([pair.enqueue(&producer, record())]);
    while let Ok(ticket) = producer.try_enqueue(record()) {
        tickets.push(ticket);
    }
    let mut waiting = (pin!(producer.enqueue(record())), pin!(producer.enqueue(record())));
    assert!(pair.poll(waiting.0.as_mut()).is_pending());
    assert!(pair.poll(waiting.1.as_mut()).is_pending());
    seen.take();
    for _ in 0..3 {
        assert!(pair.poll(pin!(producer.enqueue(record()))).is_ready(), "refused");
    }
    pair.turn();
    let refused = "warn waiters_full: 3 tasks were refused because 2 wait already (max_waiters)";
    assert_eq!(seen.one("waiters_full"), refused);
    assert!(pair.poll(waiting.0.as_mut()).is_pending(), "woken for a look");
    assert!(pair.poll(waiting.1.as_mut()).is_pending());
    assert!(pair.poll(pin!(producer.enqueue(record()))).is_ready(), "refused");
    pair.advance_ms(6_000);
    let told = seen.take();
    let full: Vec<&String> = told.iter().filter(|line| line.contains(" produce_full: ")).collect();
    assert!(matches!(full[..], [line] if line.contains("(memory.produce_bytes)")), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains(" waiters_full: ")), "once a minute");
    pair.advance_ms(55_000);
    let again = seen.one("waiters_full");
    assert!(again.contains(" 1 tasks "), "{again}");
}

/// The end: what is left over, and nothing of what ends with it.
#[test]
fn the_end_is_told_with_what_is_left_over() {
    let mut config = Config::new("one:9001");
    config.close_timeout_ms = 10_000;
    let (mut pair, seen) = watched_with(config);
    let producer = pair.client().producer().build().expect("builds");
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let _silent = pair.expect(api::PRODUCE);
    seen.take();
    drop(producer);
    pair.drop_client();
    pair.advance_ms(10_000);
    let closing = "info closing: closing; what is in the buffers has 10s (close_timeout_ms)";
    assert_eq!(seen.take(), [closing, "warn closed: closed; 1 records were left over"]);

    let (mut pair, seen, producer) = producing();
    drop(producer);
    pair.drop_client();
    seen.take();
    pair.turn();
    assert_eq!(seen.take().last().map(|line| &**line), Some("info closed: closed"));
}

/// A kind that comes too often is told so many times in ten seconds; the rest is counted.
#[test]
fn a_flood_is_counted() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let (mut pair, seen) = watched_with(config);
    pair.topic("t").leaders = vec![(1, 5); 500];
    let _consumer = pair.client().consumer().topics(["t"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    seen.take();
    pair.topic("t").leaders = vec![(2, 6); 500];
    pair.advance_ms(2_000);
    assert_eq!(seen.of("leader_changed").len(), 64);
    pair.advance_ms(11_000);
    let left_out = "warn left_out: 436 more events of kind leader_changed were left out";
    assert_eq!(seen.of("left_out"), [left_out]);
}

/// No kind is without a test here.
#[test]
fn every_kind_is_told_by_some_script() {
    a_beginning_is_told_in_order();
    failed_dials_follow_the_back_off();
    a_lost_connection_is_told_with_what_was_open();
    connections_that_nobody_needs_are_closed_quietly();
    leaders_that_move_are_told_once();
    metadata_that_fails_is_told();
    batches_are_told_with_codes_and_without_a_brokers_words();
    batches_that_expire_are_told_with_what_went_wrong_last();
    producer_ids_are_told();
    a_quota_is_told();
    positions_are_told();
    brokers_that_are_left_out_are_told();
    a_topic_that_nobody_knows_is_told_once();
    a_batch_that_is_fetched_alone_is_told_once_a_partition();
    damaged_and_unreadable_batches_are_told();
    kept_records_are_told_after_a_while_and_once_a_minute();
    a_full_buffer_and_too_many_waiters_are_told();
    the_end_is_told_with_what_is_left_over();
    a_flood_is_counted();
    let met = MET.lock().clone();
    let missing: Vec<_> = crate::event::NAMES.into_iter().filter(|name| !met.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
