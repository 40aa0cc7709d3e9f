//! An HTTP function that writes events to Kafka: a component for any host of `wasi:http/incoming-handler` that grants it
//! sockets. A new instance for each request is the norm there, so it connects, produces, and is gone.
//!
//! | request | answer |
//! |---|---|
//! | `POST /events`, a JSON object | 200 `{"event_id","partition","offset"}` once Kafka has acknowledged it |
//! | `POST /events?ack=0` | 202 `{"event_id"}` once it is in the buffer; the function ends when Kafka has acknowledged it, and says on stderr if it has not |
//! | no JSON object; too large; another path; another method | 400; 413; 404; 405 |
//! | Kafka is away, or too slow | 503 with `Retry-After`, and `"may_be_stored"` |
//! | a setting is missing or makes no sense, such as a buffer that is too small for the largest event | 500 |
//!
//! Its settings, from the environment: see `settings.rs`.
#![no_std]

extern crate alloc;

mod event;
mod http;
mod object;
#[cfg(not(feature = "tls"))]
#[path = "../../edge-security/src/without.rs"]
mod security;
mod settings;

use alloc::format;

use klamm_wasi::{Reactor, Wasi};
use wasip2::{
    cli::environment::get_environment,
    exports::http::incoming_handler::Guest,
    http::types::{IncomingRequest, Method, ResponseOutparam},
};

use http::{Answer, Answering};
#[cfg(feature = "tls")]
use klamm_edge_security as security;
use settings::Settings;

struct Ingest;
wasip2::http::proxy::export!(Ingest);

impl Guest for Ingest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let answering = Answering::new(out);
        if let Err(refused) = route(&request) {
            return answering.give(&refused);
        }
        let settings = match Settings::of(&get_environment()) {
            Ok(settings) => settings,
            Err(why) => return answering.give(&Answer::failed(500, &why)),
        };
        // Not `block_on`, which waits for a first answer of the cluster: this way the connection is opened while the body
        // comes in, and a warm client does not ask at all.
        match klamm_wasi::new(settings.config(event::known()), Wasi::new()) {
            Ok((client, driver)) => Reactor::run_beside(driver, event::take(client, settings, request, answering)),
            Err(error) => answering.give(&Answer::failed(500, &format!("{error}"))),
        }
    }
}

fn route(request: &IncomingRequest) -> Result<(), Answer> {
    match http::path(request).as_str() {
        "/events" if matches!(request.method(), Method::Post) => Ok(()),
        "/events" => Err(Answer::failed(405, "only POST").with("allow", "POST")),
        _ => Err(Answer::failed(404, "there is only /events")),
    }
}
