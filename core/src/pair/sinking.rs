//! The producer as a sink, and the consumer as a stream: what is kept, for how long, and what is told.

use alloc::{format, vec::Vec};
use core::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use futures_core::Stream;
use futures_sink::Sink;

use super::{Pair, fetching, producing::begun};
use crate::{Class, Config, Error, ErrorCode, Fate, Memory, Record, RecordSink, SinkError, wire::api};

fn ready(pair: &Pair, sink: &mut RecordSink<'_>) -> Poll<Result<(), SinkError>> {
    pair.poll(poll_fn(|cx| Pin::new(&mut *sink).poll_ready(cx)))
}

fn flush(pair: &Pair, sink: &mut RecordSink<'_>) -> Poll<Result<(), SinkError>> {
    pair.poll(poll_fn(|cx| Pin::new(&mut *sink).poll_flush(cx)))
}

fn hand<'r>(sink: &mut RecordSink<'r>, record: Record<'r>) {
    Pin::new(sink).start_send(record).expect("it was ready");
}

fn to(partition: i32) -> Record<'static> {
    Record::to("t").partition(partition).value("a")
}

/// No more records are unsettled than were allowed; whoever waits to hand over the next is woken by an acknowledgement.
#[test]
fn a_sink_is_ready_while_few_are_unsettled() {
    let (mut pair, producer) = begun();
    let mut sink = producer.sink().max_unsettled(2);
    for partition in [0, 1] {
        assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
        hand(&mut sink, to(partition));
    }
    assert!(ready(&pair, &mut sink).is_pending());
    let first = pair.expect(api::PRODUCE);
    let second = pair.expect(api::PRODUCE);
    let woken = pair.woken.count();
    pair.acknowledge(&first, 1);
    assert_eq!(pair.woken.count(), woken + 1);
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
    hand(&mut sink, to(2));
    assert!(ready(&pair, &mut sink).is_pending());
    assert!(flush(&pair, &mut sink).is_pending());
    pair.acknowledge(&second, 1);
    let third = pair.expect(api::PRODUCE);
    assert!(flush(&pair, &mut sink).is_pending());
    pair.acknowledge(&third, 1);
    assert_eq!(flush(&pair, &mut sink), Poll::Ready(Ok(())));
    assert_eq!(sink.count(), 3);
}

/// A record of an unknown topic is kept by the sink until the topic is known; no other is taken before, and one that is
/// handed over all the same is refused and does not count.
#[test]
fn a_record_is_kept_until_its_topic_is_known() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let mut sink = producer.sink();
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
    hand(&mut sink, to(0));
    assert!(ready(&pair, &mut sink).is_pending());
    let unready = Pin::new(&mut sink).start_send(to(1)).expect_err("it was not ready");
    assert!(matches!(unready.error, Error::Config { knob: "sink", .. }), "{unready}");
    assert_eq!(sink.count(), 1);
    assert!(flush(&pair, &mut sink).is_pending());
    let woken = pair.woken.count();
    pair.turn();
    assert!(pair.woken.count() > woken, "the topic is known now");
    assert!(flush(&pair, &mut sink).is_pending());
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["a"]);
    pair.acknowledge(&request, 0);
    assert_eq!(flush(&pair, &mut sink), Poll::Ready(Ok(())));
}

