//! Consumes every record and verifies it: its content, its order within the partition, and that none comes twice.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use klamm_tokio::{Client, RecordView, StartAt};

use crate::{Args, expected, progress::Progress, sentence};

/// Nothing new for so long means that records are missing.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn consume(client: &Client, args: &Args, topic: &str) -> Result<Duration, String> {
    let mut consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build().map_err(sentence)?;
    let mut check = Check::new(args);
    let mut progress = Progress::new("consuming", args.records);
    let start = Instant::now();
    while check.count < args.records {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let records = next
            .map_err(|_| format!("only {} of {} records came back", check.count, args.records))?
            .map_err(sentence)?
            .ok_or("the client ended before every record had come")?;
        for record in &records {
            check.record(records.partition(), &record)?;
        }
        progress.at(check.count);
    }
    let took = start.elapsed();
    progress.end();
    Ok(took)
}

/// What has come so far.
struct Check {
    count: u64,
    seen: Vec<u64>,
    /// By partition: the last offset and the last record's number.
    last: BTreeMap<i32, (i64, u64)>,
    expected: Vec<u8>,
}

impl Check {
    fn new(args: &Args) -> Self {
        Check {
            count: 0,
            seen: vec![0; args.records.div_ceil(64) as usize],
            last: BTreeMap::new(),
            expected: vec![0; args.size as usize],
        }
    }

    fn record(&mut self, partition: i32, record: &RecordView<'_>) -> Result<(), String> {
        let at = || format!("partition {partition}, offset {}", record.offset());
        let value = record.value().ok_or_else(|| format!("a record without a value came back at {}", at()))?;
        let number = expected::number(value).ok_or_else(|| format!("a stranger's record at {}", at()))?;
        expected::write_value(number, &mut self.expected);
        if value != self.expected || record.key() != Some(&expected::key(number)) {
            return Err(format!("record {number} came back changed at {}", at()));
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        match self.seen.get_mut(word) {
            Some(seen) if *seen & bit == 0 => *seen |= bit,
            _ => return Err(format!("record {number} came back twice, again at {}", at())),
        }
        if let Some((offset, before)) = self.last.insert(partition, (record.offset(), number))
            && (offset >= record.offset() || before >= number)
        {
            return Err(format!("record {number} came back after {before}, out of order, at {}", at()));
        }
        self.count += 1;
        Ok(())
    }
}
