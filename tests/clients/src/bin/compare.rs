//! Runs clients in turn against one real broker, round by round, so that whatever the machine does meets them all, and
//! prints the medians side by side.
//!
//! ```text
//! compare [--rounds 5] [--partitions 1] [--case OP:SIZE:RECORDS:CODEC[:FLAG]…]… [--json FILE] NAME=COMMAND…
//! ```
//! Every produce gets a fresh topic; all consume the same one, which the first client fills. A run counts only if it
//! reports no errors and, where it produced, if Java's get-offsets finds every record afterwards. The ratio is that of CPU
//! to the first client's.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    process::{Command, ExitCode, Stdio},
};

use klamm_kafka_tests::Cluster;
use serde_json::Value;

const CASES: [&str; 6] = [
    "produce:100:1000000:none",
    "produce:100:1000000:lz4",
    "produce:1000:300000:none",
    "consume:100:1000000:none",
    "latency:100:2000:none",
    "tasks:100:200000:none",
];

struct Plan {
    rounds: usize,
    partitions: usize,
    cases: Vec<Case>,
    json: Option<String>,
    clients: Vec<(String, Vec<String>)>,
}

#[derive(Clone)]
struct Case {
    text: String,
    operation: String,
    size: String,
    records: usize,
    codec: String,
    flags: Vec<String>,
}

fn main() -> ExitCode {
    let plan = match Plan::parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("compare: {error}");
            return ExitCode::from(2);
        }
    };
    let cluster = Cluster::start_to_measure();
    let complete = plan.cases.iter().map(|case| plan.run(&cluster, case)).filter(|complete| !complete).count() == 0;
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Case {
    fn parse(text: &str) -> Result<Case, String> {
        let mut words = text.split(':').map(str::to_owned);
        let (Some(operation), Some(size), Some(records), Some(codec)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("a case is OP:SIZE:RECORDS:CODEC, not {text}"));
        };
        let records = records.parse().map_err(|_| format!("{records} records?"))?;
        Ok(Case { text: text.into(), operation, size, records, codec, flags: words.collect() })
    }
}

impl Plan {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Plan, String> {
        let mut plan = Plan { rounds: 5, partitions: 1, cases: Vec::new(), json: None, clients: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => plan.rounds = value()?.parse().map_err(|_| "--rounds takes a number")?,
                "--partitions" => plan.partitions = value()?.parse().map_err(|_| "--partitions takes a number")?,
                "--case" => plan.cases.push(Case::parse(&value()?)?),
                "--json" => plan.json = Some(value()?),
                _ => {
                    let (name, command) = word.split_once('=').ok_or_else(|| format!("{word} is no NAME=COMMAND"))?;
                    plan.clients.push((name.into(), command.split_whitespace().map(str::to_owned).collect()));
                }
            }
        }
        if plan.cases.is_empty() {
            plan.cases = CASES.iter().map(|case| Case::parse(case)).collect::<Result<_, _>>()?;
        }
        if plan.clients.is_empty() {
            return Err("no client is named; tests/clients/run names three".into());
        }
        Ok(plan)
    }

    /// Whether every run of every client counted.
    fn run(&self, cluster: &Cluster, case: &Case) -> bool {
        let mut runs: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let shared = format!("consumed-{}-{}", case.size, case.codec);
        if case.operation == "consume" {
            cluster.create_topic(&shared, self.partitions, 1);
            let fill = Case { operation: "produce".into(), ..case.clone() };
            assert!(
                self.measure(cluster, &self.clients[0].1, &fill, &shared).is_some(),
                "the topic could not be filled"
            );
        }
        let mut all = true;
        for round in 0..self.rounds {
            for (name, command) in &self.clients {
                let own = format!("{}-{}-{}-{name}-{round}", case.operation, case.size, case.codec);
                let topic = if case.operation == "consume" { &shared } else { &own };
                if case.operation != "consume" {
                    cluster.create_topic(topic, self.partitions, 1);
                }
                let run = self.measure(cluster, command, case, topic);
                if case.operation != "consume" {
                    cluster.tool(&["topics", "--delete", "--topic", topic]);
                }
                match run {
                    Some(run) => {
                        self.keep(name, case, round, &run);
                        runs.entry(name).or_default().push(run);
                    }
                    None => all = false,
                }
            }
        }
        if case.operation == "consume" {
            cluster.tool(&["topics", "--delete", "--topic", &shared]);
        }
        self.print(case, &runs);
        all
    }

    /// One run's line, if the run counts.
    fn measure(&self, cluster: &Cluster, command: &[String], case: &Case, topic: &str) -> Option<Value> {
        let (program, words) = command.split_first()?;
        let (records, partitions) = (case.records.to_string(), self.partitions.to_string());
        let output = Command::new(program)
            .args(words)
            .args([&case.operation, "--bootstrap", cluster.bootstrap(), "--topic", topic, "--size", &case.size])
            .args(["--records", &records, "--codec", &case.codec, "--partitions", &partitions])
            .args(&case.flags)
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        let line: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let line = line.filter(|line| output.status.success() && line["errors"] == 0);
        if line.is_none() {
            eprintln!("{program}, {}: failed with {}: {text}", case.text, output.status);
        }
        line.filter(|_| case.operation == "consume" || is_complete(cluster, topic, case.records))
    }

    fn keep(&self, name: &str, case: &Case, round: usize, run: &Value) {
        let Some(file) = &self.json else { return };
        let mut file =
            OpenOptions::new().create(true).append(true).open(file).unwrap_or_else(|e| panic!("{file}: {e}"));
        let mut line = run.clone();
        line["name"] = name.into();
        line["case"] = case.text.as_str().into();
        line["round"] = round.into();
        line["partitions"] = self.partitions.into();
        writeln!(file, "{line}").unwrap_or_else(|e| panic!("writing a run: {e}"));
    }

    fn print(&self, case: &Case, runs: &BTreeMap<&str, Vec<Value>>) {
        println!("\n{}, {} partitions, median of {}", case.text, self.partitions, self.rounds);
        println!(
            "{:<16}{:>12}{:>12}{:>7}{:>10}{:>9}{:>9}",
            "client", "records/s", "CPU us/rec", "ratio", "peak MiB", "p50 ms", "p99 ms"
        );
        let mut first = None;
        for (name, _) in &self.clients {
            let Some(runs) = runs.get(name.as_str()) else {
                println!("{name:<16} failed");
                continue;
            };
            let cpu = median(runs, "cpu_us_per_record");
            let ratio = cpu / *first.get_or_insert(cpu);
            println!(
                "{name:<16}{:>12.0}{cpu:>12.3}{ratio:>7.2}{:>10.1}{:>9.3}{:>9.3}",
                median(runs, "records_per_s"),
                median(runs, "peak_mib"),
                median(runs, "p50_ms"),
                median(runs, "p99_ms")
            );
        }
    }
}

/// Whether the broker's own end offsets add up to the records that were sent.
fn is_complete(cluster: &Cluster, topic: &str, records: usize) -> bool {
    let ends = cluster.tool(&["get-offsets", "--topic", topic]);
    let sum: usize = ends.lines().filter_map(|line| line.rsplit(':').next()?.parse::<usize>().ok()).sum();
    if sum != records {
        eprintln!("{topic}: {sum} of {records} records arrived");
    }
    sum == records
}

fn median(runs: &[Value], key: &str) -> f64 {
    let mut values: Vec<f64> = runs.iter().filter_map(|run| run[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
