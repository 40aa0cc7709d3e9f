//! One partition: look up, produce, fetch once.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};
use core::{future::Future, pin::Pin, task::Poll, time::Duration};

use super::{
    Pair, Request,
    broker::{batch_of, batch_with, packed, records_of},
    codec::Rle,
};
use crate::{
    Class, Codec, Config, Error, ErrorCode, FetchedRecords, Memory, OffsetSpec, PartitionClient, PeerFault, Record,
    RecordBuf, UnknownTopic, broker_role::fetch_request::FetchRequest, link::Use, record::Attributes, sync::Arc,
    wire::api,
};

pub(crate) type Task<T> = Pin<Box<dyn Future<Output = T>>>;
type Fetched = Result<(FetchedRecords, i64), Error>;

pub(crate) fn poll<T>(pair: &Pair, task: &mut Task<T>) -> Poll<T> {
    pair.poll(task.as_mut())
}

pub(crate) fn ready<T: core::fmt::Debug>(pair: &mut Pair, task: &mut Task<T>) -> T {
    pair.turn();
    match poll(pair, task) {
        Poll::Ready(out) => out,
        Poll::Pending => panic!("it goes on"),
    }
}

pub(crate) fn pending<T: core::fmt::Debug>(pair: &mut Pair, task: &mut Task<T>) {
    pair.turn();
    let polled = poll(pair, task);
    assert!(polled.is_pending(), "{polled:?}");
}

fn opening(pair: &Pair, topic: &str, unknown: UnknownTopic) -> Task<Result<PartitionClient, Error>> {
    let builder = pair.client().partition(topic, 0).unknown_topic(unknown);
    Box::pin(builder.build())
}

/// The client of `t-0`, whose leader is broker 1.
pub(crate) fn open(pair: &mut Pair) -> PartitionClient {
    let opening = opening(pair, "t", UnknownTopic::Retry);
    opened(pair, opening)
}

pub(crate) fn opened(pair: &mut Pair, mut opening: Task<Result<PartitionClient, Error>>) -> PartitionClient {
    pending(pair, &mut opening);
    let asked = pair.await_request(api::LIST_OFFSETS, 100);
    pair.answer_offsets(&asked, 0, 7);
    ready(pair, &mut opening).expect("opened")
}

fn fetching(client: &PartitionClient, offset: i64, bytes: core::ops::Range<u32>, ms: u64) -> Task<Fetched> {
    let client = client.clone();
    Box::pin(async move { client.fetch_records(offset, bytes, Duration::from_millis(ms)).await })
}

fn values(records: &FetchedRecords) -> Vec<(i64, String)> {
    let text = |r: crate::RecordView<'_>| String::from_utf8_lossy(r.value().unwrap_or_default()).into_owned();
    records.iter().map(|r| (r.offset(), text(r))).collect()
}

/// How long a fetch lets its broker wait, and for how much.
fn patience(request: &Request) -> (i32, i32) {
    let body: FetchRequest<'_> = request.read();
    (body.max_wait_ms, body.min_bytes)
}

