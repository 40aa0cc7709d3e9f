//! The verdict: what the logs hold against what applications were told.

use std::collections::BTreeMap;

use klamm::{Acks, Fate};
use klamm_broker::Cluster;

use crate::ledger::{Content, Entry, Given, Ledger, Outcome, digest};
use crate::plan::{Plan, ProducerPlan};

/// A record in a log.
#[derive(Clone, Debug)]
struct Logged {
    entry: usize,
    timestamp_ms: i64,
    digest: u64,
}

struct Logs {
    /// By topic and partition, in order.
    by_partition: BTreeMap<(usize, i32), Vec<Logged>>,
    /// Where each entry's record is.
    places: BTreeMap<usize, Vec<(i32, i64)>>,
}

/// Everything that is wrong with a run.
pub(crate) fn check(plan: &Plan, cluster: &Cluster, ledger: &Ledger) -> Vec<String> {
    let mut wrong = ledger.wrong.clone();
    let logs = read(plan, cluster, ledger, &mut wrong);
    for (number, entry) in ledger.entries.iter().enumerate() {
        if let Err(why) = check_entry(plan, &logs, number, entry) {
            wrong.push(format!(
                "record {number} ({}, producer {}): {why}",
                plan.topics[entry.topic].name, entry.producer
            ));
        }
    }
    check_order(plan, &logs, ledger, &mut wrong);
    check_keys(&logs, ledger, &mut wrong);
    for (number, given) in ledger.given.iter().enumerate() {
        check_given(&logs, number, given, &mut wrong);
    }
    wrong
}

fn read(plan: &Plan, cluster: &Cluster, ledger: &Ledger, wrong: &mut Vec<String>) -> Logs {
    let mut logs = Logs { by_partition: BTreeMap::new(), places: BTreeMap::new() };
    for (topic, named) in plan.topics.iter().enumerate() {
        if cluster.topic_id(&named.name).is_none() {
            continue;
        }
        for partition in 0..named.partitions {
            let mut log = Vec::new();
            for record in cluster.records(&named.name, partition) {
                let (offset, content) = (record.offset(), Content::of_view(&record));
                let entry = content.number().filter(|n| *n < ledger.entries.len());
                let Some(entry) = entry.filter(|n| ledger.entries[*n].content == content) else {
                    wrong.push(format!("{}-{partition} has a record at {offset} that nobody wrote", named.name));
                    continue;
                };
                if offset != log.len() as i64 || ledger.entries[entry].topic != topic {
                    wrong.push(format!("{}-{partition}: record {entry} is at {offset}", named.name));
                }
                logs.places.entry(entry).or_default().push((partition, offset));
                let timestamp_ms = record.timestamp();
                log.push(Logged { entry, timestamp_ms, digest: digest(offset, timestamp_ms, &content) });
            }
            logs.by_partition.insert((topic, partition), log);
        }
    }
    logs
}

fn is_idempotent(plan: &ProducerPlan) -> bool {
    plan.config.acks == Acks::All && plan.config.idempotence != Some(false)
}

