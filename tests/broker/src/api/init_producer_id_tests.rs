use crate::testing::Bench;
use crate::{Action, ClusterConfig, Fault};
use klamm::ErrorCode;
use klamm::wire::api;
use klamm::wire::init_producer_id_request::InitProducerIdRequest;
use klamm::wire::init_producer_id_response::InitProducerIdResponse;

const IDEMPOTENT: InitProducerIdRequest<'_> = InitProducerIdRequest {
    transactional_id: None,
    transaction_timeout_ms: 60_000,
    producer_id: -1,
    producer_epoch: -1,
    enable2_pc: false,
    keep_prepared_txn: false,
};

/// (code, id, epoch)
fn ask(bench: &mut Bench, version: i16, request: &InitProducerIdRequest<'_>) -> (ErrorCode, i64, i16) {
    let answer = bench.call(1, version, request);
    let body: InitProducerIdResponse = answer.read();
    (ErrorCode(body.error_code), body.producer_id, body.producer_epoch)
}

#[test]
fn ids_are_never_given_twice() {
    let mut bench = Bench::with(ClusterConfig { unstable_versions: true, ..ClusterConfig::default() });
    for version in 0..=6 {
        assert_eq!(ask(&mut bench, version, &IDEMPOTENT), (ErrorCode::NONE, i64::from(version), 0));
    }
    // Without a transactional id the old one is not looked at: its producer gets a new one.
    let bumped = InitProducerIdRequest { producer_id: 3, producer_epoch: 0, ..IDEMPOTENT };
    assert_eq!(ask(&mut bench, 5, &bumped), (ErrorCode::NONE, 7, 0));
}

#[test]
fn errors() {
    let mut bench = Bench::new();
    for (id, code) in [("", ErrorCode::INVALID_REQUEST), ("tx", ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)] {
        let request = InitProducerIdRequest { transactional_id: Some(id), ..IDEMPOTENT };
        assert_eq!(ask(&mut bench, 5, &request), (code, -1, -1));
    }
    let code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    bench.cluster.inject(Fault { api: api::INIT_PRODUCER_ID, node: Some(1), count: 1, action: Action::Fail(code) });
    assert_eq!(ask(&mut bench, 5, &IDEMPOTENT), (code, -1, -1));
    assert_eq!(ask(&mut bench, 5, &IDEMPOTENT), (ErrorCode::NONE, 0, 0));
    bench.send(1, 6, &IDEMPOTENT, &[]);
    assert!(bench.is_closed(1), "an unstable version is not spoken unless it is enabled");
}
