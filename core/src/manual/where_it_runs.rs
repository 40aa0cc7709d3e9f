//! Where it runs: hosts, what they must grant, and what is said when they do not.
//!
//! The same core and the same handles run on each of these. What is not listed has not been tried.
//!
//! | host | by | what was tried |
//! |---|---|---|
//! | Linux, tokio | `klamm-tokio` | everything in the project's tests, against Kafka 0.11 to 4.4 |
//! | wasmtime 48.0 (its Rust crate, with `wasmtime-wasi` and `wasmtime-wasi-http`) | `klamm-wasi` | 100,000 records both ways with each codec against one and three brokers of Kafka 4.3.1; a broker killed and restarted; the host frozen; HTTP functions and workers, cold and warm; the same over TLS 1.3 and with SASL (`./tests/run edge`) |
//! | wasmtime 47.0 (its Python package) | `klamm-wasi` | bytes, timers, errors and records both ways against an in-memory cluster (`./tests/run wasi`) |
//! | node 20, by the npm package `jco` 1.35 (`npx jco run`) | `klamm-wasi` | by hand: one record, cold and warm, and 20,000 records both ways against Kafka 4.3.1 |
//! | node 20 | `examples/js-socket`, a transport over WHATWG streams | 1,000 records to Kafka 4.3.1 (`./tests/run js`). Cloudflare's `connect()` has streams of that kind; it was not tried there |
//! | node 20 and headless Chromium 156 | the core alone, with std, for `wasm32-unknown-unknown` | its own tests, all but those that spawn threads or hold zstd against the C library (`./tests/run js chromium`) |
//! | a module without any import, in wasmtime | the core alone, with std, for `wasm32-unknown-unknown` | the simulator: each seed comes to the same bytes as natively (`./tests/run edge`) |
//! | a Cortex-M3 of 64 KiB (QEMU 7.2's lm3s6965evb), smoltcp | [`EmbeddedIo`](crate::EmbeddedIo), in `examples/metal` | 1,000 records both ways against Kafka 4.3.1; a broker that rests, dies and comes back, one of three that dies (`./tests/run metal-qemu`). The page [`on_a_microcontroller`](super::on_a_microcontroller) has the rest; on a board it was not tried |
//!
//! Both `wasm32-wasip2` and `wasm32-unknown-unknown` linked by `wasm-component-ld` give components that do the same; features
//! decide, not the target. The tests build them without a std of the target (`-Zbuild-std=core,alloc`), because it cannot be had
//! where they run. Elsewhere `rustup target add wasm32-wasip2` and `cargo build --release --target wasm32-wasip2` do;
//! that way was not tried here. Nor were the hosts wasmtime's own command line, Spin and wasmCloud.
//!
//! # What a host must grant a component
//!
//! A component imports these interfaces of WASI 0.2, and a test holds it to the list: `wasi:sockets/tcp`,
//! `tcp-create-socket`, `network`, `instance-network`, `ip-name-lookup`; `wasi:io/poll`, `streams`, `error`;
//! `wasi:clocks/monotonic-clock`, `wall-clock`; `wasi:random/random`. With the feature `bare` also `wasi:cli/stderr`, for the
//! words of a panic. No file system, no UDP, no environment unless the program itself reads its settings there.
//!
//! | grant | in wasmtime's crate | without it |
//! |---|---|---|
//! | TCP to every broker that the cluster advertises, not only those of the bootstrap list | `inherit_network()` or `socket_addr_check(…)`, and since 48 `allow_tcp(true)` | [`Error::Transport`](crate::Error::Transport): `connect failed: the host does not grant this component TCP to that address (wasi:sockets/tcp)` |
//! | name look-up, unless all brokers are advertised by address | `allow_ip_name_lookup(true)` | [`Error::Transport`](crate::Error::Transport): `resolve failed: the host does not grant this component name look-up (wasi:sockets/ip-name-lookup)` |
//!
//! Each such [`TransportError`](crate::TransportError) has `kind` `PermissionDenied` and `retriable` `false`, with `phase` `Resolve` or `Connect`. It comes at once
//! when every address of the bootstrap list is refused, to whoever waits for a first contact or for a topic. Where one is not, it
//! may answer yet: then it comes when `connect_timeout_ms` or `max_block_ms` is over, beside what the others said. A broker that the
//! cluster advertises and the host does not grant is tried again until the record's or the operation's own time is over, because leaders
//! move. A host that lets all packets be lost is a time-out like any other.
//! The Python package from 48 on cannot grant TCP, and its refusal reads the same.
//!
//! # TLS and SASL in a component
//!
//! The features `tls` and `sasl` of `klamm-wasi` are the core's: see the page `klamm::manual::secure`. The component brings the
//! cryptography, because none is fit for all: `ring` and `aws-lc-rs` have C in them (not tried for wasm), and what is Rust alone is young.
//! `examples/edge-security` brings **rustls-rustcrypto 0.0.2-alpha. It is an alpha and nobody has audited it**; whoever cannot have
//! that gives another `CryptoProvider` to `Tls::builder`, and nothing else changes. This is all of it:
//!
//! ```text
//! // getrandom = { version = "0.2", default-features = false, features = ["custom"] }
//! // rustls-rustcrypto = { version = "=0.0.2-alpha", default-features = false, features = ["alloc", "tls12"] }
//! fn random(out: &mut [u8]) -> Result<(), getrandom::Error> {
//!     out.copy_from_slice(&wasip2::random::random::get_random_bytes(out.len() as u64));
//!     Ok(())
//! }
//! getrandom::register_custom_getrandom!(random);
//!
//! let tls = Tls::builder(rustls_rustcrypto::provider()).ca_pem(pem).build()?;
//! let config = Config::new(bootstrap).tls(tls).sasl(Sasl::scram(ScramHash::Sha256, user, password)).memory_total(1 << 20);
//! ```
//!
//! - The lines for randomness are what `wasm32-unknown-unknown` needs. For `wasm32-wasip2` that getrandom asks WASI 0.1, which the linker
//!   translates: the component then imports `wasi:random/random` in two versions, and no interface more. Without the feature `tls12`
//!   of the provider only TLS 1.3 is spoken.
//! - A component imports nothing more than without TLS. Whether a certificate is valid is told by `wasi:clocks/wall-clock`; a host
//!   whose clock was never set is told as `TlsFault::NoClock`.
//! - There is no store of CAs: they come as PEM. `examples/edge-ingest` and `edge-worker`, built with `--features tls`, take them from
//!   `KAFKA_CA_PEM`, and user and password from `KAFKA_USER` and `KAFKA_PASSWORD`; built without, they refuse to start where one
//!   of these is set, instead of going on without encryption.
//! - Set TLS before `memory_total`, so that it is part of it; with [`single_connection`](crate::Config::single_connection) a budget
//!   of 1 MiB has room for it and for a producer with LZ4 and batches of 32 KiB.
//! - Cryptography in wasm has none of the CPU's instructions: a handshake took some 20 ms, and records of 100 bytes came to a fifth of
//!   what they do without TLS (the README has the figures).
//! - Cold or warm, TLS 1.3 costs each connection one round trip more, and 1.2 two: see below.
//!
//! # Time and sockets on WASI 0.2
//!
//! - **No `TCP_NODELAY`.** The host's kernel holds back a short segment while an earlier one is not acknowledged. So what there
//!   is to write is gathered into one call, up to 16 KiB; larger slices go as they are. A lone record is one write and is not
//!   held back. Many small requests in a row on one connection may wait for the peer's acknowledgement, up to 40 ms where
//!   the peer delays those; brokers answer at once, which carries it.
//! - **64 KiB a call.** Hosts take and give at most about so much at once, and each answer is copied into the component's memory:
//!   a component holds up to 80 KiB beside the budget while it reads or writes, and a fetch of 1 MiB is some twenty calls.
//! - **One thread.** Compressing, checksums and the application's own work stand in each other's way; none of it makes a
//!   connection time out, because sockets are read before timers are looked at.
//! - **Frozen components.** Where the clock has jumped by more than 50 ms, the reactor first asks the host what its sockets have,
//!   for at most 1 ms, and only then whose time is over: answers that came meanwhile count.
//! - **Linear memory never shrinks.** What an instance once took it keeps, so the budget bounds what a host must give it.
//!
//! # A new instance for each request
//!
//! Such a function pays for connecting each time. What is asked in vain can be left out: see [`WarmState`](crate::WarmState). In round trips
//! after TCP's own, for a record and its acknowledgement:
//!
//! | | round trips |
//! |---|---|
//! | cold: versions, leaders and producer id together, the leader's versions, the record | 4 |
//! | cold, where the leader is the broker of the bootstrap list, by the same name | 3 |
//! | warm: producer id, the record | 2 |
//! | one more for each connection that one waits for | with TLS 1.3; with 1.2 two |
//! | one more each | to wait for [`connected`](crate::Client::connected) first, as `block_on` and `connect` do, when cold |
//!
//! # WASI 0.3
//!
//! There reads and writes are futures and streams of the component model itself, and the host's `poll` is gone. It gets a transport
//! of its own beside this one, in a crate of its own: `connect` becomes a call that is awaited, [`ByteStream`](crate::ByteStream) sits on a
//! stream each way, and no reactor is needed, because the host polls the component's task. The core stays as it is.
//! Hosts call their 0.3 experimental still.
