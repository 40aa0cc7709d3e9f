//! Fetches: sessions, positions, errors, and answers that are too large, too old or untrue.

use alloc::{format, string::ToString, vec, vec::Vec};
use core::{pin::pin, task::Poll, time::Duration};

use super::{Pair, Request, broker::batch_of};
use crate::{
    Class, Config, Consumer, Error, ErrorCode, Memory, PeerFault, Records, ResetPolicy, StartAt,
    broker_role::{
        fetch_request::FetchRequest,
        fetch_response::{FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData},
    },
    record::BatchError,
    wire::{Uuid, api},
};

/// What `next()` answers now.
pub(crate) fn next(pair: &Pair, consumer: &mut Consumer) -> Poll<Result<Option<Records>, Error>> {
    pair.poll(pin!(consumer.next()))
}

pub(crate) fn values(records: &Records) -> Vec<alloc::string::String> {
    records.iter().map(|r| alloc::string::String::from_utf8_lossy(r.value().unwrap_or_default()).into_owned()).collect()
}

pub(crate) fn records(pair: &Pair, consumer: &mut Consumer) -> Records {
    match next(pair, consumer) {
        Poll::Ready(Ok(Some(records))) => records,
        other => panic!("expected records, not {other:?}"),
    }
}

pub(crate) fn error(pair: &Pair, consumer: &mut Consumer) -> Error {
    match next(pair, consumer) {
        Poll::Ready(Err(error)) => error,
        other => panic!("expected an error, not {other:?}"),
    }
}

pub(crate) fn nothing(pair: &Pair, consumer: &mut Consumer) {
    let answer = next(pair, consumer);
    assert!(answer.is_pending(), "{answer:?}");
}

/// A consumer of partition 0 from offset 10, and its first fetch.
pub(crate) fn at_ten() -> (Pair, Consumer, Request) {
    at_ten_or(ResetPolicy::Fail)
}

fn at_ten_or(policy: ResetPolicy) -> (Pair, Consumer, Request) {
    let mut pair = Pair::new();
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).on_out_of_range(policy);
    let consumer = builder.build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request)[0].2, 10);
    (pair, consumer, request)
}

/// Trap 74: the first fetch of a session is full and has epoch 0; then only what changed is sent, with epochs that count.
/// A partition that an answer leaves out has nothing new and is still asked for.
#[test]
fn a_session_sends_only_what_changed() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let mut consumer = pair.client().consumer().topics(["t"]).from(StartAt::Offset(10)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!((pair.session(&request), pair.wanted(&request).len()), ((0, 0), 2));
    pair.answer_fetch(&request, 77, 0, &[]);
    let request = pair.expect(api::FETCH);
    assert_eq!((pair.session(&request), pair.wanted(&request).len()), ((77, 1), 0));
    pair.bring(&request, 77, 1, &batch_of(10, &["a", "b"]));
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.session(&request), (77, 2));
    let wanted: Vec<_> = pair.wanted(&request).into_iter().map(|(_, p, offset, _)| (p, offset)).collect();
    assert_eq!(wanted, [(1, 12)]);
    assert_eq!(values(&records(&pair, &mut consumer)), ["a", "b"]);
    consumer.pause("t", 0).expect("known");
    pair.answer_fetch(&request, 77, 0, &[]);
    let request = pair.expect(api::FETCH);
    assert_eq!((pair.session(&request), pair.forgotten(&request)), ((77, 3), vec![("t".to_string(), 0)]));
}

/// Trap 75: records that wait to be taken keep their partition in the session. It is not forgotten and added again in
/// turn, and each answer costs one request.
#[test]
fn waiting_records_churn_no_session() {
    let (mut pair, mut consumer, mut request) = at_ten();
    let before = pair.count(api::FETCH);
    for i in 0..5i64 {
        pair.bring(&request, 77, 0, &batch_of(10 + i, &["a"]));
        request = pair.expect(api::FETCH);
        assert_eq!(pair.forgotten(&request), Vec::new());
        assert_eq!(pair.wanted(&request)[0].2, 11 + i);
    }
    assert_eq!(pair.count(api::FETCH) - before, 5);
    let taken: usize = (0..5).map(|_| records(&pair, &mut consumer).len()).sum();
    assert_eq!(taken, 5);
}

