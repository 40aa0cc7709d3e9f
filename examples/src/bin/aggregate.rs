//! Many tasks whose inputs share records, each with a status of its own: an aggregator packs measurements into one record, and
//! each measurement's task learns at which offset, and where in the record, it lies.
//! `KLAMM_BOOTSTRAP` says where; without it the program brings a broker in memory.

use std::{sync::Arc, time::Duration};

use klamm_broker::{ClusterConfig, serve};
use klamm_tokio::{
    Aggregator, AggregatorError, Codec, NewTopic, PartitionClient, RecordBuf, StatusDeaggregator, TryPush,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What each task has to say.
struct Measurement {
    sensor: u32,
    value: f64,
}

/// Packs measurements into one record of at most a KiB, a line for each.
#[derive(Default)]
struct Lines {
    text: String,
    count: usize,
}

const MOST: usize = 1_024;

impl Aggregator for Lines {
    type Input = Measurement;
    type Tag = usize;
    type StatusDeaggregator = Places;

    fn try_push(&mut self, input: Measurement) -> Result<TryPush<Measurement, usize>, AggregatorError> {
        if !input.value.is_finite() {
            return Err(format!("sensor {} measures {}", input.sensor, input.value).into());
        }
        let line = format!("{} {}\n", input.sensor, input.value);
        if self.text.len() + line.len() > MOST {
            return Ok(TryPush::NoCapacity(input));
        }
        self.text.push_str(&line);
        self.count += 1;
        Ok(TryPush::Aggregated(self.count - 1))
    }

    fn flush(&mut self) -> Result<(Vec<RecordBuf>, Places), AggregatorError> {
        self.count = 0;
        let record = RecordBuf::new().value(std::mem::take(&mut self.text)).header("format", "lines");
        Ok((vec![record], Places))
    }
}

/// Tells each measurement the offset of its record, and its line there.
struct Places;

impl StatusDeaggregator for Places {
    type Status = (i64, usize);
    type Tag = usize;

    fn deaggregate(&self, offsets: &[i64], line: usize) -> Result<(i64, usize), AggregatorError> {
        Ok((*offsets.first().ok_or("the record has no offset")?, line))
    }
}

async fn run(partition: PartitionClient) -> Result<(), Failure> {
    let builder = partition.batch_producer().linger(Duration::from_millis(20)).compression(Codec::Lz4);
    let producer = Arc::new(builder.build(Lines::default())?);
    let tasks: Vec<_> = (0..500)
        .map(|sensor| {
            let producer = Arc::clone(&producer);
            let measurement = Measurement { sensor, value: f64::from(sensor) / 8.0 };
            tokio::spawn(async move { producer.produce(measurement).await })
        })
        .collect();
    let broken = producer.produce(Measurement { sensor: 7, value: f64::NAN }).await;
    println!("refused: {}", broken.err().ok_or("it was not refused")?);

    let mut places = Vec::new();
    for task in tasks {
        places.push(task.await??);
    }
    let (fetched, _) = partition.fetch_records(0, 1..1_000_000, Duration::from_secs(1)).await?;
    let records: Vec<String> =
        fetched.iter().map(|r| String::from_utf8_lossy(r.value().unwrap_or_default()).into_owned()).collect();
    for (sensor, (offset, line)) in places.iter().enumerate() {
        let lines = records.get(usize::try_from(*offset)?).ok_or("no such record")?;
        let found = lines.lines().nth(*line).ok_or("no such line")?;
        if !found.starts_with(&format!("{sensor} ")) {
            return Err(format!("sensor {sensor} was told of \"{found}\"").into());
        }
    }
    println!("500 measurements in {} records, each where its task was told", records.len());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (bootstrap, _broker) = match std::env::var("KLAMM_BOOTSTRAP") {
        Ok(bootstrap) => (bootstrap, None),
        Err(_) => {
            let broker = serve(ClusterConfig::default())?;
            (broker.bootstrap().to_string(), Some(broker))
        }
    };
    let client = klamm_tokio::connect(&bootstrap).await?;
    let topic = format!("measurements_{}", std::process::id());
    client.admin().create_topics([NewTopic::new(&topic, 1, 1)]).await?;
    run(client.partition(&topic, 0).build().await?).await?;
    client.admin().delete_topics([topic]).await?;
    Ok(())
}