/// One record's fate against the log.
fn check_entry(plan: &Plan, logs: &Logs, number: usize, entry: &Entry) -> Result<(), String> {
    let producer = &plan.producers[entry.producer];
    let places = logs.places.get(&number).map_or(&[][..], Vec::as_slice);
    if places.len() > 1 && (is_idempotent(producer) || producer.config.acks == Acks::None) {
        return Err(format!("is in the log {} times: {places:?}", places.len()));
    }
    if let Some(explicit) = entry.explicit
        && places.iter().any(|(partition, _)| *partition != explicit)
    {
        return Err(format!("was for partition {explicit} and is at {places:?}"));
    }
    match &entry.outcome {
        Outcome::Open => Err("its outcome never came".into()),
        Outcome::Acked { offset: -1, .. } if producer.config.acks == Acks::None => Ok(()),
        // Known to be in the log by what was acknowledged after it, but not where (trap 51).
        Outcome::Acked { offset: -1, partition, .. } if is_idempotent(producer) => {
            match places.iter().any(|(p, _)| p == partition) {
                true => Ok(()),
                false => Err("was acknowledged without an offset and is not in the log".into()),
            }
        }
        Outcome::Acked { partition, offset, timestamp_ms } => {
            if !places.contains(&(*partition, *offset)) {
                return Err(format!("was acknowledged at {partition}:{offset} and is at {places:?}"));
            }
            let logged = &logs.by_partition[&(entry.topic, *partition)][*offset as usize];
            // A batch that was sent twice, and whose greatest timestamp is by chance that of its append: who stamps the
            // topic's records cannot be told, and the record's own time is said.
            let own = plan.topics[entry.topic].log_append_time
                && entry.timestamp_ms.map_or(*timestamp_ms <= logged.timestamp_ms, |own| own == *timestamp_ms);
            if logged.timestamp_ms != *timestamp_ms && !own {
                return Err(format!("has timestamp {} and was said to have {timestamp_ms}", logged.timestamp_ms));
            }
            let stamped = plan.topics[entry.topic].log_append_time;
            if !stamped && entry.timestamp_ms.is_some_and(|given| given != *timestamp_ms) {
                return Err(format!("was given timestamp {:?} and has {timestamp_ms}", entry.timestamp_ms));
            }
            Ok(())
        }
        Outcome::Failed(error) if error.fate() == Fate::MaybePersisted => Ok(()),
        Outcome::Dropped => {
            // Whoever lets go of a ticket cancels nothing.
            let must = producer.patient && is_idempotent(producer) && entry.accepted.is_some();
            if must && places.is_empty() { Err("was accepted and is not in the log".into()) } else { Ok(()) }
        }
        Outcome::Failed(_) | Outcome::Refused(_) | Outcome::Cancelled if places.is_empty() => Ok(()),
        outcome => Err(format!("is in the log at {places:?}, and its sender was told {outcome:?}")),
    }
}

/// What one producer had accepted first comes first in each log.
fn check_order(plan: &Plan, logs: &Logs, ledger: &Ledger, wrong: &mut Vec<String>) {
    for ((topic, partition), log) in &logs.by_partition {
        for (number, producer) in plan.producers.iter().enumerate() {
            if !is_idempotent(producer) {
                continue;
            }
            let mut latest = (0, 0);
            for (offset, logged) in log.iter().enumerate() {
                let entry = &ledger.entries[logged.entry];
                let Some((from, to)) = entry.accepted.filter(|_| entry.producer == number) else { continue };
                if to < latest.0 {
                    wrong.push(format!(
                        "{}-{partition}: record {} at {offset} was accepted before record {} and comes after it",
                        plan.topics[*topic].name, logged.entry, latest.1
                    ));
                }
                if from > latest.0 {
                    latest = (from, logged.entry);
                }
            }
        }
    }
}

/// Traps 43 and 44: a key has one home, whoever leads what.
fn check_keys(logs: &Logs, ledger: &Ledger, wrong: &mut Vec<String>) {
    let mut homes: BTreeMap<(usize, &[u8]), i32> = BTreeMap::new();
    for ((topic, partition), log) in &logs.by_partition {
        for logged in log {
            let entry = &ledger.entries[logged.entry];
            let Some(key) = entry.content.key.as_deref().filter(|_| entry.explicit.is_none()) else { continue };
            let home = homes.entry((*topic, key)).or_insert(*partition);
            if home != partition {
                wrong.push(format!("key {key:?} of topic {topic} is in partitions {home} and {partition}"));
            }
        }
    }
}

/// A consumer was given what the log has. That it is complete and in order it has seen itself.
fn check_given(logs: &Logs, number: usize, given: &[Given], wrong: &mut Vec<String>) {
    for given in given {
        let log = logs.by_partition.get(&(given.topic, given.partition));
        let logged = log.and_then(|log| log.get(given.offset as usize));
        if logged.is_none_or(|logged| logged.digest != given.digest) {
            wrong.push(format!(
                "consumer {number} was given another record than topic {} has at {}:{}",
                given.topic, given.partition, given.offset
            ));
        }
    }
}
