//! A producer's limits beside memory: records in a batch and in all, requests that are open, and how often one is tried.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{Pair, failure, offset};
use crate::{
    Error, ErrorCode, Fate, Producer, ProducerConfig, Record, Ticket, broker_role::produce_request::ProduceRequest,
    link::Use, wire::api,
};

fn producer(pair: &Pair, change: impl FnOnce(&mut ProducerConfig)) -> Producer {
    let mut config = ProducerConfig { linger_ms: 100, ..ProducerConfig::default() };
    change(&mut config);
    pair.client().producer().config(config).build().expect("builds")
}

fn send(pair: &mut Pair, producer: &Producer, partition: i32, value: &str) -> Ticket {
    pair.enqueue(producer, Record::to("t").partition(partition).value(value))
}

/// The records of each batch to a partition, in order.
fn written(pair: &mut Pair) -> Vec<Vec<String>> {
    let (mut all, mut end) = (Vec::new(), 0);
    for _ in 0..20 {
        pair.advance_ms(20);
        while let Some(request) = pair.take(api::PRODUCE) {
            let batch = pair.batch(&request);
            pair.acknowledge(&request, end);
            end += batch.values.len() as i64;
            all.push(batch.values);
        }
    }
    all
}

#[test]
fn a_batch_has_no_more_records_than_it_may() {
    let mut pair = Pair::new();
    let producer = producer(&pair, |c| c.batch_records = 3);
    let tickets: Vec<_> = (0..7).map(|i| send(&mut pair, &producer, 0, &format!("{i}"))).collect();
    assert_eq!(written(&mut pair), [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]]);
    assert!(tickets.iter().map(offset).eq(0..7));
}

/// What is larger than a full batch goes alone, and is not refused: that is what `batch.size` means elsewhere.
#[test]
fn a_full_batch_is_smaller_than_the_largest_record() {
    let mut pair = Pair::new();
    let producer = producer(&pair, |c| c.batch_full_bytes = 300);
    let large = "x".repeat(5_000);
    let values = [&"a".repeat(50), &"b".repeat(50), &large, &"c".repeat(50)];
    let tickets: Vec<_> = values.iter().map(|value| send(&mut pair, &producer, 0, value)).collect();
    let batches = written(&mut pair);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1], "{batches:?}");
    assert!(tickets.iter().map(offset).eq(0..4));
}

/// Its CRC, which the broker checks, was begun before it was full.
#[test]
fn a_batch_of_many_chunks_is_sound() {
    let mut pair = Pair::new();
    let producer = producer(&pair, |_| ());
    let value = "x".repeat(30_000);
    let tickets: Vec<_> = (0..12).map(|_| send(&mut pair, &producer, 0, &value)).collect();
    let batches = written(&mut pair);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [12]);
    assert!(tickets.iter().map(offset).eq(0..12));
}

/// Beyond the limit who sends waits, nothing lingers meanwhile, and an acknowledgement makes place.
#[test]
fn no_more_records_wait_than_may() {
    let mut pair = Pair::new();
    let producer = producer(&pair, |c| c.max_records = Some(2));
    let first = send(&mut pair, &producer, 0, "a");
    let second = send(&mut pair, &producer, 0, "b");
    let refused = producer.try_enqueue(Record::to("t").partition(2).value("c")).expect_err("one too many");
    let text = format!("{}", refused.error());
    assert!(text.contains("1 records do not fit into 2 (max_records)"), "{text}");
    assert!(refused.error().is_retriable());
    let mut waiting = core::pin::pin!(producer.enqueue(Record::to("t").partition(2).value("c")));
    assert!(pair.poll(waiting.as_mut()).is_pending());
    let woken = pair.woken.count();
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.woken.count(), woken, "there is no place before the answer");
    pair.acknowledge(&request, 0);
    pair.turn();
    assert!(pair.woken.count() > woken, "somebody waits for that");
    assert!(pair.poll(waiting.as_mut()).is_ready());
    assert_eq!([first, second].each_ref().map(offset), [0, 1]);
}

/// Each partition's batches are one request each here, because they come one after the other.
#[test]
fn no_more_requests_are_open_than_may_be() {
    for most in [1, 2, 5] {
        let mut pair = Pair::new();
        pair.topic("t").leaders = vec![(1, 5); 3];
        let producer = producer(&pair, |c| (c.max_in_flight, c.linger_ms) = (most, 0));
        let ticket = send(&mut pair, &producer, 0, "first");
        let request = pair.expect(api::PRODUCE);
        pair.acknowledge(&request, 0);
        assert_eq!(offset(&ticket), 0);
        for i in 0..8 {
            drop(send(&mut pair, &producer, 0, &format!("{i}")));
            pair.advance_ms(6);
        }
        let open = core::iter::from_fn(|| pair.take(api::PRODUCE)).count();
        assert_eq!(open, most);
    }
}