/// Trap 45: a topic that brokers do not know is an error at once, or is looked for until it is there.
#[test]
fn an_unknown_topic_is_what_the_builder_says() {
    let mut pair = Pair::new();
    let unknown = super::TopicSpec {
        name: "later".into(),
        id: super::id(9),
        error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
        leaders: vec![],
    };
    pair.topics.push(unknown);
    let mut strict = opening(&pair, "later", UnknownTopic::Error);
    pending(&mut pair, &mut strict);
    let error = ready(&mut pair, &mut strict).expect_err("nobody knows it");
    assert!(matches!(error, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{error}");
    let mut patient = opening(&pair, "later", UnknownTopic::Retry);
    pending(&mut pair, &mut patient);
    pair.advance_ms(5_000);
    pending(&mut pair, &mut patient);
    (pair.topic("later").error, pair.topic("later").leaders) = (0, vec![(2, 5)]);
    let asked = pair.await_request(api::LIST_OFFSETS, 2_000);
    assert_eq!(asked.node, 2);
    pair.answer_offsets(&asked, 0, 0);
    assert_eq!(ready(&mut pair, &mut patient).expect("there it is").topic(), "later");
}

/// It has `request_timeout_ms`; what stood in the way is named.
#[test]
fn a_topic_that_never_comes_is_not_waited_for_for_ever() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(-1, 5)];
    let mut opening = opening(&pair, "t", UnknownTopic::Retry);
    pending(&mut pair, &mut opening);
    pair.advance_ms(31_000);
    let error = ready(&mut pair, &mut opening).expect_err("nobody leads it");
    let Error::TimedOut { knob: "request_timeout_ms", because: Some(because), .. } = error else { panic!("{error}") };
    assert!(matches!(*because, Error::Broker { code: ErrorCode::LEADER_NOT_AVAILABLE, .. }), "{because}");
}

/// A topic that is gone is an error of the record at once, if the builder said so; and tried again, if not.
#[test]
fn an_unknown_topic_when_producing() {
    for unknown in [UnknownTopic::Error, UnknownTopic::Retry] {
        let mut pair = Pair::new();
        let mut opening = opening(&pair, "t", unknown);
        pending(&mut pair, &mut opening);
        let asked = pair.await_request(api::LIST_OFFSETS, 100);
        pair.answer_offsets(&asked, 0, 7);
        let client = ready(&mut pair, &mut opening).expect("opened");
        let mut task: Task<_> = Box::pin(async move { client.produce([Record::new().value("a")], Codec::None).await });
        pending(&mut pair, &mut task);
        pending(&mut pair, &mut task);
        let request = pair.await_request(api::PRODUCE, 100);
        pair.refuse(&request, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        if unknown == UnknownTopic::Error {
            let error = ready(&mut pair, &mut task).expect_err("it is gone");
            assert!(matches!(error, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{error}");
            assert_eq!(error.fate(), crate::Fate::NotPersisted);
            continue;
        }
        let request = pair.await_request(api::PRODUCE, 2_000);
        pair.acknowledge(&request, 3);
        assert_eq!(ready(&mut pair, &mut task).expect("acknowledged"), [3]);
    }
}

/// Offsets come in order, whatever batches the records fell into; partitions with the same settings share one producer.
#[test]
fn producing_answers_offsets() {
    let mut pair = Pair::new();
    let (client, other) = (open(&mut pair), open(&mut pair));
    let records: Vec<RecordBuf> = (0..3).map(|n| RecordBuf::new().value(vec![n; 400_000])).collect();
    let own = client.clone();
    let mut task: Task<_> = Box::pin(async move {
        let records: Vec<Record<'_>> = records.iter().map(RecordBuf::as_record).collect();
        own.produce(records, Codec::None).await
    });
    pending(&mut pair, &mut task);
    pending(&mut pair, &mut task);
    let mut answered = 0;
    while answered < 3 {
        let request = pair.await_request(api::PRODUCE, 100);
        let batch = pair.batch(&request);
        assert_eq!((batch.producer_id, batch.sequence), (4_001, answered));
        pair.acknowledge(&request, 100 + i64::from(answered) * 10);
        answered += batch.values.len() as i32;
        pair.turn();
    }
    assert_eq!(ready(&mut pair, &mut task).expect("acknowledged"), [100, 101, 120]);
    let mut task: Task<_> = Box::pin(async move { other.produce([Record::to("t").value("x")], Codec::None).await });
    pending(&mut pair, &mut task);
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).producer_id, 4_001);
    pair.acknowledge(&request, 130);
    assert_eq!(ready(&mut pair, &mut task).expect("acknowledged"), [130]);
    assert_eq!((pair.count(api::INIT_PRODUCER_ID), client.partition()), (1, 0));
}

/// A record to somewhere else is a mistake of the program; none of its neighbours is taken.
#[test]
fn a_record_to_another_partition_is_refused() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    for wrong in [Record::to("other").value("a"), Record::new().partition(1).value("a")] {
        let client = client.clone();
        let mut task: Task<_> =
            Box::pin(async move { client.produce([Record::new().value("first"), wrong], Codec::None).await });
        let error = ready(&mut pair, &mut task).expect_err("it belongs elsewhere");
        assert!(matches!(error, Error::Config { knob: "record", .. }), "{error}");
    }
    pair.advance_ms(100);
    assert_eq!(pair.count(api::PRODUCE), 0);
}

