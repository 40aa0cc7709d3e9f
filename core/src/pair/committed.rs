//! Reading committed records only (KIP-98): what a broker names as aborted is left out, whatever it is compressed with, and
//! positions pass it.

use alloc::{format, string::String, vec, vec::Vec};
use core::task::Poll;

use super::{
    Pair, Request,
    broker::{batch_of, batch_with, packed},
    codec::Rle,
    events::Seen,
    fetching::{error, next, records, values},
};
use crate::{
    Codec, Config, Consumer, Error, IsolationLevel, Memory, PeerFault, StartAt,
    broker_role::{
        fetch_request::FetchRequest,
        fetch_response::{AbortedTransaction, PartitionData},
        list_offsets_request::ListOffsetsRequest,
    },
    budget::Class,
    record::{Attributes, BatchError, RecordParts, encode_record, seal_crc},
    sync::Arc,
    wire::api,
};

/// A batch as a producer writes it in a transaction.
pub(crate) fn of(producer_id: i64, mut batch: Vec<u8>) -> Vec<u8> {
    batch[22] |= Attributes::TRANSACTIONAL as u8;
    batch[43..51].copy_from_slice(&producer_id.to_be_bytes());
    let (header, records) = batch.split_first_chunk_mut().expect("a header");
    seal_crc(header, core::iter::once(&*records));
    batch
}

/// What ends a producer's transaction: `0` aborts, `1` commits.
pub(crate) fn marker(producer_id: i64, offset: i64, kind: u8) -> Vec<u8> {
    let mut record = Vec::new();
    let key = [0, 0, 0, kind];
    let parts =
        RecordParts { timestamp_delta: 0, offset_delta: 0, key: Some(&key), value: Some(&[0; 6]), headers: &[] };
    encode_record(&mut record, &parts);
    of(producer_id, batch_with(offset, Attributes(Attributes::CONTROL), 1, record))
}

pub(crate) const fn aborted(producer_id: i64, first_offset: i64) -> AbortedTransaction {
    AbortedTransaction { producer_id, first_offset }
}

fn reading(config: Config) -> (Pair, Consumer, Request) {
    let mut pair = Pair::with(config);
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0));
    let consumer = builder.isolation_level(IsolationLevel::ReadCommitted).build().expect("builds");
    let request = pair.expect(api::FETCH);
    (pair, consumer, request)
}

/// Answers a fetch of `t-0`.
pub(crate) fn with_aborted(pair: &mut Pair, request: &Request, aborted: &[AbortedTransaction], batches: &[u8]) {
    let data = PartitionData {
        partition_index: 0,
        high_watermark: 1_000,
        last_stable_offset: 1_000,
        aborted_transactions: Some(aborted),
        ..Default::default()
    };
    pair.answer_fetch(request, 0, 0, &[("t", data, batches)]);
    pair.turn();
}

fn bring(pair: &mut Pair, request: &Request, aborted: &[AbortedTransaction], batches: &[Vec<u8>]) {
    with_aborted(pair, request, aborted, &batches.concat());
}

/// All that can be read now, one text for each piece.
fn read(pair: &Pair, consumer: &mut Consumer) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match next(pair, consumer) {
            Poll::Ready(Ok(Some(records))) => all.push(values(&records).join(" ")),
            Poll::Pending => return all,
            other => panic!("{other:?}"),
        }
    }
}