/// A full buffer: the sink keeps one record, and enters it when there is room. One that found none in time has failed, by
/// its number, and the sink goes on.
#[test]
fn a_record_is_kept_until_there_is_room() {
    let mut config = Config::new("one:9001");
    config.memory = Memory { produce_bytes: 8 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let built = pair.client().producer().batch_bytes(7 << 10).max_block(Duration::from_millis(500)).build();
    let producer = built.expect("builds");
    let large = [b'x'; 20 * 256];
    let record = |partition| Record::to("t").partition(partition).value(&large[..]);
    let mut sink = producer.sink();
    hand(&mut sink, record(0));
    assert!(ready(&pair, &mut sink).is_pending());
    pair.turn();
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
    hand(&mut sink, record(1));
    assert!(ready(&pair, &mut sink).is_pending());
    let first = pair.expect(api::PRODUCE);
    assert!(ready(&pair, &mut sink).is_pending());
    pair.acknowledge(&first, 0);
    pair.turn();
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
    hand(&mut sink, record(2));
    assert!(flush(&pair, &mut sink).is_pending());
    let second = pair.expect(api::PRODUCE);
    pair.advance_ms(501);
    // It is known that the third is lost, and not yet what becomes of the second: a flush waits for all.
    assert!(flush(&pair, &mut sink).is_pending());
    pair.acknowledge(&second, 0);
    let Poll::Ready(Err(failed)) = flush(&pair, &mut sink) else { panic!("the third has failed") };
    assert_eq!((failed.record, failed.failed), (2, 1));
    assert!(matches!(failed.error, Error::TimedOut { knob: "max_block_ms", fate: Fate::NotPersisted, .. }), "{failed}");
    assert_eq!(flush(&pair, &mut sink), Poll::Ready(Ok(())), "a failure is told once");

    // One that finds no room while one before it is under way, which then fails too: the one before is named.
    hand(&mut sink, record(0));
    hand(&mut sink, record(1));
    assert!(flush(&pair, &mut sink).is_pending());
    let third = pair.expect(api::PRODUCE);
    pair.advance_ms(501);
    assert!(flush(&pair, &mut sink).is_pending());
    pair.refuse(&third, ErrorCode::INVALID_RECORD);
    let Poll::Ready(Err(failed)) = flush(&pair, &mut sink) else { panic!("both have failed") };
    assert_eq!((failed.record, failed.failed), (3, 2));
    assert!(matches!(failed.error, Error::Broker { code: ErrorCode::INVALID_RECORD, .. }), "{failed}");
    drop(sink);
    assert_eq!(pair.client().budget().leased(Class::Produce), 0);
}

/// Of several failures the first in the order of handing over is told, with their number, when all is settled; a sink that
/// is to take more tells what it knows before.
#[test]
fn the_first_failure_is_told() {
    let (mut pair, producer) = begun();
    let mut sink = producer.sink();
    (0..3).for_each(|partition| hand(&mut sink, to(partition)));
    let requests: Vec<_> = (0..3).map(|_| pair.expect(api::PRODUCE)).collect();
    assert!(flush(&pair, &mut sink).is_pending());
    pair.refuse(&requests[2], ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    pair.refuse(&requests[1], ErrorCode::INVALID_RECORD);
    assert!(flush(&pair, &mut sink).is_pending());
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())), "what is behind an unsettled one is not looked at");
    pair.acknowledge(&requests[0], 1);
    let Poll::Ready(Err(failed)) = flush(&pair, &mut sink) else { panic!("two have failed") };
    assert_eq!((failed.record, failed.failed), (1, 2));
    assert!(matches!(failed.error, Error::Broker { code: ErrorCode::INVALID_RECORD, .. }), "{failed}");
    assert!(format!("{failed}").contains("record 1 of the sink, the first of 2 that failed: "), "{failed}");

    hand(&mut sink, to(0));
    let request = pair.expect(api::PRODUCE);
    pair.refuse(&request, ErrorCode::INVALID_RECORD);
    let Poll::Ready(Err(failed)) = ready(&pair, &mut sink) else { panic!("it has failed") };
    assert_eq!((failed.record, failed.failed), (3, 1));
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
}

/// A flush does not linger, also for what was handed over after one that was given up.
#[test]
fn a_flush_does_not_linger() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().linger(Duration::from_secs(60)).build().expect("builds");
    let mut sink = producer.sink();
    hand(&mut sink, to(0));
    assert!(ready(&pair, &mut sink).is_pending());
    pair.turn();
    assert_eq!(ready(&pair, &mut sink), Poll::Ready(Ok(())));
    assert!(pair.take(api::PRODUCE).is_none(), "it lingers");
    assert!(flush(&pair, &mut sink).is_pending());
    let first = pair.expect(api::PRODUCE);
    hand(&mut sink, to(1));
    assert!(flush(&pair, &mut sink).is_pending());
    let second = pair.expect(api::PRODUCE);
    pair.acknowledge(&first, 0);
    pair.acknowledge(&second, 0);
    assert_eq!(flush(&pair, &mut sink), Poll::Ready(Ok(())));
}

/// A sink that is dropped loses its place among those that wait, and what is in the buffer is sent.
#[test]
fn a_dropped_sink_cancels_nothing() {
    let (mut pair, producer) = begun();
    let mut sink = producer.sink();
    hand(&mut sink, to(0));
    hand(&mut sink, Record::to("unknown").value("lost"));
    assert!(ready(&pair, &mut sink).is_pending());
    drop(sink);
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["a"]);
    pair.acknowledge(&request, 1);
    pair.advance_ms(100);
    assert_eq!(pair.woken.count(), 0, "nobody waits any more");
}

/// The stream is the consumer's `next`: records, errors between them, and an end.
#[test]
fn a_stream_goes_on_after_an_error() {
    let (mut pair, mut consumer, request) = fetching::at_ten();
    let mut poll = |pair: &Pair| pair.poll(poll_fn(|cx| Pin::new(&mut consumer).poll_next(cx)));
    assert!(poll(&pair).is_pending());
    pair.fail_fetch(&request, 77, 0, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert!(matches!(poll(&pair), Poll::Ready(Some(Err(Error::Broker { .. })))));
    assert!(poll(&pair).is_pending());
    pair.client().shut_down();
    pair.turn();
    assert!(pair.ended);
    assert!(matches!(poll(&pair), Poll::Ready(None)));
}