/// Trap 22: records before the offset are dropped. Room is promised before it is asked, the records hold theirs, and all of
/// it comes back.
#[test]
fn records_are_fetched_once() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 11, 1..1_000_000, 400);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    assert_eq!(pair.wanted(&request), [("t".into(), 0, 11, 1_000_000)]);
    assert_eq!((pair.session(&request), patience(&request).1), ((0, -1), 1));
    assert!(pair.client().budget().promised() > 1_000_000);
    pair.bring(&request, 0, 0, &[batch_of(10, &["a", "b"]), batch_of(12, &["c"])].concat());
    let (records, high_watermark) = ready(&mut pair, &mut task).expect("fetched");
    assert_eq!(values(&records), [(11, "b".into()), (12, "c".into())]);
    assert_eq!((records.len(), records.next_offset(), high_watermark), (2, 13, 1_000));
    let budget = pair.client().budget();
    assert_eq!(budget.promised(), 0);
    assert!(budget.leased(Class::Fetch) > 0, "they lie there");
    drop(records);
    assert_eq!(budget.leased(Class::Fetch), 0);
}

/// A fetch that waits is asked in pieces, of 500 ms alone and of 50 ms for two on one connection; it is over when its time
/// is, or when there is as much as it wants.
#[test]
fn a_wait_is_cut_into_pieces() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 10, 100..1_000, 1_200);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    assert_eq!(patience(&request), (500, 100));
    let mut second = fetching(&client, 10, 1..1_000, 60_000);
    pending(&mut pair, &mut second);
    let beside = pair.expect(api::FETCH);
    assert_eq!((beside.link, patience(&beside)), (request.link, (50, 1)));
    pair.advance_ms(500);
    pair.bring(&request, 0, 0, &[]);
    let request = pair.expect(api::FETCH);
    assert_eq!(patience(&request).0, 50);
    pair.bring(&beside, 0, 0, &batch_of(10, &["a"]));
    assert_eq!(ready(&mut pair, &mut second).expect("fetched").0.len(), 1);
    pair.advance_ms(50);
    // Less than it wants, and there is time.
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    pending(&mut pair, &mut task);
    let request = pair.expect(api::FETCH);
    assert_eq!(patience(&request), (500, 100));
    pair.advance_ms(500);
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    let request = pair.expect(api::FETCH);
    assert!((1..=150).contains(&patience(&request).0), "{}", patience(&request).0);
    pair.advance_ms(200);
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
}

/// Trap 78: what must not wait lets its broker wait a millisecond all the same. Nothing is an answer.
#[test]
fn nothing_is_an_answer() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 10, 1..1_000, 0);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    assert_eq!(patience(&request), (1, 1));
    pair.bring(&request, 0, 0, &[]);
    let (records, high_watermark) = ready(&mut pair, &mut task).expect("fetched");
    assert_eq!((records.is_empty(), records.next_offset(), high_watermark), (true, 10, 1_000));
}

/// Traps 23 and 26: what has no record for the application moves where the next fetch begins, and is not asked for again.
#[test]
fn what_has_no_records_is_passed() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let empty = batch_with(10, Attributes::default(), 0, vec![]);
    let control = batch_with(11, Attributes::default().with(Attributes::CONTROL), 1, records_of(&["marker"]));
    let mut task = fetching(&client, 10, 1..1_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.bring(&request, 0, 0, &[empty, control].concat());
    let (records, _) = ready(&mut pair, &mut task).expect("fetched");
    assert_eq!((records.len(), records.is_empty(), records.next_offset()), (0, true, 12));
}

