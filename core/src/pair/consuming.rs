//! Where reading begins, what several consumers share, and how reading ends.

use alloc::{string::ToString, vec, vec::Vec};
use core::task::Poll;

use super::{
    Pair, Request,
    broker::batch_of,
    fetching::{at_ten, error, next, nothing, records, values},
};
use crate::{
    Class, Error, ErrorCode, StartAt, UnknownTopic,
    wire::{Uuid, api},
};

/// ListOffsets that find nothing: a time in the future means the end; anything else is asked again, with pauses.
#[test]
fn a_time_without_records_means_the_end() {
    let mut pair = Pair::new();
    let consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Timestamp(99)).build().expect("builds");
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 0, 99)]);
    pair.answer_offsets(&asked, 0, -1);
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 0, -1)]);
    let before = pair.count(api::LIST_OFFSETS);
    pair.answer_offsets(&asked, 0, -1);
    for _ in 0..200 {
        if let Some(asked) = pair.take(api::LIST_OFFSETS) {
            pair.answer_offsets(&asked, 0, -1);
        }
        pair.advance_ms(10);
    }
    assert!(pair.count(api::LIST_OFFSETS) - before < 12, "a broker that answers nonsense is not asked in a circle");
    let asked = pair.await_request(api::LIST_OFFSETS, 2_000);
    pair.answer_offsets(&asked, 0, i64::MAX);
    pair.turn();
    assert_eq!(consumer.position("t", 0), Some(i64::MAX));
}

/// A look-up that a seek has overtaken is dropped when it is answered.
#[test]
fn a_seek_overtakes_a_look_up() {
    let mut pair = Pair::new();
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Earliest).build().expect("builds");
    let asked = pair.expect(api::LIST_OFFSETS);
    consumer.seek("t", 0, StartAt::Latest).expect("known");
    pair.turn();
    let second = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&second), [("t".to_string(), 0, -1)]);
    pair.answer_offsets(&asked, 0, 3);
    pair.turn();
    assert_eq!(consumer.position("t", 0), None);
    pair.answer_offsets(&second, 0, 9);
    pair.turn();
    assert_eq!(consumer.position("t", 0), Some(9));
}