/// `retries`: so many more tries, and then the broker's own error, with what it means for the record. What follows goes on.
#[test]
fn a_batch_is_sent_again_as_often_as_it_may() {
    for retries in [0, 2] {
        let mut pair = Pair::new();
        let producer = producer(&pair, |c| (c.retries, c.linger_ms) = (retries, 0));
        let ticket = send(&mut pair, &producer, 0, "a");
        for _ in 0..=retries {
            assert!(ticket.outcome().is_none());
            let request = pair.await_request(api::PRODUCE, 2_000);
            pair.refuse(&request, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
            pair.turn();
        }
        let error = failure(&ticket);
        let Error::Broker { code, fate, .. } = error else { panic!("{error}") };
        assert_eq!((code, fate), (ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, Fate::MaybePersisted));
        let next = send(&mut pair, &producer, 0, "b");
        let request = pair.await_request(api::PRODUCE, 2_000);
        assert_eq!(pair.batch(&request).values, ["b"]);
        pair.acknowledge(&request, 7);
        assert_eq!(offset(&next), 7);
    }
}

#[test]
fn leaders_are_told_how_long_replicas_may_take() {
    for (own, told) in [(None, 30_000), (Some(1_234), 1_234)] {
        let mut pair = Pair::new();
        let producer = producer(&pair, |c| (c.ack_timeout_ms, c.linger_ms) = (own, 0));
        drop(send(&mut pair, &producer, 0, "a"));
        let request = pair.expect(api::PRODUCE);
        assert_eq!(request.read::<ProduceRequest<'_>>().timeout_ms, told);
    }
}

/// Trap 49: who loses the answer to the last try does not know that the record is nowhere. What was never sent is.
#[test]
fn a_lost_answer_to_the_last_try_may_mean_a_record_in_the_log() {
    for (retries, sent) in [(0, true), (1, true), (0, false)] {
        let mut pair = Pair::new();
        let producer = producer(&pair, |c| (c.retries, c.linger_ms) = (retries, 0));
        let before = send(&mut pair, &producer, 0, "before");
        let request = pair.await_request(api::PRODUCE, 2_000);
        pair.acknowledge(&request, 0);
        assert_eq!(offset(&before), 0);
        pair.stuck = !sent;
        let ticket = send(&mut pair, &producer, 0, "a");
        for _ in 0..=retries {
            assert!(ticket.outcome().is_none());
            pair.advance_ms(2_000);
            let link = pair.link_to(1, Use::Produce);
            pair.hang_up(link);
            pair.turn();
        }
        let error = failure(&ticket);
        let fate = if sent { Fate::MaybePersisted } else { Fate::NotPersisted };
        assert_eq!((error.fate(), error.is_retriable()), (fate, true), "{error}");
        assert_eq!(error.to_string().contains("delivery to t-0 got no answer, and has no more tries (retries)"), sent);
        assert_eq!(error.to_string().ends_with("; the record may be in the log"), sent, "{error}");
    }
}

/// A batch that does not fit behind others in a request is the first of the broker's next: small ones of other partitions, of
/// which there are always some, do not leave it out for ever, nor does what another broker is sent meanwhile.
#[test]
fn a_large_batch_has_its_turn() {
    for leader_of_the_last in [1, 2] {
        let mut pair = Pair::new();
        pair.topic("t").leaders = vec![(1, 5), (1, 5), (leader_of_the_last, 5)];
        let producer = producer(&pair, |c| (c.max_in_flight, c.request_bytes, c.linger_ms) = (1, 600, 0));
        for partition in [0, 2] {
            drop(send(&mut pair, &producer, partition, "first"));
            pair.advance_ms(10);
        }
        let large = send(&mut pair, &producer, 1, &"l".repeat(450));
        for turn in 0i64.. {
            assert!(turn < 6, "it is left out again and again");
            let mut open: Vec<_> = core::iter::from_fn(|| pair.take(api::PRODUCE)).collect();
            open.sort_by_key(|request| -request.node);
            drop(send(&mut pair, &producer, 0, &"a".repeat(200)));
            drop(send(&mut pair, &producer, 2, "b"));
            pair.advance_ms(10);
            for request in open {
                pair.acknowledge(&request, 10 * turn);
                pair.turn();
            }
            if large.outcome().is_some() {
                break;
            }
        }
        let _ = offset(&large);
    }
}
