//! What the benchmarks of all clients share, so that they are measured alike: the command line, the payloads, the report.
//! And what the tests of memory do: an allocator that counts.

pub mod args;
pub mod counting;
pub mod pace;
pub mod payloads;
pub mod report;