/// Trap 74: a session that the broker has lost is begun anew, with everything, from where each partition stands. A broker
/// that loses even new ones is not asked in a circle without a pause.
#[test]
fn a_lost_session_is_begun_anew() {
    for code in [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH] {
        let (mut pair, mut consumer, request) = at_ten();
        pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
        let request = pair.expect(api::FETCH);
        pair.answer_fetch(&request, 0, code.0, &[]);
        let request = pair.expect(api::FETCH);
        assert_eq!((pair.session(&request), pair.wanted(&request)[0].2), ((0, 0), 11));
        assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
        let before = pair.count(api::FETCH);
        pair.answer_fetch(&request, 0, code.0, &[]);
        for _ in 0..200 {
            if let Some(request) = pair.take(api::FETCH) {
                pair.answer_fetch(&request, 0, code.0, &[]);
            }
            pair.advance_ms(10);
        }
        assert!(pair.count(api::FETCH) - before < 12, "{} fetches in two seconds", pair.count(api::FETCH) - before);
    }
}

/// Trap 74: partitions that were never asked for, unknown topics and nonsense numbers in an answer are left alone.
#[test]
fn what_was_not_asked_for_is_ignored() {
    let (mut pair, mut consumer, request) = at_ten();
    let other = batch_of(10, &["x"]);
    let data = |partition_index| PartitionData { partition_index, ..Default::default() };
    let parts: Vec<(&str, PartitionData<'_>, &[u8])> =
        vec![("t", data(1), &other), ("t", data(-1), &other), ("t", data(i32::MAX), &other), ("u", data(0), &other)];
    pair.answer_fetch(&request, 77, 0, &parts);
    pair.turn();
    nothing(&pair, &mut consumer);
    let request = pair.expect(api::FETCH);
    pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
}

/// Trap 74: a broker that answers for a partition which another one was asked for is not listened to.
#[test]
fn only_who_was_asked_is_listened_to() {
    let mut pair = Pair::new();
    let mut consumer = pair.client().consumer().topics(["t"]).from(StartAt::Offset(10)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request).len(), 1);
    let other = (pair.wanted(&request)[0].1 + 1) % 3;
    pair.bring(&request, 77, other, &batch_of(10, &["a"]));
    pair.turn();
    nothing(&pair, &mut consumer);
}

