//! Batches are compressed in the runtime's threads for what blocks, where a producer asks for that.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    thread,
};

use klamm_broker::{ClusterConfig, serve};
use klamm_tokio::{
    Codec, Config, Record, StartAt,
    compress::{BuiltIn, CodecError, Codecs, Compress, Decompress, Sink},
};

/// The core's codecs, and in which threads they compress.
#[derive(Default)]
struct Watched {
    threads: Arc<Mutex<Vec<thread::ThreadId>>>,
}

struct Watching {
    codec: Box<dyn Compress>,
    threads: Arc<Mutex<Vec<thread::ThreadId>>>,
}

impl Codecs for Watched {
    fn compressor(&self, codec: Codec, level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
        let codec = BuiltIn.compressor(codec, level)?;
        Ok(Box::new(Watching { codec, threads: Arc::clone(&self.threads) }))
    }

    fn decompressor(&self, codec: Codec, window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
        BuiltIn.decompressor(codec, window_max)
    }
}

impl Compress for Watching {
    fn codec(&self) -> Codec {
        self.codec.codec()
    }

    fn memory(&self, batch_bytes: usize) -> usize {
        self.codec.memory(batch_bytes)
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        self.threads.lock().expect("sound").push(thread::current().id());
        self.codec.compress(src, out)
    }
}

/// 40 batches to four partitions: everything comes, in order, and the driver's own thread compresses nothing, or all.
#[tokio::test]
async fn jobs_leave_the_drivers_thread_free() {
    let broker = serve(ClusterConfig::default()).expect("ports on loopback");
    for (jobs, topic) in [(3, "away"), (0, "here")] {
        broker.cluster().create_topic(topic, 4, 1);
        let codecs = Arc::new(Watched::default());
        let threads = Arc::clone(&codecs.threads);
        let config = Config::new(broker.bootstrap().to_owned()).codecs(codecs);
        let client = klamm_tokio::connect_with(config).await.expect("connected");
        let producer = client.producer().compression(Codec::Lz4).batch_bytes(20_000).compression_jobs(jobs);
        let producer = producer.build().expect("builds");
        let values: Vec<String> = (0..4_000).map(|n| format!("{n:0>200}")).collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .enumerate()
            .map(|(n, value)| Record::to(topic).partition(n as i32 % 4).value(value))
            .collect();
        producer.send_all(&records).await.expect("acknowledged");
        let mut consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build().expect("a consumer");
        let mut seen: [Vec<String>; 4] = Default::default();
        while seen.iter().map(Vec::len).sum::<usize>() < values.len() {
            let records = consumer.next().await.expect("records").expect("open");
            let partition = &mut seen[records.partition() as usize];
            partition
                .extend(records.iter().map(|r| String::from_utf8_lossy(r.value().unwrap_or_default()).into_owned()));
        }
        for (partition, seen) in seen.iter().enumerate() {
            assert!(seen.iter().eq(values.iter().skip(partition).step_by(4)), "partition {partition}");
        }
        let threads = threads.lock().expect("sound");
        let (here, all) = (thread::current().id(), threads.iter().copied().collect::<HashSet<_>>());
        assert!(threads.len() >= 40, "{} batches", threads.len());
        assert_eq!(all.contains(&here), jobs == 0, "{jobs} jobs");
    }
}
