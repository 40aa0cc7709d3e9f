//! `examples/edge-ingest` behind HTTP, with a fresh instance for each request.

use std::time::{Duration, Instant};

use klamm_kafka_tests::{Cluster, connect, poll_until, read_all};
use klamm_tokio::OwnedRecord;
use klamm_wasm_host::{ALL, Answer, Grants, Guest, Server, post, request};

fn ingest() -> Guest {
    Guest::compile("klamm_edge_ingest")
}

/// The value of a field of a flat JSON object.
fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let (_, rest) = answer.body.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name}: {answer:?}"));
    rest.split([',', '}']).next().expect("a value").trim_matches('"')
}

fn number(answer: &Answer, name: &str) -> i64 {
    field(answer, name).parse().unwrap_or_else(|_| panic!("{name}: {answer:?}"))
}

fn id_of(record: &OwnedRecord) -> String {
    let header = record.headers.iter().find(|header| header.key == "event_id").expect("each has one");
    String::from_utf8(header.value.clone().expect("not null")).expect("text")
}

fn value(record: &OwnedRecord) -> &str {
    std::str::from_utf8(record.value.as_deref().expect("not null")).expect("text")
}

/// Each answer says where its event is; what is refused is refused with its reason and is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_where_the_answers_say() {
    let cluster = Cluster::start(1, &[("auto.create.topics.enable", "false")]);
    cluster.create_topic("events", 3, 1);
    let env = [("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("MAX_EVENT_BYTES", "1000")];
    let server = Server::start(&ingest(), ALL, &env).await;
    let mut expected = Vec::new();
    for i in 0..20 {
        let body = format!(r#"{{"number":{i},"text":"grüße \n","nested":[{{}},null,1e3]}}"#);
        let answer = post(&server, "", &body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
        let place = (number(&answer, "partition"), number(&answer, "offset"));
        expected.push((place, field(&answer, "event_id").to_owned(), body));
    }
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000));
    for bad in ["", "{", "[1]", "\"x\"", "null", "{} {}", "{1:2}", "{\"a\":\"\n\"}"] {
        let answer = post(&server, "?ack=0", bad).await;
        assert_eq!((answer.status, field(&answer, "may_be_stored")), (400, "false"), "{bad:?}: {answer:?}");
    }
    assert_eq!(request(&server.address, "POST", "/events", b"{\"a\":\"\xff\"}").await.status, 400);
    assert_eq!(post(&server, "", &long).await.status, 413);
    assert_eq!(request(&server.address, "POST", "/other", b"{}").await.status, 404);
    let answer = request(&server.address, "GET", "/events", b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{answer:?}");

    let all = read_all(&connect(&cluster).await, "events", 20).await;
    for (partition, record) in &all {
        let place = (i64::from(*partition), record.offset);
        let (_, id, body) = expected.iter().find(|(p, ..)| *p == place).unwrap_or_else(|| panic!("{place:?}"));
        assert_eq!((id_of(record).as_str(), value(record)), (id.as_str(), body.as_str()));
    }
    println!("note: at most {} bytes of linear memory", server.memory_bytes());
    assert_eq!(server.said(), "", "nothing went wrong");
}

/// With `ack=0` the answer does not wait for the broker, and the handler does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_the_answer_comes_first() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("events", 1, 1);
    let warm =
        Server::start(&ingest(), ALL, &[("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("EXPORT_WARM_STATE", "1")]).await;
    let answer = post(&warm, "", "{}").await;
    let state = answer.header("warm-state").unwrap_or_else(|| panic!("{answer:?}"));
    // A warm client puts an event into its buffer without asking anybody, so even a broker that stands still is no reason to wait.
    let env = [("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("WARM_STATE", state), ("DELIVERY_TIMEOUT_MS", "30000")];
    let server = Server::start(&ingest(), ALL, &env).await;
    tokio::task::block_in_place(|| cluster.pause(1));
    let began = Instant::now();
    let answer = post(&server, "?ack=0", r#"{"n":1}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.running(), 1, "the handler waits for Kafka");
    tokio::task::block_in_place(|| cluster.resume(1));
    poll_until("the handler returns", || server.running() == 0).await;
    assert_eq!(server.said(), "");
    let all = read_all(&connect(&cluster).await, "events", 2).await;
    assert_eq!(id_of(&all[1].1), field(&answer, "event_id"));
}

/// Kafka away, then back; a topic that is not there; a host that grants no sockets; settings that are missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_is_to_come_back_later() {
    let cluster = Cluster::start(1, &[("auto.create.topics.enable", "false")]);
    cluster.create_topic("events", 1, 1);
    let env = [("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("DELIVERY_TIMEOUT_MS", "1500")];
    let guest = ingest();
    let server = Server::start(&guest, ALL, &env).await;
    let missing = Server::start(&guest, ALL, &[env[0], env[1], ("TOPIC", "missing")]).await;
    let denied = Server::start(&guest, Grants { tcp: false, look_up: true }, &env[..1]).await;
    let unset = Server::start(&guest, ALL, &[]).await;
    let answer = post(&missing, "", "{}").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert!(answer.body.contains("missing"), "{answer:?}");
    let began = Instant::now();
    let answer = post(&denied, "", "{}").await;
    assert!(answer.status == 503 && answer.body.contains("wasi:sockets/tcp"), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}: what is not granted is told at once", began.elapsed());
    let answer = post(&unset, "", "{}").await;
    assert!(answer.status == 500 && answer.body.contains("KAFKA_BOOTSTRAP"), "{answer:?}");

    assert_eq!(post(&server, "", r#"{"before":1}"#).await.status, 200);
    tokio::task::block_in_place(|| cluster.kill(1));
    for query in ["", "?ack=0"] {
        let began = Instant::now();
        let answer = post(&server, query, r#"{"away":1}"#).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
        assert_eq!(field(&answer, "may_be_stored"), "false", "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    tokio::task::block_in_place(|| cluster.restart(1));
    assert_eq!(post(&server, "", r#"{"after":1}"#).await.status, 200);
    read_all(&connect(&cluster).await, "events", 2).await;
}

/// A buffer that is too small for an event is refused as a setting, by the name of its memory class. Whatever is accepted takes the largest event
/// there may be: none waits for room that cannot come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_buffer_takes_the_largest_event() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("events", 1, 1);
    let guest = ingest();
    // A batch has 64 KiB, and beside the event its id and its own head.
    let event = format!(r#"{{"text":"{}"}}"#, "x".repeat(65_300));
    let (mut taken, mut refused) = (0, 0);
    for bytes in (1..=32).map(|n| (n * 32 * 1024).to_string()) {
        let env = [("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("BUFFER_BYTES", &bytes), ("DELIVERY_TIMEOUT_MS", "3000")];
        let server = Server::start(&guest, ALL, &env).await;
        let answer = post(&server, "", &event).await;
        match answer.status {
            200 => taken += 1,
            500 if taken == 0 && answer.body.contains("memory.") => refused += 1,
            _ => panic!("{bytes}: {answer:?}"),
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} and {refused}");
    println!("note: with BUFFER_BYTES of {} KiB and more", (refused + 1) * 32);
}