/// Trap 13: no topic ids, no versions that need them, and no session that changes its mind about that.
#[test]
fn without_topic_ids_fetches_stay_with_names() {
    let mut pair = Pair::new();
    pair.versions.insert(api::METADATA.key, (0, 9));
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    let body: FetchRequest<'_> = request.read();
    assert_eq!((request.version, body.topics.iter().next().map(|t| t.topic)), (12, Some("t")));
    pair.bring(&request, 77, 0, &batch_of(0, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
}

/// Trap 14: a topic that was deleted and made anew has another id, and its offsets begin again. The session that knew the
/// old one is not used for the new one, and reading goes on at its beginning.
#[test]
fn a_topic_made_anew_is_fetched_by_its_new_id() {
    for code in [ErrorCode::UNKNOWN_TOPIC_ID, ErrorCode::INCONSISTENT_TOPIC_ID, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR]
    {
        let (mut pair, mut consumer, request) = at_ten_or(ResetPolicy::Latest);
        pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
        assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
        let request = pair.expect(api::FETCH);
        if code == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR {
            pair.answer_fetch(&request, 0, code.0, &[]);
        } else {
            pair.fail_fetch(&request, 77, 0, code);
        }
        pair.topic("t").id = Uuid([9; 16]);
        let before = pair.count(api::FETCH);
        let mut new = None;
        for _ in 0..300 {
            if let Some(asked) = pair.take(api::LIST_OFFSETS) {
                assert_eq!(pair.asked_offsets(&asked), [("t".into(), 0, -2)], "all of it came later than the reader");
                pair.answer_offsets(&asked, 0, 0);
                pair.turn();
            }
            while let Some(request) = pair.take(api::FETCH) {
                let body: FetchRequest<'_> = request.read();
                if body.topics.iter().any(|t| t.topic_id == Uuid([9; 16])) {
                    new = Some((request, pair.count(api::FETCH) - before));
                    break;
                }
                // The broker knows the old id no more, and says so at once.
                let data = PartitionData { error_code: ErrorCode::UNKNOWN_TOPIC_ID.0, ..Default::default() };
                let session = pair.session(&request).0;
                let id = core::mem::replace(&mut pair.topic("t").id, super::id(1));
                pair.answer_fetch(&request, session, 0, &[("t", data, &[])]);
                pair.topic("t").id = id;
            }
            if new.is_some() {
                break;
            }
            pair.advance_ms(10);
        }
        let (request, tries) = new.expect("the new id is asked for");
        assert!(tries < 10, "{tries} fetches on the way");
        assert_eq!((pair.session(&request), pair.wanted(&request)[0].2), ((0, 0), 0), "{code}");
        pair.bring(&request, 78, 0, &batch_of(0, &["b"]));
        assert_eq!(values(&records(&pair, &mut consumer)), ["b"]);
    }
}

/// Trap 14: metadata may tell of the new topic while nothing went wrong yet. The session is begun anew then, too.
#[test]
fn a_new_topic_id_ends_the_session_that_knew_the_old_one() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let mut pair = Pair::with(config);
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    pair.answer_fetch(&request, 77, 0, &[]);
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.session(&request), (77, 1));
    pair.topic("t").id = Uuid([9; 16]);
    pair.advance_ms(1_100);
    pair.answer_fetch(&request, 77, 0, &[]);
    pair.turn();
    // Where nothing says what to do, the application is asked: offsets of the old log mean nothing in the new one.
    let told = error(&pair, &mut consumer);
    assert!(matches!(told, Error::Broker { code: ErrorCode::INCONSISTENT_TOPIC_ID, .. }), "{told}");
    assert!(pair.take(api::FETCH).is_none() && consumer.position("t", 0).is_none());
    consumer.seek("t", 0, StartAt::Offset(3)).expect("known");
    pair.turn();
    let request = pair.expect(api::FETCH);
    let body: FetchRequest<'_> = request.read();
    assert_eq!(pair.session(&request), (0, 0));
    assert_eq!(body.topics.iter().next().map(|t| t.topic_id), Some(Uuid([9; 16])));
    // A broker that is behind still tells of the old topic: that is no third one.
    pair.topic("t").id = super::id(1);
    pair.advance_ms(1_100);
    pair.topic("t").id = Uuid([9; 16]);
    pair.bring(&request, 78, 0, &batch_of(3, &["b"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["b"]);
}

/// A broker whose session has something that nobody asked for tells of it at once, each time: the session begins anew, and
/// if that does not help, a pause follows. What was asked for is taken all the same. Found by fuzzing.
#[test]
fn a_session_with_strangers_begins_anew() {
    let mut pair = Pair::new();
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    pair.answer_fetch(&request, 77, 0, &[]);
    let strange = |pair: &mut Pair, request: &Request| {
        let partitions = [PartitionData {
            partition_index: 0,
            error_code: ErrorCode::UNKNOWN_TOPIC_ID.0,
            high_watermark: -1,
            ..Default::default()
        }];
        let topic = FetchableTopicResponse { topic_id: Uuid([8; 16]), partitions: &partitions, ..Default::default() };
        let body = FetchResponse { session_id: 77, responses: &[topic], ..Default::default() };
        pair.answer(request, &body);
    };
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.session(&request), (77, 1));
    strange(&mut pair, &request);
    let request = pair.expect(api::FETCH);
    assert_eq!((pair.session(&request), pair.wanted(&request).len()), ((0, 0), 1));
    strange(&mut pair, &request);
    pair.turn();
    assert!(pair.take(api::FETCH).is_none(), "asked again at once");
    let request = pair.await_request(api::FETCH, 2_000);
    assert_eq!(pair.session(&request), (0, 0));
    pair.bring(&request, 78, 0, &batch_of(0, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
}

/// Trap 78: some brokers never answer a fetch that may not wait at all; so none is sent, not even one that should be
/// answered at once.
#[test]
fn every_fetch_may_wait_a_little() {
    let mut pair = Pair::new();
    let zero = pair.client().consumer().assign([("t", 0)]).fetch_max_wait(Duration::ZERO).build();
    assert!(matches!(zero, Err(Error::Config { knob: "fetch_max_wait_ms", .. })));
    let _consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(request.read::<FetchRequest<'_>>().max_wait_ms, 500);
    let cut = &batch_of(0, &["a batch that is cut off"])[..70];
    pair.bring(&request, 77, 0, cut);
    let alone = pair.expect(api::FETCH);
    assert!(alone.read::<FetchRequest<'_>>().max_wait_ms >= 1);
}

/// A broker that has nothing and does not wait for it to come is not asked as fast as it answers. What comes in the end is read.
#[test]
fn a_broker_that_never_waits_is_not_asked_in_a_circle() {
    let (mut pair, mut consumer, request) = at_ten();
    let mut open = Some(request);
    for _ in 0..1_000 {
        if let Some(request) = open.take() {
            pair.bring(&request, 77, 0, &[]);
        }
        pair.advance_ms(10);
        open = pair.take(api::FETCH);
    }
    let asked = pair.count(api::FETCH);
    assert!((20..50).contains(&asked), "{asked} fetches in 10 s");
    let request = open.unwrap_or_else(|| pair.await_request(api::FETCH, 1_000));
    pair.bring(&request, 77, 0, &batch_of(10, &["at last"]));
    assert_eq!(records(&pair, &mut consumer).len(), 1);
}

/// Trap 68: only the one error that means it resets a position, only where a policy says so, and only of its partition.
#[test]
fn only_out_of_range_resets_and_only_its_partition() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let mut consumer = pair
        .client()
        .consumer()
        .topics(["t"])
        .from(StartAt::Offset(10))
        .on_out_of_range(ResetPolicy::Earliest)
        .build()
        .expect("builds");
    let request = pair.expect(api::FETCH);
    pair.fail_fetch(&request, 77, 1, ErrorCode::OFFSET_OUT_OF_RANGE);
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 1, -2)]);
    pair.answer_offsets(&asked, 0, 42);
    pair.turn();
    assert_eq!((consumer.position("t", 0), consumer.position("t", 1)), (Some(10), Some(42)));
    let request = pair.expect(api::FETCH);
    pair.answer_fetch(&request, 77, 0, &[]);
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request).iter().map(|w| (w.1, w.2)).collect::<Vec<_>>(), [(1, 42)]);
    nothing(&pair, &mut consumer);
}

