//! Records into batches, batches into requests, answers into tickets.

use alloc::{format, string::String, vec, vec::Vec};
use core::{pin::pin, task::Poll, time::Duration};

use super::{Pair, failure, id, offset};
use crate::{
    Budget, Class, Config, Error, ErrorCode, Fate, Memory, Record, Ticket,
    broker_role::{
        produce_request::ProduceRequest,
        produce_response::{BatchIndexAndErrorMessage, PartitionProduceResponse},
    },
    link::Use,
    producer::BATCH_KNOWN,
    record::Batches,
    wire::{Uuid, api},
};

/// Takes `n` records into one partition, each a batch of its own, all in flight at once.
pub(crate) fn fly(pair: &mut Pair, producer: &crate::Producer, n: usize) -> (Vec<Ticket>, Vec<super::Request>) {
    let (mut tickets, mut requests) = (Vec::new(), Vec::new());
    for i in 0..n {
        let value = format!("r{i}");
        tickets.push(pair.enqueue(producer, Record::to("t").partition(0).value(&value)));
        pair.advance_ms(6);
        requests.push(pair.expect(api::PRODUCE));
    }
    (tickets, requests)
}

/// A pair whose producer's partition 0 has been written to once, so that its sequence has begun.
pub(crate) fn begun() -> (Pair, crate::Producer) {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&ticket), 0);
    (pair, producer)
}

/// A pair whose producer gets its id from the test.
pub(crate) fn nameless() -> (Pair, crate::Producer) {
    let mut pair = Pair::new();
    pair.by_hand.insert(api::INIT_PRODUCER_ID.key);
    let producer = pair.client().producer().build().expect("builds");
    (pair, producer)
}

/// While a leader has a request to answer, records to any of its partitions gather, and go together: with the answer, or
/// after 5 ms. Another leader's do not wait.
#[test]
fn what_gathers_behind_a_request_goes_together() {
    let mut pair = Pair::new();
    pair.topic("t").leaders = vec![(1, 5), (1, 5), (1, 5), (2, 5)];
    let producer = pair.client().producer().build().expect("builds");
    let partitions = |request: &super::Request| -> Vec<i32> {
        let body: ProduceRequest<'_> = request.read();
        body.topic_data.iter().flat_map(|t| t.partition_data.iter().map(|p| p.index)).collect()
    };
    let send = |pair: &mut Pair, p| pair.enqueue(&producer, Record::to("t").partition(p).value("r"));
    // The sequences of all begin.
    for p in 0..4 {
        let ticket = send(&mut pair, p);
        let request = pair.expect(api::PRODUCE);
        pair.acknowledge(&request, 0);
        assert_eq!(offset(&ticket), 0);
    }
    for early in [true, false] {
        let lone = send(&mut pair, 0);
        let first = pair.expect(api::PRODUCE);
        let asked = pair.count(api::PRODUCE);
        let gathered = [send(&mut pair, 1), send(&mut pair, 2), send(&mut pair, 1)];
        assert_eq!(pair.count(api::PRODUCE), asked, "the leader has something to answer");
        let elsewhere = send(&mut pair, 3);
        let other = pair.expect(api::PRODUCE);
        assert_eq!((partitions(&first), partitions(&other)), (vec![0], vec![3]));
        if early {
            pair.acknowledge(&first, 1);
        } else {
            pair.advance_ms(4);
            assert_eq!(pair.count(api::PRODUCE), asked + 1, "only the other leader's");
            pair.advance_ms(1);
        }
        let together = pair.expect(api::PRODUCE);
        assert_eq!(partitions(&together), [1, 2]);
        for request in [&first, &other, &together].into_iter().skip(usize::from(early)) {
            pair.acknowledge(request, 1);
        }
        assert!(gathered.iter().chain([&lone, &elsewhere]).all(|ticket| offset(ticket) >= 1));
    }
}

