use super::*;
use crate::wire::api_versions_request::ApiVersionsRequest;
use crate::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::wire::{Uuid, api, decode_body, fetch_response, produce_response};
use alloc::vec;

/// Trap 10: in the flexible header the client id keeps its int16 length.
#[test]
fn request_headers() {
    let body = ApiVersionsRequest::default();
    let old = request_frame(&body, 2, 5, Some("me")).unwrap();
    assert_eq!(old.bytes, [0, 0, 0, 12, 0, 18, 0, 2, 0, 0, 0, 5, 0, 2, b'm', b'e']);
    let new = request_frame(&body, 3, 5, None).unwrap();
    assert_eq!(new.bytes, [0, 0, 0, 14, 0, 18, 0, 3, 0, 0, 0, 5, 0xff, 0xff, 0, 1, 1, 0]);

    let mut r = Reader::new(&new.bytes[4..]);
    let header = read_request_header(&mut r).unwrap();
    assert_eq!(header, RequestHeader { api_key: 18, version: 3, correlation_id: 5, client_id: None });
    assert_eq!(r.rest(), [1, 1, 0]);
}

/// A broker must be able to answer a version that it does not know (KIP-511), so it must read that header.
#[test]
fn headers_of_unknown_versions() {
    let bytes = [0, 18, 0x7f, 0xff, 0, 0, 0, 9, 0, 1, b'x', 1, 99, 1, 0, 0xaa];
    let mut r = Reader::new(&bytes);
    assert_eq!(read_request_header(&mut r).unwrap().version, i16::MAX);
    assert_eq!(r.rest(), [0xaa]);
    let mut unknown = Reader::new(&[0x7f, 0, 0, 1, 0, 0, 0, 9, 0, 1, b'x']);
    let refused = WireError::Unsupported { api: "an unknown API", version: 1 };
    assert_eq!(read_request_header(&mut unknown), Err(refused));
}

/// Trap 1: no tags in the header of the answer to ApiVersions; in others an unknown tag is skipped (trap 5).
#[test]
fn response_headers() {
    let bytes = [0, 0, 0, 7, 1, 99, 1, 0xff, 0x55];
    let mut r = Reader::new(&bytes);
    assert_eq!(read_response_header(&mut r, api::PRODUCE, 9), Ok(7));
    assert_eq!(r.rest(), [0x55]);
    let mut r = Reader::new(&bytes);
    assert_eq!(read_response_header(&mut r, api::API_VERSIONS, 4), Ok(7));
    assert_eq!(r.remaining(), 5);
    assert!(read_response_header(&mut Reader::new(&[0, 0, 0]), api::PRODUCE, 3).is_err());
}

/// Trap 8: an empty array means all topics in version 0 and none later, where null means all. Version 0 has no null.
#[test]
fn metadata_for_all_topics() {
    let body = |topics, version| {
        let request = MetadataRequest { topics, ..MetadataRequest::default() };
        request_frame(&request, version, 0, None).map(|frame| frame.bytes[14..].to_vec())
    };
    assert_eq!(body(Some(&[]), 0), Ok(vec![0, 0, 0, 0]));
    assert_eq!(body(None, 0), Err(WireError::Null { what: "topics" }));
    assert_eq!(body(None, 1), Ok(vec![0xff; 4]));
    assert_eq!(body(Some(&[]), 1), Ok(vec![0, 0, 0, 0]));
    assert_eq!(body(None, 9), Ok(vec![0, 0, 1, 0, 0, 0]));
    assert_eq!(body(Some(&[]), 9), Ok(vec![0, 1, 1, 0, 0, 0]));
    let unnamed = &[MetadataRequestTopic { name: None, topic_id: Uuid::ZERO }];
    assert_eq!(body(Some(unnamed), 9), Err(WireError::Null { what: "name" }));
    assert!(body(Some(unnamed), 10).is_ok());
}

