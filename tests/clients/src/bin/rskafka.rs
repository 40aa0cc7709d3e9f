//! rskafka as its users run it: a client for each partition, its batch producer and its `fetch_records`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::DateTime;
use futures_util::stream::{FuturesUnordered, StreamExt};
use klamm_bench::{
    args::{Args, Operation},
    pace,
    payloads::payloads,
    report::{Outcome, print},
};
use klamm_tokio::Codec;
use rskafka::{
    client::{
        ClientBuilder,
        partition::{Compression, PartitionClient, UnknownTopicHandling},
        producer::{BatchProducer, BatchProducerBuilder, aggregator::RecordAggregator},
    },
    record::Record,
};

type Partitions = Vec<Arc<PartitionClient>>;

#[tokio::main]
async fn main() {
    let args = Args::parse(std::env::args().skip(1)).unwrap_or_else(|usage| panic!("{usage}"));
    let client = ClientBuilder::new(vec![args.bootstrap.clone()]).build().await.expect("a client");
    let mut partitions = Vec::new();
    for partition in 0..args.partitions {
        let partition = client.partition_client(args.topic.clone(), partition as i32, UnknownTopicHandling::Retry);
        partitions.push(Arc::new(partition.await.expect("a partition")));
    }
    let outcome = match args.operation {
        Operation::Produce => produce(&args, &partitions).await,
        Operation::Consume => consume(&args, partitions).await,
        Operation::Latency => latency(&args, &partitions).await,
        Operation::Tasks => tasks(&args, &partitions).await,
        Operation::Paced => paced(&args, &partitions).await,
    };
    print("rskafka", &args, outcome);
}

fn compression(args: &Args) -> Compression {
    match args.codec {
        Codec::None => Compression::NoCompression,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

fn record(value: &[u8]) -> Record {
    let timestamp = DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time");
    Record { key: None, value: Some(value.to_vec()), headers: BTreeMap::new(), timestamp }
}

fn producers(args: &Args, partitions: &Partitions) -> Vec<BatchProducer<RecordAggregator>> {
    let producer = |partition: &Arc<PartitionClient>| {
        BatchProducerBuilder::new(Arc::clone(partition))
            .with_compression(compression(args))
            .with_linger(args.linger())
            // It counts less a record than goes over the wire.
            .build(RecordAggregator::new(args.batch_bytes * 4 / 5))
    };
    partitions.iter().map(producer).collect()
}

/// Its produce future resolves with the acknowledgement: a window of futures keeps it busy.
async fn produce(args: &Args, partitions: &Partitions) -> Outcome {
    let producers = producers(args, partitions);
    let data = payloads(args.size);
    let (mut pending, window) = (FuturesUnordered::new(), args.window());
    let mut errors = 0;
    let start = Instant::now();
    for i in 0..args.records {
        pending.push(producers[args.partition_of(i) as usize].produce(record(&data[i & 1023])));
        if pending.len() >= window
            && let Some(result) = pending.next().await
        {
            errors += usize::from(result.is_err());
        }
    }
    while let Some(result) = pending.next().await {
        errors += usize::from(result.is_err());
    }
    Outcome { bytes: args.records * args.size, errors, wall: start.elapsed(), latencies_ms: Vec::new() }
}

async fn latency(args: &Args, partitions: &Partitions) -> Outcome {
    let data = payloads(args.size);
    let mut latencies_ms = Vec::with_capacity(args.records);
    let start = Instant::now();
    for i in 0..args.records {
        let sent = Instant::now();
        partitions[0].produce(vec![record(&data[i & 1023])], compression(args)).await.expect("acknowledged");
        latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    Outcome { bytes: args.records * args.size, errors: 0, wall: start.elapsed(), latencies_ms }
}

async fn tasks(args: &Args, partitions: &Partitions) -> Outcome {
    let producers = Arc::new(producers(args, partitions));
    let data = Arc::new(payloads(args.size));
    let start = Instant::now();
    let tasks: Vec<_> = (0..args.tasks)
        .map(|task| {
            let (producers, args, data) = (Arc::clone(&producers), args.clone(), Arc::clone(&data));
            tokio::spawn(async move {
                let mut latencies_ms = Vec::new();
                for i in (task..args.records).step_by(args.tasks) {
                    let sent = Instant::now();
                    producers[i % args.partitions].produce(record(&data[i & 1023])).await.expect("acknowledged");
                    latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies_ms
            })
        })
        .collect();
    let mut latencies_ms = Vec::new();
    for task in tasks {
        latencies_ms.extend(task.await.expect("a task"));
    }
    Outcome { bytes: args.records * args.size, errors: 0, wall: start.elapsed(), latencies_ms }
}

async fn paced(args: &Args, partitions: &Partitions) -> Outcome {
    let shared = Arc::new((producers(args, partitions), payloads(args.size)));
    pace::paced(args, |i| {
        let (shared, at) = (Arc::clone(&shared), i % args.partitions);
        async move { shared.0[at].produce(record(&shared.1[i & 1023])).await.is_ok() }
    })
    .await
}

async fn consume(args: &Args, partitions: Partitions) -> Outcome {
    let start = Instant::now();
    let each = args.records / args.partitions;
    let tasks: Vec<_> = partitions.into_iter().map(|partition| tokio::spawn(read(partition, each))).collect();
    let mut bytes = 0;
    for task in tasks {
        bytes += task.await.expect("a task");
    }
    Outcome { bytes, errors: 0, wall: start.elapsed(), latencies_ms: Vec::new() }
}

async fn read(partition: Arc<PartitionClient>, records: usize) -> usize {
    let (mut offset, mut count, mut bytes) = (0, 0, 0);
    while count < records {
        let fetched =
            tokio::time::timeout(Duration::from_secs(120), partition.fetch_records(offset, 1..1_048_576, 500));
        for record in fetched.await.expect("in time").expect("records").0 {
            bytes += record.record.value.map_or(0, |value| value.len());
            offset = record.offset + 1;
            count += 1;
        }
    }
    bytes
}