/// Trap 13: a broker that speaks the versions with topic ids but has given none gets the newest one with names.
#[test]
fn without_topic_ids_produce_stays_with_names() {
    for (metadata, expected) in [((0, 9), 12), ((0, 13), 13)] {
        let mut pair = Pair::new();
        pair.versions.insert(api::METADATA.key, metadata);
        let producer = pair.client().producer().build().expect("builds");
        let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
        let request = pair.expect(api::PRODUCE);
        assert_eq!(request.version, expected);
        let body: ProduceRequest<'_> = request.read();
        let topic = body.topic_data.iter().next().expect("one topic");
        assert_eq!((topic.name, topic.topic_id.is_zero()), if expected == 12 { ("t", true) } else { ("", false) });
        pair.acknowledge(&request, 3);
        assert_eq!(offset(&ticket), 3);
    }
}

/// A record that joins an open batch is dated by its own time, however long the driver had nothing to do before.
#[test]
fn a_long_idle_driver_does_not_date_records_into_the_future() {
    let (mut pair, producer) = begun();
    pair.advance_ms(3_600_000);
    let idle = pair.take(api::PRODUCE);
    assert!(idle.is_none());
    // An hour passes without a turn of the driver.
    pair.sleep_ms(3_600_000);
    let now = pair.unix_ms();
    let _first = producer.try_enqueue(Record::to("t").partition(0).value("a")).expect("room");
    let _joined = producer.try_enqueue(Record::to("t").partition(0).value("b")).expect("room");
    pair.machine.begin(pair.now());
    let _later = producer.try_enqueue(Record::to("t").partition(0).value("c")).expect("room");
    let request = pair.expect(api::PRODUCE);
    let body: ProduceRequest<'_> = request.read();
    let topic = body.topic_data.iter().next().expect("one topic");
    let part = topic.partition_data.iter().next().expect("one partition");
    let batch = Batches::new(part.records.expect("records")).next().expect("one").expect("sound");
    let times: Vec<i64> = batch.records().expect("sound").map(|r| r.timestamp()).collect();
    assert_eq!(times, [now, now, now]);
}

/// Room for a batch of 32 chunks of 256 bytes.
fn small() -> Config {
    let mut config = Config::new("one:9001");
    config.memory = Memory { produce_bytes: (8 << 10) + BATCH_KNOWN, ..config.memory };
    config
}

/// A record of many chunks takes no more of them than it needs, and a refusal leaves no batch without records behind.
#[test]
fn a_large_record_takes_the_chunks_that_it_needs() {
    let mut pair = Pair::with(small());
    let producer = pair.client().producer().batch_bytes(8 << 10).build().expect("builds");
    let budget: &Budget = pair.client().budget();
    let chunks = (budget.limit(Class::Produce) - BATCH_KNOWN) / 256;
    assert_eq!(chunks, 32);
    let large = [b'x'; 20 * 256];
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value(&large[..]));
    let used = pair.client().budget().leased(Class::Produce);
    assert!(used <= 21 * 256 + BATCH_KNOWN, "{used} bytes for a record of {}", large.len());
    let second = producer.try_enqueue(Record::to("t").partition(1).value(&large[..]));
    assert!(matches!(second.expect_err("full").error(), Error::Budget { class: Class::Produce, .. }));
    assert_eq!(pair.client().budget().leased(Class::Produce), used, "what a refusal took is given back");
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values.len(), 1);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&ticket), 0);
    assert!(pair.take(api::PRODUCE).is_none(), "and nothing else is sent");
}

/// A task that waits for more room than there is is woken when there is enough, not whenever there is some: that would
/// be a spin between the task and the driver.
#[test]
fn who_waits_for_much_room_is_not_woken_for_a_little() {
    let mut pair = Pair::with(small());
    let producer = pair.client().producer().batch_bytes(8 << 10).build().expect("builds");
    let large = [b'x'; 20 * 256];
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value(&large[..]));
    let request = pair.expect(api::PRODUCE);
    let mut waiting = pin!(producer.enqueue(Record::to("t").partition(1).value(&large[..])));
    assert!(pair.poll(waiting.as_mut()).is_pending());
    pair.turn();
    for _ in 0..10 {
        if pair.woken.count() > 0 {
            assert!(pair.poll(waiting.as_mut()).is_pending());
        }
        pair.turn();
    }
    let woken = pair.woken.count();
    assert!(woken <= 2, "woken {woken} times for nothing");
    pair.acknowledge(&request, 0);
    pair.turn();
    assert!(pair.woken.count() > woken);
    let Poll::Ready(Ok(second)) = pair.poll(waiting.as_mut()) else { panic!("there is room now") };
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 9);
    assert_eq!((offset(&ticket), offset(&second)), (0, 9));
}

