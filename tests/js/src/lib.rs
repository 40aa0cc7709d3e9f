//! `#[test]`, for JS engines: what the core's tests are named there, so that they stay as they are.
//!
//! What `#[macro_use]` brings in goes before what the language has by itself.
#![no_std]

#[cfg(target_family = "wasm")]
pub use wasm_bindgen_test::wasm_bindgen_test as test;
