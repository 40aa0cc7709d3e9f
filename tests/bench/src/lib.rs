//! What the benchmarks of all clients share, so that they are measured alike: the command line, the payloads, the report.
//! And what tests and tables look with: an allocator that counts, and a driver that is watched.

pub mod args;
pub mod counting;
pub mod pace;
pub mod payloads;
pub mod report;
pub mod secured;
pub mod watched;
