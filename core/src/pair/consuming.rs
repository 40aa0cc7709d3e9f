//! Where reading begins, what several consumers share, and how reading ends.

use alloc::{string::ToString, vec, vec::Vec};
use core::task::Poll;

use super::{
    Pair,
    broker::batch_of,
    fetching::{at_ten, next, records, values},
};
use crate::{Class, Error, ErrorCode, StartAt, wire::api};

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
