//! Plain work: a topic is produced and consumed, with one answer kept while the next comes.

use std::collections::VecDeque;

use klamm_bench::counting::cluster_of;
use klamm_broker::ClusterConfig;
use klamm_tokio::{Codec, Config, NewTopic, Record, StartAt, Ticket};

use crate::gauge::{Gauge, brokers, case, config, connect, values};

const RECORDS: usize = 100_000;
const PARTITIONS: i32 = 12;
const WINDOW: usize = 20_000;

pub(crate) async fn work(
    gauge: &mut Gauge,
    config: &Config,
    batch_bytes: usize,
    codec: Codec,
    open: &mut VecDeque<Ticket>,
    value: &[u8],
) {
    let client = connect(config).await.unwrap_or_else(|e| panic!("{e}"));
    let replicas = config.bootstrap.split(',').count() as i16;
    client.admin().create_topics([NewTopic::new("steady", PARTITIONS, replicas)]).await.expect("created");
    let producer = client.producer().batch_bytes(batch_bytes).compression(codec).build();
    let producer = producer.unwrap_or_else(|e| panic!("{e}"));
    for i in 0..RECORDS {
        if open.len() == open.capacity() {
            open.pop_front().expect("full").await.expect("acknowledged");
        }
        let record = Record::to("steady").partition(i as i32 % PARTITIONS).value(value);
        open.push_back(producer.enqueue(record).await.expect("room comes"));
        if i % 500 == 0 {
            gauge.look(&client);
        }
    }
    for ticket in open.drain(..) {
        ticket.await.expect("acknowledged");
    }
    let mut consumer = client.consumer().topics(["steady"]).from(StartAt::Earliest).build().expect("a consumer");
    let (mut count, mut kept) = (0, None);
    while count < RECORDS {
        let records = consumer.next().await.expect("records").expect("not closed");
        count += records.len();
        // An application that keeps one answer while it waits for the next: as much as there is room for beside what
        // three brokers bring.
        kept = Some(records);
        gauge.look(&client);
    }
    drop(kept);
    assert_eq!(count, RECORDS);
}

fn with(total: usize, batch_bytes: usize, codec: Codec) {
    let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
    let config = config(brokers.bootstrap(), total);
    // The largest budget is not filled by small records.
    let value = values(1, if total > 16 << 20 { 1_000 } else { 100 }).remove(0);
    // An application's tickets keep what their batches came to: as many as there are records in a full buffer.
    let window = WINDOW.min(total / 2 / value.len());
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(window);
    let codec_name = if codec == Codec::None { "plain" } else { codec.name() };
    case(&format!("produce and consume, {codec_name}"), &config, async |gauge| {
        work(gauge, &config, batch_bytes, codec, &mut open, &value).await;
    });
}

/// Live bytes stay within the plan, in produce and in consume, for small budgets and large ones.
#[test]
fn what_is_live_stays_within_the_plan() {
    let budgets =
        [(256 << 10, 8_000), (512 << 10, 16_000), (4 << 20, 200_000), (16 << 20, 1_000_000), (64 << 20, 1_000_000)];
    for (total, batch_bytes) in budgets {
        with(total, batch_bytes, Codec::None);
    }
}

/// The same with what compresses and decompresses, which is leased by what a codec says of itself.
#[test]
fn what_is_live_stays_within_the_plan_with_codecs() {
    // Batches of as much as there is room for beside the codec.
    let small = [(512 << 10, 8_000), (4 << 20, 100_000), (16 << 20, 900_000)];
    for (codec, budgets) in [
        (Codec::Gzip, &small[1..]),
        (Codec::Snappy, &small[..]),
        (Codec::Lz4, &small[..]),
        (Codec::Zstd, &[(8 << 20, 100_000), (16 << 20, 900_000)]),
    ] {
        for (total, batch_bytes) in budgets.iter().copied() {
            with(total, batch_bytes, codec);
        }
    }
}