#[test]
fn a_field_that_a_version_does_not_have() {
    let request = MetadataRequest { allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let refused = WireError::FieldNotInVersion { field: "allow_auto_topic_creation", version: 3 };
    assert_eq!(request_frame(&request, 3, 0, None), Err(refused));
    assert!(request_frame(&request, 4, 0, None).is_ok());
    let unknown = WireError::Unsupported { api: "Metadata", version: 14 };
    assert_eq!(request_frame(&request, 14, 0, None), Err(unknown));
}

#[test]
fn records_come_from_elsewhere() {
    let partitions =
        [(0, Some(3)), (1, None), (2, Some(0))].map(|(index, records)| PartitionProduceData { index, records });
    let topics = [TopicProduceData { name: "t", partition_data: &partitions, ..Default::default() }];
    let request = ProduceRequest { topic_data: &topics, transactional_id: None, ..Default::default() };
    let frame = request_frame(&request, 8, 1, None).unwrap();
    assert_eq!(frame.splits.len(), 2);
    assert_eq!(frame.bytes.capacity(), frame.bytes.len());

    let whole = frame.join(&[b"abc", b""]).unwrap();
    assert_eq!(whole.len(), frame.bytes.len() + 3);
    assert_eq!(whole[..4], (whole.len() as i32 - 4).to_be_bytes());
    let at = frame.splits[0].at;
    assert_eq!((&whole[..at], &whole[at..at + 3]), (&frame.bytes[..at], &b"abc"[..]));
    assert_eq!(whole[at + 3..], frame.bytes[at..]);
    assert!(frame.join(&[b"abc"]).is_err() && frame.join(&[b"ab", b""]).is_err());
}

#[test]
fn frames_beyond_the_size_field() {
    let partitions = [PartitionProduceData { index: 0, records: Some(i32::MAX as usize) }];
    let topics = [TopicProduceData { name: "t", partition_data: &partitions, ..Default::default() }];
    let request = ProduceRequest { topic_data: &topics, ..Default::default() };
    assert_eq!(request_frame(&request, 8, 1, None), Err(WireError::TooLong { what: "a frame" }));
}

/// Trap 11: counts of 2³¹ − 1 and trailing bytes in a body.
#[test]
fn bodies_that_lie() {
    let many = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
    let refused = Err(WireError::Length { what: "an array", len: i64::from(i32::MAX) });
    assert_eq!(decode_body::<produce_response::ProduceResponse<'_>>(&mut Reader::new(&many), 3), refused);
    let trailing = [0, 0, 0, 0, 0, 0, 0, 0, 1];
    let left = decode_body::<fetch_response::FetchResponse<'_>>(&mut Reader::new(&trailing), 4);
    assert_eq!(left, Err(WireError::Trailing { left: 1 }));
    let unknown = decode_body::<fetch_response::FetchResponse<'_>>(&mut Reader::new(&trailing), 3);
    assert_eq!(unknown, Err(WireError::Unsupported { api: "Fetch", version: 3 }));
}

/// Trap 6: a tagged field inside of a tagged array; and bytes left in a known tag's slice are malformed, not skipped.
#[test]
fn tags_within_tags() {
    let endpoint = [0, 0, 0, 9, 2, b'h', 0, 0, 0, 5, 0, 1, 99, 1, 0xff];
    let mut body = vec![1, 0, 0, 0, 0, 1, 0, 1 + endpoint.len() as u8, 2];
    body.extend_from_slice(&endpoint);
    let view: produce_response::ProduceResponse<'_> = decode_body(&mut Reader::new(&body), 10).unwrap();
    let found: vec::Vec<_> = view.node_endpoints.iter().map(|n| (n.node_id, n.host, n.port, n.rack)).collect();
    assert_eq!(found, [(9, "h", 5, None)]);

    body[7] += 1;
    body.push(0);
    let refused = decode_body::<produce_response::ProduceResponse<'_>>(&mut Reader::new(&body), 10);
    assert_eq!(refused, Err(WireError::Trailing { left: 1 }));
}
