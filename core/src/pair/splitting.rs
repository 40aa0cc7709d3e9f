//! Trap 55, its second half: batches that a broker finds too large.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Pair, broker::Sent, codec::Rle, events::watched_with, failure, offset, producing::begun};
use crate::{
    Acks, Class, Codec, Config, Error, ErrorCode, Fate, Memory, Producer, Record, StartAt, Ticket, sync::Arc, wire::api,
};

/// Takes these values into partition 0, in one batch.
fn together(pair: &mut Pair, producer: &Producer, values: &[String]) -> Vec<Ticket> {
    values.iter().map(|v| pair.enqueue(producer, Record::to("t").partition(0).value(v))).collect()
}

fn numbered(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|i| format!("value {i:04}")).collect()
}

/// A broker whose topic takes batches of at most so many bytes, and which keeps count as Kafka does: it serves what comes
/// until nothing does, and answers the batches that it took. Offsets skip one after each, as other producers write too.
fn serve(pair: &mut Pair, limit: usize, mut offset: i64, mut next: (i16, i32)) -> Vec<(i64, Sent)> {
    let mut log = Vec::new();
    let mut quiet = 0;
    while quiet < 150 {
        let Some(request) = pair.take(api::PRODUCE) else {
            pair.advance_ms(10);
            quiet += 1;
            continue;
        };
        quiet = 0;
        let batch = pair.batch(&request);
        // Kafka looks at the size first.
        if batch.len > limit {
            pair.refuse(&request, ErrorCode::MESSAGE_TOO_LARGE);
        } else if batch.producer_id < 0
            || batch.epoch > next.0 && batch.sequence == 0
            || (batch.epoch, batch.sequence) == next
        {
            next = (batch.epoch, batch.sequence + batch.values.len() as i32);
            pair.acknowledge(&request, offset);
            let taken = batch.values.len() as i64;
            log.push((offset, batch));
            offset += taken + 1;
        } else {
            pair.refuse(&request, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
    }
    log
}

/// What is in the log at a ticket's offset is the ticket's value.
fn check(log: &[(i64, Sent)], tickets: &[Ticket], values: &[String]) {
    for (ticket, value) in tickets.iter().zip(values) {
        let at = offset(ticket);
        let (base, batch) = log.iter().rfind(|(base, _)| *base <= at).expect("before the log");
        assert_eq!(&batch.values[(at - base) as usize], value);
    }
    let written: Vec<&String> = log.iter().flat_map(|(_, b)| &b.values).collect();
    assert_eq!(written, values.iter().collect::<Vec<_>>(), "in order, once");
}

/// A batch is halved until its parts are taken: each with the sequence numbers that its records had, one after the other,
/// before everything that was behind it. Each ticket has the offset of its own part.
#[test]
fn a_batch_that_is_too_large_is_split_in_order() {
    let (mut pair, producer) = begun();
    let mut values = numbered(0, 40);
    let mut tickets = together(&mut pair, &producer, &values);
    let large = pair.expect(api::PRODUCE);
    let whole = pair.batch(&large);
    assert_eq!((whole.values.len(), whole.sequence), (40, 1));
    // Two more fly behind it, of which the broker takes neither.
    let mut behind = Vec::new();
    for round in 0..2 {
        let more = numbered(40 + 3 * round, 3);
        tickets.extend(together(&mut pair, &producer, &more));
        values.extend(more);
        pair.advance_ms(6);
        behind.push(pair.expect(api::PRODUCE));
    }
    pair.refuse(&large, ErrorCode::MESSAGE_TOO_LARGE);
    behind.iter().for_each(|b| pair.refuse(b, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    let log = serve(&mut pair, 300, 100, (0, 1));
    check(&log, &tickets, &values);
    let parts: Vec<(i32, usize)> = log.iter().map(|(_, b)| (b.sequence, b.values.len())).collect();
    assert_eq!(parts, [(1, 10), (11, 10), (21, 10), (31, 10), (41, 3), (44, 3)], "nothing is renumbered");
    assert!(log.iter().all(|(_, b)| b.epoch == whole.epoch && b.producer_id == whole.producer_id));
    assert_eq!(pair.client().budget().leased(Class::Inflate), 0);
    assert_eq!(pair.client().budget().leased(Class::Produce), 0);
}

/// A record that is too large by itself fails alone and names the knobs. What is left of its batch, and what is behind,
/// goes on in a new epoch, in order.
#[test]
fn a_record_that_is_too_large_fails_alone() {
    let (mut pair, producer) = begun();
    let mut values = numbered(0, 9);
    values[4] = "x".repeat(1_000);
    let mut tickets = together(&mut pair, &producer, &values);
    let first = pair.expect(api::PRODUCE);
    let behind = numbered(9, 2);
    tickets.extend(together(&mut pair, &producer, &behind));
    pair.advance_ms(6);
    let second = pair.expect(api::PRODUCE);
    pair.refuse(&first, ErrorCode::RECORD_LIST_TOO_LARGE);
    pair.refuse(&second, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let log = serve(&mut pair, 300, 7, (0, 1));
    let error = failure(&tickets.remove(4));
    let said = error.to_string();
    assert!(said.contains("max.message.bytes") && said.contains("batch_bytes"), "{said}");
    assert_eq!(error.fate(), Fate::NotPersisted);
    values.remove(4);
    values.extend(behind);
    check(&log, &tickets, &values);
    assert_eq!(log.iter().map(|(_, b)| b.epoch).max(), Some(1));
}

/// However full the Produce class is of batches that are all too large, and all of one partition: none waits for
/// room that only those behind it could give back.
#[test]
fn a_full_class_is_split_batch_by_batch() {
    for batch_bytes in [700, 2_000, 4_000] {
        let mut config = Config::new("one:9001");
        config.memory = Memory { produce_bytes: 8 << 10, ..config.memory };
        let mut pair = Pair::with(config);
        let producer = pair.client().producer().batch_bytes(batch_bytes).build().expect("builds");
        let first = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
        let request = pair.expect(api::PRODUCE);
        pair.acknowledge(&request, 0);
        assert_eq!(offset(&first), 0);
        let (mut values, mut tickets) = (Vec::new(), Vec::new());
        for value in numbered(0, 2_000) {
            let Ok(ticket) = producer.try_enqueue(Record::to("t").partition(0).value(&value)) else { break };
            tickets.push(ticket);
            values.push(value);
        }
        assert!(values.len() > 100 && values.len() < 2_000, "{}", values.len());
        let log = serve(&mut pair, 300, 50, (0, 1));
        check(&log, &tickets, &values);
        let budget = pair.client().budget();
        assert!(budget.peak(Class::Produce) <= budget.limit(Class::Produce));
    }
}

/// Without idempotence it is the same, one batch at a time.
#[test]
fn without_idempotence_parts_keep_their_order_too() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().acks(Acks::Leader).build().expect("builds");
    let values = numbered(0, 33);
    let tickets = together(&mut pair, &producer, &values);
    let log = serve(&mut pair, 250, 0, (-1, -1));
    let (mut at, mut got) = (0, Vec::new());
    for (base, batch) in &log {
        assert_eq!((*base, batch.stamp()), (at, (-1, -1, -1)));
        at += batch.values.len() as i64 + 1;
        got.extend(batch.values.clone());
    }
    assert_eq!(got, values);
    assert_eq!(tickets.iter().map(offset).max(), Some(at - 2));
}

/// Compressed batches are inflated, divided and compressed again; a full Produce class is no obstacle.
#[test]
fn compressed_batches_are_split_and_stay_compressed() {
    let mut config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 1_000 }));
    config.memory = Memory { produce_bytes: 64 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let producer = pair.client().producer().compression(Codec::Gzip).batch_bytes(12_000).build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("first"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&first), 0);
    let (mut values, mut tickets) = (Vec::new(), Vec::new());
    loop {
        let value = format!("{}{:03}", "v".repeat(300), values.len());
        let tried = producer.try_enqueue(Record::to("t").partition(0).value(&value));
        pair.turn();
        let Ok(ticket) = tried.or_else(|_| producer.try_enqueue(Record::to("t").partition(0).value(&value))) else {
            break;
        };
        tickets.push(ticket);
        values.push(value);
    }
    let log = serve(&mut pair, 200, 50, (0, 1));
    check(&log, &tickets, &values);
    assert!(log.iter().all(|(_, b)| b.codec == Codec::Gzip && b.epoch == 0));
    let budget = pair.client().budget();
    for class in [Class::Produce, Class::Inflate] {
        assert!(budget.peak(class) <= budget.limit(class), "{class}");
    }
    drop(producer);
    pair.turn();
    assert_eq!(pair.client().budget().leased(Class::Produce), 0);
}

/// Splitting waits for room to inflate that an application holds, and does not spin; where there can never be enough, the
/// error names the knob.
#[test]
fn splitting_waits_for_room() {
    let config = Config::new("one:9001").codecs(Arc::new(Rle { memory: 0 }));
    let memory = Memory { inflate_bytes: 8 << 10, ..config.memory };
    let (mut pair, seen) = watched_with(Config { memory, ..config });
    let producer = pair.client().producer().build().expect("builds");
    let mut consumer = pair.client().consumer().assign([("t", 1)]).from(StartAt::Offset(0)).build().expect("builds");
    let fetch = pair.expect(api::FETCH);
    pair.bring(&fetch, 7, 1, &super::broker::packed(Codec::Lz4, 0, &["x".repeat(5_000).as_str()]));
    let kept = super::fetching::records(&pair, &mut consumer);
    let values = numbered(0, 200);
    let tickets = together(&mut pair, &producer, &values);
    let request = pair.await_request(api::PRODUCE, 100);
    pair.refuse(&request, ErrorCode::MESSAGE_TOO_LARGE);
    pair.advance_ms(6_000);
    assert!(pair.take(api::PRODUCE).is_none(), "there is no room to split it");
    let told = seen.one("records_kept");
    assert!(told.contains("(memory.inflate_bytes)"), "{told}");
    drop(kept);
    let log = serve(&mut pair, 2_000, 0, (0, 0));
    check(&log, &tickets, &values);

    let large: Vec<String> = (0..3).map(|i| i.to_string().repeat(4_000)).collect();
    for expected in [Fate::NotPersisted, Fate::MaybePersisted] {
        let tickets = together(&mut pair, &producer, &large);
        let mut request = pair.await_request(api::PRODUCE, 100);
        if expected == Fate::MaybePersisted {
            // Of the first try nobody knows what became.
            pair.hang_up(request.link);
            request = pair.await_request(api::PRODUCE, 2_000);
        }
        pair.refuse(&request, ErrorCode::MESSAGE_TOO_LARGE);
        pair.turn();
        for ticket in &tickets {
            let error = failure(ticket);
            let said = error.to_string();
            assert!(said.contains("memory.inflate_bytes") && said.contains("batch_bytes"), "{said}");
            let Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, fate, .. } = error else { panic!("{said}") };
            assert_eq!(fate, expected);
        }
    }
}

