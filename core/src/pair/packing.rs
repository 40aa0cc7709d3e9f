//! Compressed batches on their way into Kafka.

use alloc::{format, vec::Vec};

use super::{Pair, codec::Rle, failure, offset};
use crate::{
    Class, Codec, Config, Error, ErrorCode, Memory, PeerFault, Producer, ProducerBuilder, Record, Ticket, sync::Arc,
    wire::api,
};

/// A pair whose Produce class has so much room, and a producer that compresses.
fn packing(
    produce_bytes: usize,
    codec: Codec,
    change: impl FnOnce(ProducerBuilder) -> ProducerBuilder,
) -> (Pair, Producer) {
    let mut config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 1_000 }));
    config.memory = Memory { produce_bytes, ..config.memory };
    let pair = Pair::with(config);
    let producer = change(pair.client().producer().compression(codec)).build().expect("builds");
    (pair, producer)
}

/// Trap 41: a batch's records are compressed as one block behind a plain header, once; a batch that is sent again is the
/// same. One that would not become smaller goes out as it is.
#[test]
fn a_batch_is_compressed_as_a_whole_and_only_if_that_helps() {
    let (mut pair, producer) = packing(8 << 20, Codec::Lz4, |b| b);
    let value = "x".repeat(50_000);
    let tickets: Vec<Ticket> =
        (0..3).map(|_| pair.enqueue(&producer, Record::to("t").partition(0).value(&value))).collect();
    let request = pair.expect(api::PRODUCE);
    let first = pair.batch(&request);
    assert_eq!((first.codec, first.values.len()), (Codec::Lz4, 3));
    assert!(first.len < 2_000, "{} bytes", first.len);
    pair.refuse(&request, ErrorCode::NOT_ENOUGH_REPLICAS);
    let again = pair.await_request(api::PRODUCE, 2_000);
    assert_eq!(pair.batch(&again), first);
    pair.acknowledge(&again, 5);
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [5, 6, 7]);

    let mixed: Vec<u8> = (0..200).collect();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value(&mixed[..]));
    let request = pair.await_request(api::PRODUCE, 100);
    assert_eq!(pair.batch(&request).codec, Codec::None);
    pair.acknowledge(&request, 8);
    assert_eq!(offset(&ticket), 8);
    pair.turn();
    let held = pair.client().budget().leased(Class::Produce);
    assert_eq!(held, 1_000 + 31 * (32 << 10), "the compressor and the room for its output");
    drop(producer);
    pair.turn();
    assert_eq!(pair.client().budget().leased(Class::Produce), 0);
}

/// Trap 35: what is compressed with zstd needs Produce 7. A broker that does not speak it is named with its versions, and
/// batches that go out plain are none of that.
#[test]
fn zstd_needs_a_broker_that_knows_it() {
    let (mut pair, producer) = packing(8 << 20, Codec::Zstd, |b| b);
    pair.versions.insert(api::PRODUCE.key, (3, 6));
    let value = "x".repeat(500);
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value(&value));
    pair.advance_ms(10);
    let error = failure(&ticket);
    let Error::Peer { fault: PeerFault::CodecTooNew { codec, needed, broker_min, broker_max, .. }, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*codec, *needed, *broker_min, *broker_max), (Codec::Zstd, 7, 3, 6));
    let said = format!("{error}");
    assert!(said.contains("does not take zstd: that needs Produce 7, and it speaks 3 to 6"), "{said}");
    let plain = pair.enqueue(&producer, Record::to("t").partition(0).value("short"));
    let request = pair.await_request(api::PRODUCE, 100);
    assert_eq!((pair.batch(&request).codec, request.version), (Codec::None, 6));
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&plain), 0);

    let (mut pair, producer) = packing(8 << 20, Codec::Zstd, |b| b);
    pair.versions.insert(api::PRODUCE.key, (3, 7));
    pair.enqueue(&producer, Record::to("t").partition(0).value(&value)).outcome();
    let request = pair.expect(api::PRODUCE);
    assert_eq!((pair.batch(&request).codec, request.version), (Codec::Zstd, 7));
}

