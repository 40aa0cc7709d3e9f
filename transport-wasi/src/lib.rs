//! Klamm in WASI 0.2 components: `wasi:sockets`, clocks, randomness, and a reactor for a program of one thread, without
//! std. Everything that is Kafka's is in `klamm`, which this crate re-exports whole.
//!
//! It exists for wasm only; built for anything else this crate is empty, so that a workspace can hold it.
//!
#![cfg_attr(target_arch = "wasm32", doc = "```no_run")]
#![cfg_attr(not(target_arch = "wasm32"), doc = "```text")]
#![doc = include_str!("hello.rs")]
#![doc = "```"]
//!
//! A component without std switches the feature `bare` on, which brings an allocator, a panic handler and the symbols
//! that the linker asks for; one with std leaves it off. What is built depends on features only: `wasm32-wasip2` and
//! `wasm32-unknown-unknown`, linked by `wasm-component-ld`, give components that do the same.
//!
//! # A program of one thread
//! While the program awaits something, `Reactor` polls the client's driver beside it, so that retries and fetches go on; when
//! neither has anything to do, it waits for the host. Whatever else the program waits for goes through `Reactor::wait`: a timer,
//! a request's body. There can be no second executor in the component, such as `wstd`'s: each of them sleeps in the host's
//! `poll`, where it hears its own pollables and nobody else's, so the sockets of the one would stand still while the
//! other sleeps. A library that only needs futures polled, and gives its pollables away, works under `Reactor::run`.
//!
//! # Functions that begin anew with every request
//! `block_on` waits until the cluster has answered. Where each round trip counts, use `new` with `Wasi` and
//! `Reactor::run_beside`, which `examples/edge-ingest` shows, and begin with what an earlier instance knew: `WarmState`.
//!
//! # TLS
//! The feature `tls` encrypts, with cryptography that the component brings: the page `klamm::manual::where_it_runs` says which there is,
//! and `examples/edge-security` is all that it takes.
#![no_std]
#![deny(unsafe_code)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

#[cfg(feature = "bare")]
mod bare;
mod block_on;
mod dial;
mod reactor;
mod stream;
mod transport;

pub use block_on::block_on;
pub use dial::Connecting;
pub use klamm::*;
pub use reactor::{Reactor, Wait};
pub use stream::TcpStream;
pub use transport::Wasi;
