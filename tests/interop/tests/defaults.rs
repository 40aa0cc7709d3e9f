//! The defaults that Klamm has other clients' settings with, against those that the clients themselves have.

use std::{collections::BTreeMap, path::Path};

use klamm_kafka_tests::java_against;
use klamm_tokio::properties::table;
use rdkafka::{ClientConfig, error::KafkaError};

/// A line of the manual's table.
struct Row {
    /// librdkafka may call it by any of them, Java by the first.
    names: Vec<String>,
    /// `None`: the client has no such setting; "": no default.
    java: Option<String>,
    librdkafka: Option<String>,
    here: String,
}

fn rows() -> Vec<Row> {
    let default = |cell: &str| match cell {
        "–" => None,
        "none" => Some(String::new()),
        other => Some(other.to_owned()),
    };
    let table = table();
    let rows = table.lines().skip(2).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let names = cells[0].split(", ").map(|name| name.trim_matches('`').to_owned()).collect();
        Row { names, java: default(cells[1]), librdkafka: default(cells[2]), here: cells[3].to_owned() }
    });
    rows.collect()
}

/// Where Klamm has none although there is one: the text beside it says so.
fn is_said(row: &Row, theirs: &str) -> bool {
    row.here.contains(&format!("{theirs} there")) || row.here.contains(&format!("{theirs} or "))
}

/// What Kafka's own classes say, of the release that the tools are of.
#[test]
fn javas_defaults_are_javas() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/Defaults.java");
    let said = java_against("none", &file, &[]);
    let theirs: BTreeMap<(&str, &str), &str> = said
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut next = || parts.next().expect("who, name, default");
            ((next(), next()), next())
        })
        .collect();
    assert!(theirs.len() > 150, "{} settings", theirs.len());
    let mut compared = 0;
    for row in rows() {
        let Some(ours) = &row.java else { continue };
        let name = &*row.names[0];
        let both = ["producer", "consumer"].map(|who| theirs.get(&(who, name)));
        assert!(both.iter().any(Option::is_some), "Java has no {name}");
        for default in both.into_iter().flatten() {
            // What is said in words, where none is the same as "none".
            let ours = if *default == "none" && ours.is_empty() { "none" } else { ours };
            assert!(
                ours == *default || ours.is_empty() && is_said(&row, default),
                "{name}: {ours:?}, Java has {default:?}"
            );
            compared += 1;
        }
    }
    println!("{compared} defaults compared");
    assert!(compared >= 60, "{compared}");
}

/// What librdkafka says, by each name that it is known under.
#[test]
fn librdkafkas_defaults_are_librdkafkas() {
    // It tells those of topics, too, once one of them was set; Klamm has not this one.
    let config = ClientConfig::new().set("produce.offset.report", "false").create_native_config().expect("settings");
    let mut compared = 0;
    for row in rows() {
        let Some(ours) = &row.librdkafka else { continue };
        for name in &row.names {
            let theirs = match config.get(name) {
                Ok(default) => default,
                // One that is none has no text either; that there is such a name is checked where properties are.
                Err(KafkaError::ClientConfig(..)) if ours.is_empty() => String::new(),
                Err(error) => panic!("librdkafka does not tell {name}: {error}"),
            };
            let ours = match &**ours {
                "" if theirs == "none" => "none",
                // The same, as a number.
                "all" => "-1",
                other => other,
            };
            assert_eq!(ours, theirs, "{name}");
            compared += 1;
        }
    }
    println!("{compared} defaults compared");
    assert!(compared >= 50, "{compared}");
}
