//! What becomes of a batch whose try did not work: the same stamp again, a new one, or an end, and in which order.

use alloc::{format, string::String, vec::Vec};

use super::{
    Pair, Request, failure, offset,
    producing::{begun, fly, nameless},
};
use crate::{
    Acks, Config, Error, ErrorCode, Fate, Producer, Record, Ticket,
    broker_role::{
        metadata_response::{MetadataResponse, MetadataResponseBroker},
        produce_response::{
            LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
        },
    },
    wire::api,
};

/// Acknowledges everything that comes until nothing is left; what was written, in the order in which it came.
fn settle(pair: &mut Pair, mut next_offset: i64) -> Vec<String> {
    let mut written = Vec::new();
    for _ in 0..50 {
        pair.advance_ms(200);
        while let Some(request) = pair.take(api::PRODUCE) {
            let batch = pair.batch(&request);
            pair.acknowledge(&request, next_offset);
            next_offset += batch.values.len() as i64;
            written.extend(batch.values);
        }
    }
    written
}

fn one(pair: &mut Pair, producer: &Producer, value: &str) -> (Ticket, Request) {
    let ticket = pair.enqueue(producer, Record::to("t").partition(0).value(value));
    let request = pair.await_request(api::PRODUCE, 10);
    (ticket, request)
}

/// Trap 45: a topic that a broker does not know for a moment, new or long used, is no reason to give a batch up, nor to
/// forget where its sequence stands.
/// Trap 48: nor are the other errors that pass, each with the same stamp.
#[test]
fn errors_that_pass_are_retried_with_the_same_stamp() {
    for code in [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::LEADER_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode::CORRUPT_MESSAGE,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::UNKNOWN_TOPIC_ID,
    ] {
        let (mut pair, producer) = begun();
        let (ticket, request) = one(&mut pair, &producer, "a");
        let stamp = pair.batch(&request).stamp();
        pair.refuse(&request, code);
        pair.turn();
        assert!(pair.take(api::PRODUCE).is_none(), "{code}: not at once");
        let again = pair.await_request(api::PRODUCE, 130);
        assert_eq!(pair.batch(&again).stamp(), stamp, "{code}");
        pair.acknowledge(&again, 1);
        assert_eq!(offset(&ticket), 1);
        let (_, next) = one(&mut pair, &producer, "b");
        assert_eq!(pair.batch(&next).stamp(), (stamp.0, stamp.1, stamp.2 + 1), "{code}");
    }
}

/// Trap 45: metadata that loses a known topic for a moment changes nothing.
#[test]
fn a_topic_that_metadata_loses_for_a_moment_is_kept() {
    let (mut pair, producer) = begun();
    pair.topic("t").error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
    pair.advance_ms(1_000);
    let (ticket, request) = one(&mut pair, &producer, "a");
    let asked = pair.count(api::METADATA);
    pair.refuse(&request, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), asked + 1);
    let again = pair.await_request(api::PRODUCE, 500);
    assert_eq!(pair.batch(&again).stamp().2, 1);
    pair.acknowledge(&again, 1);
    assert_eq!(offset(&ticket), 1);
}

/// Trap 49: a batch whose answer is lost with its connection goes again as it was, and nothing of its partition
/// overtakes it.
#[test]
fn a_lost_answer_means_the_same_batch_again_in_order() {
    let (mut pair, producer) = begun();
    let (tickets, requests) = fly(&mut pair, &producer, 4);
    let stamps: Vec<_> = requests.iter().map(|r| pair.batch(r).stamp()).collect();
    pair.hang_up(requests[0].link);
    let late = pair.enqueue(&producer, Record::to("t").partition(0).value("late"));
    for (i, stamp) in stamps.iter().enumerate() {
        let again = pair.await_request(api::PRODUCE, 2_000);
        assert!(i == 3 || pair.take(api::PRODUCE).is_none(), "one at a time until all are settled");
        assert_eq!(pair.batch(&again).stamp(), *stamp);
        // The broker had appended the first two.
        let code = if i < 2 { ErrorCode::DUPLICATE_SEQUENCE_NUMBER } else { ErrorCode::NONE };
        pair.answer_produce(&again, 0, |_, p| PartitionProduceResponse {
            error_code: code.0,
            base_offset: if i < 2 { -1 } else { 1 + i as i64 },
            ..p
        });
    }
    // Trap 51: what the broker has already is acknowledged, though it may not say where.
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [-1, -1, 3, 4]);
    assert_eq!(settle(&mut pair, 5), ["late"]);
    assert_eq!(offset(&late), 5);
}

