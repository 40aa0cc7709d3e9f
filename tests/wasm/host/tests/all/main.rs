//! Components in wasmtime, against real Kafka brokers.

mod edges;
mod grants;
mod ingest;
mod records;
mod seeds;
mod tls;
mod worker;

use klamm_wasm_host::{Guest, Ran};

/// The component of the tests, whose first argument says what it does.
fn guest() -> Guest {
    Guest::compile("klamm_wasm_guest")
}

fn succeeded(ran: Ran) -> Ran {
    assert!(ran.ok, "{ran:?}");
    ran
}
