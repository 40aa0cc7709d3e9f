//! `POST /events` as `examples/ingest` has it, over librdkafka's producers: the same web server, the same check, the same
//! header and the same answer: by its `FutureProducer` when Kafka has acknowledged the event, by its `ThreadedProducer` at
//! once (`?ack=0` there, `ACK=0` in the environment here). What is not measured (metrics, the page, a shutdown) is not here.

extern crate alloc;

#[path = "../../../examples/edge-ingest/src/object.rs"]
mod object;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::post,
};
use rdkafka::{
    ClientConfig, ClientContext,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, FutureProducer, FutureRecord, ProducerContext, ThreadedProducer},
};
use serde_json::{Value, json};

enum Sender {
    Acknowledged(FutureProducer),
    AtOnce(ThreadedProducer<Count>),
}

/// Counts what becomes of events that nobody waits for, as the other server does.
#[derive(Default)]
struct Count {
    acknowledged: AtomicU64,
    lost: AtomicU64,
}

impl ClientContext for Count {}

impl ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, told: &DeliveryResult<'_>, (): ()) {
        let counter = if told.is_ok() { &self.acknowledged } else { &self.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

struct Ingest {
    sender: Sender,
    topic: String,
    process: u64,
    next: AtomicU64,
}

#[tokio::main]
async fn main() {
    // As examples/ingest does it.
    tokio::spawn(run()).await.expect("no panic");
}

async fn run() {
    let setting = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let mut config = ClientConfig::new();
    // As Klamm's defaults: idempotent, and so acknowledged by all replicas. What librdkafka lingers is said from outside.
    config.set("bootstrap.servers", setting("KAFKA_BOOTSTRAP")).set("enable.idempotence", "true");
    config.set("linger.ms", setting("LINGER_MS"));
    let sender = match env::var("ACK").as_deref() {
        Ok("0") => Sender::AtOnce(config.create_with_context(Count::default()).expect("a producer")),
        _ => Sender::Acknowledged(config.create().expect("a producer")),
    };
    let process = getrandom::u64().expect("randomness");
    let ingest = Arc::new(Ingest { sender, topic: setting("TOPIC"), process, next: AtomicU64::new(0) });
    let listener = tokio::net::TcpListener::bind(setting("LISTEN")).await.expect("the address is free");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/events", post(take)).with_state(ingest);
    axum::serve(listener, app).await.expect("it serves for ever");
}

async fn take(State(ingest): State<Arc<Ingest>>, body: Bytes) -> impl IntoResponse {
    let id = format!("{:016x}{:016x}", ingest.process, ingest.next.fetch_add(1, Ordering::Relaxed));
    let (status, body) = match object::check(&body) {
        Err(error) => (StatusCode::BAD_REQUEST, json!({ "event_id": id, "error": error })),
        Ok(text) => {
            let headers = OwnedHeaders::new_with_capacity(1).insert(Header { key: "event_id", value: Some(&id) });
            match &ingest.sender {
                Sender::Acknowledged(producer) => {
                    let record = FutureRecord::<(), _>::to(&ingest.topic).payload(text).headers(headers);
                    acknowledged(producer, record, &id).await
                }
                Sender::AtOnce(producer) => {
                    let record = BaseRecord::<(), _>::to(&ingest.topic).payload(text).headers(headers);
                    match producer.send(record) {
                        Ok(()) => (StatusCode::ACCEPTED, json!({ "event_id": id })),
                        Err((error, _)) => full(&id, &error),
                    }
                }
            }
        }
    };
    (status, [(CONTENT_TYPE, "application/json")], body.to_string())
}

async fn acknowledged(producer: &FutureProducer, record: FutureRecord<'_, (), str>, id: &str) -> (StatusCode, Value) {
    let told = match producer.send_result(record) {
        Ok(told) => told.await.expect("the producer lives"),
        Err((error, _)) => return full(id, &error),
    };
    match told {
        Ok(at) => (StatusCode::OK, json!({ "event_id": id, "partition": at.partition, "offset": at.offset })),
        Err((error, _)) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "event_id": id, "error": error.to_string() })),
    }
}

fn full(id: &str, error: &KafkaError) -> (StatusCode, Value) {
    (StatusCode::TOO_MANY_REQUESTS, json!({ "event_id": id, "error": error.to_string() }))
}
