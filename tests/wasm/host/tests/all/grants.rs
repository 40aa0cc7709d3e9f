//! What a component says that is not granted what it needs, and exactly what it asks a host for.

use std::time::{Duration, Instant};

use klamm_wasm_host::{Grants, Guest};

use super::guest;

/// Name look-up and TCP, each without the other: the error names the interface, says that trying again is of no use, and comes at
/// once.
#[tokio::test]
async fn errors_say_which_grant_is_missing() {
    let guest = guest();
    let no_look_up = Grants { tcp: true, look_up: false };
    let no_tcp = Grants { tcp: false, look_up: true };
    for (grants, address, phase, interface) in [
        (no_look_up, "localhost:9", "Resolve", "name look-up (wasi:sockets/ip-name-lookup)"),
        (no_tcp, "127.0.0.1:9", "Connect", "TCP to that address (wasi:sockets/tcp)"),
        (no_tcp, "localhost:9", "Connect", "TCP to that address (wasi:sockets/tcp)"),
    ] {
        let ran = guest.start(grants, &["error", address], &[]).ended().await;
        let expected = format!("{phase} PermissionDenied false ");
        assert!(ran.ok && ran.out.starts_with(&expected) && ran.out.contains(interface), "{ran:?}");

        // And what a user of the client sees.
        let began = Instant::now();
        let ran = guest.start(grants, &["connect", address], &[]).ended().await;
        assert!(!ran.ok && ran.out.contains(interface) && ran.out.contains(address), "{ran:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}; connect_timeout_ms is 3,000", began.elapsed());
    }
    // Addresses need no look-up.
    let ran = guest.start(no_look_up, &["error", "127.0.0.1:9"], &[]).ended().await;
    assert!(ran.out.starts_with("Connect ConnectionRefused true "), "{ran:?}");
}

/// What all of them need for Kafka.
const KAFKA: [&str; 10] = [
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp-create-socket",
];

fn with(more: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = KAFKA.iter().chain(&["wasi:sockets/tcp"]).chain(more).map(|s| (*s).to_owned()).collect();
    all.sort();
    all
}

/// No file system, no UDP, no outgoing HTTP, and no environment but where the settings are there.
#[test]
fn components_import_exactly_what_they_need() {
    let imports = |name| Guest::compile(name).imports();
    // The words of a panic go to stderr.
    assert_eq!(imports("klamm_wasm_producer"), with(&["wasi:cli/environment", "wasi:cli/stderr"]));
    assert_eq!(imports("klamm_wasm_producer_tls"), with(&["wasi:cli/environment", "wasi:cli/stderr"]));
    assert_eq!(imports("klamm_edge_worker"), with(&["wasi:cli/environment", "wasi:cli/stderr", "wasi:cli/stdout"]));
    assert_eq!(imports("klamm_edge_ingest"), with(&["wasi:cli/environment", "wasi:cli/stderr", "wasi:http/types"]));
    // TLS asks for nothing more.
    for (name, tls) in [("klamm_edge_worker", "klamm_edge_worker_tls"), ("klamm_edge_ingest", "klamm_edge_ingest_tls")]
    {
        assert_eq!(imports(tls), imports(name));
    }
}