/// Who waits is woken when a batch grows by another record, without a turn of the driver: there may be room now in what that left of
/// its chunk, or so little in the batch that it goes.
#[test]
fn who_waits_is_woken_when_a_batch_grows() {
    let mut config = small();
    config.memory.produce_bytes += BATCH_KNOWN;
    let mut pair = Pair::with(config);
    let builder = pair.client().producer().batch_bytes(8 << 10).linger(Duration::from_secs(60));
    let producer = builder.build().expect("builds");
    let large = [b'x'; 18 * 256];
    let other = pair.enqueue(&producer, Record::to("t").partition(1).value(&large[..10 * 256]));
    let first = producer.try_enqueue(Record::to("t").partition(0).value(&large[..])).expect("room");
    let mut waiting = pin!(producer.enqueue(Record::to("t").partition(0).value(&large[..6 * 256])));
    assert!(pair.poll(waiting.as_mut()).is_pending());
    assert_eq!(pair.woken.count(), 0);
    let joined = producer.try_enqueue(Record::to("t").partition(0).value(&large[..256])).expect("room");
    assert_eq!(pair.woken.count(), 1);
    drop((other, first, joined));
}

/// Trap 106: a wait for room that is cancelled leaves nothing behind, and takes nothing later.
#[test]
fn a_cancelled_wait_takes_nothing() {
    let mut pair = Pair::with(small());
    let producer = pair.client().producer().batch_bytes(8 << 10).build().expect("builds");
    let large = [b'x'; 28 * 256];
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value(&large[..]));
    let request = pair.expect(api::PRODUCE);
    {
        let mut waiting = pin!(producer.enqueue(Record::to("t").partition(1).value(&large[..])));
        assert!(pair.poll(waiting.as_mut()).is_pending());
        pair.turn();
    }
    pair.acknowledge(&request, 0);
    pair.turn();
    assert_eq!(offset(&ticket), 0);
    assert!(pair.take(api::PRODUCE).is_none());
    assert_eq!(pair.client().budget().leased(Class::Produce), 0);
}

/// Trap 106: a request that has been written in part is never cut short, whatever is dropped meanwhile.
#[test]
fn dropping_handles_never_leaves_half_a_frame() {
    let (mut pair, producer) = begun();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.stuck = true;
    pair.turn();
    let link = pair.link_to(1, Use::Produce);
    assert_eq!(pair.transmit_some(link, 9), 9);
    drop(ticket);
    drop(producer);
    pair.turn();
    pair.stuck = false;
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["a"]);
}

/// Trap 64: the record that the broker names gets the broker's words; its neighbours learn that it was another one, and
/// that they are not in the log.
#[test]
fn a_refused_record_is_named() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().linger(core::time::Duration::from_millis(5)).build().expect("builds");
    let tickets: Vec<Ticket> =
        ["a", "b", "c"].map(|v| pair.enqueue(&producer, Record::to("t").partition(0).value(v))).into();
    let request = pair.await_request(api::PRODUCE, 10);
    static ONE: [BatchIndexAndErrorMessage<'static>; 3] = [
        BatchIndexAndErrorMessage { batch_index: 1, batch_index_error_message: Some("needs a key") },
        BatchIndexAndErrorMessage { batch_index: -7, batch_index_error_message: Some("nonsense") },
        BatchIndexAndErrorMessage { batch_index: i32::MAX, batch_index_error_message: None },
    ];
    pair.answer_produce(&request, 0, |_, p| PartitionProduceResponse {
        error_code: ErrorCode::INVALID_RECORD.0,
        record_errors: &ONE,
        ..p
    });
    let said: Vec<String> = tickets.iter().map(|t| format!("{}", failure(t))).collect();
    assert!(said[1].contains("needs a key"), "{said:?}");
    assert!(said[0].contains("another record") && said[2].contains("another record"), "{said:?}");
    assert!(tickets.iter().all(|t| failure(t).fate() == Fate::NotPersisted));
}