/// However full the Produce class is, its batches can be compressed and sent; what compression frees takes new records.
/// A partition's batches keep their order though a turn compresses only some of them.
#[test]
fn a_full_class_is_compressed_and_goes_on() {
    let (mut pair, producer) = packing(64 << 10, Codec::Lz4, |b| b.batch_bytes(10_000));
    let (letters, mut tickets, mut expected) = ("abcdefgh", Vec::new(), Vec::new());
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&first), 0);
    let mut round = 0;
    'full: loop {
        for letter in letters.chars() {
            let value = alloc::string::String::from(letter).repeat(3_000);
            let mut tried = producer.try_enqueue(Record::to("t").partition(0).value(&value));
            for _ in 0..3 {
                if tried.is_ok() {
                    break;
                }
                pair.turn();
                tried = producer.try_enqueue(Record::to("t").partition(0).value(&value));
            }
            let Ok(ticket) = tried else { break 'full };
            tickets.push(ticket);
            expected.push(value);
        }
        round += 1;
        assert!(round < 100, "compressed records need room too");
    }
    let limit = pair.client().budget().limit(Class::Produce);
    assert!(pair.client().budget().peak(Class::Produce) <= limit);
    assert!(tickets.len() * 3_000 > 2 * limit, "only {} records", tickets.len());
    let (mut got, mut base) = (Vec::new(), 1);
    while got.len() < expected.len() {
        let request = pair.await_request(api::PRODUCE, 5_000);
        let batch = pair.batch(&request);
        assert_eq!(batch.sequence, base as i32);
        pair.acknowledge(&request, base);
        base += batch.values.len() as i64;
        got.extend(batch.values);
    }
    assert!(got == expected);
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), (1..base).collect::<Vec<_>>());
}

/// A producer with two jobs whose batches are full after one record of 900 bytes.
fn offloading(change: impl FnOnce(ProducerBuilder) -> ProducerBuilder) -> (Pair, Producer) {
    let (mut pair, producer) = packing(64 << 10, Codec::Lz4, |b| change(b.batch_bytes(1_000).compression_jobs(2)));
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&first), 0);
    pair.keeps_jobs = true;
    (pair, producer)
}

fn enqueue_large(pair: &mut Pair, producer: &Producer, fill: &str) -> Ticket {
    pair.enqueue(producer, Record::to("t").partition(0).value(fill.repeat(900)))
}

/// No more jobs are out than there are, and the driver's turns go on meanwhile. Whatever order they are done in, a
/// partition's batches go in theirs.
#[test]
fn jobs_may_end_in_any_order() {
    let (mut pair, producer) = offloading(|b| b);
    let tickets: Vec<Ticket> = ["a", "b", "c", "d"].map(|fill| enqueue_large(&mut pair, &producer, fill)).into();
    pair.advance_ms(10);
    assert_eq!(pair.jobs.len(), 2);
    pair.run_job(1);
    assert_eq!(pair.jobs.len(), 2, "the next one's turn has come");
    assert!(pair.take(api::PRODUCE).is_none(), "what is behind the first batch waits for it");
    let mut sent = Vec::new();
    for round in 0..20 {
        if !pair.jobs.is_empty() {
            pair.run_job(round % pair.jobs.len());
        }
        while let Some(request) = pair.take(api::PRODUCE) {
            let batch = pair.batch(&request);
            assert_eq!(batch.codec, Codec::Lz4);
            sent.extend(batch.values.iter().map(|value| value.chars().next()));
            pair.acknowledge(&request, sent.len() as i64);
        }
        pair.advance_ms(6);
    }
    assert_eq!(sent, ['a', 'b', 'c', 'd'].map(Some));
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

/// A batch whose time is over while it is at work is told so at once; what the job made is room for others.
#[test]
fn a_batch_may_expire_while_it_is_at_work() {
    let (mut pair, producer) = offloading(|b| b.delivery_timeout(core::time::Duration::from_secs(31)));
    let held = pair.client().budget().leased(Class::Produce);
    let ticket = enqueue_large(&mut pair, &producer, "a");
    pair.advance_ms(10);
    assert_eq!(pair.jobs.len(), 1);
    pair.advance_ms(31_000);
    assert!(matches!(failure(&ticket), Error::TimedOut { knob: "delivery_timeout_ms", .. }));
    pair.run_job(0);
    assert!(pair.take(api::PRODUCE).is_none());
    assert_eq!(pair.client().budget().leased(Class::Produce), held);
    let next = enqueue_large(&mut pair, &producer, "b");
    pair.advance_ms(10);
    pair.run_job(0);
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).codec, Codec::Lz4);
    pair.acknowledge(&request, 9);
    assert_eq!(offset(&next), 9);
}

/// A job that is out when the client ends holds what it took until it is dropped.
#[test]
fn a_job_may_outlive_its_producer() {
    let (mut pair, producer) = offloading(|b| b);
    let ticket = enqueue_large(&mut pair, &producer, "a");
    pair.advance_ms(10);
    let budget = Arc::clone(&pair.client().shared().budget);
    drop(producer);
    pair.drop_client();
    pair.advance_ms(60_000);
    assert!(matches!(failure(&ticket), Error::Closed { .. }));
    assert!(budget.leased(Class::Produce) > 0);
    pair.run_job(0);
    assert_eq!(budget.leased(Class::Produce), 0);
}