/// Trap 49: when its time is over a batch whose fate nobody knows says so, and the next one does not count on its
/// numbers: it begins a new epoch.
#[test]
fn an_unknown_fate_is_told_and_the_next_batch_begins_a_new_epoch() {
    let (mut pair, producer) = begun();
    let (ticket, request) = one(&mut pair, &producer, "a");
    let (id, epoch, _) = pair.batch(&request).stamp();
    pair.down = [1, 2, 3].into();
    pair.hang_up(request.link);
    pair.advance_ms(119_000);
    assert!(ticket.outcome().is_none());
    pair.advance_ms(1_100);
    let error = failure(&ticket);
    assert!(matches!(error, Error::TimedOut { knob: "delivery_timeout_ms", .. }), "{error}");
    assert_eq!(error.fate(), Fate::MaybePersisted);
    assert!(format!("{error}").contains("9001"), "it names what failed: {error}");
    pair.down.clear();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    let next = pair.await_request(api::PRODUCE, 5_000);
    assert_eq!(pair.batch(&next).stamp(), (id, epoch + 1, 0));
    pair.acknowledge(&next, 9);
    assert_eq!(offset(&ticket), 9);
}

/// Of a batch that never left, the delivery timeout says that it surely is not in the log.
#[test]
fn what_was_never_sent_is_surely_not_written() {
    let (mut pair, producer) = begun();
    pair.stuck = true;
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.turn();
    pair.down = [1, 2, 3].into();
    pair.advance_ms(30_000);
    assert!(!pair.closed.is_empty(), "the connection that took nothing is given up");
    pair.advance_ms(90_000);
    assert_eq!(failure(&ticket).fate(), Fate::NotPersisted, "{}", failure(&ticket));
}

/// Trap 50: replicas that were late leave it open whether the leader has the batch. When time runs out on that, so the
/// error says.
#[test]
fn late_replicas_leave_the_fate_open() {
    for code in [ErrorCode::REQUEST_TIMED_OUT, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND] {
        let (mut pair, producer) = begun();
        let (ticket, request) = one(&mut pair, &producer, "a");
        pair.refuse(&request, code);
        pair.down = [1, 2, 3].into();
        pair.turn();
        let idle: Vec<_> = pair.links();
        idle.into_iter().for_each(|link| pair.hang_up(link));
        pair.advance_ms(121_000);
        let error = failure(&ticket);
        assert_eq!(error.fate(), Fate::MaybePersisted, "{error}");
    }
}

