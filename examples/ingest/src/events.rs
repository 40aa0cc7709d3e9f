//! One event: checked, into the buffer, and what its client is told.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use klamm_tokio::{Budget, Client, Error, Fate, Producer, Record, RecordMetadata, Refused, Ticket};
use serde_json::json;
use tokio::{
    sync::mpsc::{self, Permit, error::SendError},
    task::JoinHandle,
};

use crate::{
    metrics::{Metrics, Reason},
    object::check,
};

/// Events under way whose client does not wait, or no longer. Beyond, the buffer counts as full.
const UNWATCHED_MAX: usize = 100_000;

/// An event under way and when it came; `None` is the last.
type Unwatched = Option<(Instant, Ticket)>;

/// Two producers of one client, and so of one buffer.
pub(crate) struct Producers {
    /// For events whose client waits for the acknowledgement: sent at once.
    pub(crate) prompt: Producer,
    /// For those that are answered before: they linger, and the broker gets fewer and larger batches.
    pub(crate) unhurried: Producer,
}

/// The way of events into Kafka.
pub(crate) struct Ingest {
    client: Client,
    producers: Producers,
    topic: String,
    pub(crate) metrics: Arc<Metrics>,
    unwatched: mpsc::Sender<Unwatched>,
    /// An event's id is these 64 bits, which are the process's own, and a number.
    process: u64,
    next: AtomicU64,
}

impl Ingest {
    /// Also the task that watches the events that nobody waits for; it ends after [`close`](Ingest::close).
    pub(crate) fn new(client: Client, producers: Producers, topic: String) -> (Arc<Ingest>, JoinHandle<()>) {
        let metrics = Arc::new(Metrics::new());
        let (unwatched, events) = mpsc::channel(UNWATCHED_MAX);
        let watching = tokio::spawn(watch(events, Arc::clone(&metrics)));
        let process = getrandom::u64().expect("the system's source of randomness works");
        let next = AtomicU64::new(0);
        (Arc::new(Ingest { client, producers, topic, metrics, unwatched, process, next }), watching)
    }

    pub(crate) fn budget(&self) -> &Budget {
        self.client.budget()
    }

    /// Takes no more events and returns when every one is settled.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.producers.prompt.clone().close().await?;
        self.producers.unhurried.clone().close().await?;
        // The task that would take it has gone only if it panicked, and that is told where it is joined.
        let (Ok(()) | Err(SendError(_))) = self.unwatched.send(None).await;
        Ok(())
    }

    fn new_id(&self) -> String {
        format!("{:016x}{:016x}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Checks an event and takes it into the buffer.
    async fn accept(
        &self,
        producer: &Producer,
        id: &str,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Pending<'_>, Failure> {
        let arrived = Instant::now();
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::refused(Reason::TooLarge, rejection.body_text()),
            _ => Failure::refused(Reason::BadJson, rejection.body_text()),
        })?;
        let text = check(&body).map_err(|error| Failure::refused(Reason::BadJson, error))?;
        let full = |_| Failure::refused(Reason::BufferFull, "too many events are under way");
        let permit = self.unwatched.try_reserve().map_err(full)?;
        let record = Record::to(&self.topic).value(text).header("event_id", id);
        let ticket = enqueue(producer, record).await.map_err(|error| Failure::of(&error, false))?;
        self.metrics.accepted();
        Ok(Pending { arrived, under_way: Some((permit, ticket)), metrics: &self.metrics })
    }
}

/// A full buffer refuses at once: the client shall come back rather than wait in line. A topic that is not known yet is
/// waited for.
async fn enqueue(producer: &Producer, record: Record<'_>) -> Result<Ticket, Error> {
    match producer.try_enqueue(record) {
        Ok(ticket) => Ok(ticket),
        Err(refused) if refused.error().is_retriable() && !is_full(refused.error()) => {
            producer.enqueue(refused.into_record()).await.map_err(Refused::into_error)
        }
        Err(refused) => Err(refused.into_error()),
    }
}

