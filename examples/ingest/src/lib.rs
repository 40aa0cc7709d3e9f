//! What the load generator and the tests share: as much of an HTTP client as they need.

pub mod http;