/// Trap 68: errors that pass, and a policy to fail, leave the position where it is.
#[test]
fn temporary_errors_never_move_a_position() {
    for code in [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
        ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::REPLICA_NOT_AVAILABLE,
        ErrorCode::CORRUPT_MESSAGE,
    ] {
        let (mut pair, mut consumer, request) = at_ten();
        pair.fail_fetch(&request, 77, 0, code);
        pair.turn();
        nothing(&pair, &mut consumer);
        let request = pair.await_request(api::FETCH, 2_000);
        assert!(pair.take(api::LIST_OFFSETS).is_none(), "{code}");
        pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
        assert_eq!(values(&records(&pair, &mut consumer)), ["a"], "{code}");
    }
    let (mut pair, mut consumer, request) = at_ten();
    pair.fail_fetch(&request, 77, 0, ErrorCode::OFFSET_OUT_OF_RANGE);
    pair.turn();
    assert!(matches!(error(&pair, &mut consumer), Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }));
    assert_eq!(consumer.position("t", 0), Some(10));
    consumer.seek("t", 0, StartAt::Offset(20)).expect("known");
    let request = pair.await_request(api::FETCH, 2_000);
    assert_eq!(pair.wanted(&request)[0].2, 20);
}

/// Trap 16: a code that nobody knows is told, for a partition and for a whole fetch, and neither is asked in a circle.
#[test]
fn unknown_codes_of_fetches_are_told() {
    let (mut pair, mut consumer, request) = at_ten();
    pair.fail_fetch(&request, 77, 0, ErrorCode(200));
    pair.turn();
    assert!(matches!(error(&pair, &mut consumer), Error::Broker { code: ErrorCode(200), .. }));
    let (mut pair, mut consumer, request) = at_ten();
    pair.answer_fetch(&request, 0, 200, &[]);
    pair.turn();
    assert!(matches!(error(&pair, &mut consumer), Error::Broker { code: ErrorCode(200), .. }));
    assert!(pair.take(api::FETCH).is_none());
    let request = pair.await_request(api::FETCH, 200);
    pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
}