/// Trap 16: a code that nobody knows is told as it is, is not tried again, and is no promise that nothing was written.
#[test]
fn an_unknown_code_is_carried_to_the_application() {
    let (mut pair, producer) = begun();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.refuse(&request, ErrorCode(200));
    let error = failure(&ticket);
    assert!(matches!(error, Error::Broker { code: ErrorCode(200), .. }), "{error}");
    assert_eq!((error.is_retriable(), error.fate()), (false, Fate::MaybePersisted));
}

/// Offsets at the end of the number range, and records that the answer has no place for, are no reason to panic.
#[test]
fn absurd_answers_are_taken_calmly() {
    for base in [i64::MAX, i64::MAX - 1, i64::MIN, -2] {
        let (mut pair, producer) = begun();
        let (tickets, requests) = fly(&mut pair, &producer, 2);
        pair.acknowledge(&requests[0], base);
        pair.answer_produce(&requests[1], i32::MIN, |_, p| PartitionProduceResponse {
            index: i32::MIN,
            base_offset: base,
            ..p
        });
        // No memory is kept for a partition that nobody writes to.
        pair.answer_produce(&requests[1], i32::MAX, |_, p| PartitionProduceResponse { index: i32::MAX, ..p });
        let _ = offset(&tickets[0]);
        pair.turn();
        let again = pair.await_request(api::PRODUCE, 2_000);
        pair.acknowledge(&again, 5);
        assert_eq!(offset(&tickets[1]), 5, "an answer that leaves a batch out says nothing of it");
    }
}

/// An identity that is none is not written into batches.
#[test]
fn a_producer_id_that_is_none_is_refused() {
    let (mut pair, producer) = nameless();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::INIT_PRODUCER_ID);
    pair.answer_identity(&request, -1, -1);
    pair.turn();
    assert!(pair.take(api::PRODUCE).is_none());
    let request = pair.await_request(api::INIT_PRODUCER_ID, 2_000);
    pair.answer_identity(&request, 7, 0);
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).stamp(), (7, 0, 0));
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&ticket), 0);
}

/// Who may not have an id is not asking for one all the time: the next record asks again, when the pause is over.
#[test]
fn an_id_that_is_refused_is_asked_for_again_with_the_next_record() {
    let (mut pair, producer) = nameless();
    for asked in 1..=3 {
        let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
        let request = pair.await_request(api::INIT_PRODUCER_ID, 2_000);
        pair.refuse_identity(&request, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        pair.turn();
        let error = failure(&ticket);
        assert!(matches!(error, Error::Broker { code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED, .. }), "{error}");
        assert_eq!((error.is_retriable(), error.fate()), (false, Fate::NotPersisted));
        pair.advance_ms(60_000);
        assert_eq!(pair.count(api::INIT_PRODUCER_ID), asked);
    }
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.await_request(api::INIT_PRODUCER_ID, 2_000);
    pair.answer_identity(&request, 7, 0);
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&ticket), 0);
}

/// Topics may be made anew under the same name: the answer to a request of before is of no use, and the batch goes to the
/// topic that there is now.
#[test]
fn a_topic_made_anew_gets_what_was_under_way() {
    let (mut pair, producer) = begun();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.topic("t").id = Uuid([9; 16]);
    pair.refuse(&request, ErrorCode::UNKNOWN_TOPIC_ID);
    let mut again = pair.await_request(api::PRODUCE, 2_000);
    let old =
        |request: &super::Request| request.read::<ProduceRequest<'_>>().topic_data.iter().any(|t| t.topic_id == id(1));
    if old(&again) {
        // It may go once more before the metadata has come.
        pair.refuse(&again, ErrorCode::UNKNOWN_TOPIC_ID);
        again = pair.await_request(api::PRODUCE, 2_000);
    }
    let body: ProduceRequest<'_> = again.read();
    assert_eq!(body.topic_data.iter().next().map(|t| t.topic_id), Some(Uuid([9; 16])));
    pair.acknowledge(&again, 0);
    assert_eq!(offset(&ticket), 0);
}
