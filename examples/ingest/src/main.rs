//! HTTP to Kafka: `POST /events` takes a JSON object and answers where it is once Kafka has it.
//!
//! | answer | when |
//! |---|---|
//! | 200 `{"event_id","partition","offset"}` | it is acknowledged by all replicas that are in sync |
//! | 202 `{"event_id"}` | with `?ack=0`: it is in the buffer; what becomes of it `/metrics` tells, and nobody else |
//! | 400 | the body is not one JSON object |
//! | 413 | it is larger than `MAX_EVENT_BYTES` |
//! | 429, `Retry-After` | the buffer is full; the event was not taken |
//! | 503 | Kafka did not answer in time; `may_be_stored` says whether the event may be there all the same |
//!
//! `GET /metrics` is for Prometheus, `GET /` a page that shows the same, live.
//! On SIGTERM or ctrl-c it takes no more connections, answers what it has begun, and ends when every event is settled: at
//! the latest after `SHUTDOWN_TIMEOUT_MS` and `DELIVERY_TIMEOUT_MS`. Its last line says what became of all.
//!
//! A client that sends an event again after 503 may store it twice if `may_be_stored` said so. TLS, who may send, and how
//! many connections there may be is the business of a proxy in front.

extern crate alloc;

mod events;
mod metrics;
// What an event must be is the same at the edge, where there is no std.
#[path = "../../edge-ingest/src/object.rs"]
mod object;

use std::{process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::header::CONTENT_TYPE,
    response::{Html, IntoResponse},
    routing::{get, post},
};
use clap::Parser;
use klamm_tokio::Config;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use events::{Ingest, Producers};

/// How long an event whose client was answered already may wait for others of its batch.
const LINGER: Duration = Duration::from_millis(5);

/// Takes JSON events over HTTP and puts them into Kafka.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Args {
    /// Kafka's brokers
    #[arg(long, env = "KAFKA_BOOTSTRAP", value_name = "HOST:PORT,…")]
    bootstrap: String,
    /// The topic, which must be there
    #[arg(long, env = "TOPIC", default_value = "events")]
    topic: String,
    /// Where to listen; port 0 is any that is free
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The largest event
    #[arg(long, env = "MAX_EVENT_BYTES", default_value_t = 65_536)]
    max_event_bytes: usize,
    /// Room for events that are not acknowledged yet
    #[arg(long, env = "BUFFER_BYTES", default_value_t = 8 << 20)]
    buffer_bytes: usize,
    /// How long Kafka may take to acknowledge an event, in milliseconds
    #[arg(long, env = "DELIVERY_TIMEOUT_MS", default_value_t = 10_000)]
    delivery_timeout_ms: u32,
    /// How long a shutdown waits for clients that are slow to end their requests, in milliseconds; then the buffer is sent
    #[arg(long, env = "SHUTDOWN_TIMEOUT_MS", default_value_t = 15_000)]
    shutdown_timeout_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    // As a task of the runtime: its caller's thread is not one of its workers, and every hand-over would cost more.
    match tokio::spawn(run(Args::parse())).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(sentence)) => {
            eprintln!("ingest: {sentence}");
            ExitCode::FAILURE
        }
        Err(panic) => {
            eprintln!("ingest: {panic}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let (ingest, watching) = begin(&args).await.map_err(|error| error.to_string())?;
    let listener = TcpListener::bind(&args.listen).await.map_err(|error| format!("{}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let (ending, mut ended) = watch::channel(false);
    let signals = tokio::spawn(async move {
        signal().await;
        ending.send_replace(true);
    });
    let server = axum::serve(listener, app(&args, Arc::clone(&ingest)));
    let mut stop = ended.clone();
    let server = server.with_graceful_shutdown(async move { drop(stop.wait_for(|ended| *ended).await) });
    let mut serving = tokio::spawn(server.into_future());
    println!("listening on http://{address}");

    let stopped = tokio::select! {
        stopped = &mut serving => Some(stopped),
        _ = ended.wait_for(|ended| *ended) => None,
    };
    let patience = Duration::from_millis(args.shutdown_timeout_ms);
    let stopped = match stopped {
        Some(stopped) => Ok(stopped),
        None => timeout(patience, &mut serving).await,
    };
    match stopped {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => eprintln!("ingest: {error}"),
        Ok(Err(panic)) => eprintln!("ingest: {panic}"),
        Err(_) => {
            eprintln!("ingest: some clients did not end their requests within {patience:?}");
            serving.abort();
        }
    }
    signals.abort();
    // Every event that was accepted is settled now, one way or the other; then nobody watches any more.
    ingest.close().await.map_err(|error| error.to_string())?;
    watching.await.map_err(|panic| panic.to_string())?;
    println!("ended: {}", ingest.metrics.summary());
    Ok(())
}

/// Connects. Answers the way of events into Kafka, and the task that watches those that nobody waits for.
async fn begin(args: &Args) -> Result<(Arc<Ingest>, JoinHandle<()>), klamm_tokio::Error> {
    let delivery_timeout = Duration::from_millis(args.delivery_timeout_ms.into());
    let linger = LINGER.min(delivery_timeout / 2);
    let request_timeout = (delivery_timeout - linger).min(Duration::from_secs(30));
    let mut config = Config::new(&args.bootstrap).client_id("klamm-ingest").request_timeout(request_timeout);
    config.memory.produce_bytes = args.buffer_bytes;
    let client = klamm_tokio::connect_with(config).await?;
    let producer = |linger: Duration| {
        let settings = client.producer().linger(linger).batch_bytes((args.buffer_bytes / 2).min(1_000_000));
        settings.delivery_timeout(delivery_timeout).max_block(delivery_timeout).build()
    };
    let producers = Producers { prompt: producer(Duration::ZERO)?, unhurried: producer(linger)? };
    Ok(Ingest::new(client, producers, args.topic.clone()))
}

fn app(args: &Args, ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route("/events", post(events::take))
        .layer(DefaultBodyLimit::max(args.max_event_bytes))
        .route("/", get(Html(include_str!("page.html"))))
        .route("/metrics", get(prometheus))
        .route("/metrics.json", get(json))
        .with_state(ingest)
}

async fn prometheus(State(ingest): State<Arc<Ingest>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], ingest.metrics.prometheus(ingest.budget()))
}

async fn json(State(ingest): State<Arc<Ingest>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], ingest.metrics.json(ingest.budget()))
}

/// Ctrl-c or, where there is such a thing, SIGTERM.
async fn signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    drop(interrupted.await);
}