/// Who has moved is found; what is out of range is told at once.
#[test]
fn a_fetch_follows_the_leader() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 10, 1..1_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    assert_eq!(request.node, 1);
    pair.topic("t").leaders[0] = (3, 6);
    pair.fail_fetch(&request, 0, 0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let request = pair.await_request(api::FETCH, 2_000);
    assert_eq!(request.node, 3);
    pair.topic("t").leaders[0] = (2, 7);
    pair.hang_up(request.link);
    let request = pair.await_request(api::FETCH, 5_000);
    assert_eq!(request.node, 2);
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
    let mut task = fetching(&client, 99, 1..1_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.fail_fetch(&request, 0, 0, ErrorCode::OFFSET_OUT_OF_RANGE);
    let error = ready(&mut pair, &mut task).expect_err("out of range");
    assert!(matches!(error, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{error}");
    assert_eq!(pair.client().budget().promised(), 0);
}

/// Traps 21 and 77: a batch that is larger than what was asked for is fetched all the same, if it can ever be held; else it is
/// named with the knob. The link lives.
#[test]
fn a_batch_larger_than_asked_for() {
    let mut config = Config::new("one:9001");
    config.memory = Memory { fetch_bytes: 64 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let client = open(&mut pair);
    let most = pair.client().budget().limit(Class::Fetch);
    let mut task = fetching(&client, 10, 1..100, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    let whole = batch_of(10, &[&"x".repeat(most / 2)]);
    // Cut off, as a broker does it that gives no more than it is asked for.
    pair.bring(&request, 0, 0, &whole[..100]);
    let request = pair.expect(api::FETCH);
    assert!(pair.wanted(&request)[0].3 as usize >= whole.len());
    pair.bring(&request, 0, 0, &whole);
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
    // Whole, and no room for it now: it comes when there is.
    let held = pair.client().budget().limit(Class::Fetch) - 9_000;
    let held = crate::Budget::lease(&Arc::clone(&pair.machine.shared().budget), Class::Fetch, held).expect("room");
    let mut task = fetching(&client, 10, 1..100, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.bring(&request, 0, 0, &whole);
    pending(&mut pair, &mut task);
    assert!(pair.take(api::FETCH).is_none(), "there is no room to ask for it");
    drop(held);
    let request = pair.await_request(api::FETCH, 100);
    assert_eq!(pair.links().iter().filter(|l| **l == request.link).count(), 1);
    pair.bring(&request, 0, 0, &whole);
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
    // Never.
    let mut task = fetching(&client, 10, 1..100, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.bring(&request, 0, 0, &batch_of(10, &[&"x".repeat(most)]));
    let error = ready(&mut pair, &mut task).expect_err("too large");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(format!("{error}").contains("memory.fetch_bytes"), "{error}");
}

/// Nobody waits any more: it is not asked again, and what came is let go.
#[test]
fn a_fetch_that_is_dropped_is_over() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 10, 1..1_000, 60_000);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    drop(task);
    pair.bring(&request, 0, 0, &[]);
    pair.advance_ms(5_000);
    assert_eq!(pair.count(api::FETCH), 1);
    let mut task = fetching(&client, 10, 1..1_000, 60_000);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    drop(task);
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    pair.turn();
    assert_eq!((pair.client().budget().leased(Class::Fetch), pair.client().budget().promised()), (0, 0));
}

/// As many compressed batches are inflated as there is room for; the rest is fetched again. Damage is named.
#[test]
fn compressed_batches_as_far_as_there_is_room() {
    let mut config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 100 }));
    config.memory = Memory { inflate_bytes: 16 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let client = open(&mut pair);
    let text = "y".repeat(6_000);
    let piece = |offset| packed(Codec::Gzip, offset, &[&text]);
    let mut task = fetching(&client, 10, 1..100_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.bring(&request, 0, 0, &(10..16).flat_map(piece).collect::<Vec<u8>>());
    let (records, _) = ready(&mut pair, &mut task).expect("fetched");
    assert!((1..6).contains(&records.len()), "{records:?}");
    assert_eq!(records.next_offset(), 10 + records.len() as i64);
    // All room is held: the next one waits for it.
    let mut task = fetching(&client, 13, 1..100_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    pair.bring(&request, 0, 0, &packed(Codec::Gzip, 13, &[&"z".repeat(12_000)]));
    pending(&mut pair, &mut task);
    pair.advance_ms(100);
    pending(&mut pair, &mut task);
    drop(records);
    pair.advance_ms(100);
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
    let mut task = fetching(&client, 13, 1..100_000, 100);
    pending(&mut pair, &mut task);
    let request = pair.await_request(api::FETCH, 100);
    let mut damaged = batch_of(13, &["damaged"]);
    *damaged.last_mut().expect("bytes") ^= 1;
    pair.bring(&request, 0, 0, &damaged);
    let error = ready(&mut pair, &mut task).expect_err("damaged");
    assert!(matches!(error, Error::Peer { fault: PeerFault::Batch { offset: 13, .. }, .. }), "{error}");
}

/// What makes no sense is refused before anybody is asked.
#[test]
fn a_fetch_must_make_sense() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    for (offset, bytes, knob) in [(-1, 1..10, "offset"), (0, 10..10, "bytes")] {
        let mut task = fetching(&client, offset, bytes, 10);
        let error = ready(&mut pair, &mut task).expect_err("no sense");
        assert!(matches!(&error, Error::Config { knob: k, .. } if *k == knob), "{error}");
    }
    assert_eq!(pair.count(api::FETCH), 0);
}

/// A fetch with a wait has that besides the usual time; who never answers is named.
#[test]
fn a_fetch_that_is_never_answered() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let mut task = fetching(&client, 10, 1..1_000, 10_000);
    pending(&mut pair, &mut task);
    pair.await_request(api::FETCH, 100);
    assert!(pair.link_to(1, Use::Fetch).0 > 0);
    pair.advance_ms(39_000);
    pending(&mut pair, &mut task);
    pair.advance_ms(2_000);
    let error = ready(&mut pair, &mut task).expect_err("never answered");
    assert!(matches!(error, Error::TimedOut { knob: "request_timeout_ms", .. }), "{error}");
    let mut task: Task<_> = Box::pin(async move { client.offset(OffsetSpec::Timestamp(5)).await });
    pending(&mut pair, &mut task);
    let asked = pair.await_request(api::LIST_OFFSETS, 2_000);
    assert_eq!(pair.asked_offsets(&asked)[0].2, 5);
    pair.answer_offsets(&asked, 0, -1);
    assert_eq!(ready(&mut pair, &mut task), Ok(None));
}

/// A leader that is dead and still said to lead is asked about again until another one does: nothing is lost or answered then
/// that would tell.
#[test]
fn a_dead_leader_is_looked_up_again() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    pair.topic("t").leaders[0] = (2, 6);
    pair.down.insert(2);
    let mut task = fetching(&client, 10, 1..1_000, 100);
    pending(&mut pair, &mut task);
    pair.advance_ms(6_000);
    assert!(pair.count(api::METADATA) < 30, "{} times", pair.count(api::METADATA));
    pending(&mut pair, &mut task);
    pair.topic("t").leaders[0] = (3, 7);
    let request = pair.await_request(api::FETCH, 3_000);
    assert_eq!(request.node, 3);
    pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
    assert_eq!(ready(&mut pair, &mut task).expect("fetched").0.len(), 1);
}

/// Hundreds of fetches at the same time are all asked, as far as there is room, and all answered. One more than `max_waiters`
/// is refused.
#[test]
fn many_fetches_at_once() {
    let mut pair = Pair::with(Config { max_waiters: 300, ..Config::new("one:9001") });
    let client = open(&mut pair);
    let mut tasks: Vec<Task<Fetched>> = (0..301).map(|_| fetching(&client, 10, 1..1_000, 60_000)).collect();
    tasks.iter_mut().for_each(|task| drop(poll(&pair, task).map(|out| out.map(drop))));
    pair.turn();
    let error = ready(&mut pair, &mut tasks[300]).expect_err("one too many");
    assert!(matches!(error, Error::Budget { knob: "max_waiters", .. }), "{error}");
    tasks.truncate(300);
    for _ in 0..2_000 {
        while let Some(request) = pair.take(api::FETCH) {
            pair.bring(&request, 0, 0, &batch_of(10, &["a"]));
        }
        tasks.retain_mut(|task| match poll(&pair, task) {
            Poll::Ready(out) => out.expect("fetched").0.is_empty(),
            Poll::Pending => true,
        });
        pair.advance_ms(1);
    }
    assert!(tasks.is_empty(), "{} were not answered", tasks.len());
}

/// Of transactions only committed records are fetched, as rskafka's partition client asks for them, unless it is said otherwise.
#[test]
fn committed_records_are_fetched() {
    use super::committed::{aborted, marker, of, with_aborted};
    use crate::{IsolationLevel, broker_role::list_offsets_request::ListOffsetsRequest};

    let memory = Memory { fetch_bytes: 64 << 10, ..Memory::default() };
    let batches = [of(7, batch_of(10, &["a"])), batch_of(11, &["c"]), marker(7, 12, 0)].concat();
    for (level, asked) in [(None, 1), (Some(IsolationLevel::ReadUncommitted), 0)] {
        let mut pair = Pair::with(Config { memory, ..Config::new("one:9001") });
        let builder = pair.client().partition("t", 0);
        let builder = level.into_iter().fold(builder, |builder, level| builder.isolation_level(level));
        let mut opening: Task<_> = Box::pin(builder.build());
        pending(&mut pair, &mut opening);
        let request = pair.await_request(api::LIST_OFFSETS, 100);
        assert_eq!(request.read::<ListOffsetsRequest<'_>>().isolation_level, asked);
        pair.answer_offsets(&request, 0, 7);
        let client = ready(&mut pair, &mut opening).expect("opened");

        let mut task = fetching(&client, 10, 1..10_000, 100);
        pending(&mut pair, &mut task);
        let request = pair.await_request(api::FETCH, 100);
        assert_eq!(request.read::<FetchRequest<'_>>().isolation_level, asked);
        let list = [aborted(7, 10)];
        with_aborted(&mut pair, &request, if asked == 1 { &list } else { &[] }, &batches);
        let (records, _) = ready(&mut pair, &mut task).expect("fetched");
        let expected: &[(i64, &str)] = if asked == 1 { &[(11, "c")] } else { &[(10, "a"), (11, "c")] };
        let read = values(&records);
        assert_eq!(read.iter().map(|(at, text)| (*at, &**text)).collect::<Vec<_>>(), expected);
        assert_eq!(records.next_offset(), 13, "behind the marker");
        drop(records);

        if asked == 1 {
            let mut task = fetching(&client, 10, 1..10_000, 100);
            pending(&mut pair, &mut task);
            let request = pair.await_request(api::FETCH, 100);
            let many: Vec<_> = (0..3_000).map(|producer| aborted(producer, 2)).collect();
            with_aborted(&mut pair, &request, &many, &batches);
            let error = ready(&mut pair, &mut task).expect_err("the list can never fit");
            assert!(matches!(error, Error::TooLarge { next_offset: Some(13), .. }), "{error}");
            assert!(format!("{error}").contains("memory.fetch_bytes"), "{error}");
        }
    }
}