/// Trap 47: a new leader that a fetch's refusal names is asked at once, without metadata; a former one is not believed.
#[test]
fn a_named_leader_is_fetched_from_unless_it_is_old_news() {
    for (leader, epoch, expected) in [(2, 6, Some(2)), (3, 5, None), (2, 3, None), (-1, 8, None), (9, 9, None)] {
        let (mut pair, mut consumer, request) = at_ten();
        pair.advance_ms(400);
        let asked = pair.count(api::METADATA);
        let data = PartitionData {
            error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER.0,
            current_leader: LeaderIdAndEpoch { leader_id: leader, leader_epoch: epoch },
            ..Default::default()
        };
        pair.answer_fetch(&request, 77, 0, &[("t", data, &[])]);
        pair.turn();
        assert_eq!(pair.count(api::METADATA) - asked, usize::from(expected.is_none()));
        let request = pair.await_request(api::FETCH, 2_000);
        assert_eq!(request.node, expected.unwrap_or(1));
        assert!(pair.wanted(&request).iter().all(|w| w.2 == 10));
        pair.bring(&request, 78, 0, &batch_of(10, &["a"]));
        assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    }
}

/// Trap 82: what was asked for before a seek is dropped when it comes, whether it had come already or not.
#[test]
fn a_seek_drops_what_was_asked_for_before() {
    let (mut pair, mut consumer, request) = at_ten();
    consumer.seek("t", 0, StartAt::Offset(50)).expect("known");
    pair.bring(&request, 77, 0, &batch_of(10, &["old"]));
    pair.turn();
    nothing(&pair, &mut consumer);
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request)[0].2, 50);
    pair.bring(&request, 77, 0, &batch_of(50, &["new"]));
    pair.turn();
    consumer.seek("t", 0, StartAt::Offset(60)).expect("known");
    nothing(&pair, &mut consumer);
    assert_eq!(consumer.position("t", 0), Some(60));
    assert_eq!(pair.client().budget().leased(Class::Fetch), 0, "what is not wanted any more is let go");
}

/// Trap 82: what was fetched before a pause waits for its end, and is handed out then, once.
#[test]
fn a_pause_keeps_what_is_fetched() {
    let (mut pair, mut consumer, request) = at_ten();
    consumer.pause("t", 0).expect("known");
    pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
    pair.turn();
    nothing(&pair, &mut consumer);
    assert!(pair.take(api::FETCH).is_none(), "nothing is asked for");
    let woken = pair.woken.count();
    consumer.resume("t", 0).expect("known");
    assert!(pair.woken.count() > woken);
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    let request = pair.await_request(api::FETCH, 600);
    assert_eq!(pair.wanted(&request)[0].2, 11);
}

/// Two leaders may both answer for a partition that has just moved: the records come once.
#[test]
fn two_answers_for_one_position_count_once() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 200;
    let mut pair = Pair::with(config);
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).build().expect("builds");
    let old = pair.expect(api::FETCH);
    pair.topic("t").leaders[0] = (2, 6);
    pair.advance_ms(250);
    let new = pair.expect(api::FETCH);
    assert_eq!((old.node, new.node), (1, 2));
    pair.bring(&new, 5, 0, &batch_of(10, &["a", "b"]));
    pair.bring(&old, 6, 0, &batch_of(10, &["a"]));
    pair.turn();
    assert_eq!(values(&records(&pair, &mut consumer)), ["a", "b"]);
    nothing(&pair, &mut consumer);
}

