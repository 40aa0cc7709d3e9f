//! klamm-wasi