/// A batch whose fate is open is split all the same, because it was refused for its size before, too, unless the limit has
/// changed. If it is in the log after all, its parts do not follow it there: the broker does not know them, and they get no
/// other numbers.
#[test]
fn a_batch_of_unknown_fate_is_split_but_never_written_twice() {
    for written in [false, true] {
        let (mut pair, producer) = begun();
        let values = numbered(0, 8);
        let tickets = together(&mut pair, &producer, &values);
        let request = pair.expect(api::PRODUCE);
        pair.hang_up(request.link);
        let again = pair.await_request(api::PRODUCE, 2_000);
        pair.refuse(&again, ErrorCode::MESSAGE_TOO_LARGE);
        let part = pair.expect(api::PRODUCE);
        assert_eq!((pair.batch(&part).sequence, pair.batch(&part).values.len()), (1, 4));
        if written {
            pair.refuse(&part, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            pair.advance_ms(3_000);
            assert!(pair.take(api::PRODUCE).is_none(), "it may be in the log");
            assert!(tickets.iter().all(|t| failure(t).fate() == Fate::MaybePersisted));
            continue;
        }
        pair.acknowledge(&part, 20);
        // From here on it surely is not in the log as it was, and what is left may get other numbers.
        let rest = pair.expect(api::PRODUCE);
        pair.refuse(&rest, ErrorCode::UNKNOWN_PRODUCER_ID);
        let log = serve(&mut pair, 1_000, 30, (0, 99));
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].1.epoch, log[0].1.sequence, log[0].1.values.len()), (1, 0, 4));
        assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [20, 21, 22, 23, 30, 31, 32, 33]);
    }
}

/// When the time of a batch is over between its parts, those that were taken have their offsets and the others an error; the
/// flush ends with the last.
#[test]
fn parts_may_run_out_of_time() {
    let (mut pair, producer) = begun();
    let tickets = together(&mut pair, &producer, &numbered(0, 8));
    let request = pair.expect(api::PRODUCE);
    pair.refuse(&request, ErrorCode::MESSAGE_TOO_LARGE);
    let half = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&half).values.len(), 4);
    pair.acknowledge(&half, 30);
    assert!(tickets[0].outcome().is_none(), "a batch's tickets are told together");
    let other = pair.expect(api::PRODUCE);
    pair.down = [1, 2, 3].into();
    pair.hang_up(other.link);
    pair.advance_ms(121_000);
    assert_eq!(tickets[..4].iter().map(offset).collect::<Vec<_>>(), [30, 31, 32, 33]);
    for ticket in &tickets[4..] {
        assert!(matches!(failure(ticket), Error::TimedOut { fate: Fate::MaybePersisted, .. }));
    }
}