/// An event in the buffer. Dropped before its outcome is known, because its client went away or does not want to know, it
/// is watched all the same.
struct Pending<'a> {
    arrived: Instant,
    under_way: Option<(Permit<'a, Unwatched>, Ticket)>,
    metrics: &'a Metrics,
}

impl Pending<'_> {
    async fn outcome(mut self) -> Result<RecordMetadata, Failure> {
        let Some((_, ticket)) = &mut self.under_way else { unreachable!("it is there until it is settled") };
        let told = ticket.await;
        self.under_way = None;
        settle(self.metrics, self.arrived, &told);
        told.map_err(|error| Failure::of(&error, true))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some((permit, ticket)) = self.under_way.take() {
            permit.send(Some((self.arrived, ticket)));
        }
    }
}

/// Counts what becomes of events that nobody waits for, in their order.
async fn watch(mut events: mpsc::Receiver<Unwatched>, metrics: Arc<Metrics>) {
    while let Some(Some((arrived, ticket))) = events.recv().await {
        settle(&metrics, arrived, &ticket.await);
    }
}

fn settle(metrics: &Metrics, arrived: Instant, told: &Result<RecordMetadata, Error>) {
    match told {
        Ok(_) => metrics.acknowledged(arrived.elapsed()),
        Err(_) => metrics.failed(Reason::Lost),
    }
}

/// `POST /events`.
pub(crate) async fn take(
    State(ingest): State<Arc<Ingest>>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let id = ingest.new_id();
    let wants_ack = !query.is_some_and(|query| query.split('&').any(|part| part == "ack=0"));
    let producer = if wants_ack { &ingest.producers.prompt } else { &ingest.producers.unhurried };
    let answer = match ingest.accept(producer, &id, body).await {
        Ok(_pending) if !wants_ack => Ok((StatusCode::ACCEPTED, json!({ "event_id": id }))),
        Ok(pending) => pending.outcome().await.map(|at| {
            let (partition, offset) = (at.partition(), at.offset());
            (StatusCode::OK, json!({ "event_id": id, "partition": partition, "offset": offset }))
        }),
        Err(failure) => {
            ingest.metrics.failed(failure.why);
            Err(failure)
        }
    };
    match answer {
        Ok((status, body)) => (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response(),
        Err(failure) => failure.answer(&id),
    }
}

/// Why an event is not, or may not be, in Kafka.
struct Failure {
    why: Reason,
    error: String,
    may_be_stored: bool,
}

impl Failure {
    fn refused(why: Reason, error: impl fmt::Display) -> Failure {
        Failure { why, error: error.to_string(), may_be_stored: false }
    }

    fn of(error: &Error, accepted: bool) -> Failure {
        let why = match error {
            _ if accepted => Reason::Lost,
            Error::TooLarge { .. } => Reason::TooLarge,
            error if is_full(error) => Reason::BufferFull,
            _ => Reason::Unavailable,
        };
        Failure { may_be_stored: error.fate() == Fate::MaybePersisted, ..Failure::refused(why, error) }
    }

    fn answer(self, id: &str) -> Response {
        let status = match self.why {
            Reason::BadJson => StatusCode::BAD_REQUEST,
            Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::BufferFull => StatusCode::TOO_MANY_REQUESTS,
            Reason::Unavailable | Reason::Lost => StatusCode::SERVICE_UNAVAILABLE,
        };
        let body = json!({ "event_id": id, "error": self.error, "may_be_stored": self.may_be_stored }).to_string();
        let mut answer = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
        if self.why == Reason::BufferFull {
            answer.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        answer
    }
}

/// Whether there was no room, also for as long as it may wait for some.
fn is_full(error: &Error) -> bool {
    match error {
        Error::Budget { .. } => true,
        Error::TimedOut { because: Some(because), .. } => matches!(**because, Error::Budget { .. }),
        _ => false,
    }
}