/// What a closed consumer had asked for is nothing to the one that comes after it, though that has the same name for
/// another partition.
#[test]
fn an_answer_for_a_closed_consumer_meets_nobody() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let first = pair.client().consumer().assign([("t", 1), ("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let old = pair.expect(api::FETCH);
    let mut second = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let new = pair.expect(api::FETCH);
    assert_eq!(old.link, new.link, "it is in use, and so it stays");
    drop(first);
    pair.turn();
    pair.bring(&old, 55, 0, &batch_of(0, &["old", "old", "old"]));
    pair.turn();
    assert!(next(&pair, &mut second).is_pending(), "not asked for by this one");
    assert!(pair.take(api::FETCH).is_none(), "its own fetch is still under way");
    pair.bring(&new, 66, 0, &batch_of(0, &["new"]));
    assert_eq!(values(&records(&pair, &mut second)), ["new"]);
    let after = pair.expect(api::FETCH);
    assert_eq!(pair.session(&after), (66, 1));
}

/// A broker answers a connection's requests in turn. A fetch that nobody waits for any more may wait for records for
/// long, and the next consumer must not stand behind it.
#[test]
fn a_new_consumer_does_not_wait_behind_a_closed_ones_fetch() {
    let mut pair = Pair::new();
    let first = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let old = pair.expect(api::FETCH);
    drop(first);
    pair.turn();
    assert!(!pair.links().contains(&old.link));
    assert_eq!(pair.client().budget().promised(), 0);
    let mut second = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let new = pair.expect(api::FETCH);
    pair.bring(&new, 66, 0, &batch_of(0, &["new"]));
    assert_eq!(values(&records(&pair, &mut second)), ["new"]);
}

/// Every promise of room and every buffer comes back, whatever became of the fetch.
#[test]
fn room_comes_back_however_a_fetch_ends() {
    let (mut pair, mut consumer, request) = at_ten();
    pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
    drop(records(&pair, &mut consumer));
    for round in 0..60 {
        let request = pair.await_request(api::FETCH, 3_000);
        match round % 4 {
            0 => pair.hang_up(request.link),
            1 => pair.fail_fetch(&request, 77, 0, ErrorCode::NOT_LEADER_OR_FOLLOWER),
            2 => pair.answer_fetch(&request, 0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND.0, &[]),
            _ => pair.receive(request.link, &[0, 0, 0, 5, 9, 9, 9, 9, 9]),
        }
        pair.turn();
        assert_eq!(pair.client().budget().leased(Class::Fetch), 0);
    }
    drop(consumer);
    pair.turn();
    let links = pair.links();
    links.into_iter().for_each(|link| pair.hang_up(link));
    pair.turn();
    assert_eq!(pair.client().budget().leased(Class::Control), pair.links().len() * 6_144);
    assert_eq!(pair.client().budget().promised(), 0);
}

/// Records that the application keeps push back, and let go of, fetching goes on.
#[test]
fn kept_records_push_back() {
    let (mut pair, mut consumer, request) = at_ten();
    let big = "x".repeat(900_000);
    let mut kept = Vec::new();
    let mut request = Some(request);
    let mut offset = 10;
    while let Some(open) = request.take() {
        pair.bring(&open, 77, 0, &batch_of(offset, &[&big]));
        offset += 1;
        kept.push(records(&pair, &mut consumer));
        assert!(kept.len() < 10, "the class is full by now");
        request = pair.take(api::FETCH);
    }
    let limit = pair.client().budget().limit(Class::Fetch);
    assert!(pair.client().budget().used(Class::Fetch) <= limit);
    pair.advance_ms(1_000);
    assert!(pair.take(api::FETCH).is_none());
    kept.clear();
    let request = pair.await_request(api::FETCH, 50);
    assert_eq!(pair.wanted(&request)[0].2, offset);
}

/// A topic that does not exist yet is read once it does, and one that must not be read is told, while others go on.
#[test]
fn topics_come_late_or_are_refused() {
    let mut pair = Pair::new();
    let mut secret = pair.topic("t").clone();
    (secret.name, secret.error, secret.id) =
        ("secret".to_string(), ErrorCode::TOPIC_AUTHORIZATION_FAILED.0, super::id(3));
    secret.leaders.clear();
    let late = super::TopicSpec { name: "late".to_string(), id: super::id(2), error: 0, leaders: vec![(1, 0)] };
    pair.topics.push(secret);
    let mut consumer =
        pair.client().consumer().topics(["late", "secret", "t"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let told = next(&pair, &mut consumer);
    assert!(
        matches!(told, Poll::Ready(Err(Error::Broker { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, .. }))),
        "{told:?}"
    );
    assert_eq!(consumer.assignment().len(), 3);
    pair.advance_ms(2_000);
    pair.topics.push(late);
    pair.advance_ms(2_500);
    assert_eq!(consumer.assignment().len(), 4, "and it was not even in the answers at first");
}

/// What a fetch asks for, as partition and offset, in order of the partitions.
fn places(pair: &Pair, request: &Request) -> Vec<(i32, i64)> {
    let mut places: Vec<_> =
        pair.wanted(request).into_iter().map(|(_, partition, offset, _)| (partition, offset)).collect();
    places.sort_unstable();
    places
}

/// Stored offsets are restored by one consumer: no partition is read from anywhere else first, and no offset is looked up.
/// Partitions that are not there are told.
#[test]
fn each_partition_begins_at_its_own_place() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let stored = [
        ("t", 0, StartAt::Offset(1)),
        ("t", 1, StartAt::Offset(900)),
        ("t", 7, StartAt::Offset(3)),
        ("t", 0, StartAt::Offset(8)),
    ];
    let mut consumer = pair.client().consumer().from(StartAt::Earliest).assign_at(stored).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(places(&pair, &request), [(0, 8), (1, 900)], "of what is named twice the last counts");
    assert!(pair.take(api::FETCH).is_none());
    assert_eq!((consumer.position("t", 0), consumer.position("t", 1)), (Some(8), Some(900)));
    let told = error(&pair, &mut consumer);
    assert!(told.to_string().contains("t has partitions 0 to 1, not 7"), "{told}");
    nothing(&pair, &mut consumer);
    pair.bring(&request, 77, 1, &batch_of(900, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    pair.topic("t").leaders = vec![(1, 5); 8];
    pair.advance_ms(310_000);
    assert_eq!(consumer.position("t", 7), Some(3), "also where the partition comes later");
    assert_eq!(pair.count(api::LIST_OFFSETS), 0);
}

/// What happens out of range follows each partition's own start.
#[test]
fn a_partitions_own_start_says_what_is_done_out_of_range() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (2, 5)];
    let starts = [("t", 0, StartAt::Offset(8)), ("t", 1, StartAt::Earliest)];
    let mut consumer = pair.client().consumer().assign_at(starts).build().expect("builds");
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 1, -2)]);
    pair.answer_offsets(&asked, 0, 3);
    let (first, second) = (pair.expect(api::FETCH), pair.expect(api::FETCH));
    assert_eq!((places(&pair, &first), places(&pair, &second)), (vec![(0, 8)], vec![(1, 3)]));
    pair.fail_fetch(&second, 78, 1, ErrorCode::OFFSET_OUT_OF_RANGE);
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 1, -2)], "the beginning, not the end");
    nothing(&pair, &mut consumer);
    pair.fail_fetch(&first, 77, 0, ErrorCode::OFFSET_OUT_OF_RANGE);
    let told = error(&pair, &mut consumer);
    assert!(matches!(told, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{told}");
    pair.turn();
    assert!(pair.take(api::LIST_OFFSETS).is_none(), "an offset is not given up for another place");
}

/// A partition that was assigned begins where it was sought before anything was known of it; others are not known yet.
#[test]
fn a_seek_comes_before_the_metadata() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let builder = pair.client().consumer().assign([("t", 0), ("t", 1)]).from(StartAt::Earliest);
    let mut consumer = builder.build().expect("builds");
    for offset in [43, 44] {
        consumer.seek("t", 1, StartAt::Offset(offset)).expect("assigned");
    }
    for partition in [-1, 2] {
        assert!(matches!(consumer.seek("t", partition, StartAt::Earliest), Err(Error::Config { .. })));
    }
    let asked = pair.expect(api::LIST_OFFSETS);
    assert_eq!(pair.asked_offsets(&asked), [("t".to_string(), 0, -2)]);
    assert_eq!(consumer.position("t", 1), Some(44));
    let request = pair.expect(api::FETCH);
    assert_eq!(places(&pair, &request), [(1, 44)]);
    pair.bring(&request, 77, 1, &batch_of(44, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    let mut all = pair.client().consumer().topics(["t"]).build().expect("builds");
    assert!(matches!(all.seek("t", 0, StartAt::Earliest), Err(Error::Config { .. })), "not known yet");
}

/// No log has such places, and nothing is asked for.
#[test]
fn negative_places_are_refused() {
    let pair = Pair::new();
    for (partition, start, knob) in [
        (0, StartAt::Offset(-1), "assign_at"),
        (0, StartAt::Timestamp(-1), "assign_at"),
        (-1, StartAt::Offset(0), "assign"),
    ] {
        let refused = pair.client().consumer().assign_at([("t", partition, start)]).build();
        assert!(matches!(refused, Err(Error::Config { knob: k, .. }) if k == knob), "{refused:?}");
    }
}

/// With the policy to fail, a topic that brokers do not know is told by `next()`, once, and is read all the same when it comes.
/// One that they know is no error, though the first answer was asked for before anybody wanted it.
#[test]
fn an_unknown_topic_is_an_error_if_that_is_wanted() {
    for code in [None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)] {
        let mut pair = Pair::new();
        if let Some(code) = code {
            pair.topics.push(super::TopicSpec {
                name: "later".to_string(),
                id: Uuid::ZERO,
                error: code.0,
                leaders: Vec::new(),
            });
        }
        pair.by_hand.insert(api::METADATA.key);
        let first = pair.expect(api::METADATA);
        let builder = pair.client().consumer().topics(["t", "later"]).from(StartAt::Offset(0));
        let mut consumer = builder.unknown_topic(UnknownTopic::Error).build().expect("builds");
        let mut patient = pair.client().consumer().topics(["later"]).build().expect("builds");
        pair.turn();
        pair.answer_metadata(&first);
        pair.turn();
        nothing(&pair, &mut consumer);
        let second = pair.expect(api::METADATA);
        pair.by_hand.remove(&api::METADATA.key);
        pair.answer_metadata(&second);
        pair.turn();
        let told = error(&pair, &mut consumer);
        assert_eq!(told.to_string(), "topic later: UNKNOWN_TOPIC_OR_PARTITION(3)");
        pair.advance_ms(20_000);
        nothing(&pair, &mut consumer);
        assert_eq!(consumer.assignment().len(), 3);
        nothing(&pair, &mut patient);
        pair.topics.retain(|topic| topic.name != "later");
        let (id, leaders) = (super::id(2), vec![(1, 0)]);
        pair.topics.push(super::TopicSpec { name: "later".to_string(), id, error: 0, leaders });
        pair.advance_ms(2_500);
        assert_eq!(consumer.assignment().len(), 4);
        nothing(&pair, &mut consumer);
    }
}
