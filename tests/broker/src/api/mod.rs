//! The answers, one file for each API.

mod api_versions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod fetch;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

pub(crate) use fetch::Parked;

use crate::cluster::{Cluster, Now};
use crate::fault::Action;
use bytes::Bytes;
use klamm::ErrorCode;
use klamm::wire::frame::{RequestHeader, response_frame};
use klamm::wire::{Api, Encode, Frame, Reader, WireError, api};

/// Pieces of an answer below this size are copied into one; larger ones go out as they lie in the log.
const COPIED_BELOW: usize = 4096;

/// A request's circumstances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) node: i32,
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) now: Now,
    pub(crate) throttle_ms: i32,
    /// A fault that gives every part of it this error.
    pub(crate) refused: Option<ErrorCode>,
    /// A fault that does so after it was done.
    pub(crate) refused_after: Option<ErrorCode>,
    /// Whether the answer may wait for data. A fault that needs the answer does not let it.
    pub(crate) may_wait: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Reply(Vec<Bytes>),
    /// `acks=0`.
    NoReply,
    Park(Box<Parked>),
    Close,
}

impl Request {
    pub(crate) fn new(node: i32, api: Api, header: &RequestHeader<'_>, fault: Option<&Action>, now: Now) -> Self {
        let mut request = Request {
            node,
            api,
            version: header.version,
            correlation_id: header.correlation_id,
            now,
            throttle_ms: 0,
            refused: None,
            refused_after: None,
            may_wait: true,
        };
        match fault {
            Some(Action::Fail(code)) => request.refused = Some(*code),
            Some(Action::FailAfter(code)) => request.refused_after = Some(*code),
            Some(Action::Throttle(ms)) => request.throttle_ms = *ms,
            Some(Action::Delay(_)) => request.may_wait = false,
            _ => {}
        }
        request
    }

    pub(crate) fn frame<R: Encode>(&self, body: &R) -> Result<Frame, WireError> {
        response_frame(body, self.version, self.correlation_id)
    }

    pub(crate) fn reply<R: Encode>(&self, body: &R) -> Result<Outcome, WireError> {
        Ok(Outcome::Reply(vec![self.frame(body)?.bytes.into()]))
    }
}

/// Puts the external parts into a frame: large ones without copying them.
pub(crate) fn join(frame: &Frame, external: &[Vec<Bytes>]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut open = Vec::new();
    let mut done = 0;
    for (split, parts) in frame.splits.iter().zip(external) {
        open.extend_from_slice(&frame.bytes[done..split.at]);
        done = split.at;
        for part in parts {
            if part.len() < COPIED_BELOW {
                open.extend_from_slice(part);
                continue;
            }
            if !open.is_empty() {
                pieces.push(core::mem::take(&mut open).into());
            }
            pieces.push(part.clone());
        }
    }
    open.extend_from_slice(&frame.bytes[done..]);
    if !open.is_empty() {
        pieces.push(open.into());
    }
    pieces
}

/// What the brokers answer, and so what they advertise: what [`Cluster::handle`] has an arm for.
pub(crate) const ANSWERED: [Api; 10] = [
    api::PRODUCE,
    api::FETCH,
    api::LIST_OFFSETS,
    api::METADATA,
    api::API_VERSIONS,
    api::CREATE_TOPICS,
    api::DELETE_TOPICS,
    api::DELETE_RECORDS,
    api::INIT_PRODUCER_ID,
    api::DESCRIBE_CLUSTER,
];

impl Cluster {
    pub(crate) fn handle(&mut self, request: &Request, mut body: Reader<'_>) -> Result<Outcome, WireError> {
        let body = &mut body;
        match request.api {
            api::PRODUCE => self.produce(request, body),
            api::FETCH => self.fetch(request, body),
            api::LIST_OFFSETS => self.list_offsets(request, body),
            api::METADATA => self.metadata(request, body),
            api::API_VERSIONS => self.api_versions(request, body),
            api::CREATE_TOPICS => self.create_topics(request, body),
            api::DELETE_TOPICS => self.delete_topics(request, body),
            api::DELETE_RECORDS => self.delete_some(request, body),
            api::DESCRIBE_CLUSTER => self.describe_cluster(request, body),
            api::INIT_PRODUCER_ID => self.init_producer_id(request, body),
            _ => Ok(Outcome::Close),
        }
    }
}
