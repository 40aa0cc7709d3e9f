//! The server as a program of its own, before a real broker: every answer, and what is in the log after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use klamm_ingest::http::{Answer, Connection};
use klamm_kafka_tests::{Cluster, connect, create, poll_until, read_all, within};
use klamm_tokio::OwnedRecord;
use serde_json::Value;

/// A running server. Dropped, it is killed.
struct Server {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Server {
    fn start(cluster: &Cluster, settings: &[(&str, &str)]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
        command.env("KAFKA_BOOTSTRAP", cluster.bootstrap()).env("LISTEN", "127.0.0.1:0");
        command.envs(settings.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = said.next().expect("it says where it listens").expect("readable");
        let address = line.strip_prefix("listening on http://").expect("an address").to_owned();
        Server { child, said, address }
    }

    async fn open(&self) -> Connection {
        Connection::open(&self.address).await.expect("it listens")
    }

    async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        request(&mut self.open().await, "POST", path, body).await
    }

    async fn metrics(&self) -> Value {
        let answer = request(&mut self.open().await, "GET", "/metrics.json", "").await;
        serde_json::from_str(&answer.body).expect("JSON")
    }

    fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.expect("there is kill").success());
    }

    /// Waits for its end; what it said last: accepted, acknowledged.
    fn ended(&mut self) -> (u64, u64) {
        let waiting = Instant::now();
        while self.child.try_wait().expect("it is ours").is_none() {
            assert!(waiting.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let line = self.said.next().expect("it says what came of it").expect("readable");
        let status = self.child.wait().expect("it is ours");
        assert!(status.success(), "{status}: {line}");
        let number = |after: &str| {
            let rest = line.split_once(after).unwrap_or_else(|| panic!("{line}")).1;
            rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).expect("a number")
        };
        (number("accepted "), number("acknowledged "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn request(connection: &mut Connection, method: &str, path: &str, body: impl AsRef<[u8]>) -> Answer {
    within("an answer", connection.request(method, path, body.as_ref())).await.expect("an answer")
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn id_of(answer: &Answer) -> String {
    parsed(answer)["event_id"].as_str().expect("an id").to_owned()
}

fn stored_id(record: &OwnedRecord) -> String {
    let header = record.headers.iter().find(|header| header.key == "event_id").expect("the server gives one");
    String::from_utf8(header.value.clone().expect("not null")).expect("text")
}

fn value(record: &OwnedRecord) -> &str {
    std::str::from_utf8(record.value.as_deref().expect("not null")).expect("text")
}

/// A broker, and the topic `events` of three partitions.
async fn begun() -> Cluster {
    let cluster = Cluster::start(1, &[("auto.create.topics.enable", "false")]);
    create(&connect(&cluster).await, "events", 3, &[]).await;
    cluster
}

/// Each answer says where its event is; what is refused is refused with its reason and is not there; the figures add up;
/// the load generator counts what Kafka counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_where_the_answers_say() {
    let cluster = begun().await;
    let server = Server::start(&cluster, &[("MAX_EVENT_BYTES", "1000")]);
    let mut expected = BTreeMap::new();
    let mut connections = [server.open().await, server.open().await, server.open().await];
    for i in 0..300 {
        let body = format!(r#"{{"number":{i},"text":"grüße \n","nested":[{{}},null,1e3]}}"#);
        let answer = request(&mut connections[i % 3], "POST", "/events", &body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
        let at = parsed(&answer);
        let place = (at["partition"].as_i64().expect("a number"), at["offset"].as_i64().expect("a number"));
        assert!(expected.insert(place, (id_of(&answer), body)).is_none(), "{place:?} twice");
    }
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000));
    let bad: [&[u8]; 9] =
        [b"", b"{", b"[1]", b"\"x\"", b"null", b"{} {}", b"{\"a\":\"\xff\"}", b"{1:2}", b"{\"a\":\"\n\"}"];
    for body in bad {
        let answer = server.post("/events?ack=0", body).await;
        assert_eq!(answer.status, 400, "{:?}: {answer:?}", String::from_utf8_lossy(body));
        assert_eq!(parsed(&answer)["may_be_stored"], false);
    }
    assert_eq!(server.post("/events", &long).await.status, 413);
    assert_eq!(server.post("/other", "{}").await.status, 404);
    assert_eq!(request(&mut connections[0], "GET", "/events", "").await.status, 405);

    let all = read_all(&connect(&cluster).await, "events", 300).await;
    for (partition, record) in &all {
        let (id, body) = &expected[&(i64::from(*partition), record.offset)];
        assert_eq!((stored_id(record).as_str(), value(record)), (id.as_str(), body.as_str()));
    }
    let metrics = request(&mut connections[1], "GET", "/metrics", "").await;
    for line in [
        "ingest_accepted_total 300",
        "ingest_acknowledged_total 300",
        "ingest_failed_total{reason=\"bad_json\"} 9",
        "ingest_failed_total{reason=\"too_large\"} 1",
        "ingest_latency_seconds_bucket{le=\"+Inf\"} 300",
        "ingest_latency_seconds_count 300",
        "ingest_buffer_bytes 0",
        "ingest_buffer_limit_bytes 8388608",
    ] {
        assert!(metrics.body.lines().any(|l| l == line), "{line} is not in:\n{}", metrics.body);
    }
    let page = request(&mut connections[2], "GET", "/", "").await;
    assert!(page.status == 200 && page.body.contains("metrics.json") && !page.body.contains("://"), "{}", page.head);

    let load = Command::new(env!("CARGO_BIN_EXE_load"))
        .args(["--address", &server.address, "--connections", "5", "--seconds", "0.5"])
        .output()
        .expect("it runs");
    let load: Value = serde_json::from_slice(&load.stdout).unwrap_or_else(|error| panic!("{error}: {load:?}"));
    let events = load["events"].as_u64().expect("a number");
    assert!(events > 0 && load["errors"] == 0 && load["p99_ms"].is_number(), "{load}");
    assert_eq!(server.metrics().await["acknowledged"], 300 + events);
}

/// A broker that stands still: the buffer fills, and further events are told to come back; when it goes on, all that were
/// accepted are stored, and there is room again. A broker that is gone: events fail in time and say whether they may be
/// stored; when it is back, all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_and_a_broker_that_is_gone() {
    let cluster = begun().await;
    let server = Server::start(&cluster, &[("BUFFER_BYTES", "65536"), ("DELIVERY_TIMEOUT_MS", "30000")]);
    let hasty = Server::start(&cluster, &[("DELIVERY_TIMEOUT_MS", "1500")]);
    let lost = Server::start(&cluster, &[("DELIVERY_TIMEOUT_MS", "1500"), ("TOPIC", "missing")]);
    assert_eq!(server.post("/events", r#"{"first":true}"#).await.status, 200);
    assert_eq!(hasty.post("/events", r#"{"first":true}"#).await.status, 200);
    let answer = lost.post("/events", "{}").await;
    assert!(answer.status == 503 && answer.body.contains("missing"), "{answer:?}");
    assert_eq!(parsed(&answer)["may_be_stored"], false);

    cluster.pause(1);
    let (body, mut connection, mut accepted) = (format!(r#"{{"text":"{}"}}"#, "x".repeat(900)), server.open().await, 0);
    let refused = loop {
        let answer = request(&mut connection, "POST", "/events?ack=0", &body).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "more than fits is accepted");
    };
    assert!(accepted >= 20, "only {accepted} fit");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{refused:?}");
    assert_eq!(server.post("/events", &body).await.status, 429);
    let figures = server.metrics().await;
    assert!(figures["buffer_bytes"].as_u64() > Some(40_000), "{figures}");
    assert_eq!(figures["failed"]["buffer_full"], 2, "{figures}");
    cluster.resume(1);
    assert_eq!(within("room", async { retried(&server, &body).await }).await.status, 200);
    assert_eq!(read_all(&connect(&cluster).await, "events", 2 + accepted + 1).await.len(), accepted + 3);

    cluster.kill(1);
    let answer = hasty.post("/events", r#"{"gone":true}"#).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let id = id_of(&answer);
    let may_be_stored = parsed(&answer)["may_be_stored"] == true;
    let figures = hasty.metrics().await;
    assert_eq!((&figures["accepted"], &figures["failed"]["lost"]), (&2.into(), &1.into()), "{figures}");
    cluster.restart(1);
    assert_eq!(within("the broker", async { retried(&hasty, r#"{"back":true}"#).await }).await.status, 200);
    let client = connect(&cluster).await;
    let all = read_all(&client, "events", accepted + 4).await;
    assert!(may_be_stored || !all.iter().any(|(_, record)| stored_id(record) == id));
}

/// Until it is taken.
async fn retried(server: &Server, body: &str) -> Answer {
    loop {
        let answer = server.post("/events", body).await;
        if !matches!(answer.status, 429 | 503) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// SIGTERM while events come and the broker stands still: no new connection is taken, what was accepted is stored, with
/// and without an answer, each once; clients that go away early are counted all the same; then the program ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_loses_nothing() {
    let cluster = begun().await;
    let mut server = Server::start(&cluster, &[("DELIVERY_TIMEOUT_MS", "30000")]);
    assert_eq!(server.post("/events", r#"{"n":-1}"#).await.status, 200);
    let mut idle = server.open().await;
    assert_eq!(request(&mut idle, "GET", "/metrics.json", "").await.status, 200);

    cluster.pause(1);
    let mut promised = BTreeSet::new();
    let mut connection = server.open().await;
    for n in 0..500 {
        let answer = request(&mut connection, "POST", "/events?ack=0", format!(r#"{{"n":{n}}}"#)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        promised.insert(id_of(&answer));
    }
    let address = server.address.clone();
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let address = address.clone();
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await.expect("it listens");
                request(&mut connection, "POST", "/events", format!(r#"{{"waiting":{n}}}"#)).await
            })
        })
        .collect();
    let impatient = tokio::time::timeout(Duration::from_millis(300), server.post("/events", r#"{"impatient":1}"#));
    assert!(impatient.await.is_err(), "nothing can be acknowledged now");
    let accepted = 1 + 500 + 20 + 1;
    within("all are in the buffer", async {
        while server.metrics().await["accepted"] != accepted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    server.terminate();
    poll_until("it stops listening", || std::net::TcpStream::connect(&address).is_err()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(server.child.try_wait().expect("it is ours").is_none(), "it waits for the broker");
    let resumed = Instant::now();
    cluster.resume(1);
    for task in waiting {
        let answer = task.await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        promised.insert(id_of(&answer));
    }
    assert_eq!(server.ended(), (accepted, accepted));
    assert!(resumed.elapsed() < Duration::from_secs(10), "an idle connection held it: {:?}", resumed.elapsed());

    let all = read_all(&connect(&cluster).await, "events", accepted as usize).await;
    let stored: BTreeSet<String> = all.iter().map(|(_, record)| stored_id(record)).collect();
    assert_eq!(stored.len(), all.len(), "each is there once");
    assert!(promised.len() == 520 && promised.is_subset(&stored));

    // A client that never ends its request is waited for, and then left.
    let mut server = Server::start(&cluster, &[("SHUTDOWN_TIMEOUT_MS", "500")]);
    assert_eq!(server.post("/events?ack=0", r#"{"n":500}"#).await.status, 202);
    let mut slow = std::net::TcpStream::connect(&server.address).expect("it listens");
    slow.write_all(b"POST /events HTTP/1.1\r\nHost: ingest\r\nContent-Length: 9\r\n\r\n{").expect("sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.ended(), (1, 1));
    let took = started.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_secs(8)).contains(&took), "{took:?}");
}
