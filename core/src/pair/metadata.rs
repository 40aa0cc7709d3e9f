//! What is asked of metadata, how often, and what of it is believed.

use alloc::{string::ToString, vec, vec::Vec};
use core::{pin::pin, task::Poll};

use super::{Pair, TopicSpec, id, offset};
use crate::{
    Config, Error, ErrorCode, PeerFault, Record, StartAt, UnknownTopic,
    broker_role::{fetch_request::FetchRequest, metadata_request::MetadataRequest},
    wire::api,
};

/// Trap 8: only used topics are asked for, in each version's own way of saying so, and a client without any asks for
/// none: an empty list, not null, which would be all of them. Topics are never made by asking.
#[test]
fn only_used_topics_are_asked_for_in_every_version() {
    for version in [4, 8, 9, 10, 12, 13] {
        let mut pair = Pair::new();
        pair.versions.insert(api::METADATA.key, (0, version));
        pair.by_hand.insert(api::METADATA.key);
        let first = pair.expect(api::METADATA);
        let body: MetadataRequest<'_> = first.read();
        assert_eq!(first.version, version);
        assert_eq!(body.topics.map(|t| t.len()), Some(0));
        assert!(!body.allow_auto_topic_creation);
        pair.answer_metadata(&first);
        let producer = pair.client().producer().build().expect("builds");
        assert!(producer.try_enqueue(Record::to("t").value("a")).is_err());
        let second = pair.expect(api::METADATA);
        let body: MetadataRequest<'_> = second.read();
        let names: Vec<_> = body.topics.expect("a list").iter().map(|t| (t.name, t.topic_id)).collect();
        assert_eq!(names, [(Some("t"), crate::wire::Uuid::ZERO)], "by name, never by id");
    }
}

/// However many find their metadata out of date, it is asked for once in a back-off.
#[test]
fn metadata_is_not_asked_for_in_a_storm() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let tickets: Vec<_> = (0..3).map(|p| pair.enqueue(&producer, Record::to("t").partition(p).value("a"))).collect();
    let before = pair.count(api::METADATA);
    for _ in 0..1_000 {
        while let Some(request) = pair.take(api::PRODUCE) {
            pair.refuse(&request, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        pair.advance_ms(10);
    }
    let asked = pair.count(api::METADATA) - before;
    assert!((8..=100).contains(&asked), "{asked} times in ten seconds");
    assert!(tickets.iter().all(|t| t.outcome().is_none()));
}

/// A topic that does not exist is looked for again and again, with pauses, and that costs others nothing.
#[test]
fn a_missing_topic_is_looked_for_with_pauses() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    assert!(producer.try_enqueue(Record::to("missing").value("a")).is_err());
    let before = pair.count(api::METADATA);
    pair.advance_ms(20_000);
    let asked = pair.count(api::METADATA) - before;
    assert!((15..=40).contains(&asked), "{asked} times in twenty seconds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 2);
    assert_eq!(offset(&ticket), 2);
}

/// What nobody was asked yet is not unknown: a producer for which an unknown topic is an error waits for the first answer.
#[test]
fn a_topic_is_unknown_only_after_it_was_asked_for() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().unknown_topic(UnknownTopic::Error).build().expect("builds");
    pair.turn();
    pair.by_hand.insert(api::METADATA.key);
    for (topic, is_known) in [("t", true), ("missing", false)] {
        let mut enqueued = pin!(producer.enqueue(Record::to(topic).partition(0).value("a")));
        assert!(pair.poll(enqueued.as_mut()).is_pending());
        let asked = pair.expect(api::METADATA);
        let early = pair.poll(enqueued.as_mut());
        assert!(early.is_pending(), "{early:?}");
        pair.answer_metadata(&asked);
        pair.turn();
        match pair.poll(enqueued.as_mut()) {
            Poll::Ready(Ok(_)) => assert!(is_known),
            Poll::Ready(Err(refused)) => {
                assert!(!is_known, "{refused}");
                let told = refused.error();
                assert!(matches!(told, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{told}");
            }
            Poll::Pending => panic!("it goes on"),
        }
    }
}

/// Trap 47: metadata from a broker that lags behind does not bring a former leader back.
#[test]
fn an_older_epoch_is_not_believed() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let mut pair = Pair::with(config);
    let producer = pair.client().producer().build().expect("builds");
    for (leader, expected) in [((2, 9), 2), ((3, 8), 2), ((3, 9), 3), ((1, 10), 1)] {
        pair.topic("t").leaders[0] = leader;
        pair.advance_ms(1_200);
        let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
        let request = pair.expect(api::PRODUCE);
        assert_eq!(request.node, expected, "{leader:?}");
        pair.acknowledge(&request, 0);
        assert_eq!(offset(&ticket), 0);
    }
}

/// Trap 72: where topics have no ids, epochs that begin again may be all that tells of a topic made anew: they are
/// believed, by fetches too.
#[test]
fn without_ids_epochs_may_begin_again() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 1_000;
    let mut pair = Pair::with(config);
    pair.versions.insert(api::METADATA.key, (0, 9));
    pair.topic("t").leaders[0] = (2, 9);
    let consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!((request.node, fetched_epoch(&request)), (2, 9));
    pair.topic("t").leaders[0] = (3, 0);
    pair.advance_ms(1_200);
    let request = pair.expect(api::FETCH);
    assert_eq!((request.node, fetched_epoch(&request)), (3, 0));
    drop(consumer);
}

