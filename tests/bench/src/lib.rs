//! What the benchmarks of all clients share, so that they are measured alike: the command line, the payloads, the report.
//! And what tests and tables look with: an allocator that counts, what a client holds against its plan, and a driver that is
//! watched.

pub mod args;
pub mod counting;
pub mod gauge;
pub mod pace;
pub mod payloads;
pub mod report;
pub mod secured;
pub mod watched;
