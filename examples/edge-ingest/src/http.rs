//! Requests and answers, as `wasi:http` has them.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::Reactor;
use serde_json::json;
use wasip2::{
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
    io::streams::StreamError,
};

/// The most that the host is asked for at once.
const READ_MAX: usize = 16 * 1024;

/// A request's path, without its query.
pub(crate) fn path(request: &IncomingRequest) -> String {
    let whole = request.path_with_query().unwrap_or_default();
    whole.split('?').next().unwrap_or_default().to_string()
}

/// Whether a request's query has this part.
pub(crate) fn asks(request: &IncomingRequest, part: &str) -> bool {
    let whole = request.path_with_query().unwrap_or_default();
    whole.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p == part))
}

/// The whole body. While it comes in, the Kafka client goes on.
///
/// # Errors
/// The answer to a body that is too large, or that does not come.
pub(crate) async fn body(request: IncomingRequest, max: usize) -> Result<Vec<u8>, Answer> {
    let lost = |_| Answer::failed(400, "the request has no body");
    let body = request.consume().map_err(lost)?;
    let stream = body.stream().map_err(lost)?;
    let mut all = Vec::new();
    loop {
        match stream.read(READ_MAX as u64) {
            Ok(bytes) if bytes.is_empty() => Reactor::wait(stream.subscribe()).await,
            Ok(bytes) if all.len() + bytes.len() > max => {
                return Err(Answer::failed(413, "the event is larger than MAX_EVENT_BYTES"));
            }
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(_)) => return Err(Answer::failed(400, "the body broke off")),
        }
    }
}

/// What a client is told.
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &serde_json::Value) -> Self {
        Answer { status, headers: Vec::new(), body: body.to_string() }
    }

    /// An event that is not stored.
    pub(crate) fn failed(status: u16, why: &str) -> Self {
        Answer::new(status, &json!({ "error": why, "may_be_stored": false }))
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }
}

/// A request that is not answered yet.
pub(crate) struct Answering(ResponseOutparam);

impl Answering {
    pub(crate) fn new(out: ResponseOutparam) -> Self {
        Answering(out)
    }

    /// Answers. A client that does not wait for the answer any more loses it; its event is stored all the same.
    pub(crate) fn give(self, answer: &Answer) {
        let headers = Fields::new();
        let _ = headers.set("content-type", &[b"application/json".to_vec()]);
        for (name, value) in &answer.headers {
            let _ = headers.set(name, &[value.as_bytes().to_vec()]);
        }
        let response = OutgoingResponse::new(headers);
        let _ = response.set_status_code(answer.status);
        let body = response.body();
        ResponseOutparam::set(self.0, Ok(response));
        if let Ok(body) = body {
            if let Ok(stream) = body.write() {
                let _ = stream.blocking_write_and_flush(answer.body.as_bytes());
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