/// Before version 9 of Metadata epochs may be outdated for as long as a reassignment takes (KAFKA-9212): nothing is
/// fetched with them.
#[test]
fn epochs_of_old_metadata_are_not_used() {
    for (version, epoch) in [(8, -1), (9, 4)] {
        let mut pair = Pair::new();
        pair.versions.insert(api::METADATA.key, (0, version));
        pair.topic("t").leaders[0] = (2, 4);
        let consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
        assert_eq!(fetched_epoch(&pair.expect(api::FETCH)), epoch, "version {version}");
        drop(consumer);
    }
}

fn fetched_epoch(request: &super::Request) -> i32 {
    let body: FetchRequest<'_> = request.read();
    body.topics.iter().next().and_then(|t| t.partitions.iter().next()).expect("a partition").current_leader_epoch
}

/// A partition without a leader holds its records, and only its own, until there is one.
#[test]
fn a_partition_without_a_leader_waits_alone() {
    let mut pair = Pair::new();
    pair.topic("t").leaders[1] = (-1, 6);
    let producer = pair.client().producer().build().expect("builds");
    let waits = pair.enqueue(&producer, Record::to("t").partition(1).value("waits"));
    let goes = pair.enqueue(&producer, Record::to("t").partition(0).value("goes"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&goes), 0);
    pair.advance_ms(3_000);
    assert!(waits.outcome().is_none() && pair.take(api::PRODUCE).is_none());
    pair.topic("t").leaders[1] = (3, 7);
    let request = pair.await_request(api::PRODUCE, 1_500);
    assert_eq!(request.node, 3);
    pair.acknowledge(&request, 5);
    assert_eq!(offset(&waits), 5);
}

/// More partitions than there is room for are refused by the knob's name, and cost the other topics nothing.
#[test]
fn too_many_partitions_are_refused_by_name() {
    let mut pair = Pair::new();
    let huge = TopicSpec { name: "huge".to_string(), id: id(2), error: 0, leaders: vec![(1, 0); 1_001] };
    pair.topics.push(huge);
    let mut consumer = pair.client().consumer().topics(["huge", "t"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let told = super::fetching::next(&pair, &mut consumer);
    assert!(matches!(told, core::task::Poll::Ready(Err(Error::Config { knob: "max_partitions", .. }))), "{told:?}");
    assert_eq!(consumer.assignment().len(), 3);
}

/// An answer that there can never be memory for is told by the class and the setting, not by a time-out; and a topic that
/// is small enough is found once the large one is gone.
#[test]
fn an_answer_that_never_fits_is_told_by_name() {
    let mut config = Config::new("one:9001").memory_total(256 << 10);
    config.max_handles = 2;
    let mut pair = Pair::with(config);
    let wide = TopicSpec { name: "wide".to_string(), id: id(2), error: 0, leaders: vec![(1, 0); 10_000] };
    pair.topics.push(wide);
    let mut consumer = pair.client().consumer().topics(["wide"]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    let told = super::fetching::next(&pair, &mut consumer);
    let why = |error: &Error| {
        matches!(error, Error::Peer { fault: PeerFault::FrameLength { knob: "memory.control_bytes", .. }, .. })
    };
    assert!(matches!(&told, core::task::Poll::Ready(Err(error)) if why(error)), "{told:?}");
    pair.topics.retain(|topic| topic.name != "wide");
    pair.topic("t").name = "wide".to_string();
    pair.advance_ms(3_000);
    assert_eq!(consumer.assignment().len(), 3);
}
