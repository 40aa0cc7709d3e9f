//! What happens beside the work goes to the `log` facade unless an observer is set.
#![cfg(feature = "log")]

use std::sync::{Arc, Mutex};

use klamm_tokio::{Config, Event, Record};

/// Keeps every line, as `LEVEL target text`.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        self.0.lock().expect("nobody panics").push(line);
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

fn lines() -> Vec<String> {
    let all = std::mem::take(&mut *LINES.0.lock().expect("nobody panics"));
    all.into_iter().filter(|line| line.contains(" klamm ")).collect()
}

/// Writes one record with these settings.
async fn write(config: Config) {
    let client = klamm_tokio::connect_with(config).await.expect("a cluster");
    let producer = client.producer().build().expect("a producer");
    producer.send(Record::to("logged").value("a")).await.expect("acknowledged");
}

#[tokio::test]
async fn events_go_to_the_log_unless_an_observer_is_set() {
    log::set_logger(&LINES).expect("the only logger");
    log::set_max_level(log::LevelFilter::Info);
    let cluster = klamm_broker::serve(klamm_broker::ClusterConfig::default()).expect("ports on loopback");
    cluster.cluster().create_topic("logged", 1, 1);

    write(Config::new(cluster.bootstrap())).await;
    let told = lines();
    assert!(told.iter().any(|line| line.starts_with("INFO klamm connected to 127.0.0.1:")), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains(" connecting to ")), "that is for debugging: {told:#?}");

    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&seen);
    let observer = move |event: &Event<'_>| own.lock().expect("nobody panics").push(event.name());
    write(Config::new(cluster.bootstrap()).observer(Arc::new(observer))).await;
    assert!(seen.lock().expect("nobody panics").contains(&"connected"));
    // The first client may still be on its way out.
    let told = lines();
    assert!(!told.iter().any(|line| line.contains("connected to")), "{told:#?}");
}