/// A batch larger than its fetch is asked for alone, with room. A broker that cuts it off all the same is told on, not
/// asked for ever.
#[test]
fn a_batch_that_is_always_cut_off_ends_in_an_error() {
    let (mut pair, mut consumer, request) = at_ten();
    let batch = batch_of(10, &["a batch that is cut off"]);
    pair.bring(&request, 77, 0, &batch[..70]);
    let alone = pair.expect(api::FETCH);
    let body: FetchRequest<'_> = alone.read();
    assert_eq!((pair.session(&alone), body.max_bytes as usize >= batch.len()), ((0, -1), true));
    pair.bring(&alone, 0, 0, &batch[..70]);
    pair.turn();
    let error = error(&pair, &mut consumer);
    assert!(
        matches!(
            error,
            Error::Peer { fault: PeerFault::Batch { offset: 10, error: BatchError::Truncated { .. }, .. }, .. }
        ),
        "{error}"
    );
    pair.advance_ms(3_000);
    while let Some(request) = pair.take(api::FETCH) {
        assert_ne!(pair.session(&request), (0, -1));
    }
}

/// Trap 20: batches of an old format in the middle of an answer: what is before them is handed out, then they are named
/// with their own offset, once, and a seek passes them.
#[test]
fn an_old_format_is_named_after_what_is_before_it() {
    let (mut pair, mut consumer, request) = at_ten();
    // Offset 12, 22 bytes, CRC, format 1: more of it is not looked at.
    let mut old = [&12_i64.to_be_bytes()[..], &22_i32.to_be_bytes(), &[0; 4], &[1; 1]].concat();
    old.resize(34, 0);
    pair.bring(&request, 77, 0, &[batch_of(10, &["a", "b"]), old.clone()].concat());
    pair.turn();
    assert_eq!(values(&records(&pair, &mut consumer)), ["a", "b"]);
    let again = pair.expect(api::FETCH);
    pair.bring(&again, 77, 0, &old);
    pair.turn();
    let error = error(&pair, &mut consumer);
    let expected = BatchError::Magic { magic: 1, offset: 12 };
    let Error::Peer { fault: PeerFault::Batch { offset: 12, error, .. }, .. } = error else { panic!("{error}") };
    assert_eq!(error, expected);
    nothing(&pair, &mut consumer);
    consumer.seek("t", 0, StartAt::Offset(13)).expect("read by this consumer");
    let request = pair.await_request(api::FETCH, 1_000);
    pair.bring(&request, 77, 0, &batch_of(13, &["c"]));
    pair.turn();
    assert_eq!(values(&records(&pair, &mut consumer)), ["c"]);
}

/// A batch that can never fit names the knob and both ends, and a seek passes it.
#[test]
fn a_batch_that_can_never_fit_is_passed_by_a_seek() {
    let mut config = Config::new("one:9001");
    config.memory = Memory { fetch_bytes: 8 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    let value = "x".repeat(20_000);
    let batch = batch_of(10, &["a", "b", &value]);
    pair.bring(&request, 77, 0, &batch);
    pair.turn();
    assert!(pair.take(api::FETCH).is_none(), "never again");
    let error = error(&pair, &mut consumer);
    assert!(matches!(error, Error::TooLarge { next_offset: Some(13), .. }), "{error}");
    let said = format!("{error}");
    assert!(["offset 10", "memory.fetch_bytes", "offset 13"].iter().all(|part| said.contains(part)), "{said}");
    consumer.seek("t", 0, StartAt::Offset(13)).expect("known");
    let request = pair.await_request(api::FETCH, 1_000);
    pair.bring(&request, 78, 0, &batch_of(13, &["b"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["b"]);
}

/// Offsets at the end of the number range are no reason to panic.
#[test]
fn offsets_at_the_end_of_the_range_are_taken_calmly() {
    for base in [i64::MAX - 1, i64::MAX, i64::MIN, -1] {
        let (mut pair, mut consumer, request) = at_ten();
        pair.bring(&request, 77, 0, &batch_of(base, &["a"]));
        pair.turn();
        let _ = next(&pair, &mut consumer);
        pair.advance_ms(1_000);
    }
}
