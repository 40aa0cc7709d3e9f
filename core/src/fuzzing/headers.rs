//! What stands in front of bodies, and the first answer on a connection.

use core::hint::black_box;

use crate::{
    cluster::{other_protocol, read_greeting},
    wire::{
        Reader, api,
        frame::{read_request_header, read_response_header},
    },
};

/// The first byte chooses an API, the second a version, which may be one that does not exist; the rest is read as the
/// frame of an answer, of a request, and of an answer to ApiVersions.
pub fn headers(data: &[u8]) {
    let [chosen, version, frame @ ..] = data else { return };
    let (api, version) = (api::ALL[usize::from(*chosen) % api::ALL.len()], i16::from(*version));
    let mut reader = Reader::new(frame);
    if read_response_header(&mut reader, api, version).is_ok() {
        assert_eq!(frame.len() - reader.remaining() > 4, api.response_header_version(version) == 1);
    }
    let mut reader = Reader::new(frame);
    if let Ok(header) = read_request_header(&mut reader) {
        assert_eq!(api::ALL.iter().filter(|api| api.key == header.api_key).count(), 1);
        assert!(header.client_id.is_none_or(|id| id.len() <= i16::MAX as usize));
    }
    // A broker that does not know the version answers in version 0 (KIP-511).
    let version = version % (api::API_VERSIONS.max + 1);
    if let Ok(greeting) = read_greeting(Reader::new(frame), version) {
        let ranges = greeting.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version));
        let mut versions = crate::link::Versions::default();
        versions.learn(ranges);
        for api in api::ALL {
            if let Ok(newest) = versions.newest(*api, api.max) {
                assert!((api.min..=api.max).contains(&newest));
            }
        }
    }
    black_box(other_protocol(frame));
}
