//! librdkafka, through the crate rdkafka, as its users run it: the threaded producer where one task fills the buffer, the
//! future producer where each record is awaited.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use klamm_bench::{
    args::{Args, Operation},
    pace,
    payloads::payloads,
    report::{Outcome, print},
};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Records that were told of, and those of them that failed.
#[derive(Clone, Default)]
struct Counts(Arc<(AtomicUsize, AtomicUsize)>);

impl ClientContext for Counts {}

impl ProducerContext for Counts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.0.fetch_add(1, Relaxed);
        self.0.1.fetch_add(usize::from(result.is_err()), Relaxed);
    }
}

#[tokio::main]
async fn main() {
    let args = Args::parse(std::env::args().skip(1)).unwrap_or_else(|usage| panic!("{usage}"));
    let outcome = match args.operation {
        Operation::Produce => produce(&args),
        Operation::Consume => consume(&args),
        Operation::Latency => latency(&args).await,
        Operation::Tasks => tasks(&args).await,
        Operation::Paced => paced(&args).await,
    };
    print("rdkafka", &args, outcome);
}

fn config(args: &Args) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &args.bootstrap)
        .set("acks", args.acks_name())
        .set("compression.type", args.codec_name())
        .set("batch.size", args.batch_bytes.to_string())
        .set("batch.num.messages", "1000000")
        .set("linger.ms", args.linger().as_millis().to_string())
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "65536")
        .set("enable.idempotence", args.idempotent.to_string());
    config
}

fn produce(args: &Args) -> Outcome {
    let counts = Counts::default();
    let producer: ThreadedProducer<Counts> = config(args).create_with_context(counts.clone()).expect("a producer");
    let data = payloads(args.size);
    let start = Instant::now();
    for i in 0..args.records {
        let mut record =
            BaseRecord::<(), [u8]>::to(&args.topic).payload(&data[i & 1023]).partition(args.partition_of(i));
        // A full queue is met by waiting a little, as its documentation says.
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }
    producer.flush(PATIENCE).expect("flushed");
    let wall = start.elapsed();
    let missing = args.records - counts.0.0.load(Relaxed);
    let errors = counts.0.1.load(Relaxed) + missing;
    Outcome { bytes: args.records * args.size, errors, wall, latencies_ms: Vec::new() }
}

async fn latency(args: &Args) -> Outcome {
    let producer: FutureProducer = config(args).create().expect("a producer");
    let data = payloads(args.size);
    let start = Instant::now();
    let latencies_ms = send_each(&producer, args, &data, 0, 1).await;
    Outcome { bytes: args.records * args.size, errors: 0, wall: start.elapsed(), latencies_ms }
}

async fn tasks(args: &Args) -> Outcome {
    let producer: FutureProducer = config(args).create().expect("a producer");
    let data = Arc::new(payloads(args.size));
    let start = Instant::now();
    let tasks: Vec<_> = (0..args.tasks)
        .map(|task| {
            let (producer, args, data) = (producer.clone(), args.clone(), Arc::clone(&data));
            tokio::spawn(async move { send_each(&producer, &args, &data, task, args.tasks).await })
        })
        .collect();
    let mut latencies_ms = Vec::new();
    for task in tasks {
        latencies_ms.extend(task.await.expect("a task"));
    }
    Outcome { bytes: args.records * args.size, errors: 0, wall: start.elapsed(), latencies_ms }
}

async fn paced(args: &Args) -> Outcome {
    let producer: FutureProducer = config(args).create().expect("a producer");
    let shared = Arc::new((producer, args.topic.clone(), payloads(args.size)));
    pace::paced(args, |i| {
        let (shared, partition) = (Arc::clone(&shared), (i % args.partitions) as i32);
        async move {
            let (producer, topic, data) = &*shared;
            let record = FutureRecord::<(), [u8]>::to(topic).payload(&data[i & 1023]).partition(partition);
            producer.send(record, PATIENCE).await.is_ok()
        }
    })
    .await
}

/// Sends every `step`th record and awaits each.
async fn send_each(producer: &FutureProducer, args: &Args, data: &[Vec<u8>], first: usize, step: usize) -> Vec<f64> {
    let mut latencies_ms = Vec::new();
    for i in (first..args.records).step_by(step) {
        let sent = Instant::now();
        let partition = (i % args.partitions) as i32;
        let record = FutureRecord::<(), [u8]>::to(&args.topic).payload(&data[i & 1023]).partition(partition);
        producer.send(record, PATIENCE).await.expect("acknowledged");
        latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    latencies_ms
}

fn consume(args: &Args) -> Outcome {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &args.bootstrap)
        .set("group.id", "klamm-clients")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..args.partitions {
        partitions.add_partition_offset(&args.topic, partition as i32, Offset::Beginning).expect("a partition");
    }
    let start = Instant::now();
    consumer.assign(&partitions).expect("assigned");
    let mut bytes = 0;
    for count in 0..args.records {
        let message = consumer.poll(PATIENCE).unwrap_or_else(|| panic!("nothing came after {count} records"));
        bytes += message.expect("a record").payload_len();
    }
    Outcome { bytes, errors: 0, wall: start.elapsed(), latencies_ms: Vec::new() }
}