/// A refusal for good says that nothing is written, but only of a batch of which no earlier try went unanswered.
#[test]
fn a_refusal_does_not_take_back_an_unknown_fate() {
    for lost in [false, true] {
        let (mut pair, producer) = begun();
        let (ticket, mut request) = one(&mut pair, &producer, "a");
        if lost {
            pair.hang_up(request.link);
            request = pair.await_request(api::PRODUCE, 2_000);
        }
        pair.refuse(&request, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        let error = failure(&ticket);
        assert!(matches!(error, Error::Broker { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, .. }));
        assert_eq!(error.fate(), if lost { Fate::MaybePersisted } else { Fate::NotPersisted });
    }
}

/// Trap 52: five in flight, the second of them refused for good. The others are written in order, each once, in a new
/// epoch of this partition alone; a batch that flies in another partition keeps its epoch.
#[test]
fn five_in_flight_and_the_second_fails() {
    let (mut pair, producer) = begun();
    let other = pair.enqueue(&producer, Record::to("t").partition(1).value("other"));
    let other_request = pair.await_request(api::PRODUCE, 10);
    let (tickets, requests) = fly(&mut pair, &producer, 5);
    let sixth = pair.enqueue(&producer, Record::to("t").partition(0).value("r5"));
    pair.advance_ms(50);
    assert!(pair.take(api::PRODUCE).is_none(), "a broker remembers five");
    let (id, epoch, _) = pair.batch(&requests[0]).stamp();
    pair.acknowledge(&requests[0], 1);
    pair.refuse(&requests[1], ErrorCode::MESSAGE_TOO_LARGE);
    for request in &requests[2..] {
        pair.refuse(request, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    for (sequence, value) in (0i32..).zip(["r2", "r3", "r4", "r5"]) {
        let again = pair.await_request(api::PRODUCE, 3_000);
        let batch = pair.batch(&again);
        assert_eq!((batch.stamp(), batch.values[0].as_str()), ((id, epoch + 1, sequence), value));
        pair.acknowledge(&again, 2 + i64::from(sequence));
    }
    assert!(matches!(failure(&tickets[1]), Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, .. }));
    let offsets: Vec<i64> = [&tickets[0], &tickets[2], &tickets[3], &tickets[4], &sixth].map(offset).into();
    assert_eq!(offsets, [1, 2, 3, 4, 5]);
    assert_eq!(pair.batch(&other_request).epoch, epoch);
    pair.acknowledge(&other_request, 0);
    assert_eq!(offset(&other), 0);
}

/// Trap 52: while an earlier batch is unresolved a gap is only that batch's, and the same stamps go again.
#[test]
fn a_gap_behind_an_unresolved_batch_keeps_its_stamps() {
    let (mut pair, producer) = begun();
    let (tickets, requests) = fly(&mut pair, &producer, 3);
    let stamps: Vec<_> = requests.iter().map(|r| pair.batch(r).stamp()).collect();
    pair.refuse(&requests[0], ErrorCode::NOT_ENOUGH_REPLICAS);
    pair.refuse(&requests[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    pair.refuse(&requests[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    for (i, stamp) in stamps.iter().enumerate() {
        let again = pair.await_request(api::PRODUCE, 3_000);
        assert_eq!(pair.batch(&again).stamp(), *stamp);
        pair.acknowledge(&again, 1 + i as i64);
    }
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [1, 2, 3]);
}

/// A broker looks back over five batches only. What it no longer finds there it calls out of order, though it has it: a
/// later batch of the same sequence that it took is the proof. To write it once more would be to write it twice.
#[test]
fn a_later_acknowledgement_proves_an_earlier_batch() {
    let (mut pair, producer) = begun();
    let (tickets, requests) = fly(&mut pair, &producer, 3);
    let (id, epoch, sequence) = pair.batch(&requests[0]).stamp();
    pair.refuse(&requests[0], ErrorCode::REQUEST_TIMED_OUT);
    pair.acknowledge(&requests[1], 2);
    pair.acknowledge(&requests[2], 3);
    let again = pair.await_request(api::PRODUCE, 2_000);
    assert_eq!(pair.batch(&again).stamp(), (id, epoch, sequence));
    pair.refuse(&again, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [-1, 2, 3]);
    let (last, request) = one(&mut pair, &producer, "last");
    assert_eq!(pair.batch(&request).stamp(), (id, epoch, sequence + 3), "and nothing was broken off");
    pair.acknowledge(&request, 4);
    assert_eq!(offset(&last), 4);
}

/// Trap 113: a broker that has forgotten the producer takes what comes behind a batch that it refused. That proves nothing of the
/// refused one, which is in no log: it goes again, in a new epoch.
#[test]
fn a_later_acknowledgement_proves_nothing_of_a_batch_that_was_refused() {
    for why in [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID] {
        let (mut pair, producer) = begun();
        let (tickets, requests) = fly(&mut pair, &producer, 2);
        let (id, epoch, sequence) = pair.batch(&requests[0]).stamp();
        pair.refuse(&requests[0], ErrorCode::NOT_ENOUGH_REPLICAS);
        pair.acknowledge(&requests[1], 1);
        let again = pair.await_request(api::PRODUCE, 2_000);
        assert_eq!(pair.batch(&again).stamp(), (id, epoch, sequence));
        pair.refuse(&again, why);
        let anew = pair.await_request(api::PRODUCE, 2_000);
        assert_eq!(pair.batch(&anew).stamp(), (id, epoch + 1, 0));
        pair.acknowledge(&anew, 2);
        assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [2, 1]);
    }
}

/// A batch needs a new stamp while those behind it are still out, and their connection is lost then. They cannot be in
/// the log either: all get new stamps, in order, and none waits for another.
#[test]
fn what_is_lost_behind_a_batch_without_a_stamp_loses_its_own() {
    let (mut pair, producer) = begun();
    let (tickets, requests) = fly(&mut pair, &producer, 3);
    let (id, epoch, _) = pair.batch(&requests[0]).stamp();
    pair.refuse(&requests[0], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    pair.hang_up(requests[1].link);
    for (sequence, value) in (0i32..).zip(["r0", "r1", "r2"]) {
        let again = pair.await_request(api::PRODUCE, 3_000);
        let batch = pair.batch(&again);
        assert_eq!((batch.stamp(), batch.values[0].as_str()), ((id, epoch + 1, sequence), value));
        pair.acknowledge(&again, 1 + i64::from(sequence));
    }
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [1, 2, 3]);
}

/// Trap 53: a broker that has forgotten the producer gets the batch in a new epoch, from number 0. So it does when
/// several were lost with their connection before: none of them waits for another for ever.
#[test]
fn a_forgotten_producer_begins_anew() {
    for in_flight in [1, 4] {
        let (mut pair, producer) = begun();
        let (tickets, requests) = fly(&mut pair, &producer, in_flight);
        let (id, epoch, _) = pair.batch(&requests[0]).stamp();
        pair.hang_up(requests[0].link);
        let again = pair.await_request(api::PRODUCE, 2_000);
        pair.refuse(&again, ErrorCode::UNKNOWN_PRODUCER_ID);
        let anew = pair.await_request(api::PRODUCE, 2_000);
        assert_eq!(pair.batch(&anew).stamp(), (id, epoch + 1, 0));
        pair.acknowledge(&anew, 10);
        let rest: Vec<String> = (1..in_flight).map(|i| format!("r{i}")).collect();
        assert_eq!(settle(&mut pair, 11), rest);
        let expected: Vec<i64> = (0..in_flight as i64).map(|i| 10 + i).collect();
        assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), expected);
    }
}

/// KIP-360: whose last epoch is used up asks for another id at once, and the batch goes on under that.
#[test]
fn a_producer_whose_epochs_are_used_up_gets_another_id() {
    let (mut pair, producer) = nameless();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let asked = pair.await_request(api::INIT_PRODUCER_ID, 10);
    pair.answer_identity(&asked, 7, i16::MAX - 1);
    let request = pair.await_request(api::PRODUCE, 10);
    assert_eq!(pair.batch(&request).stamp(), (7, i16::MAX - 1, 0));
    pair.refuse(&request, ErrorCode::UNKNOWN_PRODUCER_ID);
    let asked = pair.await_request(api::INIT_PRODUCER_ID, 130);
    pair.answer_identity(&asked, 8, 0);
    let anew = pair.await_request(api::PRODUCE, 130);
    assert_eq!(pair.batch(&anew).stamp(), (8, 0, 0));
    pair.acknowledge(&anew, 5);
    assert_eq!(offset(&ticket), 5);
}

/// Trap 47: a refusal that names the new leader is followed without asking for metadata. An older epoch, no leader, and
/// a broker that nobody knows are not believed.
#[test]
fn a_named_leader_is_followed_unless_it_is_old_news() {
    for (leader, epoch, expected) in [(2, 6, Some(2)), (4, 6, Some(4)), (2, 5, None), (2, 4, None), (-1, 9, None)] {
        let (mut pair, producer) = begun();
        pair.advance_ms(1_000);
        let (ticket, request) = one(&mut pair, &producer, "a");
        let asked = pair.count(api::METADATA);
        let hint = LeaderIdAndEpoch { leader_id: leader, leader_epoch: epoch };
        let parts = [PartitionProduceResponse {
            error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER.0,
            current_leader: hint,
            ..Default::default()
        }];
        let topics = [TopicProduceResponse { name: "", topic_id: super::id(1), partition_responses: &parts }];
        let nodes = [NodeEndpoint { node_id: 4, host: "four", port: 9_004, rack: None }];
        let body = ProduceResponse { responses: &topics, node_endpoints: &nodes, ..Default::default() };
        pair.answer(&request, &body);
        pair.turn();
        match expected {
            Some(node) => {
                let again = pair.expect(api::PRODUCE);
                assert_eq!((again.node, pair.count(api::METADATA)), (node, asked));
                pair.acknowledge(&again, 1);
            }
            None => {
                assert!(pair.take(api::PRODUCE).is_none());
                assert_eq!(pair.count(api::METADATA), asked + 1);
                let again = pair.await_request(api::PRODUCE, 2_000);
                assert_eq!(again.node, 1);
                pair.acknowledge(&again, 1);
            }
        }
        assert_eq!(offset(&ticket), 1);
    }
}

/// Trap 46: metadata with no partition, or with a part of them only, just after some were added, loses no record and
/// moves no key.
#[test]
fn partial_metadata_keeps_records_and_partitions() {
    let mut pair = Pair::new();
    let all = pair.topic("t").leaders.clone();
    pair.topic("t").leaders.clear();
    let producer = pair.client().producer().build().expect("builds");
    let record = || Record::to("t").partition(2).value("a");
    assert!(producer.try_enqueue(record()).is_err());
    pair.advance_ms(300);
    let refused = producer.try_enqueue(record()).expect_err("still nothing known");
    assert!(refused.error().is_retriable(), "{}", refused.error());
    pair.topic("t").leaders = all;
    pair.advance_ms(2_000);
    let ticket = producer.try_enqueue(record()).expect("known now");
    let request = pair.expect(api::PRODUCE);
    pair.topic("t").leaders.truncate(1);
    pair.refuse(&request, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let again = pair.await_request(api::PRODUCE, 3_000);
    assert_eq!(pair.batch(&again).partition, 2);
    pair.acknowledge(&again, 4);
    assert_eq!(offset(&ticket), 4);
}

/// Trap 107: an outage longer than the delivery timeout fails what was in the buffer, in time, and nothing after it.
#[test]
fn a_long_outage_ends_and_the_producer_goes_on() {
    for acks in [Acks::All, Acks::Leader] {
        let mut pair = Pair::new();
        let producer = pair.client().producer().acks(acks).build().expect("builds");
        let first = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
        let request = pair.expect(api::PRODUCE);
        pair.acknowledge(&request, 0);
        let (lost, request) = one(&mut pair, &producer, "lost");
        pair.down = [1, 2, 3].into();
        pair.hang_up(request.link);
        let mut late = Vec::new();
        for i in 0..10 {
            late.push(pair.enqueue(&producer, Record::to("t").partition(i % 3).value("x")));
            pair.advance_ms(20_000);
        }
        assert_eq!((offset(&first), failure(&lost).fate()), (0, Fate::MaybePersisted));
        // A batch's time counts from its first record, so that some that joined one go before their own time is over.
        assert!(late[..6].iter().all(|t| failure(t).fate() == Fate::NotPersisted));
        assert!(late[6..].iter().all(|t| t.outcome().is_none()));
        pair.down.clear();
        settle(&mut pair, 10);
        assert!(late[6..].iter().all(|t| offset(t) >= 10));
        assert_eq!(pair.client().budget().leased(crate::Class::Produce), 0);
    }
}

/// A batch may run out of time while its request is still open. Its ticket is told at once; its memory stays until the
/// request ends; an answer that comes then changes nothing; and what follows begins a new epoch.
#[test]
fn a_batch_may_expire_in_flight() {
    let mut pair = Pair::new();
    let producer =
        pair.client().producer().delivery_timeout(core::time::Duration::from_secs(30)).build().expect("builds");
    let (first, request) = one(&mut pair, &producer, "first");
    let (id, epoch, _) = pair.batch(&request).stamp();
    pair.acknowledge(&request, 0);
    pair.down = [1, 2, 3].into();
    pair.hang_up(request.link);
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.advance_ms(9_000);
    pair.down.clear();
    let open = pair.await_request(api::PRODUCE, 3_000);
    while ticket.outcome().is_none() {
        pair.advance_ms(100);
    }
    let late = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    pair.advance_ms(100);
    assert!(pair.take(api::PRODUCE).is_none(), "not before the one before it is settled");
    assert!(!pair.closed.contains(&open.link), "the request has its own time");
    assert_eq!(failure(&ticket).fate(), Fate::MaybePersisted);
    assert!(pair.client().budget().leased(crate::Class::Produce) > 0);
    pair.acknowledge(&open, 1);
    let next = pair.await_request(api::PRODUCE, 1_000);
    assert_eq!(pair.batch(&next).stamp(), (id, epoch + 1, 0));
    pair.acknowledge(&next, 2);
    assert_eq!((offset(&first), offset(&late)), (0, 2));
    assert_eq!(failure(&ticket).fate(), Fate::MaybePersisted, "what was told stays");
    assert_eq!(pair.client().budget().leased(crate::Class::Produce), 0);
}

/// Several batches of one partition with different ages expire each in its own time, though nothing else wakes the
/// driver.
#[test]
fn each_batch_expires_in_its_own_time() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let (first, _) = one(&mut pair, &producer, "a");
    pair.stuck = true;
    pair.advance_ms(50);
    let second = pair.enqueue(&producer, Record::to("t").partition(1).value("b"));
    pair.advance_ms(119_949);
    assert!(first.outcome().is_none());
    pair.advance_ms(1);
    assert!(first.outcome().is_some() && second.outcome().is_none());
    pair.advance_ms(50);
    assert!(second.outcome().is_some());
}

/// A broker that names no broker at all knows less than others may: they are asked before it again.
#[test]
fn metadata_without_brokers_is_asked_of_others() {
    let mut pair = Pair::with(Config::new("one:9001,two:9002"));
    pair.by_hand.insert(api::METADATA.key);
    for _ in 0..4 {
        let request = pair.await_request(api::METADATA, 1_500);
        pair.answer(&request, &MetadataResponse::default());
        pair.turn();
    }
    let to: Vec<&str> = pair.dialled.iter().map(|(_, to)| to.host.as_str()).collect();
    assert!(to.len() == 4 && to.windows(2).all(|pair| pair[0] != pair[1]), "{to:?}");
}

/// One that is the only one is asked again; one that names itself as somebody else does not make the client forget whom
/// it knows.
#[test]
fn metadata_without_brokers_is_asked_for_again() {
    let mut pair = Pair::with(Config::new("one:9001"));
    pair.by_hand.insert(api::METADATA.key);
    let request = pair.expect(api::METADATA);
    pair.answer(&request, &MetadataResponse::default());
    pair.turn();
    assert!(pair.take(api::METADATA).is_none(), "not at once");
    let request = pair.await_request(api::METADATA, 200);
    let odd = [
        MetadataResponseBroker { node_id: -5, host: "", port: -1, rack: None },
        MetadataResponseBroker { node_id: i32::MAX, host: "far", port: i32::MAX, rack: None },
        MetadataResponseBroker { node_id: 1, host: "one", port: 9_001, rack: None },
    ];
    pair.answer(&request, &MetadataResponse { brokers: &odd, ..Default::default() });
    pair.turn();
    assert_eq!(pair.dialled.len(), 2);
}
