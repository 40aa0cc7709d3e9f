//! What the benchmarks of all clients share, so that they are measured alike: the command line, the payloads, the report.

pub mod args;
pub mod payloads;
pub mod report;
