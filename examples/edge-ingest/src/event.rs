//! One event: checked, into Kafka, and what its client is told.

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use klamm_wasi::{Client, Codec, Error, Fate, Producer, Record, RecordMetadata, Refused};
use serde_json::json;
use wasip2::{cli::stderr::get_stderr, http::types::IncomingRequest, random::random::get_random_u64};

use crate::{
    http::{self, Answer, Answering},
    object::check,
    settings::{Settings, to_hex},
};

/// A batch has one event.
const BATCH_BYTES: usize = 64 * 1024;

/// What this instance knows of the cluster, for the next request, if the host gives it another one.
static KNOWN: spin::Mutex<Option<Vec<u8>>> = spin::Mutex::new(None);

pub(crate) fn known() -> Option<Vec<u8>> {
    KNOWN.lock().clone()
}

/// Takes one event. The client ends with this, and with it the driver, once nothing is under way any more.
pub(crate) async fn take(client: Client, settings: Settings, request: IncomingRequest, answering: Answering) {
    let wants_ack = !http::asks(&request, "ack=0");
    let (id, timeout) = (event_id(), Duration::from_millis(settings.delivery_timeout_ms.into()));
    let building = client.producer().compression(Codec::Lz4).batch_bytes(BATCH_BYTES);
    let building = building.delivery_timeout(timeout).max_block(timeout).build();
    let producer = match building {
        Ok(producer) => producer,
        Err(error) => return answering.give(&failure(&id, &error)),
    };
    let body = match http::body(request, settings.max_event_bytes).await {
        Ok(body) => body,
        Err(refused) => return answering.give(&refused),
    };
    let text = match check(&body) {
        Ok(text) => text,
        Err(why) => return answering.give(&Answer::failed(400, &why)),
    };
    let record = Record::to(&settings.topic).value(text).header("event_id", &*id);
    if wants_ack {
        let told = match producer.send(record).await {
            Ok(at) => acknowledged(&client, &settings, &id, &at).await,
            Err(error) => failure(&id, &error),
        };
        return answering.give(&told);
    }
    answer_first(&producer, record, &id, answering).await;
    remember(&client).await;
}

async fn acknowledged(client: &Client, settings: &Settings, id: &str, at: &RecordMetadata) -> Answer {
    let body = json!({ "event_id": id, "partition": at.partition(), "offset": at.offset() });
    let answer = Answer::new(200, &body);
    match remember(client).await {
        Some(state) if settings.export_warm_state => answer.with("warm-state", to_hex(&state)),
        _ => answer,
    }
}

/// Answers as soon as the event is in the buffer, and then waits for Kafka.
async fn answer_first(producer: &Producer, record: Record<'_>, id: &str, answering: Answering) {
    let ticket = match producer.enqueue(record).await.map_err(Refused::into_error) {
        Ok(ticket) => ticket,
        Err(error) => return answering.give(&failure(id, &error)),
    };
    answering.give(&Answer::new(202, &json!({ "event_id": id })));
    if let Err(error) = ticket.await {
        // Nobody else will hear of it.
        let _ = get_stderr().blocking_write_and_flush(format!("event {id} is lost: {error}\n").as_bytes());
    }
}

async fn remember(client: &Client) -> Option<Vec<u8>> {
    let state = client.warm_state().await.ok()?.to_bytes();
    *KNOWN.lock() = Some(state.clone());
    Some(state)
}

/// Whose fault it is: the event's, this function's settings', or for now nobody's.
fn failure(id: &str, error: &Error) -> Answer {
    let may_be_stored = error.fate() == Fate::MaybePersisted;
    let body = json!({ "event_id": id, "error": format!("{error}"), "may_be_stored": may_be_stored });
    match error {
        Error::TooLarge { .. } => Answer::new(413, &body),
        Error::Config { .. } => Answer::new(500, &body),
        _ => Answer::new(503, &body).with("retry-after", "1"),
    }
}

fn event_id() -> String {
    format!("{:016x}{:016x}", get_random_u64(), get_random_u64())
}
