//! What people see of requests and answers in a trace.

use std::fmt::Write as _;

use klamm::ErrorCode;
use klamm::record::Batches;
use klamm::wire::frame::{read_request_header, read_response_header};
use klamm::wire::produce_response::ProduceResponse;
use klamm::wire::{Api, Reader, api, decode_body};
use klamm_broker::Cluster;
use klamm_broker::r#gen::produce_request::ProduceRequest;

/// The name of a topic that is named or has an id.
fn topic_name<'a>(cluster: &'a Cluster, name: &'a str, id: klamm::wire::Uuid) -> &'a str {
    if !name.is_empty() {
        return name;
    }
    cluster.topics().find(|t| cluster.topic_id(t) == Some(id)).unwrap_or("?")
}

/// A request: its API, and of a Produce its batches with who stamped them.
pub(crate) fn request(cluster: &Cluster, frame: &[u8]) -> String {
    let mut reader = Reader::new(frame);
    let Ok(header) = read_request_header(&mut reader) else { return "bytes that are no request".into() };
    let name = Api::find(header.api_key).map_or("?", |api| api.name);
    let mut text = format!("{name} v{} ({})", header.version, header.correlation_id);
    if header.api_key != api::PRODUCE.key {
        return text;
    }
    let Ok(body) = decode_body::<ProduceRequest<'_>>(&mut reader, header.version) else { return text };
    for topic in body.topic_data {
        for part in topic.partition_data {
            let batch = Batches::new(part.records.unwrap_or_default()).next().and_then(Result::ok);
            let name = topic_name(cluster, topic.name, topic.topic_id);
            let _ = write!(text, " {name}-{}", part.index);
            if let Some(batch) = batch {
                let h = batch.header;
                let _ = write!(text, ":{}/{}/{}+{}", h.producer_id, h.producer_epoch, h.base_sequence, h.record_count);
            }
        }
    }
    text
}

/// An answer, with its length before it: of a Produce the error or the offset of each partition.
pub(crate) fn answer(cluster: &Cluster, api_key: i16, version: i16, frame: &[u8]) -> String {
    let Some(api) = Api::find(api_key) else { return "an unknown API".into() };
    let mut text = api.name.to_owned();
    let mut reader = Reader::new(frame.get(4..).unwrap_or_default());
    if api != api::PRODUCE || read_response_header(&mut reader, api, version).is_err() {
        return text;
    }
    let Ok(body) = decode_body::<ProduceResponse<'_>>(&mut reader, version) else { return text };
    for topic in body.responses {
        for part in topic.partition_responses {
            let name = topic_name(cluster, topic.name, topic.topic_id);
            let _ = match ErrorCode(part.error_code) {
                ErrorCode::NONE => write!(text, " {name}-{} at {}", part.index, part.base_offset),
                code => write!(text, " {name}-{} {code}", part.index),
            };
        }
    }
    text
}
