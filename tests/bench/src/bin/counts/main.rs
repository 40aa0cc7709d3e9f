//! The five hot paths with 10,000 records each, for callgrind to count their instructions: a figure that does not depend on
//! the machine. `tests/lib/counts` runs it and compares with `tests/counts.toml`.
//!
//! Only what happens inside the functions `counted_…` is counted. They are never inlined, and are found by their names.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::Duration,
};

use klamm_bench::payloads::payloads;
use klamm_broker::{ClusterConfig, serve};
use klamm_tokio::{
    Codec, Config, Consumer, Error, NewTopic, Producer, Record, StartAt, Ticket, Tickets,
    record::{Attributes, BATCH_HEADER_LEN, BatchHeader, Batches, LOG_OVERHEAD, RecordParts, encode_record, seal_crc},
};

const RECORDS: usize = 10_000;
const SIZE: usize = 100;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let data = payloads(SIZE);
    let count = match what.as_str() {
        "encode" => count_of(&counted_encode(&data, batch_room())),
        "decode" => counted_decode(&counted_encode(&data, batch_room())),
        "enqueue" | "slice" | "consume" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
            runtime.block_on(through_a_broker(&what, &data)).unwrap_or_else(|error| panic!("{error}"))
        }
        _ => {
            eprintln!("counts encode|decode|enqueue|slice|consume");
            return ExitCode::from(2);
        }
    };
    assert_eq!(count, RECORDS, "as many records as there should be");
    ExitCode::SUCCESS
}

fn batch_room() -> Vec<u8> {
    Vec::with_capacity(BATCH_HEADER_LEN + RECORDS * (SIZE + 16))
}

/// A whole batch, its checksum included.
#[inline(never)]
fn counted_encode(data: &[Vec<u8>], mut batch: Vec<u8>) -> Vec<u8> {
    batch.extend_from_slice(&[0; BATCH_HEADER_LEN]);
    for i in 0..RECORDS {
        let value = Some(data[i & 1023].as_slice());
        let parts = RecordParts { timestamp_delta: 7, offset_delta: i as u32, key: None, value, headers: &[] };
        encode_record(&mut batch, &parts);
    }
    let header = BatchHeader {
        base_offset: 0,
        batch_length: (batch.len() - LOG_OVERHEAD) as i32,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: Attributes::of(Codec::None),
        last_offset_delta: RECORDS as i32 - 1,
        base_timestamp: 0,
        max_timestamp: 7,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: RECORDS as i32,
    };
    let (head, body) = batch.split_at_mut(BATCH_HEADER_LEN);
    let mut sealed = header.write();
    seal_crc(&mut sealed, std::iter::once(&*body));
    head.copy_from_slice(&sealed);
    batch
}

/// The checksum, every record checked, and every record looked at.
#[inline(never)]
fn counted_decode(batch: &[u8]) -> usize {
    let mut count = 0;
    for batch in Batches::new(black_box(batch)) {
        let batch = batch.unwrap_or_else(|error| panic!("{error}"));
        batch.check_crc().unwrap_or_else(|error| panic!("{error}"));
        for record in batch.records().unwrap_or_else(|error| panic!("{error}")) {
            black_box((record.key(), record.value()));
            count += 1;
        }
    }
    count
}

fn count_of(batch: &[u8]) -> usize {
    let batches = Batches::new(batch).filter_map(Result::ok);
    batches.map(|batch| batch.header.record_count as usize).sum()
}

/// A whole client and a broker in this very thread.
async fn through_a_broker(what: &str, data: &[Vec<u8>]) -> Result<usize, Error> {
    let broker = serve(ClusterConfig::default()).unwrap_or_else(|error| panic!("no broker: {error}"));
    let client = klamm_tokio::connect_with(Config::new(broker.bootstrap().to_string())).await?;
    client.admin().create_topics([NewTopic::new("counts", 1, 1)]).await.unwrap_or_else(|error| panic!("{error}"));
    let producer = client.producer().linger(Duration::from_secs(1)).build()?;
    // The topic is met and its first batch is through before anything is counted.
    producer.send(Record::to("counts").partition(0).value(&data[0])).await?;
    if what == "slice" {
        let records: Vec<Record<'_>> =
            (0..RECORDS).map(|i| Record::to("counts").partition(0).value(&data[i & 1023])).collect();
        let sent = counted_slice(&producer, &records);
        producer.flush().await?;
        return Ok(sent.await.into_result()?.len());
    }
    let mut tickets = Vec::with_capacity(RECORDS);
    counted_enqueue(&producer, data, &mut tickets);
    producer.flush().await?;
    for ticket in tickets {
        ticket.await?;
    }
    if what == "enqueue" {
        return Ok(RECORDS);
    }
    let mut consumer = client.consumer().topics(["counts"]).from(StartAt::Earliest).build()?;
    let mut count = 0;
    while count <= RECORDS {
        match counted_consume(&mut consumer)? {
            0 => tokio::time::sleep(Duration::from_millis(1)).await,
            more => count += more,
        }
    }
    // Less the first one.
    Ok(count - 1)
}

#[inline(never)]
fn counted_enqueue(producer: &Producer, data: &[Vec<u8>], tickets: &mut Vec<Ticket>) {
    let mut cx = Context::from_waker(Waker::noop());
    for i in 0..RECORDS {
        let record = Record::to("counts").partition(0).value(&data[i & 1023]);
        match pin!(producer.enqueue(record)).poll(&mut cx) {
            Poll::Ready(Ok(ticket)) => tickets.push(ticket),
            refused => panic!("there is room for all of them: {refused:?}"),
        }
    }
}

#[inline(never)]
fn counted_slice(producer: &Producer, records: &[Record<'_>]) -> Tickets {
    match pin!(producer.enqueue_all(records)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(tickets)) => tickets,
        refused => panic!("there is room for all of them: {refused:?}"),
    }
}

/// What has come, checked, and every record looked at.
#[inline(never)]
fn counted_consume(consumer: &mut Consumer) -> Result<usize, Error> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut count = 0;
    while let Poll::Ready(records) = pin!(consumer.next()).poll(&mut cx) {
        let Some(records) = records? else { break };
        for record in &records {
            black_box((record.key(), record.value()));
            count += 1;
        }
    }
    Ok(count)
}