/// Two producers at once, one of whom comes back after it was aborted, and one who is in no transaction; plain and compressed.
/// Trap 66: the list is in no order. Trap 67: a commit ends no abort, nor does another producer's marker.
#[test]
fn what_was_aborted_is_left_out() {
    let codecs = Arc::new(Rle { memory: 1_000 });
    let (mut pair, mut consumer, request) = reading(Config::new("one:9001").codecs(codecs));
    assert_eq!(request.read::<FetchRequest<'_>>().isolation_level, 1);
    bring(
        &mut pair,
        &request,
        &[aborted(8, 2), aborted(7, 0), aborted(7, 12)],
        &[
            of(7, batch_of(0, &["a0", "a1"])),
            of(8, packed(Codec::Lz4, 2, &["a2", "a3"])),
            batch_of(4, &["c4"]),
            of(9, batch_of(5, &["c5"])),
            of(7, batch_of(6, &["a6"])),
            marker(7, 7, 0),
            of(7, packed(Codec::Lz4, 8, &["c8", "c9"])),
            marker(7, 10, 1),
            of(8, batch_of(11, &["a11"])),
            of(7, batch_of(12, &["a12"])),
            of(9, batch_of(13, &["c13"])),
            marker(8, 14, 0),
            of(8, batch_of(15, &["c15"])),
            of(7, batch_of(16, &["a16"])),
        ],
    );
    assert_eq!(read(&pair, &mut consumer), ["c4 c5", "c8 c9", "c13 c15"]);
    assert_eq!(consumer.position("t", 0), Some(17), "behind what is left out, too");

    // What is aborted goes on in the next fetch, whose answer names it again; and nothing at all may be left of one.
    let request = pair.expect(api::FETCH);
    bring(&mut pair, &request, &[aborted(7, 12)], &[of(7, batch_of(17, &["a17"])), marker(7, 18, 0)]);
    assert_eq!(read(&pair, &mut consumer), [""; 0]);
    assert_eq!(consumer.position("t", 0), Some(19));
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request)[0].2, 19);
    bring(&mut pair, &request, &[], &[of(7, batch_of(19, &["c19"])), marker(7, 20, 1)]);
    assert_eq!(read(&pair, &mut consumer), ["c19"]);
}

/// Trap 66: who reads everything heeds no list of what was aborted, and asks for no less.
#[test]
fn without_it_everything_is_read() {
    let mut pair = Pair::new();
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0));
    let mut consumer = builder.build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(request.read::<FetchRequest<'_>>().isolation_level, 0);
    bring(&mut pair, &request, &[aborted(7, 0)], &[of(7, batch_of(0, &["a"])), marker(7, 1, 0)]);
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
}

/// Trap 65: the end of the log is where the oldest open transaction begins.
#[test]
fn the_end_is_the_last_stable_offset() {
    let mut pair = Pair::new();
    pair.by_hand.insert(api::LIST_OFFSETS.key);
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Latest);
    let _consumer = builder.isolation_level(IsolationLevel::ReadCommitted).build().expect("builds");
    let request = pair.expect(api::LIST_OFFSETS);
    assert_eq!(request.read::<ListOffsetsRequest<'_>>().isolation_level, 1);
}

/// A batch that is damaged may be of somebody else: it is not left out in silence, but fetched again.
#[test]
fn what_is_left_out_is_checked_as_well() {
    let (mut pair, mut consumer, request) = reading(Config::new("one:9001"));
    let mut damaged = of(7, batch_of(0, &["c0"]));
    damaged[50] ^= 1;
    bring(&mut pair, &request, &[aborted(6, 0)], &[damaged, batch_of(1, &["c1"])]);
    let told = error(&pair, &mut consumer);
    assert!(
        matches!(told, Error::Peer { fault: PeerFault::Batch { error: BatchError::Crc { .. }, .. }, .. }),
        "{told}"
    );
    // What was under way meanwhile is of no use any more.
    let request = pair.expect(api::FETCH);
    bring(&mut pair, &request, &[], &[batch_of(2, &["c2"])]);
    let request = pair.await_request(api::FETCH, 2_000);
    assert_eq!(pair.wanted(&request)[0].2, 0);
}

