//! Records of one slice, and how many locks records take.

use alloc::{format, string::String, vec, vec::Vec};
use core::{pin::pin, task::Poll};

use super::producing::begun;
use crate::{Error, ErrorCode, Fate, Record, Sent, wire::api};

fn records(values: &[String]) -> Vec<Record<'_>> {
    values.iter().enumerate().map(|(i, value)| Record::to("t").partition(i as i32 / 3 % 2).value(value)).collect()
}

/// In the order of the slice, whatever partition and batch each went to; within a partition in that order, too.
#[test]
fn a_slice_is_told_in_its_own_order() {
    let (mut pair, producer) = begun();
    let values: Vec<String> = (0..12).map(|i| format!("v{i}")).collect();
    let slice = records(&values);
    let mut sending = pin!(producer.send_all(&slice));
    assert!(pair.poll(sending.as_mut()).is_pending());
    let mut got: [Vec<String>; 2] = Default::default();
    while let Some(request) = pair.take(api::PRODUCE) {
        for batch in pair.batches(&request) {
            got[batch.partition as usize].extend(batch.values);
        }
        pair.acknowledge(&request, 100);
        pair.advance_ms(6);
    }
    let of =
        |partition| -> Vec<String> { (0..12).filter(|i| i / 3 % 2 == partition).map(|i| format!("v{i}")).collect() };
    assert_eq!(got, [of(0), of(1)]);
    let Poll::Ready(Ok(sent)) = pair.poll(sending.as_mut()) else { panic!("acknowledged") };
    let told: Vec<(i32, i64)> = sent.iter().map(|m| m.map(|m| (m.partition(), m.offset())).expect("there")).collect();
    let expected: Vec<(i32, i64)> = (0..12).map(|i| (i / 3 % 2, 100 + i64::from(i / 6 * 3 + i % 3))).collect();
    assert_eq!(told, expected);
    assert_eq!(sent.len(), 12);
}

/// What stands before a record that cannot be taken is sent; nothing behind it is.
#[test]
fn a_slice_ends_where_a_record_is_refused() {
    let (mut pair, producer) = begun();
    let slice = [0, 0, 99, 0].map(|p| Record::to("t").partition(p).value("a"));
    let Poll::Ready(Err(refused)) = pair.poll(producer.enqueue_all(&slice)) else { panic!("partition 99") };
    assert!(format!("{refused}").starts_with("2 records were taken, and then: "), "{refused}");
    assert!(matches!(refused.error(), Error::Config { knob: "partition", .. }));
    let mut tickets = pin!(refused.into_taken());
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values.len(), 2);
    assert!(pair.poll(tickets.as_mut()).is_pending());
    pair.acknowledge(&request, 7);
    let Poll::Ready(sent) = pair.poll(tickets.as_mut()) else { panic!("acknowledged") };
    assert_eq!(offsets(&sent), vec![Some(7), Some(8)]);
    assert!(sent.into_result().is_ok());

    let mut sending = pin!(producer.send_all(&slice));
    assert!(pair.poll(sending.as_mut()).is_pending());
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 9);
    let Poll::Ready(Err(error)) = pair.poll(sending.as_mut()) else { panic!("refused") };
    assert!(matches!(error, Error::Config { knob: "partition", .. }), "{error}");
}

fn offsets(sent: &Sent) -> Vec<Option<i64>> {
    sent.iter().map(|told| told.ok().map(|m| m.offset())).collect()
}

/// One partition's failure leaves what became of the others to be told.
#[test]
fn a_failure_is_told_record_by_record() {
    let (mut pair, producer) = begun();
    let slice = [1, 0, 1].map(|p| Record::to("t").partition(p).value("a"));
    let Poll::Ready(Ok(tickets)) = pair.poll(producer.enqueue_all(&slice)) else { panic!("room") };
    let mut tickets = pin!(tickets);
    pair.turn();
    while let Some(request) = pair.take(api::PRODUCE) {
        if pair.batches(&request).iter().any(|batch| batch.partition == 1) {
            pair.refuse(&request, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        } else {
            pair.acknowledge(&request, 4);
        }
        pair.advance_ms(6);
    }
    let Poll::Ready(sent) = pair.poll(tickets.as_mut()) else { panic!("settled") };
    assert_eq!(offsets(&sent), vec![None, Some(4), None]);
    let error = sent.into_result().expect_err("two failed");
    assert!(matches!(error, Error::Broker { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, .. }), "{error}");
    assert_eq!(error.fate(), Fate::NotPersisted);
}

/// Locks of this thread that `work` takes.
#[cfg(feature = "std")]
fn locks(work: impl FnOnce()) -> usize {
    let before = crate::sync::LOCKED.get();
    work();
    crate::sync::LOCKED.get() - before
}

/// At most one lock a record on its way into the buffer, beside those of its batch, and for a slice not even that.
#[cfg(feature = "std")]
#[test]
fn a_record_takes_one_lock_and_a_slice_hardly_any() {
    let (mut pair, producer) = begun();
    let (few, many) = (vec![Record::to("t").partition(0).value("0123456789"); 1_000], 2);
    let one_by_one = |times: usize| {
        locks(|| {
            for record in few.iter().cycle().take(times * few.len()) {
                drop(producer.try_enqueue(record.clone()).expect("room"));
            }
        })
    };
    let (once, twice) = (one_by_one(1), one_by_one(many));
    assert!(twice - once <= few.len() + 10, "{} locks for {} records more", twice - once, few.len());
    let together = locks(|| {
        let Poll::Ready(Ok(tickets)) = pair.poll(producer.enqueue_all(&few)) else { panic!("room") };
        assert_eq!(tickets.len(), few.len());
    });
    assert!(together <= few.len() / 32, "{together} locks for a slice of {}", few.len());
    pair.turn();
}

/// Reading records takes a lock for what `next` hands out, and none for a record.
#[cfg(feature = "std")]
#[test]
fn consuming_takes_no_lock_for_a_record() {
    let (mut pair, mut consumer, request) = super::fetching::at_ten();
    let values: Vec<String> = (0..500).map(|i| format!("v{i}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    pair.bring(&request, 1, 0, &super::broker::batch_of(10, &values));
    let taken = locks(|| {
        let Poll::Ready(Ok(Some(records))) = pair.poll(consumer.next()) else { panic!("they are here") };
        assert_eq!(records.iter().filter(|record| record.value().is_some()).count(), 500);
    });
    assert!(taken <= 8, "{taken} locks for 500 records");
}
