use crate::api::ANSWERED;
use crate::testing::Bench;
use klamm::ErrorCode;
use klamm::wire::api_versions_request::ApiVersionsRequest;
use klamm::wire::api_versions_response::ApiVersionsResponse;
use klamm::wire::{Reader, api};

const NAMED: ApiVersionsRequest<'_> =
    ApiVersionsRequest { client_software_name: "kla-mm.rs", client_software_version: "0.1.0" };

fn range(bench: &mut Bench, node: i32, key: i16) -> Option<(i16, i16)> {
    let answer = bench.call(node, 4, &NAMED);
    let body: ApiVersionsResponse<'_> = answer.read();
    let found = body.api_keys.iter().find(|api| api.api_key == key);
    found.map(|api| (api.min_version, api.max_version))
}

#[test]
fn every_version_lists_every_api() {
    let mut bench = Bench::new();
    for version in 0..=4 {
        let answer = bench.call(1, version, &NAMED);
        let body: ApiVersionsResponse<'_> = answer.read();
        assert_eq!(body.error_code, 0);
        let keys: Vec<i16> = body.api_keys.iter().map(|api| api.api_key).collect();
        assert_eq!(keys, ANSWERED.iter().map(|api| api.key).collect::<Vec<_>>());
    }
    assert_eq!(range(&mut bench, 1, api::INIT_PRODUCER_ID.key), Some((0, 5)), "6 is not stable");
}

/// Trap 2: the answer to a version that the broker does not know is of version 0 and names the range that it does know.
#[test]
fn an_unknown_version_is_answered_in_version_0() {
    let mut bench = Bench::new();
    // The body of a version of the future can be anything.
    let frame = b"\0\0\0\x11\0\x12\0\x63\0\0\0\x07\xff\xff\0rubbis";
    bench.raw(1, &frame[..]);
    let conn = bench.conn(1);
    let bytes = bench.cluster.poll_transmit(conn).unwrap();
    let mut reader = Reader::new(&bytes[4..]);
    assert_eq!(reader.i32(), Ok(7));
    assert_eq!(reader.i16(), Ok(ErrorCode::UNSUPPORTED_VERSION.0));
    let rest = [0, 0, 0, 1, 0, 18, 0, 0, 0, 4];
    assert_eq!(reader.rest(), rest);
    // The connection is still good.
    assert!(bench.cluster.poll_transmit(conn).is_none());
    assert_eq!(range(&mut bench, 1, 18), Some((0, 4)));
}

#[test]
fn a_broker_speaks_only_what_it_advertises() {
    let mut bench = Bench::new();
    bench.cluster.advertise(2, api::METADATA, Some((0, 9)));
    bench.cluster.advertise(2, api::INIT_PRODUCER_ID, None);
    bench.cluster.advertise(2, api::API_VERSIONS, Some((0, 3)));
    assert_eq!(range(&mut bench, 1, 3), Some((0, 13)));
    let answer = bench.call(2, 4, &NAMED);
    assert_eq!(answer.read_as::<ApiVersionsResponse<'_>>(0).error_code, 35);
    let answer = bench.call(2, 3, &NAMED);
    let body: ApiVersionsResponse<'_> = answer.read();
    assert!(body.api_keys.iter().all(|api| api.api_key != api::INIT_PRODUCER_ID.key));
    assert!(body.api_keys.iter().any(|api| (api.api_key, api.max_version) == (3, 9)));
    let all = klamm::wire::metadata_request::MetadataRequest { topics: None, ..Default::default() };
    bench.call(2, 9, &all);
    bench.send(2, 10, &all, &[]);
    assert!(bench.is_closed(2));
}

/// KIP-511: the client's name and version must look like some.
#[test]
fn the_clients_name_is_checked() {
    let mut bench = Bench::new();
    for (name, good) in [("a", true), ("a.b-c", true), ("", false), ("-a", false), ("a b", false), ("a.", false)] {
        let request = ApiVersionsRequest { client_software_name: name, client_software_version: "1" };
        let code = bench.call(1, 3, &request).read::<ApiVersionsResponse<'_>>().error_code;
        assert_eq!(code, if good { 0 } else { ErrorCode::INVALID_REQUEST.0 }, "{name:?}");
        let old = bench.call(1, 2, &request).read::<ApiVersionsResponse<'_>>().error_code;
        assert_eq!(old, 0, "version 2 has no name");
    }
}