/// What a broker names takes memory of the class of what is fetched, and where others have that now it is asked again, later.
#[test]
fn a_list_has_its_memory() {
    let fetch_bytes = 64 << 10;
    let memory = Memory { fetch_bytes, ..Memory::default() };
    let (mut pair, mut consumer, request) = reading(Config { memory, ..Config::new("one:9001") });
    let few: Vec<_> = (0..100).map(|producer| aborted(producer, 0)).collect();
    let before = pair.client().budget().used(Class::Fetch);
    bring(&mut pair, &request, &few, &[of(7, batch_of(0, &["a"])), batch_of(1, &["c"])]);
    assert!(pair.client().budget().used(Class::Fetch) >= before + 100 * 24);
    assert_eq!(read(&pair, &mut consumer), ["c"]);
    let request = pair.expect(api::FETCH);
    let held = fetch_bytes - pair.client().budget().used(Class::Fetch);
    let held =
        crate::Budget::lease(&Arc::clone(&pair.machine.shared().budget), Class::Fetch, held).expect("it is free");
    bring(&mut pair, &request, &few, &[batch_of(2, &["c2"])]);
    assert!(pair.client().budget().used(Class::Fetch) <= fetch_bytes);
    assert_eq!(read(&pair, &mut consumer), [""; 0]);
    drop(held);
    let request = pair.await_request(api::FETCH, 2_000);
    assert_eq!(pair.wanted(&request)[0].2, 2);
    bring(&mut pair, &request, &few, &[batch_of(2, &["c2"])]);
    assert_eq!(read(&pair, &mut consumer), ["c2"]);
}

/// A list that can never fit is told, with the knob and what a seek must pass, and not asked for again.
#[test]
fn a_list_that_can_never_fit_is_told() {
    let fetch_bytes = 64 << 10;
    let seen = Arc::<Seen>::default();
    let memory = Memory { fetch_bytes, ..Memory::default() };
    let config = Config { memory, ..Config::new("one:9001") }.observer(seen.clone());
    let (mut pair, mut consumer, request) = reading(config);
    let many: Vec<_> = (0..3_000).map(|producer| aborted(producer, 2)).collect();
    bring(&mut pair, &request, &many, &[of(7, batch_of(0, &["a"])), batch_of(1, &["c"])]);
    let told = error(&pair, &mut consumer);
    assert!(matches!(told, Error::TooLarge { next_offset: Some(2), .. }), "{told}");
    let said = format!("{told}");
    assert!(
        ["aborted transactions of t-0", "offset 0", "memory.fetch_bytes"].iter().all(|part| said.contains(part)),
        "{said}"
    );
    assert!(seen.one("partition_stopped").contains("memory.fetch_bytes"));
    pair.advance_ms(3_000);
    assert!(pair.take(api::FETCH).is_none(), "never again");
    consumer.seek("t", 0, StartAt::Offset(2)).expect("read by this consumer");
    let request = pair.await_request(api::FETCH, 1_000);
    bring(&mut pair, &request, &[], &[batch_of(2, &["c2"])]);
    assert_eq!(read(&pair, &mut consumer), ["c2"]);
}

/// One that does not fit beside what else its answer brought is asked for without that.
#[test]
fn a_list_that_does_not_fit_beside_others_comes_alone() {
    let memory = Memory { fetch_bytes: 256 << 10, ..Memory::default() };
    let mut pair = Pair::with(Config { memory, ..Config::new("one:9001") });
    pair.topic("t").leaders = vec![(1, 5), (1, 5)];
    let builder = pair.client().consumer().assign([("t", 0), ("t", 1)]).from(StartAt::Offset(0));
    let mut consumer = builder.isolation_level(IsolationLevel::ReadCommitted).build().expect("builds");
    let request = pair.expect(api::FETCH);
    assert_eq!(pair.wanted(&request).len(), 2, "both are of one broker");
    let part = |partition_index, list| PartitionData {
        partition_index,
        high_watermark: 1_000,
        last_stable_offset: 1_000,
        aborted_transactions: Some(list),
        ..Default::default()
    };
    let many: Vec<_> = (0..5_000).map(|producer| aborted(producer, 2)).collect();
    let (own, other) = (batch_of(0, &["c"]), batch_of(0, &[&"x".repeat(60_000)]));
    pair.answer_fetch(&request, 0, 0, &[("t", part(0, &many), &own), ("t", part(1, &[]), &other)]);
    pair.turn();
    assert_eq!(records(&pair, &mut consumer).partition(), 1);
    let request = pair.await_request(api::FETCH, 1_000);
    let wanted: Vec<_> = pair.wanted(&request).iter().map(|wanted| (wanted.1, wanted.2)).collect();
    assert_eq!(wanted, [(0, 0)], "alone");
    bring(&mut pair, &request, &many, &[own]);
    assert_eq!(values(&records(&pair, &mut consumer)), ["c"]);
}
